use super::*;
use proptest::prelude::*;

/// Addresses that an attacker would try in place of a host of Salesforce.
const REFUSED: &[(&str, HostError)] = &[
    ("http://169.254.169.254", HostError::NotHttps),
    ("http://acme.my.salesforce.com", HostError::NotHttps),
    ("HTTPS://acme.my.salesforce.com", HostError::NotHttps),
    ("acme.my.salesforce.com", HostError::NotHttps),
    ("", HostError::NotHttps),
    ("https://169.254.169.254", HostError::IpLiteral),
    ("https://127.0.0.1", HostError::IpLiteral),
    ("https://[::1]", HostError::IpLiteral),
    ("https://[fd00:ec2::254]:443", HostError::IpLiteral),
    ("https://evil.com", HostError::NotSalesforce),
    ("https://x.my.salesforce.com.evil.com", HostError::NotSalesforce),
    ("https://evilsalesforce.com", HostError::NotSalesforce),
    ("https://evilmy.salesforce.com", HostError::NotSalesforce),
    ("https://salesforce.com", HostError::NotSalesforce),
    ("https://my.salesforce.com", HostError::NotSalesforce),
    ("https://login.salesforce.com", HostError::NotSalesforce),
    ("https://help.salesforce.com", HostError::NotSalesforce),
    ("https://acme.my.salesforce.mil", HostError::NotSalesforce),
    ("https://acme.force.com", HostError::NotSalesforce),
    ("https://acme.lightning.force.com", HostError::UserInterface),
    ("https://acme.my.salesforce.com@evil.com", HostError::Userinfo),
    ("https://user:pw@acme.my.salesforce.com", HostError::Userinfo),
    ("https://acme.my.salesforce.com:8443", HostError::Port),
    ("https://acme.my.salesforce.com:443", HostError::Port),
    ("https://acme.my.salesforce.com.", HostError::TrailingDot),
    ("https://xn--acme-loa.my.salesforce.com", HostError::Punycode),
    ("https://acm\u{e9}.my.salesforce.com", HostError::Punycode),
    ("https://acme.my.salesforce\u{3002}com", HostError::Punycode),
    ("https://evil.com\\.my.salesforce.com", HostError::Malformed),
    ("https://evil.com%2f.my.salesforce.com", HostError::Malformed),
    ("https://evil.com/.my.salesforce.com", HostError::Malformed),
    ("https://evil.com?.my.salesforce.com", HostError::Malformed),
    ("https://evil.com#.my.salesforce.com", HostError::Malformed),
    ("https://acme.my.salesforce.com/path", HostError::Malformed),
    ("https://acme.my.salesforce.com//", HostError::Malformed),
    ("https://ac me.my.salesforce.com", HostError::Malformed),
    ("https://acme\t.my.salesforce.com", HostError::Malformed),
    ("https://acme.my.salesforce.com\r\nHost: evil.com", HostError::Port),
    ("https://-acme.my.salesforce.com", HostError::Malformed),
    ("https://.my.salesforce.com", HostError::Malformed),
    ("https://a..my.salesforce.com", HostError::Malformed),
];

#[test]
fn every_hostile_instance_url_is_refused_for_its_own_reason() {
    for (url, reason) in REFUSED {
        assert_eq!(InstanceUrl::parse(url, HostPolicy::Commercial), Err(*reason), "{url}");
    }
}

#[test]
fn an_instance_url_is_a_my_domain_or_an_instance_of_salesforce() {
    for url in [
        "https://acme.my.salesforce.com",
        "https://acme.my.salesforce.com/",
        "https://Acme.My.Salesforce.com",
        "https://acme--uat.sandbox.my.salesforce.com",
        "https://acme-dev-ed.develop.my.salesforce.com",
        "https://na139.salesforce.com",
        "https://cs8.salesforce.com",
        "https://usa652s.salesforce.com",
    ] {
        let parsed = InstanceUrl::parse(url, HostPolicy::Commercial).unwrap();
        assert_eq!(parsed.to_string(), url.trim_end_matches('/').to_lowercase());
    }
}

