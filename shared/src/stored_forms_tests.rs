//! Every stored form, pinned: what is stored outlives the code that wrote it. A snapshot that
//! changes here is a migration of data.

mod audit;
mod changes;
mod documents;
mod events_and_messages;
mod keys;
mod lists;
mod moving;
mod objects;

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::capabilities::activities::{
    ActivityKind, ActivityState, CrmObject, HoldReason, NotLogged,
};
use crate::capabilities::audit::{Action, Actor};
use crate::capabilities::changing::{ChangeKind, ChangeState};
use crate::capabilities::connecting::{Feature, WizardStep};
use crate::capabilities::directory::DirectoryState;
use crate::capabilities::exporting::{ExportFormat, ExportKind, ExportState};
use crate::capabilities::importing::{
    AccountModel, FilterOperator, FilterValue, ObjectPhase, OpportunityPart, PreviewState,
    RowValue, RunState, SelectionPart, Sweep,
};
use crate::capabilities::leaving::PurgePhase;
use crate::capabilities::linking::{
    Correcting, MatchRunState, MatchSource, ModelState, RecordDecision,
};
use crate::capabilities::lists::ListKind;
use crate::capabilities::saving::SavedList;
use crate::capabilities::seats::Role;
use crate::capabilities::settings::LogType;
use crate::kernel::{
    ActivityId, Author, AutoSaveMessage, CareMessage, ConnectionState, DirectoryMessage,
    DirectoryVersionId, Environment, ExportId, ExportMessage, Generation, Gone, Grantee,
    ImportMessage, ImportRunId, ImportTrigger, LeaseToken, MatchMessage, MatchRunId, MatchTrigger,
    ModelId, Occurrence, PurgeMessage, Queue, ReconnectReason, RecordChange, SObject, Scope,
    SeatId, TellingMessage, TenantEnvironment, TenantId, WritebackMessage,
};
use crate::store::keys::{Kind, Relation};
use matching::normalize::NameKind;
use matching::{EmployerEvidence, EntityKind, Probe};

/// An enum whose variants are all pinned.
trait Variants {
    const NAMES: &'static [&'static str];
    fn name(&self) -> &'static str;
}

/// Names every variant of some enums: a new one does not compile until it is named here, and fails
/// the tests until it has a sample.
macro_rules! variants {
    ($($of:ident { $($variant:ident),+ $(,)? })+) => {
        $(impl Variants for $of {
            const NAMES: &'static [&'static str] = &[$(stringify!($variant)),+];
            fn name(&self) -> &'static str {
                match self {
                    $($of::$variant { .. } => stringify!($variant)),+
                }
            }
        })+
    };
}

