//! From the file's text to the configuration: each section's keys, and what they should be.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use shared::capabilities::connecting::NetworkAccess;
use shared::kernel::{Queue, is_this_machine, is_unread, security_contact};
use shared::salesforce::{ApiVersion, is_public};
use toml::de::DeTable;
use tracing_subscriber::filter::{LevelFilter, Targets};
use url::{Host, Url};

use super::mail::mail;
use super::reader::{Mistake, Reader, Section};
use super::{
    App, Callers, Config, ConsoleLogin, Events, Log, Overrides, Salesforce, Secret, Tls, Webhook,
};

/// The address that is listened on when none is given.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// An uploaded file is no larger, unless the file says so: 8 GiB hold some 20 million people.
const LARGEST_UPLOAD_MB: u32 = 8 << 10;

/// An address of a receiver is no longer, in bytes.
const LONGEST_ADDRESS: usize = 2_048;

/// The most messages of a queue that may be worked on at once.
const MOST_WORKERS: u32 = 256;

pub(super) fn config(
    text: &str,
    folder: &Path,
    overrides: Overrides,
) -> Result<Config, Vec<Mistake>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let reader = Reader::new(text, folder);
    reader.note_syntax(&errors);
    let config = {
        let root = Section::root(&reader, table.get_ref());
        let config = sections(&root, overrides);
        root.end();
        config
    };
    match (config, reader.into_mistakes()) {
        (Some(config), mistakes) if mistakes.is_empty() => Ok(config),
        (_, mistakes) => Err(mistakes),
    }
}

/// Reads every section before the first `?`, so that all mistakes are found at once.
fn sections(root: &Section<'_>, overrides: Overrides) -> Option<Config> {
    let (listen, public_base, security_contact, tls) = server(root.section("server"));
    let data = data(root.section("data"), overrides.data.is_some());
    let master_key = section_secret(root.section("master_key"));
    let salesforce = salesforce(root.section("salesforce"));
    let callers = callers(root.section("callers"));
    let console = console(root.section("console"));
    let events = events(root.section("events"));
    let mail = mail(root.section("mail"));
    let log = log(root.section("log"));
    let (workers, largest_upload) = limits(root.section("limits"));
    let purge_grace = purge(root.section("purge"));
    let product_name = writeback(root.section("writeback"));
    Some(Config {
        listen: overrides.listen.or(listen).unwrap_or(LISTEN),
        public_base,
        security_contact,
        tls,
        data: overrides.data.or(data)?,
        master_key,
        salesforce,
        callers: callers?,
        console,
        events,
        mail,
        log,
        workers,
        largest_upload,
        purge_grace,
        product_name: product_name.unwrap_or_else(|| "Sales Navigator".to_owned()),
    })
}

/// Where it listens, its address, its contact, and its certificate.
type Server = (Option<SocketAddr>, Option<Url>, Option<Url>, Option<Tls>);

fn server(section: Section<'_>) -> Server {
    let expected = "an address and a port, as in \"127.0.0.1:8080\"";
    let listen = section.parsed("listen", expected, |text| text.parse().ok());
    let expected = "an address without a path, as in \"https://crm.example.com\"";
    let public_base = section.parsed("public_base", expected, |text| {
        http(text).filter(|url| url.path() == "/" && url.query().is_none())
    });
    let expected = "an address to write to, as in \"mailto:security@example.com\"";
    let contact = section.parsed("security_contact", expected, security_contact);
    let tls_section = section.section("tls");
    let tls = tls_section.is_there().then(|| {
        let (cert, key) = (tls_section.path("cert"), tls_section.path("key"));
        for (name, path) in [("cert", &cert), ("key", &key)] {
            if path.is_none() && !tls_section.has(name) {
                tls_section.wrong(name, "is missing: write the path of a file in PEM");
            }
        }
        Some(Tls { cert: cert?, key: key? })
    });
    tls_section.end();
    section.end();
    (listen, public_base, contact, tls.flatten())
}

fn data(section: Section<'_>, is_given: bool) -> Option<std::path::PathBuf> {
    let dir = section.path("dir");
    if dir.is_none() && !is_given && !section.has("dir") {
        section.wrong("dir", "is missing: write the folder to keep everything in, or give --data");
    }
    section.end();
    dir
}

