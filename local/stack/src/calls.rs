//! What the functions ask of AWS: who asked, for which action, on what, under which conditions.
//!
//! The emulator checks no permission. So each function of a stack has credentials of its own, whose
//! key id is its name, and whoever holds the calls against the roles of `template.yaml` knows what
//! AWS would have refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use axum::http::{HeaderMap, Method, Uri, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::form_urlencoded::parse;

use crate::aws::Aws;

/// The key that every call of KMS means: a stack has one, whose id differs from stack to stack.
const KEY: &str = "KEY";

/// The bucket that every call of S3 means, for the same reason.
const BUCKET: &str = "BUCKET";

/// One permission that a call takes. Ids are left out, so that a thousand records are one call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Call {
    /// The function's folder name.
    pub function: String,
    /// The action as IAM names it, such as `dynamodb:PutItem`.
    pub action: String,
    /// The resource's ARN.
    pub resource: String,
    /// The condition keys that come with it, and their values.
    pub conditions: BTreeMap<String, BTreeSet<String>>,
}

/// The calls of a stack's functions so far.
#[derive(Debug, Default)]
pub(crate) struct Calls(Mutex<BTreeSet<Call>>);

impl Calls {
    /// Takes in what a request asks for.
    pub(crate) fn take(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) {
        let calls = read(method, uri, headers, body);
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(calls);
    }

    pub(crate) fn seen(&self) -> BTreeSet<Call> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// Who signed a request, and for which service: `FUNCTION/DATE/REGION/SERVICE/aws4_request`.
fn signer(uri: &Uri, headers: &HeaderMap) -> Option<(String, String)> {
    let signed = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credential = match signed {
        Some(value) => value.split("Credential=").nth(1)?.split(',').next()?.to_owned(),
        // An address that was signed beforehand: whoever has it acts as the function.
        None => parse(uri.query()?.as_bytes())
            .find(|(name, _)| name == "X-Amz-Credential")
            .map(|(_, value)| value.into_owned())?,
    };
    let mut parts = credential.split('/');
    Some((parts.next()?.to_owned(), parts.nth(2)?.to_owned()))
}

/// The permissions that a request takes; none when nobody signed it.
fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Vec<Call> {
    let Some((function, service)) = signer(uri, headers) else { return Vec::new() };
    let calls = if service == "s3" {
        objects(method, uri, headers, body)
    } else {
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
        let input = serde_json::from_slice(body).unwrap_or_default();
        match service.as_str() {
            "dynamodb" => table(operation, &input),
            "sqs" => vec![queue(operation, &input)],
            "secretsmanager" => {
                let name = input["SecretId"].as_str().or(input["Name"].as_str());
                Call::of_secret(operation, name.unwrap_or_default())
            }
            "kms" => vec![key(operation, &input)],
            "events" => events(&input),
            _ => vec![Call::new(&service, operation, String::new())],
        }
    };
    calls.into_iter().map(|call| call.by(&function)).collect()
}

impl Call {
    fn new(service: &str, operation: &str, resource: String) -> Self {
        let action = format!("{service}:{operation}");
        Self { function: String::new(), action, resource, conditions: BTreeMap::new() }
    }

    fn under(mut self, key: &str, values: impl IntoIterator<Item = String>) -> Self {
        self.conditions.entry(key.to_owned()).or_default().extend(values);
        self
    }

    /// The same call, made by this function.
    #[must_use]
    pub fn by(self, function: &str) -> Self {
        Self { function: function.to_owned(), ..self }
    }

    /// An operation on items of a table, whose partitions these are.
    #[must_use]
    pub fn of_table<'a>(
        operation: &str,
        table: &str,
        partitions: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        // What all partitions of a kind have alike.
        let class = |name: &str| {
            name.find('#').map_or_else(|| name.to_owned(), |at| format!("{}x", &name[..=at]))
        };
        let keys = partitions.into_iter().map(class);
        Self::new("dynamodb", operation, arn("dynamodb", &format!("table/{table}")))
            .under("dynamodb:LeadingKeys", keys)
    }

    /// An operation on a queue of this name.
    #[must_use]
    pub fn of_queue(operation: &str, name: &str) -> Self {
        Self::new("sqs", operation, arn("sqs", name))
    }