variants! {
    AccountModel { Business, Person }
    Action {
        TenantCreated, TenantRemoved, SeatAdded, SeatRemoved, SeatChanged, ContractChanged,
        CrmUserChosen, CrmUserForgotten,
        Connected, Reconnected, SeatAuthorized, AuthorizationEnded, Disconnected, Purged,
        SettingsChanged, SavingUndone, ImportSettingsChanged, SelectionChanged, MatchCorrected,
        MatchRulesChanged, ModelChosen, HandedOver, TakenBack, Exported, Imported, Export,
        GlassBroken, RecordRead,
    }
    Actor { Product, Service, Seat, Admin, Operator }
    Author { Service, Seat, Admin }
    ActivityKind { Message, Inmail, Note, Call, SmartLinkView, ConnectionRequest }
    ActivityState { Queued, Held, Claimed, Logged, LoggedBefore, Failed, NotLogged, Withdrawn }
    CrmObject { Task, Note, ContentNote }
    ListKind { Accounts, Leads }
    LogType { Messages, SmartLinks, Notes, Calls, ConnectionRequests }
    NotLogged { PrivateNote, SellerChoice, ConversationOff }
    ConnectionState { Connected, ReconnectRequired, Lapsed, Disconnected }
    Correcting { Match, Unmatch, WrongMatch, Reset }
    DirectoryState { Draft, Counting, Building, Published, Failed, Retired }
    EmployerEvidence { Current, Past, Conflict, Unknown }
    EntityKind { Person, Company }
    Environment { Production, Sandbox }
    Feature { Import, Matching, ContactInformation, Seats, AutoSave, ActivityLog, Roi }
    FilterOperator {
        Equals, NotEquals, LessThan, LessOrEqual, GreaterThan, GreaterOrEqual, StartsWith, In,
        NotIn,
    }
    FilterValue { Boolean, Number, Text, Several, Null }
    Gone { Deleted, Merged, Unseen, OutsideFilter }
    Grantee { Admin, Seat }
    HoldReason { NoCrmRecord, CrmLoginRequired, ReconnectRequired }
    ImportTrigger { Connected, Scheduled, Requested, Full }
    Kind {
        Run, Record, Edge, Candidates, Entity, MatchRun, Saved, Activity, Grant, Correction, Model,
        Export, List,
    }
    ExportFormat { Csv, Jsonl, Roaring }
    ExportKind { Matched, Unmatched, InCrmPeople, InCrmCompanies }
    ExportMessage { Step, Clear }
    ExportState { Running, Ready, Expired }
    MatchRunState { Planning, Scoring, Complete }
    MatchSource { Auto, Manual, Created }
    MatchTrigger { Import, Directory, Settings, Model }
    AutoSaveMessage {
        Opportunities, Records, Owner, Seat, Everything, DryRun, Directory, Unsave, Undo
    }
    CareMessage { Upkeep, Inspect, PreviewMapping }
    DirectoryMessage { Count, Shard, Spread, FanOut, Retire }
    ImportMessage { Start, Object, HandOver, Clear }
    MatchMessage { Rematch, Batch, Spread, Settle, Clear, Correct, TryRules, TuneModel }
    PurgeMessage { Revoke, Purge, EndGrant, RemoveTenant, GiveBack, Unborn }
    TellingMessage { Publish }
    WritebackMessage { Activity, Change, Release, Linked }
    ChangeKind { Create, Update, Delete }
    ChangeState { Queued, Held, Claimed, Made, Refused, Withdrawn }
    ModelState { Training, Shadow, Ready, TooFewLabels }
    NameKind { Absent, Person, Role, Placeholder }
    ObjectPhase {
        Waiting, Submitted, Fetching, Landing, Reading, LandingRead, Deletions, LandingDeletions,
        Counting, Sweeping, Done, Skipped, Failed,
    }
    Occurrence {
        Connected, ReconnectRequired, Restored, Lapsed, Paused, Resumed, Disconnected, Purged,
        ImportStarted, ImportCompleted, ImportFailed, ImportCancelled, ImportStalled,
        ImportStoodBack,
    }
    OpportunityPart { Open, Closed }
    PreviewState { Asked, Ready, Refused }
    Probe { Person, Company }
    PurgePhase { Shred, Sweep, Verify, Revoke, Complete }
    Queue { Import, Match, AutoSave, Writeback, Care, Telling, Purge, Directory }
    ReconnectReason {
        GrantDead, UserInactive, AppNotInstalled, UserNotApproved, AccessRestricted, TokenRefused,
        OtherOrg,
    }
    RecordChange { New, Updated, Deleted }
    RecordDecision { Match, Duplicate, Review, NonMatch }
    Relation {
        AccountContact, AccountOpportunity, AccountTeamMember, OpportunityRole, ContactRole,
        OwnerOpportunity, OwnerAccount, OwnerContact, OwnerLead, EmployerLead,
        UserTeamMember, EmailUser, UserEmail, RecordTask, RecordEvent, RecordNote,
    }
    Role { Admin, Seat, Reporting, VendorRep, Service, Operator }
    RowValue { Null, Text, Number, Boolean, Date, Moment }
    RunState { Importing, HandingOver, Activities, SteppedAside, Complete, Failed, Cancelled }
    SavedList { Accounts, Leads }
    SelectionPart { Mappings, Filters, Accounts }
    SObject {
        User, UserRole, Account, Contact, Lead, Opportunity, OpportunityContactRole,
        AccountTeamMember, Task, Event, Note,
    }
    Sweep { Asking, Submitted, Fetching, Comparing }
    WizardStep { Connect, Sync, Roi, Advanced }
}

/// Forms as a snapshot shows them: one a line, under its name.
#[derive(Default)]
struct Forms(String);

impl Forms {
    fn line(&mut self, name: &str, form: impl std::fmt::Display) {
        writeln!(self.0, "{name}: {form}").unwrap();
    }

    /// Pins the JSON of a value, which must read back to the same.
    fn json<T: Serialize + DeserializeOwned>(&mut self, name: &str, value: &T) {
        let text = serde_json::to_string(value).unwrap();
        let back: T = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), text, "{name} reads back");
        self.line(name, text);
    }

    /// Pins the JSON of an enum, variant by variant.
    fn all<T: Variants + Serialize + DeserializeOwned>(&mut self, name: &str, samples: &[T]) {
        assert_covers(samples);
        for sample in samples {
            self.json(&format!("{name} {}", sample.name()), sample);
        }
    }
}

/// Every variant has its sample, in the order in which [`variants`] names them.
fn assert_covers<T: Variants>(samples: &[T]) {
    let mut names: Vec<&str> = samples.iter().map(Variants::name).collect();
    names.dedup();
    assert_eq!(names, T::NAMES, "each variant of {}", std::any::type_name::<T>());
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_294_800 + second).unwrap()
}

fn tenant() -> TenantId {
    TenantId::derived("acme")
}

fn environment() -> TenantEnvironment {
    TenantEnvironment { tenant: tenant(), environment: Environment::Sandbox }
}

fn scope() -> Scope {
    environment().generation(Generation(7))
}

fn seat() -> SeatId {
    SeatId::derived("seat")
}

fn run() -> ImportRunId {
    ImportRunId::derived("run")
}

fn match_run() -> MatchRunId {
    MatchRunId::derived("match run")
}

fn export() -> ExportId {
    ExportId::derived("export")
}

fn activity() -> ActivityId {
    ActivityId::derived("activity")
}

fn version() -> DirectoryVersionId {
    DirectoryVersionId::derived("version")
}

fn model() -> ModelId {
    ModelId::derived("model")
}

fn lease() -> LeaseToken {
    LeaseToken::derived("lease")
}

fn text(text: &str) -> String {
    text.to_owned()
}
