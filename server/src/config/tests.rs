//! Every mistake of a configuration, told at once.

use std::collections::BTreeSet;

use super::*;

fn parse(text: &str) -> Result<Config, Vec<String>> {
    let overrides = Overrides { data: Some("/data".into()), listen: None };
    Config::parse(text, Path::new("/etc/crm-sync"), overrides)
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

#[test]
fn an_empty_file_is_enough() {
    let config = parse("").unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.callers, Callers::BuiltIn);
    assert_eq!(config.data, Path::new("/data"));
    assert_eq!(config.master_key, None);
    assert_eq!(config.product_name, "Sales Navigator");
}

#[test]
fn a_whole_file_is_read() {
    let config = parse(include_str!("../../tests/whole.toml")).unwrap();
    assert_eq!(config.listen.port(), 8443);
    assert_eq!(config.tls.unwrap().cert, Path::new("/etc/crm-sync/tls/cert.pem"));
    assert_eq!(config.master_key, Some(Secret::Env("CRM_SYNC_MASTER_KEY".to_owned())));
    let app = config.salesforce.app.unwrap();
    assert_eq!(app.client_secret, Secret::File("/run/secrets/app".into()));
    assert!(matches!(config.callers, Callers::Issuer { .. }));
    let login = config.console.unwrap();
    assert_eq!(login.issuer.as_str(), "https://login.example.com/");
    assert_eq!(login.client_secret, Some(Secret::Env("CRM_SYNC_CONSOLE_SECRET".to_owned())));
    let webhook = config.events.webhook.unwrap();
    let command = ["vault", "read", "hook"].map(str::to_owned).to_vec();
    assert_eq!(webhook.secret, Secret::Command(command));
    assert!(webhook.private);
    let mail = config.mail.unwrap();
    assert_eq!(
        (mail.host.as_str(), mail.port, mail.tls),
        ("smtp.example.com", 2_587, MailTls::Starttls)
    );
    assert_eq!(mail.ca_file.unwrap(), Path::new("/etc/crm-sync/mail-ca.pem"));
    let login = mail.login.unwrap();
    assert_eq!(login.user, "crm-sync");
    assert_eq!(login.password, Secret::Env("CRM_SYNC_MAIL_PASSWORD".to_owned()));
    assert_eq!(mail.from.to_string(), "crm-sync@example.com");
    assert_eq!(mail.to.len(), 1);
    let events = BTreeSet::from(["crm-sync.connection.purged", "crm-sync.import.failed"]);
    assert_eq!(mail.events, events);
    assert!(config.log.json);
    assert_eq!(config.workers, BTreeMap::from([(Queue::Import, 2), (Queue::AutoSave, 1)]));
    assert_eq!(config.largest_upload, 100 << 20);
    assert_eq!(config.purge_grace, Some(Duration::from_secs(90)));
}

#[test]
fn every_mistake_is_named_at_once_with_its_line() {
    let text = r#"
[server]
listen = "localhost"
lisen = "127.0.0.1:1"
[server.tls]
cert = "cert.pem"
[master_key]
file = "key"
env = "KEY"
[salesforce]
client_id = "app"
client_secret = "s3cret"
browser_base = "http://example.com"
[callers]
issuer = "https://issuer.example.com"
[events]
stdout = "yes"
[log]
format = "xml"
filter = "=,="
[limits.workers]
import = 0
[purge]
grace = "soon"
[spelling]
"#;
    let mistakes = parse(text).unwrap_err();
    let places: Vec<&str> = mistakes.iter().map(|m| &m[..m.rfind(": ").unwrap()]).collect();
    let all = mistakes.join("\n");
    for place in [
        "line 3: server.listen",
        "line 4: server.lisen",
        "line 5: server.tls.key",
        "line 7: master_key",
        "line 12: salesforce.client_secret",
        "line 13: salesforce.browser_base",
        "line 14: callers.audience",
        "line 14: callers.jwks_url",
        "line 17: events.stdout",
        "line 19: log.format",
        "line 20: log.filter",
        "line 22: limits.workers.import",
        "line 24: purge.grace",
        "line 25: spelling",
    ] {
        assert!(places.iter().any(|p| p.starts_with(place)), "{place} is not in:\n{all}");
    }
    assert_eq!(mistakes.len(), 14, "{all}");
    assert!(!all.contains("s3cret"), "a value could be a secret: {all}");
}

