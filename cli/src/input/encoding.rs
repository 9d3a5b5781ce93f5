//! Which encoding a file's text is in.
//!
//! UTF-8 and UTF-16 are told by their form. Of the one-byte encodings of the Latin script, the
//! product knows Windows-1252, Mac Roman and DOS's code page 850: in each, the others' accented
//! letters are symbols, or letters of the wrong case in the middle of a word. What is none of these
//! is told by its statistics. What could be two of them is refused: a name that is read wrongly is
//! worse than a file that is saved again.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding as Standard, MACINTOSH, UTF_16BE, UTF_16LE, WINDOWS_1252};
use oem_cp::code_table::DECODING_TABLE_CP850;

/// The encoding of a file's text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Encoding {
    /// UTF-8, whose faulty rows are repaired and counted one by one.
    Utf8,
    /// UTF-8 that was taken for Windows-1252 and written as UTF-8 once more.
    Utf8Twice,
    /// DOS's code page 850.
    Dos,
    /// An encoding of the web's standard.
    Standard(&'static Standard),
}

impl Encoding {
    /// The name in messages; none for the one that needs no mention.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Utf8 => None,
            Self::Utf8Twice => Some("UTF-8 encoded twice"),
            Self::Dos => Some("code page 850"),
            Self::Standard(standard) => Some(standard.name()),
        }
    }

    /// The text of some bytes, letter for byte where there is a table.
    fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Dos => bytes.iter().map(|&byte| dos(byte)).collect(),
            Self::Standard(standard) => standard.decode_without_bom_handling(bytes).0.into_owned(),
            Self::Utf8 | Self::Utf8Twice => String::from_utf8_lossy(bytes).into_owned(),
        }
    }
}

/// UTF-16 by its mark, or by the zeros in every other byte of its first lines; none for any other
/// encoding. The length of the mark comes with it.
pub(super) fn utf16(start: &[u8]) -> Option<(&'static Standard, usize)> {
    match start {
        [0xff, 0xfe, ..] => return Some((UTF_16LE, 2)),
        [0xfe, 0xff, ..] => return Some((UTF_16BE, 2)),
        _ => {}
    }
    let start = &start[..start.len().min(512)];
    let zeros = |odd: usize| {
        start.iter().enumerate().filter(|&(at, &byte)| at % 2 == odd && byte == 0).count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    // Names outside the Latin script have no zeros, the header's names and delimiters do.
    let most = start.len() / 5;
    if odd > most && even == 0 {
        Some((UTF_16LE, 0))
    } else if even > most && odd == 0 {
        Some((UTF_16BE, 0))
    } else {
        None
    }
}

/// The encoding of a text by a sample of it, which may begin and, unless it is the text's `end`,
/// end anywhere; none when it cannot be told.
pub(super) fn detect(sample: &[u8], end: bool) -> Option<Encoding> {
    let (good, bad) = utf8_characters(sample, end);
    if bad == 0 {
        return Some(if is_twice(sample) { Encoding::Utf8Twice } else { Encoding::Utf8 });
    }
    // In another encoding, hardly any two bytes happen to be UTF-8.
    if good > bad {
        return Some(Encoding::Utf8);
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, end);
    let guess = Encoding::Standard(detector.guess(None, Utf8Detection::Deny));
    let shares = LATIN.map(|known| (known, likely_share(&known.decode(sample))));
    let best = shares.iter().map(|(_, share)| *share).fold(0.0, f64::max);
    if best < LEAST_SHARE {
        return Some(guess).filter(|guess| guess.reads(sample, end));
    }
    let mut fitting = shares.into_iter().filter(|(_, share)| *share >= best);
    let first = fitting.next()?.0;
    if first == WESTERN {
        // Of equals, much the commonest. But the letters of Central Europe and Turkey lie where the
        // West has others.
        let is_other = guess.is_one_byte() && likely_share(&guess.decode(sample)) >= best;
        return Some(if is_other { guess } else { WESTERN });
    }
    fitting.next().is_none().then_some(first)
}

const WESTERN: Encoding = Encoding::Standard(WINDOWS_1252);

/// The one-byte encodings that are told apart by how letters lie in words.
const LATIN: [Encoding; 3] = [WESTERN, Encoding::Standard(MACINTOSH), Encoding::Dos];

/// So many of a text's characters beyond ASCII are likely where they stand, in the right encoding.
const LEAST_SHARE: f64 = 0.8;

impl Encoding {
    fn is_one_byte(self) -> bool {
        matches!(self, Self::Standard(standard) if standard.is_single_byte())
    }

    /// True if a sample is sound text in this encoding of another script.
    fn reads(self, sample: &[u8], end: bool) -> bool {
        let Self::Standard(standard) = self else { return false };
        let mut text = String::with_capacity(sample.len() * 3);
        let mut decoder = standard.new_decoder_without_bom_handling();
        let faulty = decoder.decode_to_string(sample, &mut text, end).2;
        let is_control = |c: char| ('\u{80}'..'\u{a0}').contains(&c);
        self != WESTERN && !faulty && !text.contains(is_control)
    }
}

/// A byte of code page 850.
pub(super) fn dos(byte: u8) -> char {
    match byte.checked_sub(0x80) {
        Some(at) => DECODING_TABLE_CP850[usize::from(at)],
        None => char::from(byte),
    }
}

/// The characters beyond ASCII that are UTF-8, and the faults.
fn utf8_characters(sample: &[u8], end: bool) -> (usize, usize) {
    let (mut good, mut bad) = (0, 0);
    let mut left = sample.len();
    for (at, chunk) in sample.utf8_chunks().enumerate() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        left -= chunk.valid().len() + chunk.invalid().len();
        let is_cut = left == 0 && !end && std::str::from_utf8(chunk.invalid()).is_err_and(is_short);
        // A sample may begin in the middle of a character.
        let begins_within = at == 0 && chunk.valid().is_empty() && chunk.invalid()[0] < 0xc0;
        bad += usize::from(!chunk.invalid().is_empty() && !is_cut && !begins_within);
    }
    (good, bad)
}

