//! Every key, and the ranges that are queried.

use matching::EntityKind;

use super::{
    Forms, activity, assert_covers, at, environment, match_run, model, run, scope, seat, tenant,
    version,
};
use crate::capabilities::activities::SeatList;
use crate::capabilities::exporting::{ExportFormat, ExportKind, ExportOrder};
use crate::capabilities::limits::{Payer, Trigger};
use crate::capabilities::seats::keys::TENANTS;
use crate::capabilities::sessions::{LinkText, PersonName};
use crate::capabilities::{
    answers, audit, break_glass, connecting, custody, directory, importing, leaving, limits,
    linking, seats, sessions, settings,
};
use crate::kernel::{
    ActivityId, BulkId, ChangeId, DirectoryVersionId, EventId, ExportId, Generation, GlassId,
    ImportRunId, LeaseToken, MatchRunId, ModelId, SObject, SeatId, TenantId, entity_kind_name,
};
use crate::ports::{Key, Range};
use crate::salesforce::SalesforceId;
use crate::store::Series;
use crate::store::keys::{self, DIRECTORY, DUE_PARTITIONS, GenerationKeys, Kind, LIVE, Relation};
use crate::testing::{entity_id, record_id};

const RELATIONS: [Relation; 16] = [
    Relation::AccountContact,
    Relation::AccountOpportunity,
    Relation::AccountTeamMember,
    Relation::OpportunityRole,
    Relation::ContactRole,
    Relation::OwnerOpportunity,
    Relation::OwnerAccount,
    Relation::OwnerContact,
    Relation::OwnerLead,
    Relation::EmployerLead,
    Relation::UserTeamMember,
    Relation::EmailUser,
    Relation::UserEmail,
    Relation::RecordTask,
    Relation::RecordEvent,
    Relation::RecordNote,
];

fn contact() -> SalesforceId {
    record_id("003", 1)
}

fn account() -> SalesforceId {
    record_id("001", 1)
}

impl Forms {
    fn key(&mut self, name: &str, key: &Key) {
        self.line(name, format!("{} | {}", key.pk(), key.sk()));
    }

    fn range<T>(&mut self, name: &str, series: &Series<T>) {
        let Range::Prefix(prefix) = series.range() else { panic!("{name} has no prefix") };
        self.line(name, format!("{} | {prefix}*", series.pk()));
    }
}

