//! The connection doctor. Pure.
//!
//! It knows the common causes that keep an org's connection from working. For each it gives the
//! evidence and the clicks in Setup that mend it.

use serde::Serialize;

use crate::capabilities::connecting::Inspection;
use crate::kernel::{Connection, ConnectionState, ReconnectReason};

/// One cause that the doctor looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The app is installed in the org and the user may use it.
    AppInstalled,
    /// Refresh tokens live long enough.
    RefreshTokenPolicy,
    /// Sessions live long enough.
    SessionTimeout,
    /// Sessions are not locked to one address.
    SessionIpLock,
    /// Our addresses are let in.
    NetworkAccess,
    /// The edition and the user have the API.
    ApiEnabled,
    /// Nothing that is needed is hidden.
    FieldVisibility,
    /// The integration user is no person who may leave.
    IntegrationUser,
    /// The org is the one that was connected.
    SameOrg,
    /// The data that came from the org can be opened.
    DataKey,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It is as it should be.
    Ok,
    /// It may cost something later.
    Warning,
    /// It keeps something from working now.
    Problem,
    /// Salesforce does not let it be seen by API: look at it in Setup.
    CannotBeSeen,
    /// Nobody has looked yet.
    NotChecked,
}

/// One check with its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The check.
    pub check: Check,
    /// Its result.
    pub finding: Finding,
    /// The evidence.
    pub evidence: String,
    /// The clicks in Salesforce's Setup.
    pub steps: &'static [&'static str],
}

impl Check {
    /// The clicks in Salesforce's Setup.
    #[must_use]
    pub fn steps(self) -> &'static [&'static str] {
        match self {
            Self::AppInstalled => &[
                "Setup > Apps > External Client Apps > External Client App Manager: install the \
                 app, or choose Connected Apps OAuth Usage and click Install beside it",
                "Open the app > Policies > OAuth Policies > Permitted Users: choose \"All users \
                 can self-authorize\", or pre-authorize the integration user by a permission set",
            ],
            Self::RefreshTokenPolicy => &[
                "Setup > Apps > External Client Apps > the app > Policies > Refresh Token Policy: \
                 \"Refresh token is valid until revoked\", or idle for no less than 30 days",
            ],
            Self::SessionTimeout => &[
                "Setup > Apps > External Client Apps > the app > Policies > Session Timeout: \
                 none, or 2 hours or more",
                "Setup > Security > Session Settings > Timeout Value: 2 hours or more",
            ],
            Self::SessionIpLock => {
                &["Setup > Security > Session Settings: clear \"Lock sessions to the IP address \
                 from which they originated\", or add our addresses to Network Access"]
            }
            Self::NetworkAccess => &[
                "Setup > Security > Network Access > New: add each of our address ranges",
                "Setup > Users > Profiles > the integration user's profile > Login IP Ranges and \
                 Login Hours: add our ranges, allow every hour",
                "Setup > Apps > External Client Apps > the app > Policies > IP Relaxation: \
                 \"Relax IP restrictions\", if ranges cannot be added",
            ],
            Self::ApiEnabled => &[
                "Setup > Users > Profiles > the integration user's profile > System Permissions: \
                 API Enabled",
                "Setup > Company Settings > Company Information > Organization Edition: \
                 Enterprise, Performance, Unlimited or Developer; Professional has the API as an \
                 add-on",
            ],
            Self::FieldVisibility => &[
                "Setup > Users > Permission Sets > the integration user's set > Object Settings > \
                 the object: Read, and View All Records",
                "There, Field Permissions: Read Access for each field that is named",
            ],
            Self::IntegrationUser => &[
                "Setup > Users > New User: a user of its own, with the license Salesforce \
                 Integration",
                "Authorize the connection again as that user; nothing is imported anew",
            ],
            Self::DataKey => &[
                "Nothing is to be done in Salesforce: the operator of this service enables the \
                 KMS key again, or lets the functions use it; what waits goes on within 15 \
                 minutes",
                "When the key service only cannot be reached, nobody has to do anything: work \
                 goes on when it answers",
            ],
            Self::SameOrg => &[
                "If the sandbox was refreshed or the org was migrated: disconnect, then connect \
                 again",
                "If somebody logged in to another org by mistake: authorize again in the right one",
            ],
        }
    }
}

