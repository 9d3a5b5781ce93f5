//! The thread that writes.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use futures::channel::oneshot;
use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use shared::ports::{Condition, Item, Key, Outcome, Write};

use super::rows::{self, Partitions};
use crate::sqlite::StoreFault;

/// One transaction of SQLite's holds no more jobs: nobody waits long for the first one's answer.
const MOST_JOBS: usize = 1_000;

/// Where a job's answer goes. Nobody may wait for it any more.
type Answer<T> = oneshot::Sender<Result<T, StoreFault>>;

/// One caller's writes.
pub(super) enum Job {
    Transact { writes: Vec<Write>, answer: Answer<Outcome> },
    TransactEach { transactions: Vec<Vec<Write>>, answer: Answer<Vec<Outcome>> },
    WriteEach { writes: Vec<Write>, answer: Answer<Vec<Outcome>> },
    Put { items: Vec<Item>, answer: Answer<()> },
    Delete { keys: Vec<Key>, answer: Answer<()> },
    Sweep { now: Timestamp, limit: usize, answer: Answer<usize> },
    Rest { answer: Answer<()> },
}

/// A job's result, which its caller gets once it is on the disk.
enum Done {
    Outcome(Outcome),
    Outcomes(Vec<Outcome>),
    Nothing,
    Count(usize),
}

impl Job {
    fn run(&self, connection: &Connection, partitions: &mut Partitions) -> rusqlite::Result<Done> {
        match self {
            Self::Transact { writes, .. } => {
                transact(connection, partitions, writes).map(Done::Outcome)
            }
            Self::TransactEach { transactions, .. } => {
                transact_each(connection, partitions, transactions).map(Done::Outcomes)
            }
            Self::WriteEach { writes, .. } => {
                let each = writes.iter().map(|write| alone_if(connection, partitions, write));
                each.collect::<rusqlite::Result<_>>().map(Done::Outcomes)
            }
            Self::Put { items, .. } => {
                items.iter().try_for_each(|item| partitions.put(connection, item))?;
                Ok(Done::Nothing)
            }
            Self::Delete { keys, .. } => {
                keys.iter().try_for_each(|key| rows::delete(connection, key))?;
                Ok(Done::Nothing)
            }
            Self::Sweep { now, limit, .. } => {
                rows::sweep(connection, now.as_second(), *limit).map(Done::Count)
            }
            Self::Rest { .. } => {
                partitions.forget();
                connection.execute_batch("PRAGMA shrink_memory")?;
                Ok(Done::Nothing)
            }
        }
    }

    fn answer(self, done: Result<Done, StoreFault>) {
        // Who does not wait any more misses nothing: the work is done or not, as the table tells.
        match self {
            Self::Transact { answer, .. } => drop(answer.send(done.map(|done| match done {
                Done::Outcome(outcome) => outcome,
                Done::Outcomes(_) | Done::Nothing | Done::Count(_) => Outcome::Done,
            }))),
            Self::TransactEach { answer, .. } | Self::WriteEach { answer, .. } => {
                drop(answer.send(done.map(|done| match done {
                    Done::Outcomes(outcomes) => outcomes,
                    Done::Outcome(_) | Done::Nothing | Done::Count(_) => Vec::new(),
                })));
            }
            Self::Put { answer, .. } | Self::Delete { answer, .. } | Self::Rest { answer } => {
                drop(answer.send(done.map(drop)));
            }
            Self::Sweep { answer, .. } => drop(answer.send(done.map(|done| match done {
                Done::Count(count) => count,
                Done::Nothing | Done::Outcome(_) | Done::Outcomes(_) => 0,
            }))),
        }
    }
}

/// The thread, while somebody can send it a job.
pub(super) struct Writer {
    jobs: Option<Mutex<Sender<Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> io::Result<Self> {
        let (jobs, waiting) = channel();
        let work = move || work(connection, &waiting);
        let thread = thread::Builder::new().name("table".to_owned()).spawn(work)?;
        Ok(Self { jobs: Some(Mutex::new(jobs)), thread: Some(thread) })
    }

    /// Has the job done. The answer of a job that the thread never takes up is cancelled.
    pub(super) fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            let jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
            // The job, and with it the answer, is dropped when the thread has ended.
            drop(jobs.send(job));
        }
    }
}