fn is_short(error: std::str::Utf8Error) -> bool {
    error.error_len().is_none()
}

/// The bytes that a text in Windows-1252 would have, if it were UTF-8 taken for that.
pub(super) fn once(text: &str) -> Option<Vec<u8>> {
    let (bytes, _, unmappable) = WINDOWS_1252.encode(text);
    let is_once = !unmappable && std::str::from_utf8(&bytes).is_ok();
    is_once.then(|| bytes.into_owned())
}

/// True if all that is not ASCII was encoded twice.
fn is_twice(sample: &[u8]) -> bool {
    let text = String::from_utf8_lossy(sample);
    let text = text.trim_matches('\u{fffd}');
    let mut runs = text.split(|c: char| c.is_ascii()).filter(|run| !run.is_empty()).peekable();
    // A run at the end of the sample may be cut.
    let last = text.rsplit(|c: char| c.is_ascii()).next().unwrap_or_default();
    runs.peek().is_some()
        && runs.all(|run| once(run).is_some() || std::ptr::eq(run.as_ptr(), last.as_ptr()))
        && text.split(|c: char| c.is_ascii()).any(|run| !run.is_empty() && once(run).is_some())
}

/// Signs that stand in texts of any encoding, beside words.
const SIGNS: &str = "‘“”„‚‹›«»–—…•·°©®™€£§½¼¾²³´¨¡¿\u{a0}";

/// Letters by their class, which hardly any name has.
const NO_LETTERS: &str = "ªºƒµÿŸı";

/// The share of characters beyond ASCII that are likely where they stand in a text of the Latin
/// script.
fn likely_share(text: &str) -> f64 {
    let chars: Vec<char> = text.chars().collect();
    let (mut likely, mut all) = (0_u32, 0_u32);
    for (at, &c) in chars.iter().enumerate().filter(|(_, c)| !c.is_ascii()) {
        let before = at.checked_sub(1).map_or(' ', |at| chars[at]);
        let after = chars.get(at + 1).copied().unwrap_or(' ');
        if let Some(is_likely) = is_likely(before, c, after) {
            all += 1;
            likely += u32::from(is_likely);
        }
    }
    if all == 0 { 0.0 } else { f64::from(likely) / f64::from(all) }
}

