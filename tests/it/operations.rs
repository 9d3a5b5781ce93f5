//! What an operator does: the commands of the Makefile and of the runbook, and the tools behind
//! them.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use regex::Regex;
use tests::{read, root};

/// Runs a tool of `local/tools`.
fn tool(arguments: &[&str]) -> Output {
    let mut python = Command::new("python3");
    python.current_dir(root()).arg("-B").args(arguments).output().unwrap()
}

/// What a tool printed, of which it is known that it ended well.
fn printed(arguments: &[&str]) -> String {
    let output = tool(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn found(pattern: &str, text: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_alarm_has_one_entry_in_the_runbook_that_says_what_to_do() {
    let template = read("template.yaml").unwrap();
    let alarms = found(r"(?m)^  (\w+):\n    Type: AWS::CloudWatch::Alarm$", &template);
    assert!(alarms.len() > 20, "{alarms:?}");
    let runbook = read("docs/runbook.md").unwrap();
    let entries: Vec<&str> = runbook.split("\n### ").skip(1).collect();
    let mut told = Vec::new();
    for entry in entries {
        let names = found(r"(?s)\*\*Alarms:\*\* (.*?)\.\n", entry);
        assert_eq!(names.len(), 1, "{entry}");
        told.extend(found(r"(\w+Alarm)", &names[0]));
        for part in ["**Means:**", "**Look:**", "**Do:**"] {
            assert!(entry.contains(part), "{part} of {}", names[0]);
        }
    }
    let (mut told_sorted, mut alarms_sorted) = (told.clone(), alarms);
    told_sorted.sort();
    alarms_sorted.sort();
    assert_eq!(told_sorted, alarms_sorted, "each alarm once, and no other");
}

#[test]
fn every_make_command_of_the_operators_pages_exists() {
    let makefile = read("Makefile").unwrap();
    let targets: BTreeSet<String> = found(r"(?m)^([a-z-]+):", &makefile).into_iter().collect();
    for page in ["docs/runbook.md", "docs/deploy.md"] {
        let commands = found(r"(?m)(?:^|`)make ([a-z-]+)", &read(page).unwrap());
        assert!(!commands.is_empty(), "{page}");
        for command in commands {
            assert!(targets.contains(&command), "{page}: make {command}");
        }
    }
}

/// The commands that `make deploy` runs for a stack that stands so.
fn plan(status: &str) -> Vec<String> {
    let program = format!(
        "import sys, shlex; sys.path.insert(0, 'local/tools'); import deploy\n\
         given = deploy.parameters('staging', open('stages/example.env').read())\n\
         for command in deploy.plan('staging', 'arm64', given, '{status}'):\n    \
         print(shlex.join(command))"
    );
    printed(&["-c", &program]).lines().map(str::to_owned).collect()
}

/// A first creation that fails is rolled back, the table with it; then nothing may refuse that.
#[test]
fn a_first_deployment_is_protected_once_it_stands_and_a_later_one_at_once() {
    let protected = |command: &String| command.contains("DeletionProtection=\"true\"");
    let first = plan("NONE");
    assert_eq!(first.len(), 3, "{first:?}");
    assert!(first[0].starts_with("sam build "), "{first:?}");
    assert!(first[1].contains("DeletionProtection=\"false\"") && protected(&first[2]));
    let later = plan("UPDATE_COMPLETE");
    assert_eq!(later.len(), 2);
    assert!(protected(&later[1]));
    let again = plan("ROLLBACK_COMPLETE");
    assert!(again[1].starts_with("sam delete --stack-name crm-sync-staging "), "{again:?}");
    assert_eq!(again[2..], first[1..], "what failed begins anew");
}

/// A6: what is built is for the processor that is deployed. A5: nobody is asked anything.
#[test]
fn every_command_of_a_deployment_names_the_processor_and_asks_nothing() {
    for status in ["NONE", "CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"] {
        for command in plan(status) {
            assert!(!command.contains("--guided"), "{command}");
            assert!(command.contains("Architecture=\"arm64\""), "{command}");
            if command.starts_with("sam deploy") {
                assert!(command.contains("--no-confirm-changeset"), "{command}");
                assert!(command.contains("--tags product=crm-sync stage=staging"), "{command}");
                assert!(command.contains("Stage=\"staging\""), "{command}");
            }
        }
    }
}

#[test]
fn a_stages_file_holds_no_secret_and_nothing_that_the_command_decides() {
    let refused = |line: &str| {
        let program = format!(
            "import sys; sys.path.insert(0, 'local/tools'); import deploy\n\
             text = open('stages/example.env').read() + {line:?}\n\
             deploy.parameters('staging', text)"
        );
        let output = tool(&["-c", &program]);
        let told = String::from_utf8(output.stderr).unwrap();
        (!output.status.success()).then_some(told)
    };
    assert_eq!(refused("LogRetentionDays=90\n"), None);
    assert!(refused("SalesforceClientSecret=x\n").unwrap().contains("a secret belongs"));
    assert!(refused("DeletionProtection=false\n").unwrap().contains("make deploy"));
    assert!(refused("JwtIssuer=https://twice.example.com\n").unwrap().contains("once"));
    assert!(refused("no parameter\n").unwrap().contains("Name=value"));
}

/// A2: a binary that needs a newer glibc than Amazon Linux has, or another processor, is refused.
#[test]
fn a_package_that_would_not_start_is_refused() {
    let faults = |newest: &str, arch: &str| {
        let program = format!(
            "import sys; sys.path.insert(0, 'local/tools'); import packages\n\
             packages.NEWEST_GLIBC = {newest}\n\
             content = open('/bin/sh', 'rb').read()\n\
             print(*packages.faults(content, '{arch}')[2], sep='\\n')"
        );
        printed(&["-c", &program]).trim().to_owned()
    };
    let (this, other) =
        if cfg!(target_arch = "x86_64") { ("x86_64", "arm64") } else { ("arm64", "x86_64") };
    assert_eq!(faults("(9, 0)", this), "");
    assert!(faults("(2, 1)", this).starts_with("needs glibc 2."));
    assert_eq!(faults("(9, 0)", other), format!("is for another processor than {other}"));
    let limit = printed(&[
        "-c",
        "import sys; sys.path.insert(0, 'local/tools'); import packages; \
        print(packages.NEWEST_GLIBC, packages.faults(b'#!/bin/sh', 'arm64')[2])",
    ]);
    assert_eq!(limit.trim(), "(2, 34) ['is no 64-bit binary']");
}
