//! Taking a tenant in, a batch of lines at a time.
//!
//! As long as no org is connected, what the file says of the tenant goes. From then on the tenant
//! lives here: what is missing is filled in, and what people made here stays.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    Header, Line, LineError, MovedConnection, MovedImportSettings, MovedMatchRules, MovedSeat,
    MovedSeatLogging, MovedSelection, Moving, MovingError,
};
use crate::capabilities::audit::{Action, Actor, Deed};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::importing::ControlError;
use crate::capabilities::{importing, linking, seats, settings};
use crate::kernel::{
    AutoSaveMessage, Connection, Environment, MatchMessage, MatchRunId, MatchTrigger,
    TenantEnvironment, TenantId,
};
use crate::ports::PortError;
use crate::store::{Attempt, Commit, Slot, attempts};
use crate::work::{WorkError, boxed};

/// Lines of one org that are taken in at once.
const CONCURRENT_LINES: usize = 8;

/// What became of the lines of a batch, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportedLines {
    /// They were written.
    pub taken: BTreeMap<&'static str, u64>,
    /// What they tell of was here, or something later than it.
    pub known: BTreeMap<&'static str, u64>,
}

impl ImportedLines {
    fn count(&mut self, kind: &'static str, is_taken: bool) {
        let counts = if is_taken { &mut self.taken } else { &mut self.known };
        *counts.entry(kind).or_default() += 1;
    }
}

/// Where lines are taken in.
struct Arrival {
    tenant: TenantId,
    /// The tenant's connections here.
    live: Vec<Connection>,
}

impl Arrival {
    fn at(&self, environment: Environment) -> TenantEnvironment {
        TenantEnvironment { tenant: self.tenant, environment }
    }

    fn connection(&self, environment: Environment) -> Option<&Connection> {
        self.live.iter().find(|connection| connection.at.environment == environment)
    }
}

impl Moving {
    /// Takes a batch of lines in for a tenant. The first is the first of the file; behind it come
    /// lines of the tenant, or the line of a connection and lines of its org. A batch that was
    /// taken in before changes nothing.
    #[must_use]
    #[boxed]
    pub async fn import(
        &self,
        tenant: TenantId,
        lines: &[String],
    ) -> Result<ImportedLines, MovingError> {
        let lines = parsed(lines)?;
        let arrival = Arrival { tenant, live: self.live(tenant).await? };
        if arrival.live.iter().any(|connection| connection.handed_over_at.is_some()) {
            return Err(MovingError::HandedOver);
        }
        let mut done = ImportedLines::default();
        let mut lines = lines.into_iter().peekable();
        while let Some((number, line)) = lines.next() {
            let kind = line.kind();
            match line {
                Line::Connection(moved) => {
                    let generation = self.generation(&arrival, &moved).await?;
                    let mut of_org = Vec::new();
                    while let Some((_, line)) = lines.next_if(|(_, line)| line.is_of_an_org()) {
                        of_org.push(line);
                    }
                    self.take_in_org(&generation, of_org, &mut done).await?;
                }
                Line::End(_) => {}
                line if line.is_of_an_org() => {
                    return Err(MovingError::Line { number, source: LineError::Misplaced });
                }
                line => done.count(kind, self.take_in_of_tenant(&arrival, line).await?),
            }
        }
        let taken: u64 = done.taken.values().sum();
        if taken > 0 {
            let deed = Deed::new(Action::Imported).detail("lines", taken);
            self.tell(tenant, &deed).await?;
        }
        Ok(done)
    }

    /// Takes in a line that belongs to the tenant. False if there was nothing to do.
    async fn take_in_of_tenant(&self, arrival: &Arrival, line: Line) -> Result<bool, MovingError> {
        let tenant = arrival.tenant;
        let replaces = arrival.live.is_empty();
        match line {
            Line::Tenant(moved) => {
                let slot = seats::keys::tenant(tenant);
                let listed = || {
                    let mut commit = Commit::new();
                    commit.draw(&seats::keys::tenant_entry(tenant))?;
                    Ok(commit)
                };
                self.fill(&slot, &moved.into_tenant(tenant), replaces, listed).await
            }
            Line::Seat(moved) => self.take_in_seat(arrival, moved).await,
            Line::CrmVote(moved) => {
                let vote = moved.into_vote();
                let slot = seats::keys::crm_vote(tenant, &vote.crm);
                self.fill(&slot, &vote, replaces, || Ok(Commit::new())).await
            }
            Line::Settings(moved) => {
                let replaces = arrival.connection(moved.environment).is_none();
                let slot = settings::keys::settings(arrival.at(moved.environment));
                self.fill(&slot, &moved.into_settings(), replaces, || Ok(Commit::new())).await
            }
            Line::ImportSettings(moved) => self.take_in_import_settings(arrival, moved).await,
            Line::Selection(moved) => self.take_in_selection(arrival, moved).await,
            Line::MatchRules(moved) => self.take_in_match_rules(arrival, moved).await,
            Line::SeatLogging(moved) => self.take_in_logging(arrival, moved).await,
            _ => Ok(false),
        }
    }