    /// An operation on a secret of this name or address. The service opens and seals a secret in
    /// its caller's name.
    #[must_use]
    pub fn of_secret(operation: &str, named: &str) -> Vec<Self> {
        // An address ends with the name and six characters of the service's.
        let name = match named.split_once(":secret:") {
            Some((_, name)) => name.rsplit_once('-').map_or(name, |(name, _)| name),
            None => named,
        };
        let ids = name.match_indices('/').nth(1);
        let name = ids.map_or_else(|| name.to_owned(), |(at, _)| format!("{}/x", &name[..at]));
        let resource = arn("secretsmanager", &format!("secret:{name}"));
        let call = Self::new("secretsmanager", operation, resource);
        let via = format!("secretsmanager.{}.amazonaws.com", Aws::REGION);
        let key = |operation| {
            Self::new("kms", operation, arn("kms", &format!("key/{KEY}")))
                .under("kms:ViaService", [via.clone()])
        };
        match operation {
            "GetSecretValue" => vec![call, key("Decrypt")],
            "CreateSecret" | "PutSecretValue" => {
                vec![call, key("Decrypt"), key("GenerateDataKey")]
            }
            _ => vec![call],
        }
    }

    /// An operation of the key under an encryption context.
    #[must_use]
    pub fn of_key<'a>(
        operation: &str,
        context: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let call = Self::new("kms", operation, arn("kms", &format!("key/{KEY}")));
        context.into_iter().fold(call, |call, (name, value)| {
            // A purpose is one of a few words; a scope is somebody's id.
            let value = if name == "purpose" { value } else { "x" };
            call.under("kms:EncryptionContextKeys", [name.to_owned()])
                .under(&format!("kms:EncryptionContext:{name}"), [value.to_owned()])
        })
    }

    /// An operation on an object; its name's words stay, all else is `x`.
    #[must_use]
    pub fn of_object(operation: &str, name: &str) -> Self {
        let is_word = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        let parts = name.split('/').map(|part| if is_word(part) { part } else { "x" });
        let name = parts.collect::<Vec<_>>().join("/");
        Self::new("s3", operation, format!("arn:aws:s3:::{BUCKET}/{name}"))
    }

    /// An operation on the bucket.
    #[must_use]
    pub fn of_bucket(operation: &str) -> Self {
        Self::new("s3", operation, format!("arn:aws:s3:::{BUCKET}"))
    }

    /// The publishing of an event of this source.
    #[must_use]
    pub fn of_bus(bus: &str, source: &str) -> Self {
        Self::new("events", "PutEvents", arn("events", &format!("event-bus/{bus}")))
            .under("events:source", [source.to_owned()])
    }
}

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{}:{}:{resource}", Aws::REGION, Aws::ACCOUNT)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// A transaction takes the permission of each of its parts; a batch has one of its own.
fn table(operation: &str, input: &Value) -> Vec<Call> {
    let partition = |item: &Value| text(&item["pk"], "S").to_owned();
    let call = |operation: &str, table: &str, partitions: &[String]| {
        Call::of_table(operation, table, partitions.iter().map(String::as_str))
    };
    match operation {
        "TransactWriteItems" => {
            let parts = input["TransactItems"].as_array().into_iter().flatten();
            let named = parts.flat_map(|part| part.as_object().into_iter().flatten());
            let part = |(kind, part): (&String, &Value)| {
                let operation = match kind.as_str() {
                    "ConditionCheck" => "ConditionCheckItem",
                    "Delete" => "DeleteItem",
                    "Put" => "PutItem",
                    _ => "UpdateItem",
                };
                let item = if kind == "Put" { &part["Item"] } else { &part["Key"] };
                call(operation, text(part, "TableName"), &[partition(item)])
            };
            named.map(part).collect()
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = input["RequestItems"].as_object().into_iter().flatten();
            let partitions = |parts: &Value| -> Vec<String> {
                let parts = parts["Keys"].as_array().or(parts.as_array()).into_iter().flatten();
                let key = |part: &Value| {
                    let put = part["PutRequest"].get("Item");
                    partition(put.or(part["DeleteRequest"].get("Key")).unwrap_or(part))
                };
                parts.map(key).collect()
            };
            tables.map(|(table, parts)| call(operation, table, &partitions(parts))).collect()
        }
        "Query" => {
            let condition = text(input, "KeyConditionExpression");
            let value = condition.split(" AND ").next().and_then(|first| first.split('=').nth(1));
            let value = &input["ExpressionAttributeValues"][value.unwrap_or_default().trim()];
            vec![call(operation, text(input, "TableName"), &[text(value, "S").to_owned()])]
        }
        _ => {
            let item = if operation == "PutItem" { &input["Item"] } else { &input["Key"] };
            vec![call(operation, text(input, "TableName"), &[partition(item)])]
        }
    }
}

