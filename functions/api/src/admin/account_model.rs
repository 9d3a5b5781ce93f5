//! The account model: companies or persons are imported.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::capabilities::importing::{self, Selection, SelectionPart};
use utoipa::ToSchema;

use super::selection::SelectionChange;
use crate::callers::{Acting, Admin, At};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// The customers of an org: companies or persons.
    Accounts of importing::AccountModel { Business Person }
}

/// The account model that is to be used. What is shown can be put back as it is.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewAccountModel {
    #[schema(value_type = Accounts)]
    accounts: importing::AccountModel,
}

/// The account model, and who changed it.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountModel {
    #[schema(value_type = Accounts)]
    accounts: importing::AccountModel,
    /// Who changed it and when, the newest last; the last hundred changes of what is imported are
    /// remembered.
    changes: Vec<SelectionChange>,
}

impl From<Selection> for AccountModel {
    fn from(chosen: Selection) -> Self {
        let changes = SelectionChange::of(&chosen, SelectionPart::Accounts);
        Self { accounts: chosen.accounts, changes }
    }
}

/// Show which are imported: companies or persons
#[utoipa::path(get, path = "/account-model", tag = "runs", operation_id = "showAccountModel",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The account model", body = AccountModel), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<AccountModel>, Problem> {
    Ok(Json(api.selections.get(place.environment()).await?.into()))
}

/// Change the account model; everything concerned is read again
#[utoipa::path(put, path = "/account-model", tag = "runs", operation_id = "changeAccountModel",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = NewAccountModel, example = json!({ "accounts": "person" })),
    responses((status = 200, description = "As it is now", body = AccountModel), Problem))]
pub(crate) async fn change(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(NewAccountModel { accounts }): Body<NewAccountModel>,
) -> Result<Json<AccountModel>, Problem> {
    Ok(Json(api.selections.set_accounts(place.environment(), accounts, &by).await?.into()))
}
