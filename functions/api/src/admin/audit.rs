//! The audit log of a tenant.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::audit::{self, AuditError, AuditFilter};
use shared::kernel::{Environment, Generation, SObject, SeatId, TenantId};
use utoipa::{IntoParams, ToSchema};

use crate::callers::{Admin, AtTenant};
use crate::extract::Query;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// The kind of a deed.
    AuditAction of shared::capabilities::audit::Action {
        TenantCreated TenantRemoved SeatAdded SeatRemoved SeatChanged ContractChanged CrmUserChosen
        CrmUserForgotten Connected Reconnected SeatAuthorized AuthorizationEnded Disconnected Purged
        SettingsChanged SavingUndone ImportSettingsChanged SelectionChanged MatchCorrected
        MatchRulesChanged ModelChosen HandedOver TakenBack Exported Imported Export GlassBroken
        RecordRead
    }
}

/// Who did something.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Actor {
    /// The product by itself.
    Product,
    /// The product's back end.
    Service,
    Seat {
        #[schema(value_type = wire::SeatId)]
        seat: SeatId,
    },
    Admin {
        /// The subject of the token, or a name in its place when it is not plainly an id.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        subject: Option<String>,
    },
    /// Somebody who runs the product.
    Operator { subject: String },
}

/// What was done, and to what.
#[derive(Serialize, ToSchema)]
pub(crate) struct Deed {
    #[schema(value_type = AuditAction)]
    action: audit::Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<wire::Environment>, nullable = false)]
    environment: Option<Environment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<wire::Generation>, nullable = false)]
    generation: Option<Generation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<wire::SeatId>, nullable = false)]
    seat: Option<SeatId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<wire::SObject>, nullable = false)]
    object: Option<SObject>,
    /// A name that tells nothing without the data key of the generation; a model's or a grant's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// Words and numbers, such as which settings were changed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<String, String>,
}

/// What an entry follows.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditLink {
    /// The hash of the entry before; zeros before the first.
    hash: String,
    /// The time of the entry before.
    at: Timestamp,
}

/// One entry. `crm-sync audit check` makes its hash again.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    #[schema(value_type = wire::TenantId)]
    tenant: TenantId,
    /// Counts the tenant's entries.
    #[schema(minimum = 1)]
    number: u64,
    at: Timestamp,
    by: Actor,
    deed: Deed,
    before: AuditLink,
    hash: String,
}

/// The last entry of a log. Who keeps one elsewhere finds that a tail was cut off.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditHead {
    /// 0 for a log without entries.
    number: u64,
    hash: String,
}

/// A page of a tenant's audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// The oldest first; with a filter there may be none on a page, and more on the next.
    items: Vec<AuditEntry>,
    /// The cursor of the next page; null after the last.
    #[schema(required = true)]
    next: Option<String>,
    /// The head of the whole log, as it was before this page was read.
    head: AuditHead,
}

impl From<audit::Actor> for Actor {
    fn from(actor: audit::Actor) -> Self {
        match actor {
            audit::Actor::Product => Self::Product,
            audit::Actor::Service => Self::Service,
            audit::Actor::Seat { seat } => Self::Seat { seat },
            audit::Actor::Admin { subject } => Self::Admin { subject },
            audit::Actor::Operator { subject } => Self::Operator { subject },
        }
    }
}

impl From<audit::Deed> for Deed {
    fn from(deed: audit::Deed) -> Self {
        let audit::Deed { action, environment, generation, seat, object, name, details } = deed;
        Self { action, environment, generation, seat, object, name, details }
    }
}

impl From<audit::AuditEntry> for AuditEntry {
    fn from(entry: audit::AuditEntry) -> Self {
        let audit::AuditEntry { tenant, number, at, by, deed, before, hash } = entry;
        let before = AuditLink { hash: before.hash, at: before.at };
        Self { tenant, number, at, by: by.into(), deed: deed.into(), before, hash }
    }
}

/// Which entries, and where to go on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// `next` of the page before, or a number: the entries behind it
    #[param(nullable = false)]
    #[serde(default)]
    cursor: Option<String>,
    /// Entries of this time or later
    #[param(nullable = false)]
    #[serde(default)]
    from: Option<Timestamp>,
    /// Entries before this time
    #[param(nullable = false)]
    #[serde(default)]
    to: Option<Timestamp>,
    /// Entries of this kind
    #[param(value_type = Option<AuditAction>, nullable = false)]
    #[serde(default)]
    action: Option<audit::Action>,
    #[param(value_type = Option<wire::Environment>, nullable = false)]
    #[serde(default)]
    environment: Option<Environment>,
    /// What this seat did, and what was done to it
    #[param(value_type = Option<wire::SeatId>, nullable = false)]
    #[serde(default)]
    seat: Option<SeatId>,
}

/// Who did what when
///
/// The entries are one chain: each holds the hash of the one before. Without a filter, and page
/// after page, they can be checked by `crm-sync audit check`.
#[utoipa::path(get, path = "/audit", tag = "tenants", operation_id = "listAuditEntries",
    params(AtTenant, Asked), extensions(("x-roles" = json!(Admin::<AtTenant>::ROLES))),
    responses((status = 200, description = "A page of the log", body = AuditPage), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(place): Admin<AtTenant>,
    Query(asked): Query<Asked>,
) -> Result<Json<AuditPage>, Problem> {
    let Asked { cursor, from, to, action, environment, seat } = asked;
    let filter = AuditFilter { from, to, action, environment, seat };
    let page = api.audit_log.page(place.tenant, &filter, cursor.as_deref()).await?;
    let head = AuditHead { number: page.head.number, hash: page.head.hash };
    let items = page.entries.into_iter().map(AuditEntry::from).collect();
    Ok(Json(AuditPage { items, next: page.next, head }))
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Cursor => Self::bad_cursor(error.to_string()),
            AuditError::Work(error) => error.into(),
        }
    }
}
