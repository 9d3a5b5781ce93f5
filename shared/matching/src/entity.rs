//! The two sides of matching: people and companies of the directory, and records of a CRM.
//!
//! The serde forms of [`Person`], [`Company`] and [`DirectoryLine`] are the directory's JSON lines.

use serde::{Deserialize, Deserializer, Serialize};

use crate::partial_date::{self, PartialDate};

/// No link of the directory is longer.
const LONGEST_LINK: usize = 2048;

/// The kind of directory entity that a record is matched to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// A person: the match of a Lead or Contact.
    Person,
    /// A company: the match of an Account.
    Company,
}

impl EntityKind {
    /// The kind as it is written in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Company => "company",
        }
    }
}

fn null_is_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A text, or a number or truth value that another maker wrote where a text belongs.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Text;
    impl serde::de::Visitor<'_> for Text {
        type Value = String;

        fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            out.write_str("a text or a number")
        }

        fn visit_str<E>(self, value: &str) -> Result<String, E> {
            Ok(value.to_owned())
        }

        fn visit_string<E>(self, value: String) -> Result<String, E> {
            Ok(value)
        }

        fn visit_u64<E>(self, value: u64) -> Result<String, E> {
            Ok(value.to_string())
        }

        fn visit_i64<E>(self, value: i64) -> Result<String, E> {
            Ok(value.to_string())
        }

        fn visit_f64<E>(self, value: f64) -> Result<String, E> {
            Ok(value.to_string())
        }
    }
    deserializer.deserialize_any(Text)
}

/// A number, or a text that holds one (`"1,200"`); anything else is no number.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(f64),
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Option::<Either>::deserialize(deserializer)? {
        Some(Either::Number(number)) => Some(number),
        Some(Either::Text(text)) => text.replace([',', ' '], "").parse().ok(),
        Some(Either::Other(_)) | None => None,
    })
}

/// A web address, to be shown as a link: anything else is none. A script or a local file must not
/// become a link on somebody's screen.
fn link<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text: String = null_is_empty(deserializer)?;
    Ok(if is_link(&text) { text } else { String::new() })
}

/// True if a text is a web address that may be shown as a link.
#[must_use]
pub fn is_link(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '<' | '>' | '\\');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let has_host = rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
    has_host && text.len() <= LONGEST_LINK && text.chars().all(is_plain)
}

/// A person's current employer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Employer {
    /// The name as the person wrote it.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub name: String,
    /// The company's id in the directory, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_id: Option<String>,
    /// When the person began there.
    #[serde(
        default,
        deserialize_with = "partial_date::or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub start_date: Option<PartialDate>,
}

/// A position a person held before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The job title.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub title: String,
    /// The employer's name.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub company: String,
    /// The employer's id in the directory, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_id: Option<String>,
    /// When the person began there.
    #[serde(
        default,
        deserialize_with = "partial_date::or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub start_date: Option<PartialDate>,
    /// When the person left.
    #[serde(
        default,
        deserialize_with = "partial_date::or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub end_date: Option<PartialDate>,
}

/// A person of the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The stable id.
    #[serde(deserialize_with = "text")]
    pub id: String,
    /// Given names.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub first_name: String,
    /// Family name.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub last_name: String,
    /// The current job title.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub title: String,
    /// The line under the name, often "title at company".
    #[serde(default, deserialize_with = "null_is_empty")]
    pub headline: String,
    /// The current employer.
    #[serde(default)]
    pub company: Option<Employer>,
    /// Earlier positions, latest first.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub past_positions: Vec<Position>,
    /// Known mail addresses.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub emails: Vec<String>,
    /// Known phones.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub phones: Vec<String>,
    /// City.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub city: String,
    /// State or province.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub state: String,
    /// Country.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub country: String,
    /// The address of the profile.
    #[serde(default, deserialize_with = "link", skip_serializing_if = "String::is_empty")]
    pub profile_url: String,
    /// The address of the photo, if everybody may see it.
    #[serde(default, deserialize_with = "link", skip_serializing_if = "String::is_empty")]
    pub photo_url: String,
}

/// A company of the directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Company {
    /// The stable id.
    #[serde(deserialize_with = "text")]
    pub id: String,
    /// The name.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub name: String,
    /// The domain of its mail and site.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub domain: String,
    /// The web site.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub website: String,
    /// The main phone.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub phone: String,
    /// Street and number.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub street: String,
    /// City.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub city: String,
    /// State or province.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub state: String,
    /// Postal code.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub postal_code: String,
    /// Country.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub country: String,
    /// Industry.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub industry: String,
    /// Number of employees.
    #[serde(default, deserialize_with = "number")]
    pub employees: Option<f64>,
    /// Names it had before.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub former_names: Vec<String>,
    /// Names it trades under.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub brands: Vec<String>,
    /// The address of the company's page, as a person has a profile.
    #[serde(default, deserialize_with = "link", skip_serializing_if = "String::is_empty")]
    pub profile_url: String,
}

/// One line of a directory part or delta.
#[derive(Clone, Debug, PartialEq)]
pub enum DirectoryLine<T> {
    /// The entity as it is now: `{"id": .., ...}`.
    Upsert(T),
    /// The entity is retired: `{"id": .., "op": "delete"}`.
    Delete {
        /// The retired id.
        id: String,
    },
    /// The entity is another one: `{"id": .., "op": "merge", "into": ..}`; matches follow.
    Merge {
        /// The old id.
        id: String,
        /// The surviving id.
        into: String,
    },
}

#[derive(Deserialize)]
struct Tombstone {
    id: String,
    op: String,
    into: Option<String>,
}

