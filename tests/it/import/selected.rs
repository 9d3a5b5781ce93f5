//! An admin's choices of what to import: mapped fields, filtered rows, persons.

use serde_json::{Value, json};
use shared::capabilities::audit::Actor;
use shared::capabilities::custody::Custody;
use shared::capabilities::importing;
use shared::capabilities::importing::{
    AccountModel, FieldMapping, ImportSettings, ObjectImport, ObjectPhase, PreviewState,
    RecordFilter, RunState, Selection, SelectionError, SelectionPart, Span,
};
use shared::kernel::{Author, Environment, Fields, Gone, ImportRunId, SObject, TenantEnvironment};
use shared::store::Commit;

use super::case::Case;

fn mapping(field: &str, custom: &str) -> FieldMapping {
    let (field, custom_field) = (field.to_owned(), custom.to_owned());
    FieldMapping { object: SObject::Contact, field, custom_field }
}

fn filter(object: SObject, conditions: &Value) -> RecordFilter {
    serde_json::from_value(json!({ "object": object, "conditions": conditions })).unwrap()
}

/// The fields that we hold of a record; none when it is gone.
async fn held(case: &Case, object: SObject, id: &str) -> Option<Fields> {
    let custody = Custody::new(case.world.ports(), "crm-sync/".to_owned());
    let scope = case.world.connection().await.scope();
    let opened = custody.open(scope).await.unwrap().unwrap();
    opened.records.one(object, id.parse().unwrap()).await.unwrap().map(|record| record.fields)
}

async fn value(case: &Case, id: &str, field: &str) -> Option<String> {
    held(case, SObject::Contact, id).await.unwrap().get(field).map(str::to_owned)
}

async fn gone(case: &Case, object: SObject, id: &str) -> Option<Gone> {
    let key = case.world.keys().await.record(object, id.parse().unwrap());
    let head = case.store().read(&key).await.unwrap();
    head.unwrap().gone
}

/// The run that a change called for.
async fn changed(case: &Case) -> std::collections::BTreeMap<SObject, ObjectImport> {
    case.world.run().await;
    let place = case.world.keys().await.runs();
    let mut runs = case.store().all(&place).await.unwrap();
    runs.sort_by_key(|run| run.started_at);
    let run = runs.pop().unwrap();
    assert_eq!(run.state, RunState::Complete);
    case.objects(run.id).await
}

/// An imported org whose first contact has a private address and a custom one.
async fn with_two_addresses() -> Case {
    let case = Case::imported().await;
    let emails = json!({ "Email": "private@example.com", "Work_Email__c": "work@example.com" });
    case.update(&case.contacts[0], &emails);
    case.advance(60);
    case.import("second").await;
    case
}

/// Begins the run that a change called for, and lets it come to where an object's rows are landed.
async fn landed(case: &Case, object: SObject) -> ImportRunId {
    for message in case.world.memory.receive() {
        case.world.deliver(&message.body).await;
    }
    let run = case.active().await.unwrap().run;
    case.until(run, object, |phase| matches!(phase, ObjectPhase::Deletions)).await;
    run
}

/// The same, and calls it off there.
async fn called_off(case: &Case, object: SObject) {
    let run = landed(case, object).await;
    case.world.functions.import().cancel(case.world.at(), run).await.unwrap();
    case.world.run().await;
}

#[tokio::test]
async fn a_mapping_whose_reading_never_ended_leaves_nothing_when_it_is_removed() {
    let case = with_two_addresses().await;
    let (at, selections) = (case.world.at(), &case.world.functions.selections);
    let contact = &case.contacts[0];
    // Later than what an import looks back.
    case.advance(3600);
    selections.map(at, vec![mapping("Email", "Work_Email__c")], &Author::Service).await.unwrap();
    called_off(&case, SObject::Contact).await;
    assert_eq!(value(&case, contact, "Email").await.as_deref(), Some("work@example.com"));
    selections.map(at, vec![], &Author::Service).await.unwrap();
    let contacts = changed(&case).await.remove(&SObject::Contact).unwrap();
    assert_eq!((contacts.since, contacts.counts.updated), (None, 1), "read whole");
    case.equals_the_org().await;
    case.advance(60);
    assert!(case.import("fourth").await[&SObject::Contact].since.is_some(), "once");
}

