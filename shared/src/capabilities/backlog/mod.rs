//! What waits in the queues, how late it is, and what failed too often: for who runs the product.

use jiff::SignedDuration;

use crate::kernel::Queue;
use crate::ports::{PortError, Ports, QueueDepth};
use crate::store::lag;
use crate::work::boxed;

/// A queue, and how its work stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueState {
    /// The queue.
    pub queue: Queue,
    /// How many messages it holds.
    pub depth: QueueDepth,
    /// How late the latest step is that is due and not done; zero when nothing is late.
    pub late: SignedDuration,
}

/// Looks at the queues.
#[derive(Clone)]
pub struct Backlog {
    ports: Ports,
}

impl Backlog {
    /// The queues of these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Every queue that this side knows, as it stands now. The cost does not grow with the backlog.
    #[must_use]
    #[boxed]
    pub async fn look(&self) -> Result<Vec<QueueState>, PortError> {
        let (depths, late) = (self.ports.queues.depths().await?, lag(&self.ports).await?);
        let state = |(queue, depth)| QueueState {
            queue,
            depth,
            late: late.get(&queue).copied().unwrap_or_default(),
        };
        Ok(depths.into_iter().map(state).collect())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::kernel::{DirectoryMessage, DirectoryVersionId};
    use crate::ports::MOST_RECEIVES;
    use crate::store::{Commit, Store};
    use crate::testing::Memory;

    #[tokio::test]
    async fn a_look_tells_what_waits_how_late_it_is_and_what_failed_too_often() {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let backlog = Backlog::new(memory.ports());
        let of_directory = async || {
            let found = backlog.look().await.unwrap();
            assert_eq!(found.len(), Queue::ALL.len());
            found.into_iter().find(|state| state.queue == Queue::Directory).unwrap()
        };
        assert_eq!(of_directory().await.depth, QueueDepth::default());

        let mut commit = Commit::new();
        commit.now(DirectoryMessage::Count { version: DirectoryVersionId::derived("one") });
        assert!(Store::new(memory.ports()).commit(commit).await.unwrap().is_done());
        let waits = of_directory().await;
        assert_eq!((waits.depth.waiting, waits.late), (1, SignedDuration::ZERO));

        for _ in 0..MOST_RECEIVES {
            let received = memory.receive();
            assert_eq!(of_directory().await.depth.in_flight, 1);
            for message in received {
                memory.fail(message).unwrap();
            }
        }
        memory.clock.advance(SignedDuration::from_hours(1));
        let failed = of_directory().await;
        assert_eq!(failed.depth, QueueDepth { dead: 1, ..QueueDepth::default() });
        // Five minutes of the hour it might have been in work.
        assert_eq!(failed.late, SignedDuration::from_mins(55));
    }
}
