//! What a mail says of an event: what happened, and what to do. It names a tenant, an environment
//! and a run, and no person.

use shared::kernel::{Event, Occurrence, ReconnectReason, Scope};

/// The words for something that happened.
struct Words {
    happened: String,
    to_do: String,
}

/// The subject and the text of the mail for `event`.
pub(super) fn mail(event: &Event) -> (String, String) {
    let Words { happened, to_do } = words(&event.occurrence);
    let Scope { tenant, environment, .. } = event.scope;
    let subject = format!("crm-sync: {happened} ({tenant}, {environment})");
    let path = format!("/v1/tenants/{tenant}/connections/{environment}");
    let path = match event.occurrence.run() {
        Some(run) => format!("{path}/runs/{run}"),
        None => path,
    };
    let (name, time) = (event.occurrence.name(), event.time);
    let text = format!(
        "This happened: {happened}.\n\
         \n\
         Tenant: {tenant}\n\
         Environment: {environment}\n\
         Event: {name}, {time}\n\
         In the API: {path}\n\
         \n\
         What to do: {to_do}\n\
         \n\
         Should it happen again to this connection within the hour, no other mail tells of it."
    );
    (subject, text)
}

fn words(occurrence: &Occurrence) -> Words {
    let nothing = "nothing.";
    let (happened, to_do): (&str, String) = match occurrence {
        Occurrence::Connected => ("an org was connected", nothing.into()),
        Occurrence::ReconnectRequired { reason, lapses_at, .. } => {
            let (happened, to_do) = reconnect(*reason);
            (happened, format!("{to_do} Work is kept until {lapses_at}."))
        }
        Occurrence::Restored { .. } => ("the connection works again", nothing.into()),
        Occurrence::Lapsed { since } => (
            "nobody mended the connection for three days",
            format!(
                "an admin authorizes it again. It has not worked since {since}; 30 days after that \
                 its data is deleted."
            ),
        ),
        Occurrence::Paused { since } => (
            "the connection's data cannot be opened",
            format!("give back the key that is gone since {since}. Work is kept."),
        ),
        Occurrence::Resumed { .. } => ("the connection's data can be opened again", nothing.into()),
        Occurrence::Disconnected => {
            ("the org was disconnected, and its data is being deleted", nothing.into())
        }
        Occurrence::Purged => (
            "nothing of the disconnected org is left",
            "nothing; the certificate is in the API.".into(),
        ),
        Occurrence::ImportStarted { .. } => ("an import began", nothing.into()),
        Occurrence::ImportCompleted { .. } => ("an import ended well", nothing.into()),
        Occurrence::ImportFailed { .. } => (
            "an import failed",
            "the API tells why at the address above. Mend that, and start another one.".into(),
        ),
        Occurrence::ImportCancelled { .. } => ("an import was called off", nothing.into()),
        Occurrence::ImportStalled { since, .. } => (
            "an import gives no sign of life",
            format!(
                "its last one was at {since}: look into the log of that time and at the dead \
                 letters. Should it not go on, call it off and start another one."
            ),
        ),
        Occurrence::ImportStoodBack { until, .. } => {
            ("an import leaves the org's API to others", format!("nothing; it goes on at {until}."))
        }
    };
    Words { happened: happened.to_owned(), to_do }
}

/// Why a connection does not work, and who mends it how.
fn reconnect(reason: ReconnectReason) -> (&'static str, &'static str) {
    match reason {
        ReconnectReason::GrantDead => {
            ("the connection's login is gone", "an admin authorizes the connection again.")
        }
        ReconnectReason::UserInactive => (
            "the connection's user in Salesforce is inactive or frozen",
            "the org's admin activates the user, or authorizes the connection with another one.",
        ),
        ReconnectReason::AppNotInstalled => (
            "the app is not installed in the org",
            "the org's admin installs it, and authorizes the connection again.",
        ),
        ReconnectReason::UserNotApproved => (
            "the connection's user is not approved for the app",
            "the org's admin approves the user for the app in Setup.",
        ),
        ReconnectReason::AccessRestricted => (
            "the org does not let the connection in",
            "the org's admin lets this server's addresses in, at every hour.",
        ),
        ReconnectReason::TokenRefused => (
            "Salesforce refuses the connection's token for a reason that is not known",
            "an admin authorizes the connection again, and reads what Salesforce says there.",
        ),
        ReconnectReason::OtherOrg => (
            "another org answers at the connection's login",
            "disconnect the connection, and connect the org that is there now.",
        ),
    }
}
