//! The rows of an ingest job, written one by one.

use serde_json::{Map, Value as Json};

use super::ingest::IngestJob;
use crate::dml::{self, Writer};
use crate::error::ApiError;
use crate::ids::RecordId;
use crate::org::OrgData;
use crate::sync::{lock, read, write};

impl IngestJob {
    /// Writes the rows of an upload; fails when it is no CSV of the object.
    pub(super) fn write_rows(&self, upload: &[u8]) -> Result<(), String> {
        let delimiter = u8::try_from(self.delimiter.1).unwrap_or(b',');
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(upload);
        let header: Vec<String> = reader
            .headers()
            .map_err(|error| error.to_string())?
            .iter()
            .map(str::to_owned)
            .collect();
        {
            let data = read(&self.org.data);
            let table = data.table(&self.object).ok_or("the object is gone")?;
            let unknown = header
                .iter()
                .find(|name| self.access.position(&data, &table.schema, name).is_none());
            if let Some(name) = unknown {
                return Err(format!("Field name not found : {name}"));
            }
        }
        lock(&self.progress).header.clone_from(&header);
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            let mut fields = Map::new();
            for (name, cell) in header.iter().zip(&record) {
                match cell {
                    "" => {}
                    "#N/A" => drop(fields.insert(name.clone(), Json::Null)),
                    text => drop(fields.insert(name.clone(), text.into())),
                }
            }
            let written = self.write_row(&mut write(&self.org.data), fields);
            let mut progress = lock(&self.progress);
            match written {
                Ok((id, created)) => progress.done.push((id, created, record)),
                Err((id, error)) => {
                    let fields = error.fields.unwrap_or_default().join(", ");
                    let text = format!("{}:{}:{fields} --", error.code, error.message);
                    progress.failed.push((id, text, record));
                }
            }
        }
        Ok(())
    }

    fn write_row(
        &self,
        data: &mut OrgData,
        mut fields: Map<String, Json>,
    ) -> Result<(RecordId, bool), (String, ApiError)> {
        let writer = Writer {
            access: &self.access,
            client_id: &self.client_id,
            now: self.org.clock.now(),
            allow_duplicates: false,
            system: false,
        };
        let key = fields.keys().find(|name| name.eq_ignore_ascii_case("Id")).cloned();
        let given = key.and_then(|key| fields.remove(&key));
        let given = given.as_ref().and_then(Json::as_str).map(str::to_owned);
        let shown = given.clone().unwrap_or_default();
        let fail = |error: ApiError| (shown.clone(), error);
        let id = || {
            let missing =
                ApiError::fields("MISSING_ARGUMENT", "Id not specified in an update call", &[]);
            let text = given.as_deref().ok_or(missing)?;
            RecordId::parse(text)
                .ok_or_else(|| ApiError::fields("MALFORMED_ID", format!("bad id {text}"), &["Id"]))
        };
        match (self.operation.as_str(), &self.external_id) {
            ("insert", _) => {
                dml::create(data, &writer, &self.object, &fields).map(|id| (id, true)).map_err(fail)
            }
            ("update", _) => {
                let id = id().map_err(fail)?;
                dml::update(data, &writer, &self.object, id, &fields)
                    .map(|()| (id, false))
                    .map_err(fail)
            }
            ("upsert", Some(field)) => {
                let value = if field.eq_ignore_ascii_case("Id") {
                    given.clone().unwrap_or_default()
                } else {
                    fields.get(field).and_then(Json::as_str).unwrap_or_default().to_owned()
                };
                match dml::find_by(data, &self.object, field, &value).first().copied() {
                    Some(id) => {
                        fields.retain(|name, _| !name.eq_ignore_ascii_case(field));
                        dml::update(data, &writer, &self.object, id, &fields)
                            .map(|()| (id, false))
                            .map_err(fail)
                    }
                    None => dml::create(data, &writer, &self.object, &fields)
                        .map(|id| (id, true))
                        .map_err(fail),
                }
            }
            (operation, _) => {
                let id = id().map_err(fail)?;
                dml::delete(data, &writer, &self.object, id).map_err(fail)?;
                if operation == "hardDelete" {
                    dml::hard_delete(data, &writer, id);
                }
                Ok((id, false))
            }
        }
    }
}
