//! JSON whose texts cannot all be decoded.
//!
//! A text that was cut by its length in UTF-16 may end in half a character. Salesforce then writes
//! a lone surrogate, as `\ud83d` or in bytes that are not UTF-8, and no decoder takes the whole
//! answer for it. U+FFFD takes the half's place, as long as it has.

/// A JSON text with U+FFFD for what cannot be decoded; none when there is no such thing in it.
pub(super) fn mended(json: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(json);
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    let mut is_mended = matches!(text, std::borrow::Cow::Owned(_));
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (taken, put) = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => (12, &rest[..12]),
            (Some(0xd800..0xe000), _) => (6, "\\ufffd"),
            // An escaped backslash is no escape's beginning.
            _ => {
                let taken = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                (taken, &rest[..taken])
            }
        };
        is_mended |= put.len() != taken || !rest.starts_with(put);
        out.push_str(put);
        rest = &rest[taken..];
    }
    out.push_str(rest);
    is_mended.then(|| out.into_bytes())
}

/// The code unit of an escape such as `\u00e9` at the start of a text.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &[u8]) -> Option<String> {
        serde_json::from_slice(&mended(json)?).ok()
    }

    #[test]
    fn halves_of_characters_are_marked_and_whole_ones_stay() {
        for (json, text) in [
            (&br#""Buyer \ud83d""#[..], "Buyer \u{fffd}"),
            (br#""\udc00 \ud83d\ude00 \ud83dx""#, "\u{fffd} 😀 \u{fffd}x"),
            (br#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (br#""\\ud83d \udfff""#, "\\ud83d \u{fffd}"),
            (b"\"a\xff\xc3\xa9\"", "a\u{fffd}é"),
        ] {
            assert_eq!(read(json).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_is_sound_or_broken_otherwise_is_left_alone() {
        for json in [&br#""\ud83d\ude00 \n \\""#[..], b"{", br#""\u12""#, b"\"\\", b"", b"<html>"] {
            assert_eq!(mended(json), None);
        }
    }
}
