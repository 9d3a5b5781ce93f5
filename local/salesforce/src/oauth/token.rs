//! The token endpoint, revocation and introspection.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::authorize::find_user;
use crate::call::{Call, Form};
use crate::grants::{App, AppPolicy, Grantee, Issued, OAuth, Refusal};
use crate::ids::RecordId;
use crate::org::Org;
use crate::reply::{empty, json};
use crate::sync::{lock, read};

/// An hour.
const HOUR_MS: i64 = 3_600_000;

fn refused((error, description): Refusal) -> Response<Body> {
    let body = json!({ "error": error, "error_description": description });
    json(StatusCode::BAD_REQUEST, &body)
}

/// `POST /services/oauth2/token`.
pub(super) fn token(call: &Call) -> Response<Body> {
    let form = call.form();
    let answered = match form.get("grant_type") {
        Some("authorization_code") => exchange(call, &form),
        Some("refresh_token") => refresh(call, &form),
        Some("client_credentials") => client_credentials(call, &form),
        Some("password") => password(call, &form),
        _ => Err(("unsupported_grant_type", "grant type not supported")),
    };
    match answered {
        Ok(body) => json(StatusCode::OK, &body),
        Err(refusal) => refused(refusal),
    }
}

/// The client's id and secret, from the body or from HTTP Basic.
fn credentials(call: &Call, form: &Form) -> (Option<String>, Option<String>) {
    let basic = call.header("authorization").and_then(|value| value.strip_prefix("Basic "));
    let basic = basic.and_then(|value| STANDARD.decode(value.trim()).ok());
    let basic = basic.and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some((id, secret)) = basic.as_deref().and_then(|text| text.split_once(':')) {
        let decode = |text: &str| {
            url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
                .next()
                .map(|(_, value)| value.into_owned())
        };
        return (decode(id), decode(secret));
    }
    (form.get("client_id").map(str::to_owned), form.get("client_secret").map(str::to_owned))
}

fn client(
    oauth: &OAuth,
    call: &Call,
    form: &Form,
    secret_needed: impl Fn(&AppPolicy) -> bool,
) -> Result<std::sync::Arc<App>, Refusal> {
    let (id, secret) = credentials(call, form);
    let app = id
        .and_then(|id| oauth.app(&id))
        .ok_or(("invalid_client_id", "client identifier invalid"))?;
    match secret {
        Some(secret) if secret == app.client_secret => Ok(app),
        None if !secret_needed(&app.policy) => Ok(app),
        _ => Err(("invalid_client", "invalid client credentials")),
    }
}

fn exchange(call: &Call, form: &Form) -> Result<serde_json::Value, Refusal> {
    let now = call.world.clock.now();
    let mut oauth = lock(&call.world.oauth);
    let app = client(&oauth, call, form, |policy| policy.require_secret)?;
    let invalid = ("invalid_grant", "invalid authorization code");
    let code = form.get("code").ok_or(("invalid_request", "must supply code"))?;
    let entry = oauth.codes.get_mut(code).ok_or(invalid)?;
    if entry.request.client_id != app.client_id {
        return Err(invalid);
    }
    if entry.used || entry.expires <= now {
        return Err(("invalid_grant", "expired authorization code"));
    }
    if form.get("redirect_uri") != Some(entry.request.redirect_uri.as_str()) {
        return Err(("redirect_uri_mismatch", "redirect_uri must match configuration"));
    }
    if let Some(challenge) = &entry.request.challenge {
        let verifier =
            form.get("code_verifier").ok_or(("invalid_grant", "missing required code verifier"))?;
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        // RFC 7636 allows 128 characters, but jsforce sends the 171 that 128 random bytes make, and
        // is let in.
        if !(43..=171).contains(&verifier.len()) || digest != challenge.trim_end_matches('=') {
            return Err(("invalid_grant", "invalid code verifier"));
        }
    }
    let (org_id, user, scope) = (entry.org, entry.user, entry.request.scope.clone());
    let org = call.world.org_by_id(org_id).filter(|org| call.host.serves(org)).ok_or(invalid)?;
    entry.used = true;
    let policy = oauth.policy(&org.label, &app);
    usable(call, &org, user, &app, &policy)?;
    within_rate(&mut oauth, &org, user, now)?;
    let to = Grantee { org: &org, user, app: &app, scope: &scope };
    let issued = oauth.grant(&to, &policy, &call.world.random, now);
    Ok(body(call, &app, &org, &issued, now))
}

