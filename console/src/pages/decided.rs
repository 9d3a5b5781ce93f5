//! Records that were decided in one way, found among all that the API lists.

use serde::Deserialize;
use url::form_urlencoded;

use super::MATCHED;
use crate::ask::AskOn;
use crate::guard::Fields;
use crate::trouble::Trouble;
use crate::words::Word;

/// So many pages of the API's list are looked through at the most: a small org's records are spread
/// over many that hold hardly any.
const PAGES: usize = 64;

/// No further page is looked at after so many records.
const LOOKED_THROUGH: usize = 2_000;

#[derive(Deserialize)]
struct Page {
    items: Vec<Listed>,
    next: Option<String>,
}

/// A record as the list has it.
#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) record_id: String,
    decision: Word,
}

/// The records that were found, and where to look further.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) records: Vec<Listed>,
    pub(super) next: Option<String>,
}

/// The object that a query names; leads when it names none.
pub(super) fn object_of(query: &Fields) -> Result<&'static str, Trouble> {
    let asked = query.text("object").unwrap_or(MATCHED[0]);
    MATCHED.into_iter().find(|object| *object == asked).ok_or(Trouble::NotFound)
}

/// The query for an object's list from some place on.
pub(super) fn query_of(object: &str, cursor: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("object", object);
    query.extend_pairs(cursor.map(|cursor| ("cursor", cursor))).finish()
}

impl Decided {
    /// The records of an object with this decision, `most` at least if there are so many, after
    /// `cursor`; none where no org is connected.
    pub(super) async fn find(
        on: &AskOn<'_>,
        object: &str,
        decision: &str,
        cursor: Option<&str>,
        most: usize,
    ) -> Result<Option<Self>, Trouble> {
        let mut found = Self { records: Vec::new(), next: cursor.map(str::to_owned) };
        let mut seen = 0;
        for _ in 0..PAGES {
            let path = format!("/matches?{}", query_of(object, found.next.as_deref()));
            let Some(Page { items, next }) = on.find(&path).await? else { return Ok(None) };
            seen += items.len();
            found.records.extend(items.into_iter().filter(|item| item.decision.is(decision)));
            found.next = next;
            if found.next.is_none() || found.records.len() >= most || seen >= LOOKED_THROUGH {
                break;
            }
        }
        Ok(Some(found))
    }
}
