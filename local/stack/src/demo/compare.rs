//! Two demos' reports, line by line. What must differ from run to run is set aside: ids and times.

use std::fmt::Write as _;

/// Lines that are not the same in both reports, each with its side; empty when all are. Ids and
/// times are set aside.
#[must_use]
pub fn differences(one: &str, other: &str) -> Vec<String> {
    let (one, other) = (settled(one), settled(other));
    let mut found = Vec::new();
    for at in 0..one.len().max(other.len()) {
        let (left, right) = (one.get(at), other.get(at));
        if left != right {
            found.extend(left.map(|line| format!("- {line}")));
            found.extend(right.map(|line| format!("+ {line}")));
        }
    }
    found
}

/// The lines of a report, without what is another in each run.
fn settled(report: &str) -> Vec<String> {
    report.trim().lines().map(|line| words(line.trim_end())).collect()
}

/// A line with every word that is an id or a time replaced by what it is.
fn words(line: &str) -> String {
    let mut settled = String::new();
    let mut word = String::new();
    for c in line.chars().chain(['\n']) {
        // A time holds colons and signs, an id underscores.
        if c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-' | '.' | '+') {
            word.push(c);
            continue;
        }
        let taken = std::mem::take(&mut word);
        let bare = taken.trim_end_matches([':', '.', '-']);
        match kind(bare) {
            Some(kind) => drop(write!(settled, "<{kind}>{}", &taken[bare.len()..])),
            None => settled.push_str(&taken),
        }
        if c != '\n' {
            settled.push(c);
        }
    }
    settled
}

fn kind(word: &str) -> Option<&'static str> {
    let digit = word.bytes().any(|b| b.is_ascii_digit());
    let alphanumeric = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
    if !digit {
        return None;
    }
    if word.len() >= 20 && word.as_bytes()[4] == b'-' && word.contains('T') {
        return Some("time");
    }
    // Salesforce's ids have 15 or 18 characters, ours a prefix and a ULID, hashes 32 and more.
    let bare = word.split_once('_').map_or(word, |(_, bare)| bare);
    let long = matches!(bare.len(), 15 | 18 | 26) || bare.len() >= 32;
    (long && alphanumeric(bare)).then_some("id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_times_are_set_aside_and_nothing_else() {
        let report = |id, tenant, time, rows| {
            format!(
                "\nFirst import: complete\n  Account {rows} rows\n  {id}: Subject\n  \
                 certificate {{\"tenant\":\"{tenant}\",\"purged_at\":\"{time}\"}}\n"
            )
        };
        let one = report(
            "00T5g00000AbCdEAAV",
            "ten_01JD4ZK3V9Q8W7E6R5T4Y3U2I1",
            "2026-11-28T07:00:00Z",
            60,
        );
        let other = report(
            "00T5g00000ZzZzZAAV",
            "ten_01JD4ZK3V9Q8W7E6R5T4Y3U2I2",
            "2026-11-28T07:01:02.345Z",
            60,
        );
        assert_eq!(differences(&one, &other), Vec::<String>::new());
        let other = other.replace("60 rows", "59 rows");
        assert_eq!(differences(&one, &other), ["-   Account 60 rows", "+   Account 59 rows"]);
    }

    #[test]
    fn a_line_that_one_report_lacks_is_a_difference() {
        assert_eq!(differences("a\nb\n", "a\n"), ["- b"]);
        assert_eq!(differences("a", "a\nc"), ["+ c"]);
    }
}
