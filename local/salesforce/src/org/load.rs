//! Loads an org from a folder of CSV files, or from JSON.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::load_error::{LoadError, problem};
use super::{Org, OrgData, OrgSettings, Profile, Usage};
use crate::clock::Clock;
use crate::dml::derive::{Presence, complete};
use crate::ids::RecordId;
use crate::schema::{parse_field, standard};
use crate::storage::{Draft, Value};

/// Objects that others' defaults lean on come first.
const FIRST: [&str; 5] = ["Profile", "UserRole", "User", "OpportunityStage", "RecordType"];

/// Salesforce's own stages: label, probability, closed, won, forecast category.
const STAGES: [(&str, f64, bool, bool, &str); 10] = [
    ("Prospecting", 10.0, false, false, "Pipeline"),
    ("Qualification", 10.0, false, false, "Pipeline"),
    ("Needs Analysis", 20.0, false, false, "Pipeline"),
    ("Value Proposition", 50.0, false, false, "Pipeline"),
    ("Id. Decision Makers", 60.0, false, false, "Pipeline"),
    ("Perception Analysis", 70.0, false, false, "Pipeline"),
    ("Proposal/Price Quote", 75.0, false, false, "Pipeline"),
    ("Negotiation/Review", 90.0, false, false, "Pipeline"),
    ("Closed Won", 100.0, true, true, "Closed"),
    ("Closed Lost", 0.0, true, false, "Omitted"),
];

/// The source of an org: the `org.json` of a folder, or the body of `POST /orgs`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OrgSource {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) my_domain: Option<String>,
    pub(crate) edition: Option<String>,
    pub(crate) is_sandbox: bool,
    pub(crate) settings: Option<OrgSettings>,
    /// Lines such as `Contact.Tier__c picklist(A|B)`.
    pub(crate) custom_fields: Vec<String>,
    pub(crate) profiles: Vec<Profile>,
    /// A folder of CSV files.
    pub(crate) folder: Option<PathBuf>,
    /// Records by object, beside those of the folder.
    pub(crate) records: BTreeMap<String, Vec<Map<String, Json>>>,
}

impl OrgSource {
    /// Reads `org.json` of a folder, if there is one.
    pub(crate) fn folder(folder: &Path) -> Result<Self, LoadError> {
        let path = folder.join("org.json");
        if !folder.is_dir() {
            return Err(LoadError::Invalid(format!("{} is not a folder", folder.display())));
        }
        let mut source = if path.exists() {
            let text = std::fs::read_to_string(&path).map_err(|e| io(&path, e))?;
            serde_json::from_str(&text)
                .map_err(|source| LoadError::Json { path: path.display().to_string(), source })?
        } else {
            Self::default()
        };
        source.folder = Some(folder.to_owned());
        Ok(source)
    }

    /// Builds the org. `number` makes ids of orgs that name none differ.
    pub(crate) fn load(self, clock: Arc<Clock>, number: u64) -> Result<Org, LoadError> {
        let label = self.my_domain.clone().unwrap_or_else(|| "acme".to_owned()).to_lowercase();
        if !label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') || label.is_empty() {
            return Err(LoadError::Invalid(format!(
                "my_domain `{label}` is not a My Domain label: letters, digits and hyphens"
            )));
        }
        let id = match &self.id {
            Some(id) => RecordId::parse(id)
                .filter(|id| id.prefix() == "00D")
                .ok_or_else(|| LoadError::Invalid(format!("org id `{id}` is not an id of 00D")))?,
            None => RecordId::numbered("00D", number),
        };
        let mut settings = self.settings.clone().unwrap_or_default();
        if let Some(edition) = &self.edition {
            settings.edition.clone_from(edition);
        }
        let name = self.name.clone().unwrap_or_else(|| label.clone());
        let now = clock.stamp();
        let mut loader = Loader { data: OrgData::empty(&name, settings), now };
        loader.data.described_at = now;
        for profile in [Profile::default()].into_iter().chain(self.profiles.clone()) {
            loader.data.profiles.insert(profile.name.clone(), Arc::new(profile));
        }
        for line in &self.custom_fields {
            loader.custom_field(line)?;
        }
        loader.objects(&self)?;
        loader.ensure_user(&label);
        loader.organization(id, &name, self.is_sandbox);
        let is_sandbox = self.is_sandbox;
        let data = RwLock::new(loader.data);
        Ok(Org { id, label, is_sandbox, clock, data, usage: Usage::default() })
    }
}

fn io(path: &Path, source: std::io::Error) -> LoadError {
    LoadError::Io { path: path.display().to_string(), source }
}

struct Loader {
    data: OrgData,
    now: i64,
}