#[test]
fn the_government_cloud_is_in_reach_only_by_option() {
    let url = "https://acme.my.salesforce.mil";
    assert_eq!(InstanceUrl::parse(url, HostPolicy::Commercial), Err(HostError::NotSalesforce));
    assert!(InstanceUrl::parse(url, HostPolicy::WithGovernment).is_ok());
}

#[test]
fn a_login_host_is_read_from_what_people_paste() {
    for (text, host) in [
        ("login.salesforce.com", "login.salesforce.com"),
        (" test.salesforce.com ", "test.salesforce.com"),
        ("ACME.my.salesforce.com", "acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com/", "acme.my.salesforce.com"),
        ("acme--uat.sandbox.my.salesforce.com/", "acme--uat.sandbox.my.salesforce.com"),
    ] {
        assert_eq!(LoginHost::parse(text, HostPolicy::Commercial).unwrap().as_str(), host);
    }
    for (text, reason) in [
        ("acme.lightning.force.com", HostError::UserInterface),
        ("https://acme.lightning.force.com", HostError::UserInterface),
        ("na139.salesforce.com", HostError::NotSalesforce),
        ("acme.my.salesforce.com.evil.com", HostError::NotSalesforce),
        ("acme.my.salesforce.com:8443", HostError::Port),
        ("http://acme.my.salesforce.com", HostError::NotHttps),
        ("acme", HostError::NotSalesforce),
        ("", HostError::Malformed),
    ] {
        assert_eq!(LoginHost::parse(text, HostPolicy::Commercial), Err(reason), "{text}");
    }
}

#[test]
fn a_host_tells_production_from_sandbox() {
    for (host, realm) in [
        ("login.salesforce.com", Realm::Production),
        ("test.salesforce.com", Realm::Sandbox),
        ("acme.my.salesforce.com", Realm::Production),
        ("acme-dev-ed.develop.my.salesforce.com", Realm::Production),
        ("acme--uat.sandbox.my.salesforce.com", Realm::Sandbox),
        ("acme--uat.my.salesforce.com", Realm::Sandbox),
        ("dream-fox-1234.scratch.my.salesforce.com", Realm::Sandbox),
    ] {
        assert_eq!(
            LoginHost::parse(host, HostPolicy::Commercial).unwrap().realm(),
            realm,
            "{host}"
        );
    }
}

#[test]
fn an_identity_url_names_org_and_user() {
    let text = "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS";
    let url = IdentityUrl::parse(text, HostPolicy::Commercial).unwrap();
    assert_eq!(url.org_id().as_str(), "00Dxx0000001gPLEAY");
    assert_eq!(url.user_id().as_str(), "005xx000001SwiUAAS");
    assert_eq!(url.to_string(), text);
    for (text, reason) in [
        ("https://evil.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS", HostError::NotSalesforce),
        (
            "https://help.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS",
            HostError::NotSalesforce,
        ),
        (
            "https://login.salesforce.com/id/005xx000001SwiUAAS/00Dxx0000001gPLEAY",
            HostError::Malformed,
        ),
        ("https://login.salesforce.com/id/00Dxx0000001gPLEAY", HostError::Malformed),
        (
            "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS/x",
            HostError::Malformed,
        ),
        ("https://login.salesforce.com", HostError::Malformed),
    ] {
        assert_eq!(IdentityUrl::parse(text, HostPolicy::Commercial), Err(reason), "{text}");
    }
}