impl Drop for Writer {
    /// Waits until everything that was sent is on the disk, and the file is closed.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the table panicked");
        }
    }
}

fn work(mut connection: Connection, waiting: &Receiver<Job>) {
    let mut partitions = Partitions::default();
    while let Ok(first) = waiting.recv() {
        let mut jobs = vec![first];
        jobs.extend(waiting.try_iter().take(MOST_JOBS - 1));
        match together(&mut connection, &mut partitions, &jobs) {
            Ok(done) => {
                for (job, done) in jobs.into_iter().zip(done) {
                    job.answer(Ok(done));
                }
            }
            // One job's fault is nobody else's: each is tried by itself.
            Err(_) => {
                for job in jobs {
                    alone(&mut connection, &mut partitions, job);
                }
            }
        }
    }
}

fn alone(connection: &mut Connection, partitions: &mut Partitions, job: Job) {
    let jobs = std::slice::from_ref(&job);
    let done = together(connection, partitions, jobs).map_err(StoreFault::from);
    if let Err(error) = &done {
        tracing::error!(error = %error, "the table could not be written");
    }
    job.answer(done.map(|done| done.into_iter().next().unwrap_or(Done::Nothing)));
}

/// Does jobs in one transaction of SQLite's: all are on the disk when it returns, or none.
fn together(
    connection: &mut Connection,
    partitions: &mut Partitions,
    jobs: &[Job],
) -> rusqlite::Result<Vec<Done>> {
    let done = try_together(connection, partitions, jobs);
    if done.is_err() {
        partitions.forget();
    }
    done
}

fn try_together(
    connection: &mut Connection,
    partitions: &mut Partitions,
    jobs: &[Job],
) -> rusqlite::Result<Vec<Done>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = jobs.iter().map(|job| job.run(&transaction, partitions));
    let done = done.collect::<Result<Vec<_>, _>>()?;
    transaction.commit()?;
    Ok(done)
}

/// Does transactions in order, up to the first one that is refused.
fn transact_each(
    connection: &Connection,
    partitions: &mut Partitions,
    transactions: &[Vec<Write>],
) -> rusqlite::Result<Vec<Outcome>> {
    let mut outcomes = Vec::with_capacity(transactions.len());
    for writes in transactions {
        outcomes.push(transact(connection, partitions, writes)?);
        if outcomes.last().is_some_and(|outcome| !outcome.is_done()) {
            break;
        }
    }
    Ok(outcomes)
}

/// Does a write if its condition holds.
fn alone_if(
    connection: &Connection,
    partitions: &mut Partitions,
    write: &Write,
) -> rusqlite::Result<Outcome> {
    // Most items are new: to put them without a look is half the work.
    if let Write::Put { item, when } = write
        && when.holds(None)
        && partitions.put_new(connection, item)?
    {
        return Ok(Outcome::Done);
    }
    transact(connection, partitions, std::slice::from_ref(write))
}

/// Does writes if all their conditions hold. Conditions are looked at before anything is written,
/// so that a refusal leaves nothing to undo.
fn transact(
    connection: &Connection,
    partitions: &mut Partitions,
    writes: &[Write],
) -> rusqlite::Result<Outcome> {
    let mut before = Vec::with_capacity(writes.len());
    let mut refused = Vec::new();
    for (place, write) in writes.iter().enumerate() {
        let item = match write {
            Write::Put { when: Condition::Always, .. } => None,
            _ => rows::get(connection, write.key())?,
        };
        if !write.when().holds(item.as_ref()) {
            refused.push(place);
        }
        before.push(item);
    }
    if !refused.is_empty() {
        return Ok(Outcome::Refused(refused));
    }
    for (write, before) in writes.iter().zip(before) {
        match write {
            Write::Put { item, .. } => partitions.put(connection, item)?,
            Write::Update { key, changes, .. } => {
                let mut item = before.unwrap_or_else(|| Item::empty(key.clone()));
                for change in changes {
                    change.clone().apply(&mut item);
                }
                partitions.put_changed(connection, &item)?;
            }
            Write::Delete { key, .. } => rows::delete(connection, key)?,
            Write::Check { .. } => {}
        }
    }
    Ok(Outcome::Done)
}
