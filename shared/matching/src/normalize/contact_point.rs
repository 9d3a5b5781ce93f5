//! Mail addresses and web sites.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::lists::{is_free_mail, is_role_mailbox, registrable_domain};
use crate::text::{clip, fold, hash32, hash64};

/// Mailboxes and domains people type when they have none.
const PLACEHOLDER_LOCALS: [&str; 14] = [
    "none",
    "test",
    "noemail",
    "na",
    "n/a",
    "unknown",
    "null",
    "nobody",
    "asdf",
    "no",
    "x",
    "xxx",
    "noone",
    "notprovided",
];
const PLACEHOLDER_DOMAINS: [&str; 14] = [
    "none.com",
    "test.com",
    "example.com",
    "example.org",
    "example.net",
    "noemail.com",
    "na.com",
    "email.com.invalid",
    "unknown.com",
    "null.com",
    "nowhere.com",
    "invalid.com",
    "asdf.com",
    "none.net",
];

/// Sites that host others' pages: their domain is nobody's company.
const SHARED_HOSTS: [&str; 44] = [
    "facebook.com",
    "linkedin.com",
    "twitter.com",
    "x.com",
    "instagram.com",
    "youtube.com",
    "google.com",
    "wixsite.com",
    "wix.com",
    "wordpress.com",
    "blogspot.com",
    "weebly.com",
    "squarespace.com",
    "godaddysites.com",
    "github.io",
    "github.com",
    "medium.com",
    "tumblr.com",
    "crunchbase.com",
    "bloomberg.com",
    "yelp.com",
    "wikipedia.org",
    "pinterest.com",
    "tiktok.com",
    "vimeo.com",
    "xing.com",
    "myshopify.com",
    "shopify.com",
    "etsy.com",
    "amazon.com",
    "linktr.ee",
    "bit.ly",
    "goo.gl",
    "t.co",
    "webflow.io",
    "herokuapp.com",
    "netlify.app",
    "vercel.app",
    "notion.site",
    "business.site",
    "sharepoint.com",
    "zoominfo.com",
    "glassdoor.com",
    "indeed.com",
];

/// Domains of one provider at which a mailbox is the same, and the one it goes by.
const SAME_PROVIDER: [(&str, &str); 7] = [
    ("googlemail.com", "gmail.com"),
    ("mac.com", "icloud.com"),
    ("me.com", "icloud.com"),
    ("pm.me", "protonmail.com"),
    ("proton.me", "protonmail.com"),
    ("ya.ru", "yandex.ru"),
    ("yandex.com", "yandex.ru"),
];

/// Providers that leave dots in a mailbox's name out.
const DOTS_DO_NOT_COUNT: [&str; 2] = ["gmail.com", "protonmail.com"];

/// A registrable domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Domain {
    /// The registrable domain in its ASCII form, `acme.co.uk`.
    pub name: String,
    /// Its label before the public suffix with hyphens dropped, `acme`.
    pub stem: String,
}

impl Domain {
    /// The registrable domain of a host name; `None` when it has none or is an address.
    #[must_use]
    pub fn of_host(host: &str) -> Option<Self> {
        let host = host.trim().trim_end_matches('.');
        // Homographs stay apart: a Cyrillic letter makes another punycode, never a Latin one.
        let ascii = if host.is_ascii() {
            host.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii(host).ok()?
        };
        let valid = ascii
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if !valid || ascii.len() > 253 || !ascii.contains('.') {
            return None;
        }
        let name = registrable_domain(&ascii)?;
        let label = name.split('.').next().filter(|label| !label.is_empty())?;
        Some(Self { name: name.to_owned(), stem: label.replace('-', "") })
    }

    /// The domain as an id.
    #[must_use]
    pub fn key(&self) -> u32 {
        hash32(self.name.as_bytes())
    }

    /// True if the domain is a host of others' pages, or one of those pages (`acme.wixsite.com`).
    fn is_shared_host(&self) -> bool {
        SHARED_HOSTS.iter().any(|host| {
            let before = self.name.strip_suffix(host);
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        })
    }

