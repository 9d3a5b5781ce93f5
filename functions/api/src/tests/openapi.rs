//! `docs/openapi.yaml` and the routes say the same.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Answer, Served};
use crate::{openapi, router};

/// Where Salesforce sends browsers back to.
pub(super) const CALLBACK: &str = "/oauth/callback/{environment}";

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// One operation of the document.
pub(super) struct Operation {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) value: Value,
}

impl Operation {
    /// The roles that may call it; none when it is open to everybody.
    pub(super) fn roles(&self) -> BTreeSet<&str> {
        let roles = self.value["x-roles"].as_array();
        roles.into_iter().flatten().map(|role| role.as_str().unwrap()).collect()
    }

    /// An example of a body.
    pub(super) fn example(&self) -> Option<String> {
        let body = self.value.get("requestBody")?;
        Some(body["content"]["application/json"]["example"].to_string())
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        let path = path.split('?').next().unwrap();
        let (ours, theirs): (Vec<_>, Vec<_>) =
            (self.path.split('/').collect(), path.split('/').collect());
        let same = |(a, b): (&&str, &&str)| a.starts_with('{') || a == b;
        self.method.eq_ignore_ascii_case(method)
            && ours.len() == theirs.len()
            && ours.iter().zip(&theirs).all(same)
    }

    /// A fixed path goes before one with a parameter in its place.
    fn parameters(&self) -> usize {
        self.path.matches('{').count()
    }
}

/// The document.
pub(super) struct Description(Value);

impl Description {
    pub(super) fn read() -> Self {
        Self(yaml_serde::from_str(openapi::SERVED).unwrap())
    }

    pub(super) fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for method in METHODS {
                if let Some(value) = item.get(method) {
                    let (method, path) = (method.to_owned(), path.clone());
                    operations.push(Operation { method, path, value: value.clone() });
                }
            }
        }
        operations
    }

    /// True if an answer is one that the document promises.
    pub(super) fn check(&self, method: &str, path: &str, answer: &Answer) {
        let operations = self.operations();
        let operation = operations
            .iter()
            .filter(|operation| operation.matches(method, path))
            .min_by_key(|operation| operation.parameters());
        let Some(operation) = operation else {
            return self.check_content(&self.0["components"]["responses"]["Problem"], answer);
        };
        let responses = &operation.value["responses"];
        let status = answer.status.as_str();
        let promised = responses.get(status).unwrap_or(&responses["default"]);
        let of = format!("{method} {path}: {status}");
        assert!(promised.is_object(), "{of} is not in the document");
        self.check_content(self.resolved(promised), answer);
    }

    fn check_content(&self, response: &Value, answer: &Answer) {
        let of = format!("{} {}", answer.status, answer.body);
        if response.get("content").is_none() {
            return assert!(answer.body.is_null(), "{of}: nothing is promised");
        }
        let schema = &response["content"][&answer.content_type]["schema"];
        assert!(schema.is_object(), "{of}: {} is not in the document", answer.content_type);
        if answer.content_type.ends_with("json") {
            self.check_value(schema, &answer.body);
        }
    }

    fn check_value(&self, schema: &Value, value: &Value) {
        let whole = json!({ "allOf": [schema], "components": self.0["components"] });
        let validator = jsonschema::validator_for(&whole).unwrap();
        let errors: Vec<String> = validator.iter_errors(value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{value} is not {schema}: {errors:?}");
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.trim_start_matches('#')).unwrap(),
            None => value,
        }
    }
}

/// The snapshot in `docs` is what the code gives. `make openapi` writes it.
#[test]
fn the_served_description_is_the_one_that_the_code_gives() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.yaml");
    let document = yaml_serde::to_string(&router::described().into_openapi()).unwrap();
    let head = "# Written by `make openapi` from functions/api; a test fails when it is stale.\n";
    let text = format!("{head}{document}");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let stale = std::fs::read_to_string(path).unwrap() != text;
    assert!(!stale, "docs/openapi.yaml is stale: `make openapi` writes it again");
}

