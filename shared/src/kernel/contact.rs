//! Where somebody writes who found a weakness.

use url::Url;

/// The address of a contact: `mailto:` or `https:`.
#[must_use]
pub fn security_contact(text: &str) -> Option<Url> {
    let is_plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let url = Url::parse(text).ok().filter(|_| is_plain)?;
    matches!(url.scheme(), "mailto" | "https").then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_an_address_to_write_to() {
        for text in ["mailto:security@crm.example", "https://crm.example/security"] {
            assert_eq!(security_contact(text).unwrap().as_str(), text);
        }
        let wrong =
            ["", "security@crm.example", "http://crm.example", "mailto:a@b.example\nContact: x"];
        for text in wrong {
            assert_eq!(security_contact(text), None, "{text}");
        }
    }
}
