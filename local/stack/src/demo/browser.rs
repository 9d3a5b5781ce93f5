//! A browser that does a person's part: of an authorization, which is to log in, allow and come
//! back; and of the console.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use html5gum::{DefaultEmitter, Token, Tokenizer};
use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{RequestBuilder, StatusCode};
use url::Url;

use crate::net;

/// Pages and redirects that one login may take.
const MOST_PAGES: usize = 12;

/// A browser with its cookies, which it sends back to the host and port that they came from.
#[derive(Debug)]
pub(super) struct Browser {
    client: reqwest::Client,
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

/// A form of a page, with the values that it came with.
#[derive(Debug, Default, PartialEq, Eq)]
struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

#[derive(Debug)]
struct WebPage {
    address: Url,
    status: StatusCode,
    text: String,
}

impl Browser {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self { client: net::client()?, cookies: BTreeMap::new() })
    }

    /// Opens the authorization's address, logs in as `username`, allows what is asked, and follows
    /// the way back to our callback.
    ///
    /// # Errors
    /// When the callback refuses, with what it said.
    pub(super) async fn authorize(
        &mut self,
        address: &str,
        username: &str,
        callback: &str,
    ) -> anyhow::Result<()> {
        let mut page = self.open(Url::parse(address)?).await?;
        for _ in 0..MOST_PAGES {
            if page.address.as_str().starts_with(callback) {
                ensure!(
                    page.status.is_success(),
                    "the callback answered {}: {}",
                    page.status,
                    page.text
                );
                return Ok(());
            }
            ensure!(
                page.status.is_success(),
                "{} answered {}: {}",
                page.address,
                page.status,
                page.text
            );
            let Some(form) = forms(&page.text).into_iter().next() else {
                bail!("there is no form on {}: {}", page.address, page.text);
            };
            page = self.submit(&page.address, form, username).await?;
        }
        bail!("the login did not end in {MOST_PAGES} pages")
    }

    /// Follows a link to the console, and logs in by the form that it shows.
    ///
    /// # Errors
    /// When the link opens nothing.
    pub(super) async fn log_in(&mut self, link: Url) -> anyhow::Result<()> {
        let page = self.open(link).await?;
        let form = forms(&page.text).into_iter().next();
        let form = form.with_context(|| format!("the link does not log in: {}", page.text))?;
        let begin = self.submit(&page.address, form, "").await?;
        ensure!(begin.status.is_success(), "{} answered {}", begin.address, begin.status);
        Ok(())
    }

    /// What a page says.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn read(&mut self, address: Url) -> anyhow::Result<String> {
        let page = self.open(address).await?;
        ensure!(page.status.is_success(), "{} answered {}", page.address, page.status);
        Ok(page.text)
    }

    async fn open(&mut self, address: Url) -> anyhow::Result<WebPage> {
        let request = self.client.get(address.clone());
        self.follow(address, request).await
    }

    async fn submit(&mut self, page: &Url, form: Form, username: &str) -> anyhow::Result<WebPage> {
        let address = page.join(&form.action)?;
        let filled: Vec<(String, String)> =
            form.fields.into_iter().map(|(name, value)| fill(name, value, username)).collect();
        let request = self.client.post(address.clone()).form(&filled);
        self.follow(address, request).await
    }

    /// Takes the cookies of an answer that came from `address`.
    pub(super) fn keep(&mut self, address: &Url, answer: &HeaderMap) -> anyhow::Result<()> {
        for cookie in answer.get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.jar(address).insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        Ok(())
    }

    fn jar(&mut self, address: &Url) -> &mut BTreeMap<String, String> {
        self.cookies.entry(address.authority().to_owned()).or_default()
    }

    async fn follow(
        &mut self,
        mut address: Url,
        mut request: RequestBuilder,
    ) -> anyhow::Result<WebPage> {
        for _ in 0..MOST_PAGES {
            let jar = self.jar(&address);
            if !jar.is_empty() {
                let cookies: Vec<String> = jar.iter().map(|(k, v)| format!("{k}={v}")).collect();
                request = request.header(COOKIE, cookies.join("; "));
            }
            let answer = request.send().await.with_context(|| format!("open {address}"))?;
            self.keep(&address, answer.headers())?;
            let status = answer.status();
            let Some(location) = answer.headers().get(LOCATION).filter(|_| status.is_redirection())
            else {
                return Ok(WebPage { address, status, text: answer.text().await? });
            };
            address = address.join(location.to_str()?)?;
            request = self.client.get(address.clone());
        }
        bail!("too many redirects, the last to {address}")
    }
}

/// Fills a login form: the simulator takes any password.
fn fill(name: String, value: String, username: &str) -> (String, String) {
    match name.as_str() {
        "username" | "un" => (name, username.to_owned()),
        "password" | "pw" if value.is_empty() => (name, "any".to_owned()),
        _ => (name, value),
    }
}

fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut inside = false;
    for Ok(token) in Tokenizer::new_with_emitter(html, DefaultEmitter::default()) {
        match token {
            Token::StartTag(tag) => {
                let attribute = |name: &[u8]| {
                    tag.attributes
                        .get(name)
                        .map(|v| String::from_utf8_lossy(v).into_owned())
                        .unwrap_or_default()
                };
                match tag.name.as_slice() {
                    b"form" => {
                        inside = true;
                        forms.push(Form { action: attribute(b"action"), fields: Vec::new() });
                    }
                    // Of several submit buttons a person presses the first: allow, not deny.
                    b"input" | b"button" if inside && !attribute(b"name").is_empty() => {
                        let name = attribute(b"name");
                        if let Some(form) = forms.last_mut()
                            && form.fields.iter().all(|(known, _)| *known != name)
                        {
                            form.fields.push((name, attribute(b"value")));
                        }
                    }
                    _ => {}
                }
            }
            Token::EndTag(tag) if tag.name.as_slice() == b"form" => inside = false,
            _ => {}
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_with_its_hidden_fields_and_its_first_button() {
        let html = "<p>Allow?</p><form method=post action='/allow?x=1&amp;y=2'><input type=hidden \
                    name=token value='a&amp;b'><button name=decision value=allow>Allow</button>\
                    <button name=decision value=deny>Deny</button></form><input name=outside>";
        let expected = Form {
            action: "/allow?x=1&y=2".to_owned(),
            fields: vec![("token".into(), "a&b".into()), ("decision".into(), "allow".into())],
        };
        assert_eq!(forms(html), [expected]);
    }

    #[test]
    fn a_login_form_is_filled_and_everything_else_kept() {
        assert_eq!(fill("un".into(), String::new(), "ada"), ("un".into(), "ada".into()));
        assert_eq!(fill("pw".into(), String::new(), "ada"), ("pw".into(), "any".into()));
        assert_eq!(fill("token".into(), "t".into(), "ada"), ("token".into(), "t".into()));
    }
}
