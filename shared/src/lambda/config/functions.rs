//! What each function reads. `template.yaml` sets exactly these variables: a test compares them.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::{Config, Variables};
use crate::aws::AwsConfig;
use crate::capabilities::connecting::NetworkAccess;
use crate::capabilities::leaving::PurgeSteps;
use crate::kernel::{Queue, is_this_machine, security_contact};
use crate::salesforce::ApiVersion;

/// Which services a function uses.
struct Needs {
    bucket: bool,
    keys: bool,
    queues: &'static [Queue],
}

/// `TABLE_NAME`; where they are needed `BUCKET_NAME`, `KMS_KEY_ID`, and the addresses of the
/// queues: `IMPORT_QUEUE_URL`, `MATCH_QUEUE_URL`, `AUTO_SAVE_QUEUE_URL`, `WRITEBACK_QUEUE_URL`,
/// `CARE_QUEUE_URL`, `TELLING_QUEUE_URL`, `PURGE_QUEUE_URL`, `DIRECTORY_QUEUE_URL`.
fn aws(variables: &mut Variables, needs: &Needs) -> Option<AwsConfig> {
    let table_name = variables.required("TABLE_NAME");
    let bucket_name = needs.bucket.then(|| variables.required("BUCKET_NAME"));
    let kms_key_id = needs.keys.then(|| variables.required("KMS_KEY_ID"));
    let queue_urls: Vec<_> = needs
        .queues
        .iter()
        .map(|queue| Some((*queue, variables.required(queue_variable(*queue))?)))
        .collect();
    Some(AwsConfig {
        table_name: table_name?,
        bucket_name: bucket_name.flatten(),
        kms_key_id: kms_key_id.flatten(),
        event_bus_name: None,
        queue_urls: queue_urls.into_iter().collect::<Option<_>>()?,
    })
}

fn queue_variable(queue: Queue) -> &'static str {
    match queue {
        Queue::Import => "IMPORT_QUEUE_URL",
        Queue::Match => "MATCH_QUEUE_URL",
        Queue::AutoSave => "AUTO_SAVE_QUEUE_URL",
        Queue::Writeback => "WRITEBACK_QUEUE_URL",
        Queue::Care => "CARE_QUEUE_URL",
        Queue::Telling => "TELLING_QUEUE_URL",
        Queue::Purge => "PURGE_QUEUE_URL",
        Queue::Directory => "DIRECTORY_QUEUE_URL",
    }
}

fn url(variables: &mut Variables, name: &'static str) -> Option<Url> {
    let text = variables.required(name);
    variables.parsed(name, text, "an http or https address", |text| {
        Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()))
    })
}

/// An address on this machine. Anything else would send people's logins elsewhere.
fn loopback(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let on_loopback = is_this_machine(&url.host()?);
    (on_loopback && url.scheme() == "http" && url.username().is_empty()).then_some(url)
}

/// What a function knows of our app at Salesforce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppConfig {
    /// `APP_SECRET_ID`: the secret with the app's consumer key and secret.
    Secret(String),
    /// `SALESFORCE_CLIENT_ID`: the app's consumer key alone, for who only begins authorizations or
    /// revokes tokens.
    ClientId(String),
}

/// How our app at Salesforce is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SalesforceConfig {
    /// What is known of the app.
    pub app: AppConfig,
    /// `SALESFORCE_API_VERSION`, as in `v62.0`, which it is when it is not set.
    pub api_version: ApiVersion,
    /// `SALESFORCE_CA_FILE`: certificate authorities trusted beside the system's, in PEM; for the
    /// simulator on one machine.
    pub ca_file: Option<PathBuf>,
    /// `PUBLIC_BASE_URL`: the address of the API as browsers see it.
    pub public_base: Url,
}

fn salesforce(variables: &mut Variables) -> Option<SalesforceConfig> {
    let app = variables.required("APP_SECRET_ID").map(AppConfig::Secret);
    salesforce_of(variables, app)
}

fn salesforce_without_secret(variables: &mut Variables) -> Option<SalesforceConfig> {
    let app = variables.required("SALESFORCE_CLIENT_ID").map(AppConfig::ClientId);
    salesforce_of(variables, app)
}

fn salesforce_of(variables: &mut Variables, app: Option<AppConfig>) -> Option<SalesforceConfig> {
    let name = "SALESFORCE_API_VERSION";
    let version = variables.optional(name);
    let version = variables.parsed(name, version, "of the form v62.0", |text| {
        text.strip_prefix('v')?.strip_suffix(".0")?.parse().ok().map(ApiVersion::new)
    });
    let ca_file = variables.optional("SALESFORCE_CA_FILE").map(PathBuf::from);
    let public_base = url(variables, "PUBLIC_BASE_URL");
    Some(SalesforceConfig {
        app: app?,
        api_version: version.unwrap_or_default(),
        ca_file,
        public_base: public_base?,
    })
}

