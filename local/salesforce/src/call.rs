//! One request, as handlers read it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;

use crate::server::Host;
use crate::world::World;

/// A request as handlers see it.
pub(crate) struct Call {
    pub(crate) world: Arc<World>,
    pub(crate) host: Host,
    pub(crate) method: Method,
    /// The path, percent-decoded, without a trailing slash.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) ip: IpAddr,
}

impl Call {
    /// A parameter of the query string.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The parameters of a form body, behind those of the query string.
    pub(crate) fn form(&self) -> Form {
        let mut all = self.query.clone();
        all.extend(url::form_urlencoded::parse(&self.body).into_owned());
        Form(all)
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The token in the `Authorization` header.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        ["bearer", "oauth"].contains(&scheme.to_ascii_lowercase().as_str()).then(|| token.trim())
    }

    /// True if a list header, such as `Accept-Encoding`, names a value.
    pub(crate) fn accepts(&self, name: &str, value: &str) -> bool {
        self.header(name).is_some_and(|own| own.to_ascii_lowercase().contains(value))
    }
}

/// Parameters of a form.
pub(crate) struct Form(pub(crate) Vec<(String, String)>);

impl Form {
    /// A parameter, `None` when absent or empty. The last one counts, which is the body's.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}
