//! The log: lines for people, or JSON lines for machines, on standard error.

use std::io::{self, IsTerminal, Write};

use shared::host::OneLine;
use tracing::Subscriber;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::Log;

/// Starts the log. Should one have been started already, that one stays.
pub fn start(log: &Log) {
    let is_terminal = io::stderr().is_terminal();
    let _ = lines(log, is_terminal, io::stderr).try_init();
}

/// What writes each event as one line, whatever texts of others it quotes.
fn lines<W: Write + 'static>(
    log: &Log,
    is_terminal: bool,
    writer: impl Fn() -> W + Send + Sync + 'static,
) -> Box<dyn Subscriber + Send + Sync> {
    let is_coloured = is_terminal && !log.json;
    let writer = move || OneLine::new(writer(), is_coloured);
    let builder = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(writer);
    if log.json {
        let lines = builder.json().flatten_event(true).with_span_list(false).finish();
        Box::new(lines.with(log.filter.clone()))
    } else {
        Box::new(
            builder.with_target(false).with_ansi(is_coloured).finish().with(log.filter.clone()),
        )
    }
}

#[cfg(test)]
mod tests {
    use shared::host::is_unseen;

    use super::*;
    use crate::testing::Read;

    /// Line 26 of the checklist.
    #[test]
    fn a_text_of_others_makes_no_second_line_and_steers_no_terminal() {
        let bad = "a\r\n2026-11-28 INFO faked\u{1b}[31m\u{7}\u{202e}b\u{2028}c\u{85}d";
        for json in [false, true] {
            let read = Read::default();
            let writer = read.clone();
            let log = Log { json, ..Log::default() };
            let lines = lines(&log, false, move || writer.clone());
            tracing::subscriber::with_default(lines, || {
                tracing::warn!(name = %bad, error = bad, seen = ?bad, "it came: {bad}");
                tracing::info!("the next");
            });
            let text = read.text();
            let written: Vec<&str> = text.lines().collect();
            assert_eq!(written.len(), 2, "{text}");
            assert!(written[0].contains("it came") && written[1].contains("the next"), "{text}");
            assert!(!text.chars().any(|c| c != '\n' && is_unseen(c)), "{text:?}");
            if json {
                // Nothing is lost: whoever reads the line gets the text as it was.
                let line: serde_json::Value = serde_json::from_str(written[0]).unwrap();
                assert_eq!((&line["name"], &line["error"]), (&bad.into(), &bad.into()), "{text}");
            }
        }
    }
}
