//! The edge of a queue, whatever the queue is: one message, its work, and what becomes of both.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::kernel::{Envelope, Message};
use crate::ports::Disposition;
use crate::store::Outbox;
use crate::work::{Done, WorkError, chain};

/// How often a message may be put off by sending it again. What waits longer is left to the due
/// item behind it: a loop over a queue always ends, whatever a handler answers.
const MAX_HOPS: u32 = 200;

/// When work that waits for the operator is tried again.
const PAUSE: Duration = Duration::from_mins(15);

/// The outcome of one message at a queue's edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a message that failed must come back"]
pub enum Settled {
    /// Its work is done: the queue forgets it.
    Finished,
    /// It comes again as another message, or by its due item: the queue forgets this one.
    PutOff,
    /// It failed, and was told: the queue gives it again, and in the end keeps it among its dead
    /// letters.
    Failed,
}

impl Settled {
    /// Its name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::PutOff => "put_off",
            Self::Failed => "failed",
        }
    }
}

/// Why a message failed: a class, in words that hold no data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Its body is no message of this queue.
    NotUnderstood,
    /// This action failed, and may succeed later.
    MayPass(&'static str),
    /// This action failed, and will not pass by itself.
    Lasts(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnderstood => f.write_str("not understood"),
            Self::MayPass(action) => write!(f, "{action}: may pass"),
            Self::Lasts(action) => write!(f, "{action}: lasts"),
        }
    }
}

/// A message that was handed to its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handled {
    /// Its kind; none for a body that cannot be read.
    pub kind: Option<&'static str>,
    /// Its outcome.
    pub settled: Settled,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

impl Handled {
    fn failed(kind: Option<&'static str>, failure: Failure) -> Self {
        Self { kind, settled: Settled::Failed, failure: Some(failure) }
    }
}