fn refresh(call: &Call, form: &Form) -> Result<serde_json::Value, Refusal> {
    let now = call.world.clock.now();
    let mut oauth = lock(&call.world.oauth);
    let app = client(&oauth, call, form, |policy| policy.require_secret_for_refresh)?;
    let token =
        form.get("refresh_token").ok_or(("invalid_request", "must supply refresh_token"))?;
    let expired = ("invalid_grant", "expired access/refresh token");
    let index = *oauth.refresh_tokens.get(token).ok_or(expired)?;
    let (org_id, user) = (oauth.grants[index].org, oauth.grants[index].user);
    let org = call.world.org_by_id(org_id).filter(|org| call.host.serves(org)).ok_or(expired)?;
    let policy = oauth.policy(&org.label, &app);
    usable(call, &org, user, &app, &policy)?;
    within_rate(&mut oauth, &org, user, now)?;
    let label = org.label.clone();
    let policy_of = |oauth: &OAuth, _: RecordId| oauth.policy(&label, &app);
    let ip = call.ip.to_string();
    let issued = oauth.refresh(token, &app, policy_of, &ip, &call.world.random, now)?;
    Ok(body(call, &app, &org, &issued, now))
}

/// The flow without a person: the org's own host only, and the user that the org's administrator
/// has chosen; here the first one.
fn client_credentials(call: &Call, form: &Form) -> Result<serde_json::Value, Refusal> {
    let now = call.world.clock.now();
    let mut oauth = lock(&call.world.oauth);
    let app = client(&oauth, call, form, |_| true)?;
    if call.host.is_generic() {
        return Err(("invalid_request", "request not supported on this domain"));
    }
    let org = call
        .host
        .served(call.world.orgs())
        .into_iter()
        .next()
        .ok_or(("invalid_grant", "no client credentials user enabled"))?;
    let user =
        read(&org.data).table("User").and_then(|table| table.iter().next().map(|(id, _)| id));
    let user = user.ok_or(("invalid_grant", "no client credentials user enabled"))?;
    let policy = oauth.policy(&org.label, &app);
    usable(call, &org, user, &app, &policy)?;
    let to = Grantee { org: &org, user, app: &app, scope: "api id" };
    let issued = oauth.grant(&to, &policy, &call.world.random, now);
    Ok(body(call, &app, &org, &issued, now))
}

/// The flow with a person's own password, which orgs made since 2023 have switched off. No refresh
/// token comes of it.
fn password(call: &Call, form: &Form) -> Result<serde_json::Value, Refusal> {
    let now = call.world.clock.now();
    let mut oauth = lock(&call.world.oauth);
    let app = client(&oauth, call, form, |_| true)?;
    let failure = ("invalid_grant", "authentication failure");
    let (Some(username), Some(_)) = (form.get("username"), form.get("password")) else {
        return Err(failure);
    };
    let (org, user) = find_user(call, username).ok_or(failure)?;
    if !read(&org.data).settings.password_flow {
        return Err(failure);
    }
    let policy = oauth.policy(&org.label, &app);
    usable(call, &org, user, &app, &policy)?;
    within_rate(&mut oauth, &org, user, now)?;
    let to = Grantee { org: &org, user, app: &app, scope: "api id" };
    let issued = oauth.grant(&to, &policy, &call.world.random, now);
    Ok(body(call, &app, &org, &issued, now))
}

/// Counts a login of the user, unless there were too many in the last hour.
fn within_rate(oauth: &mut OAuth, org: &Org, user: RecordId, now: i64) -> Result<(), Refusal> {
    let most = read(&org.data).settings.hourly_logins;
    let logins = oauth.logins.entry((org.id, user)).or_default();
    logins.retain(|at| *at > now - HOUR_MS);
    if logins.len() >= most {
        return Err(("rate_limit_exceeded", "login rate exceeded"));
    }
    logins.push(now);
    Ok(())
}

