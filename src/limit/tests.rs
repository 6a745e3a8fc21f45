//! What the limits must hold, on ticks that only the tests move.

use super::*;
use crate::config::{
    Tenant,
    fixture::{config, key, plain_tenant, quota, tenant},
};

const SECOND: Duration = Duration::from_secs(1);

fn user(id: i64) -> Spender {
    Spender::User(UserId::new(id).unwrap())
}

/// How many requests pass before one is denied.
fn pass(limiters: &Limiters, spender: Spender) -> usize {
    (0..10_000).take_while(|_| limiters.check(0, spender).retry_after.is_none()).count()
}

/// A key of 5 at once and 2 a second, one of 3, users with 4, and perhaps a ceiling.
fn site(ceiling: Option<Quota>) -> Config {
    let mut config = config();
    let (mut one, mut two) = (key("one"), key("two"));
    (one.quota, two.quota) = (quota(2, 5), quota(1, 3));
    config.keys = vec![one, two];
    config.tenants[0] = Tenant { user_quota: quota(1, 4), ceiling, ..plain_tenant() };
    config
}

#[test]
fn a_burst_passes_then_the_rate() {
    let ticks = Ticks::fixed();
    let limiters = Limiters::build(&site(None), None, ticks.clone());
    let first = limiters.check(0, Spender::Key(0));
    let expected =
        LimitStatus { quota: "key", limit: 5, per_second: 2, remaining: 4, reset: 1, retry_after: None };
    assert_eq!((first, first.window()), (expected, 3));
    assert_eq!(pass(&limiters, Spender::Key(0)), 4);
    let denied = limiters.check(0, Spender::Key(0));
    assert_eq!(denied, LimitStatus { remaining: 0, reset: 3, retry_after: Some(SECOND), ..expected });
    ticks.advance(SECOND);
    assert_eq!(pass(&limiters, Spender::Key(0)), 2);
}

#[test]
fn keys_and_users_do_not_spend_each_others() {
    let limiters = Limiters::build(&site(None), None, Ticks::fixed());
    assert_eq!(pass(&limiters, Spender::Key(0)), 5);
    assert_eq!(pass(&limiters, Spender::Key(1)), 3);
    assert_eq!(pass(&limiters, user(1)), 4);
    assert_eq!(pass(&limiters, user(2)), 4);
}

#[test]
fn a_noisy_key_cannot_drain_the_ceiling() {
    let limiters = Limiters::build(&site(Some(quota(1, 10))), None, Ticks::fixed());
    assert_eq!(pass(&limiters, Spender::Key(0)), 5);
    for _ in 0..100 {
        assert_eq!(limiters.check(0, Spender::Key(0)).quota, "key");
    }
    assert_eq!(pass(&limiters, user(1)), 4);
    let last = limiters.check(0, user(2));
    assert_eq!((last.quota, last.remaining, last.retry_after), ("tenant", 0, None));
    let denied = limiters.check(0, user(2));
    assert_eq!((denied.quota, denied.retry_after), ("tenant", Some(SECOND)));
}

#[test]
fn the_next_set_goes_on_counting_and_a_changed_quota_loses_only_its_own() {
    let ticks = Ticks::fixed();
    let mut config = site(None);
    let before = Limiters::build(&config, None, ticks.clone());
    for spender in [Spender::Key(0), Spender::Key(1), user(1)] {
        pass(&before, spender);
    }
    // Places move; the credentials stay.
    config.keys.reverse();
    let after = Limiters::build(&config, Some(&before), Ticks::default());
    let spent = [Spender::Key(0), Spender::Key(1), user(1)].map(|spender| pass(&after, spender));
    assert_eq!(spent, [0, 0, 0]);

    config.keys[0].quota = quota(1, 7);
    let changed = Limiters::build(&config, Some(&after), Ticks::default());
    assert_eq!([Spender::Key(0), Spender::Key(1), user(1)].map(|s| pass(&changed, s)), [7, 0, 0]);
    config.tenants[0].user_quota = quota(2, 2);
    let changed = Limiters::build(&config, Some(&changed), Ticks::default());
    assert_eq!([Spender::Key(0), Spender::Key(1), user(1)].map(|s| pass(&changed, s)), [0, 0, 2]);
    ticks.advance(SECOND);
    assert_eq!(pass(&changed, Spender::Key(0)), 1);
}