#[test]
fn a_filter_of_the_log_has_levels_and_targets() {
    let of = |filter: &str| parse(&format!("[log]\nfilter = \"{filter}\""));
    let names_it = |mistakes: &Vec<String>| mistakes.iter().any(|m| m.contains("log.filter"));
    let refused = |filter: &str| of(filter).err().is_some_and(|mistakes| names_it(&mistakes));
    for good in ["info", "off", "warn,shared=debug", "WARN, shared::store=trace"] {
        assert!(!refused(good), "{good}");
    }
    for bad in ["", "inof", "warn,", "=info", "shared=", "shared=loud", "shared[span]=debug"] {
        assert!(refused(bad), "{bad}");
    }
}

#[test]
fn a_file_that_is_no_toml_says_where() {
    let mistakes = parse("[server]\nlisten = \n").unwrap_err();
    assert!(mistakes[0].starts_with("line 2: this is not TOML"), "{mistakes:?}");
}

#[test]
fn the_browsers_address_may_only_be_on_loopback() {
    let wrong = |base: &str| parse(&format!("[salesforce]\nbrowser_base = \"{base}\"")).is_err();
    for good in ["http://127.0.0.1:9001", "http://localhost:9001", "http://[::1]:9001"] {
        assert!(!wrong(good), "{good}");
    }
    for bad in [
        "https://127.0.0.1:9001",
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
        "http://10.0.0.1",
        "file:///etc/passwd",
        "127.0.0.1",
    ] {
        assert!(wrong(bad), "{bad}");
    }
}

#[test]
fn the_consoles_issuer_is_reached_over_a_way_that_nobody_reads() {
    let parsed = |issuer: &str| {
        parse(&format!("[console]\nissuer = \"{issuer}\"\nclient_id = \"crm-sync\""))
    };
    for good in ["https://login.example.com", "http://127.0.0.1:9001", "http://localhost:9001"] {
        assert_eq!(parsed(good).unwrap().console.unwrap().client_secret, None, "{good}");
    }
    for bad in ["http://login.example.com", "https://ada:pw@login.example.com", "login", ""] {
        assert!(parsed(bad).is_err(), "{bad}");
    }
    let mistakes = parse("[console]\nclient_secret = \"s3cret\"").unwrap_err();
    assert_eq!(mistakes.len(), 3, "issuer, client_id and how a secret is named: {mistakes:?}");
    assert!(!mistakes.join("").contains("s3cret"));
}

#[test]
fn a_short_mail_section_is_enough() {
    let parsed = |more: &str| {
        let text = "[mail]\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n";
        parse(&format!("{text}{more}")).map(|config| config.mail.unwrap())
    };
    let mail = parsed("host = \"smtp.example.com\"").unwrap();
    assert_eq!((mail.port, mail.tls, mail.login), (587, MailTls::Starttls, None));
    assert_eq!(mail.events, USUAL_EVENTS.into());
    let port = |tls: &str| parsed(&format!("host = \"h\"\ntls = \"{tls}\"")).unwrap().port;
    assert_eq!((port("tls"), port("none")), (465, 25));
    let login = "tls = \"none\"\nuser = \"u\"\npassword = { env = \"P\" }";
    for here in ["localhost", "127.0.0.1", "[::1]"] {
        assert!(parsed(&format!("host = \"{here}\"\n{login}")).is_ok(), "{here}");
    }
    let mistakes = parsed(&format!("host = \"smtp.example.com\"\n{login}")).unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(mistakes[0].starts_with("line 5: mail.tls: is \"none\", and a password"));
    assert_eq!(parse("").unwrap().mail, None);
}