/// `PURGE_GRACE_SECONDS`; 900 when it is not set.
fn purge_grace(variables: &mut Variables) -> Duration {
    let name = "PURGE_GRACE_SECONDS";
    let text = variables.optional(name);
    let seconds = variables.parsed(name, text, "a number of seconds", |text| text.parse().ok());
    seconds.map_or(PurgeSteps::GRACE, Duration::from_secs)
}

/// Whose tokens the API takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallersConfig {
    /// `JWT_ISSUER`: who must have issued a token.
    pub issuer: String,
    /// `JWT_AUDIENCE`: for whom it must be.
    pub audience: String,
    /// `JWKS_URL`: the issuer's key set.
    pub jwks_url: Url,
}

fn callers(variables: &mut Variables) -> Option<CallersConfig> {
    let issuer = variables.required("JWT_ISSUER");
    let audience = variables.required("JWT_AUDIENCE");
    let jwks_url = url(variables, "JWKS_URL");
    Some(CallersConfig { issuer: issuer?, audience: audience?, jwks_url: jwks_url? })
}

/// `BROWSER_AUTHORIZE_BASE`.
fn browser_base(variables: &mut Variables) -> Option<Url> {
    let name = "BROWSER_AUTHORIZE_BASE";
    let base = variables.optional(name);
    variables.parsed(name, base, "an http address on loopback", loopback)
}

/// `EGRESS_RANGES`, separated by commas.
fn network_access(variables: &mut Variables) -> Option<NetworkAccess> {
    let name = "EGRESS_RANGES";
    let text = variables.optional(name).unwrap_or_default();
    let expected = "address ranges such as 203.0.113.7/32, separated by commas";
    variables.parsed(name, Some(text), expected, |text| {
        let ranges = text.split(',').map(str::trim).filter(|range| !range.is_empty());
        NetworkAccess::of(ranges.map(str::to_owned).collect())
    })
}

/// The configuration of `api`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// Everything of AWS.
    pub aws: AwsConfig,
    /// `SECRET_PREFIX`: how the names of the connections' secrets begin.
    pub secret_prefix: String,
    /// Our app at Salesforce.
    pub salesforce: SalesforceConfig,
    /// `BROWSER_AUTHORIZE_BASE`: replaces the login host in the address that a browser is sent to.
    /// Empty in AWS; only an http address on loopback is taken.
    pub browser_base: Option<Url>,
    /// Whose tokens are taken.
    pub callers: CallersConfig,
    /// Where this deployment's calls to Salesforce come from.
    pub network_access: NetworkAccess,
    /// `SECURITY_CONTACT`: where somebody writes who found a weakness.
    pub security_contact: Option<Url>,
}

impl Config for ApiConfig {
    fn read(variables: &mut Variables) -> Option<Self> {
        let aws = aws(variables, &Needs { bucket: true, keys: true, queues: &Queue::ALL });
        let secret_prefix = variables.required("SECRET_PREFIX");
        let salesforce = salesforce_without_secret(variables);
        let browser_base = browser_base(variables);
        let callers = callers(variables);
        let network_access = network_access(variables);
        let name = "SECURITY_CONTACT";
        let contact = variables.optional(name);
        let expected = "an address that begins with mailto: or https:";
        let security_contact = variables.parsed(name, contact, expected, security_contact);
        Some(Self {
            aws: aws?,
            secret_prefix: secret_prefix?,
            salesforce: salesforce?,
            browser_base,
            callers: callers?,
            network_access: network_access?,
            security_contact,
        })
    }
}

/// The configuration of `ask`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskConfig {
    /// The table, the key, and the queue of events.
    pub aws: AwsConfig,
    /// `SECRET_PREFIX`: how the names of the connections' secrets begin.
    pub secret_prefix: String,
    /// Our app at Salesforce.
    pub salesforce: SalesforceConfig,
    /// Whose tokens are taken.
    pub callers: CallersConfig,
}

impl Config for AskConfig {
    fn read(variables: &mut Variables) -> Option<Self> {
        let aws = aws(variables, &Needs { bucket: false, keys: true, queues: &[Queue::Telling] });
        let secret_prefix = variables.required("SECRET_PREFIX");
        let salesforce = salesforce(variables);
        let callers = callers(variables);
        Some(Self {
            aws: aws?,
            secret_prefix: secret_prefix?,
            salesforce: salesforce?,
            callers: callers?,
        })
    }
}

