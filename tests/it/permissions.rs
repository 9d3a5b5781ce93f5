//! Whether a function's role allows what the function asks of AWS, and nothing that it never asks.
//!
//! The emulator checks no permission. Every call that a function makes there is noted by
//! [`stack::Call`]; here each is held against the roles of `template.yaml`, as IAM would.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use stack::{Call, Stack};
use tests::permissions::{Grant, grants, is_like, refused};
use tests::{read, root};

/// The calls of the tests on the emulator, one a line: `make permissions` writes it.
const SEEN: &str = "tests/it/permissions/calls.jsonl";

/// The page that shows them beside what is granted.
const PAGE: &str = "docs/permissions.md";

/// What Lambda does in the function's name: no function asks for it.
const BY_LAMBDA: [&str; 5] = [
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
];

/// What is granted though no test that is held to it asks for it, and why.
const UNSEEN: [(&str, &str, &str, &str); 8] = [
    ("api", "dynamodb:BatchWriteItem", "table/crm-sync", "a list that a seller deletes"),
    ("api", "sqs:GetQueueUrl", "crm-sync-*", "how many dead letters there are"),
    ("ask", "dynamodb:BatchWriteItem", "table/crm-sync", "what hangs on a row that it takes in"),
    ("ask", "sqs:SendMessage", "crm-sync-telling", WAITS),
    ("auto-save", "sqs:SendMessage", "crm-sync-telling", WAITS),
    (
        "console",
        "secretsmanager:GetSecretValue",
        "secret:crm-sync/console-client-*",
        "the console's secret at an issuer where people log in there",
    ),
    (
        "directory-index",
        "s3:DeleteObject",
        "BUCKET/directory/*",
        "a version that was replaced is taken away days later",
    ),
    ("match-shard", "sqs:SendMessage", "crm-sync-telling", WAITS),
];

const WAITS: &str = "others are told that a connection waits for its secret";

/// The routes of the API run in the console's process too, for the pages that call them.
const IN_THE_CONSOLE: &str = "a page calls the API's route";

/// Holds what a stack's functions asked for against their roles, and leaves it for `make
/// permissions`.
pub(crate) fn hold(stack: &Stack, name: &str) {
    let calls = stack.calls();
    assert!(!calls.is_empty(), "no function has asked anything of AWS");
    let folder = root().join(".local/calls");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{name}.jsonl")), lines(&calls)).unwrap();
    let refused = refused(&grants(), &calls);
    assert!(refused.is_empty(), "AWS would refuse {refused:#?}");
}

fn lines(calls: &BTreeSet<Call>) -> String {
    calls.iter().map(|call| serde_json::to_string(call).unwrap() + "\n").collect()
}

fn calls_of(text: &str) -> BTreeSet<Call> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The calls that were seen. With `UPDATE_PERMISSIONS=1` those of the last runs are written there.
fn seen() -> BTreeSet<Call> {
    if std::env::var_os("UPDATE_PERMISSIONS").is_some() {
        let files = fs::read_dir(root().join(".local/calls")).unwrap().map(Result::unwrap);
        let texts = files.map(|file| fs::read_to_string(file.path()).unwrap());
        let calls: BTreeSet<Call> = texts.flat_map(|text| calls_of(&text)).collect();
        fs::write(root().join(SEEN), lines(&calls)).unwrap();
    }
    calls_of(&read(SEEN).unwrap())
}

/// Why a grant that no call used is there.
fn reason(grant: &Grant, grants: &BTreeSet<Grant>) -> Option<&'static str> {
    if BY_LAMBDA.contains(&&*grant.action) {
        return Some("Lambda itself");
    }
    let fits = |(function, action, on, _): &&(&str, &str, &str, &str)| {
        *function == grant.function && *action == grant.action && grant.on() == *on
    };
    if let Some((.., reason)) = UNSEEN.iter().find(fits) {
        return Some(reason);
    }
    let is_shared = grant.function == "console" && grants.contains(&grant.to("api"));
    is_shared.then_some(IN_THE_CONSOLE)
}

#[test]
fn the_roles_allow_every_call_that_was_seen() {
    let seen = seen();
    let refused = refused(&grants(), &seen);
    assert!(refused.is_empty(), "AWS would refuse {refused:#?}");
}

#[test]
fn nothing_is_granted_that_no_call_uses_but_for_a_reason() {
    let (grants, seen) = (grants(), seen());
    let is_used = |grant: &Grant| seen.iter().any(|call| grant.permits(call));
    let told = |grant: &Grant| format!("{}: {} on {}", grant.function, grant.action, grant.on());
    let idle = grants.iter().filter(|grant| !is_used(grant) && reason(grant, &grants).is_none());
    let idle: Vec<String> = idle.map(told).collect();
    assert!(idle.is_empty(), "no call uses, and nobody says why:\n{}", idle.join("\n"));
    for (function, action, on, _) in UNSEEN {
        let meant = grants.iter().filter(|grant| {
            grant.function == function && grant.action == action && grant.on() == on
        });
        let unused = meant.filter(|grant| !is_used(grant)).count();
        assert!(unused > 0, "{function}, {action}, {on}: is used, or is granted no more");
    }
}

#[test]
fn the_page_shows_what_is_granted_and_used() {
    let (grants, seen) = (grants(), seen());
    let mut rows: BTreeMap<(String, String), BTreeMap<&str, &str>> = BTreeMap::new();
    for grant in &grants {
        let is_used = seen.iter().any(|call| grant.permits(call));
        let mark = if is_used { "●" } else { "○" };
        let row = rows.entry((grant.action.clone(), grant.on())).or_default();
        row.insert(&grant.function, mark);
    }
    // Those of the function's own queue and log would be a row for each function.
    rows.retain(|(action, _), _| !BY_LAMBDA.contains(&&**action));
    let names: BTreeSet<&str> = grants.iter().map(|grant| &*grant.function).collect();
    let mut table = format!(
        "| action | on | {} |\n|---|---|",
        names.iter().copied().collect::<Vec<_>>().join(" | ")
    );
    table.push_str(&":-:|".repeat(names.len()));
    for ((action, on), row) in rows {
        let marks: Vec<&str> = names.iter().map(|name| *row.get(name).unwrap_or(&"")).collect();
        write!(table, "\n| {action} | `{on}` | {} |", marks.join(" | ")).unwrap();
    }
    table.push_str("\n\n| not seen | why it is granted |\n|---|---|");
    for (function, action, on, reason) in UNSEEN {
        write!(table, "\n| {function}: {action} on `{on}` | {reason} |").unwrap();
    }
    write!(table, "\n| `console`: what `api` may do as well | {IN_THE_CONSOLE} |").unwrap();
    let page = read(PAGE).unwrap();
    let (before, rest) = page.split_once("<!-- grants -->\n").unwrap();
    let (_, after) = rest.split_once("\n<!-- /grants -->").unwrap();
    let whole = format!("{before}<!-- grants -->\n{table}\n<!-- /grants -->{after}");
    if std::env::var_os("UPDATE_PERMISSIONS").is_some() {
        fs::write(root().join(PAGE), &whole).unwrap();
    } else {
        assert!(page == whole, "{PAGE} is older than the roles: `make permissions` writes it");
    }
}

#[test]
fn patterns_are_read_as_iam_reads_them() {
    assert!(is_like("DUE#*", "DUE#x") && !is_like("DUE#*", "TEN#x"));
    assert!(is_like("a/*/parts/*", "a/x/parts/x") && !is_like("a/*/parts/*", "a/x/shards/x"));
    assert!(is_like("a", "a") && !is_like("a", "ab") && is_like("*", ""));
}
