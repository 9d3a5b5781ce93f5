//! What mends an error of an import, by Salesforce's code or ours. Pure.

/// What mends it; none where nothing general is known, and Salesforce's own words must do.
#[must_use]
pub fn fix_of(code: &str) -> Option<&'static str> {
    Some(match code {
        "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED" => {
            "The org's edition or the import user's profile has no API: the connection doctor says \
             where to allow it."
        }
        "INSUFFICIENT_ACCESS" | "INSUFFICIENT_ACCESS_OR_READONLY" => {
            "Give the import's user the right to read it, then check the permissions again."
        }
        "INVALID_FIELD" | "INVALID_FIELD_FOR_INSERT_UPDATE" => {
            "A field is gone or hidden: look at the field mappings, and check the permissions."
        }
        "INVALID_TYPE" => "The object is hidden from the import's user: check the permissions.",
        "INVALID_SESSION_ID" => "The login has ended: connect again if this stays.",
        "REQUEST_LIMIT_EXCEEDED" | "EXCEEDED_MAX_CONCURRENT_REQUESTS" => {
            "The org's calls are used up. The run goes on by itself; the schedule says how many it \
             leaves to others."
        }
        "QUERY_TIMEOUT" | "OPERATION_TOO_LARGE" => {
            "Salesforce takes too long. It is read in smaller parts by itself; a filter helps."
        }
        "UNABLE_TO_LOCK_ROW" | "SERVER_UNAVAILABLE" | "UNKNOWN_EXCEPTION" | "NO_ANSWER" => {
            "It passes: the run tries again by itself."
        }
        "UNUSABLE_ANSWER" => {
            "Something between us and Salesforce changes its answers: ask who runs your network."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_salesforces_says_what_mends_it_and_an_unknown_one_says_nothing() {
        assert!(fix_of("REQUEST_LIMIT_EXCEEDED").is_some_and(|fix| fix.contains("by itself")));
        assert!(fix_of("INVALID_FIELD").is_some_and(|fix| fix.contains("permissions")));
        assert_eq!(fix_of("FIELD_CUSTOM_VALIDATION_EXCEPTION"), None);
    }
}
