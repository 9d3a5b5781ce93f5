//! The edge of a queue, whatever the queue is: one message, its work, and what becomes of both.

use std::future::Future;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::kernel::{Envelope, Message};
use crate::ports::Disposition;
use crate::store::Outbox;
use crate::work::{Done, WorkError, chain};

/// How often a message may be put off by sending it again. What waits longer is left to the due
/// item behind it: a loop over a queue always ends, whatever a handler answers.
pub(crate) const MAX_HOPS: u32 = 200;

/// When work that waits for the operator's key is tried again.
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

/// Hands the message in `body` to `handler`, and has the outbox forget it or bring it again. Gives
/// the message's kind beside the outcome; none for a body that is not an `M`, which cannot be read:
/// `handler` meets no message of another function.
///
/// The kind and the connection are recorded in the current span, as `message.kind` and
/// `connection.id`.
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
    let envelope = match Envelope::<M>::parse(body) {
        Ok(envelope) => envelope,
        Err(error) => {
            // serde's error may quote a part of the body; a body holds ids only.
            tracing::error!(retry = false, error = chain(&error), "the message is not understood");
            return (None, Settled::Failed);
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
    let settled = settle(envelope, outbox, work).await.unwrap_or_else(|error| {
        if error.disposition == Disposition::Retry {
            tracing::warn!(retry = true, error = chain(&error), "the message failed");
        } else {
            tracing::error!(retry = false, error = chain(&error), "the message failed");
        }
        Settled::Failed
    });
    (Some(kind), settled)
}

/// Awaits a message's work, then has the outbox forget the message or bring it again.
async fn settle(
    envelope: Envelope,
    outbox: &Outbox,
    work: impl Future<Output = Result<Done, WorkError>>,
) -> Result<Settled, WorkError> {
    let done = match work.await {
        Err(error) if error.disposition == Disposition::Pause => {
            tracing::error!(error = chain(&error), "the message waits for the key");
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
