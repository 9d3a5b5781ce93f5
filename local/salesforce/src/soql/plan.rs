//! Checks a query against what the caller may see and turns names into positions.

use jiff::tz::TimeZone;

use super::SoqlError;
use super::ast::{Condition, Name, OrderKey, Query, SelectItem};
use super::filter::{Filter, compile_filter};
use super::group::Grouping;
use super::narrow::{address, narrow, pins};
use super::path::{Column, Path, SortKey};
use crate::ids::RecordId;
use crate::org::{Access, OrgData};
use crate::schema::{FieldType, ObjectSchema};

/// Where a query runs; Bulk refuses more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Rest,
    Bulk,
}

/// A query that is ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) table: usize,
    pub(crate) columns: Vec<Column>,
    pub(crate) filter: Option<Filter>,
    pub(crate) order: Vec<SortKey>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
    /// `SELECT COUNT()`: the number of rows is the answer.
    pub(crate) count: bool,
    /// The grouping, when the answer is groups.
    pub(crate) grouping: Option<Grouping>,
    /// Rows up to this id cannot match.
    pub(crate) after: Option<RecordId>,
    /// Only these rows can match.
    pub(crate) only: Option<Vec<RecordId>>,
    /// Record ids of a `UserRecordAccess` query.
    pub(crate) asked_records: Vec<RecordId>,
}

pub(super) struct Compiler<'a> {
    pub(super) text: &'a str,
    pub(super) data: &'a OrgData,
    pub(super) access: &'a Access,
    pub(super) purpose: Purpose,
    pub(super) now: i64,
    alias: Option<&'a str>,
}

/// Checks and resolves a query.
pub(crate) fn compile(
    query: &Query,
    text: &str,
    data: &OrgData,
    access: &Access,
    purpose: Purpose,
    now: i64,
) -> Result<Plan, SoqlError> {
    let compiler = Compiler { text, data, access, purpose, now, alias: query.alias.as_deref() };
    compiler.query(query)
}

/// Resolves a condition alone.
pub(crate) fn compile_condition(
    condition: &Condition,
    text: &str,
    data: &OrgData,
    table: usize,
    now: i64,
) -> Result<Filter, SoqlError> {
    let access = Access::system();
    let compiler =
        Compiler { text, data, access: &access, purpose: Purpose::Rest, now, alias: None };
    compile_filter(&compiler, table, condition)
}

