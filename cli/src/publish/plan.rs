//! Whether an export is sent as a delta or whole, and why; and what is refused.

use super::fingerprints::Difference;
use super::state::State;
use crate::api_client::DirectoryVersion;
use crate::report::{Table, thousands};
use anyhow::ensure;
use matching::EntityKind;
use serde_json::{Value, json};
use std::fmt;

/// The kinds, in the order in which they are told of.
pub const KINDS: [EntityKind; 2] = [EntityKind::Person, EntityKind::Company];

/// A version is read from the last full one on: after so many deltas a full one pays.
const MOST_DELTAS: u32 = 50;

/// An export that lacks more than this share of what there was is a broken export more often than
/// a true one.
const MOST_GONE_PERCENT: u64 = 20;

/// Too few to be told from chance.
const FEW: u64 = 100;

/// Why all is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// `--full` was given.
    Asked,
    /// Nothing was published before.
    First,
    /// There is no digest of what is published.
    NoDigest,
    /// The digest cannot be used.
    Unusable(String),
    /// The deployment has another version than the digest.
    OtherVersion {
        /// The digest's.
        digest: String,
        /// The deployment's.
        deployment: String,
    },
    /// A long row of deltas lies behind.
    ManyDeltas,
    /// A delta would be no smaller.
    MostChanged,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("--full was given"),
            Self::First => f.write_str("nothing was published before"),
            Self::NoDigest => f.write_str("there is no digest file of what is published"),
            Self::Unusable(reason) => write!(f, "the digest file cannot be used: {reason}"),
            Self::OtherVersion { digest, deployment } => write!(
                f,
                "the digest file is of version {digest}, and the deployment has {deployment}"
            ),
            Self::ManyDeltas => {
                write!(f, "{MOST_DELTAS} deltas were sent since the last full version")
            }
            Self::MostChanged => f.write_str("more than half has changed"),
        }
    }
}

/// How an export is sent.
#[derive(Debug)]
pub enum Way {
    /// What changed since the digest.
    Delta(State),
    /// All of it.
    Full(Why),
}

impl Way {
    /// The way that the digest file and the deployment's version allow.
    #[must_use]
    pub fn find(
        asked_for_full: bool,
        digest: anyhow::Result<Option<State>>,
        current: Option<&DirectoryVersion>,
    ) -> Self {
        if asked_for_full {
            return Self::Full(Why::Asked);
        }
        let Some(current) = current else { return Self::Full(Why::First) };
        match digest {
            Err(error) => Self::Full(Why::Unusable(format!("{error:#}"))),
            Ok(None) => Self::Full(Why::NoDigest),
            Ok(Some(state)) if state.description.version != current.version => {
                let digest = state.description.version;
                Self::Full(Why::OtherVersion { digest, deployment: current.version.clone() })
            }
            Ok(Some(state)) if state.description.deltas >= MOST_DELTAS => {
                Self::Full(Why::ManyDeltas)
            }
            Ok(Some(state)) => Self::Delta(state),
        }
    }
}

/// What an export does to the entities of one kind.
#[derive(Debug, Default)]
pub struct Changes {
    /// Entities in the export; none when it has no file of this kind.
    pub entities: Option<u64>,
    /// Entities of the deployment's version.
    pub before: u64,
    /// What became of each, when the digest tells.
    pub difference: Option<Difference>,
}

impl Changes {
    /// How many are there no more, at least.
    #[must_use]
    pub fn gone(&self) -> u64 {
        match (&self.difference, self.entities) {
            (Some(difference), _) => difference.gone.len() as u64,
            (None, Some(entities)) => self.before.saturating_sub(entities),
            (None, None) => 0,
        }
    }

    /// True when the export says all of the kind: it has files of it, or there is nothing to lose.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.entities.is_some() || self.before == 0
    }

    /// The counts, for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let known = self.difference.as_ref();
        json!({
            "export": self.entities,
            "new": known.map(|d| d.new),
            "changed": known.map(|d| d.changed),
            "gone": known.map(|d| d.gone.len()),
            "unchanged": known.map(|d| d.unchanged),
        })
    }

    /// True when a delta of it would be no smaller than all.
    #[must_use]
    pub fn is_mostly_other(&self) -> bool {
        let lines = self.difference.as_ref().map_or(0, Difference::lines) as u64;
        lines > FEW && lines > self.entities.unwrap_or(0).max(self.before) / 2
    }
}

/// Refuses an export that would take most of a kind away.
pub fn check_gone(kind: EntityKind, changes: &Changes, accepted: bool) -> anyhow::Result<()> {
    let (gone, before) = (changes.gone(), changes.before);
    ensure!(
        accepted || gone <= FEW || gone.saturating_mul(100) <= before * MOST_GONE_PERCENT,
        "{} of {} {} are not in the export. If they are truly gone, say --accept-gone",
        thousands(gone),
        thousands(before),
        plural(kind)
    );
    Ok(())
}

/// The kind's entities in words.
#[must_use]
pub fn plural(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Person => "people",
        EntityKind::Company => "companies",
    }
}

/// The changes as people read them.
#[must_use]
pub fn table(changes: &[(EntityKind, Changes)]) -> Table {
    let mut table = Table::new(["", "export", "new", "changed", "gone", "unchanged"]);
    for (kind, of_kind) in changes {
        let Some(entities) = of_kind.entities else { continue };
        let known = of_kind.difference.as_ref();
        let known = |count: fn(&Difference) -> u64| {
            known.map_or_else(|| "?".to_owned(), |difference| thousands(count(difference)))
        };
        table.row([
            plural(*kind).to_owned(),
            thousands(entities),
            known(|d| d.new),
            known(|d| d.changed),
            known(|d| d.gone.len() as u64),
            known(|d| d.unchanged),
        ]);
    }
    table
}
