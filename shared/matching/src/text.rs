//! Text folding and the hashes that stand for folded text.
//!
//! Invariant: [`fold`] is idempotent and its output is lower-case ASCII letters and digits in words
//! parted by single spaces.
#![allow(
    clippy::cast_possible_truncation,
    reason = "hashes are cut to the width of their column on purpose"
)]

use unicode_normalization::UnicodeNormalization as _;
use xxhash_rust::xxh3::xxh3_64;

/// The longest input read from one field, in bytes. The rest of a 10 MB field says nothing about
/// identity.
pub const FIELD_LIMIT: usize = 512;

/// The 64-bit hash of some bytes.
#[must_use]
pub fn hash64(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// The 32-bit hash that stands for a folded value ("interned id") in shards, probes and statistics.
///
/// Never 0, which stands for "no value".
#[must_use]
pub fn hash32(bytes: &[u8]) -> u32 {
    (xxh3_64(bytes) as u32).max(1)
}

/// Cuts a text at [`FIELD_LIMIT`] bytes, at a character boundary.
#[must_use]
pub fn clip(text: &str) -> &str {
    if text.len() <= FIELD_LIMIT {
        return text;
    }
    let mut end = FIELD_LIMIT;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Lower-cases, transliterates to ASCII and reduces everything but letters and digits to single
/// spaces.
///
/// Apostrophes vanish (`O'Brien` is `obrien`), and so do zero-width characters, soft hyphens and
/// emoji. A text decoded with the wrong code page is repaired first.
#[must_use]
pub fn fold(text: &str) -> String {
    let text = clip(text);
    let mut out = String::with_capacity(text.len());
    if text.is_ascii() {
        for byte in text.bytes() {
            push_ascii(&mut out, byte);
        }
    } else {
        let repaired = repair_code_page(text);
        for character in repaired.as_deref().unwrap_or(text).nfkc() {
            push_unicode(&mut out, character);
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

fn push_ascii(out: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() {
        out.push(byte.to_ascii_lowercase() as char);
    } else if byte != b'\'' && byte != b'`' && byte != 0 && !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

fn push_unicode(out: &mut String, character: char) {
    if character.is_ascii() {
        push_ascii(out, character as u8);
        return;
    }
    if is_invisible(character) {
        return;
    }
    match character {
        // Typographic apostrophes join as the plain one does.
        '\u{2018}' | '\u{2019}' | '\u{02bc}' | '\u{b4}' => {}
        _ => {
            for byte in deunicode::deunicode_char(character).unwrap_or(" ").bytes() {
                push_ascii(out, byte);
            }
        }
    }
}

/// Zero-width characters, marks, variation selectors and emoji: shown or not, they name nobody.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{2600}'..='\u{27bf}'
        | '\u{1f000}'..='\u{1faff}' | '\u{e0000}'..='\u{e007f}')
}

/// Reads UTF-8 that was decoded as Windows-1252 (`JosÃ©`) once more as UTF-8; `None` if the text is
/// not of that kind.
fn repair_code_page(text: &str) -> Option<String> {
    if !text.contains(['\u{c2}', '\u{c3}', '\u{c4}', '\u{c5}']) {
        return None;
    }
    let bytes: Option<Vec<u8>> = text.chars().map(windows_1252_byte).collect();
    String::from_utf8(bytes?).ok()
}

fn windows_1252_byte(character: char) -> Option<u8> {
    // The 27 places where Windows-1252 differs from Latin-1, from the Unicode mapping table
    // CP1252.TXT.
    const HIGH: [(char, u8); 27] = [
        ('\u{20ac}', 0x80),
        ('\u{201a}', 0x82),
        ('\u{192}', 0x83),
        ('\u{201e}', 0x84),
        ('\u{2026}', 0x85),
        ('\u{2020}', 0x86),
        ('\u{2021}', 0x87),
        ('\u{2c6}', 0x88),
        ('\u{2030}', 0x89),
        ('\u{160}', 0x8a),
        ('\u{2039}', 0x8b),
        ('\u{152}', 0x8c),
        ('\u{17d}', 0x8e),
        ('\u{2018}', 0x91),
        ('\u{2019}', 0x92),
        ('\u{201c}', 0x93),
        ('\u{201d}', 0x94),
        ('\u{2022}', 0x95),
        ('\u{2013}', 0x96),
        ('\u{2014}', 0x97),
        ('\u{2dc}', 0x98),
        ('\u{2122}', 0x99),
        ('\u{161}', 0x9a),
        ('\u{203a}', 0x9b),
        ('\u{153}', 0x9c),
        ('\u{17e}', 0x9e),
        ('\u{178}', 0x9f),
    ];
    match u32::from(character) {
        code @ 0..=0xff => Some(code as u8),
        _ => HIGH.iter().find(|(high, _)| *high == character).map(|(_, byte)| *byte),
    }
}

/// Makes both spellings of an umlaut one: `mueller` and `muller` give `muller`, `aagaard` and
/// `agaard` give `agaard`.
///
/// Words of three letters are left alone (`Sue`, `Mae`, `Joe`).
#[must_use]
pub fn collapse_umlauts(word: &str) -> String {
    if word.len() <= 3 {
        return word.to_owned();
    }
    let mut out = String::with_capacity(word.len());
    for here in word.chars() {
        let doubled = match here {
            'e' => out.ends_with(['a', 'o', 'u']),
            'a' => out.ends_with('a'),
            _ => false,
        };
        if !doubled {
            out.push(here);
        }
    }
    out
}

/// The bigrams of a word as a 64-bit set, for a cheap "cannot be similar" test.
#[must_use]
pub fn bigram_signature(word: &[u8]) -> u64 {
    word.windows(2).fold(0, |set, pair| {
        let mixed = u32::from(pair[0])
            .wrapping_mul(31)
            .wrapping_add(u32::from(pair[1]))
            .wrapping_mul(0x9e37_79b1);
        set | 1 << (mixed >> 26)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_name_fold_alike() {
        assert_eq!(fold("  O'BRIEN "), "obrien");
        assert_eq!(fold("Jos\u{e9}"), fold("Jose\u{301}"));
        assert_eq!(fold("Stra\u{df}e"), "strasse");
        assert_eq!(fold("JosÃ©"), "jose");
        assert_eq!(fold("\u{feff}Ja\u{ad}ne\u{200d} 🚀"), "jane");
        assert_eq!(fold("王伟"), "wang wei");
        assert_eq!(collapse_umlauts("mueller"), "muller");
        assert_eq!(collapse_umlauts("sue"), "sue");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in ".{0,60}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }
    }
}
