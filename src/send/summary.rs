//! What is left of a delivery that comes to more notifications than are sent: a summary in place of the rest.

use crate::{
    domain::{Draft, Limits, UserId},
    registry::Planned,
};

/// Maximum number of users who get a summary of their own.
const MAX_SUMMARIES: usize = 20;

/// What was planned, and for whom.
type To<'p> = (&'p Planned, UserId);

/// Cuts a delivery to so many notifications at most: those that are sent as they are, and the summaries of the others.
/// Each user of the rest gets one, up to a bound.
pub(super) fn cut<'a, 'p>(
    planned: &'a [To<'p>],
    most: usize,
    limits: &Limits,
) -> (&'a [To<'p>], Vec<(Planned, UserId)>) {
    if planned.len() <= most {
        return (planned, Vec::new());
    }
    let (kept, rest) = planned.split_at(most - MAX_SUMMARIES.min(most.div_ceil(10)));
    // The first of each user, and how many there are.
    let most = most - kept.len();
    let mut users: Vec<(&Planned, UserId, usize)> = Vec::with_capacity(most);
    for (plan, user) in rest {
        if let Some((_, _, count)) = users.iter_mut().find(|(_, other, _)| other == user) {
            *count += 1;
        } else if users.len() < most {
            users.push((*plan, *user, 1));
        }
    }
    (kept, users.into_iter().map(|(plan, user, count)| (summary(plan, count, limits), user)).collect())
}

/// The first of the rest, with how many there are in its title. What its type demands of it, it has.
fn summary(first: &Planned, count: usize, limits: &Limits) -> Planned {
    let more = match count {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let title = first.draft.title.chars().take(limits.title.saturating_sub(more.len())).collect::<String>();
    let draft = Draft {
        title: title + &more,
        message: Some(format!(
            "{count} notifications of one delivery, which brought more than are shown one by one"
        )),
        link: None,
        collapse_key: None,
        ..first.draft.clone()
    };
    let id = first.id.as_ref().map(|id| format!("{count} from {id}"));
    Planned { draft, id, users: Vec::new(), ..first.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(title: &str) -> Planned {
        let draft = Draft { title: title.into(), kind: "custom".into(), ..Draft::default() };
        Planned { draft, users: Vec::new(), unknown: false, id: Some(title.into()), place: String::new() }
    }

    #[test]
    fn the_rest_is_summarized_for_its_users_within_the_bound() {
        let plans: Vec<_> = (0..100).map(|n| plan(&format!("event {n}"))).collect();
        let user = |id| UserId::new(id).unwrap();
        let to_three: Vec<_> =
            plans.iter().flat_map(|plan| (1..=3).map(move |id| (plan, user(id)))).collect();
        let (kept, summaries) = cut(&to_three, 300, &Limits::default());
        assert_eq!((kept.len(), summaries.len()), (300, 0));
        let (kept, summaries) = cut(&to_three, 60, &Limits::default());
        assert_eq!((kept.len(), summaries.len()), (54, 3));
        let told: Vec<_> =
            summaries.iter().map(|(plan, user)| (user.get(), plan.draft.title.as_str())).collect();
        assert_eq!(
            told,
            [(1, "event 18 and 81 more"), (2, "event 18 and 81 more"), (3, "event 18 and 81 more")]
        );
        let to_many: Vec<_> = plans.iter().zip(1..).map(|(plan, id)| (plan, user(id))).collect();
        for most in [1, 5, 50, 99] {
            let (kept, summaries) = cut(&to_many, most, &Limits::default());
            assert_eq!(kept.len() + summaries.len(), most);
        }
    }
}
