//! Work that must happen.
//!
//! A transaction writes a state together with the steps that follow from it, as due items. The
//! outbox then sends the steps at once. The minute tick sends again each step that was not sent or
//! whose message was lost.

mod lag;

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::due::{Due, GRACE};
use super::{Commit, Slot, Store, Stored, When, keys};
use crate::kernel::{Envelope, Event, Message, Occurrence, Queue, Scope, TellingMessage};
use crate::ports::{Key, Outcome, PortError, Ports, QueueMessage, Write};
use crate::store::field;

pub(crate) use lag::lag;

/// A step that lies no further ahead than this is sent at once and waits in its queue. The tick
/// comes each minute, so a later step waits as a due item alone: a queue's depth counts work, not
/// plans.
const AHEAD: Duration = Duration::from_mins(1);

/// The longest delay that a queue can hold a message for.
const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// The tick reads this many partitions at a time.
const CONCURRENT_PARTITIONS: usize = 4;

/// The tick sends this many messages in one call, and then notes that they were sent: when it is
/// cut off in between, no more than these are sent twice.
const SENT_TOGETHER: usize = 100;

/// The tick notes this many sent messages at a time.
const CONCURRENT_MARKS: usize = 16;

/// A step that follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The work.
    pub message: Message,
    /// The wait before it.
    pub delay: Duration,
}

impl Next {
    /// A step to take at once.
    #[must_use]
    pub fn now(message: impl Into<Message>) -> Self {
        Self { message: message.into(), delay: Duration::ZERO }
    }

    /// A step that publishes what happened.
    #[must_use]
    pub fn publish(scope: Scope, time: Timestamp, occurrence: Occurrence) -> Self {
        Self::now(TellingMessage::Publish { event: Event { scope, time, occurrence } })
    }

    /// A step to take after `delay`.
    #[must_use]
    pub fn after(delay: Duration, message: impl Into<Message>) -> Self {
        Self { message: message.into(), delay }
    }
}

/// What a tick did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tick {
    /// How many messages it sent.
    pub sent: u64,
    /// How late the latest step of each queue is that a tick had to send and that is not done: a
    /// step that waits as a due item alone is late by a minute at most, and one whose message was
    /// lost or failed too often by as long as nobody has done it.
    pub late: BTreeMap<Queue, SignedDuration>,
}

/// The work of a tick, or of a part of it.
#[derive(Debug, Default)]
struct Ticked {
    done: Tick,
    /// Due items whose form this version of the code does not know.
    unreadable: u64,
    /// The first error.
    failed: Option<PortError>,
}

impl Ticked {
    fn add(&mut self, part: Self) {
        self.done.sent += part.done.sent;
        for (queue, late) in part.done.late {
            self.note_late(queue, late);
        }
        self.unreadable += part.unreadable;
        if let Some(error) = part.failed {
            self.fail(error);
        }
    }

    fn note_late(&mut self, queue: Queue, late: SignedDuration) {
        let latest = self.done.late.entry(queue).or_default();
        *latest = late.max(*latest);
    }

    fn fail(&mut self, error: PortError) {
        self.failed.get_or_insert(error);
    }
}

/// Who sends what waits.
#[derive(Clone, Copy)]
enum Sender<'a> {
    /// The tick: what is due and was not done within the grace.
    Tick,
    /// A process that begins with empty queues: what the queues before it held, but for the due
    /// items, by their sort keys, whose messages failed too often.
    Recovery(&'a (dyn Fn(&str) -> bool + Sync)),
}

impl Sender<'_> {
    /// The time by whose end all that it may send has its due items.
    fn horizon(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Tick => now,
            // The due item of a step in a queue lies a grace behind the step's turn.
            Self::Recovery(_) => now + GRACE + AHEAD,
        }
    }

    /// The delay with which it sends the step at `sk`; none when it leaves the step alone.
    fn takes(self, sk: &str, step: &Due, now: Timestamp) -> Option<Duration> {
        match self {
            Self::Tick => (!step.rests(now)).then_some(Duration::ZERO),
            Self::Recovery(is_dead) => step.waits_in_a_queue(now).filter(|_| !is_dead(sk)),
        }
    }

    /// How much the due item's count grows: a start is no failure of the step's.
    fn counted(self) -> i64 {
        match self {
            Self::Tick => 1,
            Self::Recovery(_) => 0,
        }
    }
}

