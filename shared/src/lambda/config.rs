//! The configuration of the functions: read once, typed, and every mistake told at once.

mod functions;

use std::collections::BTreeMap;
use std::fmt;

pub use functions::{
    ApiConfig, AppConfig, AskConfig, AutoSaveConfig, BulkImportConfig, CallersConfig,
    ConnectionCareConfig, ConsoleConfig, ConsoleLogin, DataPurgeConfig, DirectoryIndexConfig,
    MatchShardConfig, OauthCallbackConfig, SalesforceConfig, TellingConfig, WritebackConfig,
};

/// What is wrong with a variable. The value itself is not repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable.
    pub name: &'static str,
    /// What it should be; none when it is missing.
    pub expected: Option<&'static str>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expected {
            None => write!(f, "{} is not set", self.name),
            Some(expected) => write!(f, "{} is not {expected}", self.name),
        }
    }
}

/// The configuration cannot be used: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is wrong: ")?;
        for (i, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// The environment variables, which notes what is asked of it and what is wrong.
#[derive(Debug, Default)]
pub struct Variables {
    values: BTreeMap<String, String>,
    asked: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl Variables {
    /// The variables of this process; one that is not Unicode counts as missing.
    #[must_use]
    pub fn of_process() -> Self {
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::of(std::env::vars_os().filter_map(unicode))
    }

    /// These variables.
    pub fn of(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { values: values.into_iter().collect(), ..Self::default() }
    }

    /// A variable that may be missing; an empty one is.
    pub(crate) fn optional(&mut self, name: &'static str) -> Option<String> {
        self.asked.push(name);
        self.values.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// A variable that may not be missing.
    pub(crate) fn required(&mut self, name: &'static str) -> Option<String> {
        let value = self.optional(name);
        if value.is_none() {
            self.problems.push(Problem { name, expected: None });
        }
        value
    }

    /// The typed form of a value, noting when it has none.
    pub(crate) fn parsed<T>(
        &mut self,
        name: &'static str,
        value: Option<String>,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let parsed = parse(&value?);
        if parsed.is_none() {
            self.problems.push(Problem { name, expected: Some(expected) });
        }
        parsed
    }
}

/// A function's configuration.
pub trait Config: Sized {
    /// Reads every variable, then makes the configuration: `?` only after the last one is read,
    /// so that all mistakes are found at once.
    fn read(variables: &mut Variables) -> Option<Self>;
}

/// The configuration, or everything that is wrong with it.
pub fn read<C: Config>(mut variables: Variables) -> Result<C, ConfigError> {
    let config = C::read(&mut variables);
    config.filter(|_| variables.problems.is_empty()).ok_or(ConfigError(variables.problems))
}

/// The names of all variables that a configuration reads, in order.
#[must_use]
pub fn variables_of<C: Config>() -> Vec<&'static str> {
    let mut variables = Variables::default();
    let _ = C::read(&mut variables);
    variables.asked.sort_unstable();
    variables.asked.dedup();
    variables.asked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        Variables::of(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    const DIRECTORY_INDEX: [(&str, &str); 4] = [
        ("TABLE_NAME", "crm-sync"),
        ("BUCKET_NAME", "bucket"),
        ("DIRECTORY_QUEUE_URL", "http://localhost/directory"),
        ("MATCH_QUEUE_URL", "http://localhost/match"),
    ];

    #[test]
    fn all_missing_variables_are_named_at_once() {
        let error = read::<DirectoryIndexConfig>(Variables::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the configuration is wrong: TABLE_NAME is not set; BUCKET_NAME is not set; \
             DIRECTORY_QUEUE_URL is not set; MATCH_QUEUE_URL is not set"
        );
    }

    #[test]
    fn a_complete_configuration_is_read() {
        let config = read::<DirectoryIndexConfig>(variables(&DIRECTORY_INDEX)).unwrap();
        assert_eq!(config.aws.table_name, "crm-sync");
        assert_eq!(config.aws.bucket_name.as_deref(), Some("bucket"));
        assert_eq!(config.aws.queue_urls.len(), 2);
        assert_eq!(config.aws.kms_key_id, None);
    }

    #[test]
    fn an_empty_variable_is_a_missing_one() {
        let mut pairs = DIRECTORY_INDEX;
        pairs[0].1 = "";
        let error = read::<DirectoryIndexConfig>(variables(&pairs)).unwrap_err();
        assert_eq!(error.0, [Problem { name: "TABLE_NAME", expected: None }]);
    }

    #[test]
    fn a_wrong_value_is_told_without_being_repeated() {
        let names = variables_of::<ApiConfig>();
        let pairs = names.iter().map(|name| ((*name).to_owned(), "s3cret".to_owned()));
        let error = read::<ApiConfig>(Variables::of(pairs)).unwrap_err().to_string();
        for name in ["PUBLIC_BASE_URL", "JWKS_URL", "BROWSER_AUTHORIZE_BASE"] {
            assert!(error.contains(name), "{error}");
        }
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn the_browsers_address_may_only_be_on_loopback() {
        let names = variables_of::<ApiConfig>();
        let problems = |base: &str| {
            let values = names.iter().map(|name| {
                let value = match *name {
                    "BROWSER_AUTHORIZE_BASE" => base,
                    "SALESFORCE_API_VERSION" => "v62.0",
                    "SALESFORCE_CA_FILE" | "EGRESS_RANGES" => "",
                    _ => "https://example.com",
                };
                ((*name).to_owned(), value.to_owned())
            });
            read::<ApiConfig>(Variables::of(values)).map_or_else(|error| error.0, |_| Vec::new())
        };
        for good in ["", "http://127.0.0.1:9001", "http://localhost:9001", "http://[::1]:9001"] {
            assert_eq!(problems(good), [], "{good}");
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
            let names: Vec<_> = problems(bad).iter().map(|problem| problem.name).collect();
            assert_eq!(names, ["BROWSER_AUTHORIZE_BASE"], "{bad}");
        }
    }
}
