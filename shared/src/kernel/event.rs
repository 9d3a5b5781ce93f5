//! Events for other systems, with the attributes of CloudEvents 1.0.
//!
//! They hold ids and states only, never a person's data. Whoever wants to know more asks the API.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strum::{IntoStaticStr, VariantNames};

use crate::kernel::{EventId, ImportRunId, ImportTrigger, ReconnectReason, Scope};

/// Something that happened. Each field belongs to its identity: an occurrence that is published
/// twice has the same id both times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "type")]
pub enum Occurrence {
    /// An org was connected.
    #[serde(rename = "crm-sync.connection.connected")]
    #[strum(serialize = "crm-sync.connection.connected")]
    Connected,
    /// The connection does not work until an admin acts.
    #[serde(rename = "crm-sync.connection.reconnect-required")]
    #[strum(serialize = "crm-sync.connection.reconnect-required")]
    ReconnectRequired {
        /// Why.
        reason: ReconnectReason,
        /// Since when.
        since: Timestamp,
        /// When its buffer ends.
        lapses_at: Timestamp,
    },
    /// A connection that did not work does again.
    #[serde(rename = "crm-sync.connection.restored")]
    #[strum(serialize = "crm-sync.connection.restored")]
    Restored {
        /// Since when it had not worked.
        since: Timestamp,
    },
    /// Nobody mended the connection in time.
    #[serde(rename = "crm-sync.connection.lapsed")]
    #[strum(serialize = "crm-sync.connection.lapsed")]
    Lapsed {
        /// Since when it has not worked.
        since: Timestamp,
    },
    /// The operator's key is gone, so the connection's data cannot be opened. Work is kept.
    #[serde(rename = "crm-sync.connection.paused")]
    #[strum(serialize = "crm-sync.connection.paused")]
    Paused {
        /// Since when.
        since: Timestamp,
    },
    /// The key is back.
    #[serde(rename = "crm-sync.connection.resumed")]
    #[strum(serialize = "crm-sync.connection.resumed")]
    Resumed {
        /// Since when it had been gone.
        since: Timestamp,
    },
    /// The org was disconnected; what came from it is being purged.
    #[serde(rename = "crm-sync.connection.disconnected")]
    #[strum(serialize = "crm-sync.connection.disconnected")]
    Disconnected,
    /// Nothing of the generation is left: there is a certificate.
    #[serde(rename = "crm-sync.connection.purged")]
    #[strum(serialize = "crm-sync.connection.purged")]
    Purged,
    /// A run began.
    #[serde(rename = "crm-sync.import.started")]
    #[strum(serialize = "crm-sync.import.started")]
    ImportStarted {
        /// The run.
        run: ImportRunId,
        /// The cause of the run.
        trigger: ImportTrigger,
    },
    /// A run ended well.
    #[serde(rename = "crm-sync.import.completed")]
    #[strum(serialize = "crm-sync.import.completed")]
    ImportCompleted {
        /// The run.
        run: ImportRunId,
    },
    /// A run ended, and at least one object of it failed; or it could not begin.
    #[serde(rename = "crm-sync.import.failed")]
    #[strum(serialize = "crm-sync.import.failed")]
    ImportFailed {
        /// The run.
        run: ImportRunId,
    },
    /// Somebody called a run off.
    #[serde(rename = "crm-sync.import.cancelled")]
    #[strum(serialize = "crm-sync.import.cancelled")]
    ImportCancelled {
        /// The run.
        run: ImportRunId,
    },
    /// A run gives no sign of life.
    #[serde(rename = "crm-sync.import.stalled")]
    #[strum(serialize = "crm-sync.import.stalled")]
    ImportStalled {
        /// The run.
        run: ImportRunId,
        /// When it gave the last one.
        since: Timestamp,
    },
    /// A run leaves the org's API to others for a while: the imports' share is used up.
    #[serde(rename = "crm-sync.import.stood-back")]
    #[strum(serialize = "crm-sync.import.stood-back")]
    ImportStoodBack {
        /// The run.
        run: ImportRunId,
        /// Until when.
        until: Timestamp,
    },
}

impl Occurrence {
    /// The `type` of its event, as in its stored form.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// The run that it happened to; none when it happened to the connection as a whole.
    #[must_use]
    pub fn run(&self) -> Option<ImportRunId> {
        match self {
            Self::ImportStarted { run, .. }
            | Self::ImportCompleted { run }
            | Self::ImportFailed { run }
            | Self::ImportCancelled { run }
            | Self::ImportStalled { run, .. }
            | Self::ImportStoodBack { run, .. } => Some(*run),
            _ => None,
        }
    }
}

/// An occurrence, with its time and the generation that it happened to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The generation that it happened to.
    pub scope: Scope,
    /// When.
    pub time: Timestamp,
    /// The occurrence.
    pub occurrence: Occurrence,
}

impl Event {
    /// The source of all events, as rules of a bus name it.
    pub const SOURCE: &str = "crm-sync";

    /// The event's id. It follows from the occurrence and its generation, so that a consumer can
    /// drop an event that comes twice.
    #[must_use]
    pub fn id(&self) -> EventId {
        let mut identity = json!([self.scope.to_string(), self.occurrence]);
        // A dependency may have JSON objects keep the order of their making: the id must not move.
        identity.sort_all_objects();
        EventId::derived(&identity.to_string())
    }

    /// The event in the JSON format of CloudEvents 1.0. `source` is the path of the connection in
    /// the API, and `subject`, where there is one, that of the run below it.
    #[must_use]
    pub fn to_cloud_event(&self) -> Value {
        let Scope { tenant, environment, generation } = self.scope;
        let mut data = json!(self.occurrence);
        if let Value::Object(data) = &mut data {
            data.remove("type"); // an attribute of the event itself
            data.insert("tenant".to_owned(), json!(tenant));
            data.insert("environment".to_owned(), json!(environment));
            data.insert("generation".to_owned(), json!(generation));
        }
        let mut event = json!({
            "specversion": "1.0",
            "id": self.id(),
            "source": format!("/v1/tenants/{tenant}/connections/{environment}"),
            "type": self.occurrence.name(),
            "time": self.time,
            "datacontenttype": "application/json",
            "data": data,
        });
        if let Some(run) = self.occurrence.run() {
            event["subject"] = json!(format!("runs/{run}"));
        }
        event
    }
}
