//! Batches of sends that are stored whole or not at all.

use std::collections::HashSet;

use super::command::{Command, NewNotification, Outcome};
use crate::domain::TenantId;

/// Which such batch a send is of. No two have the same in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Whole(pub(super) u64);

/// The batch that a command is of.
fn of(command: &Command) -> Option<Whole> {
    match command {
        Command::Send(_, new) => new.whole,
        _ => None,
    }
}

/// Whether a send must be stored with others or not at all.
pub(crate) fn is_any(commands: &[Command]) -> bool {
    commands.iter().any(|command| of(command).is_some())
}

/// The places of sends that are not to be stored, as they cannot be or others of their batch cannot, and what became
/// of each.
pub(crate) fn refused(
    commands: &[Command],
    can_be_stored: impl Fn(&TenantId, &NewNotification) -> bool,
) -> Vec<(usize, Outcome)> {
    let (mut batches, mut unknown) = (HashSet::new(), HashSet::new());
    for (place, command) in commands.iter().enumerate() {
        if let (Some(batch), Command::Send(tenant, new)) = (of(command), command)
            && !can_be_stored(tenant, new)
        {
            batches.insert(batch);
            unknown.insert(place);
        }
    }
    let refused = commands.iter().enumerate().filter(|(_, c)| of(c).is_some_and(|b| batches.contains(&b)));
    let outcome = |place| if unknown.contains(&place) { Outcome::NoUser } else { Outcome::Withheld };
    refused.map(|(place, _)| (place, outcome(place))).collect()
}

/// Where commands are divided in two about equal parts, each such batch in one of them. `None` where they cannot be.
pub(super) fn middle(commands: &[Command]) -> Option<usize> {
    let half = commands.len() / 2;
    let divides = |place: &usize| {
        let (before, after) = (of(&commands[place - 1]), of(&commands[*place]));
        before.is_none() || before != after
    };
    let later = (half.max(1)..commands.len()).find(divides);
    later.or_else(|| (1..half).rev().find(divides))
}

#[cfg(test)]
mod tests {
    use super::super::queue::tests::send_of;
    use super::*;

    #[test]
    fn a_batch_is_never_divided() {
        let commands = |batches: &[u64]| -> Vec<Command> {
            batches.iter().map(|batch| send_of((*batch > 0).then_some(Whole(*batch)))).collect()
        };
        for (batches, expected) in [
            (&[0, 0, 0, 0][..], Some(2)),
            (&[0], None),
            (&[1, 1, 1], None),
            (&[1, 1, 1, 0], Some(3)),
            (&[0, 1, 1, 1], Some(1)),
            (&[1, 1, 2, 2], Some(2)),
            (&[0, 1, 1, 1, 0], Some(4)),
        ] {
            assert_eq!(middle(&commands(batches)), expected, "{batches:?}");
        }
    }

    #[test]
    fn one_that_cannot_be_stored_keeps_its_batch_back() {
        let commands: Vec<_> = [0, 1, 1, 2].map(|n| send_of((n > 0).then_some(Whole(n)))).into();
        let found = refused(&commands, |_, new| new.whole != Some(Whole(2)));
        assert!(matches!(found[..], [(3, Outcome::NoUser)]), "{found:?}");
        assert!(refused(&commands[..3], |_, _| true).is_empty());
        assert!(is_any(&commands) && !is_any(&commands[..1]));
    }
}
