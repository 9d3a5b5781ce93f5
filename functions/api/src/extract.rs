//! The parts of a request beside its path: a body, a query. Their refusals are problems.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};

use serde::de::DeserializeOwned;

use crate::problem::Problem;
use crate::state::Api;

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(crate) struct Body<T>(pub(crate) T);

/// Query parameters.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> OptionalFromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Option<Self>, Problem> {
        let body = <Json<T> as OptionalFromRequest<Api>>::from_request(request, api).await?;
        Ok(body.map(|Json(body)| Self(body)))
    }
}