#[test]
fn stored_hosts_are_checked_when_they_are_read_back() {
    let url = InstanceUrl::parse("https://acme.my.salesforce.com", HostPolicy::Commercial).unwrap();
    let json = serde_json::to_string(&url).unwrap();
    assert_eq!(json, r#""https://acme.my.salesforce.com""#);
    assert_eq!(serde_json::from_str::<InstanceUrl>(&json).unwrap(), url);
    assert!(serde_json::from_str::<InstanceUrl>(r#""https://evil.com""#).is_err());
    assert!(serde_json::from_str::<LoginHost>(r#""evil.com""#).is_err());
}

#[test]
fn a_token_belongs_to_the_issuer_that_was_asked() {
    let together = |issuer: &str, instance: &str, identity: &str| {
        let instance: InstanceUrl = format!("https://{instance}").parse().unwrap();
        let identity = format!("https://{identity}/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS");
        belong_together(&issuer.parse().unwrap(), &instance, &identity.parse().unwrap())
    };
    let (acme, uat) = ("acme.my.salesforce.com", "acme--uat.sandbox.my.salesforce.com");
    for (issuer, instance, identity) in [
        ("login.salesforce.com", acme, "login.salesforce.com"),
        ("login.salesforce.com", acme, acme),
        ("login.salesforce.com", "na139.salesforce.com", "login.salesforce.com"),
        ("test.salesforce.com", uat, "test.salesforce.com"),
        ("test.salesforce.com", "usa652s.salesforce.com", "test.salesforce.com"),
        (acme, acme, "login.salesforce.com"),
        (acme, acme, acme),
        // After the org was renamed, its old My Domain still issues for a while.
        ("old.my.salesforce.com", acme, "old.my.salesforce.com"),
        (uat, uat, "test.salesforce.com"),
        ("acme.my.salesforce.mil", "acme.my.salesforce.mil", "login.salesforce.mil"),
    ] {
        assert!(together(issuer, instance, identity), "{issuer} {instance} {identity}");
    }
    for (issuer, instance, identity) in [
        ("login.salesforce.com", uat, "login.salesforce.com"),
        ("login.salesforce.com", acme, "test.salesforce.com"),
        ("login.salesforce.com", acme, "other.my.salesforce.com"),
        ("login.salesforce.com", acme, "login.my.salesforce.com"),
        ("login.salesforce.com", "cs8.salesforce.com", "login.salesforce.com"),
        ("test.salesforce.com", acme, "test.salesforce.com"),
        (acme, acme, "test.salesforce.com"),
        (uat, uat, "login.salesforce.com"),
        ("login.salesforce.com", "acme.my.salesforce.mil", "login.salesforce.com"),
        ("login.salesforce.com", acme, "login.salesforce.mil"),
    ] {
        assert!(!together(issuer, instance, identity), "{issuer} {instance} {identity}");
    }
}

/// Sound addresses, whole or with something put in that allow-lists have been got around with.
fn nearly_an_address() -> impl Strategy<Value = String> {
    let sound =
        "https://[a-z0-9-]{1,6}(--[a-z]{1,3})?(\\.[a-z]{1,7})?\\.(my\\.)?salesforce\\.(com|mil)/?";
    let odd = prop_oneof![
        3 => Just(String::new()),
        2 => prop::sample::select(vec![
            "https://", "http://", "/\
                 /", "/", "\\", "@", ":", ":443", ".", "..", "-", "--", "%2e", "%00", "\t", "\n",
                     " ", "#", "?",
            "[", "]", "[::1]", "127.0.0.1", "0x7f.1", "xn--", ".xn--", "\u{ff0e}", "\u{3002}",
                "\u{200b}", "\u{ad}", "evil.com", "A",
        ])
        .prop_map(str::to_owned),
        1 => "\\PC{1,3}",
    ];
    (sound, odd, any::<prop::sample::Index>()).prop_map(|(mut text, odd, at)| {
        text.insert_str(at.index(text.len() + 1), &odd);
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn what_is_accepted_is_what_a_url_parser_reads(text in nearly_an_address()) {
        for policy in [HostPolicy::Commercial, HostPolicy::WithGovernment] {
            let Ok(instance) = InstanceUrl::parse(&text, policy) else { continue };
            let url = url::Url::parse(&text).unwrap();
            prop_assert_eq!((url.scheme(), url.host_str(), url.port()), ("https",
                Some(instance.host()), None));
            prop_assert_eq!((url.username(), url.password(), url.path()), ("", None, "/"));
            prop_assert_eq!((url.query(), url.fragment()), (None, None));
            let commercial = instance.host().ends_with(".salesforce.com");
            let government = instance.host().ends_with(".salesforce.mil");
            prop_assert!(
                commercial || (policy == HostPolicy::WithGovernment && government)
            );
            prop_assert_eq!(InstanceUrl::parse(&instance.to_string(), policy), Ok(instance));
        }
        if let Ok(login) = LoginHost::parse(&text, HostPolicy::Commercial) {
            prop_assert!(login.as_str().ends_with(".salesforce.com"));
            prop_assert_eq!(login.to_string().parse::<LoginHost>(), Ok(login));
        }
    }
}
