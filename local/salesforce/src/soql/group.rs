//! Grouped queries: keys, aggregates, HAVING, and the groups themselves.

use std::collections::{BTreeMap, HashSet};

use super::SoqlError;
use super::ast::{Name, Query, SelectItem};
use super::eval::{as_number, compare, folded, order, run};
use super::filter::{self, Filter, RowView, kind_of};
use super::path::{Column, Path, SortKey};
use super::plan::{Compiler, Plan, Purpose};
use crate::org::{Access, OrgData};
use crate::schema::FieldType;
use crate::storage::{Slots, Value};

/// The keys that rows are grouped by, and the aggregates of each group. A position counts a
/// group's values: first its keys, then its aggregates.
#[derive(Clone, Debug)]
pub(crate) struct Grouping {
    keys: Vec<Path>,
    aggregates: Vec<(Function, Path)>,
    /// Names of the answer, and whether each is an aggregate's, with its position.
    pub(crate) columns: Vec<(String, bool, usize)>,
    having: Option<Filter<usize>>,
    order: Vec<SortKey<usize>>,
    limit: Option<usize>,
    offset: usize,
}

/// An aggregate function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
}

impl Function {
    fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "COUNT" => Self::Count,
            "COUNT_DISTINCT" => Self::CountDistinct,
            "SUM" => Self::Sum,
            "AVG" => Self::Avg,
            "MIN" => Self::Min,
            "MAX" => Self::Max,
            _ => return None,
        })
    }

    fn takes(self, kind: FieldType) -> bool {
        let number = kind.is_decimal() || kind == FieldType::Int;
        match self {
            Self::Count | Self::CountDistinct => {
                !matches!(kind, FieldType::Address | FieldType::Base64)
            }
            Self::Sum | Self::Avg => number,
            Self::Min | Self::Max => {
                number
                    || kind == FieldType::DateTime
                    || kind.is_text()
                        && !matches!(kind, FieldType::MultiPicklist | FieldType::Base64)
            }
        }
    }

    fn result(self, kind: FieldType) -> FieldType {
        match self {
            Self::Count | Self::CountDistinct => FieldType::Int,
            Self::Avg => FieldType::Double,
            Self::Sum | Self::Min | Self::Max => kind,
        }
    }
}

/// The values of a grouped query as its clauses name them.
struct Groups<'c> {
    compiler: &'c Compiler<'c>,
    table: usize,
    keys: Vec<Column>,
    aggregates: Vec<(Function, Column)>,
}

impl Compiler<'_> {
    /// The grouping of a query; none when it asks for rows.
    pub(super) fn grouping(
        &self,
        query: &Query,
        table: usize,
    ) -> Result<Option<Grouping>, SoqlError> {
        let aggregate = query.select.iter().find_map(|item| match item {
            SelectItem::Aggregate { function, .. } => Some(function),
            _ => None,
        });
        if aggregate.is_none() && query.group_by.is_empty() {
            return Ok(None);
        }
        if let Some(function) = aggregate.filter(|_| self.purpose == Purpose::Bulk) {
            return Err(self.unsupported(function.offset, "Aggregate functions"));
        }
        let mut groups = Groups { compiler: self, table, keys: Vec::new(), aggregates: Vec::new() };
        for name in &query.group_by {
            let column = self.resolve(table, name)?;
            let (kind, nofilter) = kind_of(self.data, table, &column.path);
            if nofilter || !kind.is_groupable() {
                let message = format!("field '{}' can not be grouped in a query call", name.text);
                return Err(self.malformed(name.offset, &message));
            }
            groups.keys.push(column);
        }
        groups.compile(query).map(Some)
    }
}