/// A step that waits, as its due item tells.
#[derive(Debug)]
pub(crate) struct WaitingStep {
    /// The key of its due item.
    pub(crate) key: Key,
    /// The work; none when this version of the code does not know its form.
    pub(crate) message: Option<Message>,
}

/// Commits states together with the steps that follow from them.
#[derive(Clone)]
pub struct Outbox {
    pub(super) ports: Ports,
}

impl Outbox {
    /// An outbox over these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Does `writes` and records `next` in one transaction, then sends `next`. When a condition
    /// does not hold, nothing is done and nothing is sent. A failure to send is no failure: the
    /// tick will send.
    pub async fn commit(&self, writes: Vec<Write>, next: Vec<Next>) -> Result<Outcome, PortError> {
        let (writes, messages) = self.planned(writes, next)?;
        let outcome = self.write(writes).await?;
        self.send_if_done(&outcome, messages).await;
        Ok(outcome)
    }

    /// Does several such commits, one after another, up to the first one that is refused. Gives the
    /// outcomes of those that it came to.
    pub async fn commit_each(
        &self,
        commits: Vec<(Vec<Write>, Vec<Next>)>,
    ) -> Result<Vec<Outcome>, PortError> {
        let planned = commits.into_iter().map(|(writes, next)| self.planned(writes, next));
        let planned: Vec<_> = planned.collect::<Result<_, _>>()?;
        let (transactions, messages): (Vec<_>, Vec<_>) = planned.into_iter().unzip();
        let outcomes = self.ports.table.transact_each(transactions).await?;
        for (outcome, messages) in outcomes.iter().zip(messages) {
            self.send_if_done(outcome, messages).await;
        }
        Ok(outcomes)
    }

    async fn write(&self, writes: Vec<Write>) -> Result<Outcome, PortError> {
        match <[Write; 1]>::try_from(writes) {
            Ok([single]) => self.ports.table.write(single).await,
            Err(many) => self.ports.table.transact(many).await,
        }
    }

    /// The writes with the due items of the steps that follow, and the steps' messages.
    fn planned(
        &self,
        writes: Vec<Write>,
        next: Vec<Next>,
    ) -> Result<(Vec<Write>, Vec<QueueMessage>), PortError> {
        let mut commit = Commit { writes, next: Vec::new() };
        let mut messages = Vec::with_capacity(next.len());
        for step in next {
            messages.extend(self.plan(step, &mut commit)?);
        }
        Ok((commit.writes, messages))
    }

    async fn send_if_done(&self, outcome: &Outcome, messages: Vec<QueueMessage>) {
        if outcome.is_done()
            && !messages.is_empty()
            && let Err(error) = self.ports.queues.send(messages).await
        {
            tracing::warn!(error = %error, "sending failed, the tick will send");
        }
    }

    /// Puts the step's due item into the commit, and gives the message to send once it is done.
    fn plan(&self, next: Next, commit: &mut Commit) -> Result<Option<QueueMessage>, PortError> {
        let Next { message, delay } = next;
        let owner = message.group();
        let path = message.scope().map_or_else(|| owner.clone(), |scope| scope.to_string());
        let delay_signed = SignedDuration::try_from(delay)
            .map_err(|error| PortError::reject("plan a step", error))?;
        // A step that only its due item brings must not wait a grace, too.
        let is_queued = delay <= AHEAD;
        let turn = self.ports.clock.now() + delay_signed;
        let at = if is_queued { turn + GRACE } else { turn };
        let identity = format!("{:032x}", self.ports.entropy.bits());
        let slot = keys::due(&owner, at, &path, &identity);
        let sent_at = if is_queued { turn.as_second() } else { 0 };
        let due = Due { message, sent_at, sends: 0 };
        commit.put(&slot, &due)?;
        let sk = slot.sk().to_owned();
        is_queued.then(|| queue_message(due.message, Some(sk), 0, delay)).transpose()
    }

