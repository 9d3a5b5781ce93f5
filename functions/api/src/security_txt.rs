//! `security.txt` (RFC 9116): where somebody writes who found a weakness.

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use jiff::SignedDuration;

use crate::openapi::PLAIN;
use crate::problem::Problem;
use crate::state::Api;

/// The text is good for half a year from whenever it is asked for.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(180 * 24);

/// The text; not found where nobody configured a contact.
pub(crate) async fn show(
    State(api): State<Api>,
) -> Result<([(HeaderName, &'static str); 1], String), Problem> {
    let contact =
        api.security_contact.clone().ok_or_else(|| Problem::not_found("security contact"))?;
    let expires = api.ports.clock.now() + GOOD_FOR;
    let text = format!("Contact: {contact}\nExpires: {expires:.0}\nPreferred-Languages: en\n");
    Ok(([(CONTENT_TYPE, PLAIN)], text))
}