impl Groups<'_> {
    fn compile(mut self, query: &Query) -> Result<Grouping, SoqlError> {
        let columns = self.columns(query)?;
        let compiler = self.compiler;
        let having = match &query.having {
            Some(having) => {
                Some(filter::compile(compiler, having, &mut |name| self.value(name, "Field"))?)
            }
            None => None,
        };
        let mut order = Vec::new();
        for key in &query.order_by {
            let (path, _) = self.value(&key.name, "Ordered field")?;
            let nulls_last = key.nulls_last.unwrap_or(false);
            order.push(SortKey { path, descending: key.descending, nulls_last });
        }
        Ok(Grouping {
            keys: self.keys.into_iter().map(|column| column.path).collect(),
            aggregates: self.aggregates.into_iter().map(|(f, column)| (f, column.path)).collect(),
            columns,
            having,
            order,
            limit: query.limit,
            offset: query.offset.unwrap_or(0),
        })
    }

    /// The names of the answer's columns. A column without an alias takes the last name of its
    /// field, or `expr0`, `expr1`, ….
    fn columns(&mut self, query: &Query) -> Result<Vec<(String, bool, usize)>, SoqlError> {
        let mut columns: Vec<(String, bool, usize)> = Vec::new();
        let mut unnamed = 0;
        for item in &query.select {
            let (at, aggregate, alias, given) = match item {
                SelectItem::Field { name, alias } => {
                    let (at, _) = self.value(name, "Field")?;
                    let own = self.keys[at].names.last().cloned().unwrap_or_default();
                    (at, false, alias, own)
                }
                SelectItem::Aggregate { function, argument, alias } => {
                    let (at, _) = self.aggregate(function, argument)?;
                    let own = format!("expr{unnamed}");
                    unnamed += usize::from(alias.is_none());
                    (at, true, alias, own)
                }
                SelectItem::CountAll(at) => {
                    return Err(self.compiler.malformed(*at, "unexpected token: 'COUNT'"));
                }
                SelectItem::Fields(name) => {
                    let message = format!("unexpected token: '{}'", name.text);
                    return Err(self.compiler.malformed(name.offset, &message));
                }
                SelectItem::Children(_, at) | SelectItem::TypeOf(at) => {
                    return Err(self
                        .compiler
                        .malformed(*at, "unexpected token in a grouped query"));
                }
            };
            let name = alias.as_ref().map_or(given, |alias| alias.text.clone());
            if columns.iter().any(|(known, ..)| known.eq_ignore_ascii_case(&name)) {
                let at = alias.as_ref().map_or(query.from.offset, |alias| alias.offset);
                return Err(self.compiler.malformed(at, &format!("duplicate alias: {name}")));
            }
            columns.push((name, aggregate, at));
        }
        Ok(columns)
    }

    /// The position and the type of a key, or of an aggregate written as a call.
    fn value(&mut self, name: &Name, what: &str) -> Result<(usize, FieldType), SoqlError> {
        if let Some((function, argument)) = name.text.split_once('(') {
            let part = |text: &str| Name { text: text.to_owned(), offset: name.offset };
            return self.aggregate(&part(function), &part(argument.trim_end_matches(')')));
        }
        let column = self.compiler.resolve(self.table, name)?;
        let Some(at) = self.keys.iter().position(|key| key.names == column.names) else {
            let message = format!("{what} must be grouped or aggregated: {}", name.text);
            return Err(self.compiler.malformed(name.offset, &message));
        };
        Ok((at, kind_of(self.compiler.data, self.table, &column.path).0))
    }

    fn aggregate(&mut self, call: &Name, of: &Name) -> Result<(usize, FieldType), SoqlError> {
        let Some(function) = Function::named(&call.text) else {
            let message = format!("unexpected token: '{}'", call.text);
            return Err(self.compiler.malformed(call.offset, &message));
        };
        let column = self.compiler.resolve(self.table, of)?;
        let (kind, _) = kind_of(self.compiler.data, self.table, &column.path);
        if !function.takes(kind) {
            let operator = call.text.to_ascii_uppercase();
            let message =
                format!("field {} does not support aggregate operator {operator}", of.text);
            return Err(self.compiler.malformed(of.offset, &message));
        }
        self.aggregates.push((function, column));
        Ok((self.keys.len() + self.aggregates.len() - 1, function.result(kind)))
    }
}

