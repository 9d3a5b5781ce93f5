//! Every document of the table, every sealed body's plain text, and the secrets.

use std::collections::{BTreeMap, BTreeSet};

use matching::{EmployerEvidence, EntityKind};
use serde_json::Number;
use strum::IntoEnumIterator;

use super::objects::sealer;
use super::{
    Forms, Variants, activity, at, environment, lease, match_run, model, run, scope, seat, tenant,
    text, version,
};
use crate::capabilities::activities::{
    Activity, ActivityKind, ActivityState, ActivityTarget, ActivityText, AtPlace, Conversation,
    CrmObject, HoldReason, Lane, NotLogged, TakenRow,
};
use crate::capabilities::asking::TestNote;
use crate::capabilities::connecting::{
    Feature, HiddenField, Inspection, LastGeneration, ObjectPermissions, StalledRun, UpkeepChain,
    Wizard, WizardStep,
};
use crate::capabilities::custody::grants::Replaced;
use crate::capabilities::custody::{ConnectionSecret, Login, StoredGrant, WrappedKeys};
use crate::capabilities::directory::CurrentDirectory;
use crate::capabilities::directory::{DirectoryPart, DirectoryState, DirectoryVersion};
use crate::capabilities::exporting::{
    ExportFile, ExportFormat, ExportJob, ExportKind, ExportOrder, ExportPlace, ExportState,
    WaitingRows,
};
use crate::capabilities::importing::{
    AccountModel, ActiveRun, ErrorGroup, FieldMapping, FilterCondition, FilterOperator,
    FilterValue, HandOverCursor, ImportRun, ImportSettings, MappingPreview, ObjectImport,
    ObjectPhase, ObjectSelection, OpportunityPart, OrgField, OrgRecordType, OrgValue, Pipeline,
    PreviewState, PreviewValues, RecordFilter, RowCondition, RowValue, RunState, Selection,
    SelectionChange, SelectionPart, SelectionProblem, ShownFields, Span, Stage, Sweep, Watermark,
};
use crate::capabilities::leaving::{
    self, GrantCounts, KeptGrant, Leaver, Progress, Purge, PurgePhase,
};
use crate::capabilities::limits::Used;
use crate::capabilities::linking::lease::SettleLease;
use crate::capabilities::linking::{
    Awaited, Batch, BatchRef, CandidateList, Correcting, Correction, DecisionCounts, EntityBid,
    EntityMatches, MatchRun, MatchRunState, MatchSource, ModelChoice, ModelState, PlanningCursor,
    RankedCandidate, RecordDecision, Ruling, Said, Scores, ShadowCounts, ShadowCursor, TunedModel,
    UnfinishedRun,
};
use crate::capabilities::saving::{
    DryRun, Example, Forecast, Pass, PassPlace, Saved, SavedList, SavedReason, SeatForecast, Tally,
    Uncalled, Undoing,
};
use crate::capabilities::seats::{
    CrmVote, EmailClaim, Role, Seat, SeatMapping, Tenant, UserMapping,
};
use crate::capabilities::sessions::{LoginLink, Logins, Session, Visitor};
use crate::capabilities::settings::{
    ChangedSetting, KeptSettings, LogType, SavingRule, SeatChoices, SeatSwitch, SettingValue,
    Settings, SettingsChange,
};
use crate::kernel::{
    Asked, Author, Connection, ConnectionState, Counts, Environment, Fields, Generation, Gone,
    GrantState, Grantee, ImportTrigger, MatchTrigger, PendingAuthorization, ReconnectReason,
    RecordChange, RecordHead, RecordRef, SObject, Signature, Trouble, VersionId,
};
use crate::salesforce::{JobId, LoginHost};
use crate::testing::{SeededEntropy, entity_id, record_id};

fn connection() -> Connection {
    Connection {
        at: environment(),
        generation: Generation(7),
        state: ConnectionState::ReconnectRequired,
        trouble: Some(Trouble {
            reason: ReconnectReason::OtherOrg,
            since: at(1),
            lapses_at: at(2),
        }),
        paused_since: Some(at(3)),
        degraded_since: Some(at(4)),
        handed_over_at: Some(at(5)),
        org_id: "00D000000000001EAA".parse().unwrap(),
        org_name: text("Acme"),
        edition: text("Enterprise Edition"),
        instance_url: "https://acme.my.salesforce.com".parse().unwrap(),
        login_host: LoginHost::production(),
        buckets: 16,
        integration_user: "005000000000001AAA".parse().unwrap(),
        connected_at: at(0),
        slot_offset: 77,
    }
}

fn visitor() -> Visitor {
    Visitor {
        tenant: Some(tenant()),
        subject: text("ada"),
        roles: BTreeSet::from([Role::Admin]),
        seat: Some(seat()),
    }
}

