//! The set-up wizard of an environment.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::capabilities::connecting::{self, AnswerError, WizardError, WizardProgress};
use utoipa::ToSchema;

use super::settings::Settings;
use crate::callers::{Acting, Admin, At};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// A step of the wizard.
    WizardStep of connecting::WizardStep { Connect Sync Roi Advanced }
}

/// How far the wizard is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Wizard {
    /// The step at which the person is.
    #[schema(value_type = WizardStep)]
    at: connecting::WizardStep,
    finished: bool,
    steps: Vec<StepOfWizard>,
    /// Where the person logs in.
    #[schema(required = true)]
    login_host: Option<String>,
    settings: Settings,
}

/// A step, and whether it is answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct StepOfWizard {
    #[schema(value_type = WizardStep)]
    step: connecting::WizardStep,
    answered: bool,
}

impl From<WizardProgress> for Wizard {
    fn from(WizardProgress { wizard, settings }: WizardProgress) -> Self {
        let answered = |step| wizard.answered.contains(&step);
        let steps = connecting::WizardStep::ALL;
        Self {
            at: wizard.at,
            finished: wizard.is_finished(),
            steps: steps.map(|step| StepOfWizard { step, answered: answered(step) }).into(),
            login_host: wizard.login_host,
            settings: settings.into(),
        }
    }
}

/// A person's answer at a step.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum WizardAnswer {
    /// Where to log in. The step is done when the org is connected.
    Connect {
        /// A My Domain such as acme.my.salesforce.com; null for the usual login page.
        #[serde(default)]
        login_host: Option<String>,
    },
    /// The switches.
    Sync {
        auto_save: bool,
        /// Only opportunities at or after the stage of this API name count; null for every open
        /// one.
        #[serde(default)]
        stage: Option<String>,
        log_messages: bool,
        log_notes: bool,
    },
    /// True if won deals are reported on.
    Roi { roi: bool },
    /// The rest.
    Advanced { embedded_profile: bool, data_validation: bool },
}

impl From<WizardAnswer> for connecting::WizardAnswer {
    fn from(answer: WizardAnswer) -> Self {
        match answer {
            WizardAnswer::Connect { login_host } => Self::Connect { login_host },
            WizardAnswer::Sync { auto_save, stage, log_messages, log_notes } => {
                Self::Sync { auto_save, stage, log_messages, log_notes }
            }
            WizardAnswer::Roi { roi } => Self::Roi { roi },
            WizardAnswer::Advanced { embedded_profile, data_validation } => {
                Self::Advanced { embedded_profile, data_validation }
            }
        }
    }
}

/// How far the set-up wizard is
///
/// Kept on the server for each environment, so that a window may be closed at any step.
#[utoipa::path(get, path = "/wizard", tag = "connections", operation_id = "showWizard",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The wizard", body = Wizard), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<Wizard>, Problem> {
    Ok(Json(api.wizards.get(place.environment()).await?.into()))
}

/// Answer a step of the wizard
///
/// The step at which the person is, or an earlier one. A connection answers `connect`; the steps
/// after it change the settings that they are about.
#[utoipa::path(put, path = "/wizard", tag = "connections", operation_id = "answerWizard",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = WizardAnswer,
        example = json!({ "step": "connect", "login_host": "acme.my.salesforce.com" })),
    responses((status = 200, description = "The wizard as it is now", body = Wizard), Problem))]
pub(crate) async fn answer(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(answer): Body<WizardAnswer>,
) -> Result<Json<Wizard>, Problem> {
    Ok(Json(api.wizards.answer(place.environment(), &answer.into(), by).await?.into()))
}

/// Go back one step; nothing that was answered is lost
#[utoipa::path(post, path = "/wizard/back", tag = "connections", operation_id = "wizardBack",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The wizard as it is now", body = Wizard), Problem))]
pub(crate) async fn back(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<Wizard>, Problem> {
    Ok(Json(api.wizards.back(place.environment()).await?.into()))
}

impl From<AnswerError> for Problem {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::LoginHost(error) => error.into(),
            AnswerError::Step(WizardError::NotConnected) => {
                Self::conflict("not_connected", error.to_string())
            }
            AnswerError::Step(WizardError::TooEarly) => {
                Self::conflict("too_early", error.to_string())
            }
            AnswerError::Settings(error) => error.into(),
            AnswerError::ChangedMeanwhile => Self::conflict("changed_meanwhile", error.to_string()),
            AnswerError::Work(error) => error.into(),
        }
    }
}
