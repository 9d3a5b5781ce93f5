//! Cuts a query into tokens.

use super::SoqlError;

/// A token and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// As written, for error messages.
    pub(super) text: String,
    pub(super) offset: usize,
}

/// The kind of a token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A name or keyword, with its dots.
    Word,
    /// A string; the value is without quotes and escapes.
    Text(String),
    /// A number, date or time as written.
    Number,
    /// `, ( ) = != <> < <= > >= :`
    Symbol(&'static str),
    End,
}

impl Token {
    /// True if this is the keyword, in any case.
    pub(super) fn is_word(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }
}

const SYMBOLS: [&str; 11] = ["!=", "<>", "<=", ">=", ",", "(", ")", "=", "<", ">", ":"];

/// All tokens of a query, the last of them [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, SoqlError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (kind, end) = if c == '\'' {
            string(text, at)?
        } else if c.is_ascii_alphabetic() || c == '_' {
            (
                Kind::Word,
                at + run(&text[at..], |c| c.is_ascii_alphanumeric() || c == '_' || c == '.'),
            )
        } else if c.is_ascii_digit() || signed(&text[at..]) {
            let body = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.' | ':');
            (Kind::Number, at + 1 + run(&text[at + 1..], body))
        } else if let Some(symbol) = SYMBOLS.into_iter().find(|s| text[at..].starts_with(s)) {
            (Kind::Symbol(symbol), at + symbol.len())
        } else {
            return Err(no_alternative(text, at, &c.to_string()));
        };
        tokens.push(Token { kind, text: text[at..end].to_owned(), offset: at });
        at = end;
    }
    tokens.push(Token { kind: Kind::End, text: "<EOF>".to_owned(), offset: text.len() });
    Ok(tokens)
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn signed(text: &str) -> bool {
    let mut chars = text.chars();
    matches!(chars.next(), Some('-' | '+')) && chars.next().is_some_and(|c| c.is_ascii_digit())
}

fn string(text: &str, start: usize) -> Result<(Kind, usize), SoqlError> {
    let mut value = String::new();
    let mut chars = text[start + 1..].char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Ok((Kind::Text(value), start + 1 + at + 1)),
            '\\' => {
                let Some((_, escaped)) = chars.next() else { break };
                match escaped {
                    'n' | 'N' => value.push('\n'),
                    'r' | 'R' => value.push('\r'),
                    't' | 'T' => value.push('\t'),
                    'b' | 'B' => value.push('\u{8}'),
                    'f' | 'F' => value.push('\u{c}'),
                    '\'' | '"' | '\\' => value.push(escaped),
                    // LIKE needs to know that these stand for themselves.
                    '_' | '%' => value.extend(['\\', escaped]),
                    _ => {
                        let end = start + 1 + at;
                        return Err(SoqlError::at(
                            "MALFORMED_QUERY",
                            text,
                            end,
                            &format!("Illegal character sequence '\\{escaped}' in a string"),
                        ));
                    }
                }
            }
            c => value.push(c),
        }
    }
    let (line, column) = place(text, text.len());
    Err(SoqlError::new(
        "MALFORMED_QUERY",
        format!("line {line}:{column} mismatched character '<EOF>' expecting '''"),
    ))
}

/// `no viable alternative`, the lexer's own complaint.
pub(super) fn no_alternative(text: &str, offset: usize, character: &str) -> SoqlError {
    let (line, column) = place(text, offset);
    SoqlError::new(
        "MALFORMED_QUERY",
        format!("line {line}:{column} no viable alternative at character '{character}'"),
    )
}

fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn strings_lose_their_escapes() {
        let tokens = tokens(r"'O\'Brien \\ 100\%'").unwrap();
        assert_eq!(tokens[0].kind, Kind::Text(r"O'Brien \ 100\%".to_owned()));
    }

    #[test]
    fn an_open_string_is_told_so() {
        let error = tokens("SELECT Id FROM X WHERE Name = 'a").unwrap_err();
        assert!(error.message.contains("mismatched character '<EOF>' expecting '''"));
    }

    #[test]
    fn a_plus_that_became_a_blank_is_no_date() {
        assert!(tokens("SELECT Id FROM X WHERE Y > 2026-01-01T00:00:00 00:00").is_ok());
        assert!(tokens("SELECT # FROM X").unwrap_err().message.contains("no viable alternative"));
    }

    proptest! {
        #[test]
        fn any_text_is_cut_or_refused(text in "\\PC{0,80}") {
            if let Ok(tokens) = tokens(&text) {
                prop_assert_eq!(&tokens.last().unwrap().kind, &Kind::End);
            }
        }

        #[test]
        fn an_escaped_string_is_read_back(text in "[a-z'\\\\\n\t\"äß]{0,30}") {
            let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n',
                "\\n").replace('\t', "\\t");
            let tokens = tokens(&format!("'{escaped}'")).unwrap();
            prop_assert_eq!(&tokens[0].kind, &Kind::Text(text));
        }
    }
}