impl Loader {
    fn custom_field(&mut self, line: &str) -> Result<(), LoadError> {
        let (object, field) = line.split_once('.').ok_or_else(|| {
            LoadError::Invalid(format!("custom field `{line}` is not `Object.Name__c type`"))
        })?;
        let field = parse_field(field)?;
        if self.data.extend(object, field) {
            Ok(())
        } else {
            Err(LoadError::Invalid(format!("custom field `{line}`: no such object")))
        }
    }

    fn objects(&mut self, source: &OrgSource) -> Result<(), LoadError> {
        let rest = standard().iter().map(|o| o.name.as_str()).filter(|n| !FIRST.contains(n));
        let order: Vec<&str> = FIRST.into_iter().chain(rest).collect();
        for object in order {
            if let Some(folder) = &source.folder {
                for name in [format!("{object}.csv"), format!("{object}.csv.gz")] {
                    let path = folder.join(name);
                    if path.exists() {
                        self.file(object, &path)?;
                    }
                }
            }
            for (n, record) in source.records.get(object).into_iter().flatten().enumerate() {
                self.record(object, n, record)?;
            }
            match object {
                "OpportunityStage" => self.default_stages(),
                "Profile" => self.ensure_profiles_have_rows(),
                _ => {}
            }
        }
        let unknown = source.records.keys().find(|name| self.data.position(name).is_none());
        match unknown {
            Some(name) => Err(LoadError::Invalid(format!("records: no object `{name}`"))),
            None => Ok(()),
        }
    }

    fn file(&mut self, object: &str, path: &Path) -> Result<(), LoadError> {
        let place = path.display().to_string();
        let file = BufReader::with_capacity(1 << 16, File::open(path).map_err(|e| io(path, e))?);
        let input: Box<dyn Read> = if path.extension().is_some_and(|e| e == "gz") {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let bad = |source| LoadError::Csv { path: place.clone(), source };
        let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 16).from_reader(input);
        let mut header: Vec<String> =
            reader.headers().map_err(bad)?.iter().map(str::to_owned).collect();
        if let Some(first) = header.first_mut() {
            *first = first.trim_start_matches('\u{feff}').to_owned();
        }
        let columns = self.columns(object, &header, &place)?;
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(bad)? {
            let line = record.position().map_or(0, csv::Position::line);
            let at = || format!("{place} line {line}");
            self.row(object, &columns, |n| record.get(n).unwrap_or_default(), &at)?;
        }
        Ok(())
    }

    fn record(
        &mut self,
        object: &str,
        n: usize,
        record: &Map<String, Json>,
    ) -> Result<(), LoadError> {
        let place = format!("records.{object}[{n}]");
        let header: Vec<String> = record.keys().cloned().collect();
        let columns = self.columns(object, &header, &place)?;
        let cells: Vec<String> = record
            .values()
            .map(|value| match value {
                Json::Null => String::new(),
                Json::String(text) => text.clone(),
                other => other.to_string(),
            })
            .collect();
        self.row(object, &columns, |n| cells.get(n).map_or("", String::as_str), &|| place.clone())
    }

    /// The field positions of a header; custom fields that are new are added as text.
    fn columns(
        &mut self,
        object: &str,
        header: &[String],
        place: &str,
    ) -> Result<Vec<usize>, LoadError> {
        let mut columns = Vec::with_capacity(header.len());
        for column in header {
            if self.position(object, column).is_none() {
                if !column.to_ascii_lowercase().ends_with("__c") {
                    return Err(LoadError::UnknownColumn {
                        place: place.to_owned(),
                        object: object.to_owned(),
                        column: column.clone(),
                    });
                }
                self.data.extend(object, parse_field(&format!("{column} string(32000)"))?);
            }
            columns.extend(self.position(object, column));
        }
        Ok(columns)
    }

    fn position(&self, object: &str, column: &str) -> Option<usize> {
        self.data.table(object).and_then(|table| table.schema.position(column))
    }