#[test]
fn the_description_is_valid() {
    let description = Description::read();
    let spec: oas3::Spec = serde_json::from_value(description.0.clone()).unwrap();
    spec.validate_version().unwrap();
    let mut names = BTreeSet::new();
    for (path, method, operation) in spec.operations() {
        let name = operation.operation_id.clone().unwrap();
        assert!(names.insert(name.clone()), "{name} is used twice");
        assert!(operation.summary.is_some(), "{method} {path} says what it does");
    }
    for name in references(&description.0) {
        let found = description.0.pointer(name.trim_start_matches('#'));
        assert!(found.is_some(), "{name} refers to nothing");
    }
    for operation in description.operations() {
        let parameters = operation.value["parameters"].as_array().cloned().unwrap_or_default();
        let of_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
        let declared: Vec<_> = of_path.map(|p| p["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(declared, placeholders(&operation.path), "{}", operation.path);
        let open = operation.value.get("security") == Some(&json!([]));
        assert_ne!(open, operation.value.get("x-roles").is_some(), "{}", operation.path);
    }
}

#[test]
fn every_example_is_what_it_is_an_example_of() {
    let description = Description::read();
    let mut examples = 0;
    for operation in description.operations() {
        if let Some(body) = operation.value.get("requestBody") {
            let content = &body["content"]["application/json"];
            description.check_value(&content["schema"], &content["example"]);
            examples += 1;
        }
    }
    assert!(examples > 0);
}

/// Each registered path says by its `Allow` header which methods it has.
#[tokio::test]
async fn the_routes_and_the_description_are_the_same() {
    let served = Served::new().await;
    let mut registered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let described = router::described().into_openapi();
    for path in described.paths.paths.keys().filter(|path| *path != CALLBACK) {
        let concrete = path.replace(['{', '}'], "");
        let request = Request::builder().method("TRACE").uri(concrete).body(Body::empty());
        let response = served.router.clone().oneshot(request.unwrap()).await.unwrap();
        let allowed = response.headers()[header::ALLOW].to_str().unwrap().to_lowercase();
        let allowed = allowed.split(',').filter(|method| *method != "head");
        registered.insert(path.clone(), allowed.map(str::to_owned).collect());
    }
    let mut documented: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in served.description.operations() {
        documented.entry(operation.path).or_default().insert(operation.method);
    }
    // The callback is a function of its own; the template's test holds it to the document.
    assert!(documented.remove(CALLBACK).is_some());
    assert_eq!(registered, documented);
}

fn placeholders(path: &str) -> Vec<String> {
    let parts = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    parts.map(str::to_owned).collect()
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(reference) if name == "$ref" => vec![reference.clone()],
                other => references(other),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// The names of problems in a source text: those of conflicts, and of what makes a problem.
fn problem_types(source: &str) -> BTreeSet<String> {
    let text: String = source.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.replace("( ", "(");
    let named = |begin: &str| {
        let parts = text.split(begin).skip(1);
        let quoted = parts.filter_map(|part| part.split_once('"'));
        // Between the bracket and the name stands nothing but a status.
        let quoted = quoted.filter(|(before, _)| !before.contains([')', ';', '{']));
        let names = quoted.filter_map(|(_, rest)| rest.split('"').next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let conflicts = named("::conflict(").into_iter();
    conflicts.chain(named("Self::new(")).filter(|name| !name.contains(' ')).collect()
}

fn sources(folder: &std::path::Path, texts: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// `docs/problems.md` says of each problem what to do about it.
#[test]
fn every_problem_is_published_with_what_to_do() {
    let mut texts = Vec::new();
    sources(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut texts);
    let known: BTreeSet<String> = texts.iter().flat_map(|text| problem_types(text)).collect();
    assert!(known.contains("key_reused") && known.contains("unauthorized"), "{known:?}");
    let page = include_str!("../../../../docs/problems.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows = rows.filter(|(name, _)| *name != "type");
    let published: BTreeSet<String> = rows
        .inspect(|(name, rest)| {
            let cells: Vec<&str> = rest.trim_end_matches('|').split(" | ").collect();
            assert!(cells.len() == 3 && cells.iter().all(|cell| !cell.trim().is_empty()), "{name}");
        })
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(published, known);
}