fn logins() -> Logins {
    let (begun_at, seen_at) = (at(0), at(1));
    let session =
        Session { hash: text("00ff"), visitor: visitor(), begun_at, seen_at, connecting: true };
    Logins { sessions: vec![session] }
}

#[test]
fn exports_are_pinned() {
    let mut forms = Forms::default();
    let kinds = [
        ExportKind::Matched,
        ExportKind::Unmatched,
        ExportKind::InCrmPeople,
        ExportKind::InCrmCompanies,
    ];
    forms.all("kind", &kinds);
    let formats = [ExportFormat::Csv, ExportFormat::Jsonl, ExportFormat::Roaring];
    forms.all("format", &formats);
    forms.all("state", &[ExportState::Running, ExportState::Ready, ExportState::Expired]);
    let order = ExportOrder { kind: kinds[1], format: ExportFormat::Csv, sample: Some(1_000) };
    let begun = ExportJob::begin(super::export(), order, 16, at(0));
    forms.json("export", &begun);
    let (name, hash) = (text("unmatched-1.csv"), text("0a1b"));
    let whole = ExportJob {
        place: Some(ExportPlace { object: 1, bucket: 2, after: Some(text("Lead#1")), taken: 3 }),
        waiting: vec![WaitingRows { name: text("00000003-0a1b"), rows: 4, bytes: 5 }],
        files: vec![ExportFile { name, hash, rows: 6, bytes: 7 }],
        directory: Some(version()),
        finished_at: Some(at(1)),
        ..begun
    };
    forms.json("export with all", &whole);
    forms.json("asked export", &Asked { work: super::export(), asked_at: at(0) });
    insta::assert_snapshot!("exports", forms.0);
}

#[test]
fn tenants_and_their_settings_are_pinned() {
    let mut forms = Forms::default();
    let name = text("Acme");
    forms.json("logins", &logins());
    forms.json("login link", &LoginLink { visitor: visitor(), until: at(2) });
    let operator = Visitor { tenant: None, seat: None, ..visitor() };
    forms.json("login link of an operator", &LoginLink { visitor: operator, until: at(2) });
    let unbounded = Tenant::new(tenant(), name, at(0));
    forms.json("tenant", &unbounded);
    let licences = Some(20);
    forms.json("tenant of 20 seats", &Tenant { licences, seats_added: 3, ..unbounded });
    let roles =
        [Role::Admin, Role::Seat, Role::Reporting, Role::VendorRep, Role::Service, Role::Operator];
    forms.all("role", &roles);
    forms.json(
        "seat",
        &Seat {
            id: seat(),
            tenant: tenant(),
            email: text("ada@acme.example"),
            aliases: BTreeSet::from([text("a.lovell@acme.example")]),
            federation_id: Some(text("alovell")),
            name: text("Ada Lovell"),
            time_zone: text("Europe/Berlin"),
            roles: roles.into_iter().collect::<BTreeSet<_>>(),
        },
    );
    forms.json("email claim", &EmailClaim { seat: seat() });
    let signed = Signature { at: at(0), by: Author::Service };
    forms.json("seat mapping", &SeatMapping { user: record_id("005", 1), signed });
    forms.json("user mapping", &UserMapping { seat: seat() });
    forms.json("vote", &CrmVote { crm: text("hubspot"), voted_at: at(0) });
    chosen_settings(&mut forms);
    let steps = [WizardStep::Connect, WizardStep::Sync, WizardStep::Roi, WizardStep::Advanced];
    forms.all("wizard step", &steps);
    forms.json("wizard", &Wizard::default());
    let answered = steps.into_iter().collect();
    let login_host = Some(text("acme.my.salesforce.com"));
    forms
        .json("wizard with all", &Wizard { at: WizardStep::Roi, answered, login_host, changes: 3 });
    forms.json("import settings", &ImportSettings::default());
    insta::assert_snapshot!("tenants", forms.0);
}

fn chosen_settings(forms: &mut Forms) {
    let nameless = Author::Admin { subject: None };
    forms.json("author without a subject", &nameless);
    let subject = Some(text("ada"));
    let authors = [Author::Service, Author::Seat { seat: seat() }, Author::Admin { subject }];
    forms.all("author", &authors);
    let signed = Signature { at: at(0), by: nameless };
    forms.json("settings", &KeptSettings::default());
    let settings = Settings { stage: Some(text("Won")), ..Settings::default() };
    let kept = KeptSettings { settings, changes: 3, rules: 2, signed: Some(signed.clone()) };
    forms.json("settings with all", &kept);
    let types = [
        LogType::Messages,
        LogType::SmartLinks,
        LogType::Notes,
        LogType::Calls,
        LogType::ConnectionRequests,
    ];
    forms.all("log type", &types);
    forms.json("seat switch", &SeatSwitch { write_back: false, signed: signed.clone() });
    let types = types.into_iter().map(|kind| (kind, kind == LogType::Notes)).collect();
    let saving = [(SavingRule::TeamAccounts, true), (SavingRule::OwnedPeople, false)].into();
    forms.json("seat choices", &SeatChoices { types, saving });
    forms.json("seat choices before any", &SeatChoices::default());
    let (before, after) = (SettingValue::Null(()), SettingValue::Name(text("Won")));
    let changed = vec![ChangedSetting { name: text("stage"), before, after }];
    forms.json("settings change", &SettingsChange { number: 3, signed, changed });
}