    fn row<'c>(
        &mut self,
        object: &str,
        columns: &[usize],
        cell: impl Fn(usize) -> &'c str,
        place: &dyn Fn() -> String,
    ) -> Result<(), LoadError> {
        let Some(position) = self.data.position(object) else {
            return Err(LoadError::Invalid(format!("{}: no object `{object}`", place())));
        };
        let schema = Arc::clone(&self.data.tables[position].schema);
        let mut draft = Draft::new(&schema);
        let mut id = None;
        for (n, at) in columns.iter().enumerate() {
            let field = &schema.fields[*at];
            let value = field.parse_text(cell(n)).map_err(|error| LoadError::BadValue {
                place: place(),
                object: object.to_owned(),
                field: field.name.clone(),
                problem: problem(field, &error),
            })?;
            if *at == 0 {
                id = value.as_id();
            } else {
                draft.set(*at, value);
            }
        }
        let id = id.unwrap_or_else(|| self.data.tables[position].next_id());
        complete(&self.data, &schema, &mut draft, self.now, Presence::Columns(columns));
        if self.data.tables[position].put(id, draft.encode()).is_some() {
            return Err(LoadError::Invalid(format!("{}: id {id} occurs twice", place())));
        }
        Ok(())
    }

    fn default_stages(&mut self) {
        if self.data.table("OpportunityStage").is_some_and(|table| table.len() > 0) {
            return;
        }
        let now = self.now;
        let Some(table) = self.data.table_mut("OpportunityStage") else { return };
        let schema = Arc::clone(&table.schema);
        for (order, (label, probability, closed, won, category)) in (1..).zip(STAGES) {
            let mut draft = Draft::new(&schema);
            let mut set = |field: &str, value| draft.set(schema.at(field), value);
            set("MasterLabel", Value::text(label));
            set("ApiName", Value::text(label));
            set("IsActive", Value::Bool(true));
            set("SortOrder", Value::Int(order));
            set("IsClosed", Value::Bool(closed));
            set("IsWon", Value::Bool(won));
            set("ForecastCategory", Value::text(category));
            set("ForecastCategoryName", Value::text(category));
            set("DefaultProbability", Value::Double(probability));
            for stamp in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
                set(stamp, Value::Time(now));
            }
            let id = table.next_id();
            table.put(id, draft.encode());
        }
    }

    /// A `Profile.csv` names profiles; those not described elsewhere allow everything. Those
    /// described elsewhere get rows.
    fn ensure_profiles_have_rows(&mut self) {
        let names: Vec<String> = match self.data.table("Profile") {
            Some(table) => table.iter().map(|(id, _)| self.data.text(id, "Name")).collect(),
            None => return,
        };
        for name in names {
            self.data
                .profiles
                .entry(name.clone())
                .or_insert_with(|| Arc::new(Profile { name, ..Profile::default() }));
        }
        let all: Vec<Arc<Profile>> = self.data.profiles.values().cloned().collect();
        for profile in all {
            self.data.put_profile((*profile).clone(), self.now);
        }
    }

    /// An org without users could not be logged in to: it gets an administrator.
    fn ensure_user(&mut self, label: &str) {
        if self.data.table("User").is_some_and(|table| table.len() > 0) {
            return;
        }
        let now = self.now;
        let Some(position) = self.data.position("User") else { return };
        let schema = Arc::clone(&self.data.tables[position].schema);
        let mut draft = Draft::new(&schema);
        for (field, value) in [
            ("Username", format!("admin@{label}.example")),
            ("Email", format!("admin@{label}.example")),
            ("FirstName", "Ada".to_owned()),
            ("LastName", "Admin".to_owned()),
        ] {
            draft.set(schema.at(field), Value::text(value));
        }
        complete(&self.data, &schema, &mut draft, now, Presence::Columns(&[]));
        let id = self.data.tables[position].next_id();
        self.data.tables[position].put(id, draft.encode());
    }

    fn organization(&mut self, id: RecordId, name: &str, is_sandbox: bool) {
        let edition = self.data.settings.edition.clone();
        let now = self.now;
        let Some(table) = self.data.table_mut("Organization") else { return };
        let schema = Arc::clone(&table.schema);
        let mut draft = Draft::new(&schema);
        let mut set = |field: &str, value| draft.set(schema.at(field), value);
        set("Name", Value::text(name));
        set("OrganizationType", Value::text(edition));
        set("InstanceName", Value::text("SIM1"));
        set("IsSandbox", Value::Bool(is_sandbox));
        set("DefaultLocaleSidKey", Value::text("en_US"));
        set("LanguageLocaleKey", Value::text("en_US"));
        set("TimeZoneSidKey", Value::text("America/Los_Angeles"));
        set("FiscalYearStartMonth", Value::Int(1));
        for stamp in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
            set(stamp, Value::Time(now));
        }
        table.put(id, draft.encode());
        let Some(table) = self.data.table_mut("CurrencyType") else { return };
        if table.len() > 0 {
            return;
        }
        let schema = Arc::clone(&table.schema);
        for (code, rate) in [("USD", 1.0), ("EUR", 0.9)] {
            let mut draft = Draft::new(&schema);
            draft.set(schema.at("IsoCode"), Value::text(code));
            draft.set(schema.at("ConversionRate"), Value::Double(rate));
            draft.set(schema.at("DecimalPlaces"), Value::Int(2));
            draft.set(schema.at("IsActive"), Value::Bool(true));
            draft.set(schema.at("IsCorporate"), Value::Bool(code == "USD"));
            draft.set(schema.at("SystemModstamp"), Value::Time(now));
            let id = table.next_id();
            table.put(id, draft.encode());
        }
    }
}
