//! Steps that anyone may take, at random, and what the store answers to one.

use std::time::Duration;

use bellboard::config::Retention;
use bellboard::domain::{Draft, Error, Notification, NotificationId, Profile, Timestamp};
use bellboard::store::{Each, NewNotification, Page, PageQuery, Store, Withdrawal};

use super::audit::actor;
use super::bed::{draft, id, new, tenant_of, title, user_id};
use super::model::Inbox;
use crate::support::Dice;

/// The users, whom two tenants name alike.
pub const PEOPLE: [(&str, i64); 5] =
    [("default", 1), ("default", 2), ("default", 3), ("acme", 1), ("acme", 2)];

/// How long what was deleted can be put back.
pub const RESTORE_TIME: Duration = Duration::from_secs(10);

/// A step. Notifications are picked from all that were sent so far, the latest first, so that a step makes
/// sense after any others.
#[derive(Debug, Clone)]
pub enum Step {
    Send { expires: Option<i64>, key: Option<u8>, by: u8, create: bool },
    MarkRead(usize),
    MarkUnread(usize),
    MarkAllRead(Option<usize>),
    Delete(usize),
    MarkEachRead(Vec<usize>),
    DeleteEach(Vec<usize>),
    Restore(usize),
    Erase,
    Put,
    Count,
    List { before: Option<usize>, unread_only: bool, limit: u32 },
}

/// A step about all inboxes of a tenant, or of all.
#[derive(Debug, Clone)]
pub enum Sweep {
    Wait(i64),
    /// The clock is set by so many seconds while none pass.
    Jump(i64),
    Withdraw(Wanted),
    Maintain(Retention),
}

/// What to withdraw.
#[derive(Debug, Clone)]
pub enum Wanted {
    Ids(Vec<usize>),
    Key(u8),
    Sender { by: u8, ago: i64 },
}

/// What to do next.
#[derive(Debug, Clone)]
pub enum Act {
    /// A user's step; `along` with those before it that are about others.
    Of {
        who: usize,
        step: Step,
        along: bool,
    },
    All {
        tenant: &'static str,
        sweep: Sweep,
    },
}

/// What the store answered.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Number(i64),
    Page { rows: Vec<(i64, String, bool)>, more: bool, unread: i64, rev: i64 },
    NoUser,
    NoNotification,
    Failed(String),
}

impl Act {
    pub fn roll(dice: &mut Dice) -> Self {
        if dice.roll(5) == 0 {
            let tenant = PEOPLE[dice.place(PEOPLE.len())].0;
            return Self::All { tenant, sweep: Sweep::roll(dice) };
        }
        let (who, along) = (dice.place(PEOPLE.len()), dice.roll(3) > 0);
        Self::Of { who, step: Step::roll(dice), along }
    }
}

fn small(dice: &mut Dice, below: u64) -> u8 {
    u8::try_from(dice.roll(below)).expect("small")
}

fn pick(dice: &mut Dice) -> usize {
    dice.place(12)
}

impl Step {
    fn roll(dice: &mut Dice) -> Self {
        let maybe = |dice: &mut Dice| (dice.roll(3) == 0).then(|| pick(dice));
        let several = |dice: &mut Dice| (0..=dice.roll(4)).map(|_| pick(dice)).collect();
        match dice.roll(29) {
            0..=6 => Self::Send {
                expires: (dice.roll(3) == 0).then(|| dice.roll(12).cast_signed() - 1),
                key: (dice.roll(3) == 0).then(|| small(dice, 2)),
                by: small(dice, 2),
                create: dice.roll(4) == 0,
            },
            7..=9 => Self::MarkRead(pick(dice)),
            10..=11 => Self::MarkAllRead(maybe(dice)),
            12..=13 => Self::Delete(pick(dice)),
            14 if dice.roll(2) == 0 => Self::Erase,
            14..=15 => Self::Put,
            16..=17 => Self::Count,
            18..=19 => Self::MarkUnread(pick(dice)),
            20..=23 => Self::Restore(pick(dice)),
            24 => Self::MarkEachRead(several(dice)),
            25..=26 => Self::DeleteEach(several(dice)),
            _ => Self::List {
                before: maybe(dice),
                unread_only: dice.roll(2) == 0,
                limit: 1 + u32::from(small(dice, 9)),
            },
        }
    }

