//! What the routes share.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts};
use shared::capabilities::activities::Activities;
use shared::capabilities::connecting::Connect;
use shared::capabilities::custody::Custody;
use shared::capabilities::directory::Directory;
use shared::capabilities::importing::{Import, Selections};
use shared::capabilities::leaving::Disconnect;
use shared::capabilities::linking::{Corrections, Models};
use shared::lambda::config::NetworkAccess;
use shared::matching::InvalidModel;
use shared::ports::Ports;
use shared::product::{Orgs, Product};

use crate::caller::Issuer;
use crate::problem::Problem;

/// The use cases behind the routes.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) ports: Ports,
    pub(crate) network_access: Arc<NetworkAccess>,
    pub(crate) issuer: Issuer,
    pub(crate) custody: Custody,
    pub(crate) connect: Connect,
    pub(crate) directory: Directory,
    pub(crate) activities: Activities,
    pub(crate) corrections: Corrections,
    pub(crate) models: Models,
    pub(crate) disconnect: Disconnect,
    pub(crate) import: Import,
    pub(crate) selections: Selections,
}

impl Api {
    /// What `product` can do, for callers with tokens of `issuer`.
    pub(crate) fn new(
        product: &Product<Orgs>,
        issuer: Issuer,
        network_access: NetworkAccess,
    ) -> Result<Self, &'static InvalidModel> {
        Ok(Self {
            ports: product.ports().clone(),
            network_access: Arc::new(network_access),
            issuer,
            custody: product.custody(),
            connect: product.connect(),
            directory: product.directory(),
            activities: product.activities(),
            corrections: product.corrections(),
            models: product.models()?,
            disconnect: product.disconnect(),
            import: product.import(),
            selections: product.selections(),
        })
    }
}

/// A JSON body whose refusal is a problem.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(crate) struct Body<T>(pub(crate) T);

/// Path parameters whose refusal is a problem.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(crate) struct Path<T>(pub(crate) T);

/// Query parameters whose refusal is a problem.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub(crate) T);
