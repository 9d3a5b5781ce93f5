//! Whose data it is: a tenant, its environment and the generation of the connection.
//!
//! Everything read from a CRM lives under a [`Scope`]; there is no way to name such data without
//! one, and a scope is made only from a verified caller, a queue message or a connection item.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::kernel::TenantId;

/// What the keys of all objects begin with that belong to a run.
pub const RUNS: &str = "runs/";

/// An object of a run that is this old is deleted, whoever forgot it. A run that is paused for so
/// long was given up before.
pub const RUN_OBJECT_DAYS: i64 = 45;

/// What the keys of all files of exports begin with.
pub const EXPORTS: &str = "exports/";

/// A file of an export that is this old is deleted, whoever forgot it. The product deletes it after
/// a day.
pub const EXPORT_DAYS: i64 = 2;

/// Which of a tenant's two connections is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// The org that the customer works in.
    Production,
    /// An org for tests before a release.
    Sandbox,
}

impl Environment {
    /// Both, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::Production, Self::Sandbox];

    /// The name in keys, paths and replies.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Sandbox => "sandbox",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names neither environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected production or sandbox")]
pub struct ParseEnvironmentError;

impl FromStr for Environment {
    type Err = ParseEnvironmentError;

    fn from_str(text: &str) -> Result<Self, ParseEnvironmentError> {
        Self::ALL.into_iter().find(|e| e.as_str() == text).ok_or(ParseEnvironmentError)
    }
}

/// A connection's life from connect to purge, counted from 1. A reconnect after a purge is the
/// next one and never meets the rows of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A tenant's environment: where its settings and its connection live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TenantEnvironment {
    /// The tenant.
    pub tenant: TenantId,
    /// Its environment.
    pub environment: Environment,
}

impl TenantEnvironment {
    /// The scope of one generation of this environment's connection.
    #[must_use]
    pub fn generation(self, generation: Generation) -> Scope {
        Scope { tenant: self.tenant, environment: self.environment, generation }
    }
}

/// Where everything that one generation of a connection brought in lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// The tenant.
    pub tenant: TenantId,
    /// Its environment.
    pub environment: Environment,
    /// The generation of its connection.
    pub generation: Generation,
}

impl Scope {
    /// The tenant's environment, without the generation.
    #[must_use]
    pub fn tenant_environment(self) -> TenantEnvironment {
        TenantEnvironment { tenant: self.tenant, environment: self.environment }
    }

    /// The folder of this generation's objects that stay until it ends.
    #[must_use]
    pub fn object_prefix(self) -> String {
        format!("{self}/")
    }

    /// The folder of this generation's objects that a run needs, and that go with it. It lies apart
    /// from those that stay: what a store deletes by age, it finds by the beginning of a key.
    #[must_use]
    pub fn run_prefix(self) -> String {
        format!("{RUNS}{self}/")
    }

    /// The folder of this generation's exports, which go after a day.
    #[must_use]
    pub fn export_prefix(self) -> String {
        format!("{EXPORTS}{self}/")
    }

    /// The folders of all objects of this generation.
    #[must_use]
    pub fn object_prefixes(self) -> [String; 3] {
        [self.object_prefix(), self.run_prefix(), self.export_prefix()]
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tenant, self.environment, self.generation)
    }
}