    /// Takes the step.
    pub async fn take(&self, store: &Store, who: usize, ids: &[i64], now: Timestamp) -> Answer {
        let (tenant, user) = (tenant_of(PEOPLE[who].0), user_id(PEOPLE[who].1));
        let at = |place: &usize| picked(ids, *place);
        let done = match self {
            Self::Send { expires, key, by, create } => {
                let draft = Draft {
                    expires_at: expires.map(|seconds| now.plus_seconds(seconds).0),
                    collapse_key: key.map(key_of),
                    ..draft(PEOPLE[who].1, &title_of(ids.len(), who))
                };
                let new = NewNotification { sender: sender(*by).into(), create_user: *create, ..new(draft) };
                store.send(&tenant, new).await.map(|stored| stored.id.get())
            }
            Self::MarkRead(one) => {
                let marked = store.mark_read(&tenant, user, at(one)).await;
                marked.map(|marked| marked.read_at.map_or(0, |at| at.0))
            }
            Self::MarkUnread(one) => {
                let marked = store.mark_unread(&tenant, user, at(one)).await;
                marked.map(|marked| marked.read_at.map_or(0, |at| at.0))
            }
            Self::Restore(one) => {
                let restored = store.restore(&tenant, user, at(one), RESTORE_TIME).await;
                restored.map(|restored| restored.read_at.map_or(0, |at| at.0))
            }
            Self::MarkAllRead(up_to) => {
                store.mark_all_read(&tenant, user, up_to.as_ref().map(at)).await.map(u64::cast_signed)
            }
            Self::MarkEachRead(some) => {
                store.mark_each_read(&tenant, user, &all_picked(ids, some)).await.map(each)
            }
            Self::DeleteEach(some) => {
                store.delete_each(&tenant, user, &all_picked(ids, some)).await.map(each)
            }
            Self::Delete(one) => store.delete(&tenant, user, at(one)).await.map(|()| 0),
            Self::Erase => store.erase_user(&tenant, user, None).await.map(|()| 0),
            Self::Put => {
                let put = store.put_user(&tenant, user, Profile::default(), None).await;
                put.map(|(_, created)| i64::from(created))
            }
            Self::Count => store.head(&tenant, user).await.map(|head| head.unread),
            Self::List { before, unread_only, limit } => {
                let before = before.as_ref().map(at);
                let query = PageQuery { before, limit: *limit, unread_only: *unread_only, kind: None };
                return store.page(&tenant, user, &query).await.map_or_else(Answer::of, Answer::page);
            }
        };
        done.map_or_else(Answer::of, Answer::Number)
    }
}

impl Answer {
    fn page(page: Page) -> Self {
        let row = |n: &Notification| (n.id.get(), title(n.content.as_json()), n.read_at.is_some());
        Self::Page {
            rows: page.notifications.iter().map(row).collect(),
            more: page.next.is_some(),
            unread: page.head.unread,
            rev: page.head.rev,
        }
    }

    fn of(error: Error) -> Self {
        match error {
            Error::UserNotFound(_) => Self::NoUser,
            Error::NotificationNotFound(_) => Self::NoNotification,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Sweep {
    fn roll(dice: &mut Dice) -> Self {
        const JUMPS: [i64; 8] = [-315_360_000, -7_200, -600, -3, 3, 600, 7_200, 315_360_000];
        match dice.roll(9) {
            8 => Self::Jump(JUMPS[dice.place(JUMPS.len())]),
            0..=3 => Self::Wait(1 + dice.roll(6).cast_signed()),
            4 => Self::Withdraw(Wanted::Ids((0..=dice.roll(3)).map(|_| pick(dice)).collect())),
            5 => Self::Withdraw(Wanted::Key(small(dice, 2))),
            6 => Self::Withdraw(Wanted::Sender { by: small(dice, 2), ago: dice.roll(9).cast_signed() }),
            _ => {
                let mut age = || (dice.roll(3) == 0).then(|| Duration::from_secs(dice.roll(20)));
                let (read, unread) = (age(), age());
                Self::Maintain(Retention { read, unread, newest: (dice.roll(3) == 0).then(|| dice.roll(5)) })
            }
        }
    }
}

impl Wanted {
    /// Withdraws it.
    pub async fn withdraw(
        &self,
        store: &Store,
        tenant: &str,
        ids: &[i64],
        now: Timestamp,
    ) -> Result<u64, String> {
        let what = match self {
            Self::Ids(picks) => Withdrawal::Ids(picks.iter().map(|at| picked(ids, *at)).collect()),
            Self::Key(key) => Withdrawal::CollapseKey(key_of(*key)),
            Self::Sender { by, ago } => {
                Withdrawal::Sender { sender: sender(*by), since: now.plus_seconds(-ago), until: None }
            }
        };
        store.withdraw(&tenant_of(tenant), &what, &actor("key:admin")).await.map_err(|e| e.to_string())
    }

    /// How many of an inbox it withdraws.
    pub fn take(&self, inbox: &mut Inbox, ids: &[i64], now: Timestamp, due: Timestamp) -> u64 {
        match self {
            Self::Ids(picks) => inbox.withdraw(|id, _| picks.iter().any(|at| picked(ids, *at).get() == id)),
            Self::Key(key) => {
                let latest = inbox.keyed(*key);
                inbox.withdraw(|id, _| latest == Some(id))
            }
            Self::Sender { by, ago } => inbox.withdraw(|_, row| {
                row.sender == *by && row.created_at >= now.plus_seconds(-ago) && !row.is_due(due)
            }),
        }
    }
}

/// What the next notification of a user says.
pub fn title_of(sent: usize, who: usize) -> String {
    format!("{sent} of {who}")
}

fn key_of(key: u8) -> String {
    format!("key {key}")
}

fn sender(by: u8) -> String {
    format!("key:{by}")
}

/// How many were changed, and how many were not there.
fn each(each: Each) -> i64 {
    each_of(each.changed, each.missing.len())
}

pub fn each_of(changed: u64, missing: usize) -> i64 {
    changed.cast_signed() * 100 + i64::try_from(missing).expect("few")
}

/// Some notifications, each once.
pub fn all_picked(ids: &[i64], some: &[usize]) -> Vec<NotificationId> {
    let mut all: Vec<_> = some.iter().map(|at| picked(ids, *at)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A notification sent before; where there is none, one that never was.
pub fn picked(ids: &[i64], at: usize) -> NotificationId {
    let from_last = at % ids.len().max(1);
    id(ids.iter().rev().nth(from_last).copied().unwrap_or(999_999))
}
