//! Faults that a test plans: which calls they meet and what they do to them.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A planned fault. A call meets it when all that is given fits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// Given by the simulator.
    #[serde(default)]
    pub id: u64,
    /// The HTTP method.
    #[serde(default)]
    pub method: Option<String>,
    /// A part of the path, or a pattern with `*` for the whole of it.
    #[serde(default)]
    pub path: Option<String>,
    /// A part of the host.
    #[serde(default)]
    pub host: Option<String>,
    /// A part of the body.
    #[serde(default)]
    pub body_contains: Option<String>,
    /// Spares the first `skip` calls that fit.
    #[serde(default)]
    pub skip: u64,
    /// Meets so many calls, then no more; 0 for all.
    #[serde(default = "once")]
    pub times: u64,
    /// Of the calls that fit, and that it does not spare, meets each so-manieth.
    #[serde(default = "once")]
    pub every: u64,
    /// The effect.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Calls that fitted so far.
    #[serde(default)]
    pub seen: u64,
    /// Calls that were met so far.
    #[serde(default)]
    pub hits: u64,
}

fn once() -> u64 {
    1
}

/// The effect of a fault.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// Answers with a status and a body of one's own; nothing is done.
    Respond {
        /// The HTTP status.
        status: u16,
        /// The body.
        #[serde(default)]
        body: String,
        /// The body's type; JSON when it looks like it, else HTML.
        #[serde(default)]
        content_type: Option<String>,
        /// Seconds for a `Retry-After` header.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// Answers an HTML page of Salesforce's edge with this status; nothing is done.
    Html {
        /// The HTTP status: 200, 420, 503.
        status: u16,
    },
    /// Answers 401 `INVALID_SESSION_ID`; nothing is done, the session lives on.
    InvalidSession,
    /// Closes the connection; nothing is done.
    DropBefore,
    /// Does what was asked, then closes the connection without an answer.
    DropAfter,
    /// Does what was asked and cuts the answer's body after so many bytes.
    Truncate {
        /// Bytes of the body that arrive.
        bytes: usize,
    },
    /// Executes the call, then ends the CSV answer after its header and `rows` rows. The answer
    /// is well-formed otherwise.
    CutRows {
        /// Rows that arrive.
        rows: usize,
    },
    /// Does what was asked and lies about one value of the JSON answer.
    SetJson {
        /// Where the value stands, as a JSON pointer such as `/instance_url`.
        pointer: String,
        /// The value to set.
        value: Json,
    },
    /// Sends the caller elsewhere; nothing is done.
    Redirect {
        /// The HTTP status: 301, 302, 307, 308.
        status: u16,
        /// The `Location` header.
        location: String,
    },
    /// Does what was asked and answers drop by drop.
    SlowDrip {
        /// Bytes at a time.
        bytes: usize,
        /// Real milliseconds between drops.
        pause_ms: u64,
    },
    /// Waits before doing what was asked.
    Delay {
        /// Real milliseconds.
        ms: u64,
    },
    /// Answers as usual but with a `Date` header that is wrong by so much.
    ClockSkew {
        /// Seconds added to the header.
        seconds: i64,
    },
}

/// All planned faults.
#[derive(Default)]
pub(crate) struct FaultPlan {
    faults: Vec<Fault>,
    last_id: u64,
}

/// The fault that a call met.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    pub(crate) id: u64,
    pub(crate) kind: FaultKind,
}

impl FaultPlan {
    /// Plans a fault; gives its id.
    pub(crate) fn add(&mut self, mut fault: Fault) -> u64 {
        self.last_id += 1;
        fault.id = self.last_id;
        (fault.seen, fault.hits) = (0, 0);
        self.faults.push(fault);
        self.last_id
    }

    /// All faults with their counts.
    pub(crate) fn list(&self) -> &[Fault] {
        &self.faults
    }

    /// Removes a fault, or all of them.
    pub(crate) fn remove(&mut self, id: Option<u64>) {
        self.faults.retain(|fault| id.is_some_and(|id| fault.id != id));
    }

    /// The first fault that a call meets, counted.
    pub(crate) fn play(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        body: &[u8],
    ) -> Option<Played> {
        for fault in &mut self.faults {
            if fault.fits(method, host, path, body) {
                fault.seen += 1;
                let spent = fault.times > 0 && fault.hits >= fault.times;
                let is_due = (fault.seen > fault.skip)
                    && (fault.seen - fault.skip).is_multiple_of(fault.every.max(1));
                if is_due && !spent {
                    fault.hits += 1;
                    return Some(Played { id: fault.id, kind: fault.kind.clone() });
                }
            }
        }
        None
    }
}

impl Fault {
    /// A fault that meets the next call whose path fits.
    #[must_use]
    pub fn at(path: &str, kind: FaultKind) -> Self {
        Self {
            id: 0,
            method: None,
            path: Some(path.to_owned()),
            host: None,
            body_contains: None,
            skip: 0,
            times: 1,
            every: 1,
            kind,
            seen: 0,
            hits: 0,
        }
    }

    /// Meets only calls with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Spares the first calls.
    #[must_use]
    pub fn skip(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// Meets so many calls; 0 for all.
    #[must_use]
    pub fn times(mut self, calls: u64) -> Self {
        self.times = calls;
        self
    }

    /// Meets each so-manieth call of those that fit.
    #[must_use]
    pub fn every(mut self, calls: u64) -> Self {
        self.every = calls;
        self
    }

    fn fits(&self, method: &str, host: &str, path: &str, body: &[u8]) -> bool {
        self.method.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(method))
            && self.host.as_deref().is_none_or(|own| host.contains(own))
            && self.path.as_deref().is_none_or(|own| path_fits(own, path))
            && self
                .body_contains
                .as_deref()
                .is_none_or(|own| String::from_utf8_lossy(body).contains(own))
    }
}

fn path_fits(pattern: &str, path: &str) -> bool {
    if !pattern.contains('*') {
        return path.contains(pattern);
    }
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (n, part) in parts.iter().enumerate() {
        if n + 1 == parts.len() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_may_meet_each_so_manieth_call() {
        let mut plan = FaultPlan::default();
        plan.add(Fault::at("/query", FaultKind::DropBefore).skip(1).times(2).every(3));
        let met: Vec<bool> =
            (0..12).map(|_| plan.play("GET", "h", "/query", b"").is_some()).collect();
        let places: Vec<usize> = (0..12).filter(|n| met[*n]).collect();
        assert_eq!(places, [3, 6]);
    }

    #[test]
    fn a_fault_meets_the_nth_call() {
        let mut plan = FaultPlan::default();
        plan.add(Fault::at("/jobs/query/*/results", FaultKind::DropAfter).skip(1).method("GET"));
        plan.add(Fault::at("*/jobs/query/*/results", FaultKind::DropBefore).skip(1).method("GET"));
        let mut meets =
            |method| plan.play(method, "h", "/services/data/v62.0/jobs/query/750/results", b"");
        assert!(meets("GET").is_none());
        assert!(meets("POST").is_none());
        assert!(matches!(meets("GET"), Some(Played { kind: FaultKind::DropBefore, .. })));
        assert!(meets("GET").is_none());
    }

    #[test]
    fn faults_are_read_from_json() {
        let fault: Fault =
            serde_json::from_str(r#"{"path":"/limits","times":2,"kind":"respond","status":503}"#)
                .unwrap();
        assert!(matches!(fault.kind, FaultKind::Respond { status: 503, .. }) && fault.times == 2);
    }
}