    /// Sends an envelope again after `delay`, one hop further. Its due item stays behind it, and
    /// the tick leaves the item alone until then.
    pub async fn put_off(&self, envelope: Envelope, delay: Duration) -> Result<(), PortError> {
        if let Some(sk) = &envelope.due {
            let slot = keys::due_by_sort_key(&envelope.message.group(), sk.clone());
            let waits = i64::try_from(delay.as_secs()).unwrap_or(i64::MAX);
            let until = self.ports.clock.now().as_second().saturating_add(waits);
            self.mark_sent(&slot, until, 0).await?;
        }
        let message =
            queue_message(envelope.message, envelope.due, envelope.hops.saturating_add(1), delay)?;
        self.ports.queues.send(vec![message]).await
    }

    /// Forgets the due item behind a message whose work is done.
    pub async fn finish(&self, envelope: &Envelope) -> Result<(), PortError> {
        let Some(sk) = &envelope.due else { return Ok(()) };
        let mut commit = Commit::new();
        commit.delete(&keys::due_by_sort_key(&envelope.message.group(), sk.clone()));
        self.write(commit.writes).await?.may_lose_to("nobody: a delete has no condition");
        Ok(())
    }

    /// The steps of a generation that wait, whatever wrote them.
    pub(crate) async fn steps_of(&self, scope: Scope) -> Result<Vec<WaitingStep>, PortError> {
        let series = keys::due_beside(&scope.tenant.to_string());
        let store = Store::new(self.ports.clone());
        let mut steps = Vec::new();
        let mut pages = pin!(store.pages(series));
        while let Some(page) = pages.try_next().await? {
            let own = page.into_iter().filter(|item| keys::is_due_of(scope, item.slot().sk()));
            steps.extend(own.map(|item| WaitingStep {
                key: item.slot().into(),
                message: serde_json::from_value::<Due>(item.into_inner()).ok().map(|d| d.message),
            }));
        }
        Ok(steps)
    }

    /// Sends each step that is due and was not sent within the grace. Gives the number of messages.
    ///
    /// The tick reads on past steps that rest and past items that it cannot read, and it visits
    /// every partition whatever became of the others: no backlog and no fault of one tenant holds
    /// back another's step. It fails with the first error after all that could be sent was sent.
    pub async fn tick(&self) -> Result<u64, PortError> {
        Ok(self.measured_tick().await?.sent)
    }

    /// As [`Outbox::tick`], and tells how late what it sent was.
    pub async fn measured_tick(&self) -> Result<Tick, PortError> {
        self.send_what_waits(Sender::Tick).await
    }

    /// Sends each step that a queue was given and that is not done. Gives the number of messages.
    ///
    /// This is for a process whose queues live and end with it, before it sends anything else: its
    /// queues are empty, so what was given to them was lost, and the tick would bring it only after
    /// the grace. A step whose turn has not come yet waits in its queue as it did before. The tick
    /// sees to a step that no queue was given, and to one that an older version sent, which notes
    /// no turn.
    pub async fn recover(&self) -> Result<u64, PortError> {
        self.recover_but(&|_| false).await
    }