/// Diagnoses a connection by its state and by the last inspection of its org.
#[must_use]
pub fn diagnose(connection: &Connection, inspection: Option<&Inspection>) -> Vec<Diagnosis> {
    let patient = Patient { connection, inspection };
    [
        (Check::AppInstalled, patient.app_installed()),
        (Check::RefreshTokenPolicy, patient.refresh_token_policy()),
        (Check::SessionTimeout, cannot_be_seen()),
        (Check::SessionIpLock, cannot_be_seen()),
        (Check::NetworkAccess, patient.network_access()),
        (Check::ApiEnabled, patient.api_enabled()),
        (Check::FieldVisibility, patient.field_visibility()),
        (Check::IntegrationUser, patient.integration_user()),
        (Check::SameOrg, patient.same_org()),
        (Check::DataKey, patient.data_key()),
    ]
    .into_iter()
    .map(|(check, (finding, evidence))| Diagnosis {
        check,
        finding,
        evidence,
        steps: check.steps(),
    })
    .collect()
}

type Found = (Finding, String);

fn cannot_be_seen() -> Found {
    (Finding::CannotBeSeen, "Salesforce does not show this setting by API".to_owned())
}

fn not_checked() -> Found {
    (Finding::NotChecked, "check the permissions first".to_owned())
}

struct Patient<'a> {
    connection: &'a Connection,
    inspection: Option<&'a Inspection>,
}

impl Patient<'_> {
    /// The last refusal of a token, if it was for one of these reasons.
    fn refused_for(&self, reasons: &[ReconnectReason]) -> Option<Found> {
        let trouble =
            self.connection.trouble.filter(|trouble| reasons.contains(&trouble.reason))?;
        let reason = <&str>::from(trouble.reason).replace('_', " ");
        let evidence = format!("Salesforce refused a token at {}: {reason}", trouble.since);
        Some((Finding::Problem, evidence))
    }

    fn works(&self, evidence: &str) -> Found {
        if self.connection.state == ConnectionState::Connected {
            (Finding::Ok, evidence.to_owned())
        } else {
            (Finding::NotChecked, "the connection does not work for another reason".to_owned())
        }
    }

    fn app_installed(&self) -> Found {
        let reasons = [
            ReconnectReason::AppNotInstalled,
            ReconnectReason::UserNotApproved,
            ReconnectReason::TokenRefused,
        ];
        self.refused_for(&reasons)
            .unwrap_or_else(|| self.works("Salesforce gives the app tokens for this user"))
    }

    fn refresh_token_policy(&self) -> Found {
        self.refused_for(&[ReconnectReason::GrantDead]).unwrap_or_else(cannot_be_seen)
    }

    fn network_access(&self) -> Found {
        self.refused_for(&[ReconnectReason::AccessRestricted])
            .unwrap_or_else(|| self.works("Salesforce answers calls from our addresses"))
    }

    fn api_enabled(&self) -> Found {
        if let Some(refused) = self.refused_for(&[ReconnectReason::UserInactive]) {
            return refused;
        }
        match self.inspection.map(|inspection| (inspection, inspection.refused.as_deref())) {
            None => not_checked(),
            Some((at, Some(code))) => {
                (Finding::Problem, format!("Salesforce answered {code} at {}", at.inspected_at))
            }
            Some((at, None)) => {
                (Finding::Ok, format!("Salesforce answered API calls at {}", at.inspected_at))
            }
        }
    }

    fn field_visibility(&self) -> Found {
        let Some(inspection) = self.inspection.filter(|i| i.refused.is_none()) else {
            return not_checked();
        };
        let mut names = Vec::new();
        for object in inspection.objects.iter().filter(|object| object.is_blocked()) {
            if !object.readable {
                names.push(object.object.to_string());
            }
            names.extend(object.hidden.iter().map(|h| format!("{}.{}", object.object, h.field)));
        }
        if names.is_empty() {
            (Finding::Ok, "everything that is needed can be seen".to_owned())
        } else {
            (Finding::Problem, format!("hidden: {}", names.join(", ")))
        }
    }

    fn integration_user(&self) -> Found {
        match self.inspection.and_then(|inspection| inspection.personal_user) {
            None => not_checked(),
            Some(true) => {
                let evidence = "the integration user has a seat: when that person leaves or \
                 changes the password policy applies, the import stops";
                (Finding::Warning, evidence.to_owned())
            }
            Some(false) => (Finding::Ok, "the integration user has no seat".to_owned()),
        }
    }

    fn data_key(&self) -> Found {
        match (self.connection.paused_since, self.connection.degraded_since) {
            (Some(since), _) => {
                (Finding::Problem, format!("the operator's key cannot be used since {since}"))
            }
            (None, Some(since)) => {
                let evidence = format!("degraded: the key service cannot be reached since {since}");
                (Finding::Warning, evidence)
            }
            (None, None) => (Finding::Ok, "what came from the org can be opened".to_owned()),
        }
    }

    fn same_org(&self) -> Found {
        self.refused_for(&[ReconnectReason::OtherOrg])
            .unwrap_or_else(|| (Finding::Ok, format!("org {}", self.connection.org_id)))
    }
}
