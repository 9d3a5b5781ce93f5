//! The results of bulk query jobs: CSV pages at stable locators, streamed as fast as the client
//! takes them.

use std::io::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use super::caller::Caller;
use crate::error::{ApiError, Reply};
use crate::jobs::{QueryJob, State};
use crate::reply::{json, reply};
use crate::soql::{CsvForm, Found, write_csv_header, write_csv_row};
use crate::storage::Slots;
use crate::sync::{lock, read};

/// Rows rendered at a time, so that a page of any size streams in constant memory.
const ROWS_AT_A_TIME: usize = 512;
/// Result pages named in one answer.
const PAGES_AT_A_TIME: usize = 5;

impl QueryJob {
    /// The result, once there is one.
    fn found(&self, caller: &Caller<'_>) -> Result<Arc<Vec<Found>>, ApiError> {
        if caller.version != self.version {
            let message = format!("The job was created with API version {}", self.version);
            return Err(ApiError::new(StatusCode::CONFLICT, "VERSION_MISMATCH", message));
        }
        let progress = lock(&self.progress);
        if progress.state != State::JobComplete {
            let code = read(&self.org.data).settings.early_results_code.clone();
            let message =
                format!("Job is in state {}; results are not available", progress.state.name());
            return Err(ApiError::bad(&code, message));
        }
        Ok(Arc::clone(&progress.found))
    }

    pub(super) fn results(self: &Arc<Self>, caller: &Caller<'_>) -> Reply {
        let found = self.found(caller)?;
        let default = read(&self.org.data).settings.bulk_page_rows;
        let size = match caller.call.param("maxRecords") {
            None => default,
            Some(text) => text.parse().ok().filter(|n| *n > 0).ok_or_else(|| {
                ApiError::bad("INVALID_QUERY_LOCATOR", "maxRecords must be a positive number")
            })?,
        };
        let from = match caller.call.param("locator") {
            None | Some("" | "null") => 0,
            Some(locator) => offset_of(locator)
                .filter(|from| *from < found.len() || *from == 0)
                .ok_or_else(|| ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator"))?,
        };
        let to = from.saturating_add(size).min(found.len());
        let next = if to < found.len() { locator(to) } else { "null".to_owned() };
        let gzip = caller.call.accepts("accept-encoding", "gzip");
        let body = self.stream(found, from, to, gzip);
        let mut response = reply(StatusCode::OK, "text/csv", body);
        let headers = response.headers_mut();
        headers.insert("Sforce-NumberOfRecords", HeaderValue::from(to - from));
        if let Ok(next) = next.parse() {
            headers.insert("Sforce-Locator", next);
        }
        if gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(response)
    }

    /// Renders rows on a thread of their own, as fast as the client takes them.
    fn stream(
        self: &Arc<Self>,
        found: Arc<Vec<Found>>,
        from: usize,
        to: usize,
        gzip: bool,
    ) -> Body {
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(4);
        let job = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let send = |bytes: Vec<u8>| sender.blocking_send(Ok(bytes.into())).is_ok();
            job.render(&found[from..to], gzip, send);
        });
        let stream = futures::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|item| (item, receiver))
        });
        Body::from_stream(stream)
    }

    fn render(&self, found: &[Found], gzip: bool, send: impl Fn(Vec<u8>) -> bool) {
        let zone = read(&self.org.data).settings.csv_time_zone.clone();
        let form =
            CsvForm { delimiter: self.delimiter.1, line_end: self.line_end.1, time_zone: &zone };
        let mut slots = Slots::default();
        let mut text = String::with_capacity(256 * 1024);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        write_csv_header(&self.plan.columns, form.delimiter, form.line_end, &mut text);
        for rows in found.chunks(ROWS_AT_A_TIME) {
            {
                let data = read(&self.org.data);
                for one in rows {
                    write_csv_row(&data, &self.plan, one, &mut slots, &form, &mut text);
                }
            }
            if !gzip {
                let chunk = std::mem::replace(&mut text, String::with_capacity(256 * 1024));
                if !send(chunk.into_bytes()) {
                    return;
                }
                continue;
            }
            // Writing to memory cannot fail.
            let _: std::io::Result<()> = encoder.write_all(text.as_bytes());
            text.clear();
            let ready = std::mem::take(encoder.get_mut());
            if !ready.is_empty() && !send(ready) {
                return;
            }
        }
        if gzip {
            let _: std::io::Result<()> = encoder.write_all(text.as_bytes());
            send(encoder.finish().unwrap_or_default());
        } else if !text.is_empty() {
            send(text.into_bytes());
        }
    }

    pub(super) fn result_pages(&self, caller: &Caller<'_>) -> Reply {
        let found = self.found(caller)?;
        let size = read(&self.org.data).settings.bulk_page_rows.max(1);
        let mut from = caller.call.param("locator").and_then(offset_of).unwrap_or(0);
        let root = format!("{}/jobs/query/{}", caller.root(), self.id);
        let mut pages = Vec::new();
        while pages.len() < PAGES_AT_A_TIME && (from < found.len() || pages.is_empty() && from == 0)
        {
            let url = format!("{root}/results?locator={}", locator(from));
            pages.push(json!({ "resultUrl": url }));
            from += size;
        }
        let done = from >= found.len();
        let mut body = json!({ "resultPages": pages, "done": done });
        if !done {
            body["nextRecordsUrl"] = format!("{root}/resultPages?locator={}", locator(from)).into();
        }
        Ok(json(StatusCode::OK, &body))
    }
}

/// A locator is opaque to clients; it holds the number of the page's first row.
fn locator(from: usize) -> String {
    STANDARD_NO_PAD.encode(from.to_string())
}

fn offset_of(locator: &str) -> Option<usize> {
    let bytes = STANDARD_NO_PAD.decode(locator.trim_end_matches('=')).ok()?;
    String::from_utf8(bytes).ok()?.parse().ok()
}
