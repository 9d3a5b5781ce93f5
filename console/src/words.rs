//! The API's names in a person's words, and numbers and times as pages write them.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;

/// A name of the API's, with its words and its colour.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Word {
    /// As the API writes it.
    pub(crate) name: String,
    /// As a person reads it.
    pub(crate) words: String,
}

impl From<String> for Word {
    fn from(name: String) -> Self {
        Self { words: words(&name), name }
    }
}

impl Word {
    /// The class of its colour.
    pub(crate) fn tone(&self) -> &'static str {
        tone(&self.name)
    }

    /// True if the API writes it so.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name
    }
}

/// A moment, for the script and for who has none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Timestamp")]
pub(crate) struct When {
    /// The moment itself.
    pub(crate) at: Timestamp,
    /// In words, in UTC.
    pub(crate) text: String,
}

impl From<Timestamp> for When {
    fn from(at: Timestamp) -> Self {
        Self { text: moment(&at), at }
    }
}

/// A count; it is written with its thousands apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub(crate) struct Count(pub(crate) i64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&grouped(self.0))
    }
}

/// Some seconds; they are written as a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Seconds(pub(crate) u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&span(self.0))
    }
}

/// A probability from 0 to 1; it is written in per cent.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Percent(pub(crate) f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&percent(self.0))
    }
}

/// What a form did, as the page after it says.
pub(crate) fn said(name: &str) -> Option<&'static str> {
    Some(match name {
        "saved" => "Saved.",
        "undoing" => "Being undone. What the rules of today call for stays.",
        "tried" => "Being counted. Nothing is saved and no setting is changed.",
        "ruled" => "Saved. Everything is matched again by these rules.",
        "learning" => "A model is being made of what was said, and tried in the shadow.",
        "publishing" => "The version is being built. Everything is matched to it once it is done.",
        "asked" => "Asked. The answer comes in a moment.",
        "paused" => "The run is paused.",
        "resumed" => "The run goes on.",
        "cancelled" => "The run is cancelled.",
        "started" => "A run has begun.",
        "decided" => "Your decision holds. It can be undone.",
        "undone" => "Undone: what was said of this record does not hold any more.",
        "connected" => "The org is connected. The first import has begun.",
        _ => return None,
    })
}

/// A name such as `handing_over` in words: Handing over.
pub(crate) fn words(name: &str) -> String {
    let exact = match name {
        "non_match" => "No match",
        "api_enabled" => "API access",
        "reconnect_required" => "Reconnect required",
        "session_ip_lock" => "Session IP lock",
        "same_org" => "The same org",
        "ok" => "In order",
        "roi" => "Return on investment",
        "cannot_be_seen" => "Cannot be seen from here",
        "not_checked" => "Not checked yet",
        "grant_dead" => "Salesforce takes our login no more",
        "null" => "Not given",
        "auto" => "By the evidence",
        "too_few_labels" => "Too few decisions",
        "writeback" => "Write-back",
        _ => "",
    };
    if !exact.is_empty() {
        return exact.to_owned();
    }
    // An object's name is two words where it changes case: OpportunityContactRole.
    let mut text = String::with_capacity(name.len() + 4);
    let mut before = ' ';
    for character in name.chars() {
        match character {
            '_' | '-' => text.push(' '),
            upper if upper.is_ascii_uppercase() && before.is_ascii_lowercase() => {
                text.push(' ');
                text.push(upper.to_ascii_lowercase());
            }
            other => text.push(other),
        }
        before = character;
    }
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A state's colour: `good`, `warn`, `bad` or `calm`.
fn tone(state: &str) -> &'static str {
    match state {
        "connected" | "complete" | "done" | "ok" | "match" | "matched" | "mapped_by_hand" => "good",
        "reconnect_required" | "paused" | "warning" | "review" | "ambiguous" | "not_matched"
        | "degraded" | "lapsed" => "warn",
        "failed" | "problem" | "disconnected" | "blocked" | "refused" | "inactive" => "bad",
        _ => "calm",
    }
}

/// A number with its thousands apart; the script writes it as the reader's locale does.
fn grouped(number: impl fmt::Display) -> String {
    let digits = number.to_string();
    let (sign, digits) = digits.strip_prefix('-').map_or(("", &*digits), |rest| ("-", rest));
    let mut text = sign.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A moment for who has no script; the script writes it in the reader's zone.
fn moment(at: &Timestamp) -> String {
    at.strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// A time of some seconds: 1 h 20 min.
fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A probability in per cent.
fn percent(probability: f64) -> String {
    format!("{:.1} %", probability * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        assert_eq!(words("handing_over"), "Handing over");
        assert_eq!(words("OpportunityContactRole"), "Opportunity contact role");
        assert_eq!(words("non_match"), "No match");
        assert_eq!(words(""), "");
    }

    #[test]
    fn numbers_and_spans_are_written_for_people() {
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(grouped(-1_234), "-1\u{202f}234");
        assert_eq!(grouped(7), "7");
        assert_eq!(span(59), "59 s");
        assert_eq!(span(4_800), "1 h 20 min");
    }
}
