//! Phone numbers: their last digits, and the extension apart.

use smallvec::SmallVec;

use crate::text::{clip, hash32};

/// A phone number as it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phone {
    /// The last eight digits as an id: they are the same with or without country and trunk
    /// prefixes.
    pub key: u32,
    /// The extension as an id, 0 for none.
    pub extension: u32,
}

/// Marks of an extension. They are looked for behind the number only: text may stand before it.
const EXTENSION_MARKS: [&str; 9] =
    ["ext", "x", "#", "durchwahl", "dw", "poste", "anexo", "ramal", "int"];

/// Words between two numbers in one field.
const BETWEEN: [&str; 6] = [" or ", " oder ", " ou ", " and ", " und ", " et "];

/// The fewest digits of a number.
const SHORTEST: usize = 7;

fn digits(text: &str) -> String {
    let digits = text.chars().filter_map(|character| character.to_digit(10));
    digits.filter_map(|digit| char::from_digit(digit, 10)).collect()
}

/// The digits of a phone, its extension apart; `None` for placeholders and what is no phone.
#[must_use]
pub fn phone_parts(text: &str) -> Option<(String, Option<String>)> {
    let lower = clip(text).to_lowercase();
    if is_scientific(&lower) {
        return None;
    }
    let mut seen = 0;
    let behind = lower.char_indices().find(|(_, character)| {
        seen += usize::from(character.is_ascii_digit());
        seen >= SHORTEST
    });
    let behind = behind.map_or(lower.len(), |(at, _)| at + 1);
    let marks = EXTENSION_MARKS.iter().filter_map(|mark| lower[behind..].find(mark));
    let cut = marks.min().map_or(lower.len(), |at| behind + at);
    let main = digits(&lower[..cut].replace("(0)", ""));
    let extension = Some(digits(&lower[cut..])).filter(|extension| !extension.is_empty());
    let significant = main.trim_start_matches('0');
    if significant.len() < SHORTEST || main.len() > 17 || is_placeholder_number(significant) {
        return None;
    }
    Some((main, extension))
}

/// True for `4.15556E+09`: a spreadsheet threw digits away, and many numbers look like that.
fn is_scientific(lower: &str) -> bool {
    let number = |text: &str| {
        let text = text.trim();
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b'+'))
    };
    lower.split_once('e').is_some_and(|(mantissa, exponent)| {
        number(mantissa) && number(exponent.trim_start_matches('-'))
    })
}

fn is_placeholder_number(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    let tail = &bytes[bytes.len().saturating_sub(7)..];
    let runs =
        |step: i16| tail.windows(2).all(|pair| i16::from(pair[1]) - i16::from(pair[0]) == step);
    let up = runs(1) || digits.contains("1234567");
    runs(0) || up || runs(-1)
}

/// The numbers of a phone field, which may hold several.
#[must_use]
pub fn phones(text: &str) -> SmallVec<[Phone; 2]> {
    let mut apart = clip(text).to_lowercase();
    for word in BETWEEN {
        apart = apart.replace(word, ";");
    }
    let mut found = SmallVec::new();
    // A part too short for a number belongs to its neighbour: `089/1234567`, `5550170, ext 3`.
    let mut open = String::new();
    for part in apart.split([';', '/', '|', ',', '\n']) {
        if digits(&open).len() >= SHORTEST && digits(part).len() >= SHORTEST {
            push(&open, &mut found);
            open.clear();
        }
        open.push_str(part);
    }
    push(&open, &mut found);
    found
}

fn push(text: &str, found: &mut SmallVec<[Phone; 2]>) {
    let Some((number, extension)) = phone_parts(text) else { return };
    let key = hash32(&number.as_bytes()[number.len().saturating_sub(8)..]);
    let extension = extension.map_or(0, |extension| hash32(extension.as_bytes()));
    let phone = Phone { key, extension };
    if found.len() < 4 && !found.contains(&phone) {
        found.push(phone);
    }
}

/// The last eight digits of a field's first phone as an id.
#[must_use]
pub fn phone_key(text: &str) -> Option<u32> {
    phones(text).first().map(|phone| phone.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn phones_agree_on_their_last_digits() {
        let same = ["+1 (415) 555-0199 x12", "001 415 555 0199", "415.555.0199", "4155550199"];
        assert!(
            same.iter()
                .all(|text| phone_key(text) == phone_key(same[0]) && phone_key(text).is_some())
        );
        assert_eq!(
            phone_parts(same[0]).and_then(|(_, extension)| extension).as_deref(),
            Some("12")
        );
        assert_eq!(phone_key("+44 (0)20 7946 0958"), phone_key("0044 20 7946 0958"));
        for placeholder in ["0000000000", "1234567890", "999-999-9999", "123", "n/a"] {
            assert_eq!(phone_key(placeholder), None, "{placeholder}");
        }
    }

    #[test]
    fn a_number_keeps_its_digits_whatever_stands_around_it() {
        let plain = phone_key("+49 69 555 01880");
        for text in ["Fax/Mex: +49 69 555 01880", "tel. +49 69 555 01880", "x: 069/555-01880"] {
            assert_eq!(phone_key(text), plain, "{text}");
        }
        for lost in ["4.15556E+09", "4,15556e+09", "4E9", "4.15556E+09 "] {
            assert_eq!(phone_key(lost), None, "{lost}");
        }
    }

    #[test]
    fn a_field_may_hold_several_numbers_and_extensions() {
        let keys = |text: &str| phones(text).iter().map(|phone| phone.key).collect::<Vec<_>>();
        let one = "020 7946 0711";
        let other = "020 7946 0712";
        for between in [" / ", "; ", ", ", " or ", " oder ", "\n"] {
            let both = keys(&format!("{one}{between}{other}"));
            assert_eq!(both, [keys(one), keys(other)].concat(), "{between}");
        }
        assert_eq!(keys("089/47118150").len(), 1);
        let extension = |text: &str| phones(text)[0].extension;
        assert_ne!(extension("+1 612 555 0170 x103"), extension("+1 612 555 0170 ext. 102"));
        assert_eq!(extension("+1 612 555 0170 x103"), extension("612-555-0170, ext 103"));
        assert_eq!(extension("+1 612 555 0170"), 0);
    }

    proptest! {
        #[test]
        fn normal_forms_are_their_own_normal_forms(phone in "[+]?[0-9 ()./-]{5,22}") {
            if let Some((digits, _)) = phone_parts(&phone) {
                let again = phone_parts(&digits).map(|(digits, _)| digits);
                prop_assert_eq!(again, Some(digits));
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,40}") {
            let _ = phones(&text);
        }
    }
}
