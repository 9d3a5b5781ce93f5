//! `template.yaml` as a document, its short forms (`!Ref X`) written out (`{"Ref": "X"}`).

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use crate::read;

/// The template.
#[must_use]
pub fn template() -> Value {
    yaml(&read("template.yaml").expect("the template"))
}

/// A YAML document.
#[must_use]
pub fn yaml(text: &str) -> Value {
    json_of(&Yaml::load_from_str(text).expect("YAML")[0])
}

fn json_of(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Boolean(b)) => json!(b),
        Yaml::Value(Scalar::Integer(i)) => json!(i),
        Yaml::Value(Scalar::FloatingPoint(f)) => json!(f.into_inner()),
        Yaml::Value(Scalar::String(s)) => json!(s),
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Sequence(items) => items.iter().map(json_of).collect(),
        Yaml::Mapping(pairs) => {
            let name = |key: &Yaml<'_>| key.as_str().expect("a name").to_owned();
            Value::Object(pairs.iter().map(|(k, v)| (name(k), json_of(v))).collect())
        }
        Yaml::Tagged(tag, node) => {
            let name = match tag.suffix.as_str() {
                "Ref" | "Condition" => tag.suffix.clone(),
                function => format!("Fn::{function}"),
            };
            json!({ name: json_of(node) })
        }
        other => panic!("a template does not hold {other:?}"),
    }
}

/// The resources of a type, by logical id.
#[must_use]
pub fn resources<'a>(template: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let all = template["Resources"].as_object().expect("resources");
    let found = all.iter().filter(|(_, r)| r["Type"] == kind);
    found.map(|(id, r)| (id.as_str(), &r["Properties"])).collect()
}

/// The functions by their folder's name.
#[must_use]
pub fn functions(template: &Value) -> BTreeMap<&str, &Value> {
    let mut functions = BTreeMap::new();
    for function in resources(template, "AWS::Serverless::Function").into_values() {
        let folder = function["CodeUri"].as_str().and_then(|uri| uri.strip_prefix("functions/"));
        functions.insert(folder.expect("a folder of functions"), function);
    }
    functions
}

/// A value that may stand alone or in a list.
#[must_use]
pub fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |items| items.iter().collect())
}

/// The logical id of a role, queue or other resource in `{"Fn::GetAtt": "X.Arn"}` or `{"Ref":
/// "X"}`.
#[must_use]
pub fn target(reference: &Value) -> Option<&str> {
    let name = reference["Fn::GetAtt"].as_str().or_else(|| reference["Ref"].as_str())?;
    Some(name.split('.').next().unwrap_or(name))
}

/// The statements of a function's role.
#[must_use]
pub fn statements<'a>(template: &'a Value, function: &Value) -> Vec<&'a Value> {
    let role = target(&function["Role"]).expect("a role");
    let policies = &template["Resources"][role]["Properties"]["Policies"];
    list(policies).into_iter().flat_map(|p| list(&p["PolicyDocument"]["Statement"])).collect()
}

/// The environment variables of a function.
#[must_use]
pub fn variables(function: &Value) -> &Map<String, Value> {
    function["Environment"]["Variables"].as_object().expect("variables")
}
