//! The changes of leads, contacts and accounts, and what of them lies sealed.

use super::{Forms, at, seat, text};
use crate::capabilities::activities::HoldReason;
use crate::capabilities::changing::{
    Bulk, Change, ChangeKind, ChangeState, ChangeValues, Duplicate, OpportunityRole, Refusal,
};
use crate::kernel::{BulkId, ChangeId, RecordRef, SObject};
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
        claimed(),
        ChangeState::Made,
        ChangeState::Refused { code: text("STALE") },
        ChangeState::Withdrawn,
    ];
    forms.all("change state", &states);
    forms.json("change", &bare());
    forms.json("change with all", &whole());
    let first = ChangeValues {
        to: values("Title", "Poet"),
        from: values("Title", "Peer"),
        create_anyway: true,
        ..ChangeValues::default()
    };
    forms.json("sealed values", &first);
    forms.json("sealed values with all", &all_values());
    forms.json("bulk", &bulk());
    insta::assert_snapshot!("changes", forms.0);
}

fn claimed() -> ChangeState {
    ChangeState::Claimed { server_time: at(1), at: at(2), lookups: 3 }
}

fn bare() -> Change {
    Change {
        id: ChangeId::derived("change"),
        seat: seat(),
        what: ChangeKind::Create { object: SObject::Contact },
        entity: None,
        asked_at: at(0),
        digest: text("digest"),
        was_claimed: false,
        created: None,
        role_done: true,
        undoes: None,
        undone_by: None,
        state: ChangeState::Queued,
        tries: 0,
    }
}

/// A change that has all that one may have.
pub(super) fn whole() -> Change {
    let other = ChangeId::derived("change");
    Change {
        entity: Some(entity_id("pe_1")),
        was_claimed: true,
        created: Some(record_id("003", 1)),
        undoes: Some(other),
        undone_by: Some(other),
        state: claimed(),
        tries: 4,
        ..bare()
    }
}

fn values(name: &str, value: &str) -> crate::capabilities::changing::Values {
    [(text(name), value.into())].into()
}

/// What lies sealed beside a change, with all that there may be.
pub(super) fn all_values() -> ChangeValues {
    ChangeValues {
        to: values("Title", "Poet"),
        from: values("Title", "Peer"),
        role: Some(OpportunityRole {
            opportunity: record_id("006", 1),
            role: Some(text("Decision Maker")),
        }),
        create_anyway: true,
        found: values("Title", "Prince"),
        left: values("Title", "Poet"),
        left_at: Some(at(3)),
        refusals: vec![Refusal::of("STALE", "See both.").about(["Title"])],
        duplicates: vec![Duplicate { object: text("Lead"), id: record_id("00Q", 1) }],
        may_create_anyway: true,
    }
}

/// Changes that were approved together.
pub(super) fn bulk() -> Bulk {
    Bulk {
        id: BulkId::derived("bulk"),
        seat: seat(),
        asked_at: at(0),
        digest: text("digest"),
        changes: vec![ChangeId::derived("change")],
    }
}