impl Compiler<'_> {
    pub(super) fn query(&self, query: &Query) -> Result<Plan, SoqlError> {
        let table = self
            .data
            .position(&query.from.text)
            .filter(|at| self.access.sees_object(self.data, &self.data.tables[*at].schema))
            .ok_or_else(|| SoqlError::no_object(self.text, query.from.offset, &query.from.text))?;
        let schema = &self.data.tables[table].schema;
        if query.all_rows {
            return Err(SoqlError::at(
                "MALFORMED_QUERY",
                self.text,
                query.from.offset,
                "ALL ROWS not allowed in this context",
            ));
        }
        self.restrictions(query, schema)?;
        let grouping = self.grouping(query, table)?;
        let (columns, count) =
            if grouping.is_some() { (Vec::new(), false) } else { self.columns(query, table)? };
        let filter = match &query.condition {
            Some(condition) => Some(compile_filter(self, table, condition)?),
            None => None,
        };
        // Of a grouped query, order and limit are its groups'.
        let of_rows = grouping.is_none();
        let order = query.order_by.iter().filter(|_| of_rows).map(|key| self.sort_key(table, key));
        let order = order.collect::<Result<_, _>>()?;
        let mut plan = Plan {
            table,
            columns,
            filter,
            order,
            limit: query.limit.filter(|_| of_rows),
            offset: query.offset.filter(|_| of_rows).unwrap_or(0),
            count,
            grouping,
            after: None,
            only: None,
            asked_records: Vec::new(),
        };
        if let Some(condition) = &query.condition {
            narrow(&mut plan, condition);
        }
        Ok(plan)
    }

    fn restrictions(&self, query: &Query, schema: &ObjectSchema) -> Result<(), SoqlError> {
        if self.purpose == Purpose::Bulk {
            if !schema.flags.bulk {
                let message = format!("Entity '{}' is not supported by the Bulk API.", schema.name);
                return Err(SoqlError::new("INVALIDENTITY", message));
            }
            if query.offset.is_some() || !query.group_by.is_empty() {
                let message = "Group by and offset are not supported in Bulk Query";
                return Err(SoqlError::new("API_ERROR", message));
            }
        }
        let needs_filter = match schema.name.as_str() {
            "ContentDocumentLink" => Some(["ContentDocumentId", "LinkedEntityId"]),
            "UserRecordAccess" => Some(["RecordId", "RecordId"]),
            _ => None,
        };
        if let Some(fields) = needs_filter
            && !query.condition.as_ref().is_some_and(|c| pins(c, &fields))
        {
            let message = format!(
                "Implementation restriction: {} requires a filter by a single Id on {} using the \
                 equals operator or multiple Id's using the IN operator.",
                schema.name,
                if fields[0] == fields[1] { fields[0].to_owned() } else { fields.join(" or ") },
            );
            return Err(SoqlError::new("MALFORMED_QUERY", message));
        }
        Ok(())
    }

    /// The time zone of the user, whose days date literals mean.
    pub(super) fn zone(&self) -> TimeZone {
        let name = self.access.user.map(|user| self.data.text(user, "TimeZoneSidKey"));
        name.and_then(|name| TimeZone::get(&name).ok()).unwrap_or(TimeZone::UTC)
    }

    pub(super) fn malformed(&self, at: usize, message: &str) -> SoqlError {
        SoqlError::at("MALFORMED_QUERY", self.text, at, message)
    }

    fn columns(&self, query: &Query, table: usize) -> Result<(Vec<Column>, bool), SoqlError> {
        let mut columns: Vec<Column> = Vec::new();
        for item in &query.select {
            match item {
                SelectItem::Field { alias: Some(alias), .. } => {
                    let message = "only aggregate expressions use field aliasing";
                    return Err(self.malformed(alias.offset, message));
                }
                SelectItem::Field { name, alias: None } => {
                    let column = self.resolve(table, name)?;
                    if self.purpose == Purpose::Bulk && matches!(column.path, Path::Address { .. })
                    {
                        return Err(SoqlError::new(
                            "API_ERROR",
                            "Selecting compound data not supported in Bulk Query",
                        ));
                    }
                    if columns.iter().any(|own| own.names == column.names) {
                        let message =
                            format!("duplicate field selected: {}", column.names.join("."));
                        return Err(self.malformed(name.offset, &message));
                    }
                    columns.push(column);
                }
                SelectItem::Fields(which) => columns.extend(self.all_fields(query, table, which)?),
                SelectItem::CountAll(at) => {
                    if self.purpose == Purpose::Bulk {
                        return Err(SoqlError::new(
                            "API_ERROR",
                            "Aggregate functions are not supported in Bulk Query",
                        ));
                    }
                    if query.select.len() > 1 {
                        return Err(self.malformed(*at, "unexpected token: 'COUNT'"));
                    }
                    return Ok((columns, true));
                }
                SelectItem::Children(_, at) => {
                    return Err(self.unsupported(*at, "Parent-to-child subqueries"));
                }
                SelectItem::TypeOf(at) => return Err(self.unsupported(*at, "TYPEOF expressions")),
                SelectItem::Aggregate { function, .. } => {
                    return Err(self.unsupported(function.offset, "Aggregate functions"));
                }
            }
        }
        Ok((columns, false))
    }

    pub(super) fn unsupported(&self, at: usize, what: &str) -> SoqlError {
        match self.purpose {
            Purpose::Bulk => {
                SoqlError::new("API_ERROR", format!("{what} are not supported in Bulk Query"))
            }
            Purpose::Rest => {
                self.malformed(at, &format!("{what} are not supported by the simulator"))
            }
        }
    }

    fn all_fields(
        &self,
        query: &Query,
        table: usize,
        which: &Name,
    ) -> Result<Vec<Column>, SoqlError> {
        if self.purpose == Purpose::Bulk {
            return Err(SoqlError::new(
                "MALFORMED_QUERY",
                "The SOQL FIELDS function is not supported in this API.",
            ));
        }
        let (standard, custom) = match which.text.to_ascii_uppercase().as_str() {
            "ALL" => (true, true),
            "STANDARD" => (true, false),
            "CUSTOM" => (false, true),
            _ => {
                let message = format!("unexpected token: '{}'", which.text);
                return Err(self.malformed(which.offset, &message));
            }
        };
        if custom && query.limit.is_none_or(|limit| limit > 200) {
            return Err(self.malformed(
                which.offset,
                "The SOQL FIELDS function must have a LIMIT of at most 200",
            ));
        }
        let schema = &self.data.tables[table].schema;
        let wanted = schema.fields.iter().filter(|field| {
            (if field.custom { custom } else { standard })
                && self.access.sees_field(self.data, schema, field)
        });
        wanted
            .map(|field| {
                self.resolve(table, &Name { text: field.name.clone(), offset: which.offset })
            })
            .collect()
    }

    /// Resolves a dotted name from an object.
    pub(super) fn resolve(&self, table: usize, name: &Name) -> Result<Column, SoqlError> {
        let mut parts: Vec<&str> = name.text.split('.').collect();
        let own = &self.data.tables[table].schema.name;
        if parts.len() > 1
            && (parts[0].eq_ignore_ascii_case(own)
                || self.alias.is_some_and(|alias| alias.eq_ignore_ascii_case(parts[0])))
            && self.data.tables[table].schema.relationship(parts[0]).is_none()
        {
            parts.remove(0);
        }
        if parts.len() > 6 {
            return Err(self.malformed(name.offset, "relationship paths may have at most 5 levels"));
        }
        let mut names = Vec::with_capacity(parts.len());
        let path = self.path(table, &parts, name, &mut names)?;
        Ok(Column { names, path })
    }

    fn path(
        &self,
        table: usize,
        parts: &[&str],
        name: &Name,
        names: &mut Vec<String>,
    ) -> Result<Path, SoqlError> {
        let schema = &self.data.tables[table].schema;
        if parts.len() == 1 {
            let at = self.access.position(self.data, schema, parts[0]).ok_or_else(|| {
                SoqlError::no_column(self.text, name.offset, parts[0], &schema.name)
            })?;
            let field = &schema.fields[at];
            names.push(field.name.clone());
            return Ok(match field.kind {
                FieldType::Id => Path::Id,
                FieldType::Address => address(schema, &field.name),
                kind => Path::Field { at, kind },
            });
        }
        let at = schema
            .relationship(parts[0])
            .filter(|at| self.access.sees_field(self.data, schema, &schema.fields[*at]))
            .ok_or_else(|| SoqlError::no_relationship(self.text, name.offset, parts[0]))?;
        let field = &schema.fields[at];
        names.push(field.relationship.clone().unwrap_or_default());
        if parts.len() == 2 && field.is_polymorphic() && parts[1].eq_ignore_ascii_case("Type") {
            names.push("Type".to_owned());
            return Ok(Path::TypeName { at });
        }
        self.parent(at, field, &parts[1..], name, names)
    }

    fn parent(
        &self,
        at: usize,
        field: &crate::schema::Field,
        rest: &[&str],
        name: &Name,
        names: &mut Vec<String>,
    ) -> Result<Path, SoqlError> {
        let mut targets = Vec::new();
        let mut rest_names = None;
        let mut refusal = None;
        for target in &field.references {
            let Some(position) = self.data.position(target) else { continue };
            if !self.access.sees_object(self.data, &self.data.tables[position].schema) {
                continue;
            }
            let mut below = Vec::new();
            match self.path(position, rest, name, &mut below) {
                Ok(path) => {
                    targets.push((position, path));
                    rest_names.get_or_insert(below);
                }
                Err(error) => refusal = Some(error),
            }
        }
        match (rest_names, refusal) {
            (Some(below), _) => {
                names.extend(below);
                Ok(Path::Parent { at, targets })
            }
            // Of a polymorphic reference only what all targets share can be asked: Salesforce calls
            // that `Name`.
            (None, Some(_)) if field.is_polymorphic() => {
                Err(SoqlError::no_column(self.text, name.offset, rest[0], "Name"))
            }
            (None, Some(error)) => Err(error),
            (None, None) => {
                let own = field.relationship.as_deref().unwrap_or_default();
                Err(SoqlError::no_relationship(self.text, name.offset, own))
            }
        }
    }

    fn sort_key(&self, table: usize, key: &OrderKey) -> Result<SortKey, SoqlError> {
        let column = self.resolve(table, &key.name)?;
        let sortable = match &column.path {
            Path::Field { at, .. } => {
                let field = &self.data.tables[table].schema.fields[*at];
                !field.nofilter && field.kind != FieldType::MultiPicklist
            }
            Path::Address { .. } => false,
            _ => true,
        };
        if !sortable {
            let message = format!("field '{}' can not be sorted in a query call", key.name.text);
            return Err(self.malformed(key.name.offset, &message));
        }
        Ok(SortKey {
            path: column.path,
            descending: key.descending,
            nulls_last: key.nulls_last.unwrap_or(false),
        })
    }
}