#[test]
fn connections_grants_and_secrets_are_pinned() {
    let mut forms = Forms::default();
    forms.all("environment", &[Environment::Production, Environment::Sandbox]);
    forms.all(
        "connection state",
        &[
            ConnectionState::Connected,
            ConnectionState::ReconnectRequired,
            ConnectionState::Lapsed,
            ConnectionState::Disconnected,
        ],
    );
    forms.all(
        "reconnect reason",
        &[
            ReconnectReason::GrantDead,
            ReconnectReason::UserInactive,
            ReconnectReason::AppNotInstalled,
            ReconnectReason::UserNotApproved,
            ReconnectReason::AccessRestricted,
            ReconnectReason::TokenRefused,
            ReconnectReason::OtherOrg,
        ],
    );
    forms.json("connection with all", &connection());
    let bare = Connection {
        trouble: None,
        paused_since: None,
        degraded_since: None,
        handed_over_at: None,
        ..connection()
    };
    forms.json("connection", &bare);
    forms.json("live", &environment());
    forms.json("generations", &LastGeneration { last: 7 });
    grants(&mut forms);
    forms.json("upkeep", &UpkeepChain { step: 0, stalled: None });
    let stalled = Some(StalledRun { run: run(), last_beat: at(0) });
    forms.json("upkeep with all", &UpkeepChain { step: 5, stalled });
    insta::assert_snapshot!("connections", forms.0);
}

fn grants(forms: &mut Forms) {
    let grantees = [Grantee::Admin, Grantee::Seat(seat())];
    forms.all("grantee", &grantees);
    for grantee in grantees {
        let pending = PendingAuthorization {
            at: environment(),
            grantee,
            by: Author::Seat { seat: seat() },
            login_host: LoginHost::production(),
            verifier: text("verifier"),
            browser: text("browser"),
            expires_at: at(600),
        };
        forms.json("pending authorization", &pending);
    }
    let state = GrantState::new(1, None, "005000000000001AAA".parse().unwrap(), at(0));
    forms.json("grant", &state);
    let version = Some(VersionId(text("v1")));
    let (lease, lease_until) = (Some(lease()), 1_795_294_800);
    forms.json("grant with all", &GrantState { version, lease, lease_until, ..state });
    forms.json("replaced grant", &Replaced { step: 2 });
    let host = "login.salesforce.com".parse().unwrap();
    let login = Login { grantee: Grantee::Admin, host, key: text("AAEC"), step: 2 };
    forms.json("login", &login);
    let grant = StoredGrant {
        access_token: "access".into(),
        refresh_token: "refresh".into(),
        instance_url: "https://acme.my.salesforce.com".parse().unwrap(),
    };
    let sealed = grant.seal(&sealer(), "a grant", &SeededEntropy::new(1)).unwrap();
    let plain = sealer().open("a grant", &sealed).unwrap();
    forms.line("sealed grant", String::from_utf8(plain).unwrap());
    let keys =
        WrappedKeys { records: text("AAEC"), admin_grant: text("AAED"), seat_grants: text("AAEE") };
    forms.json("secret", &ConnectionSecret { keys, number: 1, grant: text("AAEF") });
}

#[test]
fn what_an_org_shows_and_what_is_selected_are_pinned() {
    let mut forms = Forms::default();
    forms.all("object", &SObject::ALL);
    let features = [
        Feature::Import,
        Feature::Matching,
        Feature::ContactInformation,
        Feature::Seats,
        Feature::AutoSave,
        Feature::ActivityLog,
        Feature::Roi,
    ];
    forms.all("feature", &features);
    let permissions = ObjectPermissions {
        object: SObject::Contact,
        readable: true,
        optional: false,
        blocks: vec![Feature::Roi],
        hidden: vec![HiddenField { field: text("Email"), blocks: Feature::ContactInformation }],
        not_editable: vec![text("OwnerId")],
    };
    let inspection = Inspection {
        inspected_at: at(0),
        refused: Some(text("API_DISABLED")),
        personal_user: Some(true),
        objects: vec![permissions],
    };
    forms.json("inspection with all", &inspection);
    let refused = None;
    let bare = Inspection { refused, personal_user: None, objects: vec![], ..inspection };
    forms.json("inspection", &bare);
    let field = OrgField {
        name: text("Mail__c"),
        label: text("Mail"),
        kind: text("email"),
        custom: true,
        calculated: false,
        filterable: true,
        importable: true,
        values: vec![OrgValue { value: text("web"), label: text("Web"), active: true }],
    };
    let record_types = vec![OrgRecordType { id: text("012000000000001AAA"), name: text("Call") }];
    let shown = ShownFields { as_of: at(0), fields: vec![field], record_types };
    forms.json("shown fields", &shown);
    previews(&mut forms);
    selections(&mut forms);
    insta::assert_snapshot!("selections", forms.0);
}