fn salesforce(section: Section<'_>) -> Salesforce {
    let client_id = section.text("client_id");
    let client_secret = secret(&section, "client_secret");
    let app = match (client_id, client_secret) {
        (Some(client_id), Some(client_secret)) => Some(App { client_id, client_secret }),
        (Some(_), None) if !section.has("client_secret") => {
            section.wrong("client_secret", format!("is missing: write {SECRET_FORM}"));
            None
        }
        (None, Some(_)) if !section.has("client_id") => {
            section.wrong("client_id", "is missing: write the app's consumer key");
            None
        }
        _ => None,
    };
    let version = section.parsed("api_version", "a version, as in \"v62.0\"", |text| {
        text.strip_prefix('v')?.strip_suffix(".0")?.parse().ok().map(ApiVersion::new)
    });
    let expected = "an http address on this machine, as in \"http://127.0.0.1:9001\"";
    let browser_base = section.parsed("browser_base", expected, loopback);
    let expected = "address ranges, as in [\"203.0.113.7/32\"]";
    let ranges = section.texts("egress_ranges", expected).unwrap_or_default();
    let network_access = NetworkAccess::of(ranges);
    if network_access.is_none() {
        section.wrong("egress_ranges", format!("write {expected}"));
    }
    let ca_file = section.path("ca_file");
    section.end();
    Salesforce {
        app,
        api_version: version.unwrap_or_default(),
        ca_file,
        browser_base,
        network_access,
    }
}

fn callers(section: Section<'_>) -> Option<Callers> {
    let built_in = section.flag("builtin");
    let names = ["issuer", "audience", "jwks_url"];
    let is_named = names.map(|name| section.has(name)).contains(&true);
    let callers =
        if built_in == Some(true) && is_named {
            section.wrong("builtin", "is true beside an issuer: write one of the two");
            None
        } else if is_named || built_in == Some(false) {
            let issuer = section.required_text("issuer", "who issues the tokens (their iss)");
            let audience = section.required_text("audience", "for whom the tokens are (their aud)");
            let address = "the address of the issuer's key set, as in \"https://…/jwks.json\"";
            if !section.has("jwks_url") {
                section.wrong("jwks_url", format!("is missing: write {address}"));
            }
            let jwks_url = section.parsed("jwks_url", address, http);
            issuer.zip(audience).zip(jwks_url).map(|((issuer, audience), jwks_url)| {
                Callers::Issuer { issuer, audience, jwks_url }
            })
        } else {
            Some(Callers::BuiltIn)
        };
    section.end();
    callers
}

fn console(section: Section<'_>) -> Option<ConsoleLogin> {
    if !section.is_there() {
        section.end();
        return None;
    }
    let expected = "the issuer's address, as in \"https://login.example.com\"";
    if !section.has("issuer") {
        section.wrong("issuer", format!("is missing: write {expected}"));
    }
    let issuer = section.parsed("issuer", expected, unread);
    let client_id = section.required_text("client_id", "what the issuer knows the console as");
    let client_secret = secret(&section, "client_secret");
    section.end();
    Some(ConsoleLogin { issuer: issuer?, client_id: client_id?, client_secret })
}

fn events(section: Section<'_>) -> Events {
    let stdout = section.flag("stdout").unwrap_or(false);
    let file = section.path("file");
    let hook = section.section("webhook");
    let webhook = hook.is_there().then(|| {
        if !hook.has("url") {
            hook.wrong("url", "is missing: write the address to call");
        }
        if !hook.has("secret") {
            hook.wrong("secret", format!("is missing: write {SECRET_FORM}"));
        }
        let private = hook.flag("private").unwrap_or(false);
        let (url, secret) = (receiver(&hook, "url", private), secret(&hook, "secret"));
        Some(Webhook { url: url?, secret: secret?, private })
    });
    hook.end();
    section.end();
    Events { stdout, file, webhook: webhook.flatten() }
}

