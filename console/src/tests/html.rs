//! What a browser would make of a page, as far as it matters here: tags, attributes, and texts with
//! what they are in.

use html5gum::{DefaultEmitter, Token, Tokenizer};

/// The elements that have no end.
const VOID: [&str; 6] = ["meta", "link", "input", "br", "img", "hr"];

/// Elements whose text cannot reorder what is beside it: they are isolated by themselves or by the
/// stylesheet, or stand alone.
const ISOLATING: [&str; 7] = ["bdi", "code", "td", "th", "dd", "title", "option"];

/// An element as it begins.
#[derive(Debug, Clone)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
}

impl Tag {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn isolates(&self) -> bool {
        ISOLATING.contains(&self.name.as_str()) || self.attribute("dir").is_some()
    }
}

/// A page's tags, and its texts with the elements that they are in.
pub(super) fn parse(html: &str) -> (Vec<Tag>, Vec<(Vec<Tag>, String)>) {
    let (mut tags, mut texts, mut open) = (Vec::new(), Vec::new(), Vec::<Tag>::new());
    let string = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut goes_on = false;
    for Ok(token) in Tokenizer::new_with_emitter(html, DefaultEmitter::default()) {
        let went_on = std::mem::replace(&mut goes_on, matches!(token, Token::String(_)));
        match token {
            Token::String(text) if went_on => {
                let (_, before) = texts.last_mut().unwrap_or_else(|| unreachable!("it went on"));
                let before: &mut String = before;
                before.push_str(&string(&text));
            }
            Token::StartTag(start) => {
                let attributes = start.attributes.iter();
                let attributes = attributes.map(|(key, value)| (string(key), string(value)));
                let tag = Tag { name: string(&start.name), attributes: attributes.collect() };
                tags.push(tag.clone());
                if !VOID.contains(&tag.name.as_str()) && !start.self_closing {
                    open.push(tag);
                }
            }
            Token::EndTag(end) => {
                let name = string(&end.name);
                let at = open.iter().rposition(|tag| tag.name == name);
                let at = at.unwrap_or_else(|| panic!("</{name}> ends nothing"));
                open.truncate(at);
            }
            Token::String(text) => texts.push((open.clone(), string(&text))),
            _ => {}
        }
    }
    (tags, texts)
}

/// Holds a page to what no text of an org may change: nothing runs, nothing is styled inline,
/// nothing leads elsewhere.
#[track_caller]
pub(super) fn assert_inert(html: &str) {
    let (tags, texts) = parse(html);
    for tag in &tags {
        for (name, value) in &tag.attributes {
            assert!(!name.starts_with("on") && name != "style", "{tag:?}");
            if ["href", "src", "action", "formaction"].contains(&name.as_str()) {
                let ours = value.starts_with("/console") || value == "#main";
                let login = tag.attribute("target") == Some("_blank");
                assert!(ours || login && value.starts_with("https://"), "{tag:?}");
            }
        }
        let known = ["script", "style", "iframe", "object", "embed", "base", "img", "math"];
        if known.contains(&tag.name.as_str()) {
            let src = tag.attribute("src").unwrap_or_default();
            assert!(tag.name == "script" && src.starts_with("/console/assets/"), "{tag:?}");
        }
    }
    for (within, text) in texts {
        assert!(!within.iter().any(|tag| tag.name == "script"), "an inline script: {text}");
    }
}

/// Holds every text with a bidirectional control to an element that isolates it.
#[track_caller]
pub(super) fn assert_isolated(html: &str, marker: char) {
    for (within, text) in parse(html).1 {
        if text.contains(marker) {
            let path: Vec<&str> = within.iter().map(|tag| tag.name.as_str()).collect();
            let start: String = text.chars().take(40).collect();
            assert!(within.iter().any(Tag::isolates), "{path:?}: {start}");
        }
    }
}