/// The OpenID Connect issuer at which people log in to the console: that of the callers' tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleLogin {
    /// `JWT_ISSUER`: its address.
    pub issuer: Url,
    /// `CONSOLE_CLIENT_ID`: what it knows the console as.
    pub client_id: String,
    /// `CONSOLE_CLIENT_SECRET_ID`: the secret with the client's own. There is none for a client
    /// that has none.
    pub client_secret_id: String,
}

/// The configuration of `console`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleConfig {
    /// Everything of AWS.
    pub aws: AwsConfig,
    /// `SECRET_PREFIX`: how the names of the connections' secrets begin.
    pub secret_prefix: String,
    /// Our app at Salesforce.
    pub salesforce: SalesforceConfig,
    /// `BROWSER_AUTHORIZE_BASE`: as `api` has it.
    pub browser_base: Option<Url>,
    /// Where people log in; by links alone when `CONSOLE_CLIENT_ID` is not set.
    pub login: Option<ConsoleLogin>,
    /// Where this deployment's calls to Salesforce come from.
    pub network_access: NetworkAccess,
}

impl Config for ConsoleConfig {
    fn read(variables: &mut Variables) -> Option<Self> {
        let aws = aws(variables, &Needs { bucket: true, keys: true, queues: &Queue::ALL });
        let secret_prefix = variables.required("SECRET_PREFIX");
        let salesforce = salesforce_without_secret(variables);
        let browser_base = browser_base(variables);
        let issuer = url(variables, "JWT_ISSUER");
        let client_id = variables.optional("CONSOLE_CLIENT_ID");
        let client_secret_id = variables.required("CONSOLE_CLIENT_SECRET_ID");
        let network_access = network_access(variables);
        let (issuer, client_secret_id) = (issuer?, client_secret_id?);
        Some(Self {
            aws: aws?,
            secret_prefix: secret_prefix?,
            salesforce: salesforce?,
            browser_base,
            login: client_id.map(|client_id| ConsoleLogin { issuer, client_id, client_secret_id }),
            network_access: network_access?,
        })
    }
}

/// The configuration of `oauth-callback`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthCallbackConfig {
    /// The table, the key, and the queues of the first import, of what waited for a login, of the
    /// connection's care, of events, and of a grant that was replaced.
    pub aws: AwsConfig,
    /// `SECRET_PREFIX`: how the names of the connections' secrets begin.
    pub secret_prefix: String,
    /// Our app at Salesforce.
    pub salesforce: SalesforceConfig,
}

impl Config for OauthCallbackConfig {
    fn read(variables: &mut Variables) -> Option<Self> {
        let queues = &[Queue::Import, Queue::Writeback, Queue::Care, Queue::Telling, Queue::Purge];
        let aws = aws(variables, &Needs { bucket: false, keys: true, queues });
        let secret_prefix = variables.required("SECRET_PREFIX");
        let salesforce = salesforce(variables);
        Some(Self { aws: aws?, secret_prefix: secret_prefix?, salesforce: salesforce? })
    }
}

/// The configuration of `bulk-import`, whose tick sends to every queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkImportConfig {
    /// Everything of AWS.
    pub aws: AwsConfig,
    /// `SECRET_PREFIX`: how the names of the connections' secrets begin.
    pub secret_prefix: String,
    /// Our app at Salesforce.
    pub salesforce: SalesforceConfig,
}

impl Config for BulkImportConfig {
    fn read(variables: &mut Variables) -> Option<Self> {
        let aws = aws(variables, &Needs { bucket: true, keys: true, queues: &Queue::ALL });
        let secret_prefix = variables.required("SECRET_PREFIX");
        let salesforce = salesforce(variables);
        Some(Self { aws: aws?, secret_prefix: secret_prefix?, salesforce: salesforce? })
    }
}

/// The configuration of `match-shard`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchShardConfig {
    /// The table, the bucket, the key, and the match, auto-save, telling and writeback queues.
    pub aws: AwsConfig,
    /// `SECRET_PREFIX`: how the names of the connections' secrets begin.
    pub secret_prefix: String,
}

impl Config for MatchShardConfig {
    fn read(variables: &mut Variables) -> Option<Self> {
        let queues = &[Queue::Match, Queue::AutoSave, Queue::Telling, Queue::Writeback];
        let aws = aws(variables, &Needs { bucket: true, keys: true, queues });
        let secret_prefix = variables.required("SECRET_PREFIX");
        Some(Self { aws: aws?, secret_prefix: secret_prefix? })
    }
}