    /// A seat claims its addresses, and gets what its CRM user's open opportunities call for.
    async fn take_in_seat(&self, arrival: &Arrival, moved: MovedSeat) -> Result<bool, MovingError> {
        let seat = moved.into_seat(arrival.tenant);
        let saving = || {
            let mut commit = Commit::new();
            for address in seat.addresses() {
                let claim = seats::keys::email_claim(arrival.tenant, &address);
                commit.put(&claim, &seats::EmailClaim { seat: seat.id })?;
            }
            for connection in &arrival.live {
                let scope = connection.scope();
                commit.now(AutoSaveMessage::Seat { scope, seat: seat.id });
            }
            Ok(commit)
        };
        let slot = seats::keys::seat(arrival.tenant, seat.id);
        self.fill(&slot, &seat, arrival.live.is_empty(), saving).await
    }

    /// Rules of matching. What a connected home has decided already is decided anew by them.
    async fn take_in_match_rules(
        &self,
        arrival: &Arrival,
        MovedMatchRules { environment, kept }: MovedMatchRules,
    ) -> Result<bool, MovingError> {
        let connection = arrival.connection(environment);
        let again = || {
            let mut commit = Commit::new();
            if let Some(scope) = connection.map(Connection::scope) {
                let run = MatchRunId::derived(&format!("rules that moved|{scope}"));
                let trigger = MatchTrigger::Settings;
                commit.now(MatchMessage::Rematch { scope, run, trigger, step: 0 });
            }
            Ok(commit)
        };
        let slot = linking::keys::match_rules(arrival.at(environment));
        self.fill(&slot, &kept, connection.is_none(), again).await
    }

    async fn take_in_logging(
        &self,
        arrival: &Arrival,
        moved: MovedSeatLogging,
    ) -> Result<bool, MovingError> {
        let MovedSeatLogging { environment, seat, switch, choices } = moved;
        let (at, replaces) = (arrival.at(environment), arrival.connection(environment).is_none());
        let slot = settings::keys::seat_choices(at, seat);
        let mut is_taken = self.fill(&slot, &choices, replaces, || Ok(Commit::new())).await?;
        if let Some(switch) = switch {
            let slot = settings::keys::seat_switch(at, seat);
            is_taken |= self.fill(&slot, &switch, replaces, || Ok(Commit::new())).await?;
        }
        Ok(is_taken)
    }

    async fn take_in_import_settings(
        &self,
        arrival: &Arrival,
        moved: MovedImportSettings,
    ) -> Result<bool, MovingError> {
        let at = arrival.at(moved.environment);
        let slot = importing::keys::import_settings(at);
        let settings = moved.into_settings();
        if arrival.connection(at.environment).is_none() {
            return self.fill(&slot, &settings, true, || Ok(Commit::new())).await;
        }
        if self.store.load(&slot).await?.is_some() {
            return Ok(false);
        }
        // The next slot of the schedule is planned by them.
        self.import.change_settings(at, &settings, &Actor::Service).await.map_err(failed)?;
        Ok(true)
    }

