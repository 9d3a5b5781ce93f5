//! The permissions that the integration user needs, and those that are missing.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use shared::capabilities::connecting::{self, InspectionError, PermissionState, feature_of};
use shared::kernel::SObject;
use utoipa::ToSchema;

use crate::callers::{Admin, At};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// The feature that a customer loses when a field or an object is hidden.
    Feature of connecting::Feature {
        Import Matching ContactInformation Seats AutoSave ActivityLog Roi
    }
}

/// The required permissions, and those that the org was last found to give.
#[derive(Serialize, ToSchema)]
pub(crate) struct Permissions {
    state: StateOfPermissions,
    required: Vec<RequiredObject>,
    #[schema(required = true)]
    found: Option<Inspection>,
}

/// The result of the last inspection for the whole org.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StateOfPermissions {
    NotChecked,
    Refused,
    Blocked,
    Complete,
}

impl From<PermissionState> for StateOfPermissions {
    fn from(state: PermissionState) -> Self {
        match state {
            PermissionState::NotChecked => Self::NotChecked,
            PermissionState::Refused => Self::Refused,
            PermissionState::Blocked => Self::Blocked,
            PermissionState::Complete => Self::Complete,
        }
    }
}

/// An object that is read.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequiredObject {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    /// An org may lack it by edition.
    optional: bool,
    fields: Vec<RequiredField>,
}

/// A field that is read.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequiredField {
    field: &'static str,
    #[schema(value_type = Feature)]
    needed_for: connecting::Feature,
}

impl From<SObject> for RequiredObject {
    fn from(object: SObject) -> Self {
        let needed = |field| RequiredField { field, needed_for: feature_of(object, field) };
        let fields = object.fields().iter().copied().map(needed).collect();
        Self { object, optional: object.optional(), fields }
    }
}

/// The permissions that an org was found to give its integration user.
#[derive(Serialize, ToSchema)]
pub(crate) struct Inspection {
    inspected_at: Timestamp,
    /// Why the org did not let itself be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refused: Option<String>,
    /// The integration user has a seat.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    personal_user: Option<bool>,
    objects: Vec<ObjectPermissions>,
}

/// The integration user's permissions on one object.
#[derive(Serialize, ToSchema)]
pub(crate) struct ObjectPermissions {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    readable: bool,
    /// An org may lack it by edition.
    optional: bool,
    /// The features that need it, when it cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Feature>)]
    blocks: Vec<connecting::Feature>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hidden: Vec<HiddenField>,
    /// The fields that sellers' writes set and this user may not. Only a warning.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_editable: Vec<String>,
}

/// A hidden field, and what it costs.
#[derive(Serialize, ToSchema)]
pub(crate) struct HiddenField {
    field: String,
    #[schema(value_type = Feature)]
    blocks: connecting::Feature,
}

impl From<connecting::Inspection> for Inspection {
    fn from(found: connecting::Inspection) -> Self {
        Self {
            inspected_at: found.inspected_at,
            refused: found.refused,
            personal_user: found.personal_user,
            objects: found.objects.into_iter().map(ObjectPermissions::from).collect(),
        }
    }
}

impl From<connecting::ObjectPermissions> for ObjectPermissions {
    fn from(found: connecting::ObjectPermissions) -> Self {
        let hidden = found.hidden.into_iter();
        Self {
            object: found.object,
            readable: found.readable,
            optional: found.optional,
            blocks: found.blocks,
            hidden: hidden.map(|h| HiddenField { field: h.field, blocks: h.blocks }).collect(),
            not_editable: found.not_editable,
        }
    }
}

/// An inspection that was asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct AskedInspection {
    asked_at: Timestamp,
}

/// Show the permissions that the integration user needs, and those that are missing
#[utoipa::path(get, path = "/permissions", tag = "connections", operation_id = "showPermissions",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses(
        (status = 200, body = Permissions, description =
            "What is required, also before a login, and what the org was last found to show"),
        Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<Permissions>, Problem> {
    let found = api.inspections.last(place.environment()).await?;
    Ok(Json(Permissions {
        state: PermissionState::of(found.as_ref()).into(),
        required: SObject::ALL.map(RequiredObject::from).into(),
        found: found.map(Inspection::from),
    }))
}

/// Ask the org again
#[utoipa::path(post, path = "/permissions/check", tag = "connections",
    operation_id = "checkPermissions",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses(
        (status = 202, body = AskedInspection, description =
            "It is being asked; `found.inspected_at` of the permissions will be later than \
             `asked_at`"),
        Problem))]
pub(crate) async fn check(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<(StatusCode, Json<AskedInspection>), Problem> {
    let asked_at = api.inspections.ask(place.environment()).await?;
    Ok((StatusCode::ACCEPTED, Json(AskedInspection { asked_at })))
}

impl From<InspectionError> for Problem {
    fn from(error: InspectionError) -> Self {
        match error {
            InspectionError::Lookup(error) => error.into(),
            InspectionError::NotWorking => Self::not_working(),
        }
    }
}
