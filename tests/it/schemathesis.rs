//! Schemathesis, a client that others wrote, against `crm-sync serve`: it calls every operation of
//! the served description with values that fit and values that do not, and holds each answer to the
//! description. `make schemathesis` runs it, for at most ten minutes.

#![expect(clippy::print_stdout, reason = "it tells what was called")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tests::root;

use super::flows::org::small;
use super::neighbours::tenant::{Tenant, publish};
use super::neighbours::without_orgs;
use super::soak::program;
use super::soak::served::Served;

/// How long each caller calls, in seconds.
const EACH: u32 = 150;

/// What ends the tenant or its org, or takes it from the caller: it is called last.
const ENDS: [&str; 9] = [
    "changeTenant",
    "disconnect",
    "endSeatAuthorization",
    "handTenantOver",
    "importTenant",
    "removeSeat",
    "removeSeats",
    "removeTenant",
    "takeTenantBack",
];

/// What no schema says. A value that fits may be refused for what it means (422), for a revision
/// that is over (412), for a cursor that no list gave (400), or since so much was asked for (429).
/// A tenant that is not the caller's is not found, whatever else is wrong. Paths name one tenant,
/// whatever others are made.
const CHECKS: &str = r#"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "409", "412", "422", "429"]
[checks.missing_required_header]
expected-statuses = ["400", "401", "403", "404", "406", "415", "422", "429"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "412", "415", "422", "429"]
[checks.ensure_resource_availability]
enabled = false
# What of a hundred past activities is wrong is told item by item, in an answer of 200.
[[operations]]
include-operation-id = "logRetroactively"
checks.negative_data_rejection.enabled = false
"#;

/// Somebody who calls.
struct Caller<'a> {
    name: &'static str,
    token: &'a str,
}

/// Runs Schemathesis as somebody; true if no check failed.
fn run(served: &Served, config: &Path, caller: &Caller<'_>, filter: &[String]) -> bool {
    let mut command = Command::new(root().join(".venv-schemathesis/bin/st"));
    // It keeps what it found where it runs.
    command.current_dir(config.parent().unwrap());
    command.arg("--config-file").arg(config);
    command.arg("run").arg(root().join("docs/openapi.yaml"));
    command.args(["--url", &served.url(""), "--seed", "1", "--no-color"]);
    command.args(["--max-time", &EACH.to_string(), "--request-timeout", "30"]);
    command.args(["--header", &format!("Authorization: Bearer {}", caller.token)]);
    command.args(filter);
    println!("== as {}", caller.name);
    command.env("NO_PROXY", "127.0.0.1").status().unwrap().success()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes ten minutes: make schemathesis"]
async fn every_answer_is_as_the_description_says() {
    let simulator = without_orgs().await;
    let control = simulator.control();
    let served = Served::new(&program(), &simulator);
    served.start().await;
    let folder = small();
    publish(&served, folder.path()).await;
    let tenant = Tenant::arrive(&served, &control, folder.path(), 0).await;
    tenant.set(&json!({ "create_leads": true, "update_leads": true, "bulk_changes": true })).await;

    let (id, seat) = (tenant.id(), tenant.seat());
    let config: PathBuf = folder.path().join("schemathesis.toml");
    let contact = control.records(&tenant.org, "Contact", 0, 1).unwrap()[0]["Id"].clone();
    let (contact, person) = (contact.as_str().unwrap(), tenant.persons[0].as_str());
    let own = [
        ("tenant", id),
        ("environment", "production"),
        ("seat", seat),
        ("object", "Contact"),
        ("record", contact),
        ("kind", "person"),
        ("entity", person),
        ("person", person),
    ];
    let lines = own.map(|(name, value)| format!("\"path.{name}\" = \"{value}\"\n")).concat();
    std::fs::write(&config, format!("{CHECKS}\n[parameters]\n{lines}")).unwrap();

    let service = served.token(&["--role", "service"]);
    let admin = served.token(&["--role", "admin", "--tenant", id]);
    let seller = served.token(&["--role", "seat", "--tenant", id, "--seat", seat]);
    let callers = [
        Caller { name: "the back end", token: &service },
        Caller { name: "an admin", token: &admin },
        Caller { name: "a seller", token: &seller },
    ];
    let of =
        |option: &str| ENDS.iter().flat_map(|id| [option.to_owned(), (*id).to_owned()]).collect();
    let (without, with): (Vec<String>, Vec<String>) =
        (of("--exclude-operation-id"), of("--include-operation-id"));
    let mut failed = Vec::new();
    for caller in &callers {
        if !run(&served, &config, caller, &without) {
            failed.push(caller.name);
        }
    }
    // What ends things is called at the end.
    if !run(&served, &config, &callers[0], &with) {
        failed.push("the back end, at the end");
    }
    assert_eq!(failed, Vec::<&str>::new(), "{}", served.shown_log());
}
