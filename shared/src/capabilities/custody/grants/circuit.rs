//! A circuit breaker before each org: an org that does not answer is left alone.
//!
//! A call that waits for a dead org's time-out holds an invocation for minutes, and all customers
//! share the functions' concurrency. So after a few such calls no call is made for a while, and
//! then one, as a probe. The work behind it waits in its queue, and nothing is given up.
//!
//! The breaker belongs to its process. It costs no call of the table, and each process learns the
//! state of an org within a few calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::kernel::Scope;
use crate::salesforce::{Advice, SalesforceError};

/// The circuit opens after this many calls in a row without an answer. A storm that names its end
/// opens it at once.
const FAILURES: u32 = 5;

/// A circuit stays open for this long where the org does not say for how long.
const OPEN: SignedDuration = SignedDuration::from_secs(30);

/// An org's `Retry-After` keeps the circuit open no longer than this. The piece of work that got
/// the answer waits for as long as Salesforce said; the others may find out.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// An org of which the last calls went unanswered.
struct Circuit {
    failures: u32,
    /// No call before this; the first after it is the probe.
    open_until: Timestamp,
}

/// The circuits of the connections whose last call went unanswered; all others are closed.
#[derive(Clone, Default)]
pub(crate) struct Circuits(Arc<Mutex<HashMap<Scope, Circuit>>>);

impl Circuits {
    /// Lets a call pass, or says how long none is made. Behind a probe the others wait as behind an
    /// open circuit.
    pub(crate) fn admit(&self, scope: Scope, now: Timestamp) -> Result<(), Duration> {
        let mut circuits = self.locked();
        let Some(circuit) = circuits.get_mut(&scope) else { return Ok(()) };
        match Duration::try_from(circuit.open_until.duration_since(now)) {
            Ok(left) if !left.is_zero() => Err(left),
            _ if circuit.failures < FAILURES => Ok(()),
            _ => {
                circuit.open_until = now + OPEN;
                Ok(())
            }
        }
    }

    /// Learns from an answer, or from its absence.
    pub(crate) fn learn<T>(
        &self,
        scope: Scope,
        now: Timestamp,
        answer: &Result<T, SalesforceError>,
    ) {
        let mut circuits = self.locked();
        let Some(error) = answer.as_ref().err().filter(|error| error.is_outage()) else {
            circuits.remove(&scope);
            return;
        };
        let circuit = circuits.entry(scope).or_insert(Circuit { failures: 0, open_until: now });
        circuit.failures = circuit.failures.saturating_add(1);
        let named = match error.advice() {
            Advice::Retry { after } => after,
            _ => None,
        };
        let open = match named.map(|after| SignedDuration::try_from(after).unwrap_or(LONGEST)) {
            Some(named) => named.min(LONGEST),
            None if circuit.failures >= FAILURES => OPEN,
            None => return,
        };
        circuit.open_until = circuit.open_until.max(now + open);
        let seconds = open.as_secs();
        tracing::warn!(%scope, circuit.failures, seconds, "an org that does not answer is left \
             alone");
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Scope, Circuit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Environment, Generation, TenantEnvironment, TenantId};
    use crate::salesforce::LimitKind;

    type Answer = Result<(), SalesforceError>;

    const SECOND: SignedDuration = SignedDuration::from_secs(1);

    fn org(name: &str) -> Scope {
        let tenant = TenantId::derived(name);
        TenantEnvironment { tenant, environment: Environment::Production }.generation(Generation(1))
    }

    fn unavailable(retry_after: Option<u64>) -> Answer {
        let retry_after = retry_after.map(Duration::from_secs);
        Err(SalesforceError::Unavailable { status: 503, errors: Vec::new(), retry_after })
    }

    fn failed(circuits: &Circuits, scope: Scope, now: Timestamp, times: u32) {
        for _ in 0..times {
            assert_eq!(circuits.admit(scope, now), Ok(()));
            circuits.learn(scope, now, &unavailable(None));
        }
    }

    #[test]
    fn opens_after_five_calls_in_a_row_for_this_org_alone() {
        let (circuits, now) = (Circuits::default(), Timestamp::UNIX_EPOCH);
        failed(&circuits, org("acme"), now, FAILURES - 1);
        circuits.learn(org("acme"), now, &Ok(()));
        failed(&circuits, org("acme"), now, FAILURES);
        assert_eq!(circuits.admit(org("acme"), now), Err(Duration::from_secs(30)));
        assert_eq!(circuits.admit(org("globex"), now), Ok(()));
    }

    #[test]
    fn one_probe_passes_and_its_outcome_decides() {
        let (circuits, scope) = (Circuits::default(), org("acme"));
        failed(&circuits, scope, Timestamp::UNIX_EPOCH, FAILURES);
        let then = Timestamp::UNIX_EPOCH + OPEN;
        assert_eq!(circuits.admit(scope, then), Ok(()));
        assert!(circuits.admit(scope, then + SECOND).is_err(), "a probe is out");
        circuits.learn(scope, then + SECOND, &unavailable(None));
        assert_eq!(circuits.admit(scope, then + SECOND), Err(Duration::from_secs(30)));

        let then = then + SECOND + OPEN;
        assert_eq!(circuits.admit(scope, then), Ok(()));
        circuits.learn(scope, then, &Ok(()));
        failed(&circuits, scope, then, FAILURES - 1);
    }

    #[test]
    fn a_probe_that_never_ends_is_followed_by_another() {
        let (circuits, scope) = (Circuits::default(), org("acme"));
        failed(&circuits, scope, Timestamp::UNIX_EPOCH, FAILURES);
        assert_eq!(circuits.admit(scope, Timestamp::UNIX_EPOCH + OPEN), Ok(()));
        assert_eq!(circuits.admit(scope, Timestamp::UNIX_EPOCH + OPEN + OPEN), Ok(()));
    }

    #[test]
    fn a_storm_that_names_its_end_opens_at_once_and_not_for_hours() {
        let (circuits, now) = (Circuits::default(), Timestamp::UNIX_EPOCH);
        for (name, named, open) in
            [("acme", 7, 7), ("globex", 86_400, 300), ("initech", u64::MAX, 300)]
        {
            circuits.learn(org(name), now, &unavailable(Some(named)));
            assert_eq!(circuits.admit(org(name), now), Err(Duration::from_secs(open)));
            assert_eq!(circuits.admit(org(name), now + SignedDuration::from_secs(301)), Ok(()));
        }
        let limited = |kind| -> Answer {
            let retry_after = Some(Duration::from_secs(9));
            Err(SalesforceError::Limited { kind, retry_after })
        };
        circuits.learn(org("rate"), now, &limited(LimitKind::RequestRate));
        assert_eq!(circuits.admit(org("rate"), now), Err(Duration::from_secs(9)));
        // A limit is an answer: runs stand back from it, sellers' writes need not.
        circuits.learn(org("daily"), now, &limited(LimitKind::DailyRequests));
        assert_eq!(circuits.admit(org("daily"), now), Ok(()));
    }
}