#[test]
fn a_tenants_limits_stay_with_it_when_tenants_move() {
    let mut config = site(Some(quota(1, 2)));
    let before = Limiters::build(&config, None, Ticks::fixed());
    assert_eq!(pass(&before, user(1)), 2);
    config.tenants.shift_insert(0, tenant("acme"), plain_tenant());
    let after = Limiters::build(&config, Some(&before), Ticks::default());
    assert!(after.check(1, user(1)).retry_after.is_some());
    assert!(after.check(0, user(1)).retry_after.is_none());
}

#[test]
fn failures_count_by_address_and_by_64_bits_of_ipv6() {
    let ticks = Ticks::fixed();
    let config = Config { failed_auth: quota(1, 2), ..config() };
    let limiters = Limiters::build(&config, None, ticks.clone());
    let denied = |limiters: &Limiters, address: &str| {
        limiters.check_failure(address.parse().unwrap()).retry_after.is_some()
    };
    for address in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "2001:db8::ffff:1"] {
        assert!(!denied(&limiters, address), "{address}");
    }
    assert!(denied(&limiters, "192.0.2.1") && denied(&limiters, "2001:db8::2"));
    let after = Limiters::build(&config, Some(&limiters), Ticks::default());
    assert!(denied(&after, "192.0.2.1"));
    ticks.advance(SECOND);
    assert!(!denied(&after, "192.0.2.1"));
}

#[test]
fn quiet_users_are_forgotten_and_noisy_ones_are_not() {
    let ticks = Ticks::fixed();
    let limiters = Limiters::build(&site(None), None, ticks.clone());
    limiters.check(0, user(1));
    pass(&limiters, user(2));
    ticks.advance(3 * SECOND);
    limiters.tidy();
    assert_eq!(limiters.tenants[0].users.state().len(), 1);
    assert_eq!(pass(&limiters, user(2)), 3);
}

#[test]
fn a_million_users_leave_nothing_behind() {
    const WAVE: i64 = 100_000;
    let ticks = Ticks::fixed();
    let mut limiters = Limiters::build(&site(None), None, ticks.clone());
    for wave in 0..10 {
        for id in 1..=WAVE {
            assert!(limiters.check(0, user(wave * WAVE + id)).retry_after.is_none());
        }
        assert_eq!(limiters.tenants[0].users.state().len(), WAVE as usize, "those before are forgotten");
        // Reloads in between hand the counts on and take no copy of them.
        limiters = Limiters::build(&site(None), Some(&limiters), Ticks::default());
        ticks.advance(60 * SECOND);
        limiters.tidy();
    }
    assert!(limiters.check(0, user(1)).retry_after.is_none());
    let users = limiters.tenants.remove(0).users;
    let state = users.state();
    assert_eq!(state.len(), 1);
    assert!(state.capacity() < 10_000, "the room is given back too: {}", state.capacity());
}

#[test]
fn many_pass_at_once_or_none() {
    let ticks = Ticks::fixed();
    let limiters = Limiters::build(&site(Some(quota(1, 10))), None, ticks.clone());
    let more = |spender, n| limiters.check_more(0, spender, NonZeroU32::new(n).unwrap());
    assert_eq!((limiters.burst(0, Spender::Key(0)), limiters.burst(0, user(1))), (5, 4));
    let spent = more(Spender::Key(0), 3);
    assert_eq!((spent.quota, spent.remaining, spent.retry_after), ("key", 2, None));
    let denied = more(Spender::Key(0), 4);
    // Another try spends one before these, so it waits for that too.
    assert_eq!((denied.quota, denied.remaining, denied.retry_after), ("key", 2, Some(2 * SECOND)));
    assert_eq!(limiters.check(0, Spender::Key(0)).remaining, 1, "what is denied spends nothing");
    assert!(more(user(1), 4).passes());
    // Two are left of the tenant's.
    let denied = more(user(2), 3);
    assert_eq!((denied.quota, denied.remaining, denied.retry_after), ("tenant", 2, Some(2 * SECOND)));
    assert!(!more(Spender::Key(1), 3).passes());
    let last = more(user(2), 2);
    assert_eq!((last.quota, last.remaining, last.retry_after), ("tenant", 0, None));
    ticks.advance(10 * SECOND);
    assert_eq!(pass(&limiters, user(2)), 4);
    assert_eq!(pass(&limiters, Spender::Key(1)), 3, "what was given back is whole");
}

#[test]
fn a_place_that_does_not_exist_is_denied() {
    let limiters = Limiters::build(&config(), None, Ticks::fixed());
    assert!(limiters.check(0, Spender::Key(9)).retry_after.is_some());
    assert!(limiters.check(9, user(1)).retry_after.is_some());
}
