//! Words and numbers that mean something by themselves.

use super::ast::Literal;
use crate::storage::{parse_date, parse_date_time};

/// A number, date or time.
pub(super) fn number(text: &str) -> Option<Literal> {
    let dated = text.len() >= 10 && text.as_bytes().get(4) == Some(&b'-');
    if dated && text.len() == 10 {
        return parse_date(text).map(Literal::Date);
    }
    if dated {
        let zone = text.ends_with('Z') || text.get(11..).is_some_and(|t| t.contains(['+', '-']));
        return if zone { parse_date_time(text).map(Literal::DateTime) } else { None };
    }
    text.parse().ok().filter(|n: &f64| n.is_finite()).map(Literal::Number)
}

/// True if a word is reserved and cannot be a name.
pub(super) fn is_reserved(word: &str) -> bool {
    const RESERVED: [&str; 14] = [
        "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "LIKE", "LIMIT", "NULL", "ORDER",
        "HAVING", "USING", "WITH",
    ];
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}