/// Does what [`handle`] does, for a queue that keeps no account of failures. Gives the message's
/// kind beside the outcome.
pub async fn one_message<M, F, Fut>(
    body: &str,
    outbox: &Outbox,
    handler: F,
) -> (Option<&'static str>, Settled)
where
    M: Clone + DeserializeOwned + Into<Message>,
    F: FnOnce(M) -> Fut,
    Fut: Future<Output = Result<Done, WorkError>>,
{
    let done = handle(body, outbox, handler).await;
    (done.kind, done.settled)
}

/// Hands the message in `body` to `handler`, and has the outbox forget it or bring it again. A body
/// that is not an `M` cannot be read: `handler` meets no message of another function.
///
/// The kind and the connection are recorded in the current span, as `message.kind` and
/// `connection.id`.
pub async fn handle<M, F, Fut>(body: &str, outbox: &Outbox, handler: F) -> Handled
where
    M: Clone + DeserializeOwned + Into<Message>,
    F: FnOnce(M) -> Fut,
    Fut: Future<Output = Result<Done, WorkError>>,
{
    let envelope = match Envelope::<M>::parse(body) {
        Ok(envelope) => envelope,
        Err(error) => {
            // serde's error may quote a part of the body; a body holds ids only.
            tracing::error!(retry = false, error = chain(&error), "the message is not understood");
            return Handled::failed(None, Failure::NotUnderstood);
        }
    };
    let work = handler(envelope.message.clone());
    let envelope = envelope.map(Into::into);
    let kind = envelope.message.kind();
    let span = tracing::Span::current();
    span.record("message.kind", kind);
    if let Some(scope) = envelope.message.scope() {
        span.record("connection.id", scope.to_string());
    }
    match settle(envelope, outbox, work).await {
        Ok(settled) => Handled { kind: Some(kind), settled, failure: None },
        Err(error) if error.is_retryable() => {
            tracing::warn!(retry = true, error = chain(&error), "the message failed");
            Handled::failed(Some(kind), Failure::MayPass(error.action))
        }
        Err(error) => {
            tracing::error!(retry = false, error = chain(&error), "the message failed");
            Handled::failed(Some(kind), Failure::Lasts(error.action))
        }
    }
}

/// Awaits a message's work, then has the outbox forget the message or bring it again.
async fn settle(
    envelope: Envelope,
    outbox: &Outbox,
    work: impl Future<Output = Result<Done, WorkError>>,
) -> Result<Settled, WorkError> {
    let done = match work.await {
        Err(error) if error.disposition == Disposition::Pause => {
            tracing::error!(error = chain(&error), "the message waits for the operator");
            Done::Later(PAUSE)
        }
        other => other?,
    };
    match done {
        Done::Finished => {
            outbox.finish(&envelope).await?;
            return Ok(Settled::Finished);
        }
        Done::Later(_) if envelope.hops >= MAX_HOPS => {
            if envelope.due.is_none() {
                let error = "put off too often, and no due item would bring it back";
                return Err(WorkError::reject("put a message off", error));
            }
            tracing::warn!(hops = envelope.hops, "put off too often, left to the due item");
        }
        Done::Later(delay) => outbox.put_off(envelope, delay).await?,
    }
    Ok(Settled::PutOff)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use serde::Serialize;

    use super::*;
    use crate::kernel::{DirectoryMessage, DirectoryVersionId, ImportMessage, Queue};
    use crate::ports::PortError;
    use crate::store::Next;
    use crate::testing::Memory;

    fn message(n: u128) -> DirectoryMessage {
        DirectoryMessage::Count { version: DirectoryVersionId::new(1, n) }
    }

    fn body(envelope: &Envelope<impl Serialize>) -> String {
        serde_json::to_string(envelope).unwrap()
    }

    fn memory() -> Memory {
        Memory::new(Timestamp::from_second(1_795_288_123).unwrap(), 1)
    }

    async fn answered(memory: &Memory, body: &str, answer: Result<Done, WorkError>) -> Settled {
        let outbox = Outbox::new(memory.ports());
        let (_, settled) = one_message(body, &outbox, async |_: DirectoryMessage| answer).await;
        settled
    }

    async fn committed(memory: &Memory) -> String {
        let outbox = Outbox::new(memory.ports());
        assert!(outbox.commit(vec![], vec![Next::now(message(0))]).await.unwrap().is_done());
        assert_eq!(memory.items().len(), 1, "the due item");
        memory.receive().remove(0).body
    }

    #[tokio::test]
    async fn a_message_of_another_function_is_refused_unread() {
        let memory = memory();
        let outbox = Outbox::new(memory.ports());
        let body = body(&Envelope::of(message(0)));
        let handler = async |m: ImportMessage| panic!("{m:?} reached a handler");
        assert_eq!(one_message(&body, &outbox, handler).await, (None, Settled::Failed));
        let error = Envelope::<ImportMessage>::parse(&body).unwrap_err();
        let told = chain(&error);
        let clear = "the body is not a message of this queue: unknown variant `directory_count`, \
                     expected one of `import_start`, `import_object`, `import_hand_over`";
        assert!(told.starts_with(clear), "{told}");
    }

    #[tokio::test]
    async fn a_finished_message_takes_its_due_item_along() {
        let memory = memory();
        let sent = committed(&memory).await;
        let settled = answered(&memory, &sent, Ok(Done::Finished)).await;
        assert_eq!(settled, Settled::Finished);
        assert!(memory.items().is_empty());
    }

    #[tokio::test]
    async fn a_failed_message_keeps_its_due_item() {
        let memory = memory();
        let sent = committed(&memory).await;
        let throttled = PortError::retry("get an item", "throttled").into();
        assert_eq!(answered(&memory, &sent, Err(throttled)).await, Settled::Failed);
        let broken = WorkError::reject("read a shard", "no such object");
        assert_eq!(answered(&memory, &sent, Err(broken)).await, Settled::Failed);
        assert_eq!(memory.items().len(), 1);
    }

    #[tokio::test]
    async fn a_message_that_is_put_off_comes_again_one_hop_further() {
        let memory = memory();
        let first = body(&Envelope::of(message(0)));
        let later = Ok(Done::Later(Duration::from_secs(30)));
        assert_eq!(answered(&memory, &first, later).await, Settled::PutOff);
        assert!(memory.receive().is_empty(), "not yet");
        memory.clock.advance(SignedDuration::from_secs(30));
        let again = memory.receive();
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].queue, Queue::Directory);
        assert_eq!(Envelope::<Message>::parse(&again[0].body).unwrap().hops, 1);
    }

    #[tokio::test]
    async fn after_many_hops_the_due_item_takes_over() {
        let memory = memory();
        let tired = |due: Option<&str>| {
            let due = due.map(ToOwned::to_owned);
            body(&Envelope { v: 1, due, hops: MAX_HOPS, message: message(0) })
        };
        let later = || Ok(Done::Later(Duration::ZERO));
        let settled = answered(&memory, &tired(Some("t")), later()).await;
        assert_eq!(settled, Settled::PutOff);
        assert!(memory.receive().is_empty(), "not sent again");
        let settled = answered(&memory, &tired(None), later()).await;
        assert_eq!(settled, Settled::Failed, "nothing would bring it back");
    }

    #[tokio::test]
    async fn f21_what_cannot_be_opened_without_the_key_waits_and_does_not_fail() {
        let memory = memory();
        let sent = committed(&memory).await;
        let (action, disposition) = ("unwrap a data key", Disposition::Pause);
        let gone = WorkError { action, disposition, source: "DisabledException".into() };
        let settled = answered(&memory, &sent, Err(gone)).await;
        assert_eq!(settled, Settled::PutOff, "not for the dead letters");
        memory.clock.advance(SignedDuration::from_mins(14));
        assert!(memory.receive().is_empty());
        memory.clock.advance(SignedDuration::from_mins(1));
        assert_eq!(memory.receive().len(), 1);
    }
}
