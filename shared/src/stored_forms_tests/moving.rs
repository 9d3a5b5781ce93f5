//! The lines of the file that a tenant moves in: a snapshot that changes here is a new form, and
//! takes the next number.

use std::collections::{BTreeMap, BTreeSet};

use matching::EntityKind;
use strum::VariantNames;

use super::*;
use crate::capabilities::activities::ActivityTarget;
use crate::capabilities::importing::{
    FieldMapping, FilterCondition, RecordFilter, SelectionChange, SelectionPart,
};
use crate::capabilities::linking::{ModelChoice, Said, ShadowCounts};
use crate::capabilities::moving::{
    End, Header, Line, MovedActivity, MovedBulk, MovedChange, MovedChoice, MovedConnection,
    MovedConversation, MovedCorrection, MovedImportSettings, MovedList, MovedListEntry,
    MovedMatchRules, MovedModel, MovedSaved, MovedSeat, MovedSeatLogging, MovedSelection,
    MovedSettings, MovedTenant, MovedVote,
};
use crate::capabilities::saving::SavedReason;
use crate::capabilities::settings::{KeptSettings, LogType, SavingRule, SeatChoices};
use crate::kernel::ModelId;
use crate::testing::{entity_id, record_id};

fn of_the_tenant() -> Vec<Line> {
    let environment = Environment::Sandbox;
    vec![
        Line::TenantExport(Header::new(tenant(), at(0))),
        Line::Tenant(MovedTenant {
            name: "Acme".to_owned(),
            entitled: true,
            licences: Some(20),
            created_at: at(0),
        }),
        Line::Seat(MovedSeat {
            seat: seat(),
            email: "ada@acme.example".to_owned(),
            aliases: BTreeSet::from(["a.lovell@acme.example".to_owned()]),
            federation_id: Some("alovell".to_owned()),
            name: "Ada Lovell".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            roles: BTreeSet::from([Role::Admin, Role::Seat]),
        }),
        Line::CrmVote(MovedVote { crm: "hubspot".to_owned(), voted_at: at(1) }),
        Line::Settings(MovedSettings::of(environment, KeptSettings::default())),
        Line::ImportSettings(MovedImportSettings::of(
            environment,
            &crate::capabilities::importing::ImportSettings::default(),
        )),
        Line::Selection(MovedSelection {
            environment,
            mappings: vec![FieldMapping {
                object: SObject::Lead,
                field: "Title".to_owned(),
                custom_field: "Title__c".to_owned(),
            }],
            filters: vec![RecordFilter {
                object: SObject::Account,
                conditions: vec![FilterCondition {
                    field: "Rating".to_owned(),
                    operator: FilterOperator::Equals,
                    value: FilterValue::Text("Hot".to_owned()),
                }],
            }],
            accounts: AccountModel::Business,
            changes: vec![SelectionChange {
                at: at(2),
                by: Some("ada".to_owned()),
                set: SelectionPart::Mappings,
            }],
        }),
        Line::MatchRules(MovedMatchRules { environment, kept: lists::match_rules() }),
        Line::SeatLogging(MovedSeatLogging {
            environment,
            seat: seat(),
            switch: None,
            choices: SeatChoices {
                types: BTreeMap::from([(LogType::Calls, false)]),
                saving: BTreeMap::from([(SavingRule::OwnedAccounts, false)]),
            },
        }),
    ]
}

fn sent() -> MovedActivity {
    MovedActivity {
        activity: activity(),
        seat: seat(),
        activity_kind: ActivityKind::Inmail,
        entity_kind: EntityKind::Person,
        entity: entity_id("pr_1"),
        occurred_at: at(7),
        digest: "digest".to_owned(),
        target: Some(ActivityTarget {
            object: SObject::Contact,
            record: record_id("003", 1),
            lane: record_id("001", 1),
            place: 3,
        }),
        state: ActivityState::Claimed { server_time: at(8), at: at(9), lookups: 1, object: None },
        tries: 1,
        subject: Some("Hello".to_owned()),
        body: "Shall we talk?".to_owned(),
        link: None,
        location: None,
        opportunity: None,
    }
}

fn of_an_org() -> Vec<Line> {
    let counts =
        ShadowCounts { same: 3, examples: vec![record_id("00Q", 1)], ..Default::default() };
    let model = ModelId::derived("model");
    vec![
        Line::Connection(MovedConnection {
            environment: Environment::Production,
            org_id: "00D000000000001EAA".parse().unwrap(),
            org_name: "Acme".to_owned(),
        }),
        Line::Model(MovedModel {
            model,
            beside: ModelChoice::default(),
            labels: BTreeMap::from([(SObject::Lead, 21)]),
            shadow: BTreeMap::from([(SObject::Lead, counts)]),
            created_at: at(3),
            finished_at: Some(at(4)),
            content: "{}".to_owned(),
        }),
        Line::ModelChoice(MovedChoice { model }),
        Line::Correction(MovedCorrection {
            object: SObject::Lead,
            record: record_id("00Q", 1),
            always: Some(entity_id("pr_1")),
            never: vec![entity_id("pr_2")],
            source: MatchSource::Manual,
            since: Some(at(5)),
            history: vec![Said {
                what: Correcting::WrongMatch { entity_id: entity_id("pr_1") },
                by: Some(seat()),
                at: at(5),
                of: Some("Lead/00Q000000000002AAA".to_owned()),
            }],
        }),
        Line::Saved(MovedSaved {
            seat: seat(),
            list: SavedList::Leads,
            entity: entity_id("pr_1"),
            object: SObject::Contact,
            record: record_id("003", 1),
            reasons: vec![SavedReason {
                rule: SavingRule::OpportunityPeople,
                record: record_id("006", 1),
                since: at(6),
            }],
            saved_at: at(6),
            rules: 3,
        }),
        Line::Conversation(MovedConversation {
            seat: seat(),
            conversation: "thread-1".to_owned(),
            log: false,
        }),
    ]
}

fn of_sellers() -> Vec<Line> {
    let (change, values) = (changes::whole(), changes::all_values());
    vec![
        Line::List(MovedList { list: lists::list() }),
        Line::ListEntry(MovedListEntry { entry: lists::list_entry() }),
        Line::Change(Box::new(MovedChange { change, values })),
        Line::Bulk(MovedBulk { bulk: changes::bulk() }),
        Line::Activity(Box::new(sent())),
        Line::End(End { lines: BTreeMap::from([("seat".to_owned(), 1)]) }),
    ]
}

#[test]
fn the_lines_of_a_tenants_file_are_pinned() {
    let mut forms = Forms::default();
    let lines: Vec<Line> =
        of_the_tenant().into_iter().chain(of_an_org()).chain(of_sellers()).collect();
    let kinds: Vec<&str> = lines.iter().map(Line::kind).collect();
    assert_eq!(kinds, Line::VARIANTS, "each kind has a sample");
    for line in &lines {
        forms.json(line.kind(), line);
    }
    insta::assert_snapshot!("moving", forms.0);
}

#[test]
fn a_line_is_read_as_it_was_written_and_an_unknown_field_is_not_passed_over() {
    for line in of_the_tenant().into_iter().skip(1).chain(of_an_org()).chain(of_sellers()) {
        let text = line.to_json().unwrap();
        assert_eq!(Line::parse(&text), Ok(line));
        let more = text.replacen('{', "{\"later\":1,", 1);
        assert!(Line::parse(&more).is_err(), "{more}");
    }
    let head = of_the_tenant()[0].to_json().unwrap();
    assert_eq!(Header::parse(&head), Ok(Header::new(tenant(), at(0))));
}
