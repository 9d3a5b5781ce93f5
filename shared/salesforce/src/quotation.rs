//! Salesforce's own words, fit to be kept, logged and shown.
//!
//! An error may quote the record that it refuses, or the request that it does not understand. Its
//! text is what people need to mend their org, so it is kept, but for what must not leave its
//! place: e-mail addresses and tokens.

/// Longer messages of Salesforce's are cut here: some repeat a whole query.
pub(super) const MAX_MESSAGE_CHARS: usize = 2_000;

/// Codes are cut here: Salesforce's longest are half as long.
const LONGEST_CODE: usize = 100;

/// Salesforce's tokens and authorization codes are longer than this, names of fields are not.
const SHORTEST_TOKEN: usize = 60;

/// The first `longest` characters of a text, e-mail addresses and tokens masked.
pub(super) fn quoted(text: &str, longest: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c| !is_delimiter(c)) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(is_delimiter).unwrap_or(from.len()));
        out.push_str(before);
        out.push_str(masked(word));
        rest = after;
    }
    out.push_str(rest);
    out.chars().take(longest).collect()
}

/// An error code; what stands in one's place and is none, is not kept.
pub(super) fn quoted_code(code: &str) -> String {
    let is_of_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if code.chars().all(is_of_code) { quoted(code, LONGEST_CODE) } else { "UNKNOWN".to_owned() }
}

fn is_delimiter(c: char) -> bool {
    c.is_whitespace() || "<>()[]{},;:\"&=?/\\|".contains(c)
}

fn masked(word: &str) -> &str {
    if is_address(word) {
        "[e-mail address]"
    } else if is_token(word) {
        "[token]"
    } else {
        word
    }
}

/// A name and a host, with `@` between them, in a URL `%40`.
fn is_address(word: &str) -> bool {
    let parts = word.split_once('@').or_else(|| word.split_once("%40"));
    let plain = word.trim_matches(['\'', '.', '`']);
    parts.is_some() && !plain.starts_with('@') && !plain.ends_with('@')
}

/// A session id begins with the org's id and `!`; refresh tokens and codes are long and mix
/// everything.
fn is_token(word: &str) -> bool {
    let word = word.trim_matches(['\'', '.', '`']);
    let is_session = word.starts_with("00D") && (word.contains('!') || word.contains("%21"));
    let mixes =
        |kinds: [fn(&char) -> bool; 3]| kinds.iter().all(|kind| word.chars().any(|c| kind(&c)));
    is_session
        || word.len() >= SHORTEST_TOKEN
            && !word.contains("__")
            && mixes([char::is_ascii_digit, char::is_ascii_lowercase, char::is_ascii_uppercase])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_is_kept_and_what_is_secret_is_not() {
        let token = format!("5Aep861{}", "kJ8._".repeat(16));
        let field = format!("Name{}__r.City__c", "Aa1".repeat(20));
        for (text, expected) in [
            ("Required fields are missing: [LastName]", "Required fields are missing: [LastName]"),
            (
                "duplicate value found: Email duplicates 'jane.o'brien+x@acme.example', id: \
                 003000000000001AAA",
                "duplicate value found: Email duplicates [e-mail address], id: 003000000000001AAA",
            ),
            ("Email: <mailto:a@b.example>?", "Email: <mailto:[e-mail address]>?"),
            ("user%40acme.example", "[e-mail address]"),
            ("see @mentions and a@", "see @mentions and a@"),
            ("session 00D000000000001!AQ4.x_y expired", "session [token] expired"),
            (&format!("refresh_token={token}&x"), "refresh_token=[token]&x"),
            (&format!("No such column '{field}'"), &format!("No such column '{field}'")),
            ("", ""),
        ] {
            assert_eq!(quoted(text, 1_000), expected);
        }
        assert_eq!(quoted("Straße zu", 6), "Straße");
    }
}
