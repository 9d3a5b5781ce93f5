//! The entries of audit logs. A hash that changes here breaks every chain that is kept.

use super::{Forms, at, scope, seat, tenant, text};
use crate::capabilities::audit::{Action, Actor, AuditHead, Deed};
use crate::kernel::SObject;

const ACTIONS: [Action; 28] = [
    Action::TenantCreated,
    Action::TenantRemoved,
    Action::SeatAdded,
    Action::SeatRemoved,
    Action::SeatChanged,
    Action::ContractChanged,
    Action::CrmUserChosen,
    Action::CrmUserForgotten,
    Action::Connected,
    Action::Reconnected,
    Action::SeatAuthorized,
    Action::AuthorizationEnded,
    Action::Disconnected,
    Action::Purged,
    Action::SettingsChanged,
    Action::SavingUndone,
    Action::ImportSettingsChanged,
    Action::SelectionChanged,
    Action::MatchCorrected,
    Action::MatchRulesChanged,
    Action::ModelChosen,
    Action::HandedOver,
    Action::TakenBack,
    Action::Exported,
    Action::Imported,
    Action::Export,
    Action::GlassBroken,
    Action::RecordRead,
];

#[test]
fn audit_entries_and_their_hashes_are_pinned() {
    let mut forms = Forms::default();
    forms.all("action", &ACTIONS);
    let actors = [
        Actor::Product,
        Actor::Service,
        Actor::Seat { seat: seat() },
        Actor::Admin { subject: Some(text("ada")) },
        Actor::Operator { subject: text("otto") },
    ];
    forms.all("actor", &actors);
    let begin = AuditHead::begin(text("salt"));
    let deed = Deed::new(Action::Exported);
    let (first, head) = begin.followed_by(tenant(), at(0), Actor::Service, deed);
    forms.json("audit entry", &first);
    forms.json("audit head", &head);
    let whole = Deed::of(Action::MatchCorrected, scope())
        .seat(seat())
        .record(SObject::Lead, text("name"))
        .detail("correction", "match");
    let by = Actor::Admin { subject: Some(text("ada@acme.example")) };
    let (second, _) = head.followed_by(tenant(), at(1), by, whole);
    forms.json("audit entry with all", &second);
    insta::assert_snapshot!("audit", forms.0);
}
