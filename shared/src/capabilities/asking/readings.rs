//! Records that are being read at this moment: who asks for one meanwhile gets the same answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::OnceCell;

use super::{AskError, CurrentRecord};
use crate::kernel::{RecordRef, SeatId, TenantEnvironment};

/// Who reads what, and where.
type Place = (TenantEnvironment, SeatId, RecordRef);

/// The readings under way in this process.
#[derive(Clone, Default)]
pub(super) struct Readings(Arc<Mutex<HashMap<Place, Weak<OnceCell<CurrentRecord>>>>>);

impl Readings {
    /// Reads a record, or waits for the answer to somebody who is reading it. What ended with an
    /// error is read anew by one of those who wait. An answer is never kept: who asks after it came
    /// reads anew, and sees what they just changed.
    pub(super) async fn joined<F>(
        &self,
        place: Place,
        read: impl FnOnce() -> F,
    ) -> Result<CurrentRecord, AskError>
    where
        F: Future<Output = Result<CurrentRecord, AskError>>,
    {
        let reading = self.at(place);
        let read = async {
            let found = read().await?;
            self.under_way().remove(&place);
            Ok(found)
        };
        reading.get_or_try_init(|| read).await.cloned()
    }

    fn at(&self, place: Place) -> Arc<OnceCell<CurrentRecord>> {
        let mut under_way = self.under_way();
        // Those that ended with an error, or that nobody waited for, leave nothing behind.
        under_way.retain(|_, reading| reading.strong_count() > 0);
        if let Some(reading) = under_way.get(&place).and_then(Weak::upgrade) {
            return reading;
        }
        let reading = Arc::new(OnceCell::new());
        under_way.insert(place, Arc::downgrade(&reading));
        reading
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<Place, Weak<OnceCell<CurrentRecord>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
