//! Conditions, checked against field types and ready to test rows.

use std::collections::HashSet;

use super::SoqlError;
use super::ast::{Condition, Literal, Name, Operator};
use super::dates;
use super::path::Path;
use super::plan::Compiler;
use crate::ids::RecordId;
use crate::org::OrgData;
use crate::schema::FieldType;
use crate::storage::Slots;

/// A condition ready to test rows by their paths, or groups by the positions of their values.
#[derive(Clone, Debug)]
pub(crate) enum Filter<P = Path> {
    And(Vec<Filter<P>>),
    Or(Vec<Filter<P>>),
    Not(Box<Filter<P>>),
    Test(P, Test),
}

/// A test of one value.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    /// `= null`, or `!= null` when false.
    IsNull(bool),
    Bool(Operator, bool),
    Number(Operator, f64),
    Time(Operator, i64),
    /// Compared without case; the text is in lower case.
    Text(Operator, String),
    Id(Operator, RecordId),
    /// A date literal over a time field: from, and the first moment after.
    TimeRange(Operator, i64, i64),
    /// A date literal over a date field.
    DateRange(Operator, String, String),
    /// Texts in lower case; ids, numbers and times in their plain form.
    OneOf {
        texts: HashSet<String>,
        null: bool,
        negated: bool,
    },
    OneId {
        ids: HashSet<RecordId>,
        null: bool,
        negated: bool,
    },
    /// A `LIKE` pattern in lower case.
    Like(Vec<Wild>),
    /// Alternatives of values that must all be chosen.
    Includes {
        any: Vec<Vec<String>>,
        negated: bool,
    },
}

/// A part of a `LIKE` pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wild {
    Any,
    One,
    Char(char),
}

/// One row as a filter sees it.
pub(crate) struct RowView<'a> {
    pub(crate) data: &'a OrgData,
    pub(crate) id: RecordId,
    pub(crate) row: &'a [u8],
    pub(crate) slots: &'a Slots,
}

/// A condition on an object's rows.
pub(super) fn compile_filter(
    compiler: &Compiler<'_>,
    table: usize,
    condition: &Condition,
) -> Result<Filter, SoqlError> {
    compile(compiler, condition, &mut |name| filterable(compiler, table, name))
}

/// A condition on whatever `resolve` makes of its names.
pub(super) fn compile<P>(
    compiler: &Compiler<'_>,
    condition: &Condition,
    resolve: &mut impl FnMut(&Name) -> Result<(P, FieldType), SoqlError>,
) -> Result<Filter<P>, SoqlError> {
    let mut all = |list: &[Condition]| {
        list.iter().map(|one| compile(compiler, one, resolve)).collect::<Result<Vec<_>, _>>()
    };
    Ok(match condition {
        Condition::And(list) => Filter::And(all(list)?),
        Condition::Or(list) => Filter::Or(all(list)?),
        Condition::Not(inner) => Filter::Not(Box::new(compile(compiler, inner, resolve)?)),
        Condition::Compare { name, operator, literal, .. } => {
            let (at, kind) = resolve(name)?;
            Filter::Test(at, compare(compiler, name, kind, *operator, literal)?)
        }
        Condition::In { name, negated, list } => {
            let (at, kind) = resolve(name)?;
            Filter::Test(at, one_of(compiler, name, kind, *negated, list)?)
        }
        Condition::InQuery { name, negated, query } => {
            let (at, _) = resolve(name)?;
            let plan = compiler.query(query)?;
            if plan.grouping.is_some() {
                let message = "aggregates are not allowed in a semi join subselect";
                return Err(compiler.malformed(query.from.offset, message));
            }
            let ids = super::eval::ids_of(compiler.data, compiler.access, &plan, compiler.now);
            Filter::Test(at, Test::OneId { ids, null: false, negated: *negated })
        }
        Condition::Includes { name, negated, list } => {
            let (at, kind) = resolve(name)?;
            if kind != FieldType::MultiPicklist {
                let message = format!(
                    "includes/excludes operators only valid on multipicklist field: {}",
                    name.text
                );
                return Err(SoqlError::at(
                    "INVALID_QUERY_FILTER_OPERATOR",
                    compiler.text,
                    name.offset,
                    &message,
                ));
            }
            let any = list.iter().filter_map(|(literal, _)| match literal {
                Literal::Text(text) => {
                    Some(text.to_lowercase().split(';').map(str::to_owned).collect())
                }
                _ => None,
            });
            Filter::Test(at, Test::Includes { any: any.collect(), negated: *negated })
        }
    })
}