#[test]
fn every_mistake_of_the_mail_section_is_named_at_once() {
    let text = r#"
[mail]
host = "smtp example"
port = 70000
tls = "ssl"
user = "crm-sync"
from = "nobody"
to = []
events = ["crm-sync.import.failed", "crm-sync.import.fialed"]
hots = "smtp.example.com"
"#;
    let mistakes = parse(text).unwrap_err();
    let all = mistakes.join("\n");
    for place in [
        "line 3: mail.host",
        "line 4: mail.port",
        "line 5: mail.tls",
        "line 2: mail.password",
        "line 7: mail.from",
        "line 8: mail.to",
        "line 9: mail.events",
        "line 10: mail.hots",
    ] {
        assert!(all.contains(place), "{place} is not in:\n{all}");
    }
    assert_eq!(mistakes.len(), 8, "{all}");
    let empty = parse("[mail]\npassword = { env = \"P\" }").unwrap_err().join("\n");
    for place in ["mail.host", "mail.from", "mail.to", "mail.user"] {
        assert!(empty.contains(&format!("line 1: {place}: is missing")), "{empty}");
    }
    assert!(parse("[mail]").is_err(), "an empty section mails nobody");
}

#[test]
fn a_receivers_address_is_https_and_public_unless_that_is_said() {
    let mistakes = |url: &str, more: &str| {
        let secret = "secret = { env = \"HOOK\" }";
        parse(&format!("[events]\nwebhook = {{ url = \"{url}\", {secret}{more} }}"))
            .err()
            .unwrap_or_default()
            .join("\n")
    };
    let (usual, private) = ("", ", private = true");
    for good in [
        "https://example.com/events?key=1",
        "https://8.8.8.8:8443/",
        "http://127.0.0.1:9001/",
        "http://localhost:9001",
        "https://[::1]:9001",
    ] {
        assert_eq!(mistakes(good, usual), "", "{good}");
        assert_eq!(mistakes(good, private), "", "{good}");
    }
    for inward in [
        "https://10.0.0.1/",
        "https://192.168.1.9/events",
        "https://169.254.169.254/latest",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://0x0a000001/",
    ] {
        assert!(mistakes(inward, usual).contains("write private = true"), "{inward}");
        assert_eq!(mistakes(inward, private), "", "{inward}");
    }
    let long = format!("https://example.com/{}", "a".repeat(64 << 10));
    for bad in [
        "http://example.com/events",
        "http://10.0.0.1/",
        "http://localhost.example.com/",
        "https://user:word@example.com/",
        "ftp://example.com/",
        "example.com",
        &long,
    ] {
        for more in [usual, private] {
            let told = mistakes(bad, more);
            assert!(told.contains("line 2: events.webhook.url: write an https"), "{bad}: {told}");
            assert!(!told.contains("word"), "{told}");
        }
    }
}

#[test]
fn without_a_data_folder_it_says_how_to_give_one() {
    let mistakes = Config::parse("", Path::new(""), Overrides::default()).unwrap_err();
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].to_string().contains("--data"), "{}", mistakes[0]);
}

#[tokio::test]
async fn a_secret_comes_from_a_file_of_its_owners_or_from_a_command() {
    use secrecy::ExposeSecret;
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "s3cret\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let secret = Secret::File(path.clone());
    let error = secret.read().await.unwrap_err().to_string();
    assert!(error.contains("chmod 600") && !error.contains("s3cret"), "{error}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(secret.read().await.unwrap().expose_secret(), "s3cret");
    let command = |words: &[&str]| Secret::Command(words.iter().map(|w| (*w).into()).collect());
    let printed = command(&["echo", "spoken"]).read().await.unwrap();
    assert_eq!(printed.expose_secret(), "spoken");
    assert!(matches!(command(&["false"]).read().await, Err(SecretError::NoSecret(_))));
    assert!(matches!(command(&["true"]).read().await, Err(SecretError::Empty)));
}