#[test]
fn the_keys_outside_generations_are_pinned() {
    let mut forms = Forms::default();
    forms.key("tenant", &seats::keys::tenant(tenant()));
    forms.key("seat", &seats::keys::seat(tenant(), seat()));
    forms.range("seats", &seats::keys::seats(tenant()));
    for payer in [Payer::Tenant, Payer::Seat(seat())] {
        for trigger in Trigger::ALL {
            let name = format!("used {payer:?} {trigger:?}");
            forms.key(&name, &limits::keys::used(tenant(), payer, trigger, 7));
        }
    }
    forms.key("answer", &answers::keys::answer(Some(tenant()), "0123456789abcdef"));
    forms.key("answer of nobody", &answers::keys::answer(None, "0123456789abcdef"));
    forms.key("email_claim", &seats::keys::email_claim(tenant(), "Ada@acme.example"));
    forms.key("audit head", &audit::keys::head(tenant()));
    forms.key("audit entry", &audit::keys::entry(tenant(), 12));
    forms.range("audit entries", &audit::keys::entries(tenant()));
    forms.key("glass", &break_glass::keys::glass(environment(), GlassId::derived("glass")));
    forms.key("purge", &leaving::keys::purge(scope()));
    forms.range("purges", &leaving::keys::purges(tenant()));
    for rest in leaving::keys::rest_of(tenant()) {
        forms.line("rest of a tenant", format!("{} {:?}", rest.pk(), rest.range()));
    }
    forms.key("kept grant", &leaving::keys::kept_grant(scope(), "ADMIN"));
    forms.range("kept grants", &leaving::keys::kept_grants(scope()));
    forms.key("login", &custody::keys::login(environment(), "0a1b"));
    forms.key("crm_vote", &seats::keys::crm_vote(tenant(), "hubspot"));
    forms.range("crm_votes", &seats::keys::crm_votes(tenant()));
    forms.key("connection", &keys::connection(environment()));
    forms.key("generations", &connecting::keys::generations(environment()));
    forms.key("import_settings", &importing::keys::import_settings(environment()));
    forms.key("selection", &importing::keys::selection(environment()));
    forms.key("wizard", &connecting::keys::wizard(environment()));
    forms.key("settings", &settings::keys::settings(environment()));
    forms.key("match_rules", &linking::keys::match_rules(environment()));
    forms.key("settings_change", &settings::keys::settings_change(environment(), 12));
    forms.range("settings_changes", &settings::keys::settings_changes(environment()));
    forms.key("seat_switch", &settings::keys::seat_switch(environment(), seat()));
    forms.key("seat_choices", &settings::keys::seat_choices(environment(), seat()));
    forms.key("live", &keys::live(tenant(), environment().environment));
    forms.line("LIVE", LIVE);
    forms.key("authorization", &connecting::keys::authorization("0a1b"));
    forms.line("DUE_PARTITIONS", DUE_PARTITIONS);
    forms.line("due_partition of the directory", keys::due_partition("directory"));
    forms.line("due_partition of a tenant", keys::due_partition(&tenant().to_string()));
    forms.line("due_partition_at", keys::due_partition_at(3));
    forms.key("due", &keys::due("directory", at(0), "a/b/1", "00ff"));
    forms.key("due_by_sort_key", &keys::due_by_sort_key("directory", "sk".to_owned()));
    forms.line("due_until", keys::due_until(at(0)));
    forms.line("DIRECTORY", DIRECTORY);
    forms.key("directory_current", &directory::keys::directory_current());
    forms.key("directory_version", &directory::keys::directory_version(version()));
    forms.range("directory_versions", &directory::keys::directory_versions());
    for kind in [EntityKind::Person, EntityKind::Company] {
        let name = format!("directory_built {}", entity_kind_name(kind));
        forms.key(&name, &directory::keys::directory_built(version(), kind, 12));
    }
    insta::assert_snapshot!("keys_outside_generations", forms.0);
}

#[test]
fn the_keys_of_logins_and_of_the_list_of_tenants_are_pinned() {
    let mut forms = Forms::default();
    let ada = PersonName::of("ada@acme.example");
    forms.key("logins", &sessions::keys::logins(Some(tenant()), &ada));
    forms.key("logins of an operator", &sessions::keys::logins(None, &ada));
    let link: LinkText = format!("{}.secret", tenant()).parse().unwrap();
    forms.key("login link", &sessions::keys::link(&link));
    forms.key("tenant entry", &seats::keys::tenant_entry(tenant()));
    forms.line("tenant entries", TENANTS);
    insta::assert_snapshot!("keys_of_logins", forms.0);
}

#[test]
fn the_keys_of_a_generation_are_pinned() {
    let mut forms = Forms::default();
    let keys = GenerationKeys::new(scope(), 16);
    imports(&mut forms, keys);
    records(&mut forms, keys);
    matches(&mut forms, keys);
    sellers(&mut forms, keys);
    insta::assert_snapshot!("keys_of_a_generation", forms.0);
}

fn imports(forms: &mut Forms, keys: GenerationKeys) {
    forms.key("active_run", &keys.active_run());
    forms.key("slot", &keys.slot(run()));
    forms.key("pipeline", &keys.pipeline());
    forms.key("run", &keys.run(run()));
    forms.range("runs", &keys.runs());
    for full in [true, false] {
        forms.key(&format!("asked_run {full}"), &keys.asked_run(full));
    }
    for object in SObject::ALL {
        forms.key(&format!("watermark {object}"), &keys.watermark(object));
    }
    forms.key("object_import", &keys.object_import(run(), SObject::Lead));
    forms.range("object_imports", &keys.object_imports(run()));
}