fn mapping() -> FieldMapping {
    FieldMapping { object: SObject::Contact, field: text("Email"), custom_field: text("Mail__c") }
}

fn previews(forms: &mut Forms) {
    let states =
        [PreviewState::Asked, PreviewState::Ready, PreviewState::Refused { reason: text("no") }];
    forms.all("preview state", &states);
    for state in states {
        let (mapping, record) = (mapping(), "003000000000001".parse().unwrap());
        forms.json("preview", &MappingPreview { mapping, record, asked_at: at(0), state });
    }
    forms.json("sealed preview", &PreviewValues { field: None, custom_field: Some(text("a@b.c")) });
}

fn selections(forms: &mut Forms) {
    use FilterOperator as Is;
    let operators = [
        Is::Equals,
        Is::NotEquals,
        Is::LessThan,
        Is::LessOrEqual,
        Is::GreaterThan,
        Is::GreaterOrEqual,
        Is::StartsWith,
        Is::In,
        Is::NotIn,
    ];
    forms.all("filter operator", &operators);
    let values = [
        FilterValue::Boolean(true),
        FilterValue::Number(Number::from(3)),
        FilterValue::Text(text("EMEA")),
        FilterValue::Several(vec![FilterValue::Text(text("EMEA"))]),
        FilterValue::Null(()),
    ];
    forms.all("filter value", &values);
    let condition = FilterCondition {
        field: text("Region__c"),
        operator: Is::Equals,
        value: values[2].clone(),
    };
    let parts = [SelectionPart::Mappings, SelectionPart::Filters, SelectionPart::Accounts];
    forms.all("selection part", &parts);
    forms.all("account model", &[AccountModel::Business, AccountModel::Person]);
    let change = |by| SelectionChange { at: at(0), by, set: SelectionPart::Filters };
    let selection = Selection {
        mappings: vec![mapping()],
        filters: vec![RecordFilter { object: SObject::Lead, conditions: vec![condition] }],
        accounts: AccountModel::Person,
        changes: vec![change(None), change(Some(text("ada")))],
    };
    forms.json("selection with all", &selection);
    forms.json("selection", &Selection::default());
}

fn row_values() -> Vec<RowValue> {
    vec![
        RowValue::Null,
        RowValue::Text(text("EMEA")),
        RowValue::Number("12.50".parse().unwrap()),
        RowValue::Boolean(true),
        RowValue::Date("2026-01-31".parse().unwrap()),
        RowValue::Moment(at(0)),
    ]
}

fn object_selection() -> ObjectSelection {
    ObjectSelection {
        columns: BTreeMap::from([(text("Email"), text("Mail__c"))]),
        besides: vec![text("CurrencyIsoCode")],
        hidden: vec![text("Fax")],
        conditions: vec![RowCondition {
            field: text("Region__c"),
            operator: FilterOperator::In,
            values: row_values(),
        }],
        excluded: true,
        calculated: true,
        dropped: vec![SelectionProblem {
            object: SObject::Contact,
            field: text("Email"),
            reason: text("gone"),
        }],
    }
}

fn job() -> JobId {
    JobId("750000000000001".parse().unwrap())
}

fn phases() -> Vec<ObjectPhase> {
    let (job, locator, next) = (job(), Some(text("loc")), Some(text("next")));
    let mut all = vec![
        ObjectPhase::Waiting,
        ObjectPhase::Submitted { job, polls: 2 },
        ObjectPhase::Fetching { job, locator, page: 3 },
        ObjectPhase::Landing { job, page: 3, next: next.clone() },
        ObjectPhase::Reading { locator: text("loc"), page: 3 },
        ObjectPhase::LandingRead { page: 3, next },
        ObjectPhase::Deletions,
        ObjectPhase::LandingDeletions { complete: true },
        ObjectPhase::Counting { complete: false },
    ];
    all.extend(sweeps().into_iter().map(|sweep| ObjectPhase::Sweeping { sweep }));
    all.extend([
        ObjectPhase::Done,
        ObjectPhase::Skipped { reason: text("no such object") },
        ObjectPhase::Failed { code: text("JOB_FAILED"), message: text("why") },
    ]);
    all
}

fn sweeps() -> Vec<Sweep> {
    let (job, locator) = (job(), Some(text("loc")));
    vec![
        Sweep::Asking { page: 1 },
        Sweep::Submitted { job, polls: 2, page: 1 },
        Sweep::Fetching { job, locator, page: 3 },
        Sweep::Comparing { pages: 4, bucket: 5 },
    ]
}