fn log(section: Section<'_>) -> Log {
    let json = section.parsed("format", "\"human\" or \"json\"", |text| match text {
        "human" => Some(false),
        "json" => Some(true),
        _ => None,
    });
    let expected = "a filter, as in \"info\" or \"warn,shared=debug\"";
    let filter = section.parsed("filter", expected, filter);
    section.end();
    let usual = Log::default();
    Log { json: json.unwrap_or(usual.json), filter: filter.unwrap_or(usual.filter) }
}

/// A level for everything, and levels for targets. A word that is no level would be a target, and
/// silence everything else: it is refused.
fn filter(text: &str) -> Option<Targets> {
    let level = |text: &str| text.parse::<LevelFilter>().ok().filter(|_| !text.is_empty());
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    text.split(',').map(str::trim).try_fold(Targets::new(), |targets, part| {
        let Some((target, of_target)) = part.split_once('=') else {
            return Some(targets.with_default(level(part)?));
        };
        let is_target = !target.is_empty() && target.chars().all(is_path);
        is_target.then_some(targets.with_target(target, level(of_target)?))
    })
}

fn limits(section: Section<'_>) -> (BTreeMap<Queue, u32>, u64) {
    let megabytes = section.number("upload_mb", 1, u32::MAX).unwrap_or(LARGEST_UPLOAD_MB);
    let own = section.section("workers");
    let workers = Queue::ALL
        .into_iter()
        .filter_map(|queue| Some((queue, own.number(queue.as_str(), 1, MOST_WORKERS)?)))
        .collect();
    own.end();
    section.end();
    (workers, u64::from(megabytes) << 20)
}

fn purge(section: Section<'_>) -> Option<Duration> {
    let grace = section.parsed("grace", "a time, as in \"15m\" or \"30s\"", |text| {
        text.parse::<SignedDuration>().ok().and_then(|time| time.try_into().ok())
    });
    section.end();
    grace
}

fn writeback(section: Section<'_>) -> Option<String> {
    let name = section.parsed("product_name", "a name of at most 80 characters", |text| {
        (1..=80).contains(&text.chars().count()).then(|| text.to_owned())
    });
    section.end();
    name
}

/// How a secret is written.
pub(super) const SECRET_FORM: &str =
    "{ file = \"…\" }, { env = \"NAME\" } or { command = [\"…\"] }: no secret stands in this file";

pub(super) fn secret(section: &Section<'_>, key: &'static str) -> Option<Secret> {
    section_secret(section.section(key))
}

/// Where a secret comes from; none when the file has no such section.
fn section_secret(section: Section<'_>) -> Option<Secret> {
    let file = section.path("file").map(Secret::File);
    let env = section.text("env").map(Secret::Env);
    let command = section.texts("command", "the words of a command, as in [\"vault\", \"read\"]");
    let command = command.filter(|words| !words.is_empty()).map(Secret::Command);
    let given = ["file", "env", "command"].map(|name| section.has(name));
    if section.is_there() && given.iter().filter(|given| **given).count() != 1 {
        section.wrong_here(format!("write one of {SECRET_FORM}"));
    }
    section.end();
    file.or(env).or(command)
}

fn http(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (["http", "https"].contains(&url.scheme()) && url.has_host()).then_some(url)
}

/// The address of a receiver: https, in a private network only if that is said; or this machine.
fn receiver(section: &Section<'_>, key: &'static str, private: bool) -> Option<Url> {
    let expected = "an https address, as in \"https://example.com/events\", without a login";
    let url = section.parsed(key, expected, |text| {
        let url =
            Url::parse(text).ok().filter(|url| text.len() <= LONGEST_ADDRESS && no_login(url))?;
        (url.scheme() == "https" || (url.scheme() == "http" && is_here(&url))).then_some(url)
    })?;
    let address = match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
    };
    if !private && !is_here(&url) && address.is_some_and(|address| !is_public(address)) {
        section.wrong(key, "is in a private network: write private = true beside it if it may be");
        return None;
    }
    Some(url)
}

/// An address to which nobody on the way can read what is sent.
fn unread(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| is_unread(url) && no_login(url))
}

/// An address on this machine. Anything else would send people's logins elsewhere.
fn loopback(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (is_here(&url) && url.scheme() == "http" && no_login(&url)).then_some(url)
}

fn no_login(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

fn is_here(url: &Url) -> bool {
    url.host().is_some_and(|host| is_this_machine(&host))
}