fn records(forms: &mut Forms, keys: GenerationKeys) {
    forms.key("record", &keys.record(SObject::Contact, contact()));
    forms.range("records", &keys.records(SObject::Contact, 5));
    assert_covers(&RELATIONS);
    for relation in RELATIONS {
        forms.key(
            &format!("edge {relation:?}"),
            &keys.edge(account().as_str(), relation, contact().as_str()),
        );
        forms.range(&format!("edges {relation:?}"), &keys.edges(account().as_str(), relation));
    }
    forms.range("tasks of a day", &keys.tasks_of(contact(), "2026-11-10".parse().unwrap()));
}

fn matches(forms: &mut Forms, keys: GenerationKeys) {
    forms.key("settle_lease", &keys.settle_lease());
    forms.key("candidates", &keys.candidates(SObject::Contact, contact()));
    forms.range("all_candidates", &keys.all_candidates(SObject::Contact, 5));
    forms.key("decision_counts", &keys.decision_counts(SObject::Contact));
    forms.key("entity", &keys.entity(EntityKind::Person, &entity_id("pe_1")));
    forms.range("entities", &keys.entities(EntityKind::Company, 5));
    forms.key("awaited", &keys.awaited(EntityKind::Person, "0a1b"));
    forms.key("correction", &keys.correction(SObject::Contact, contact()));
    forms.range("corrections", &keys.corrections(SObject::Contact, 5));
    forms.key("model", &keys.model(model()));
    forms.range("models", &keys.models());
    forms.key("asked_model", &keys.asked_model());
    forms.key("model_choice", &keys.model_choice());
    forms.key("match_run", &keys.match_run(match_run()));
    forms.range("match_runs", &keys.match_runs());
    forms.key("unfinished_run", &keys.unfinished_run(match_run()));
    forms.range("unfinished_runs", &keys.unfinished_runs());
    forms.key("asked_rematch", &keys.asked_rematch());
    forms.key("rules_trial", &keys.rules_trial());
    forms.key("batch", &keys.batch(match_run(), 12));
    forms.key("scored", &keys.scored(match_run(), 12, 3));
    let (kind, format) = (ExportKind::Unmatched, ExportFormat::Jsonl);
    forms.key("export", &keys.export(super::export()));
    for sample in [None, Some(1_000)] {
        forms.key("asked_export", &keys.asked_export(&ExportOrder { kind, format, sample }));
    }
}