#[tokio::test]
async fn companies_of_a_first_run_that_never_ended_go_when_persons_are_chosen() {
    let case = Case::new().await;
    let (at, selections) = (case.world.at(), &case.world.functions.selections);
    case.set(&json!({ "person_accounts": true }));
    called_off(&case, SObject::Account).await;
    assert!(held(&case, SObject::Account, &case.accounts[0]).await.is_some());
    selections.set_accounts(at, AccountModel::Person, &Author::Service).await.unwrap();
    let accounts = changed(&case).await.remove(&SObject::Account).unwrap();
    assert_eq!((accounts.counts.deleted, accounts.live), (10, Some(0)));
    case.equals_the_org().await;
}

#[tokio::test]
async fn a_mapped_field_takes_the_standard_ones_place_until_it_is_unmapped_or_disappears() {
    let case = with_two_addresses().await;
    let (at, selections) = (case.world.at(), &case.world.functions.selections);
    let contact = &case.contacts[0];
    assert_eq!(value(&case, contact, "Email").await.as_deref(), Some("private@example.com"));

    case.advance(60);
    let by = Author::Admin { subject: Some("ada".to_owned()) };
    let chosen = selections.map(at, vec![mapping("Email", "Work_Email__c")], &by).await.unwrap();
    let change = &chosen.changes[0];
    assert_eq!((change.by.as_deref(), change.set), (Some("ada"), SelectionPart::Mappings));
    let objects = changed(&case).await;
    assert_eq!(objects[&SObject::Contact].since, None, "read whole");
    assert!(objects[&SObject::Lead].since.is_some(), "nothing of leads changed");
    assert_eq!(objects[&SObject::Contact].counts.updated, 1);
    assert_eq!(value(&case, contact, "Email").await.as_deref(), Some("work@example.com"));
    // Once, and small changes follow it.
    case.update(contact, &json!({ "Work_Email__c": "new@example.com" }));
    case.advance(60);
    let contacts = case.import("third").await.remove(&SObject::Contact).unwrap();
    assert!(contacts.since.is_some());
    assert_eq!(value(&case, contact, "Email").await.as_deref(), Some("new@example.com"));

    // Its field is hidden: the standard one is read again, and the run says so.
    let (control, org) = (case.world.control(), &case.world.org);
    let hidden =
        json!({ "name": "Narrow", "fields": { "Contact.Work_Email__c": { "read": false } } });
    control.put_profile(org, serde_json::from_value(hidden).unwrap()).unwrap();
    control.assign_profile(org, "admin@faults.example", "Narrow").unwrap();
    case.advance(60);
    let contacts = case.import("fourth").await.remove(&SObject::Contact).unwrap();
    let dropped = &contacts.selection.dropped[0];
    assert!(dropped.to_string().starts_with("Contact.Email: "), "{dropped}");
    assert!(dropped.to_string().ends_with("no field Work_Email__c"), "{dropped}");
    assert_eq!(value(&case, contact, "Email").await.as_deref(), Some("private@example.com"));
    case.equals_the_org().await;
}

#[tokio::test]
async fn what_the_org_does_not_show_is_refused_with_field_and_reason() {
    let case = Case::imported().await;
    let (at, selections) = (case.world.at(), &case.world.functions.selections);
    let refused = selections.map(at, vec![mapping("Email", "Nothing__c")], &Author::Service).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "Contact.Email: the org shows the integration user no field Nothing__c"
    );
    let conditions = json!([{ "field": "Description", "operator": "equals", "value": "x" }]);
    let refused =
        selections.filter(at, vec![filter(SObject::Contact, &conditions)], &Author::Service).await;
    assert!(refused.unwrap_err().to_string().contains("cannot filter by a field of type textarea"));
    let refused = selections.set_accounts(at, AccountModel::Person, &Author::Service).await;
    assert!(refused.unwrap_err().to_string().contains("the org has no person accounts"));
    let elsewhere = TenantEnvironment { environment: Environment::Sandbox, ..at };
    let refused = selections.map(elsewhere, vec![], &Author::Service).await;
    assert!(matches!(refused, Err(SelectionError::NotFound("connection"))));
    assert_eq!(selections.get(at).await.unwrap(), Selection::default(), "nothing was kept");
}

