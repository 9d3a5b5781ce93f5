//! The repository's own rules: what no compiler checks, and what a reader relies on.

use std::collections::BTreeSet;

use shared::lambda::config::{self, Config};
use tests::{SourceFile, read, root, rust_files};

/// The folders with code of ours.
const CODE: [&str; 5] = ["cli", "functions", "local", "shared", "tests"];

/// The most lines of code in a file; tests, comments and blank lines are not counted.
const LONGEST_FILE: usize = 400;

fn all_code() -> Vec<SourceFile> {
    CODE.iter().flat_map(|folder| rust_files(folder).unwrap()).collect()
}

/// The lines of a file that are neither blank nor comments nor tests.
fn code_lines(file: &SourceFile) -> impl Iterator<Item = &str> {
    let tests = file.text.find("#[cfg(test)]\nmod tests").unwrap_or(file.text.len());
    let text = if is_test(file) { "" } else { &file.text[..tests] };
    text.lines().filter(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with("//")
    })
}

/// Whether a file holds nothing but tests.
fn is_test(file: &SourceFile) -> bool {
    file.path.starts_with("tests/it/")
        || file.path.split('/').any(|part| part == "tests.rs" || part.contains("_tests"))
}

/// Fails with every offence, not with the first.
#[track_caller]
fn assert_none(offences: &[String], rule: &str) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

fn functions() -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join("functions")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_file_says_what_it_is() {
    let offences: Vec<String> = all_code()
        .into_iter()
        .filter(|file| {
            !is_test(file) && !file.text.starts_with("//! ") && !file.text.starts_with("#![doc")
        })
        .map(|file| file.path)
        .collect();
    assert_none(&offences, "a file begins with the sentence that says what it is");
}