    /// True if the domain may be a company's own.
    #[must_use]
    pub fn is_company(&self) -> bool {
        !is_free_mail(&self.name)
            && !self.is_shared_host()
            && !PLACEHOLDER_DOMAINS.contains(&self.name.as_str())
    }
}

/// One mail address, normalised.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mailbox {
    /// The part before `@` without its plus-tag, lower case.
    pub local: String,
    /// The domain.
    pub domain: Domain,
    /// True if the mailbox is a function's (`info@`), which identifies nobody.
    pub role: bool,
}

impl Mailbox {
    /// The address as an id, `None` for a role mailbox. All spellings that reach one mailbox of a
    /// provider have one id.
    #[must_use]
    pub fn key(&self) -> Option<u64> {
        let domain = self.domain.name.as_str();
        let local = if DOTS_DO_NOT_COUNT.contains(&domain) {
            Cow::Owned(self.local.replace('.', ""))
        } else {
            Cow::Borrowed(self.local.as_str())
        };
        (!self.role).then(|| hash64(format!("{local}@{domain}").as_bytes()))
    }

    fn parse(text: &str) -> Option<Self> {
        let text =
            text.trim_matches(|character: char| !character.is_alphanumeric() && character != '_');
        if text.len() > 254 || text.contains('\0') {
            return None;
        }
        let (local, host) = text.rsplit_once('@')?;
        let local = local.to_lowercase().replace(['\u{2018}', '\u{2019}', '\u{2bc}'], "'");
        let local = local.strip_prefix("mailto:").unwrap_or(&local);
        let local = local.split('+').next()?.trim_matches('.');
        if local.is_empty() {
            return None;
        }
        let domain = Self::domain_of(host)?;
        if PLACEHOLDER_DOMAINS.contains(&domain.name.as_str())
            || PLACEHOLDER_LOCALS.contains(&local)
            || local.contains(char::is_whitespace)
        {
            return None;
        }
        let first = local.split(['.', '_', '-']).next().unwrap_or(local);
        let is_role = |text: &str| {
            let name = fold(&text.replace(['-', '_'], ""));
            is_role_mailbox(name.trim_end_matches(|letter: char| letter.is_ascii_digit()))
        };
        let role = is_role(local) || is_role(first);
        Some(Self { local: local.to_owned(), domain, role })
    }

    /// The domain of an address. A sandbox of Salesforce puts `.invalid` behind every address of
    /// its users.
    fn domain_of(host: &str) -> Option<Domain> {
        let host = host.split('?').next()?.trim_end_matches('.').to_lowercase();
        let host = host.strip_suffix(".invalid").unwrap_or(&host);
        let domain = Domain::of_host(host)?;
        let same = SAME_PROVIDER.iter().find(|(other, _)| *other == domain.name);
        same.map_or(Some(domain), |(_, usual)| Domain::of_host(usual))
    }
}

/// The usable addresses of a mail field, which may hold several; placeholders, masks and over-long
/// ones are left out.
#[must_use]
pub fn mail_addresses(text: &str) -> Vec<Mailbox> {
    let mut found: Vec<Mailbox> = Vec::new();
    for part in clip(text)
        .split([';', ',', ' ', '|', '/', '\t', '\n', '<', '>'])
        .filter(|part| part.contains('@'))
    {
        if let Some(mailbox) = Mailbox::parse(part)
            && !found.contains(&mailbox)
            && found.len() < 4
        {
            found.push(mailbox);
        }
    }
    found
}

