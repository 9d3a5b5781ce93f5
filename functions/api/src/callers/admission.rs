//! What a call must meet beside its caller's roles: the contract includes CRM sync, and a limit has
//! room. Both are decided here, by the route, for every route of a tenant.

use axum::extract::MatchedPath;
use axum::http::Method;
use axum::http::request::Parts;
use shared::capabilities::limits::{LimitError, Payer, Trigger};
use shared::kernel::TenantId;

use crate::problem::Problem;
use crate::state::Api;

/// Lets a call pass that is within the tenant's contract and within the limit of its route.
pub(super) async fn admit(
    parts: &Parts,
    api: &Api,
    tenant: TenantId,
    payer: Payer,
) -> Result<(), Problem> {
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let place = place_of(route);
    if !is_open_without_contract(&parts.method, place) {
        api.tenants.check_entitled(tenant).await?;
    }
    match trigger_of(&parts.method, place) {
        Some(trigger) => Ok(api.limits.take(tenant, payer, trigger).await?),
        None => Ok(()),
    }
}

/// The part of a route behind the tenant and its environment.
pub(super) fn place_of(route: &str) -> &str {
    let place = route.strip_prefix("/v1/tenants/{tenant}").unwrap_or(route);
    place.strip_prefix("/connections/{environment}").unwrap_or(place)
}

/// Without a contract for CRM sync a customer still sees what there is, and takes it out. The
/// product gives the contract back.
fn is_open_without_contract(method: &Method, place: &str) -> bool {
    let is_shown = ["", "/purges/{purge}"].contains(&place);
    let is_contract = method == Method::PATCH && place.is_empty();
    method == Method::DELETE || is_contract || (is_read(method) && is_shown)
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// The work that a call triggers; none for one that only reads.
fn trigger_of(method: &Method, place: &str) -> Option<Trigger> {
    // Every question costs requests of the org's own allowance.
    if place.starts_with("/seats/{seat}/crm/") {
        return Some(Trigger::Question);
    }
    // Badges are asked for by POST: a hundred ids are too long for a query.
    if is_read(method) || place.ends_with("/badges") {
        return None;
    }
    Some(match (method.as_str(), place) {
        ("POST", "/match-runs") | ("PUT", "/model" | "/match-rules") => Trigger::Rematch,
        ("POST", "/models") => Trigger::Tuning,
        ("POST", "/exports") => Trigger::Export,
        ("POST", "/runs" | "/field-mappings/copy")
        | ("PUT", "/field-mappings" | "/record-filters" | "/account-model") => Trigger::ImportRun,
        (
            "POST",
            "/permissions/check"
            | "/field-mappings/preview"
            | "/saving/dry-run"
            | "/match-rules/preview",
        ) => Trigger::Inspection,
        ("POST", "/authorize" | "/seats/{seat}/authorize") => Trigger::Authorization,
        ("POST", "/crm-votes") => Trigger::Vote,
        ("POST", "/activities") => Trigger::Activity,
        ("POST", "/activities/retroactive") => Trigger::Retroactive,
        ("POST", "/seats/{seat}/bulks" | "/seats/{seat}/bulks/{bulk}/undo") => Trigger::Bulk,
        (_, place) if place.ends_with("/corrections") => Trigger::Correction,
        _ => Trigger::Change,
    })
}

impl From<LimitError> for Problem {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Reached { retry_after, .. } => {
                Self::too_many(error.to_string(), retry_after)
            }
            LimitError::Work(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trigger_has_its_own_limit_and_what_only_reads_has_none() {
        let of = |method: &str, route: &str| trigger_of(&method.parse().unwrap(), place_of(route));
        let connection = "/v1/tenants/{tenant}/connections/{environment}";
        for (method, place, trigger) in [
            ("POST", "/match-runs", Trigger::Rematch),
            ("POST", "/runs", Trigger::ImportRun),
            ("POST", "/models", Trigger::Tuning),
            ("PUT", "/model", Trigger::Rematch),
            ("POST", "/exports", Trigger::Export),
            ("POST", "/permissions/check", Trigger::Inspection),
            ("POST", "/saving/dry-run", Trigger::Inspection),
            ("POST", "/authorize", Trigger::Authorization),
            ("POST", "/seats/{seat}/authorize", Trigger::Authorization),
            ("POST", "/activities", Trigger::Activity),
            ("POST", "/activities/retroactive", Trigger::Retroactive),
            ("POST", "/seats/{seat}/bulks", Trigger::Bulk),
            ("POST", "/seats/{seat}/bulks/{bulk}/undo", Trigger::Bulk),
            ("POST", "/matches/{object}/{record}/corrections", Trigger::Correction),
            ("PATCH", "/settings", Trigger::Change),
        ] {
            let route = format!("{connection}{place}");
            assert_eq!(of(method, &route), Some(trigger), "{method} {route}");
            assert_eq!(of("GET", &route), None, "{route}");
        }
        assert_eq!(of("POST", "/v1/tenants/{tenant}/crm-votes"), Some(Trigger::Vote));
        let question = format!("{connection}/seats/{{seat}}/crm/forms/{{object}}");
        assert_eq!(of("GET", &question), Some(Trigger::Question), "it costs the org's own calls");
        assert_eq!(of("POST", &format!("{connection}/seats/{{seat}}/badges")), None);
    }
}
