//! Random steps, after each of which the store must agree with a simple model in all that can be seen.

use std::sync::Arc;
use std::time::Duration;

use bellboard::cache::UnreadCache;
use bellboard::domain::{Change, ChangeKind, Timestamp};
use bellboard::store::{Options, Store};
use futures_util::future::join_all;

use super::bed::*;
use super::model::{Inbox, Row};
use super::steps::{Act, Answer, PEOPLE, RESTORE_TIME, Step, Sweep, all_picked, each_of, picked, title_of};
use super::stored::Stored;
use crate::support::{Dice, Tool};

/// Sequences, and acts in each.
const SEQUENCES: u64 = 20;
const ACTS: usize = 100;
/// How long changes are kept.
const KEEP: i64 = 15;

/// One run. `BELLBOARD_STORE_SEED` begins with another sequence than the first.
pub async fn agrees_with_a_simple_model(bed: Bed) {
    let seed = std::env::var("BELLBOARD_STORE_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    for seed in seed..seed + SEQUENCES {
        let mut dice = Dice::new(seed);
        let acts: Vec<Act> = (0..ACTS).map(|_| Act::roll(&mut dice)).collect();
        if let Err(fault) = run(bed.another(), &acts).await {
            let (fault, acts) = minimise(&bed, fault, acts).await;
            panic!("with BELLBOARD_STORE_SEED={seed}: {fault}\nafter {acts:#?}");
        }
    }
}

/// Leaves out what the fault does not need.
async fn minimise(bed: &Bed, mut fault: String, mut acts: Vec<Act>) -> (String, Vec<Act>) {
    let mut part = acts.len() / 2;
    while part > 0 {
        let mut at = 0;
        while at < acts.len() {
            let mut fewer = acts.clone();
            fewer.drain(at..acts.len().min(at + part));
            match run(bed.another(), &fewer).await {
                Err(other) => (fault, acts) = (other, fewer),
                Ok(()) => at += part,
            }
        }
        part /= 2;
    }
    (fault, acts)
}

/// A store, and what must be true of it.
struct World {
    bed: Bed,
    store: Store,
    cache: Arc<UnreadCache>,
    inboxes: [Inbox; PEOPLE.len()],
    /// All ids ever given.
    ids: Vec<i64>,
    /// How many changes were looked at.
    heard: usize,
    /// The changes other than arrivals that are still kept: whose, when, and what.
    kept: Vec<(usize, Timestamp, Change)>,
    /// Erased and not yet purged: whose, and with which revision.
    erased: Vec<(usize, i64)>,
}

async fn run(bed: Bed, acts: &[Act]) -> Result<(), String> {
    let cache = Arc::new(UnreadCache::new(1_000, None));
    let options = Options { keep_changes: Duration::from_secs(KEEP.cast_unsigned()), ..Options::default() };
    let store = bed.open_before(&cache, options).await;
    let mut tool = bed.tool().await;
    let mut world = World {
        bed,
        store,
        cache,
        inboxes: Default::default(),
        ids: Vec::new(),
        heard: 0,
        kept: Vec::new(),
        erased: Vec::new(),
    };
    let first = (0..PEOPLE.len() - 1).map(|who| Act::Of { who, step: Step::Put, along: true });
    let acts: Vec<Act> = first.chain(acts.iter().cloned()).collect();
    let mut rest = &acts[..];
    while !rest.is_empty() {
        let (now, later) = rest.split_at(together(rest));
        let done = match world.act(now).await {
            Ok(()) => world.agrees(&mut tool).await,
            fault => fault,
        };
        done.map_err(|fault| format!("{now:?}: {fault}"))?;
        rest = later;
    }
    world.store.close().await;
    Ok(())
}

/// How many of the next acts go together: steps of different users.
fn together(acts: &[Act]) -> usize {
    let mut seen = Vec::new();
    let goes = |act: &&Act| match act {
        Act::Of { who, along, .. } if (*along || seen.is_empty()) && !seen.contains(who) => {
            seen.push(*who);
            true
        }
        _ => false,
    };
    acts.iter().take_while(goes).count().max(1)
}

impl World {
    fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// The time by which something has expired.
    fn due(&self) -> Timestamp {
        self.store.now().min(self.bed.clock.now())
    }

