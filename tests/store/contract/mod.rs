//! What every engine must do. Each function takes a bed: a fresh, empty database.

pub mod audit;
pub mod batch;
pub mod bed;
pub mod drift;
pub mod events;
pub mod inbox;
pub mod model;
pub mod order;
pub mod random;
pub mod repeats;
pub mod restore;
pub mod steps;
pub mod stored;
pub mod upkeep;
pub mod users;
pub mod withdraw;

/// Runs every test of the contract on the beds that an expression makes.
macro_rules! contract {
    ($bed:expr) => {
        $crate::store::contract::contract! { $bed;
            inbox: [
                lists_newest_first_in_pages
                filters_by_unread_and_type
                a_filter_examines_a_bounded_number_of_rows
                answers_each_of_a_mixed_batch
                marks_once_and_keeps_the_first_time
                marks_unread_what_is_read
                marks_all_up_to_one
                marks_all_among_many_that_are_read
                deletes_for_good
                keeps_tenants_apart
                collapses_what_is_unread
            ]
            users: [
                puts_pages_and_seeds
                creates_users_on_send_where_asked
                erasing_hides_at_once_and_purges_behind
                an_erased_user_made_again_starts_empty
            ]
            audit: [
                records_in_the_order_of_time
                records_what_users_undergo_with_it
                filters_and_pages_the_record
                purges_the_record_of_every_tenant
            ]
            withdraw: [
                lists_what_was_sent_by_whom_to_whom_and_when
                withdraws_by_id_and_counts_are_right_at_once
                withdraws_what_one_key_sent_in_a_time
                withdraws_by_collapse_key
                withdraws_among_sends_marks_and_deletions
            ]
            restore: [
                puts_back_what_was_deleted_as_it_was
                only_for_a_while_and_only_for_its_user
                what_would_have_gone_by_itself_stays_away
                what_others_took_out_stays_away
                what_is_withdrawn_meanwhile_stays_away
                what_was_put_back_outlives_its_deletion
                what_cannot_be_put_back_is_purged
            ]
            upkeep: [
                expires_before_every_read
                expires_in_the_background
                retires_by_age_and_number
                purges_old_changes_with_their_contents
                keeps_what_is_young_whatever_the_clock_does
                a_stamp_that_is_far_ahead_holds_up_no_purge
                one_start_with_a_clock_ahead_ages_nothing
                inboxes_share_commits
            ]
            repeats: [
                one_of_many_at_once_is_stored
                sends_of_one_batch_are_told_apart
                what_is_repeated_collapses_nothing
                answers_are_kept_a_day an_answer_is_kept_for_as_long_as_its_send_says
                answers_go_with_their_user
                answers_outlive_their_store
            ]
            batch: [
                stores_a_thousand_in_order
                goes_to_many_inboxes_that_are_not_empty
                one_that_fails_fails_alone
                one_that_fails_holds_the_others_back_where_asked
                creates_users_and_collapses_within
                a_batch_that_has_no_room_is_refused_before_it_is_queued
                a_dropped_batch_is_stored_whole_or_not
                others_wait_for_one_batch_at_most
                marks_and_deletes_several_as_if_each_alone
            ]
            order: [
                counts_revisions_and_rows_agree_under_load
                a_dropped_send_is_stored_or_not_but_counts_agree
                a_full_queue_is_busy_before_queueing
                keeps_what_it_acknowledged
                answers_what_it_accepted_before_closing
            ]
            drift: [
                finds_a_wrong_head_and_tells_the_cache
                a_head_that_says_too_little_is_found_too
                walks_through_all_in_bounded_steps
            ]
            events: [
                tell_all_that_happened_in_order
                go_on_from_any_place_in_pages
                are_not_told_past_what_was_forgotten
                begin_anew_where_the_head_is_another
                tell_what_came_back
            ]
            random: [
                agrees_with_a_simple_model
            ]
        }
    };
    ($bed:expr; $($file:ident: [$($name:ident)*])*) => {
        $(mod $file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::store::contract::$file::$name($bed).await;
            })*
        })*
    };
}
pub(crate) use contract;
