//! The invariant of the import: whatever happens between its pages, in the end our records equal
//! the org's, nothing missing and nothing doubled.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use tests::Home;

use super::history::{History, new_org};

#[test]
fn after_any_history_our_records_equal_the_orgs() {
    after_any_history(Home::Memory, 100);
}

/// Those of the seeds are the same histories: only where they are stored differs.
#[test]
fn after_any_history_on_one_machine_our_records_equal_the_orgs() {
    after_any_history(Home::OneMachine, 10);
}

/// `CRM_SYNC_HISTORIES` histories (`usual` unless said), from the seed `CRM_SYNC_SEED` (1) on.
#[expect(clippy::print_stdout, reason = "a failing seed is told at once, a search takes minutes")]
fn after_any_history(home: Home, usual: u64) {
    let (first, count) = (number("CRM_SYNC_SEED", 1), number("CRM_SYNC_HISTORIES", usual));
    let next = AtomicU64::new(first);
    let failures = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let lived = std::panic::catch_unwind(|| live(seed, home));
                    let failure = lived.unwrap_or_else(|_| Some(format!("seed {seed} panics")));
                    if let Some(failure) = failure {
                        println!("{failure}");
                        failures.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    println!("{count} histories, seeds {first} to {}", first + count - 1);
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "seeds {failures:?} of {count} histories");
}

#[expect(clippy::disallowed_methods, reason = "how long a person wants to search is asked here")]
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Lives one history; what went wrong, if something did.
fn live(seed: u64, home: Home) -> Option<String> {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("org.json"), new_org().to_string()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut history = History::begin(seed, home, folder.path()).await;
        let differences = history.live().await;
        (!differences.is_empty())
            .then(|| format!("seed {seed}:\n{}\n{}", differences.join("\n"), history.log()))
    })
}
