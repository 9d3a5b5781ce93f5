//! Calls counted against the org's daily limits.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::sync::lock;

const DAY_MS: i64 = 86_400_000;

/// Counts over a rolling day, kept by the minute.
#[derive(Default)]
pub(crate) struct Usage {
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    calls: Rolling,
    bulk_jobs: Rolling,
}

#[derive(Default)]
struct Rolling {
    minutes: VecDeque<(i64, u64)>,
    total: u64,
}

impl Rolling {
    fn expire(&mut self, now: i64) {
        while let Some(&(minute, count)) = self.minutes.front()
            && minute * 60_000 <= now - DAY_MS
        {
            self.total -= count;
            self.minutes.pop_front();
        }
    }

    fn add(&mut self, now: i64, count: u64) {
        self.expire(now);
        let minute = now.div_euclid(60_000);
        match self.minutes.back_mut() {
            Some(last) if last.0 == minute => last.1 += count,
            _ => self.minutes.push_back((minute, count)),
        }
        self.total += count;
    }
}

impl Usage {
    /// Counts one call, unless the limit is reached. Gives the count, and whether the call may go
    /// on.
    pub(crate) fn call(&self, now: i64, limit: u64) -> (u64, bool) {
        let mut counts = lock(&self.counts);
        counts.calls.expire(now);
        let allowed = counts.calls.total < limit;
        if allowed {
            counts.calls.add(now, 1);
        }
        (counts.calls.total, allowed)
    }

    /// Counts one bulk query job, unless the limit is reached.
    pub(crate) fn bulk_job(&self, now: i64, limit: u64) -> bool {
        let mut counts = lock(&self.counts);
        counts.bulk_jobs.expire(now);
        let allowed = counts.bulk_jobs.total < limit;
        if allowed {
            counts.bulk_jobs.add(now, 1);
        }
        allowed
    }

    /// Calls and bulk query jobs of the last day.
    pub(crate) fn totals(&self, now: i64) -> (u64, u64) {
        let mut counts = lock(&self.counts);
        counts.calls.expire(now);
        counts.bulk_jobs.expire(now);
        (counts.calls.total, counts.bulk_jobs.total)
    }

    /// Adds calls of other integrations.
    pub(crate) fn add_calls(&self, now: i64, count: u64) {
        lock(&self.counts).calls.add(now, count);
    }
}
