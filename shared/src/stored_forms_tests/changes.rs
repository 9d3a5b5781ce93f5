//! The changes of leads and contacts, and what of them lies sealed.

use super::{Forms, at, seat, text};
use crate::capabilities::activities::HoldReason;
use crate::capabilities::changing::{
    Change, ChangeKind, ChangeState, ChangeValues, Duplicate, OpportunityRole, Refusal,
};
use crate::kernel::{ChangeId, RecordRef, SObject};
use crate::testing::{entity_id, record_id};

#[test]
fn changes_are_pinned() {
    let mut forms = Forms::default();
    let record = RecordRef { object: SObject::Lead, id: record_id("00Q", 1) };
    let kinds = [
        ChangeKind::Create { object: SObject::Contact },
        ChangeKind::Update { record },
        ChangeKind::Delete { record },
    ];
    forms.all("change kind", &kinds);
    let reason = HoldReason::CrmLoginRequired;
    let states = [
        ChangeState::Queued,
        ChangeState::Held { reason },
        ChangeState::Claimed { server_time: at(1), at: at(2), lookups: 3 },
        ChangeState::Made,
        ChangeState::Refused { code: text("STALE") },
        ChangeState::Withdrawn,
    ];
    forms.all("change state", &states);
    let id = ChangeId::derived("change");
    let bare = Change {
        id,
        seat: seat(),
        what: kinds[0],
        person: None,
        asked_at: at(0),
        digest: text("digest"),
        was_claimed: false,
        created: None,
        role_done: true,
        undoes: None,
        undone_by: None,
        state: ChangeState::Queued,
        tries: 0,
    };
    forms.json("change", &bare);
    let whole = Change {
        person: Some(entity_id("pe_1")),
        was_claimed: true,
        created: Some(record_id("003", 1)),
        undoes: Some(id),
        undone_by: Some(id),
        state: states[2].clone(),
        tries: 4,
        ..bare
    };
    forms.json("change with all", &whole);
    sealed_values(&mut forms);
    insta::assert_snapshot!("changes", forms.0);
}

/// What lies sealed beside a change.
fn sealed_values(forms: &mut Forms) {
    let values = |name: &str, value: &str| [(text(name), value.into())].into();
    let mut whole = ChangeValues {
        to: values("Title", "Poet"),
        from: values("Title", "Peer"),
        create_anyway: true,
        ..ChangeValues::default()
    };
    forms.json("sealed values", &whole);
    whole.role = Some(OpportunityRole {
        opportunity: record_id("006", 1),
        role: Some(text("Decision Maker")),
    });
    whole.found = values("Title", "Prince");
    whole.left = values("Title", "Poet");
    whole.left_at = Some(at(3));
    whole.refusals = vec![Refusal::of("STALE", "See both.").about(["Title"])];
    whole.duplicates = vec![Duplicate { object: text("Lead"), id: record_id("00Q", 1) }];
    whole.may_create_anyway = true;
    forms.json("sealed values with all", &whole);
}
