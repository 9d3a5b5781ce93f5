use serde_json::{Value, json};

use super::*;

fn field(name: &str, kind: &str) -> OrgField {
    OrgField {
        name: name.to_owned(),
        label: String::new(),
        kind: kind.to_owned(),
        custom: name.ends_with("__c"),
        calculated: name.starts_with("Formula"),
        filterable: kind != "textarea",
        importable: kind != "address",
        values: Vec::new(),
    }
}

fn contact() -> Vec<OrgField> {
    vec![
        field("Id", "id"),
        field("Title", "string"),
        field("Email", "email"),
        field("OwnerId", "reference"),
        field("CreatedDate", "datetime"),
        field("HasOptedOutOfEmail", "boolean"),
        field("Work_Email__c", "string"),
        field("Formula_Title__c", "string"),
        field("Score__c", "double"),
        field("Since__c", "date"),
        field("Notes__c", "textarea"),
        field("Place__c", "address"),
    ]
}

/// An org that shows every field that is imported.
fn whole(object: SObject) -> Vec<OrgField> {
    object.fields().iter().map(|name| field(name, "string")).collect()
}

fn mapping(field: &str, custom: &str) -> FieldMapping {
    FieldMapping {
        object: SObject::Contact,
        field: field.to_owned(),
        custom_field: custom.to_owned(),
    }
}

fn condition(field: &str, operator: &str, value: &Value) -> FilterCondition {
    serde_json::from_value(json!({ "field": field, "operator": operator, "value": value })).unwrap()
}

fn selection(mappings: Vec<FieldMapping>, conditions: Vec<FilterCondition>) -> Selection {
    let filters = if conditions.is_empty() {
        vec![]
    } else {
        vec![RecordFilter { object: SObject::Contact, conditions }]
    };
    Selection { mappings, filters, ..Selection::default() }
}

#[test]
fn a_custom_field_takes_a_standard_fields_place() {
    let selected =
        selection(vec![mapping("Email", "work_email__c")], vec![]).of(SObject::Contact, &contact());
    let selected = selected.unwrap();
    assert_eq!(selected.column("Email"), "Work_Email__c");
    assert_eq!(selected.column("Title"), "Title");
    assert!(!selected.calculated && selected.dropped.is_empty());
    let other = selection(vec![mapping("Title", "Formula_Title__c")], vec![]);
    let other = other.of(SObject::Contact, &contact()).unwrap();
    assert!(other.calculated);
    let digest = |selection: &ObjectSelection| selection.digest(SObject::Contact);
    assert_ne!(digest(&selected), digest(&other));
    assert_ne!(digest(&selected), digest(&ObjectSelection::default()));
}

#[test]
fn a_mapping_that_the_org_does_not_allow_any_more_gives_way_to_the_standard_field() {
    let selected = selection(vec![mapping("Email", "Gone__c")], vec![]);
    let selected = selected.of(SObject::Contact, &whole(SObject::Contact)).unwrap();
    let unchosen = ObjectSelection::default().digest(SObject::Contact);
    assert_eq!((selected.column("Email"), selected.digest(SObject::Contact)), ("Email", unchosen));
    assert_eq!(
        selected.dropped[0].to_string(),
        "Contact.Email: the org shows the integration user no field Gone__c"
    );
}

#[test]
fn what_the_org_hides_is_not_read_and_counts_as_another_selection() {
    let all = whole(SObject::Lead);
    let shown: Vec<_> = all.iter().filter(|field| field.name != "Phone").cloned().collect();
    let nothing_chosen = Selection::default();
    let selected = nothing_chosen.of(SObject::Lead, &shown).unwrap();
    assert_eq!(selected.hidden, ["Phone"]);
    assert!(selected.read_fields(SObject::Lead).all(|field| field != "Phone"));
    let before = nothing_chosen.of(SObject::Lead, &all).unwrap();
    assert_eq!(before, ObjectSelection::default());
    assert_ne!(before.digest(SObject::Lead), selected.digest(SObject::Lead));
    assert!(before.is_shown(SObject::Lead, &all) && !before.is_shown(SObject::Lead, &shown));
    // A custom field in its place is shown, whatever the standard one is.
    let mapped = FieldMapping { object: SObject::Lead, ..mapping("Phone", "Mobile__c") };
    let shown = [shown, vec![field("Mobile__c", "string")]].concat();
    let mapped = selection(vec![mapped], vec![]).of(SObject::Lead, &shown).unwrap();
    assert!(mapped.hidden.is_empty());
}

#[test]
fn every_refused_mapping_says_which_field_and_why() {
    let fields = contact();
    for (mappings, reason) in [
        (vec![mapping("Email", "Title")], "Title is no custom field"),
        (vec![mapping("Email", "Score__c")], "it holds a text, Score__c is a double"),
        (vec![mapping("Nickname", "Score__c")], "it is no standard field that is imported"),
        (vec![mapping("OwnerId", "Work_Email__c")], "the import itself goes by it"),
        (vec![mapping("CreatedDate", "Since__c")], "the import itself goes by it"),
        (vec![mapping("HasOptedOutOfEmail", "Score__c")], "the import itself goes by it"),
        (vec![mapping("Email", "Place__c")], "which cannot be imported"),
        (
            vec![mapping("Email", "Work_Email__c"), mapping("Email", "Formula_Title__c")],
            "it is mapped twice",
        ),
        (
            vec![mapping("Email", "Work_Email__c"), mapping("Title", "WORK_EMAIL__C")],
            "stands for another field already",
        ),
    ] {
        let problems = check_mappings(&mappings, |_| &fields);
        assert_eq!(problems.len(), 1, "{mappings:?}: {problems:?}");
        assert!(problems[0].reason.contains(reason), "{problems:?}");
    }
    let fine = [mapping("Email", "Work_Email__c"), mapping("Title", "Notes__c")];
    assert_eq!(check_mappings(&fine, |_| &fields), []);
    // A hidden standard field may be why another is to take its place.
    assert_eq!(check_mappings(&[mapping("Phone", "Notes__c")], |_| &fields), []);
}

