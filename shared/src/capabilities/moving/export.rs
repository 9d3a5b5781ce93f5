//! Exporting a tenant that was handed over, page by page.

use serde::de::DeserializeOwned;

use super::{
    Header, Line, MovedActivity, MovedBulk, MovedChange, MovedChoice, MovedConnection,
    MovedConversation, MovedCorrection, MovedImportSettings, MovedList, MovedListEntry,
    MovedMatchRules, MovedModel, MovedSaved, MovedSeat, MovedSeatLogging, MovedSelection,
    MovedSettings, MovedTenant, MovedVote, Moving, MovingError,
};
use crate::capabilities::activities::{Activity, Conversation};
use crate::capabilities::audit::{Action, Deed};
use crate::capabilities::changing::{Bulk, Change};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::{Correction, MATCHED_OBJECTS, TunedModel};
use crate::capabilities::lists::{List, ListEntry};
use crate::capabilities::saving::Saved;
use crate::capabilities::{importing, linking, seats, settings};
use crate::kernel::{Connection, Environment, SObject, TenantEnvironment, TenantId};
use crate::ports::PortError;
use crate::store::{Series, Stored};
use crate::work::{WorkError, boxed};

/// A page ends once it has this many bytes: an answer of a function holds 6 MB, in which quotes
/// count twice.
const PAGE_BYTES: usize = 1 << 20;

/// Documents that are read at once.
const READ: usize = 100;

/// A page of an export.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ExportPage {
    /// Its lines, each one JSON object.
    pub lines: Vec<String>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

impl std::fmt::Debug for ExportPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ExportPage({} lines)", self.lines.len())
    }
}

/// A page in the making.
#[derive(Default)]
struct Draft {
    lines: Vec<String>,
    bytes: usize,
}

impl Draft {
    fn add(&mut self, line: &Line) -> Result<(), WorkError> {
        let text = line.to_json().map_err(|error| WorkError::reject("write a line", error))?;
        self.bytes += text.len();
        self.lines.push(text);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.bytes >= PAGE_BYTES
    }
}

/// A part of what an org's connection holds, in one partition or a prefix of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Models,
    Corrections(SObject, u32),
    Saved(u32),
    Conversations(u32),
    Lists(u32),
    ListEntries(u32),
    Changes(u32),
    Bulks(u32),
    Activities(u32),
}

impl Part {
    /// The parts of a connection with so many buckets, in the order of the file.
    fn all(buckets: u32) -> Vec<Self> {
        let corrections = MATCHED_OBJECTS
            .into_iter()
            .flat_map(|object| (0..buckets).map(move |bucket| Self::Corrections(object, bucket)));
        [Self::Models]
            .into_iter()
            .chain(corrections)
            .chain((0..buckets).map(Self::Saved))
            .chain((0..buckets).map(Self::Conversations))
            .chain((0..buckets).map(Self::Lists))
            .chain((0..buckets).map(Self::ListEntries))
            .chain((0..buckets).map(Self::Changes))
            .chain((0..buckets).map(Self::Bulks))
            .chain((0..buckets).map(Self::Activities))
            .collect()
    }
}

/// Where a page begins: a connection, one of its parts, and the document to go on after.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    environment: Environment,
    part: usize,
    after: Option<String>,
}

impl Cursor {
    fn begin(environment: Environment) -> Self {
        Self { environment, part: 0, after: None }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(3, '.');
        let environment = words.next()?.parse().ok()?;
        let part = words.next()?.parse().ok()?;
        let after = words.next()?;
        Some(Self { environment, part, after: (!after.is_empty()).then(|| after.to_owned()) })
    }

    fn to_text(&self) -> String {
        let after = self.after.as_deref().unwrap_or_default();
        format!("{}.{}.{after}", self.environment, self.part)
    }
}

impl Moving {
    /// A page of the export of a tenant that was handed over: first what belongs to the tenant,
    /// then what belongs to its orgs, one after the other.
    #[must_use]
    #[boxed]
    pub async fn export(
        &self,
        tenant: TenantId,
        cursor: Option<&str>,
    ) -> Result<ExportPage, MovingError> {
        self.require(tenant).await?;
        let live = self.live(tenant).await?;
        if live.iter().any(|connection| connection.handed_over_at.is_none()) {
            return Err(MovingError::NotHandedOver);
        }
        let mut page = Draft::default();
        let next = match cursor {
            None => {
                self.tell(tenant, &Deed::new(Action::Exported)).await?;
                self.add_tenant(tenant, &mut page).await?;
                live.first().map(|first| Cursor::begin(first.at.environment))
            }
            Some(text) => {
                let cursor = Cursor::parse(text).ok_or(MovingError::Cursor)?;
                let of = |connection: &&Connection| connection.at.environment == cursor.environment;
                let connection = live.iter().find(of).ok_or(MovingError::Cursor)?;
                let rest = self.add_org(connection, cursor.clone(), &mut page).await?;
                let behind = live.iter().skip_while(|other| !of(other)).nth(1);
                rest.or_else(|| behind.map(|next| Cursor::begin(next.at.environment)))
            }
        };
        Ok(ExportPage { lines: page.lines, next: next.map(|next| next.to_text()) })
    }

