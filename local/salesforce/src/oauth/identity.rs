//! Who a token belongs to: `userinfo` and the identity URL.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::{Map, Value as Json, json};

use crate::call::Call;
use crate::ids::RecordId;
use crate::org::{Org, OrgData};
use crate::reply::{json, reply};
use crate::storage::Value;
use crate::sync::{lock, read};

/// `/services/oauth2/userinfo`.
pub(super) fn userinfo(call: &Call) -> Response<Body> {
    let Some((org, user, scope)) = owner(call, call.bearer()) else {
        return reply(StatusCode::FORBIDDEN, "text/plain", "Bad_OAuth_Token");
    };
    // The sf CLI asks with the scopes `refresh_token api web` alone.
    let admitted = ["openid", "id", "profile", "full", "api", "web"];
    if !scope.split(' ').any(|own| admitted.contains(&own)) {
        return reply(StatusCode::FORBIDDEN, "text/plain", "Missing_OAuth_Scope");
    }
    let data = read(&org.data);
    let base = call.host.instance_url(&org);
    let text = |field: &str| data.text(user, field);
    let body = json!({
        "sub": format!("{}/id/{}/{user}", call.host.login_url(&org), org.id),
        "user_id": user.to_string(),
        "organization_id": org.id.to_string(),
        "preferred_username": text("Username"),
        "nickname": text("CommunityNickname"),
        "name": text("Name"),
        "email": text("Email"),
        "email_verified": true,
        "given_name": optional(&data, user, "FirstName"),
        "family_name": text("LastName"),
        "zoneinfo": text("TimeZoneSidKey"),
        "photos": photos(&base),
        "profile": format!("{base}/{user}"),
        "picture": format!("{base}/profilephoto/005/F"),
        "address": { "country": optional(&data, user, "Country") },
        "urls": urls(&base, org.id, user),
        "active": data.value(user, "IsActive").is_true(),
        "user_type": "STANDARD",
        "language": text("LanguageLocaleKey"),
        "locale": text("LocaleSidKey"),
        "utcOffset": -28_800_000,
        "updated_at": modified(&data, user),
        "is_app_installed": true,
    });
    json(StatusCode::OK, &body)
}

/// `/id/{org}/{user}`.
pub(crate) fn identity(call: &Call, org_id: &str, user_id: &str) -> Response<Body> {
    let token = call.bearer().or_else(|| call.param("oauth_token"));
    if token.is_none() {
        return reply(StatusCode::FORBIDDEN, "text/plain", "Missing_OAuth_Token");
    }
    let owned = owner(call, token).filter(|(org, user, _)| {
        RecordId::parse(org_id) == Some(org.id) && RecordId::parse(user_id) == Some(*user)
    });
    let Some((org, user, _)) = owned else {
        return reply(StatusCode::FORBIDDEN, "text/plain", "Bad_OAuth_Token");
    };
    let data = read(&org.data);
    let base = call.host.instance_url(&org);
    let text = |field: &str| data.text(user, field);
    let body = json!({
        "id": format!("{}/id/{}/{user}", call.host.login_url(&org), org.id),
        "asserted_user": true,
        "user_id": user.to_string(),
        "organization_id": org.id.to_string(),
        "username": text("Username"),
        "nick_name": text("CommunityNickname"),
        "display_name": text("Name"),
        "email": text("Email"),
        "email_verified": true,
        "first_name": optional(&data, user, "FirstName"),
        "last_name": text("LastName"),
        "timezone": text("TimeZoneSidKey"),
        "photos": photos(&base),
        "addr_street": null, "addr_city": null, "addr_state": null, "addr_country": null,
            "addr_zip": null,
        "mobile_phone": optional(&data, user, "MobilePhone"),
        "mobile_phone_verified": false,
        "is_lightning_login_user": false,
        "status": { "created_date": null, "body": null },
        "urls": urls(&base, org.id, user),
        "active": data.value(user, "IsActive").is_true(),
        "user_type": "STANDARD",
        "language": text("LanguageLocaleKey"),
        "locale": text("LocaleSidKey"),
        "utcOffset": -28_800_000,
        "last_modified_date": modified(&data, user),
        "is_app_installed": true,
    });
    json(StatusCode::OK, &body)
}

/// The org, user and scope of a token.
fn owner(call: &Call, token: Option<&str>) -> Option<(std::sync::Arc<Org>, RecordId, String)> {
    let now = call.world.clock.now();
    let (org, user, _, scope) = lock(&call.world.oauth).use_session(token?, now)?;
    let org = call.world.org_by_id(org)?;
    Some((org, user, scope))
}

fn optional(data: &OrgData, user: RecordId, field: &str) -> Json {
    data.value(user, field).to_json()
}

fn modified(data: &OrgData, user: RecordId) -> Json {
    match data.value(user, "LastModifiedDate") {
        Value::Time(at) => crate::storage::format_date_time(at, "Z").into(),
        _ => Json::Null,
    }
}

fn photos(base: &str) -> Json {
    json!({
        "picture": format!("{base}/profilephoto/005/F"),
        "thumbnail": format!("{base}/profilephoto/005/T"),
    })
}

fn urls(base: &str, org: RecordId, user: RecordId) -> Json {
    let mut urls = Map::new();
    for (name, path) in [
        ("enterprise", format!("/services/Soap/c/{{version}}/{}", org.short())),
        ("metadata", format!("/services/Soap/m/{{version}}/{}", org.short())),
        ("partner", format!("/services/Soap/u/{{version}}/{}", org.short())),
        ("rest", "/services/data/v{version}/".to_owned()),
        ("sobjects", "/services/data/v{version}/sobjects/".to_owned()),
        ("search", "/services/data/v{version}/search/".to_owned()),
        ("query", "/services/data/v{version}/query/".to_owned()),
        ("recent", "/services/data/v{version}/recent/".to_owned()),
        ("tooling_soap", format!("/services/Soap/T/{{version}}/{}", org.short())),
        ("tooling_rest", "/services/data/v{version}/tooling/".to_owned()),
        ("profile", format!("/{user}")),
        ("feeds", "/services/data/v{version}/chatter/feeds".to_owned()),
    ] {
        urls.insert(name.to_owned(), format!("{base}{path}").into());
    }
    urls.insert("custom_domain".to_owned(), base.into());
    Json::Object(urls)
}
