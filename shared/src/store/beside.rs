//! Work beside the caller's, on a task of its own, so that another core can do it.

use std::future::Future;
use std::panic::resume_unwind;

use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::ports::PortError;

/// Begins `work` at once, beside the caller's own. Whoever drops what is given has it ended where
/// it next waits; a panic of it is the caller's.
pub(crate) fn beside<T, E, W>(
    action: &'static str,
    work: W,
) -> impl Future<Output = Result<T, E>> + Send + use<T, E, W>
where
    T: Send + 'static,
    E: From<PortError> + Send + 'static,
    W: Future<Output = Result<T, E>> + Send + 'static,
{
    let task = AbortOnDropHandle::new(tokio::spawn(work.in_current_span()));
    async move {
        match task.await {
            Ok(done) => done,
            Err(ended) if ended.is_panic() => resume_unwind(ended.into_panic()),
            // The process is ending: whoever delivered the message delivers it again.
            Err(ended) => Err(PortError::retry(action, ended).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn work_begins_at_once_and_ends_with_whoever_waits_for_it() {
        let (begun, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let work = {
            let (begun, ended) = (begun.clone(), ended.clone());
            async move {
                begun.store(true, Ordering::SeqCst);
                yield_now().await;
                ended.store(true, Ordering::SeqCst);
                Ok::<(), PortError>(())
            }
        };
        let waiting = beside("try", work);
        yield_now().await;
        assert!(begun.load(Ordering::SeqCst), "it waits for nobody");
        drop(waiting);
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(!ended.load(Ordering::SeqCst), "nobody waits for it");
    }

    #[tokio::test]
    #[should_panic(expected = "a fault of ours")]
    async fn a_panic_is_the_callers() {
        let done: Result<(), PortError> = beside("try", async { panic!("a fault of ours") }).await;
        drop(done);
    }
}
