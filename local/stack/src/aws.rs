//! The few calls to AWS that running a stack takes, over plain HTTP: the emulator checks no
//! signature.

use anyhow::{Context, bail};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::net;

/// The emulated AWS account of a stack.
#[derive(Debug, Clone)]
pub struct Aws {
    endpoint: String,
    client: reqwest::Client,
}

impl Aws {
    /// The region that everything is deployed to.
    pub const REGION: &str = "eu-west-1";
    /// The only account whose HTTP APIs the emulator answers for.
    pub const ACCOUNT: &str = "000000000000";

    pub(crate) fn at(port: u16) -> anyhow::Result<Self> {
        Self::at_address(&format!("http://127.0.0.1:{port}"))
    }

    pub(crate) fn at_address(endpoint: &str) -> anyhow::Result<Self> {
        Ok(Self { endpoint: endpoint.to_owned(), client: net::client()? })
    }

    /// The address that an SDK is pointed at (`AWS_ENDPOINT_URL`).
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let answer = self.client.get(format!("{}/_ministack/ready", self.endpoint)).send().await;
        answer.is_ok_and(|a| a.status().is_success())
    }

    /// Calls an operation of a service that speaks JSON, such as
    /// `json("dynamodb", "DynamoDB_20120810.Query", …)`.
    pub async fn json(&self, service: &str, target: &str, input: &Value) -> anyhow::Result<Value> {
        let version = if service == "dynamodb" || service == "sqs" { "1.0" } else { "1.1" };
        let text = self
            .call(
                self.request(Method::POST, service, "/")
                    .header("x-amz-target", target)
                    .header(CONTENT_TYPE, format!("application/x-amz-json-{version}"))
                    .body(input.to_string()),
            )
            .await
            .with_context(|| format!("call {target}"))?;
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    /// Calls a `CloudFormation` action and returns its XML.
    pub(crate) async fn cloudformation(
        &self,
        action: &str,
        input: &[(String, String)],
    ) -> anyhow::Result<String> {
        let mut form = vec![
            ("Action".to_owned(), action.to_owned()),
            ("Version".to_owned(), "2010-05-15".to_owned()),
        ];
        form.extend_from_slice(input);
        self.call(self.request(Method::POST, "cloudformation", "/").form(&form))
            .await
            .with_context(|| format!("call CloudFormation {action}"))
    }

    /// Makes a bucket.
    pub(crate) async fn create_bucket(&self, bucket: &str) -> anyhow::Result<()> {
        let configuration = format!(
            "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></\
             CreateBucketConfiguration>",
            Self::REGION
        );
        self.call(self.request(Method::PUT, "s3", &format!("/{bucket}")).body(configuration))
            .await
            .with_context(|| format!("create the bucket {bucket}"))?;
        Ok(())
    }

    /// Stores an object.
    pub(crate) async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<()> {
        self.call(self.request(Method::PUT, "s3", &format!("/{bucket}/{key}")).body(body))
            .await
            .with_context(|| format!("store {key}"))?;
        Ok(())
    }

    /// The keys of a bucket's objects that begin with `prefix`; up to a thousand.
    pub async fn object_keys(&self, bucket: &str, prefix: &str) -> anyhow::Result<Vec<String>> {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("list-type", "2"), ("prefix", prefix)])
            .finish();
        let text = self
            .call(self.request(Method::GET, "s3", &format!("/{bucket}?{query}")))
            .await
            .with_context(|| format!("list {bucket}"))?;
        let document = roxmltree::Document::parse(&text)?;
        let keys = document.descendants().filter(|n| n.has_tag_name_anywhere("Key"));
        Ok(keys.filter_map(|n| n.text().map(str::to_owned)).collect())
    }

    /// How many messages a queue holds: waiting, delayed and in work.
    pub async fn queue_depth(&self, queue: &str) -> anyhow::Result<u64> {
        let input = json!({
            "QueueUrl": format!("{}/{}/{queue}", self.endpoint, Self::ACCOUNT),
            "AttributeNames": ["All"],
        });
        let answer = self.json("sqs", "AmazonSQS.GetQueueAttributes", &input).await?;
        let count = |name: &str| {
            let value = answer["Attributes"][name].as_str().unwrap_or_default();
            value.parse::<u64>().with_context(|| format!("{queue} has no {name}"))
        };
        Ok(count("ApproximateNumberOfMessages")?
            + count("ApproximateNumberOfMessagesDelayed")?
            + count("ApproximateNumberOfMessagesNotVisible")?)
    }

    /// Invokes a function with `event` and returns its answer.
    ///
    /// # Errors
    /// When the function reports an error.
    pub async fn invoke(&self, function: &str, event: &Value) -> anyhow::Result<Value> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let request = self.request(Method::POST, "lambda", &path).body(event.to_string());
        let answer = request.send().await.with_context(|| format!("invoke {function}"))?;
        let failed = answer.headers().contains_key("x-amz-function-error");
        let status = answer.status();
        let text = answer.text().await?;
        if failed || !status.is_success() {
            bail!("{function} failed ({status}): {}", beginning(&text));
        }
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    fn request(&self, method: Method, service: &str, path: &str) -> reqwest::RequestBuilder {
        // The emulator tells services apart by the scope of the signature.
        let credential = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0",
            Self::ACCOUNT,
            Self::REGION
        );
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&credential) {
            headers.insert(AUTHORIZATION, value);
        }
        self.client.request(method, format!("{}{path}", self.endpoint)).headers(headers)
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> anyhow::Result<String> {
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("the emulator answered {status}: {}", beginning(&text));
        }
        Ok(text)
    }
}

/// Enough of an error to understand it.
fn beginning(text: &str) -> String {
    text.chars().take(600).collect()
}

/// Names without their namespace, which AWS changes from service to service.
pub(crate) trait LocalName {
    fn has_tag_name_anywhere(&self, name: &str) -> bool;
}

impl LocalName for roxmltree::Node<'_, '_> {
    fn has_tag_name_anywhere(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}
