//! Conditions and literals.

use super::Parser;
use crate::soql::SoqlError;
use crate::soql::ast::{Condition, Literal, Operator};
use crate::soql::dates::is_relative;
use crate::soql::lexer::Kind;
use crate::soql::words::number;

impl Parser<'_> {
    /// AND and OR may not be mixed without parentheses.
    pub(super) fn condition(&mut self) -> Result<Condition, SoqlError> {
        let first = self.term()?;
        for (keyword, other) in [("AND", "OR"), ("OR", "AND")] {
            if !self.peek().is_word(keyword) {
                continue;
            }
            let mut all = vec![first];
            while self.take_word(keyword) {
                all.push(self.term()?);
            }
            if self.peek().is_word(other) {
                return Err(self.unexpected());
            }
            return Ok(if keyword == "AND" { Condition::And(all) } else { Condition::Or(all) });
        }
        Ok(first)
    }

    fn term(&mut self) -> Result<Condition, SoqlError> {
        if self.take_word("NOT") {
            self.deeper()?;
            let inner = self.term()?;
            self.depth -= 1;
            return Ok(Condition::Not(Box::new(inner)));
        }
        if self.take_symbol("(") {
            self.deeper()?;
            let inner = self.condition()?;
            self.expect_symbol(")")?;
            self.depth -= 1;
            return Ok(inner);
        }
        let name = self.operand()?;
        let negated = self.take_word("NOT");
        if self.take_word("IN") {
            self.expect_symbol("(")?;
            if self.peek().is_word("SELECT") {
                let query = Box::new(self.query()?);
                self.expect_symbol(")")?;
                return Ok(Condition::InQuery { name, negated, query });
            }
            let list = self.list()?;
            return Ok(Condition::In { name, negated, list });
        }
        if negated {
            return Err(self.unexpected());
        }
        for (keyword, negated) in [("INCLUDES", false), ("EXCLUDES", true)] {
            if self.take_word(keyword) {
                self.expect_symbol("(")?;
                let list = self.list()?;
                return Ok(Condition::Includes { name, negated, list });
            }
        }
        let operator = self.operator()?;
        let at = self.peek().offset;
        let literal = self.literal()?;
        Ok(Condition::Compare { name, operator, literal, at })
    }

    fn operator(&mut self) -> Result<Operator, SoqlError> {
        if self.take_word("LIKE") {
            return Ok(Operator::Like);
        }
        let operator = match self.peek().kind {
            Kind::Symbol("=") => Operator::Equal,
            Kind::Symbol("!=" | "<>") => Operator::NotEqual,
            Kind::Symbol("<") => Operator::Less,
            Kind::Symbol("<=") => Operator::LessOrEqual,
            Kind::Symbol(">") => Operator::Greater,
            Kind::Symbol(">=") => Operator::GreaterOrEqual,
            _ => return Err(self.unexpected()),
        };
        self.next();
        Ok(operator)
    }

    /// The rest of a list, after its opening parenthesis.
    fn list(&mut self) -> Result<Vec<(Literal, usize)>, SoqlError> {
        let mut list = Vec::new();
        loop {
            let at = self.peek().offset;
            list.push((self.literal()?, at));
            if !self.take_symbol(",") {
                self.expect_symbol(")")?;
                return Ok(list);
            }
        }
    }

    fn literal(&mut self) -> Result<Literal, SoqlError> {
        let token = self.peek().clone();
        let literal = match &token.kind {
            Kind::Text(text) => Some(Literal::Text(text.clone())),
            Kind::Number => number(&token.text),
            Kind::Word => match token.text.to_ascii_uppercase().as_str() {
                "NULL" => Some(Literal::Null),
                "TRUE" => Some(Literal::Bool(true)),
                "FALSE" => Some(Literal::Bool(false)),
                word => return self.relative(word),
            },
            _ => None,
        };
        match literal {
            Some(literal) => {
                self.next();
                Ok(literal)
            }
            None => Err(self.unexpected()),
        }
    }

    fn relative(&mut self, word: &str) -> Result<Literal, SoqlError> {
        let Some(counted) = is_relative(word) else { return Err(self.unexpected()) };
        self.next();
        if !counted {
            return Ok(Literal::Relative(word.to_owned(), 0));
        }
        self.expect_symbol(":")?;
        let n = self.count()?;
        let n = i64::try_from(n).ok().filter(|n| *n <= 100_000);
        n.map(|n| Literal::Relative(word.to_owned(), n)).ok_or_else(|| self.unexpected())
    }
}
