//! A client of our own API, for one caller.

use anyhow::{Context, bail};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::net;

/// Calls the API with one caller's token.
#[derive(Debug, Clone)]
pub(super) struct Api {
    base: String,
    token: String,
    client: reqwest::Client,
}

impl Api {
    pub(super) fn new(base: &str, token: String) -> anyhow::Result<Self> {
        Ok(Self { base: base.to_owned(), token, client: net::client()? })
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None, None).await
    }

    /// The resource, or none while there is none.
    pub(super) async fn find(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let answer = self.request(Method::GET, path).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        read(answer).await.map(Some).with_context(|| format!("GET {path}"))
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body), None).await
    }

    /// A post with the headers of its answer, for the cookies that a browser takes from it.
    pub(super) async fn post_for_cookies(
        &self,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(Value, HeaderMap)> {
        let answer = self.request(Method::POST, path).json(body).send().await?;
        let headers = answer.headers().clone();
        Ok((read(answer).await.with_context(|| format!("POST {path}"))?, headers))
    }

    /// A post that may be sent again: the same key does the same once.
    pub(super) async fn post_once(
        &self,
        path: &str,
        key: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body), Some(key)).await
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::PUT, path, Some(body), None).await
    }

    pub(super) async fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::PATCH, path, Some(body), None).await
    }

    pub(super) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::DELETE, path, None, None).await
    }

    /// All items of a listing that comes in pages of `items` and `next`.
    pub(super) async fn all(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = if cursor.is_empty() {
                self.get(path).await?
            } else {
                self.get(&format!("{path}{separator}cursor={cursor}")).await?
            };
            items.extend(page["items"].as_array().into_iter().flatten().cloned());
            match page["next"].as_str() {
                Some(next) => {
                    cursor = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
                }
                None => return Ok(items),
            }
        }
    }

    /// Sends a file to an address that the API gave for it.
    pub(super) async fn upload(&self, address: &str, body: Vec<u8>) -> anyhow::Result<()> {
        let answer = self.client.put(address).body(body).send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("the upload was answered with {status}: {}", answer.text().await?);
        }
        Ok(())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> anyhow::Result<Value> {
        let mut request = self.request(method.clone(), path);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = request.send().await.with_context(|| format!("{method} {path}"))?;
        read(answer).await.with_context(|| format!("{method} {path}"))
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }
}

async fn read(answer: reqwest::Response) -> anyhow::Result<Value> {
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("the API answered {status}: {text}");
    }
    if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
}