    async fn act(&mut self, acts: &[Act]) -> Result<(), String> {
        if let [Act::All { tenant, sweep }] = acts {
            return self.sweep(tenant, sweep).await;
        }
        let steps: Vec<(usize, &Step)> = acts
            .iter()
            .filter_map(|act| match act {
                Act::Of { who, step, .. } => Some((*who, step)),
                Act::All { .. } => None,
            })
            .collect();
        let (now, ids) = (self.now(), self.ids.clone());
        let answers = join_all(steps.iter().map(|(who, step)| step.take(&self.store, *who, &ids, now))).await;
        for ((who, step), answer) in steps.into_iter().zip(answers) {
            let expected = self.step(who, step, &ids, &answer);
            if answer != expected {
                return Err(format!("answered {answer:?}, not {expected:?}"));
            }
        }
        Ok(())
    }

    /// What the model answers. Only a new id is the store's to choose, among those never given.
    fn step(&mut self, who: usize, step: &Step, ids: &[i64], answer: &Answer) -> Answer {
        let (now, due) = (self.now(), self.due());
        let inbox = &mut self.inboxes[who];
        if matches!(step, Step::Count | Step::List { .. } | Step::MarkAllRead(_)) {
            inbox.expire(due);
        }
        match step {
            Step::Put => Answer::Number(i64::from(!std::mem::replace(&mut inbox.known, true))),
            Step::MarkRead(at) => match inbox.mark(picked(ids, *at).get(), now, due) {
                Some(at) => Answer::Number(at.0),
                None => Answer::NoNotification,
            },
            Step::MarkUnread(at) => match inbox.mark_unread(picked(ids, *at).get(), due) {
                true => Answer::Number(0),
                false => Answer::NoNotification,
            },
            Step::Restore(at) => match inbox.restore(picked(ids, *at).get(), RESTORE_TIME, due) {
                Some((put_back, read_at)) => {
                    // The change that tells of the deletion goes with it.
                    let (id, deleted) = (Some(picked(ids, *at)), ChangeKind::Deleted);
                    self.kept.retain(|(other, _, change)| {
                        !put_back || *other != who || (change.kind, change.notification) != (deleted, id)
                    });
                    Answer::Number(read_at.map_or(0, |at| at.0))
                }
                None => Answer::NoNotification,
            },
            Step::Delete(at) => match inbox.delete(picked(ids, *at).get(), now, due) {
                true => Answer::Number(0),
                false => Answer::NoNotification,
            },
            Step::MarkEachRead(some) => {
                let (mut changed, mut missing) = (0, 0);
                for id in all_picked(ids, some) {
                    let was_read = inbox.rows.get(&id.get()).is_some_and(|row| row.read_at.is_some());
                    match inbox.mark(id.get(), now, due) {
                        Some(_) => changed += u64::from(!was_read),
                        None => missing += 1,
                    }
                }
                Answer::Number(each_of(changed, missing))
            }
            Step::DeleteEach(some) => {
                let all = all_picked(ids, some);
                let deleted = all.iter().filter(|id| inbox.delete(id.get(), now, due)).count();
                Answer::Number(each_of(deleted as u64, all.len() - deleted))
            }
            Step::Send { create, .. } if !inbox.known && !create => Answer::NoUser,
            Step::Send { expires, key, by, .. } => {
                let id = match *answer {
                    Answer::Number(id) if ids.iter().all(|old| *old < id) => id,
                    _ => return Answer::Failed("an id that grows".into()),
                };
                let row = Row {
                    title: title_of(ids.len(), who),
                    sender: *by,
                    created_at: now,
                    expires_at: expires.map(|seconds| now.plus_seconds(seconds)),
                    read_at: None,
                };
                inbox.known = true;
                inbox.send(id, row, *key);
                self.ids.push(id);
                Answer::Number(id)
            }
            _ if !inbox.known => Answer::NoUser,
            Step::Count => Answer::Number(inbox.unread()),
            Step::MarkAllRead(up_to) => {
                Answer::Number(inbox.mark_all(up_to.map_or(i64::MAX, |at| picked(ids, at).get()), now))
            }
            Step::List { before, unread_only, limit } => {
                let before = before.map_or(i64::MAX, |at| picked(ids, at).get());
                let (rows, more) = inbox.page(before, *unread_only, *limit as usize);
                Answer::Page { rows, more, unread: inbox.unread(), rev: inbox.rev }
            }
            Step::Erase => {
                inbox.erase();
                self.erased.retain(|(other, _)| *other != who);
                self.erased.push((who, inbox.rev));
                Answer::Number(0)
            }
        }
    }

