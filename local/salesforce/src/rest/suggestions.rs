//! `/search/suggestions`: records whose names have some words.

use axum::http::StatusCode;
use serde_json::{Value as Json, json};

use super::caller::Caller;
use crate::error::{ApiError, Reply};
use crate::org::OrgData;
use crate::reply::json;
use crate::storage::Table;
use crate::sync::read;

/// A shorter text finds nothing, in characters.
const SHORTEST: usize = 3;

/// A longer text is an error, in characters.
const LONGEST: usize = 255;

/// How many are found when nobody says how many, and at most.
const USUAL: usize = 5;
const MOST: usize = 200;

/// `GET /search/suggestions?q=&sobject=`. The words stand in the name one after the other, the last
/// one as the beginning of a word. Salesforce's order is its own; here it is that of the names.
pub(super) fn suggestions(caller: &Caller<'_>) -> Reply {
    let missing = |name: &str| {
        ApiError::bad("MISSING_ARGUMENT", format!("The {name} parameter must be specified"))
    };
    let words = caller.call.param("q").ok_or_else(|| missing("q"))?;
    let object = caller.call.param("sobject").ok_or_else(|| missing("sobject"))?;
    if words.chars().nth(LONGEST).is_some() {
        return Err(ApiError::bad("QUERY_TOO_COMPLICATED", "The search string is too long"));
    }
    let most = caller.call.param("limit").map_or(Ok(USUAL), str::parse::<usize>);
    let most = most.ok().filter(|most| (1..=MOST).contains(most));
    let most =
        most.ok_or_else(|| ApiError::bad("INVALID_SEARCH", "limit must be from 1 to 200"))?;
    let data = read(&caller.org.data);
    let table = data.table(object).filter(|table| {
        table.schema.flags.search && caller.access.sees_object(&data, &table.schema)
    });
    let table = table.ok_or_else(|| {
        ApiError::bad("INVALID_TYPE", format!("sObject type '{object}' is not supported."))
    })?;
    let mut found = named(caller, &data, table, words);
    found.sort();
    let has_more = found.len() > most;
    let suggested: Vec<Json> = found
        .into_iter()
        .take(most)
        .map(|(name, id)| {
            let url = format!("{}/sobjects/{}/{id}", caller.root(), table.schema.name);
            json!({ "attributes": { "type": table.schema.name, "url": url },
                "Id": id, "Name": name })
        })
        .collect();
    let body = json!({ "autoSuggestResults": suggested, "hasMoreResults": has_more });
    Ok(json(StatusCode::OK, &body))
}

/// The rows that the caller sees and whose names have these words, by name and id.
fn named(caller: &Caller<'_>, data: &OrgData, table: &Table, words: &str) -> Vec<(String, String)> {
    let is_ignored = |c: char| "\"*?".contains(c);
    let asked = words_of(&words.replace(is_ignored, ""));
    if asked.join(" ").chars().count() < SHORTEST {
        return Vec::new();
    }
    let rows = table.iter().filter(|(id, row)| {
        !table.is_deleted(row) && caller.access.sees_row(data, table, *id, row)
    });
    let named = rows.map(|(id, _)| (data.text(id, "Name"), id.to_string()));
    named.filter(|(name, _)| has_words(&words_of(name), &asked)).collect()
}

fn words_of(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

/// True if the words stand in the name one after the other, the last one as a beginning.
fn has_words(name: &[String], asked: &[String]) -> bool {
    let Some((last, whole)) = asked.split_last() else { return false };
    name.windows(asked.len()).any(|part| {
        part.split_last().is_some_and(|(end, begin)| begin == whole && end.starts_with(last))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_a_beginning_and_a_part_within_a_word_is_none() {
        let finds = |name: &str, asked: &str| has_words(&words_of(name), &words_of(asked));
        for name in ["National Utility", "National Urban Company", "First National University"] {
            assert!(finds(name, "national u"), "{name}");
        }
        assert!(!finds("International Utility", "national u"));
        assert!(!finds("National Bank of Utah", "national u"));
        assert!(!finds("National", ""));
    }
}
