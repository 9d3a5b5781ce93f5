//! `dlq list` and `dlq redrive`: the messages that failed too often.

use std::fmt::Write;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use server::dead_letters::{self, Chosen, Listed};
use shared::host::SystemClock;
use shared::kernel::Queue;
use shared::ports::Clock;

use super::Outcome;
use super::serve::{read, runtime};
use crate::args::{ListArgs, RedriveArgs};

/// Prints the dead letters.
pub fn list(args: &ListArgs) -> anyhow::Result<Outcome> {
    let config = read(&args.source)?;
    let letters = runtime()?.block_on(dead_letters::list(&config))?;
    let output = if args.json {
        serde_json::to_string_pretty(&letters)? + "\n"
    } else {
        table(&letters, SystemClock.now())?
    };
    Ok(Outcome { output, ..Outcome::default() })
}

/// Sends dead letters again.
pub fn redrive(args: &RedriveArgs) -> anyhow::Result<Outcome> {
    let config = read(&args.source)?;
    let chosen = match (&args.id, &args.queue) {
        (Some(id), _) => Chosen::One(id.clone()),
        (None, Some(queue)) => Chosen::Queue(queue_of(queue)?),
        (None, None) => Chosen::All,
    };
    let sent = runtime()?.block_on(dead_letters::redrive(&config, &chosen))?;
    ensure!(sent > 0 || args.id.is_none(), "no dead letter has this id: see `crm-sync dlq list`");
    let output = format!("messages sent again: {sent}\n");
    Ok(Outcome { output, ..Outcome::default() })
}

fn queue_of(name: &str) -> anyhow::Result<Queue> {
    let found = Queue::ALL.into_iter().find(|queue| queue.as_str() == name);
    found.with_context(|| format!("a queue is one of {}", Queue::ALL.map(Queue::as_str).join(", ")))
}

/// A line each, under a head.
fn table(letters: &[Listed], now: Timestamp) -> anyhow::Result<String> {
    if letters.is_empty() {
        return Ok("no dead letters\n".to_owned());
    }
    let mut text = String::new();
    let mut line = |cells: [&str; 7]| {
        let [id, queue, kind, age, tries, failure, owner] = cells;
        writeln!(text, "{id:<13} {queue:<10} {kind:<20} {age:>6} {tries:>5}  {failure:<36} {owner}")
    };
    line(["ID", "QUEUE", "KIND", "AGE", "TRIES", "LAST FAILURE", "OF"])?;
    for letter in letters {
        line([
            &letter.id,
            letter.queue.as_str(),
            letter.kind.as_deref().unwrap_or("unknown"),
            &letter.at.map_or_else(|| "?".to_owned(), |at| age(at, now)),
            &letter.tries.to_string(),
            letter.failure.as_deref().unwrap_or("?"),
            &letter.owner,
        ])?;
    }
    Ok(text)
}

/// How long ago it was, in the largest unit of which it is one at least.
fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_the_largest_unit_that_fits() {
        let now = Timestamp::from_second(1_795_288_123).unwrap();
        let ages = [(-5, "0s"), (59, "59s"), (60, "1m"), (7_199, "1h"), (86_400 * 3, "3d")];
        for (seconds, text) in ages {
            let at = Timestamp::from_second(now.as_second() - seconds).unwrap();
            assert_eq!(age(at, now), text);
        }
    }

    #[test]
    fn a_queue_is_named_as_in_the_list() {
        for queue in Queue::ALL {
            assert_eq!(queue_of(queue.as_str()).unwrap(), queue);
        }
        assert!(queue_of("Import").unwrap_err().to_string().contains("auto-save"));
    }
}