/// The registrable domain of a web site field, `None` when it is no company's own (social, shared
/// host, script, free mail).
#[must_use]
pub fn web_domain(text: &str) -> Option<Domain> {
    let text = clip(text).trim();
    let lower = text.to_ascii_lowercase();
    let rest = match lower.split_once("://") {
        Some(("http" | "https", rest)) => rest,
        Some(_) => return None,
        None => lower.as_str(),
    };
    // Cut by the original text: lower-casing ASCII keeps every byte's place.
    let host = text[text.len() - rest.len()..].split(['/', '?', '#', ' ', ',', ';']).next()?;
    let host = host.rsplit('@').next()?;
    let host = host.split(':').next()?;
    Domain::of_host(host).filter(Domain::is_company)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_cleaned_split_and_refused() {
        let one = mail_addresses(" Jane.DOE+x@Example-Firm.COM ");
        assert_eq!(
            (one[0].local.as_str(), one[0].domain.name.as_str()),
            ("jane.doe", "example-firm.com")
        );
        assert_eq!(mail_addresses("a1@acme.com; b2@acme.com").len(), 2);
        for refused in [
            "none@none.com",
            "test@test.com",
            "n/a",
            "****",
            "a@b",
            &format!("{}@acme.com", "a".repeat(320)),
            "a\0b@acme.com",
        ] {
            assert!(mail_addresses(refused).is_empty(), "{refused}");
        }
        assert_eq!(mail_addresses("info@acme.com")[0].key(), None);
    }

    #[test]
    fn one_mailbox_has_one_id_however_it_is_written() {
        let key = |text: &str| mail_addresses(text).first().and_then(Mailbox::key);
        for (one, other) in [
            ("leonie.varga@gmail.com", "leonievarga@googlemail.com"),
            ("ruairi.o'farrelly@acme.ie", "Ruairi.O\u{2019}Farrelly@acme.ie"),
            ("hakan@acme.com.tr", "mailto:hakan@acme.com.tr?subject=x"),
            ("hakan@acme.com.tr", "hakan.@acme.com.tr."),
            ("hakan@acme.com.tr", "hakan@acme.com.tr.invalid"),
            ("ada@me.com", "ada@icloud.com"),
            ("birgit@m\u{f6}llenkamp.de", "birgit@xn--mllenkamp-07a.de"),
        ] {
            assert!(key(one).is_some(), "{one}");
            assert_eq!(key(one), key(other), "{other}");
        }
        assert_ne!(key("jane.doe@acme.com"), key("janedoe@acme.com"));
    }

    #[test]
    fn a_department_is_nobody_in_any_language() {
        for role in [
            "einkauf",
            "ventas",
            "achats",
            "verkauf2",
            "service-client",
            "acquisti",
            "compras",
            "vertrieb.nord",
            "comptabilit\u{e9}",
            "satis",
            "biuro",
            "inkoop",
            "myynti",
            "zakupki",
        ] {
            assert!(mail_addresses(&format!("{role}@acme.de"))[0].role, "{role}");
        }
        for person in ["r.kaufmann", "ventura", "a.chats", "sally", "postman"] {
            assert!(!mail_addresses(&format!("{person}@acme.de"))[0].role, "{person}");
        }
    }

    #[test]
    fn sites_give_a_registrable_domain_or_nothing() {
        for same in
            ["HTTP://www.acme.com:80/path?x#y", "acme.com", "https://shop.acme.com/", "ACME.COM"]
        {
            assert_eq!(
                web_domain(same).map(|domain| domain.name).as_deref(),
                Some("acme.com"),
                "{same}"
            );
        }
        assert_eq!(
            web_domain("www.john-lewis.co.uk").map(|domain| domain.stem).as_deref(),
            Some("johnlewis")
        );
        assert_eq!(web_domain("https://m\u{fc}nchen.de/"), web_domain("xn--mnchen-3ya.de"));
        assert_ne!(web_domain("\u{430}cme.com"), web_domain("acme.com"));
        for nothing in [
            "acme",
            "javascript:alert(1)",
            "facebook.com/acme",
            "gmail.com",
            "http://10.0.0.1/",
            "zendesk.wixsite.com/home",
            "",
        ] {
            assert_eq!(web_domain(nothing), None, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn normal_forms_are_their_own_normal_forms(
            local in "[A-Za-z]{2,6}[._]?[A-Za-z0-9]{1,6}([+][a-z]{1,4})?",
            host in "(www[.])?[A-Za-z][A-Za-z0-9-]{0,8}[a-z][.](com|co[.]uk|de|com[.]br)",
        ) {
            for mailbox in mail_addresses(&format!("{local}@{host}")) {
                let written = format!("{}@{}", mailbox.local, mailbox.domain.name);
                prop_assert_eq!(mail_addresses(&written), vec![mailbox]);
            }
            if let Some(domain) = web_domain(&format!("https://{host}/path")) {
                prop_assert_eq!(web_domain(&domain.name), Some(domain));
            }
        }
    }
}