/// The configuration of `auto-save`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoSaveConfig {
    /// The table, the bucket, the key, and the auto-save and telling queues.
    pub aws: AwsConfig,
    /// `SECRET_PREFIX`: how the names of the connections' secrets begin.
    pub secret_prefix: String,
}

impl Config for AutoSaveConfig {
    fn read(variables: &mut Variables) -> Option<Self> {
        let queues = &[Queue::AutoSave, Queue::Telling];
        let aws = aws(variables, &Needs { bucket: true, keys: true, queues });
        let secret_prefix = variables.required("SECRET_PREFIX");
        Some(Self { aws: aws?, secret_prefix: secret_prefix? })
    }
}

/// The configuration of `writeback`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WritebackConfig {
    /// The table, the key, and the writeback, match and telling queues.
    pub aws: AwsConfig,
    /// `SECRET_PREFIX`: how the names of the connections' secrets begin.
    pub secret_prefix: String,
    /// Our app at Salesforce.
    pub salesforce: SalesforceConfig,
    /// `PRODUCT_NAME`: the product's name in the subjects of tasks and notes; `Sales Navigator`
    /// when it is not set.
    pub product: String,
}

impl Config for WritebackConfig {
    fn read(variables: &mut Variables) -> Option<Self> {
        let queues = &[Queue::Writeback, Queue::Match, Queue::Telling];
        let aws = aws(variables, &Needs { bucket: false, keys: true, queues });
        let secret_prefix = variables.required("SECRET_PREFIX");
        let salesforce = salesforce(variables);
        let product = variables.optional("PRODUCT_NAME");
        let product = product.unwrap_or_else(|| "Sales Navigator".to_owned());
        Some(Self { aws: aws?, secret_prefix: secret_prefix?, salesforce: salesforce?, product })
    }
}

/// The configuration of `connection-care`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionCareConfig {
    /// The table, the key, and the queues of its own work, of what waited for a connection, of
    /// events, and of the purge of what lapsed.
    pub aws: AwsConfig,
    /// `SECRET_PREFIX`: how the names of the connections' secrets begin.
    pub secret_prefix: String,
    /// Our app at Salesforce.
    pub salesforce: SalesforceConfig,
}

impl Config for ConnectionCareConfig {
    fn read(variables: &mut Variables) -> Option<Self> {
        let queues = &[Queue::Care, Queue::Import, Queue::Writeback, Queue::Telling, Queue::Purge];
        let aws = aws(variables, &Needs { bucket: false, keys: true, queues });
        let secret_prefix = variables.required("SECRET_PREFIX");
        let salesforce = salesforce(variables);
        Some(Self { aws: aws?, secret_prefix: secret_prefix?, salesforce: salesforce? })
    }
}

/// The configuration of `telling`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TellingConfig {
    /// The table, and `EVENT_BUS_NAME`: the bus on which others hear what happens.
    pub aws: AwsConfig,
}

impl Config for TellingConfig {
    fn read(variables: &mut Variables) -> Option<Self> {
        let aws = aws(variables, &Needs { bucket: false, keys: false, queues: &[] });
        let event_bus_name = variables.required("EVENT_BUS_NAME");
        Some(Self { aws: AwsConfig { event_bus_name: Some(event_bus_name?), ..aws? } })
    }
}

/// The configuration of `data-purge`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataPurgeConfig {
    /// The table, the bucket, the key, and the purge and telling queues.
    pub aws: AwsConfig,
    /// `SECRET_PREFIX`: how the names of the connections' secrets begin.
    pub secret_prefix: String,
    /// Our app at Salesforce.
    pub salesforce: SalesforceConfig,
    /// How long a purge waits for those who still work.
    pub purge_grace: Duration,
}

impl Config for DataPurgeConfig {
    fn read(variables: &mut Variables) -> Option<Self> {
        let queues = &[Queue::Purge, Queue::Telling];
        let aws = aws(variables, &Needs { bucket: true, keys: true, queues });
        let secret_prefix = variables.required("SECRET_PREFIX");
        let salesforce = salesforce_without_secret(variables);
        let purge_grace = purge_grace(variables);
        Some(Self {
            aws: aws?,
            secret_prefix: secret_prefix?,
            salesforce: salesforce?,
            purge_grace,
        })
    }
}

/// The configuration of `directory-index`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryIndexConfig {
    /// The table, the bucket, and the directory and match queues.
    pub aws: AwsConfig,
}

impl Config for DirectoryIndexConfig {
    fn read(variables: &mut Variables) -> Option<Self> {
        let queues = &[Queue::Directory, Queue::Match];
        Some(Self { aws: aws(variables, &Needs { bucket: true, keys: false, queues })? })
    }
}