fn import_with_all(phase: ObjectPhase) -> ObjectImport {
    ObjectImport {
        step: 9,
        phase,
        since: Some(at(1)),
        asked_at: Some(at(2)),
        selection: object_selection(),
        read_anew: Some(3),
        mixed: true,
        rows_expected: 100,
        rows_fetched: 50,
        pages: 2,
        counts: Counts { new: 1, updated: 2, unchanged: 3, deleted: 4, skipped: 5, failed: 6 },
        part: Some(OpportunityPart::Closed),
        span: Some(Span { from: Some(at(3)), until: Some(at(4)) }),
        narrowed: 1,
        salesforce_count: Some(7),
        live: Some(8),
        swept: true,
        full: true,
        restarts: 1,
        api_calls: 10,
        errors: vec![ErrorGroup { code: text("C"), message: text("m"), count: 2 }],
        started_at: Some(at(5)),
        finished_at: Some(at(6)),
        ..ObjectImport::waiting(SObject::Opportunity)
    }
}

#[test]
fn imports_are_pinned() {
    let mut forms = Forms::default();
    let states = [
        RunState::Importing,
        RunState::HandingOver,
        RunState::Activities,
        RunState::SteppedAside,
        RunState::Complete,
        RunState::Failed,
        RunState::Cancelled,
    ];
    forms.all("run state", &states);
    let bare = ImportRun::begin(run(), ImportTrigger::Full, true, at(0));
    forms.json("import run", &bare);
    let finished_at = Some(at(9));
    let (match_run, aside_of) = (Some(match_run()), Some(run()));
    let cursor = HandOverCursor { object: 3, list: text("000001-0000") };
    forms.json(
        "import run with all",
        &ImportRun { finished_at, cursor, match_run, aside_of, ..bare },
    );
    let active = ActiveRun {
        run: run(),
        since: at(0),
        beat_at: at(1),
        paused: false,
        stands_back_until: None,
    };
    forms.json("active run", &active);
    forms.json("active run with all", &ActiveRun { stands_back_until: Some(at(2)), ..active });
    forms.all("row value", &row_values());
    forms.all("opportunity part", &[OpportunityPart::Open, OpportunityPart::Closed]);
    forms.all("sweep", &sweeps());
    super::assert_covers(&phases());
    for phase in phases() {
        let name = format!("object import {}", phase.name());
        forms.json(&name, &ObjectImport { phase, ..ObjectImport::waiting(SObject::Lead) });
    }
    forms.json("object import with all", &import_with_all(ObjectPhase::Done));
    forms.json("watermark", &Watermark::default());
    let watermark = Watermark {
        stamp: Some(at(0)),
        live: 5,
        selection: Some(text("digest")),
        begun_by: Some(run()),
        read_at: Some(at(1)),
        swept_at: Some(at(2)),
    };
    forms.json("watermark with all", &watermark);
    forms.json("marker (slot, scored, built, edge)", &serde_json::json!({}));
    insta::assert_snapshot!("imports", forms.0);
}

fn dry_run() -> DryRun {
    let example = Example {
        seat: seat(),
        list: SavedList::Accounts,
        rule: SavingRule::OwnedAccounts,
        entity: entity_id("co_1"),
        object: SObject::Account,
        record: record_id("001", 1),
    };
    let found = Forecast {
        seats: 3,
        without_user: 1,
        accounts: 5,
        leads: 7,
        had: 2,
        unmatched: 4,
        by_rule: BTreeMap::from([(SavingRule::OwnedAccounts, 5)]),
        examples: vec![example],
        left_out: 3,
        by_seat: vec![SeatForecast { seat: seat(), accounts: 5, leads: 7, left_out: 3 }],
    };
    DryRun {
        run: 2,
        settings: Settings::default(),
        asked: Signature { at: at(0), by: Author::Service },
        step: 4,
        after: Some(seat()),
        finished_at: Some(at(9)),
        found,
    }
}

/// What is called for no more, how much lists hold, and what is undone.
fn saved_no_more(forms: &mut Forms, saved: Saved) {
    let uncalled = Some(Uncalled { since: at(1), rules: 4 });
    forms.json("saved, and called for no more", &Saved { uncalled, reasons: Vec::new(), ..saved });
    let tally = Tally { seat: seat(), list: SavedList::Leads, entries: 9, full_since: None };
    forms.json("tally", &tally);
    forms.json("tally of a full list", &Tally { full_since: Some(at(0)), ..tally });
    let undoing = Undoing {
        pass: Pass { of: 2, step: 7, place: None },
        rules: 3,
        asked: Signature { at: at(0), by: Author::Service },
        removed: 5,
        kept: 6,
        finished_at: Some(at(9)),
    };
    forms.json("undoing", &undoing);
}