fn sellers(forms: &mut Forms, keys: GenerationKeys) {
    forms.key("seat_mapping", &keys.seat_mapping(seat()));
    forms.key("user_mapping", &keys.user_mapping(record_id("005", 1)));
    forms.key("saving_pass", &keys.saving_pass());
    forms.key("saving_dry_run", &keys.saving_dry_run());
    forms.key("saving_undone", &keys.saving_undone());
    forms.key("unsaving_pass", &keys.unsaving_pass());
    forms.key("tally", &keys.tally(seat(), super::SavedList::Accounts));
    forms.range("tallies", &keys.tallies());
    let list = crate::kernel::ListId::derived("list");
    forms.key("list", &keys.list(list));
    forms.range("lists", &keys.lists(3));
    forms.key("list_of", &keys.list_of(seat(), list));
    forms.range("lists_of", &keys.lists_of(seat()));
    forms.key("list_entry", &keys.list_entry(list, &entity_id("co_1")));
    forms.range("list_entries", &keys.list_entries(list));
    forms.range("all_list_entries", &keys.all_list_entries(3));
    forms.key("answer", &keys.answer("0123456789abcdef"));
    forms.key("following_pass", &keys.following_pass());
    forms.key("saved", &keys.saved(seat(), "accounts", &entity_id("co_1")));
    forms.range("saved_list", &keys.saved_list(seat(), "accounts"));
    forms.key("activity", &keys.activity(activity()));
    forms.key("lane", &keys.lane(account()));
    let change = ChangeId::derived("change");
    forms.key("change", &keys.change(seat(), change));
    forms.range("changes", &keys.changes(seat()));
    forms.range("all_changes", &keys.all_changes(3));
    forms.key("asked_change", &keys.asked_change(seat(), at(0), change));
    forms.range("asked_changes", &keys.asked_changes(seat()));
    forms.key("bulk", &keys.bulk(seat(), BulkId::derived("bulk")));
    forms.range("bulks", &keys.bulks(3));
    forms.key("taken_row", &keys.taken_row(record_id("00T", 1)));
    forms.key("test_note", &keys.test_note(seat()));
    forms.range("conversations_of", &keys.conversations_of(seat()));
    forms.range("conversations", &keys.conversations(3));
    forms.key("conversation", &keys.conversation(seat(), "0a1b"));
    for list in [SeatList::Pending, SeatList::FailedWith("NOT_FOUND".to_owned())] {
        forms.key("seat_entry", &keys.seat_entry(seat(), &list, at(0), activity()));
        forms.range("seat_list", &keys.seat_list(seat(), &list));
    }
    forms.range("seat_list of failures", &keys.seat_list(seat(), &SeatList::Failed));
    let (kind, person) = (EntityKind::Person, "0a1b");
    forms.key("waiting", &keys.waiting(kind, person, activity()));
    forms.range("all_waiting", &keys.all_waiting(kind, person));
    forms.key("admin_grant", &keys.admin_grant());
    forms.key("upkeep", &keys.upkeep());
    forms.key("asked_inspection", &keys.asked_inspection());
    forms.key("inspection", &keys.inspection());
    forms.key("org_fields", &keys.org_fields(SObject::Contact));
    forms.key("mapping_preview", &keys.mapping_preview());
    forms.key("seat_grant", &keys.seat_grant(seat()));
    forms.key("replaced_grant", &keys.replaced_grant(2));
    forms.range("seat_grants", &keys.seat_grants());
}

#[test]
fn kinds_partitions_buckets_and_ids_are_pinned() {
    let mut forms = Forms::default();
    assert_covers(&Kind::ALL);
    for kind in Kind::ALL {
        forms.line(&format!("Kind::{kind:?}"), kind.as_str());
    }
    for (kind, partition) in GenerationKeys::new(scope(), 2).partitions() {
        forms.line(&format!("partition {kind:?}"), partition);
    }
    let seat = seat().to_string();
    for buckets in [1, 3, 16, 64] {
        let keys = GenerationKeys::new(scope(), buckets);
        for id in [contact().as_str(), account().as_str(), "pe_1", &seat] {
            forms.line(&format!("bucket of {id} among {buckets}"), keys.bucket(id));
        }
    }
    forms.line("derived tenant", TenantId::derived("x"));
    forms.line("derived seat", SeatId::derived("x"));
    forms.line("derived run", ImportRunId::derived("x"));
    forms.line("derived match run", MatchRunId::derived("x"));
    forms.line("derived activity", ActivityId::derived("x"));
    forms.line("derived change", ChangeId::derived("x"));
    forms.line("derived directory version", DirectoryVersionId::derived("x"));
    forms.line("derived model", ModelId::derived("x"));
    forms.line("derived export", ExportId::derived("x"));
    forms.line("derived event", EventId::derived("x"));
    forms.line("derived lease", LeaseToken::derived("x"));
    forms.line("new tenant", TenantId::new(1_795_294_800_000, 42));
    forms.line("scope", environment().generation(Generation(7)));
    forms.line("object_prefix", scope().object_prefix());
    forms.line("run_prefix", scope().run_prefix());
    forms.line("export_prefix", scope().export_prefix());
    insta::assert_snapshot!("kinds_partitions_buckets_and_ids", forms.0);
}