/// A batch of messages takes the permission of one message.
fn queue(operation: &str, input: &Value) -> Call {
    let operation = operation.strip_suffix("Batch").unwrap_or(operation);
    let name = text(input, "QueueUrl").rsplit('/').next().filter(|name| !name.is_empty());
    Call::of_queue(operation, name.unwrap_or_else(|| text(input, "QueueName")))
}

fn key(operation: &str, input: &Value) -> Call {
    let context = input["EncryptionContext"].as_object().into_iter().flatten();
    let pair = |(name, value): (&'_ String, &'_ Value)| {
        (name.clone(), value.as_str().unwrap_or_default().to_owned())
    };
    let context: Vec<(String, String)> = context.map(pair).collect();
    Call::of_key(operation, context.iter().map(|(name, value)| (&**name, &**value)))
}

fn events(input: &Value) -> Vec<Call> {
    let entries = input["Entries"].as_array().into_iter().flatten();
    let entry = |entry: &Value| {
        let bus = entry["EventBusName"].as_str().unwrap_or("default");
        Call::of_bus(bus, text(entry, "Source"))
    };
    entries.map(entry).collect()
}

/// S3 has no names of operations on the wire: method, path and query say which it is.
fn objects(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Vec<Call> {
    let path = uri.path().trim_start_matches('/');
    let name = path.split_once('/').map_or("", |(_, name)| name);
    let has =
        |name: &str| parse(uri.query().unwrap_or_default().as_bytes()).any(|(n, _)| n == name);
    let own = |operation: &str| Call::of_object(operation, name);
    match (method.as_str(), name.is_empty()) {
        ("GET" | "HEAD", true) => vec![Call::of_bucket("ListBucket")],
        ("POST", true) if has("delete") => {
            named_in(body).iter().map(|name| Call::of_object("DeleteObject", name)).collect()
        }
        ("GET", false) if has("uploadId") => vec![own("ListMultipartUploadParts")],
        ("GET" | "HEAD", false) => vec![own("GetObject")],
        ("PUT", false) if headers.contains_key("x-amz-copy-source") => {
            vec![own("GetObject"), own("PutObject")]
        }
        ("PUT" | "POST", false) => {
            let tags = headers.contains_key("x-amz-tagging").then(|| own("PutObjectTagging"));
            [own("PutObject")].into_iter().chain(tags).collect()
        }
        ("DELETE", false) if has("uploadId") => vec![own("AbortMultipartUpload")],
        ("DELETE", false) => vec![own("DeleteObject")],
        _ => vec![Call::of_bucket(&format!("{method} {path}"))],
    }
}

/// The objects that the body of a deletion of several names.
fn named_in(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let Ok(document) = roxmltree::Document::parse(&text) else { return Vec::new() };
    let keys = document.descendants().filter(|node| node.tag_name().name() == "Key");
    keys.filter_map(|key| key.text().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The calls of a request that `writeback` signed.
    fn asked(method: &str, uri: &str, service: &str, target: &str, body: &Value) -> Vec<String> {
        let mut headers = HeaderMap::new();
        let credential = format!("writeback/20261201/eu-west-1/{service}/aws4_request");
        let signed = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host");
        headers.insert(header::AUTHORIZATION, signed.parse().unwrap());
        headers.insert("x-amz-target", target.parse().unwrap());
        let (method, uri) = (method.parse().unwrap(), uri.parse().unwrap());
        let calls = read(&method, &uri, &headers, body.to_string().as_bytes());
        let told = |call: Call| {
            assert_eq!(call.function, "writeback");
            let conditions = call.conditions.into_iter().map(|(key, values)| {
                format!(" {key}={}", values.into_iter().collect::<Vec<_>>().join("|"))
            });
            format!("{} {}{}", call.action, call.resource, conditions.collect::<String>())
        };
        calls.into_iter().map(told).collect()
    }

    #[test]
    fn a_transaction_takes_the_permission_of_each_of_its_parts() {
        let key = json!({ "pk": { "S": "DUE#7" }, "sk": { "S": "1" } });
        let body = json!({ "TransactItems": [
            { "Put": { "TableName": "t", "Item": { "pk": { "S": "TEN#1#2" } } } },
            { "ConditionCheck": { "TableName": "t", "Key": key } },
            { "Delete": { "TableName": "t", "Key": key } },
        ] });
        let target = "DynamoDB_20120810.TransactWriteItems";
        let table = "arn:aws:dynamodb:eu-west-1:000000000000:table/t";
        let calls = asked("POST", "/", "dynamodb", target, &body);
        assert_eq!(
            calls,
            [
                format!("dynamodb:PutItem {table} dynamodb:LeadingKeys=TEN#x"),
                format!("dynamodb:ConditionCheckItem {table} dynamodb:LeadingKeys=DUE#x"),
                format!("dynamodb:DeleteItem {table} dynamodb:LeadingKeys=DUE#x"),
            ]
        );
        let body = json!({ "TableName": "t", "KeyConditionExpression": "pk = :v0 AND sk < :v1",
            "ExpressionAttributeValues": { ":v0": { "S": "DUE#3" }, ":v1": { "S": "DUE" } } });
        let calls = asked("POST", "/", "dynamodb", "DynamoDB_20120810.Query", &body);
        assert_eq!(calls, [format!("dynamodb:Query {table} dynamodb:LeadingKeys=DUE#x")]);
    }

    #[test]
    fn a_secret_is_opened_by_its_service_in_the_callers_name() {
        let arn = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:crm-sync/app-a1B2c3";
        let body = json!({ "SecretId": arn });
        let calls = asked("POST", "/", "secretsmanager", "secretsmanager.GetSecretValue", &body);
        assert_eq!(
            calls,
            [
                "secretsmanager:GetSecretValue \
             arn:aws:secretsmanager:eu-west-1:000000000000:secret:crm-sync/app",
                "kms:Decrypt arn:aws:kms:eu-west-1:000000000000:key/KEY \
             kms:ViaService=secretsmanager.eu-west-1.amazonaws.com",
            ]
        );
    }

    #[test]
    fn an_object_is_known_by_its_class_and_a_signed_address_by_who_signed_it() {
        let calls = asked("PUT", "/b/runs/ten_01/pages/7?partNumber=1", "s3", "", &Value::Null);
        assert_eq!(calls, ["s3:PutObject arn:aws:s3:::BUCKET/runs/x/pages/x"]);
        let calls = asked("DELETE", "/b/runs/7?uploadId=1", "s3", "", &Value::Null);
        assert_eq!(calls, ["s3:AbortMultipartUpload arn:aws:s3:::BUCKET/runs/x"]);
        let uri = "/b/directory/9?X-Amz-Credential=api%2F20261201%2Feu-west-1%2Fs3%2Faws4_request";
        let calls = read(&Method::PUT, &uri.parse().unwrap(), &HeaderMap::new(), b"");
        assert_eq!((calls[0].function.as_str(), calls[0].action.as_str()), ("api", "s3:PutObject"));
    }

    #[test]
    fn each_of_several_objects_to_delete_is_a_call() {
        let body = "<Delete><Object><Key>runs/1/a</Key></Object>\
                    <Object><Key>exports/2</Key></Object></Delete>";
        assert_eq!(named_in(body.as_bytes()), ["runs/1/a", "exports/2"]);
    }

    #[test]
    fn a_data_key_comes_with_its_purpose_and_not_with_whose_it_is() {
        let body = json!({ "EncryptionContext": { "purpose": "records", "scope": "ten_01" } });
        let calls = asked("POST", "/", "kms", "TrentService.Decrypt", &body);
        assert_eq!(
            calls,
            ["kms:Decrypt arn:aws:kms:eu-west-1:000000000000:key/KEY \
             kms:EncryptionContext:purpose=records kms:EncryptionContext:scope=x \
             kms:EncryptionContextKeys=purpose|scope"]
        );
    }
}