/// The running value of an aggregate.
#[derive(Default)]
struct Tally {
    count: i64,
    sum: f64,
    whole: bool,
    distinct: HashSet<String>,
    extreme: Option<Value<'static>>,
}

impl Tally {
    fn add(&mut self, function: Function, value: &Value<'_>) {
        if value.is_null() {
            return;
        }
        self.count += 1;
        match (function, value) {
            (Function::CountDistinct, value) => {
                self.distinct.insert(folded(value));
            }
            (Function::Sum | Function::Avg, Value::Int(n)) => {
                self.sum += as_number(*n);
                self.whole = true;
            }
            (Function::Sum | Function::Avg, Value::Double(n)) => self.sum += n,
            (Function::Min | Function::Max, value) => {
                let further = self.extreme.as_ref().is_none_or(|extreme| {
                    let ordering = compare(value, extreme);
                    if function == Function::Min { ordering.is_lt() } else { ordering.is_gt() }
                });
                if further {
                    self.extreme = Some(value.clone().into_owned());
                }
            }
            _ => {}
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a sum of Salesforce's 32-bit integers")]
    fn result(self, function: Function) -> Value<'static> {
        match function {
            Function::Count => Value::Int(self.count),
            Function::CountDistinct => {
                Value::Int(i64::try_from(self.distinct.len()).unwrap_or(i64::MAX))
            }
            _ if self.count == 0 => Value::Null,
            Function::Sum if self.whole => Value::Int(self.sum as i64),
            Function::Sum => Value::Double(self.sum),
            Function::Avg => Value::Double(self.sum / as_number(self.count)),
            Function::Min | Function::Max => self.extreme.unwrap_or(Value::Null),
        }
    }
}

impl Grouping {
    /// The groups of a plan's rows, each with its keys and aggregates. Without keys there is always
    /// one.
    pub(crate) fn groups(
        &self,
        data: &OrgData,
        access: &Access,
        plan: &Plan,
        all: bool,
        now: i64,
    ) -> Vec<Vec<Value<'static>>> {
        let fresh = || self.aggregates.iter().map(|_| Tally::default()).collect::<Vec<_>>();
        let mut groups: BTreeMap<Vec<String>, (Vec<Value<'static>>, Vec<Tally>)> = BTreeMap::new();
        if self.keys.is_empty() {
            groups.insert(Vec::new(), (Vec::new(), fresh()));
        }
        let mut slots = Slots::default();
        for found in run(data, access, plan, all, now) {
            slots.read(&found.row);
            let scope = RowView { data, id: found.id, row: &found.row, slots: &slots };
            let keys: Vec<Value<'_>> = self.keys.iter().map(|key| key.value(&scope)).collect();
            let (_, tallies) =
                groups.entry(keys.iter().map(folded).collect()).or_insert_with(|| {
                    (keys.iter().map(|key| key.clone().into_owned()).collect(), fresh())
                });
            for (tally, (function, path)) in tallies.iter_mut().zip(&self.aggregates) {
                tally.add(*function, &path.value(&scope));
            }
        }
        let mut groups: Vec<Vec<Value<'static>>> = groups
            .into_values()
            .map(|(mut values, tallies)| {
                let results = tallies.into_iter().zip(&self.aggregates);
                values.extend(results.map(|(tally, (function, _))| tally.result(*function)));
                values
            })
            .collect();
        if let Some(having) = &self.having {
            groups.retain(|values| having.holds(&|at| values[*at].clone()));
        }
        groups.sort_by(|a, b| {
            let by_key = self.order.iter().map(|key| order(key, &a[key.path], &b[key.path]));
            by_key.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
        groups.drain(..self.offset.min(groups.len()));
        groups.truncate(self.limit.unwrap_or(usize::MAX));
        groups
    }
}
