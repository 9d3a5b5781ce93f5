//! The lists that sellers keep, and the answers of writes that may come again.

use super::*;
use crate::capabilities::answers::{Answer, KeyedCall};
use crate::capabilities::lists::{List, ListEntry, ListKind};
use crate::kernel::ListId;
use crate::testing::entity_id;

pub(super) fn list() -> List {
    List {
        id: ListId::derived("list"),
        kind: ListKind::Accounts,
        name: text("Renewals"),
        owner: seat(),
        collaborators: [SeatId::derived("colleague")].into(),
        entries: 7,
        created_at: at(0),
    }
}

pub(super) fn list_entry() -> ListEntry {
    let (list, entity) = (ListId::derived("list"), entity_id("co_1"));
    ListEntry { list, entity, added_by: seat(), added_at: at(1) }
}

#[test]
fn lists_and_stored_answers_are_pinned() {
    let mut forms = Forms::default();
    forms.all("list kind", &[ListKind::Accounts, ListKind::Leads]);
    forms.json("list", &list());
    forms.json("list entry", &list_entry());
    let claimed = KeyedCall { digest: text("digest"), claimed_at: at(0), answer: None };
    forms.json("keyed call", &claimed);
    let headers = vec![(text("content-type"), text("application/json"))];
    let answer = Some(Answer { status: 200, headers, body: text("{}") });
    forms.json("keyed call that was answered", &KeyedCall { answer, ..claimed });
    insta::assert_snapshot!("lists", forms.0);
}
