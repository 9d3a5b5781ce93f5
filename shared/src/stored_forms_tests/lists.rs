//! The lists that sellers keep, the answers of writes that may come again, and the rules of
//! matching.

use super::*;
use crate::capabilities::answers::{Answer, KeyedCall};
use crate::capabilities::linking::{
    KeptMatchRules, MatchRules, ObjectRules, RulesTrial, TrialCounts, TrialExample, TrialPlace,
};
use crate::capabilities::lists::{List, ListEntry, ListKind};
use crate::kernel::{ListId, Signature};
use crate::testing::{entity_id, record_id};

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

pub(super) fn match_rules() -> KeptMatchRules {
    let must_agree = [text("email"), text("phone")].into();
    let rules = ObjectRules { match_at: Some(0.97), must_agree };
    KeptMatchRules {
        rules: MatchRules([(SObject::Lead, rules)].into()),
        changes: 3,
        signed: Some(Signature { at: at(0), by: Author::Service }),
    }
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
    forms.json("match rules", &match_rules());
    let example = TrialExample { record: record_id("00Q", 1), entity: entity_id("pr_1") };
    let counts = TrialCounts {
        records: 9,
        matched: 5,
        would_match: 4,
        lost: 2,
        gained: 1,
        lost_examples: vec![example.clone()],
        gained_examples: vec![example],
    };
    let place = TrialPlace { object: 1, bucket: 2, after: Some(text("a")) };
    let trial = RulesTrial {
        trial: 2,
        rules: match_rules().rules,
        asked: Signature { at: at(0), by: Author::Service },
        step: 7,
        place,
        finished_at: Some(at(9)),
        found: [(SObject::Lead, counts)].into(),
    };
    forms.json("trial of rules", &trial);
    insta::assert_snapshot!("lists", forms.0);
}
