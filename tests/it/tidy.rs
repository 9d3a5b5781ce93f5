//! The repository's own rules: what no compiler checks, and what a reader relies on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use shared::lambda::config::{self, Config};
use tests::{SourceFile, read, root, rust_files};

/// The folders with code of ours.
const CODE: [&str; 7] = ["cli", "console", "functions", "local", "server", "shared", "tests"];

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

/// True if a file holds nothing but tests.
fn is_test(file: &SourceFile) -> bool {
    file.path.starts_with("tests/it/")
        || file.path.split('/').any(|part| part == "tests.rs" || part.contains("_tests"))
        || file.path.contains("/src/tests/")
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

/// The programs of some crates are not built for their tests: `test = false`.
#[test]
fn a_program_begins_and_what_it_begins_is_tested_elsewhere() {
    let has_tests = |file: &SourceFile| {
        ["#[cfg(test)]", "#[test]", "#[tokio::test]"].iter().any(|mark| file.text.contains(mark))
    };
    let programs = all_code().into_iter().filter(|file| file.path.ends_with("/src/main.rs"));
    let offences: Vec<String> = programs.filter(has_tests).map(|file| file.path).collect();
    assert_none(&offences, "a main.rs has no tests: they stand beside what is tested");
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

/// Which modules of the common crate a module may name; `salesforce` is the crate below them all.
const DIRECTIONS: [(&str, &[&str]); 12] = [
    ("kernel", &["salesforce"]),
    ("ports", &["kernel"]),
    ("seal", &["ports"]),
    ("work", &["ports"]),
    ("store", &["kernel", "ports", "salesforce", "seal"]),
    ("capabilities", &["kernel", "ports", "salesforce", "seal", "store", "work"]),
    ("product", &["capabilities", "kernel", "ports", "store", "work"]),
    ("edge", &["kernel", "ports", "store", "work"]),
    ("metrics", &[]),
    ("host", &["ports"]),
    ("aws", &["host", "kernel", "ports"]),
    (
        "lambda",
        &[
            "aws",
            "capabilities",
            "edge",
            "host",
            "kernel",
            "metrics",
            "ports",
            "product",
            "salesforce",
            "store",
            "work",
        ],
    ),
];

#[test]
fn the_modules_of_the_common_crate_depend_in_one_direction() {
    let mut offences = Vec::new();
    for file in rust_files("shared/src").unwrap() {
        let module = file.path.trim_start_matches("shared/src/").trim_end_matches(".rs");
        let module = module.split('/').next().unwrap_or_default();
        let Some((_, allowed)) = DIRECTIONS.iter().find(|(name, _)| *name == module) else {
            let outside = ["lib", "stored_forms_tests", "testing"];
            assert!(outside.contains(&module), "{module} has no place in the order");
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

/// The capability that a file belongs to.
fn capability_of(file: &SourceFile) -> Option<&str> {
    file.path.strip_prefix("shared/src/capabilities/")?.split_once('/').map(|(name, _)| name)
}

/// The files of the capabilities, without tests.
fn capability_files() -> Vec<SourceFile> {
    let files = rust_files("shared/src/capabilities").unwrap();
    files.into_iter().filter(|file| !is_test(file)).collect()
}

/// The capability's name and the next word, wherever a line names a capability.
fn capabilities_named(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split("capabilities::").skip(1).filter_map(|rest| {
        let end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let (name, rest) = rest.split_at(rest.find(end).unwrap_or(rest.len()));
        let next = rest.strip_prefix("::").unwrap_or_default();
        (!name.is_empty()).then(|| (name, &next[..next.find(end).unwrap_or(next.len())]))
    })
}

/// Which capabilities each capability names.
fn capability_graph() -> BTreeMap<String, BTreeSet<String>> {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in capability_files() {
        let Some(own) = capability_of(&file) else { continue };
        let others = graph.entry(own.to_owned()).or_default();
        for line in code_lines(&file) {
            let named = capabilities_named(line).map(|(name, _)| name.to_owned());
            others.extend(named.filter(|name| name != own));
        }
    }
    graph
}

#[test]
fn capabilities_form_a_graph_without_circles() {
    let mut graph = capability_graph();
    assert!(graph.len() > 5, "the capabilities are where this test looks for them");
    // Whoever names nobody that is left comes off; a circle is what cannot come off.
    while let Some(leaf) = graph
        .iter()
        .find(|(_, others)| others.iter().all(|other| !graph.contains_key(other)))
        .map(|(name, _)| name.clone())
    {
        graph.remove(&leaf);
    }
    let circle: Vec<String> = graph.iter().map(|(name, to)| format!("{name} → {to:?}")).collect();
    assert_none(&circle, "capabilities form a graph without circles");
}

#[test]
fn a_capability_is_named_by_its_face() {
    let mut offences = Vec::new();
    for file in capability_files() {
        let own = capability_of(&file);
        for line in code_lines(&file) {
            for (name, next) in capabilities_named(line) {
                let inside = next.starts_with(|c: char| c.is_ascii_lowercase()) && next != "keys";
                let is_module = inside && line.contains(&format!("{name}::{next}::"));
                if is_module && own != Some(name) {
                    offences.push(format!("{}: {}", file.path, line.trim()));
                }
            }
        }
    }
    assert_none(&offences, "another capability's files are its own: name what its face shows");
}

/// See `docs/decisions/0017-what-others-await-is-boxed.md`.
#[test]
fn what_others_await_of_a_capability_is_boxed() {
    let mut offences = Vec::new();
    for file in capability_files() {
        let mut before = "";
        for line in code_lines(&file).map(str::trim) {
            let declared = line.strip_prefix("pub async fn ");
            let is_generic = declared.is_some_and(|rest| {
                rest.find('<').is_some_and(|at| at < rest.find('(').unwrap_or(rest.len()))
            });
            if declared.is_some() && !is_generic && before != "#[boxed]" {
                offences.push(format!("{}: {line}", file.path));
            }
            before = line;
        }
    }
    assert_none(&offences, "a public async fn of a capability has the attribute #[boxed]");
}

#[test]
fn functions_name_no_store_and_no_keys() {
    let mut offences = Vec::new();
    for file in rust_files("functions").unwrap() {
        if is_test(&file) {
            continue;
        }
        let lines = code_lines(&file).filter(|line| {
            line.contains("shared::store::") && !line.contains("shared::store::Outbox")
                || line.contains("::keys::")
        });
        offences.extend(lines.map(|line| format!("{}: {}", file.path, line.trim())));
    }
    assert_none(&offences, "a function asks a capability, and never the table");
}

#[test]
fn no_route_answers_untyped_json() {
    let mut offences = Vec::new();
    for file in rust_files("functions/api/src").unwrap() {
        // A schema's names are taken from the values themselves, as they are written. The other two
        // read what others send: bodies, and an issuer's keys.
        let excepted = ["/wire.rs", "/extract.rs", "/callers/issuer_keys.rs"];
        if !is_test(&file) && !excepted.iter().any(|name| file.path.ends_with(name)) {
            let lines = code_lines(&file).filter(|line| line.contains("serde_json"));
            offences.extend(lines.map(|line| format!("{}: {}", file.path, line.trim())));
        }
    }
    assert_none(&offences, "a route's answer is a type of its own");
}

#[test]
fn no_outcome_of_a_commit_is_dropped() {
    let mut offences = Vec::new();
    for file in ["shared/src", "functions"].iter().flat_map(|folder| rust_files(folder).unwrap()) {
        let lines = code_lines(&file).filter(|line| {
            let writes =
                [".commit(", ".write(", ".transact("].iter().any(|verb| line.contains(verb));
            line.contains("let _ =") && writes
        });
        offences.extend(lines.map(|line| format!("{}: {}", file.path, line.trim())));
    }
    assert_none(&offences, "who may lose a write says to whom: `may_lose_to`");
}

/// The widest a line may be, in characters.
const WIDEST: usize = 100;

#[test]
fn no_line_is_wide() {
    let mut offences = Vec::new();
    for file in all_code() {
        let wide = file.text.lines().enumerate().filter(|(_, line)| {
            // A table, or a text without a space, cannot be broken.
            let comment = line.trim_start().strip_prefix("//").unwrap_or_default();
            let table = comment.trim_start_matches(['/', '!']).trim_start().starts_with('|');
            let whole = table || !line.trim().contains(' ');
            !whole && line.chars().count() > WIDEST
        });
        offences.extend(wide.map(|(n, _)| format!("{}:{}", file.path, n + 1)));
    }
    for path in markdown_files() {
        let text = read(&path).unwrap();
        let mut fenced = false;
        for (n, line) in text.lines().enumerate() {
            fenced ^= line.trim_start().starts_with("```");
            // A table, a command, an address or an entry of the site's contents cannot be broken.
            let entry = path.ends_with("SUMMARY.md") && line.trim_start().starts_with("- [");
            let table = line.trim_start().starts_with('|');
            let whole = fenced || entry || table || !line.trim().contains(' ');
            if !whole && line.chars().count() > WIDEST {
                offences.push(format!("{path}:{}", n + 1));
            }
        }
    }
    assert_none(&offences, "a line has at most 100 columns, in Rust as in Markdown");
}

/// Every Markdown file of ours, but the licences' and the data's.
fn markdown_files() -> Vec<String> {
    fn below(folder: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let skipped = name.starts_with('.') || ["target", "node_modules"].contains(&&*name);
            if entry.file_type().unwrap().is_dir() && !skipped {
                below(&path, found);
            } else if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    below("", &mut found);
    found
}

#[test]
fn no_dependency_is_unused() {
    let mut offences = Vec::new();
    for manifest in manifests() {
        let folder = manifest.trim_end_matches("Cargo.toml").trim_end_matches('/');
        let sources = rust_files(folder).unwrap();
        for dependency in dependencies(&read(&manifest).unwrap()) {
            let name = dependency.replace('-', "_");
            let uses = |file: &SourceFile| {
                file.text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|w| w == name)
            };
            if !sources.iter().any(uses) {
                offences.push(format!("{manifest}: {dependency}"));
            }
        }
    }
    assert_none(&offences, "a crate depends on what its code names");
}

/// The manifests of the workspace's crates.
fn manifests() -> Vec<String> {
    let text = read("Cargo.toml").unwrap();
    let members = text.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let members = members.split(',').map(|member| member.trim().trim_matches('"'));
    members
        .flat_map(|member| match member.strip_suffix("/*") {
            Some(parent) => functions().iter().map(|name| format!("{parent}/{name}")).collect(),
            None => vec![member.to_owned()],
        })
        .map(|folder| format!("{folder}/Cargo.toml"))
        .collect()
}

/// The names of what a manifest depends on, but for what it only turns features on for.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut listed = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            listed = line.ends_with("dependencies]");
        } else if listed
            && !line.ends_with("# for its features")
            && let Some((name, _)) = line.split_once(['.', '=', ' '])
        {
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
            found.extend(is_name.then(|| name.to_owned()));
        }
    }
    found
}

/// True if a line holds a word that is not the end of a longer one or of a longer path.
fn names(line: &str, word: &str) -> bool {
    let is_longer = |before: &str| {
        before.ends_with("::") || before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
    };
    line.match_indices(word).any(|(at, _)| !is_longer(&line[..at]))
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
fn libraries_of_routes_know_neither_lambda_nor_aws() {
    let mut offences = Vec::new();
    for function in ["api", "oauth-callback"] {
        for file in rust_files(&format!("functions/{function}/src")).unwrap() {
            let lines = code_lines(&file).filter(|line| {
                let words = ["lambda_http", "shared::lambda", "shared::aws"];
                !file.path.ends_with("/main.rs") && words.iter().any(|word| line.contains(word))
            });
            offences.extend(lines.map(|line| format!("{}: {}", file.path, line.trim())));
        }
    }
    assert_none(&offences, "a server runs the routes too: only a function's binary is Lambda's");
}

/// Where capabilities make the keys of their documents.
const KEYS_OF_CAPABILITIES: [&str; 17] = [
    "shared/src/capabilities/answers/keys.rs",
    "shared/src/capabilities/activities/keys.rs",
    "shared/src/capabilities/asking/keys.rs",
    "shared/src/capabilities/audit/keys.rs",
    "shared/src/capabilities/break_glass/keys.rs",
    "shared/src/capabilities/changing/keys.rs",
    "shared/src/capabilities/connecting/keys.rs",
    "shared/src/capabilities/custody/keys.rs",
    "shared/src/capabilities/directory/keys.rs",
    "shared/src/capabilities/exporting/keys.rs",
    "shared/src/capabilities/importing/keys.rs",
    "shared/src/capabilities/leaving/keys.rs",
    "shared/src/capabilities/linking/keys.rs",
    "shared/src/capabilities/saving/keys.rs",
    "shared/src/capabilities/seats/keys.rs",
    "shared/src/capabilities/sessions/keys.rs",
    "shared/src/capabilities/settings/keys.rs",
];

#[test]
fn keys_are_built_where_keys_belong() {
    let mut offences = Vec::new();
    for file in all_code() {
        let of_keys =
            ["/keys.rs", "/keys/generation.rs"].iter().any(|end| file.path.ends_with(end));
        if of_keys || file.path.starts_with("tests/") || is_test(&file) {
            continue;
        }
        let lines = code_lines(&file).filter(|line| names(line, "Key::new("));
        offences.extend(lines.map(|line| format!("{}: {}", file.path, line.trim())));
    }
    assert_none(&offences, "a key is made in the keys.rs of the store or of its capability");
    assert_only_in(
        "Key::stored(",
        &[
            "bench/purge/",
            "shared/src/aws/dynamodb/",
            "shared/src/testing/contracts/",
            "shared/embedded/src/table/",
            "shared/src/testing/memory.rs",
            "tests/",
        ],
    );
    let prefixes = ["TEN#", "ENV#", "GEN#", "DUE#", "STATE#", "SEAT#", "VERSION#"];
    for prefix in prefixes {
        // The demo counts what a purge left from outside, by what is stored.
        let demo = ["local/stack/src/demo/", "local/stack/src/stores.rs"];
        let mut places = vec!["shared/src/store/keys", "tests/"];
        places.extend(demo);
        places.extend(KEYS_OF_CAPABILITIES);
        assert_only_in(prefix, &places);
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
    let places = ["shared/src/host.rs", "local/", "cli/", "tests/"];
    assert_only_in("Timestamp::now()", &places);
    assert_only_in("SystemTime::now()", &places);
    assert_only_in(
        "Entropy.fill(",
        &["shared/src/aws/", "shared/src/host.rs", "shared/src/testing/", "tests/"],
    );
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
fn the_architecture_names_every_module_and_every_capability() {
    let text = read("ARCHITECTURE.md").unwrap();
    let modules = DIRECTIONS.iter().map(|(module, _)| (*module).to_owned());
    let modules = modules.chain(["testing", "matching", "salesforce"].map(String::from));
    let rooms = modules.chain(capability_graph().into_keys());
    let offences: Vec<String> = rooms.filter(|room| !text.contains(&format!("`{room}`"))).collect();
    assert_none(&offences, "ARCHITECTURE.md has a paragraph per module and per capability");
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
    check_variables::<config::AskConfig>(&template, "ask", check);
    check_variables::<config::AutoSaveConfig>(&template, "auto-save", check);
    check_variables::<config::BulkImportConfig>(&template, "bulk-import", check);
    check_variables::<config::ConnectionCareConfig>(&template, "connection-care", check);
    check_variables::<config::ConsoleConfig>(&template, "console", check);
    check_variables::<config::DataPurgeConfig>(&template, "data-purge", check);
    check_variables::<config::DirectoryIndexConfig>(&template, "directory-index", check);
    check_variables::<config::MatchShardConfig>(&template, "match-shard", check);
    check_variables::<config::OauthCallbackConfig>(&template, "oauth-callback", check);
    check_variables::<config::TellingConfig>(&template, "telling", check);
    check_variables::<config::WritebackConfig>(&template, "writeback", check);
    assert_none(&offences, "template.yaml and the configuration name the same variables");
    assert_eq!(functions().len(), 12, "a new function's configuration is checked here too");
}

#[test]
fn the_program_reaches_nothing_of_the_functions_on_aws() {
    let script = root().join("local/tools/check-pure.sh");
    let output =
        std::process::Command::new("bash").arg(script).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Line 8 of the checklist: a code with its verifier, and a refresh token, are all that a grant is
/// asked for with.
#[test]
fn no_other_grant_of_oauth_is_in_the_code() {
    const OTHERS: [&str; 9] = [
        "exchange_password",
        "exchange_client_credentials",
        "exchange_device",
        "device_authorization",
        "use_implicit_flow",
        "set_response_type",
        "grant_type=password",
        "response_type=token",
        "urn:ietf:params:oauth:grant-type",
    ];
    let ours = |file: &SourceFile| !is_test(file) && !file.path.starts_with("local/");
    let (mut used, mut offences) = (BTreeSet::new(), Vec::new());
    for file in all_code().into_iter().filter(ours) {
        for line in code_lines(&file) {
            offences.extend(
                OTHERS
                    .iter()
                    .filter(|other| line.contains(**other))
                    .map(|other| format!("{}: {other}", file.path)),
            );
            let exchange = line.split_once(".exchange_").map(|(_, rest)| rest);
            used.extend(exchange.and_then(|rest| rest.split('(').next()).map(str::to_owned));
        }
    }
    assert_none(&offences, "only codes and refresh tokens are exchanged");
    assert_eq!(used, ["code", "refresh_token"].map(str::to_owned).into());
}