#[tokio::test]
async fn a_mapping_can_be_looked_at_on_a_record_before_it_is_made() {
    let case = Case::imported().await;
    let (at, selections) = (case.world.at(), &case.world.functions.selections);
    let contact = &case.contacts[0];
    let emails = json!({ "Email": "private@example.com", "Work_Email__c": "work@example.com" });
    case.update(contact, &emails);
    let mapping = mapping("Email", "Work_Email__c");
    let asked = selections.preview(at, mapping.clone(), contact.clone()).await.unwrap();
    assert_eq!(asked.state, PreviewState::Asked);
    case.world.run().await;
    let (preview, values) = selections.previewed(at).await.unwrap();
    let values = values.unwrap();
    assert_eq!(preview.state, PreviewState::Ready);
    assert_eq!(values.field.as_deref(), Some("private@example.com"));
    assert_eq!(values.custom_field.as_deref(), Some("work@example.com"));
    // A record that is not there.
    case.world.control().hard_delete(&case.world.org, contact).unwrap();
    selections.preview(at, mapping, contact.clone()).await.unwrap();
    case.world.run().await;
    let (preview, values) = selections.previewed(at).await.unwrap();
    assert!(matches!(preview.state, PreviewState::Refused { .. }), "{preview:?}");
    assert!(values.is_none());
}

#[tokio::test]
async fn the_other_environments_mappings_are_copied_as_far_as_this_org_shows_them() {
    let case = Case::imported().await;
    let (at, selections) = (case.world.at(), &case.world.functions.selections);
    let sandbox = TenantEnvironment { environment: Environment::Sandbox, ..at };
    let chosen_there = async |custom: &str| {
        let mappings = vec![mapping("Email", custom)];
        let chosen = Selection { mappings, ..Selection::default() };
        let mut commit = Commit::new();
        commit.put(&importing::keys::selection(sandbox), &chosen).unwrap();
        assert!(case.store().commit(commit).await.unwrap().is_done());
    };
    chosen_there("Sandbox_Only__c").await;
    let refused = selections.copy_mappings(at, &Author::Service).await.unwrap_err().to_string();
    assert!(refused.ends_with("no field Sandbox_Only__c"), "{refused}");
    chosen_there("Work_Email__c").await;
    let copied = selections.copy_mappings(at, &Author::Service).await.unwrap();
    assert_eq!(copied.mappings, [mapping("Email", "Work_Email__c")]);
    assert_eq!(changed(&case).await[&SObject::Contact].since, None, "read whole");
}

#[tokio::test]
async fn a_formula_changes_without_a_stamp_and_is_refreshed_in_time() {
    let case = Case::imported().await;
    let (at, selections) = (case.world.at(), &case.world.functions.selections);
    // Later than what an import looks back.
    case.advance(3600);
    selections.map(at, vec![mapping("Title", "Role__c")], &Author::Service).await.unwrap();
    changed(&case).await;
    let contact = &case.contacts[0];
    let row = case.world.control().record(&case.world.org, contact).unwrap();
    let formula = json!({ "Role__c": "Head of IT", "SystemModstamp": row["SystemModstamp"] });
    case.update(contact, &formula);
    case.advance(24 * 3600);
    case.import("too early").await;
    assert_eq!(value(&case, contact, "Title").await, None);
    let settings = ImportSettings { formula_refresh_hours: 30, ..ImportSettings::default() };
    case.world.functions.import().change_settings(at, &settings, &Actor::Service).await.unwrap();
    case.advance(7 * 3600);
    let objects = case.import("in time").await;
    assert_eq!(objects[&SObject::Contact].counts.updated, 1);
    assert!(objects[&SObject::Lead].since.is_some(), "no formula");
    assert_eq!(value(&case, contact, "Title").await.as_deref(), Some("Head of IT"));
}

