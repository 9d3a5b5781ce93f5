//! The switches of one org.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How an org is set up. Every part can be changed while the simulator runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct OrgSettings {
    /// `Organization.OrganizationType` when the org is loaded. It decides whether there are an API
    /// and account teams, and how many calls a null `daily_api_limit` stands for.
    pub edition: String,
    /// The API is on, where the edition has one; else 403 `API_DISABLED_FOR_ORG`.
    pub api_enabled: bool,
    /// Account teams are on.
    pub account_teams: bool,
    /// Person accounts are on.
    pub person_accounts: bool,
    /// Several currencies are on.
    pub multi_currency: bool,
    /// Lists of states and countries are on: beside each name stands its code.
    pub state_lists: bool,
    /// "Enable Notes": `ContentNote` exists.
    pub enhanced_notes: bool,
    /// "Prevent login from login.salesforce.com".
    pub my_domain_login_only: bool,
    /// "Allow OAuth Username-Password Flows".
    pub password_flow: bool,
    /// The app must be installed in this org before ordinary users may authorize it.
    pub block_uninstalled_apps: bool,
    /// API Access Control: no user may use an app that is not installed.
    pub api_access_control: bool,
    /// Client ids of the apps that are installed.
    pub installed_apps: BTreeSet<String>,
    /// Stands behind `api-usage=…` in `Sforce-Limit-Info`, such as `; api-bursts=1/750`.
    pub limit_info_suffix: String,
    /// Calls allowed in 24 hours; null for what the edition gives for its active users.
    pub daily_api_limit: Option<u64>,
    /// Logins and refreshes of one user allowed in an hour; more meet `rate_limit_exceeded`.
    pub hourly_logins: usize,
    /// Bulk query jobs allowed in 24 hours.
    pub daily_bulk_query_jobs: u64,
    /// After how long queries show a committed change, in simulated milliseconds.
    pub visibility_lag_ms: i64,
    /// How long a bulk job takes, in milliseconds of real or of simulated time, whichever is over
    /// first.
    pub bulk_latency_ms: u64,
    /// Each of the next bulk query jobs takes one of these and fails with it as its `errorMessage`.
    pub bulk_failures: Vec<String>,
    /// A bulk query job that finds more rows fails with `QUERY_TIMEOUT`; null for never.
    pub bulk_timeout_rows: Option<usize>,
    /// Rows in a bulk result page when the caller names no `maxRecords`.
    pub bulk_page_rows: usize,
    /// Rows in a page of a REST query (2,000 in Salesforce, fewer for wide rows).
    pub query_page_rows: usize,
    /// The suffix of a time in bulk CSV: `Z` or `+0000`.
    pub csv_time_zone: String,
    /// The status of `INSUFFICIENT_ACCESS_OR_READONLY`: 400 or 403.
    pub readonly_status: u16,
    /// The error code of bulk results asked for too early.
    pub early_results_code: String,
    /// `/limits` needs "View Setup and Configuration".
    pub limits_need_setup: bool,
    /// Rows of a query without `ORDER BY` come in an order that is not by id.
    pub shuffle: bool,
    /// Objects whose rows only their owner, those above in the role hierarchy and "View All Data"
    /// see.
    pub private_objects: BTreeSet<String>,
    /// Records that a user cannot see: user id → record ids (18 characters).
    pub hidden_records: BTreeMap<String, BTreeSet<String>>,
    /// Records that a user sees but cannot change: user id → record ids (18 characters).
    pub readonly_records: BTreeMap<String, BTreeSet<String>>,
    /// Records that some other transaction holds: writes meet `UNABLE_TO_LOCK_ROW`.
    pub locked_records: BTreeSet<String>,
    /// Rules that refuse a write.
    pub validation_rules: Vec<ValidationRule>,
    /// Rules that refuse a record that looks like another.
    pub duplicate_rules: Vec<DuplicateRule>,
    /// Changes that a trigger makes after every save: `Object.Field` → value.
    pub trigger_values: BTreeMap<String, String>,
    /// Spell the key of a duplicate error `duplicateResut`, as Salesforce does.
    pub duplicate_typo: bool,
    /// No storage is left: creates meet `STORAGE_LIMIT_EXCEEDED`.
    pub storage_full: bool,
    /// The org is suspended: token and API calls fail.
    pub suspended: bool,
}

impl Default for OrgSettings {
    fn default() -> Self {
        Self {
            edition: "Enterprise Edition".to_owned(),
            api_enabled: true,
            account_teams: true,
            person_accounts: false,
            multi_currency: false,
            state_lists: false,
            enhanced_notes: true,
            my_domain_login_only: false,
            password_flow: false,
            block_uninstalled_apps: false,
            api_access_control: false,
            installed_apps: BTreeSet::new(),
            limit_info_suffix: String::new(),
            daily_api_limit: Some(1_000_000),
            hourly_logins: 3600,
            daily_bulk_query_jobs: 10_000,
            visibility_lag_ms: 0,
            bulk_latency_ms: 40,
            bulk_failures: Vec::new(),
            bulk_timeout_rows: None,
            bulk_page_rows: 50_000,
            query_page_rows: 2000,
            csv_time_zone: "Z".to_owned(),
            readonly_status: 400,
            early_results_code: "INVALIDJOBSTATE".to_owned(),
            limits_need_setup: false,
            shuffle: false,
            private_objects: BTreeSet::new(),
            hidden_records: BTreeMap::new(),
            readonly_records: BTreeMap::new(),
            locked_records: BTreeSet::new(),
            validation_rules: Vec::new(),
            duplicate_rules: Vec::new(),
            trigger_values: BTreeMap::new(),
            duplicate_typo: true,
            storage_full: false,
            suspended: false,
        }
    }
}

/// A validation rule: a write whose result meets the SOQL condition is refused with the message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationRule {
    /// The object it guards.
    pub object: String,
    /// A SOQL condition, such as `Phone = null AND LeadSource = 'Web'`; it refuses when true.
    pub refuse_when: String,
    /// The message for the user.
    pub message: String,
    /// The field that the message belongs to.
    #[serde(default)]
    pub field: Option<String>,
}

/// A duplicate rule: a new record that equals a live one in all of `fields` is refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DuplicateRule {
    /// The object it guards.
    pub object: String,
    /// The rule's developer name.
    pub name: String,
    /// Compared without case; a null never equals anything.
    pub fields: Vec<String>,
    /// The objects looked in; the object itself when empty.
    #[serde(default)]
    pub against: Vec<String>,
    /// Only an alert: `Sforce-Duplicate-Rule-Header: allowSave=true` passes it.
    #[serde(default)]
    pub allow_save: bool,
}