impl<T: for<'de> Deserialize<'de>> DirectoryLine<T> {
    /// Reads one JSON line.
    ///
    /// # Errors
    /// The reason the line is neither an entity, a deletion nor a merge.
    pub fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        use serde::de::Error as _;
        // Entities have no `op`; looking for the word first spares almost every line a second
        // parse.
        if memchr::memmem::find(line, b"\"op\"").is_some()
            && let Ok(tombstone) = serde_json::from_slice::<Tombstone>(line)
        {
            return match (tombstone.op.as_str(), tombstone.into) {
                ("delete", _) => Ok(Self::Delete { id: tombstone.id }),
                ("merge", Some(into)) => Ok(Self::Merge { id: tombstone.id, into }),
                ("upsert", _) => serde_json::from_slice(line).map(Self::Upsert),
                _ => Err(serde_json::Error::custom("op is not delete, upsert, or merge with into")),
            };
        }
        serde_json::from_slice(line).map(Self::Upsert)
    }
}

/// A Lead, or a Contact joined with its Account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CrmPerson {
    /// Given names.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// The whole name, read only where both others are missing.
    pub name: Option<String>,
    /// Job title.
    pub title: Option<String>,
    /// The employer's name: the Lead's Company, or the Contact's Account's Name.
    pub company: Option<String>,
    /// Mail addresses, as typed.
    pub email: Option<String>,
    /// Phone.
    pub phone: Option<String>,
    /// A second phone, as a mobile.
    pub mobile_phone: Option<String>,
    /// The employer's web site: the Lead's, or the Contact's Account's.
    pub website: Option<String>,
    /// Street.
    pub street: Option<String>,
    /// City.
    pub city: Option<String>,
    /// State or province.
    pub state: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Country.
    pub country: Option<String>,
}

/// An Account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CrmAccount {
    /// The name.
    pub name: Option<String>,
    /// The web site.
    pub website: Option<String>,
    /// The phone.
    pub phone: Option<String>,
    /// Street and number.
    pub street: Option<String>,
    /// City.
    pub city: Option<String>,
    /// State or province.
    pub state: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Country.
    pub country: Option<String>,
    /// Industry.
    pub industry: Option<String>,
    /// Number of employees.
    pub employees: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line says once it is read and written again.
    fn again<T: Serialize + for<'de> Deserialize<'de>>(line: &str) -> T {
        let read: T = serde_json::from_str(line).unwrap();
        serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap()
    }

    #[test]
    fn a_person_keeps_links_dates_and_the_companies_of_all_positions() {
        let person: Person = again(
            r#"{"id":"p","profile_url":"https://people.example/in/p",
                "photo_url":"https://img.example/p.jpg",
                "company":{"name":"Acme","company_id":"c1","start_date":"2021-03"},
                "past_positions":[{"title":"Baker","company":"Mill","company_id":"c2",
                    "start_date":2014,"end_date":"2021-02-28"}]}"#,
        );
        assert_eq!(person.profile_url, "https://people.example/in/p");
        assert_eq!(person.photo_url, "https://img.example/p.jpg");
        let company = person.company.unwrap();
        assert_eq!(company.company_id.as_deref(), Some("c1"));
        assert_eq!(company.start_date, "2021-03".parse().ok());
        let past = &person.past_positions[0];
        assert_eq!(past.company_id.as_deref(), Some("c2"));
        assert_eq!(past.start_date, "2014".parse().ok());
        assert_eq!(past.end_date, "2021-02-28".parse().ok());
    }

    #[test]
    fn a_company_keeps_its_site_and_the_address_of_its_page() {
        let line = r#"{"id":"c","website":"acme.example","profile_url":"https://co.example/acme"}"#;
        let company: Company = again(line);
        assert_eq!(company.website, "acme.example");
        assert_eq!(company.profile_url, "https://co.example/acme");
    }

    #[test]
    fn an_entity_without_the_optional_fields_is_written_without_them() {
        let line = |entity: String| {
            let value: serde_json::Value = serde_json::from_str(&entity).unwrap();
            let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
            names.sort();
            names
        };
        let person: Person = serde_json::from_str(
            r#"{"id":"p","company":{"name":"Acme"},"past_positions":[{"company":"Mill"}]}"#,
        )
        .unwrap();
        let names = line(serde_json::to_string(&person).unwrap());
        assert!(!names.iter().any(|name| name.ends_with("_url")), "{names:?}");
        let past = line(serde_json::to_string(&person.past_positions[0]).unwrap());
        assert_eq!(past, ["company", "title"]);
        let company: Company = serde_json::from_str(r#"{"id":"c"}"#).unwrap();
        let names = line(serde_json::to_string(&company).unwrap());
        assert!(!names.contains(&"profile_url".to_owned()), "{names:?}");
    }

    #[test]
    fn what_is_no_web_address_becomes_no_link() {
        let links = ["https://a.example/in/x?y=z#w", "http://a.example"];
        let long = format!("https://a.example/{}", "x".repeat(LONGEST_LINK));
        let others = [
            "",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "//a.example",
            "https://",
            "https:///x",
            "https://a.example/ x",
            "https://a.example/\"onload=1",
            &long,
        ];
        let read = |text: &str| {
            let line = serde_json::json!({ "id": "p", "profile_url": text }).to_string();
            serde_json::from_str::<Person>(&line).unwrap().profile_url
        };
        for text in links {
            assert_eq!(read(text), text);
        }
        for text in others {
            assert_eq!(read(text), "", "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_left_out_and_the_line_is_read() {
        for date in ["\"soon\"", "\"2021-13\"", "true", "null", "{}", "[1]", "-4", "1e99"] {
            let line = format!(r#"{{"id":"p","company":{{"name":"Acme","start_date":{date}}}}}"#);
            let person: Person = serde_json::from_str(&line).unwrap();
            assert_eq!(person.company.unwrap().start_date, None, "{date}");
        }
    }
}