    /// Adds what belongs to the tenant itself. A contract has hundreds of seats: one page holds it.
    async fn add_tenant(&self, tenant: TenantId, page: &mut Draft) -> Result<(), MovingError> {
        let header = Header::new(tenant, self.ports.clock.now());
        page.add(&Line::TenantExport(header))?;
        let contract = self.store.read(&seats::keys::tenant(tenant)).await?;
        let contract = contract.ok_or(MovingError::NotFound)?;
        page.add(&Line::Tenant(MovedTenant::of(contract)))?;
        for seat in self.store.all(&seats::keys::seats(tenant)).await? {
            page.add(&Line::Seat(MovedSeat::of(seat.into_inner())))?;
        }
        for vote in self.store.all(&seats::keys::crm_votes(tenant)).await? {
            page.add(&Line::CrmVote(MovedVote::of(vote.into_inner())))?;
        }
        for environment in Environment::ALL {
            let at = TenantEnvironment { tenant, environment };
            if let Some(found) = self.store.read(&settings::keys::settings(at)).await? {
                page.add(&Line::Settings(MovedSettings::of(environment, found)))?;
            }
            if let Some(found) = self.store.read(&importing::keys::import_settings(at)).await? {
                page.add(&Line::ImportSettings(MovedImportSettings::of(environment, &found)))?;
            }
            if let Some(found) = self.store.read(&importing::keys::selection(at)).await? {
                page.add(&Line::Selection(MovedSelection::of(environment, found)))?;
            }
            if let Some(kept) = self.store.read(&linking::keys::match_rules(at)).await? {
                page.add(&Line::MatchRules(MovedMatchRules { environment, kept }))?;
            }
            self.add_logging(at, page).await?;
        }
        Ok(())
    }

    /// Adds what is logged of each seat of which anything was said.
    async fn add_logging(
        &self,
        at: TenantEnvironment,
        page: &mut Draft,
    ) -> Result<(), MovingError> {
        for seat in self.store.all(&seats::keys::seats(at.tenant)).await? {
            let slots = (
                &settings::keys::seat_switch(at, seat.id),
                &settings::keys::seat_choices(at, seat.id),
            );
            let (switch, choices) = self.store.load_both(slots).await?;
            if switch.is_some() || choices.is_some() {
                page.add(&Line::SeatLogging(MovedSeatLogging {
                    environment: at.environment,
                    seat: seat.id,
                    switch: switch.map(Stored::into_inner),
                    choices: choices.map(Stored::into_inner).unwrap_or_default(),
                }))?;
            }
        }
        Ok(())
    }

    /// Adds what a connection holds from a cursor on. Gives the cursor to go on at.
    async fn add_org(
        &self,
        connection: &Connection,
        mut cursor: Cursor,
        page: &mut Draft,
    ) -> Result<Option<Cursor>, MovingError> {
        let Some(generation) = self.custody.open_past_the_fence(connection).await? else {
            return Err(MovingError::NotFound);
        };
        let parts = Part::all(generation.keys.buckets());
        while let Some(part) = parts.get(cursor.part) {
            if cursor == Cursor::begin(cursor.environment) {
                page.add(&Line::Connection(MovedConnection {
                    environment: connection.at.environment,
                    org_id: connection.org_id,
                    org_name: connection.org_name.clone(),
                }))?;
            }
            let after = cursor.after.as_deref();
            cursor.after = self.add_part(&generation, *part, after, page).await?;
            if cursor.after.is_none() {
                cursor.part += 1;
            }
            if page.is_full() {
                return Ok((cursor.part < parts.len()).then_some(cursor));
            }
        }
        Ok(None)
    }