fn filterable(
    compiler: &Compiler<'_>,
    table: usize,
    name: &Name,
) -> Result<(Path, FieldType), SoqlError> {
    let column = compiler.resolve(table, name)?;
    let (kind, nofilter) = kind_of(compiler.data, table, &column.path);
    if nofilter {
        let message = format!("field '{}' can not be filtered in a query call", name.text);
        return Err(SoqlError::at("INVALID_FIELD", compiler.text, name.offset, &message));
    }
    Ok((column.path, kind))
}

pub(super) fn kind_of(data: &OrgData, table: usize, path: &Path) -> (FieldType, bool) {
    match path {
        Path::Id => (FieldType::Id, false),
        Path::TypeName { .. } => (FieldType::String, false),
        Path::Address { .. } => (FieldType::Address, true),
        Path::Field { at, kind } => {
            (*kind, data.tables[table].schema.fields[*at].nofilter || *kind == FieldType::Base64)
        }
        Path::Parent { targets, .. } => match targets.first() {
            Some((position, path)) => kind_of(data, *position, path),
            None => (FieldType::String, false),
        },
    }
}

/// The type as error messages call it.
fn type_name(kind: FieldType) -> &'static str {
    match kind {
        FieldType::DateTime => "dateTime",
        FieldType::Double | FieldType::Currency | FieldType::Percent => "double",
        FieldType::Id | FieldType::Reference => "id",
        FieldType::Boolean | FieldType::Int | FieldType::Date => kind.name(),
        _ => "string",
    }
}

fn wrong_type(compiler: &Compiler<'_>, name: &Name, kind: FieldType) -> SoqlError {
    let quoted = kind.is_id() || (kind.is_text() && kind != FieldType::Date);
    let not = if quoted { "" } else { "not " };
    let message = format!(
        "value of filter criterion for field '{}' must be of type {} and should {not}be enclosed \
         in quotes",
        name.text,
        type_name(kind)
    );
    SoqlError::at("INVALID_FIELD", compiler.text, name.offset, &message)
}

fn invalid_id(compiler: &Compiler<'_>, name: &Name, text: &str) -> SoqlError {
    let message = format!("invalid ID field: {text}");
    SoqlError::at("INVALID_QUERY_FILTER_OPERATOR", compiler.text, name.offset, &message)
}

fn compare(
    compiler: &Compiler<'_>,
    name: &Name,
    kind: FieldType,
    operator: Operator,
    literal: &Literal,
) -> Result<Test, SoqlError> {
    let wrong = || wrong_type(compiler, name, kind);
    let unfit = |what: &str| {
        let message = format!("invalid operator on {what} field");
        SoqlError::at("INVALID_QUERY_FILTER_OPERATOR", compiler.text, name.offset, &message)
    };
    if *literal == Literal::Null {
        return match operator {
            Operator::Equal => Ok(Test::IsNull(true)),
            Operator::NotEqual => Ok(Test::IsNull(false)),
            _ => Err(unfit("null")),
        };
    }
    if operator == Operator::Like {
        return match literal {
            Literal::Text(text) if kind.is_text() && kind != FieldType::Date => {
                Ok(Test::Like(pattern(text)))
            }
            _ if kind.is_id() => Err(unfit("id")),
            _ => Err(unfit(type_name(kind))),
        };
    }
    Ok(match (kind, literal) {
        (FieldType::Boolean, Literal::Bool(b)) => match operator {
            Operator::Equal | Operator::NotEqual => Test::Bool(operator, *b),
            _ => return Err(unfit("boolean")),
        },
        (FieldType::Id | FieldType::Reference, Literal::Text(text)) => {
            match RecordId::parse(text) {
                Some(id) => Test::Id(operator, id),
                // An empty string stands for no id.
                None if text.is_empty() => Test::IsNull(operator == Operator::Equal),
                None => return Err(invalid_id(compiler, name, text)),
            }
        }
        (FieldType::DateTime, Literal::DateTime(ms)) => Test::Time(operator, *ms),
        (FieldType::Date, Literal::Date(date)) => Test::Text(operator, date.clone()),
        (FieldType::DateTime | FieldType::Date, Literal::Relative(word, n)) => {
            relative(compiler, kind, operator, word, *n).ok_or_else(wrong)?
        }
        (FieldType::Int, Literal::Number(n)) => Test::Number(operator, *n),
        (kind, Literal::Number(n)) if kind.is_decimal() => Test::Number(operator, *n),
        (FieldType::Date, _) => return Err(wrong()),
        // Salesforce stores no empty strings.
        (kind, Literal::Text(text)) if kind.is_text() => match operator {
            Operator::Equal | Operator::NotEqual if text.is_empty() => {
                Test::IsNull(operator == Operator::Equal)
            }
            _ => Test::Text(operator, unescaped(text).to_lowercase()),
        },
        _ => return Err(wrong()),
    })
}