    /// Does the same, but for the due items, by their sort keys, of which `is_dead` says that their
    /// messages failed too often: a start gives them no new tries. The tick brings them at its
    /// growing pauses, as it does on AWS.
    pub async fn recover_but(
        &self,
        is_dead: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<u64, PortError> {
        Ok(self.send_what_waits(Sender::Recovery(is_dead)).await?.sent)
    }

    async fn send_what_waits(&self, sender: Sender<'_>) -> Result<Tick, PortError> {
        let now = self.ports.clock.now();
        let mut partitions = stream::iter(0..keys::DUE_PARTITIONS)
            .map(|partition| self.visit_partition(sender, partition, now))
            .buffer_unordered(CONCURRENT_PARTITIONS);
        let mut ticked = Ticked::default();
        while let Some(partition) = partitions.next().await {
            ticked.add(partition);
        }
        if ticked.unreadable > 0 {
            tracing::error!(items.count = ticked.unreadable, "due items are not understood");
        }
        ticked.failed.map_or(Ok(ticked.done), Err)
    }

    async fn visit_partition(&self, sender: Sender<'_>, partition: u32, now: Timestamp) -> Ticked {
        let mut ticked = Ticked::default();
        let store = Store::new(self.ports.clone());
        let mut pages = pin!(store.pages(keys::due_by(partition, sender.horizon(now))));
        loop {
            match pages.try_next().await {
                Ok(Some(page)) => self.send_page(sender, page, now, &mut ticked).await,
                Ok(None) => return ticked,
                Err(error) => {
                    ticked.fail(error);
                    return ticked;
                }
            }
        }
    }

    /// Sends what is due of a page. The items are read one by one: one that this version of the
    /// code does not know stays for a version that does.
    async fn send_page(
        &self,
        sender: Sender<'_>,
        page: Vec<Stored<Value>>,
        now: Timestamp,
        ticked: &mut Ticked,
    ) {
        let mut due = Vec::new();
        for item in page {
            let slot = keys::due_at(item.slot());
            match serde_json::from_value::<Due>(item.into_inner()) {
                Ok(step) => {
                    let delay = sender.takes(slot.sk(), &step, now);
                    let is_late = delay.is_some() || step.sends > 0;
                    if let Some(at) = keys::due_time(slot.sk()).filter(|_| is_late) {
                        ticked.note_late(step.message.queue(), now.duration_since(at));
                    }
                    due.extend(delay.map(|delay| (slot, step, delay)));
                }
                Err(_) => ticked.unreadable += 1,
            }
        }
        while !due.is_empty() {
            let rest = due.split_off(due.len().min(SENT_TOGETHER));
            let batch = std::mem::replace(&mut due, rest);
            match self.send_batch(sender, batch, now).await {
                Ok(sent) => ticked.done.sent += sent,
                Err(error) => ticked.fail(error),
            }
        }
    }

    async fn send_batch(
        &self,
        sender: Sender<'_>,
        batch: Vec<(Slot<Due>, Due, Duration)>,
        now: Timestamp,
    ) -> Result<u64, PortError> {
        let mut messages = Vec::with_capacity(batch.len());
        let mut slots = Vec::with_capacity(batch.len());
        for (slot, step, delay) in batch {
            messages.push(queue_message(step.message, Some(slot.sk().to_owned()), 0, delay)?);
            slots.push((slot, step.sent_at.max(now.as_second())));
        }
        self.ports.queues.send(messages).await?;
        let sent = slots.len() as u64;
        stream::iter(slots.into_iter().map(Ok::<_, PortError>))
            .try_for_each_concurrent(CONCURRENT_MARKS, async |(slot, turn)| {
                self.mark_sent(&slot, turn, sender.counted()).await
            })
            .await?;
        Ok(sent)
    }

    async fn mark_sent(&self, slot: &Slot<Due>, at: i64, sends: i64) -> Result<(), PortError> {
        let edits = [field!(Due, sent_at).set(&at)?, field!(Due, sends).add(sends)];
        let mut commit = Commit::new();
        commit.edit(slot, When::exists(), edits);
        let winner = "the receiver, which did the work and forgot the item";
        self.write(commit.writes).await?.may_lose_to(winner);
        Ok(())
    }
}

fn queue_message(
    message: Message,
    due: Option<String>,
    hops: u32,
    delay: Duration,
) -> Result<QueueMessage, PortError> {
    let queue = message.queue();
    let group = message.group();
    let body = serde_json::to_string(&Envelope { v: 1, due, hops, message })
        .map_err(|error| PortError::reject("write a message", error))?;
    Ok(QueueMessage { queue, body, group, delay: delay.min(LONGEST_DELAY) })
}

#[cfg(test)]
mod tests;