    /// Adds the documents of a part. Gives the name of the last one when the page is full.
    async fn add_part(
        &self,
        generation: &OpenGeneration,
        part: Part,
        after: Option<&str>,
        page: &mut Draft,
    ) -> Result<Option<String>, MovingError> {
        let keys = generation.keys;
        match part {
            Part::Models => {
                self.add_models(generation, page).await?;
                Ok(None)
            }
            Part::Corrections(object, bucket) => {
                let line = |correction: Stored<Correction>| {
                    Ok(Line::Correction(MovedCorrection::of(correction.into_inner())))
                };
                self.add_series(generation, keys.corrections(object, bucket), after, page, line)
                    .await
            }
            Part::Saved(bucket) => {
                let line =
                    |saved: Stored<Saved>| Ok(Line::Saved(MovedSaved::of(saved.into_inner())));
                self.add_series(generation, keys.all_saved(bucket), after, page, line).await
            }
            Part::Conversations(bucket) => {
                let line = |said: Stored<Conversation>| {
                    Ok(Line::Conversation(MovedConversation::of(said.into_inner())))
                };
                self.add_series(generation, keys.conversations(bucket), after, page, line).await
            }
            Part::Lists(bucket) => {
                let line =
                    |list: Stored<List>| Ok(Line::List(MovedList { list: list.into_inner() }));
                self.add_series(generation, keys.lists(bucket), after, page, line).await
            }
            Part::ListEntries(bucket) => {
                let line = |entry: Stored<ListEntry>| {
                    Ok(Line::ListEntry(MovedListEntry { entry: entry.into_inner() }))
                };
                self.add_series(generation, keys.all_list_entries(bucket), after, page, line).await
            }
            Part::Changes(bucket) => {
                let line = |change: Stored<Change>| {
                    let values =
                        generation.unsealed(&change.slot(), change.body().unwrap_or_default())?;
                    Ok(Line::Change(Box::new(MovedChange { change: change.into_inner(), values })))
                };
                self.add_series(generation, keys.all_changes(bucket), after, page, line).await
            }
            Part::Bulks(bucket) => {
                let line =
                    |bulk: Stored<Bulk>| Ok(Line::Bulk(MovedBulk { bulk: bulk.into_inner() }));
                self.add_series(generation, keys.bulks(bucket), after, page, line).await
            }
            Part::Activities(bucket) => {
                let line = |activity: Stored<Activity>| {
                    let text = generation
                        .unsealed(&activity.slot(), activity.body().unwrap_or_default())?;
                    let moved = MovedActivity::of(activity.into_inner(), text);
                    Ok(Line::Activity(Box::new(moved)))
                };
                self.add_series(generation, keys.activities(bucket), after, page, line).await
            }
        }
    }

    /// Adds a line for each document of a series, until the page is full.
    async fn add_series<T: DeserializeOwned>(
        &self,
        generation: &OpenGeneration,
        series: Series<T>,
        after: Option<&str>,
        page: &mut Draft,
        line: impl Fn(Stored<T>) -> Result<Line, PortError>,
    ) -> Result<Option<String>, MovingError> {
        let mut after = after.map(|name| series.place(name));
        loop {
            let read = generation.store.page(&series, after.as_deref(), READ).await?;
            for document in read.documents {
                let name = series.name(&document).to_owned();
                page.add(&line(document)?)?;
                if page.is_full() {
                    return Ok(Some(name));
                }
            }
            after = read.next;
            if after.is_none() {
                return Ok(None);
            }
        }
    }

    /// Adds the models that are ready, and the choice of one. There are a handful.
    async fn add_models(
        &self,
        generation: &OpenGeneration,
        page: &mut Draft,
    ) -> Result<(), MovingError> {
        for model in self.store.all(&generation.keys.models()).await? {
            let model: TunedModel = model.into_inner();
            let Some(content) = self.models.content(generation, model.id).await? else { continue };
            if let Some(moved) = MovedModel::of(model, content) {
                page.add(&Line::Model(moved))?;
            }
        }
        let choice = self.store.read(&generation.keys.model_choice()).await?;
        if let Some(model) = choice.and_then(|choice| choice.model) {
            page.add(&Line::ModelChoice(MovedChoice { model }))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_whatever_the_documents_name_is() {
        for after in [None, Some("Lead#00Q.x"), Some("seat#leads#a.b#ü")] {
            let after = after.map(str::to_owned);
            let cursor = Cursor { environment: Environment::Sandbox, part: 7, after };
            assert_eq!(Cursor::parse(&cursor.to_text()), Some(cursor));
        }
        for wrong in ["", "production", "production.1", "elsewhere.1.", "production.x."] {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_choice_comes_behind_its_model_and_every_bucket_once() {
        let parts = Part::all(16);
        assert_eq!(parts[0], Part::Models);
        assert_eq!(parts.len(), 1 + 3 * 16 + 7 * 16);
        for (n, part) in parts.iter().enumerate() {
            assert!(!parts[..n].contains(part), "{part:?}");
        }
    }
}