#[tokio::test]
async fn a_filter_limits_what_is_held_and_rows_that_leave_it_go() {
    let case = Case::imported().await;
    let (at, selections) = (case.world.at(), &case.world.functions.selections);
    for (n, lead) in case.leads.iter().enumerate() {
        case.update(lead, &json!({ "Score__c": n, "City": "O'Fallon" }));
    }
    case.advance(60);
    let conditions = json!([
        { "field": "Score__c", "operator": "greater_or_equal", "value": 4 },
        { "field": "City", "operator": "equals", "value": "O'Fallon" },
    ]);
    selections
        .filter(at, vec![filter(SObject::Lead, &conditions)], &Author::Service)
        .await
        .unwrap();
    let leads = changed(&case).await.remove(&SObject::Lead).unwrap();
    assert_eq!((leads.counts.deleted, leads.live, leads.salesforce_count), (4, Some(6), Some(6)));
    assert_eq!(gone(&case, SObject::Lead, &case.leads[0]).await, Some(Gone::OutsideFilter));
    // One leaves, one comes in: the count is as before, and the next run sees both.
    case.update(&case.leads[9], &json!({ "Score__c": 1 }));
    case.update(&case.leads[0], &json!({ "Score__c": 10 }));
    case.update(&case.leads[5], &json!({ "LastName": "Still in" }));
    case.advance(60);
    let leads = case.import("next").await.remove(&SObject::Lead).unwrap();
    assert_eq!((leads.counts.new, leads.counts.updated, leads.counts.deleted), (1, 1, 1));
    assert!(!leads.swept, "by the change alone");
    assert_eq!(gone(&case, SObject::Lead, &case.leads[9]).await, Some(Gone::OutsideFilter));
    assert!(held(&case, SObject::Lead, &case.leads[0]).await.is_some());
    // Deleted for good inside: found by comparing ids.
    case.world.control().hard_delete(&case.world.org, &case.leads[5]).unwrap();
    case.advance(25 * 3600);
    let leads = case.import("later").await.remove(&SObject::Lead).unwrap();
    assert_eq!((leads.counts.deleted, leads.live, leads.salesforce_count), (1, Some(5), Some(5)));
    // Without a filter all of them come back.
    selections.filter(at, vec![], &Author::Service).await.unwrap();
    changed(&case).await;
    case.equals_the_org().await;
}

#[tokio::test]
async fn a_filter_that_cannot_be_put_any_more_fails_its_object_and_lets_nothing_in() {
    let case = Case::imported().await;
    let (at, selections) = (case.world.at(), &case.world.functions.selections);
    let gold = json!([{ "field": "Tier__c", "operator": "equals", "value": "Gold" }]);
    selections.filter(at, vec![filter(SObject::Contact, &gold)], &Author::Service).await.unwrap();
    let contacts = changed(&case).await.remove(&SObject::Contact).unwrap();
    assert_eq!((contacts.counts.deleted, contacts.live), (30, Some(0)));
    let (control, org) = (case.world.control(), &case.world.org);
    let hidden = json!({ "name": "Narrow", "fields": { "Contact.Tier__c": { "read": false } } });
    control.put_profile(org, serde_json::from_value(hidden).unwrap()).unwrap();
    control.assign_profile(org, "admin@faults.example", "Narrow").unwrap();
    let run = case.ask("hidden").await;
    case.world.run().await;
    let contacts = &case.objects(run).await[&SObject::Contact];
    let ObjectPhase::Failed { code, message } = &contacts.phase else { panic!("{contacts:?}") };
    assert_eq!(code, "FILTER");
    assert!(message.starts_with("Contact.Tier__c: "), "{message}");
    assert_eq!(contacts.counts.new, 0);
}

#[tokio::test]
async fn persons_or_companies_are_imported_never_both() {
    let case = Case::imported().await;
    let (at, selections) = (case.world.at(), &case.world.functions.selections);
    case.set(&json!({ "person_accounts": true }));
    let person = case.create("Account", &json!({ "LastName": "Person", "FirstName": "A" }));
    let row = case.world.control().record(&case.world.org, &person).unwrap();
    let contact = row["PersonContactId"].as_str().unwrap().to_owned();
    let scope = case.world.connection().await.scope();
    let inspect = shared::kernel::Envelope::of(shared::kernel::CareMessage::Inspect { scope });
    case.deliver(&inspect).await;
    case.advance(60);
    selections.set_accounts(at, AccountModel::Person, &Author::Service).await.unwrap();
    let objects = changed(&case).await;
    for object in [SObject::Account, SObject::AccountTeamMember] {
        assert!(matches!(objects[&object].phase, ObjectPhase::Skipped { .. }), "{object}");
    }
    assert_eq!(
        (objects[&SObject::Account].counts.deleted, objects[&SObject::Account].live),
        (10, Some(0))
    );
    assert_eq!(gone(&case, SObject::Account, &case.accounts[0]).await, Some(Gone::OutsideFilter));
    assert_eq!(objects[&SObject::Contact].live, Some(1));
    assert!(held(&case, SObject::Contact, &contact).await.is_some());
    case.advance(60);
    let objects = case.import("again").await;
    assert_eq!(objects.values().map(|o| o.counts.written()).sum::<u64>(), 0);
    case.advance(60);
    selections.set_accounts(at, AccountModel::Business, &Author::Service).await.unwrap();
    changed(&case).await;
    case.equals_the_org().await;
}