    async fn take_in_selection(
        &self,
        arrival: &Arrival,
        moved: MovedSelection,
    ) -> Result<bool, MovingError> {
        let at = arrival.at(moved.environment);
        let is_connected = arrival.connection(at.environment).is_some();
        let slot = importing::keys::selection(at);
        let is_taken =
            self.fill(&slot, &moved.into_selection(), !is_connected, || Ok(Commit::new())).await?;
        if is_taken && is_connected {
            match self.import.request_run(at, false).await {
                // If the connection does not work, the first run after it works again reads by it.
                Ok(_) | Err(ControlError::Conflict(_)) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(is_taken)
    }

    /// Writes a document where there is none, or in another's place, with the steps that follow.
    /// False if there was nothing to do.
    async fn fill<T: Serialize + DeserializeOwned + PartialEq>(
        &self,
        slot: &Slot<T>,
        document: &T,
        replaces: bool,
        follows: impl Fn() -> Result<Commit, PortError>,
    ) -> Result<bool, MovingError> {
        attempts(|| async {
            let before = self.store.load(slot).await?;
            if before.as_ref().is_some_and(|before| !replaces || **before == *document) {
                return Ok(Attempt::Done(false));
            }
            let mut commit = follows()?;
            commit.save(slot, before.as_ref(), document)?;
            Ok(Attempt::of(&self.store.commit(commit).await?, true))
        })
        .await
    }

    /// The generation that an org's content is attached to.
    async fn generation(
        &self,
        arrival: &Arrival,
        moved: &MovedConnection,
    ) -> Result<OpenGeneration, MovingError> {
        let (environment, org) = (moved.environment, moved.org_id);
        let not_connected = || MovingError::NotConnected { environment, org };
        let connection = arrival.connection(environment).ok_or_else(not_connected)?;
        if connection.org_id != org {
            return Err(MovingError::OtherOrg { environment, org, found: connection.org_id });
        }
        self.custody.open(connection.scope()).await?.ok_or_else(not_connected)
    }

    /// Takes in lines of one org: those that depend on their order one after the other, behind the
    /// rest.
    async fn take_in_org(
        &self,
        generation: &OpenGeneration,
        lines: Vec<Line>,
        done: &mut ImportedLines,
    ) -> Result<(), MovingError> {
        // An entry whose list is not here is nobody's, and each counts in its list.
        let is_behind = |line: &Line| {
            matches!(line, Line::ListEntry(_) | Line::Model(_) | Line::ModelChoice(_))
        };
        let is_ordered = |line: &Line| line.place().is_some() || is_behind(line);
        let (ordered, free): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(is_ordered);
        let mut taken = stream::iter(free)
            .map(|line| self.take_in_of_org(generation, line))
            .buffer_unordered(CONCURRENT_LINES);
        while let Some((kind, is_taken)) = taken.try_next().await? {
            done.count(kind, is_taken);
        }
        for line in ordered {
            let (kind, is_taken) = self.take_in_of_org(generation, line).await?;
            done.count(kind, is_taken);
        }
        Ok(())
    }

    /// Takes in a line of an org. Gives its kind, and false if there was nothing to do.
    async fn take_in_of_org(
        &self,
        generation: &OpenGeneration,
        line: Line,
    ) -> Result<(&'static str, bool), MovingError> {
        let kind = line.kind();
        let is_taken = match line {
            Line::Correction(moved) => {
                self.corrections.take_over(generation, moved.into_correction()).await?
            }
            Line::Saved(moved) => {
                self.saved_lists.take_over(generation, moved.into_saved()).await?
            }
            Line::Conversation(moved) => {
                let said = moved.into_conversation();
                self.activities.take_over_conversation(generation, &said).await?
            }
            Line::List(moved) => self.lists.take_over(generation, moved.list).await?,
            Line::ListEntry(moved) => self.lists.take_over_entry(generation, moved.entry).await?,
            Line::Change(moved) => {
                self.changes.take_over(generation, &moved.change, &moved.values).await?
            }
            Line::Bulk(moved) => self.changes.take_over_bulk(generation, &moved.bulk).await?,
            Line::Activity(moved) => {
                let (activity, text) = moved.into_activity();
                self.activities.take_over(generation, &activity, &text).await?
            }
            Line::Model(moved) => {
                let (model, content) = moved.into_model();
                self.models.take_over(generation, &model, &content).await?
            }
            Line::ModelChoice(moved) => {
                self.models.take_over_choice(generation, moved.model).await?
            }
            _ => false,
        };
        Ok((kind, is_taken))
    }
}

/// The lines of a batch behind its first, with their numbers.
fn parsed(lines: &[String]) -> Result<Vec<(usize, Line)>, MovingError> {
    let at = |number| move |source| MovingError::Line { number, source };
    let first = lines.first().map_or("", String::as_str);
    Header::parse(first).map_err(at(1))?;
    let behind = lines.iter().enumerate().skip(1);
    behind.map(|(n, text)| Ok((n + 1, Line::parse(text).map_err(at(n + 1))?))).collect()
}

/// Imports of a home that is being moved to are changed by nobody else.
fn failed(error: ControlError) -> MovingError {
    match error {
        ControlError::Work(error) => error.into(),
        other => WorkError::reject("take settings of imports in", other).into(),
    }
}