#[test]
fn records_and_what_is_saved_are_pinned() {
    let mut forms = Forms::default();
    let gone = [
        Gone::Deleted,
        Gone::Merged { into: record_id("003", 2) },
        Gone::Unseen,
        Gone::OutsideFilter,
    ];
    forms.all("gone", &gone);
    forms.all("record change", &[RecordChange::New, RecordChange::Updated, RecordChange::Deleted]);
    let fields: Fields =
        [("Name", text("Ada Lovell")), ("Email", text("a@b.c"))].into_iter().collect();
    forms.json("sealed fields", &fields);
    let digest = sealer().digest(&fields.to_digest());
    forms.line("digest", &digest);
    for gone in [None, Some(gone[0].clone()), Some(gone[1].clone())] {
        let head = RecordHead {
            object: SObject::Contact,
            id: record_id("003", 1),
            stamp: 1_795_294_800_000,
            digest: digest.clone(),
            run: run(),
            step: 2,
            read_at: 1_795_294_801_000,
            change: RecordChange::Updated,
            gone,
        };
        forms.json("record", &head);
    }
    forms.all("saved list", &[SavedList::Accounts, SavedList::Leads]);
    let saved = Saved {
        seat: seat(),
        list: SavedList::Leads,
        entity: entity_id("pe_1"),
        record: record_id("003", 1),
        object: SObject::Contact,
        reasons: SavingRule::iter()
            .map(|rule| SavedReason { rule, record: record_id("006", 1), since: at(0) })
            .collect(),
        saved_at: at(0),
        rules: 3,
        uncalled: None,
    };
    forms.json("saved", &saved);
    saved_no_more(&mut forms, saved);
    let place = Some(PassPlace { bucket: 3, after: Some(text("a")) });
    forms.json("saving pass", &Pass { of: 2_u64, step: 7, place: place.clone() });
    forms.json("saving pass at its end", &Pass { of: 2_u64, step: 9, place: None });
    forms.json("following pass", &Pass { of: match_run(), step: 7, place });
    forms.json("dry run", &dry_run());
    let stage =
        Stage { name: text("Won"), label: text("Signed"), is_closed: true, is_active: true };
    forms.json("pipeline", &Pipeline { stages: vec![stage] });
    insta::assert_snapshot!("records", forms.0);
}

fn choice() -> ModelChoice {
    ModelChoice { number: 2, model: Some(model()) }
}

