//! What is left of a delivery that comes to more notifications than are sent: a summary in place of the rest.

use std::collections::HashSet;

use indexmap::IndexMap;

use crate::{
    domain::{Draft, Limits, UserId},
    registry::Planned,
};

/// What was planned, and for whom.
type To<'p> = (&'p Planned, UserId);

/// What is sent as it is, and the summaries of the rest with their users.
type Cut<'a, 'p> = (&'a [To<'p>], Vec<(Planned, UserId)>);

/// Cuts a delivery to so many notifications at most: those that are sent as they are, and a summary of the others for
/// each of their users. `None` where the users alone are more.
pub(super) fn cut<'a, 'p>(planned: &'a [To<'p>], most: usize, limits: &Limits) -> Option<Cut<'a, 'p>> {
    if planned.len() <= most {
        return Some((planned, Vec::new()));
    }
    // As many as leave one notification for each user of those behind them.
    let mut users = HashSet::new();
    let sent = (0..planned.len()).rev().find(|sent| {
        users.insert(planned[*sent].1);
        sent + users.len() <= most
    })?;
    let (kept, rest) = planned.split_at(sent);
    // The first of each user, and how many there are.
    let mut firsts: IndexMap<UserId, (&Planned, usize)> = IndexMap::with_capacity(users.len());
    for (plan, user) in rest {
        firsts.entry(*user).or_insert((*plan, 0)).1 += 1;
    }
    let summaries = firsts.into_iter().map(|(user, (plan, count))| (summary(plan, count, limits), user));
    Some((kept, summaries.collect()))
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
    fn the_rest_is_summarized_for_each_of_its_users() {
        let plans: Vec<_> = (0..100).map(|n| plan(&format!("event {n}"))).collect();
        let user = |id| UserId::new(id).unwrap();
        let to_three: Vec<_> =
            plans.iter().flat_map(|plan| (1..=3).map(move |id| (plan, user(id)))).collect();
        let cut = |planned, most| cut(planned, most, &Limits::default());
        let (kept, summaries) = cut(&to_three, 300).expect("all");
        assert_eq!((kept.len(), summaries.len()), (300, 0));
        let (kept, summaries) = cut(&to_three, 60).expect("a part");
        assert_eq!((kept.len(), summaries.len()), (57, 3));
        let told: Vec<_> =
            summaries.iter().map(|(plan, user)| (user.get(), plan.draft.title.as_str())).collect();
        assert_eq!(
            told,
            [(1, "event 19 and 80 more"), (2, "event 19 and 80 more"), (3, "event 19 and 80 more")]
        );
        let (kept, summaries) = cut(&to_three, 3).expect("summaries alone");
        assert_eq!((kept.len(), summaries.len()), (0, 3));
        assert!(cut(&to_three, 2).is_none(), "nobody is left out");
    }
}
