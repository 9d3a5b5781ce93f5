//! Reads a query by recursive descent.

mod condition;

use super::SoqlError;
use super::ast::{Condition, Name, OrderKey, Query, SelectItem};
use super::lexer::{Kind, Token, tokens};
use super::words::is_reserved;

/// Salesforce's own limit on the text of a query.
const MAX_LENGTH: usize = 100_000;
/// Parentheses and subqueries nest this deep at most, so that no query can exhaust the stack.
const MAX_DEPTH: usize = 50;

/// Reads a query.
pub(crate) fn parse(text: &str) -> Result<Query, SoqlError> {
    if text.chars().count() > MAX_LENGTH {
        return Err(SoqlError::new(
            "QUERY_TOO_COMPLICATED",
            "SOQL statements cannot be longer than 100000 characters.",
        ));
    }
    if text.trim().is_empty() {
        return Err(SoqlError::new("MALFORMED_QUERY", "unexpected token: '<EOF>'"));
    }
    let mut parser = Parser::new(text)?;
    let query = parser.query()?;
    match parser.peek().kind {
        Kind::End => Ok(query),
        _ => Err(parser.unexpected()),
    }
}

/// Reads a condition alone, as validation rules use it.
pub(crate) fn parse_condition(text: &str) -> Result<Condition, SoqlError> {
    let mut parser = Parser::new(text)?;
    let condition = parser.condition()?;
    match parser.peek().kind {
        Kind::End => Ok(condition),
        _ => Err(parser.unexpected()),
    }
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Within a clause about groups, where aggregates are named.
    of_groups: bool,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self, SoqlError> {
        Ok(Self { text, tokens: tokens(text)?, at: 0, depth: 0, of_groups: false })
    }
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        // The last token is the end, which `next` never passes.
        &self.tokens[self.at]
    }

    fn next(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        if token.kind != Kind::End {
            self.at += 1;
        }
        token
    }

    fn error(&self, offset: usize, message: &str) -> SoqlError {
        SoqlError::at("MALFORMED_QUERY", self.text, offset, message)
    }

    fn unexpected(&self) -> SoqlError {
        let token = self.peek();
        self.error(token.offset, &format!("unexpected token: '{}'", token.text))
    }

    fn take_word(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_word(keyword);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect_word(&mut self, keyword: &str) -> Result<(), SoqlError> {
        if self.take_word(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek().kind, Kind::Symbol(own) if own == symbol);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<(), SoqlError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn deeper(&mut self) -> Result<(), SoqlError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SoqlError::new(
                "QUERY_TOO_COMPLICATED",
                "Query is either selecting too many fields or the filter conditions are too \
                 complicated.",
            ));
        }
        Ok(())
    }

    fn name(&mut self) -> Result<Name, SoqlError> {
        let token = self.peek();
        let whole = token.kind == Kind::Word
            && !token.text.ends_with('.')
            && !token.text.contains("..")
            && !is_reserved(&token.text);
        if !whole {
            return Err(self.unexpected());
        }
        let token = self.next();
        Ok(Name { text: token.text, offset: token.offset })
    }

    fn query(&mut self) -> Result<Query, SoqlError> {
        self.deeper()?;
        self.expect_word("SELECT")?;
        let mut select = vec![self.select_item()?];
        while self.take_symbol(",") {
            select.push(self.select_item()?);
        }
        self.expect_word("FROM")?;
        let from = self.name()?;
        self.take_word("AS");
        let clause =
            ["WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "ALL", "FOR", "WITH", "USING"];
        let has_alias =
            self.peek().kind == Kind::Word && !clause.iter().any(|w| self.peek().is_word(w));
        let alias = if has_alias { Some(self.name()?.text) } else { None };
        if self.take_word("USING") {
            self.expect_word("SCOPE")?;
            self.name()?;
        }
        let condition = if self.take_word("WHERE") { Some(self.condition()?) } else { None };
        let mut query = Query {
            select,
            from,
            alias,
            condition,
            group_by: Vec::new(),
            having: None,
            order_by: Vec::new(),
            limit: None,
            offset: None,
            all_rows: false,
        };
        self.tail(&mut query)?;
        self.depth -= 1;
        Ok(query)
    }

    fn tail(&mut self, query: &mut Query) -> Result<(), SoqlError> {
        if self.take_word("GROUP") {
            self.expect_word("BY")?;
            query.group_by.push(self.name()?);
            while self.take_symbol(",") {
                query.group_by.push(self.name()?);
            }
            if self.take_word("HAVING") {
                self.of_groups = true;
                query.having = Some(self.condition()?);
                self.of_groups = false;
            }
        }
        if self.take_word("ORDER") {
            self.expect_word("BY")?;
            self.of_groups = true;
            query.order_by.push(self.order_key()?);
            while self.take_symbol(",") {
                query.order_by.push(self.order_key()?);
            }
            self.of_groups = false;
        }
        if self.take_word("LIMIT") {
            query.limit = Some(self.count()?);
        }
        if self.take_word("OFFSET") {
            let at = self.peek().offset;
            let offset = self.count()?;
            if offset > 2000 {
                return Err(SoqlError::at(
                    "NUMBER_OUTSIDE_VALID_RANGE",
                    self.text,
                    at,
                    "Maximum SOQL offset allowed is 2000",
                ));
            }
            query.offset = Some(offset);
        }
        if self.take_word("FOR") && !(self.take_word("VIEW") || self.take_word("REFERENCE")) {
            self.expect_word("UPDATE")?;
        }
        if self.take_word("ALL") {
            self.expect_word("ROWS")?;
            query.all_rows = true;
        }
        Ok(())
    }

    /// A name, or in a clause about groups an aggregate of one.
    fn operand(&mut self) -> Result<Name, SoqlError> {
        let mut name = self.name()?;
        if self.of_groups && self.take_symbol("(") {
            name.text = format!("{}({})", name.text, self.name()?.text);
            self.expect_symbol(")")?;
        }
        Ok(name)
    }

    fn alias(&mut self) -> Result<Option<Name>, SoqlError> {
        let aliased = self.peek().kind == Kind::Word && !self.peek().is_word("FROM");
        if aliased { self.name().map(Some) } else { Ok(None) }
    }

    fn order_key(&mut self) -> Result<OrderKey, SoqlError> {
        let name = self.operand()?;
        let descending = if self.take_word("DESC") {
            true
        } else {
            self.take_word("ASC");
            false
        };
        let mut nulls_last = None;
        if self.take_word("NULLS") {
            nulls_last = Some(self.take_word("LAST"));
            if nulls_last == Some(false) {
                self.expect_word("FIRST")?;
            }
        }
        Ok(OrderKey { name, descending, nulls_last })
    }

    fn count(&mut self) -> Result<usize, SoqlError> {
        let number = match self.peek().kind {
            Kind::Number => self.peek().text.parse().ok(),
            _ => None,
        };
        let Some(number) = number else { return Err(self.unexpected()) };
        self.next();
        Ok(number)
    }

    fn select_item(&mut self) -> Result<SelectItem, SoqlError> {
        let offset = self.peek().offset;
        if self.take_symbol("(") {
            let query = self.query()?;
            self.expect_symbol(")")?;
            return Ok(SelectItem::Children(Box::new(query), offset));
        }
        if self.take_word("TYPEOF") {
            while !self.take_word("END") {
                if self.next().kind == Kind::End {
                    return Err(self.unexpected());
                }
            }
            return Ok(SelectItem::TypeOf(offset));
        }
        let name = self.name()?;
        if !self.take_symbol("(") {
            let alias = self.alias()?;
            return Ok(SelectItem::Field { name, alias });
        }
        if name.text.eq_ignore_ascii_case("COUNT") && self.take_symbol(")") {
            return Ok(SelectItem::CountAll(offset));
        }
        // ALL is a keyword elsewhere, an argument here.
        let token = self.next();
        let argument = Name { text: token.text, offset: token.offset };
        if token.kind != Kind::Word {
            return Err(self.error(token.offset, &format!("unexpected token: '{}'", argument.text)));
        }
        self.expect_symbol(")")?;
        if name.text.eq_ignore_ascii_case("FIELDS") {
            return Ok(SelectItem::Fields(argument));
        }
        let alias = self.alias()?;
        Ok(SelectItem::Aggregate { function: name, argument, alias })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(text: &str) -> String {
        parse(text).unwrap_err().message
    }

    #[test]
    fn a_query_with_everything_is_read() {
        let query = parse(
            "select Id, Owner.Name from Contact where (Name like 'A%' or Email != null) and Id in \
             ('003000000000001') order by Name desc nulls last, Id limit 10 offset 5",
        )
        .unwrap();
        assert_eq!(query.select.len(), 2);
        assert!(matches!(query.condition, Some(Condition::And(ref all)) if all.len() == 2));
        assert_eq!(query.order_by[0].nulls_last, Some(true));
        assert_eq!((query.limit, query.offset), (Some(10), Some(5)));
    }

    #[test]
    fn and_with_or_needs_parentheses() {
        let message = refusal("SELECT Id FROM Lead WHERE A = 1 AND B = 2 OR C = 3");
        assert!(message.ends_with("unexpected token: 'OR'"), "{message}");
        assert!(message.contains("Column:43"), "{message}");
    }

    #[test]
    fn what_ends_too_soon_is_told_so() {
        for text in ["SELECT", "SELECT Id", "SELECT Id FROM", "SELECT Id FROM X WHERE", ""] {
            assert!(refusal(text).ends_with("unexpected token: '<EOF>'"), "{text}");
        }
        assert!(refusal("SELECT Id, FROM Account").ends_with("unexpected token: 'FROM'"));
        assert!(refusal("SELECT Id FROM A LIMIT x").ends_with("unexpected token: 'x'"));
    }

    #[test]
    fn times_need_a_zone() {
        assert!(parse("SELECT Id FROM A WHERE B > 2026-01-01T00:00:00Z").is_ok());
        assert!(parse("SELECT Id FROM A WHERE B > 2026-01-01T00:00:00+01:00").is_ok());
        assert!(parse("SELECT Id FROM A WHERE B > 2026-01-01T00:00:00").is_err());
        assert!(parse("SELECT Id FROM A WHERE B = LAST_N_DAYS:30").is_ok());
        assert!(parse("SELECT Id FROM A WHERE B = LAST_N_DAYS").is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("SELECT Id FROM A WHERE {}B = 1{}", "(".repeat(5000), ")".repeat(5000));
        assert_eq!(parse(&deep).unwrap_err().code, "QUERY_TOO_COMPLICATED");
    }

    fn condition() -> impl Strategy<Value = String> {
        let leaf = (
            "[A-Z][a-z]{1,6}",
            prop_oneof![Just("="), Just("!="), Just(">="), Just("<")],
            -99i32..99,
        )
            .prop_map(|(name, operator, n)| format!("X{name}{operator}{n}"));
        leaf.prop_recursive(4, 24, 3, |inner| {
            (prop::collection::vec(inner, 1..4), any::<bool>(), any::<bool>()).prop_map(
                |(all, and, not)| {
                    let joined = all.join(if and { ") AND (" } else { ") OR (" });
                    format!("{}(({joined}))", if not { "NOT " } else { "" })
                },
            )
        })
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(SELECT|FROM|WHERE|Id|,|\\(|\\)|=|'a'|1|AND|OR|NOT|\
             IN| ){0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn well_formed_conditions_are_read(condition in condition()) {
            prop_assert!(parse_condition(&condition).is_ok(), "{}", condition);
        }
    }
}