#[tokio::test]
async fn a_selection_that_changes_between_two_spans_of_an_object_is_the_next_runs() {
    let case = Case::new().await;
    let old = json!({ "LastName": "Old", "SystemModstamp": "2003-01-01T00:00:00.000Z",
        "Email": "private@example.com", "Work_Email__c": "work@example.com" });
    let old = case.create("Contact", &old);
    case.advance(24 * 3600);
    case.set(&json!({ "bulk_timeout_rows": 30 }));
    let run = case.first().await;
    let (at, selections) = (case.world.at(), &case.world.functions.selections);
    let second = |span: Option<Span>| span.is_some_and(|span| span.from.is_some());
    case.until_object(run, SObject::Contact, |contacts| second(contacts.span)).await;
    assert_eq!(value(&case, &old, "Email").await.as_deref(), Some("private@example.com"));
    // The org's fields are known by the inspection that a connection begins with.
    selections.map(at, vec![mapping("Email", "Work_Email__c")], &Author::Service).await.unwrap();
    case.world.run().await;
    let contacts = &case.objects(run).await[&SObject::Contact];
    assert_eq!((&contacts.phase, contacts.restarts), (&ObjectPhase::Done, 0));
    assert!(contacts.selection.columns.is_empty(), "all of it as it was begun");
    case.advance(60);
    let contacts = case.import("second").await.remove(&SObject::Contact).unwrap();
    assert!(!contacts.selection.columns.is_empty());
    assert_eq!(value(&case, &old, "Email").await.as_deref(), Some("work@example.com"));
}

#[tokio::test]
async fn a_row_that_is_hidden_while_the_others_are_read_by_a_new_selection_is_read_when_shown() {
    let case = with_two_addresses().await;
    let contact = &case.contacts[0];
    let user = case.world.connection().await.integration_user;
    case.set(&json!({ "hidden_records": { user.as_str(): [contact] } }));
    case.advance(60);
    let (at, selections) = (case.world.at(), &case.world.functions.selections);
    selections.map(at, vec![mapping("Email", "Work_Email__c")], &Author::Service).await.unwrap();
    let run = landed(&case, SObject::Contact).await;
    case.set(&json!({ "hidden_records": {} }));
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    assert_eq!(value(&case, contact, "Email").await.as_deref(), Some("work@example.com"));
    case.equals_the_org().await;
}

#[tokio::test]
async fn a_standard_field_that_is_hidden_goes_and_comes_back_when_it_is_shown() {
    let case = Case::imported().await;
    let contact = &case.contacts[0];
    case.update(contact, &json!({ "Email": "private@example.com" }));
    case.advance(60);
    case.import("second").await;
    let (control, org) = (case.world.control(), &case.world.org);
    let profile = |shown: bool| {
        let email = json!({ "Contact.Email": { "read": shown } });
        let profile = json!({ "name": "Narrow", "fields": email });
        control.put_profile(org, serde_json::from_value(profile).unwrap()).unwrap();
    };
    profile(false);
    control.assign_profile(org, "admin@faults.example", "Narrow").unwrap();
    case.advance(60);
    let contacts = case.import("third").await.remove(&SObject::Contact).unwrap();
    assert_eq!((contacts.selection.hidden, contacts.counts.updated), (vec!["Email".to_owned()], 1));
    assert_eq!(value(&case, contact, "Email").await, None, "nobody may see it any more");
    profile(true);
    case.advance(60);
    case.import("fourth").await;
    assert_eq!(value(&case, contact, "Email").await.as_deref(), Some("private@example.com"));
    case.equals_the_org().await;
}
