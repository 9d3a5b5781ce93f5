//! Badges: whether people or companies are in the CRM, and what of their records is out of date.

use axum::Json;
use axum::extract::State;
use matching::EntityKind;
use serde::{Deserialize, Serialize};
use shared::capabilities::badges::{self, BadgeError, MOST_BADGES};
use shared::kernel::{DirectoryVersionId, EntityId, SObject};
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use super::activities::KindOfEntity;
use crate::callers::{AtSeat, OwnSeat};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// Where an entity stands: linked to a record that is as the entity is, to none, or to one that
    /// contradicts it.
    BadgeState of badges::BadgeState { InCrm NotInCrm OutOfDate }

    /// A fact that a record and an entity both may tell. For a person the company is the employer.
    Fact of matching::Fact { Title Company Location }
}

/// The people or the companies whose badges are asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BadgeRequest {
    #[schema(value_type = KindOfEntity)]
    entity_kind: EntityKind,
    /// The directory's ids.
    #[schema(value_type = Vec<wire::EntityId>, min_items = 1, max_items = 100)]
    entity_ids: Vec<EntityId>,
}

/// The badges, in the order in which they were asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct BadgeList {
    /// The directory version that records were compared with; null before the first.
    #[schema(value_type = Option<wire::DirectoryVersionId>, required = true)]
    directory_version: Option<DirectoryVersionId>,
    badges: Vec<Badge>,
}

/// An entity's badge. It holds no field of the record: every seat sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Badge {
    #[schema(value_type = wire::EntityId)]
    entity_id: EntityId,
    #[schema(value_type = BadgeState)]
    state: badges::BadgeState,
    /// The record that the entity is linked to; null when it is not in the CRM.
    #[schema(required = true)]
    record: Option<LinkedRecord>,
    /// In what the record is out of date.
    outdated: Vec<Outdated>,
    /// What the directory knows and the record leaves out. It does not make a record out of date.
    #[schema(value_type = Vec<Fact>)]
    missing: Vec<matching::Fact>,
}

/// The record of a badge.
#[derive(Serialize, ToSchema)]
pub(crate) struct LinkedRecord {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
    /// Where a browser opens it, in Classic and in Lightning. The CRM refuses who may not see it.
    #[schema(format = "uri")]
    record_url: String,
    linked_by: LinkedBy,
}

/// Who linked a record to its entity.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LinkedBy {
    /// The engine was sure.
    Engine,
    /// A person said so, or made the record from the entity.
    Person,
}

/// A fact in which a record is out of date.
#[derive(Serialize, ToSchema)]
pub(crate) struct Outdated {
    #[schema(value_type = Fact)]
    fact: matching::Fact,
    /// The directory's value, as it is shown.
    now: String,
}

impl From<badges::Badge> for Badge {
    fn from(badge: badges::Badge) -> Self {
        let (state, entity_id) = (badge.state(), badge.entity);
        let Some(link) = badge.link else {
            let (outdated, missing) = (Vec::new(), Vec::new());
            return Self { entity_id, state, record: None, outdated, missing };
        };
        let record = LinkedRecord {
            object: link.record.object,
            record_id: link.record.id,
            record_url: link.url,
            linked_by: if link.by_person { LinkedBy::Person } else { LinkedBy::Engine },
        };
        let outdated = link.outdated.into_iter();
        let outdated = outdated.map(|outdated| Outdated { fact: outdated.fact, now: outdated.now });
        Self {
            entity_id,
            state,
            record: Some(record),
            outdated: outdated.collect(),
            missing: link.missing,
        }
    }
}

/// Show the badges of up to 100 people or companies: in the CRM, not in the CRM, or out of date
#[utoipa::path(post, path = "/seats/{seat}/badges", tag = "matches", operation_id = "showBadges",
    params(AtSeat), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    request_body(content = BadgeRequest, example = json!({
        "entity_kind": "person",
        "entity_ids": ["pr_1", "pr_2"],
    })),
    responses(
        (status = 200, description = "A badge for each entity", body = BadgeList),
        Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    Body(asked): Body<BadgeRequest>,
) -> Result<Json<BadgeList>, Problem> {
    let BadgeRequest { entity_kind, entity_ids } = asked;
    if !(1..=MOST_BADGES).contains(&entity_ids.len()) {
        let detail = format!("from 1 to {MOST_BADGES} entities are asked for at once");
        return Err(Problem::invalid(detail).at("/entity_ids".to_owned()));
    }
    let page = api.badges.of(place.environment(), entity_kind, &entity_ids).await?;
    Ok(Json(BadgeList {
        directory_version: page.directory,
        badges: page.badges.into_iter().map(Badge::from).collect(),
    }))
}

impl From<BadgeError> for Problem {
    fn from(error: BadgeError) -> Self {
        match error {
            BadgeError::Lookup(error) => error.into(),
            BadgeError::Directory(error) => Self::conflict("directory_outdated", error.to_string()),
        }
    }
}