#[test]
fn conditions_get_values_of_their_fields_type() {
    let fields = contact();
    for (condition, values) in [
        (condition("Title", "equals", &json!("CEO")), vec![RowValue::Text("CEO".into())]),
        (condition("title", "not_equals", &json!(null)), vec![RowValue::Null]),
        (condition("Score__c", "greater_than", &json!(1.5)), {
            vec![RowValue::Number("1.5".parse().unwrap())]
        }),
        (condition("Since__c", "less_than", &json!("2026-01-31")), {
            vec![RowValue::Date("2026-01-31".parse().unwrap())]
        }),
        (condition("Title", "in", &json!(["a", "b"])), {
            vec![RowValue::Text("a".into()), RowValue::Text("b".into())]
        }),
        (condition("HasOptedOutOfEmail", "equals", &json!(false)), vec![RowValue::Boolean(false)]),
        (condition("OwnerId", "equals", &json!("005000000000001AAA")), {
            vec![RowValue::Text("005000000000001AAA".into())]
        }),
    ] {
        let checked = condition.checked(&fields).unwrap();
        assert_eq!(checked.values, values);
        let stored = serde_json::to_string(&checked).unwrap();
        assert_eq!(serde_json::from_str::<RowCondition>(&stored).unwrap(), checked);
        let written = serde_json::to_string(&condition).unwrap();
        assert_eq!(serde_json::from_str::<FilterCondition>(&written).unwrap(), condition);
    }
}

#[test]
fn every_refused_condition_says_which_field_and_why() {
    let fields = contact();
    for (condition, reason) in [
        (condition("Nothing", "equals", &json!("x")), "no such field"),
        (condition("Notes__c", "equals", &json!("x")), "cannot filter by a field of type textarea"),
        (condition("Place__c", "equals", &json!("x")), "cannot filter by a field of type address"),
        (condition("Score__c", "equals", &json!("many")), "the field holds a number"),
        (condition("Since__c", "equals", &json!("2026-02-31")), "the field holds a date"),
        (condition("OwnerId", "equals", &json!("' OR")), "the field holds a record id"),
        (condition("Title", "less_than", &json!("m")), "a text cannot be compared so"),
        (condition("Score__c", "starts_with", &json!(1)), "a number cannot be compared so"),
        (condition("Score__c", "less_than", &json!(null)), "null goes with equals"),
        (condition("Title", "in", &json!("a")), "in and not_in take a list"),
        (condition("Title", "equals", &json!(["a"])), "only in and not_in take a list"),
        (condition("Title", "in", &json!([])), "a list has 1 to 100 values"),
        (condition("Title", "in", &json!([["a"]])), "the field holds a text"),
    ] {
        let filters = [RecordFilter { object: SObject::Contact, conditions: vec![condition] }];
        let problems = check_filters(&filters, |_| &fields);
        assert_eq!(problems.len(), 1, "{filters:?}");
        assert!(problems[0].reason.contains(reason), "{problems:?}");
    }
}

#[test]
fn a_filter_that_cannot_be_put_lets_nothing_in() {
    let gone = selection(vec![], vec![condition("Gone__c", "equals", &json!(true))]);
    assert!(gone.of(SObject::Contact, &contact()).is_err());
    let leads = gone.of(SObject::Lead, &whole(SObject::Lead));
    assert_eq!(leads, Ok(ObjectSelection::default()));
}

#[test]
fn persons_need_an_org_with_person_accounts() {
    let persons = Selection { accounts: AccountModel::Person, ..Selection::default() };
    assert!(persons.of(SObject::Contact, &contact()).is_err());
    let fields = [contact(), vec![field("IsPersonAccount", "boolean")]].concat();
    let contacts = persons.of(SObject::Contact, &fields).unwrap();
    assert_eq!(
        contacts.conditions,
        [RowCondition::equals("IsPersonAccount", RowValue::Boolean(true))]
    );
    for object in [SObject::Account, SObject::AccountTeamMember] {
        assert!(persons.of(object, &[]).unwrap().excluded);
    }
    let leads = persons.of(SObject::Lead, &whole(SObject::Lead));
    assert_eq!(leads, Ok(ObjectSelection::default()));
}

#[test]
fn the_last_hundred_changes_are_remembered() {
    let mut selection = Selection::default();
    for n in 0..120 {
        let at = Timestamp::from_second(n).unwrap();
        selection.record_change(at, Some("admin".to_owned()), SelectionPart::Mappings);
    }
    assert_eq!(selection.changes.len(), 100);
    assert_eq!(selection.changes[0].at, Timestamp::from_second(20).unwrap());
}

#[test]
fn a_field_that_is_new_in_our_own_list_makes_another_selection() {
    let unchosen = ObjectSelection::default();
    let fields = SObject::Lead.fields();
    let (_, before) = fields.split_last().unwrap();
    assert_ne!(unchosen.digest(SObject::Lead), unchosen.digest_of(before));
    let mut digests: Vec<_> = SObject::ALL.map(|object| unchosen.digest(object)).into();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), SObject::ALL.len(), "each list has its own");
}