/// True if the user may use the app now.
fn usable(
    call: &Call,
    org: &Org,
    user: RecordId,
    app: &App,
    policy: &AppPolicy,
) -> Result<(), Refusal> {
    let data = read(&org.data);
    if data.settings.suspended {
        return Err(("inactive_org", "organization is suspended"));
    }
    if policy.cross_org_blocked {
        return Err((
            "invalid_client",
            "Cross-org OAuth flows are not supported for this external client app",
        ));
    }
    if data.settings.block_uninstalled_apps
        && !data.settings.installed_apps.contains(&app.client_id)
    {
        return Err(("invalid_client", "app must be installed into org"));
    }
    if data.settings.api_access_control && !data.settings.installed_apps.contains(&app.client_id) {
        return Err(("invalid_grant", "this app is blocked by admin"));
    }
    if !data.value(user, "IsActive").is_true() || data.value(user, "IsFrozen__sim").is_true() {
        return Err(("invalid_grant", "user is inactive"));
    }
    let username = data.text(user, "Username");
    if policy.admin_approval_only && !policy.approved_usernames.contains(&username) {
        return Err(("invalid_grant", "user is not admin approved to access this app"));
    }
    if !AppPolicy::admits(policy.ip_ranges.as_deref(), &call.ip.to_string()) {
        return Err(("invalid_grant", "ip restricted"));
    }
    if data.settings.my_domain_login_only && call.host.is_generic() {
        return Err(("invalid_grant", "authentication failure"));
    }
    Ok(())
}

fn body(call: &Call, app: &App, org: &Org, issued: &Issued, now: i64) -> serde_json::Value {
    let id = format!("{}/id/{}/{}", call.host.login_url(org), issued.org, issued.user);
    let issued_at = now.to_string();
    let signature =
        STANDARD.encode(hmac(app.client_secret.as_bytes(), format!("{id}{issued_at}").as_bytes()));
    let mut body = json!({
        "access_token": issued.access_token,
        "signature": signature,
        "scope": issued.scope,
        "instance_url": call.host.instance_url(org),
        "id": id,
        "token_type": "Bearer",
        "issued_at": issued_at,
    });
    if let Some(refresh_token) = &issued.refresh_token {
        body["refresh_token"] = refresh_token.as_str().into();
    }
    body
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner =
        Sha256::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize().into()
}

/// `/services/oauth2/revoke`.
pub(super) fn revoke(call: &Call) -> Response<Body> {
    let form = call.form();
    let mut oauth = lock(&call.world.oauth);
    let Some(token) = form.get("token") else {
        return refused(("invalid_request", "must supply token"));
    };
    if oauth.sessions.remove(token).is_some() {
        return empty(StatusCode::OK);
    }
    match oauth.refresh_tokens.get(token).copied() {
        Some(index) if oauth.grants[index].ended.is_none() => {
            oauth.end(index, "revoked by the app");
            empty(StatusCode::OK)
        }
        Some(_) => refused(("invalid_token", "token is invalid or already revoked")),
        None => refused(("unsupported_token_type", "this token type is not supported")),
    }
}

/// `POST /services/oauth2/introspect`.
pub(super) fn introspect(call: &Call) -> Response<Body> {
    let form = call.form();
    let now = call.world.clock.now();
    let oauth = lock(&call.world.oauth);
    if let Err(refusal) = client(&oauth, call, &form, |_| true) {
        return json(
            StatusCode::UNAUTHORIZED,
            &json!({ "error": refusal.0, "error_description": refusal.1 }),
        );
    }
    let Some(token) = form.get("token") else {
        return refused(("invalid_request", "must supply token"));
    };
    let session = oauth.sessions.get(token).filter(|session| session.expires > now);
    let refresh = oauth
        .refresh_tokens
        .get(token)
        .filter(|index| oauth.grants[**index].refresh_token.as_deref() == Some(token));
    let (kind, index, expires) = match (session, refresh) {
        (Some(session), _) => ("access_token", session.grant, Some(session.expires)),
        (None, Some(index)) => ("refresh_token", *index, None),
        (None, None) => return json(StatusCode::OK, &json!({ "active": false })),
    };
    let grant = &oauth.grants[index];
    let Some(org) = call.world.org_by_id(grant.org).filter(|_| grant.ended.is_none()) else {
        return json(StatusCode::OK, &json!({ "active": false }));
    };
    let mut body = json!({
        "active": true,
        "scope": grant.scope,
        "client_id": grant.client_id,
        "username": read(&org.data).text(grant.user, "Username"),
        "sub": format!("{}/id/{}/{}", call.host.login_url(&org), grant.org, grant.user),
        "token_type": kind,
        "iat": grant.created / 1000,
        "nbf": grant.created / 1000,
    });
    if let Some(expires) = expires {
        body["exp"] = (expires / 1000).into();
    }
    json(StatusCode::OK, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha256() {
        // RFC 4231, test case 2.
        let digest = hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(digest[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert_eq!(digest[28..], [0x64, 0xec, 0x38, 0x43]);
    }
}