/// Says if a character is likely between its neighbours; none if that tells nothing.
fn is_likely(before: char, c: char, after: char) -> Option<bool> {
    let within = before.is_ascii_alphabetic() && after.is_ascii_alphabetic();
    if c == '’' {
        return within.then_some(true);
    }
    if SIGNS.contains(c) {
        return within.then_some(false);
    }
    if !c.is_alphabetic() || NO_LETTERS.contains(c) {
        return Some(false);
    }
    if !before.is_alphabetic() && !after.is_alphabetic() {
        return None;
    }
    let in_a_word = before.is_ascii_alphabetic() || after.is_ascii_alphabetic();
    let in_case = if c.is_uppercase() {
        !(before.is_lowercase() || before.is_uppercase() && after.is_lowercase())
    } else {
        !after.is_uppercase()
    };
    Some(in_a_word && in_case)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text in an encoding of the standard.
    fn encoded(text: &str, label: &str) -> Vec<u8> {
        let (bytes, _, faulty) = Standard::for_label(label.as_bytes()).unwrap().encode(text);
        assert!(!faulty, "{text}");
        bytes.into_owned()
    }

    const NORTH: &str = "Jörg;Hülsbeck;Münster\nSøren;Grønbæk;Isværk;Økonomichef\nÅse;Bjørnå\n";

    #[test]
    fn the_encodings_of_the_latin_script_are_told_apart() {
        let west = "René;Désirée O’Brien;Müller–Lüdenscheidt\nMÜLLER;FRANÇOIS;Ñandú\n";
        for label in ["windows-1252", "macintosh"] {
            for text in [NORTH, west] {
                let found = detect(&encoded(text, label), true);
                assert_eq!(
                    found.map(|found| found.decode(&encoded(text, label))),
                    Some(text.to_owned()),
                    "{label} {found:?}"
                );
            }
        }
        let dos = b"J\x94rg;H\x81lsbeck;M\x81nster\nAndr\x82;B\x84cker\n";
        assert_eq!(detect(dos, true), Some(Encoding::Dos));
    }

    #[test]
    fn other_scripts_are_told_by_their_statistics() {
        for (label, text) in [
            ("shift_jis", "健二;森岡;星川精機株式会社;購買;大阪;日本\n"),
            ("windows-1251", "Пётр;Соколов;Общество с ограниченной ответственностью;Москва\n"),
            ("gbk", "王伟;采购经理;上海星河机械有限公司;上海;中国\n"),
            ("euc-kr", "김민준;구매 담당;한빛기계 주식회사;서울;대한민국\n"),
            ("windows-1250", "Łukasz;Wójcik;Żółta Księgarnia;Gdańsk\nJiří;Dvořák;Plzeň\n"),
        ] {
            let bytes = encoded(text, label);
            assert_eq!(
                detect(&bytes, true).map(|e| e.decode(&bytes)),
                Some(text.into()),
                "{label}"
            );
        }
    }

    #[test]
    fn what_could_be_two_encodings_is_refused() {
        assert_eq!(detect(b"J\x94rg\n", true), None, "ö of DOS, î of the Mac");
        assert_eq!(detect(b"\x81\x8d\x8f\x90 \xfe\xff\n", true), None, "noise");
    }

    #[test]
    fn utf_8_is_told_even_if_rows_of_it_are_faulty() {
        assert_eq!(detect(NORTH.as_bytes(), true), Some(Encoding::Utf8));
        for cut in 0..NORTH.len() {
            let sample = &NORTH.as_bytes()[cut.min(3)..cut.max(5)];
            assert_eq!(detect(sample, false), Some(Encoding::Utf8), "{cut}");
        }
        let faulty = [NORTH.as_bytes(), b"In\xeas\n"].concat();
        assert_eq!(detect(&faulty, true), Some(Encoding::Utf8));
    }

    #[test]
    fn text_that_was_encoded_twice_is_told() {
        let twice = WINDOWS_1252.decode_without_bom_handling(NORTH.as_bytes()).0.into_owned();
        assert_eq!(detect(twice.as_bytes(), true), Some(Encoding::Utf8Twice));
        let mixed = format!("{twice}Zoë\n");
        assert_eq!(detect(mixed.as_bytes(), true), Some(Encoding::Utf8), "some of it is right");
    }

    #[test]
    fn utf_16_is_told_with_and_without_its_mark() {
        let le: Vec<u8> = NORTH.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = NORTH.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(utf16(&le), Some((UTF_16LE, 0)));
        assert_eq!(utf16(&be), Some((UTF_16BE, 0)));
        assert_eq!(utf16(&[b"\xff\xfe", le.as_slice()].concat()), Some((UTF_16LE, 2)));
        assert_eq!(utf16(NORTH.as_bytes()), None);
        assert_eq!(utf16(b""), None);
    }
}