    async fn sweep(&mut self, tenant: &str, sweep: &Sweep) -> Result<(), String> {
        let (now, due) = (self.now(), self.due());
        match sweep {
            Sweep::Wait(seconds) => self.bed.clock.advance_seconds(*seconds),
            Sweep::Jump(seconds) => self.bed.clock.jump_seconds(*seconds),
            Sweep::Maintain(keep) => {
                let keep = *keep;
                let pauses = self.store.clock_ahead().is_some() || self.store.clock_behind().is_some();
                let done = self.store.maintain(&move |_| keep).await.map_err(|e| e.to_string())?;
                let (mut expired, mut retired) = (0, 0);
                for inbox in &mut self.inboxes {
                    expired += inbox.expire(due);
                    // No age counts while the clock is far from the time that has passed.
                    if !pauses {
                        retired += inbox.retire(&keep, due);
                    }
                }
                if (done.expired, done.retired) != (expired, retired) {
                    return Err(format!("{done:?}, not {expired} expired and {retired} retired"));
                }
                // What was done just now is told, and kept, from now on.
                self.hear()?;
                let erased = std::mem::take(&mut self.erased);
                let purged = |who: usize, rev: i64| erased.iter().any(|e| e.0 == who && rev < e.1);
                self.kept.retain(|(who, _, change)| !purged(*who, change.rev));
                if pauses {
                    return Ok(());
                }
                let before = self.kept.len();
                self.kept.retain(|(_, at, _)| *at >= due.plus_seconds(-KEEP));
                if done.changes != (before - self.kept.len()) as u64 {
                    return Err(format!("{done:?}, not {} changes", before - self.kept.len()));
                }
            }
            Sweep::Withdraw(wanted) => {
                let done = wanted.withdraw(&self.store, tenant, &self.ids, now).await?;
                let of_tenant = self.inboxes.iter_mut().zip(PEOPLE).filter(|(_, person)| person.0 == tenant);
                let withdrawn: u64 =
                    of_tenant.map(|(inbox, _)| wanted.take(inbox, &self.ids, now, due)).sum();
                if done != withdrawn {
                    return Err(format!("withdrew {done}, not {withdrawn}"));
                }
            }
        }
        Ok(())
    }

    /// Looks at the changes told since.
    fn hear(&mut self) -> Result<(), String> {
        let now = self.now();
        let changes = self.bed.changes();
        for change in &changes[self.heard..] {
            let person = (change.tenant.as_str(), change.user.get());
            let who = PEOPLE.iter().position(|other| *other == person).ok_or("a change of nobody")?;
            self.inboxes[who].hear(change)?;
            if change.kind != ChangeKind::Arrived {
                self.kept.push((who, now, change.clone()));
            }
        }
        self.heard = changes.len();
        self.inboxes.iter().try_for_each(Inbox::heard_all)
    }

    /// Compares what was told, what is stored and what is remembered with the model.
    async fn agrees(&mut self, tool: &mut Tool) -> Result<(), String> {
        self.hear()?;
        let kept = self.kept.iter().map(|(who, at, change)| (*who, *at, change.clone()));
        let stored = Stored::read(tool).await;
        stored.agrees_with(&self.inboxes, kept)?;
        for (inbox, (tenant, user)) in self.inboxes.iter().zip(PEOPLE) {
            // A count with something due would expire it, which is for the steps to do.
            let now = self.due();
            if inbox.known && inbox.next_expiry().is_none_or(|at| at > now) {
                let (tenant, user) = (tenant_of(tenant), user_id(user));
                let count = self.cache.count(&tenant, user, now, self.store.head(&tenant, user)).await;
                let count = count.map_err(|e| e.to_string())?.unread;
                if count != inbox.unread() {
                    return Err(format!("the cache says {count}, not {}", inbox.unread()));
                }
            }
        }
        Ok(())
    }
}