#[test]
fn match_runs_models_and_the_directory_are_pinned() {
    let mut forms = Forms::default();
    forms.all(
        "match run state",
        &[MatchRunState::Planning, MatchRunState::Scoring, MatchRunState::Complete],
    );
    for finished_at in [None, Some(at(9))] {
        let run = MatchRun {
            id: match_run(),
            trigger: MatchTrigger::Import,
            state: MatchRunState::Scoring,
            directory: version(),
            model: finished_at.map(|_| choice()).unwrap_or_default(),
            step: 1,
            cursor: PlanningCursor { object: 1, bucket: 2, offset: 3 },
            batches: 4,
            settled: 5,
            records: 6,
            changed: 7,
            started_at: at(0),
            finished_at,
        };
        forms.json("match run", &run);
    }
    let object = SObject::Lead;
    forms.json("batch", &Batch { number: 2, object, records: 3, shards_left: 4, settled: true });
    let scores: Scores = serde_json::from_str(r#"{ "p35": 5, "p95": 6 }"#).unwrap();
    let counts = DecisionCounts { matched: 1, duplicate: 2, review: 3, unmatched: 4, scores };
    forms.json("decision counts", &counts);
    forms.json("unfinished run", &UnfinishedRun { directory: version() });
    forms.json("asked re-match", &Asked { work: match_run(), asked_at: at(1) });
    forms.json("used limit", &Used { calls: 3 });
    forms.json("settle lease", &SettleLease { lease: lease(), until: 1_795_294_800 });
    forms.json("model choice", &ModelChoice::default());
    forms.json("model choice with all", &choice());
    models(&mut forms);
    directory(&mut forms);
    insta::assert_snapshot!("match_runs", forms.0);
}

fn models(forms: &mut Forms) {
    forms.all(
        "model state",
        &[ModelState::Training, ModelState::Shadow, ModelState::Ready, ModelState::TooFewLabels],
    );
    let bare = TunedModel {
        id: model(),
        state: ModelState::Shadow,
        beside: ModelChoice::default(),
        step: 3,
        labels: BTreeMap::new(),
        cursor: ShadowCursor::default(),
        shadow: BTreeMap::new(),
        created_at: at(0),
        finished_at: None,
    };
    forms.json("tuned model", &bare);
    let counts = ShadowCounts {
        same: 1,
        newly_matched: 2,
        no_longer_matched: 3,
        other_entity: 4,
        examples: vec![record_id("00Q", 1)],
    };
    let all = TunedModel {
        labels: BTreeMap::from([(SObject::Lead, 30)]),
        cursor: ShadowCursor { object: 1, bucket: 2, after: Some(text("Lead#00Q1")) },
        shadow: BTreeMap::from([(SObject::Lead, counts)]),
        finished_at: Some(at(9)),
        ..bare
    };
    forms.json("tuned model with all", &all);
}

fn directory(forms: &mut Forms) {
    forms.all(
        "directory state",
        &[
            DirectoryState::Draft,
            DirectoryState::Counting,
            DirectoryState::Building,
            DirectoryState::Published,
            DirectoryState::Failed,
            DirectoryState::Retired,
        ],
    );
    forms.all("entity kind", &[EntityKind::Person, EntityKind::Company]);
    let bare = DirectoryVersion {
        id: version(),
        base: None,
        state: DirectoryState::Draft,
        parts: vec![],
        people_shards: 2,
        company_shards: 1,
        people: 3,
        companies: 4,
        skipped: BTreeMap::new(),
        shards_left: 5,
        reason: None,
        created_at: at(0),
        published_at: None,
    };
    forms.json("directory version", &bare);
    let part = DirectoryPart { entity_kind: EntityKind::Company, key: text("directory/x") };
    let all = DirectoryVersion {
        base: Some(version()),
        parts: vec![part],
        skipped: BTreeMap::from([(text("no id"), 6)]),
        reason: Some(text("why")),
        published_at: Some(at(9)),
        ..bare
    };
    forms.json("directory version with all", &all);
    forms.json("current directory", &CurrentDirectory { version: version() });
}

fn ruling() -> Ruling {
    Ruling {
        always: Some(entity_id("pe_1")),
        never: vec![entity_id("pe_2")],
        source: MatchSource::Created,
        since: Some(at(9)),
    }
}

fn candidates() -> CandidateList {
    let employer = EmployerEvidence::Current;
    let candidate = |evidence, company| RankedCandidate {
        entity: entity_id("pe_1"),
        weight: 7.5,
        probability: 0.99,
        employer,
        evidence,
        company,
    };
    CandidateList {
        object: SObject::Contact,
        id: record_id("003", 1),
        candidates: vec![
            candidate(text("ab"), Some(entity_id("co_1"))),
            candidate(String::new(), None),
        ],
        matched: Some(entity_id("pe_1")),
        source: Some(MatchSource::Auto),
        decision: RecordDecision::Match,
        gone: true,
        ruling: Some(ruling()),
        always: Some(entity_id("pe_1")),
        never: vec![entity_id("pe_2")],
        stamp: 1_795_294_800_000,
        run: Some(match_run()),
        directory: Some(version()),
        model: choice(),
        new_in: Some(BatchRef { run: match_run(), number: 7 }),
    }
}

#[test]
fn matches_are_pinned() {
    let mut forms = Forms::default();
    forms.all("match source", &[MatchSource::Auto, MatchSource::Manual, MatchSource::Created]);
    forms.all(
        "record decision",
        &[
            RecordDecision::Match,
            RecordDecision::Duplicate,
            RecordDecision::Review,
            RecordDecision::NonMatch,
        ],
    );
    forms.json("candidates with all", &candidates());
    let bare = CandidateList {
        candidates: vec![],
        matched: None,
        source: None,
        gone: false,
        ruling: None,
        always: None,
        never: vec![],
        run: None,
        directory: None,
        model: ModelChoice::default(),
        new_in: None,
        ..candidates()
    };
    forms.json("candidates", &bare);
    let record = RecordRef { object: SObject::Contact, id: record_id("003", 1) };
    let bid = EntityBid { record, probability: 0.99, always: true };
    for matched in [None, Some(record)] {
        let (kind, entity) = (EntityKind::Person, entity_id("pe_1"));
        let bids = vec![bid.clone()];
        forms.json("entity", &EntityMatches { kind, entity, bids, matched });
    }
    forms.json("awaited", &Awaited { entity: entity_id("pe_1") });
    corrections(&mut forms);
    insta::assert_snapshot!("matches", forms.0);
}

fn corrections(forms: &mut Forms) {
    let entity_id = entity_id("pe_1");
    let correcting = [
        Correcting::Match { entity_id: entity_id.clone() },
        Correcting::Unmatch { entity_id: None },
        Correcting::Unmatch { entity_id: Some(entity_id.clone()) },
        Correcting::WrongMatch { entity_id },
        Correcting::Reset,
    ];
    forms.all("correcting", &correcting);
    let mut history: Vec<Said> = correcting
        .into_iter()
        .map(|what| Said { what, by: Some(seat()), at: at(0), of: Some(text("ab")) })
        .collect();
    history.push(Said { what: Correcting::Reset, by: None, at: at(1), of: None });
    let (object, id) = (SObject::Contact, record_id("003", 1));
    forms.json("ruling", &Ruling::default());
    forms.json("correction", &Correction { object, id, ruling: ruling(), history });
}

#[test]
fn activities_are_pinned() {
    let mut forms = Forms::default();
    let kinds = [
        ActivityKind::Message,
        ActivityKind::Inmail,
        ActivityKind::Note,
        ActivityKind::Call,
        ActivityKind::SmartLinkView,
        ActivityKind::ConnectionRequest,
    ];
    forms.all("activity kind", &kinds);
    let reason = HoldReason::ReconnectRequired;
    forms.all("hold reason", &[HoldReason::NoCrmRecord, HoldReason::CrmLoginRequired, reason]);
    let states = [
        ActivityState::Queued,
        ActivityState::Held { reason },
        ActivityState::Claimed { server_time: at(1), at: at(2), lookups: 3, object: None },
        ActivityState::Claimed {
            server_time: at(1),
            at: at(2),
            lookups: 3,
            object: Some(CrmObject::ContentNote),
        },
        ActivityState::Logged { salesforce_id: "00T000000000001EAA".parse().unwrap() },
        ActivityState::LoggedBefore { salesforce_id: "00T000000000001EAA".parse().unwrap() },
        ActivityState::Failed { code: text("C"), message: text("m") },
        ActivityState::NotLogged { reason: NotLogged::PrivateNote },
        ActivityState::Withdrawn,
    ];
    forms.all("activity state", &states);
    let reasons = [NotLogged::PrivateNote, NotLogged::SellerChoice, NotLogged::ConversationOff];
    forms.all("not logged", &reasons);
    forms.all("object", &[CrmObject::Task, CrmObject::Note, CrmObject::ContentNote]);
    let (object, title) = (CrmObject::ContentNote, text("Test note 01"));
    forms.json("test note", &TestNote { object, title, at: at(1) });
    forms.json("conversation", &Conversation { seat: seat(), name: text("thread"), log: false });
    let target = ActivityTarget {
        object: SObject::Contact,
        record: "003000000000001AAA".parse().unwrap(),
        lane: "001000000000001AAA".parse().unwrap(),
        place: 4,
    };
    for state in states {
        let target = Some(target.clone()).filter(|_| state != ActivityState::Queued);
        let activity = Activity {
            id: activity(),
            seat: seat(),
            kind: ActivityKind::Inmail,
            entity_kind: EntityKind::Person,
            entity: entity_id("pe_1"),
            occurred_at: at(0),
            digest: text("digest"),
            target,
            opportunity: (state == ActivityState::Withdrawn).then(|| record_id("006", 1)),
            state,
            tries: 1,
        };
        forms.json("activity", &activity);
    }
    lanes_and_texts(&mut forms);
    insta::assert_snapshot!("activities", forms.0);
}

fn lanes_and_texts(forms: &mut Forms) {
    forms.json("taken row", &TakenRow { activity: activity() });
    forms.json("lane", &Lane { given: 4, done: 3 });
    forms.json("at a place", &AtPlace { activity: activity() });
    for subject in [None, Some(text("Hello"))] {
        let link = subject.as_ref().map(|_| text("https://l.example/1"));
        let location = subject.as_ref().map(|_| text("Oslo"));
        forms
            .json("sealed text", &ActivityText { subject, body: text("Dear Ada"), link, location });
    }
}

#[test]
fn purges_are_pinned() {
    let mut forms = Forms::default();
    forms.all(
        "purge phase",
        &[
            PurgePhase::Shred,
            PurgePhase::Sweep,
            PurgePhase::Verify,
            PurgePhase::Revoke,
            PurgePhase::Complete,
        ],
    );
    let lane = leaving::Lane { up_to: Some(text("Lead#1")), is_last: true };
    let leaver = Leaver {
        generation: scope().generation,
        buckets: 16,
        org_id: text("00D000000000001EAA"),
        login_host: text("login.salesforce.com"),
    };
    let first = Purge::new(scope(), leaver, at(0));
    forms.json("purge at its begin", &first);
    let last = Purge {
        phase: PurgePhase::Verify,
        step: 3,
        grants_key: Some(VersionId(text("1"))),
        sealed_up_to: Some(text("SEAT#1")),
        grants: GrantCounts { open: 1, revoked: 2, already_dead: 3, unconfirmed: 4 },
        progress: Progress { begun: 2, lanes: BTreeMap::from([(1, lane)]), counted_rest: true },
        found: BTreeMap::from([(text("items REC"), 5)]),
        remaining: BTreeMap::from([(text("items REC"), 0)]),
        data_key_destroyed: true,
        look_at: Some(at(3)),
        completed_at: Some(at(9)),
        ..first
    };
    forms.json("purge with all", &last);
    forms.json("kept grant", &KeptGrant { tries: 2, next_at: at(1) });
    insta::assert_snapshot!("purges", forms.0);
}