fn relative(
    compiler: &Compiler<'_>,
    kind: FieldType,
    operator: Operator,
    word: &str,
    n: i64,
) -> Option<Test> {
    let zone = compiler.zone();
    let (from, to) = dates::range(word, n, compiler.now, &zone)?;
    Some(if kind == FieldType::Date {
        Test::DateRange(operator, from.to_string(), to.to_string())
    } else {
        Test::TimeRange(operator, dates::start_of(from, &zone), dates::start_of(to, &zone))
    })
}

fn one_of(
    compiler: &Compiler<'_>,
    name: &Name,
    kind: FieldType,
    negated: bool,
    list: &[(Literal, usize)],
) -> Result<Test, SoqlError> {
    let null = list.iter().any(|(literal, _)| *literal == Literal::Null);
    let given = list.iter().map(|(literal, _)| literal).filter(|l| **l != Literal::Null);
    if kind.is_id() {
        let ids = given.map(|literal| match literal {
            Literal::Text(text) => {
                RecordId::parse(text).ok_or_else(|| invalid_id(compiler, name, text))
            }
            _ => Err(wrong_type(compiler, name, kind)),
        });
        return Ok(Test::OneId { ids: ids.collect::<Result<_, _>>()?, null, negated });
    }
    let mut texts = HashSet::new();
    for literal in given {
        let plain = match (compare(compiler, name, kind, Operator::Equal, literal)?, literal) {
            (Test::Text(_, text), _) => text,
            (Test::Bool(_, b), _) => b.to_string(),
            (Test::Number(_, n), _) => n.to_string(),
            (Test::Time(_, ms), _) => ms.to_string(),
            _ => return Err(wrong_type(compiler, name, kind)),
        };
        texts.insert(plain);
    }
    Ok(Test::OneOf { texts, null, negated })
}

/// `\_` and `\%` stand for themselves outside LIKE.
fn unescaped(text: &str) -> String {
    text.replace("\\_", "_").replace("\\%", "%")
}

fn pattern(text: &str) -> Vec<Wild> {
    let lower = text.to_lowercase();
    let mut parts = Vec::new();
    let mut chars = lower.chars().peekable();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '%' => Wild::Any,
            '_' => Wild::One,
            '\\' => match chars.next_if(|next| matches!(next, '_' | '%')) {
                Some(escaped) => Wild::Char(escaped),
                None => Wild::Char('\\'),
            },
            c => Wild::Char(c),
        });
    }
    parts
}

/// True if a text matches a pattern: the greedy algorithm with one point to go back to.
pub(super) fn like(pattern: &[Wild], text: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Wild::Any) => {
                back = Some((p + 1, t));
                p += 1;
            }
            Some(Wild::One) => (p, t) = (p + 1, t + 1),
            Some(Wild::Char(c)) if *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match back {
                Some((after, from)) => {
                    back = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|part| *part == Wild::Any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_as_in_soql() {
        let matches = |p: &str, text: &str| like(&pattern(p), text);
        assert!(matches("InMail sent%", "INMAIL SENT from Sales"));
        assert!(matches("%o_e%", "Someone"));
        assert!(!matches("a%b", "abc"));
        assert!(matches(r"100\%", "100%") && !matches(r"100\%", "1000"));
    }

    proptest! {
        #[test]
        fn a_pattern_with_wildcards_around_finds_the_part(a in "[a-c]{0,5}", b in "[a-c]{0,4}",
            c in "[a-c]{0,5}") {
            let p = format!("%{b}%");
            let text = format!("{a}{b}{c}");
            prop_assert!(like(&pattern(&p), &text));
            prop_assert_eq!(like(&pattern(&p), &a), a.contains(&b));
        }
    }
}