#[test]
fn no_file_is_long() {
    let offences: Vec<String> = all_code()
        .iter()
        .map(|file| (&file.path, code_lines(file).count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert_none(&offences, "a file holds at most 400 lines of code without its tests");
}

/// Which modules of the common crate a module may name.
const DIRECTIONS: [(&str, &[&str]); 9] = [
    ("kernel", &[]),
    ("ports", &["kernel"]),
    ("seal", &["ports"]),
    ("work", &["ports"]),
    ("store", &["kernel", "ports", "seal"]),
    ("capabilities", &["kernel", "ports", "salesforce", "seal", "store", "work"]),
    ("product", &["capabilities", "ports", "store"]),
    ("aws", &["kernel", "ports"]),
    (
        "lambda",
        &["aws", "capabilities", "kernel", "ports", "product", "salesforce", "store", "work"],
    ),
];

#[test]
fn the_modules_of_the_common_crate_depend_in_one_direction() {
    let mut offences = Vec::new();
    for file in rust_files("shared/src").unwrap() {
        let module = file.path.trim_start_matches("shared/src/").trim_end_matches(".rs");
        let module = module.split('/').next().unwrap_or_default();
        let Some((_, allowed)) = DIRECTIONS.iter().find(|(name, _)| *name == module) else {
            assert!(["lib", "testing"].contains(&module), "{module} has no place in the order");
            continue;
        };
        for line in code_lines(&file) {
            for named in line.split("crate::").skip(1) {
                let named = named.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
                let named = named.unwrap_or_default();
                if named != module && !allowed.contains(&named) {
                    offences.push(format!("{}: {}", file.path, line.trim()));
                }
            }
        }
    }
    assert_none(&offences, "capabilities name ports, ports name the kernel, never the other way");
}

/// Whether a line holds a word that is not the end of a longer path.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with("::"))
}

/// Where a word of code may stand: the word, and the beginnings of the paths.
#[track_caller]
fn assert_only_in(word: &str, places: &[&str]) {
    let mut offences = Vec::new();
    for file in all_code() {
        if places.iter().any(|place| file.path.starts_with(place)) {
            continue;
        }
        let lines = code_lines(&file).filter(|line| names(line, word));
        offences.extend(lines.map(|line| format!("{}: {}", file.path, line.trim())));
    }
    assert_none(&offences, &format!("{word} belongs in {places:?} only"));
}

#[test]
fn sdks_are_named_by_the_adapters_only() {
    // The stack deploys, and the harness makes what the template makes.
    assert_only_in("aws_sdk_", &["shared/src/aws/", "tests/", "local/stack/"]);
    assert_only_in("aws_config", &["shared/src/aws/", "tests/", "local/stack/"]);
    assert_only_in("lambda_runtime", &["shared/src/lambda/", "tests/"]);
    assert_only_in("aws_lambda_events", &["shared/src/lambda/", "tests/"]);
}

#[test]
fn keys_are_built_in_one_place() {
    assert_only_in("Key::new(", &["shared/src/store/keys", "tests/"]);
    assert_only_in(
        "Key::stored(",
        &["shared/src/aws/dynamodb/", "shared/src/testing/contracts/", "tests/"],
    );
    let prefixes = ["TEN#", "ENV#", "GEN#", "DUE#", "STATE#", "SEAT#", "VERSION#"];
    for prefix in prefixes {
        // The demo counts what a purge left from outside, by what is stored.
        assert_only_in(prefix, &["shared/src/store/keys", "local/stack/src/demo/", "tests/"]);
    }
}

#[test]
fn nothing_listens_beyond_this_machine() {
    assert_only_in("UNSPECIFIED", &["shared/salesforce/", "tests/"]);
    assert_only_in(&["0.0", "0.0"].join("."), &["shared/salesforce/", "tests/"]);
    let launcher = read("local/tools/emulator.py").unwrap();
    assert!(!launcher.contains("BIND_HOST"), "whoever starts the emulator says where it listens");
}

#[test]
fn the_clock_and_chance_come_through_ports() {
    let places = ["shared/src/aws/host.rs", "local/", "cli/", "tests/"];
    assert_only_in("Timestamp::now()", &places);
    assert_only_in("SystemTime::now()", &places);
    assert_only_in("Entropy.fill(", &["shared/src/aws/", "shared/src/testing/", "tests/"]);
}

#[test]
fn every_function_has_a_resource_an_event_and_a_row_in_the_readme() {
    let template = read("template.yaml").unwrap();
    let readme = read("README.md").unwrap();
    let events: Vec<String> = std::fs::read_dir(root().join("events"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut offences = Vec::new();
    for function in functions() {
        if !template.contains(&format!("CodeUri: functions/{function}\n")) {
            offences.push(format!("{function} has no resource in template.yaml"));
        }
        if !events.iter().any(|event| event.starts_with(&format!("{function}."))) {
            offences.push(format!("{function} has no sample event"));
        }
        if !readme.contains(&format!("| `{function}` |")) {
            offences.push(format!("{function} has no row in README.md"));
        }
    }
    assert_none(&offences, "a function is described wherever its readers look");
}

#[test]
fn the_architecture_names_every_module_of_the_common_crate() {
    let text = read("ARCHITECTURE.md").unwrap();
    let modules = DIRECTIONS.iter().map(|(module, _)| *module).chain(["testing", "matching"]);
    let offences: Vec<String> =
        modules.filter(|module| !text.contains(&format!("`{module}`"))).map(String::from).collect();
    assert_none(&offences, "ARCHITECTURE.md has a paragraph per module");
}

/// The names of the variables that the template gives a function.
fn template_variables(template: &str, function: &str) -> BTreeSet<String> {
    let resource = template.split(&format!("CodeUri: functions/{function}\n")).nth(1).unwrap();
    let block = resource.split("        Variables:\n").nth(1).unwrap();
    block
        .lines()
        .take_while(|line| line.starts_with("          "))
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn check_variables<C: Config>(template: &str, function: &str, offences: &mut Vec<String>) {
    let read: BTreeSet<String> =
        config::variables_of::<C>().into_iter().map(String::from).collect();
    let mut given = template_variables(template, function);
    // Read by the log filter itself.
    given.remove("RUST_LOG");
    offences.extend(read.difference(&given).map(|name| format!("{function} is not given {name}")));
    offences.extend(given.difference(&read).map(|name| format!("{function} does not read {name}")));
}

#[test]
fn every_function_is_given_the_variables_that_it_reads() {
    let template = read("template.yaml").unwrap();
    let mut offences = Vec::new();
    let check = &mut offences;
    check_variables::<config::ApiConfig>(&template, "api", check);
    check_variables::<config::AutoSaveConfig>(&template, "auto-save", check);
    check_variables::<config::BulkImportConfig>(&template, "bulk-import", check);
    check_variables::<config::ConnectionCareConfig>(&template, "connection-care", check);
    check_variables::<config::DataPurgeConfig>(&template, "data-purge", check);
    check_variables::<config::DirectoryIndexConfig>(&template, "directory-index", check);
    check_variables::<config::MatchShardConfig>(&template, "match-shard", check);
    check_variables::<config::OauthCallbackConfig>(&template, "oauth-callback", check);
    check_variables::<config::TellingConfig>(&template, "telling", check);
    check_variables::<config::WritebackConfig>(&template, "writeback", check);
    assert_none(&offences, "template.yaml and the configuration name the same variables");
    assert_eq!(functions().len(), 10, "a new function's configuration is checked here too");
}
