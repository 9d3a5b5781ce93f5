//! Runs plans: finds rows, tests and sorts them.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::ast::Operator;
use super::filter::{Filter, RowView, Test, like};
use super::path::{Path, SortKey};
use super::plan::Plan;
use crate::ids::RecordId;
use crate::org::{Access, OrgData};
use crate::schema::FieldType;
use crate::storage::{Draft, Row, Slots, Table, Value};

/// A row that a query found, as it was then.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) id: RecordId,
    pub(crate) row: Row,
}

impl Path {
    /// The value that the path leads to.
    pub(crate) fn value<'a>(&self, scope: &RowView<'a>) -> Value<'a> {
        match self {
            Self::Id => Value::Id(scope.id),
            Self::Field { at, kind } => scope.slots.value(scope.row, *at, *kind),
            Self::TypeName { at } => reference(scope, *at)
                .and_then(|id| scope.data.table_of(id))
                .map_or(Value::Null, |table| Value::Text(table.schema.name.as_str().into())),
            Self::Address { .. } => Value::Null,
            Self::Parent { at, targets } => {
                let Some(id) = reference(scope, *at) else { return Value::Null };
                let Some(position) = scope.data.position_of(id) else { return Value::Null };
                let Some((_, path)) = targets.iter().find(|(t, _)| *t == position) else {
                    return Value::Null;
                };
                let Some(row) = scope.data.tables[position].get(id) else { return Value::Null };
                let mut slots = Slots::default();
                slots.read(row);
                // The value borrows from the table, not from the slots.
                path.value_of(scope.data, id, row, &slots)
            }
        }
    }

    fn value_of<'a>(
        &self,
        data: &'a OrgData,
        id: RecordId,
        row: &'a [u8],
        slots: &Slots,
    ) -> Value<'a> {
        match self {
            Self::Id => Value::Id(id),
            Self::Field { at, kind } => slots.value(row, *at, *kind),
            other => {
                let mut own = Slots::default();
                own.read(row);
                match other.value(&RowView { data, id, row, slots: &own }) {
                    Value::Text(std::borrow::Cow::Borrowed(text)) => {
                        Value::Text(text.to_owned().into())
                    }
                    value => value.into_owned(),
                }
            }
        }
    }
}

/// The id in a reference field of a row.
pub(super) fn reference(scope: &RowView<'_>, at: usize) -> Option<RecordId> {
    scope.slots.value(scope.row, at, FieldType::Reference).as_id()
}

impl Filter {
    /// True if a row passes.
    pub(crate) fn passes(&self, scope: &RowView<'_>) -> bool {
        self.holds(&|path| path.value(scope))
    }
}

impl<P> Filter<P> {
    /// True if a group with these values passes.
    pub(super) fn holds<'v>(&self, value: &impl Fn(&P) -> Value<'v>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.holds(value)),
            Self::Or(all) => all.iter().any(|one| one.holds(value)),
            Self::Not(inner) => !inner.holds(value),
            Self::Test(at, test) => test.passes(&value(at)),
        }
    }
}

/// A text that is the same for values that are equal to SOQL.
pub(super) fn folded(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.to_lowercase(),
        Value::Double(n) => n.to_string(),
        Value::Time(ms) => ms.to_string(),
        value => {
            let mut plain = String::new();
            value.write_plain(&mut plain, "");
            plain
        }
    }
}

fn holds(operator: Operator, ordering: Ordering) -> bool {
    match operator {
        Operator::Equal => ordering.is_eq(),
        Operator::NotEqual => ordering.is_ne(),
        Operator::Less => ordering.is_lt(),
        Operator::LessOrEqual => ordering.is_le(),
        Operator::Greater => ordering.is_gt(),
        Operator::GreaterOrEqual => ordering.is_ge(),
        Operator::Like => false,
    }
}

/// How a value lies to a half-open range: before it, in it, after it.
fn against_range<T: PartialOrd>(value: &T, from: &T, to: &T) -> Ordering {
    if value < from {
        Ordering::Less
    } else if value < to {
        Ordering::Equal
    } else {
        Ordering::Greater
    }
}

#[expect(clippy::cast_precision_loss, reason = "Salesforce's int fields hold 32 bits")]
pub(super) fn as_number(n: i64) -> f64 {
    n as f64
}

impl Test {
    fn passes(&self, value: &Value<'_>) -> bool {
        let null_passes = |operator: &Operator| *operator == Operator::NotEqual;
        match (self, value) {
            (Self::IsNull(null), value) => value.is_null() == *null,
            (
                Self::OneOf { null, negated, .. } | Self::OneId { null, negated, .. },
                Value::Null,
            ) => null != negated,
            (Self::OneId { ids, negated, .. }, Value::Id(id)) => ids.contains(id) != *negated,
            (Self::OneOf { texts, negated, .. }, value) => {
                texts.contains(&folded(value)) != *negated
            }
            (Self::Includes { negated, .. }, Value::Null) => *negated,
            (Self::Includes { any, negated }, Value::Text(text)) => {
                let chosen: Vec<String> =
                    text.to_lowercase().split(';').map(str::to_owned).collect();
                any.iter().any(|all| all.iter().all(|one| chosen.contains(one))) != *negated
            }
            (Self::Like(pattern), Value::Text(text)) => like(pattern, text),
            (
                Self::Bool(operator, _)
                | Self::Number(operator, _)
                | Self::Time(operator, _)
                | Self::Text(operator, _)
                | Self::Id(operator, _)
                | Self::TimeRange(operator, ..)
                | Self::DateRange(operator, ..),
                Value::Null,
            ) => null_passes(operator),
            (Self::Bool(operator, b), Value::Bool(own)) => holds(*operator, own.cmp(b)),
            (Self::Number(operator, n), Value::Int(own)) => {
                holds(*operator, as_number(*own).total_cmp(n))
            }
            (Self::Number(operator, n), Value::Double(own)) => holds(*operator, own.total_cmp(n)),
            (Self::Time(operator, ms), Value::Time(own)) => holds(*operator, own.cmp(ms)),
            (Self::Id(operator, id), Value::Id(own)) => holds(*operator, own.cmp(id)),
            (Self::Text(operator, text), Value::Text(own)) => {
                holds(*operator, own.to_lowercase().as_str().cmp(text))
            }
            (Self::TimeRange(operator, from, to), Value::Time(own)) => {
                holds(*operator, against_range(own, from, to))
            }
            (Self::DateRange(operator, from, to), Value::Text(own)) => {
                holds(*operator, against_range(&own.as_ref(), &from.as_str(), &to.as_str()))
            }
            _ => false,
        }
    }
}

/// Runs a plan. `all` also finds rows in the recycle bin and archived activities.
pub(crate) fn run(data: &OrgData, access: &Access, plan: &Plan, all: bool, now: i64) -> Vec<Found> {
    let table = &data.tables[plan.table];
    if table.schema.flags.computed {
        return computed(data, table, plan);
    }
    let archived_at =
        if table.schema.flags.activity { table.schema.at("IsArchived") } else { usize::MAX };
    let deleted_at = table.schema.at("IsDeleted");
    let filtered = access.is_filtered(data, &table.schema);
    // In id order the first rows are the answer, and the scan can stop.
    let by_id =
        matches!(plan.order.as_slice(), [] | [SortKey { path: Path::Id, descending: false, .. }])
            && !data.settings.shuffle;
    let enough = match plan.limit {
        Some(limit) if by_id => plan.offset.saturating_add(limit),
        _ => usize::MAX,
    };
    let mut found = Vec::new();
    let mut slots = Slots::default();
    for (id, row) in candidates(table, plan) {
        if found.len() >= enough {
            break;
        }
        let Some(row) = table.seen(id, row, now) else { continue };
        slots.read(row);
        let is_hidden =
            slots.bytes(row, deleted_at).is_some() || slots.bytes(row, archived_at).is_some();
        if is_hidden && !all || filtered && !access.sees_row(data, table, id, row) {
            continue;
        }
        let scope = RowView { data, id, row, slots: &slots };
        if plan.filter.as_ref().is_none_or(|filter| filter.passes(&scope)) {
            found.push(Found { id, row: row.clone() });
        }
    }
    sort(data, plan, &mut found);
    if plan.offset > 0 {
        found.drain(..plan.offset.min(found.len()));
    }
    found.truncate(plan.limit.unwrap_or(usize::MAX));
    found
}

fn candidates<'t>(
    table: &'t Table,
    plan: &Plan,
) -> Box<dyn Iterator<Item = (RecordId, &'t Row)> + 't> {
    match &plan.only {
        Some(ids) => {
            let mut ids = ids.clone();
            ids.sort_unstable();
            ids.dedup();
            Box::new(ids.into_iter().filter_map(|id| table.get(id).map(|row| (id, row))))
        }
        None => Box::new(table.iter_after(plan.after)),
    }
}

fn sort(data: &OrgData, plan: &Plan, found: &mut Vec<Found>) {
    if plan.order.is_empty() {
        if data.settings.shuffle {
            found.sort_by_key(|one| scattered(one.id));
        }
        return;
    }
    let mut keyed: Vec<(Vec<Value<'static>>, Found)> = std::mem::take(found)
        .into_iter()
        .map(|one| {
            let mut slots = Slots::default();
            slots.read(&one.row);
            let scope = RowView { data, id: one.id, row: &one.row, slots: &slots };
            let keys = plan.order.iter().map(|key| key.path.value(&scope).into_owned()).collect();
            (keys, one)
        })
        .collect();
    keyed.sort_by(|(a, _), (b, _)| {
        plan.order
            .iter()
            .zip(a.iter().zip(b))
            .map(|(key, (a, b))| order(key, a, b))
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    found.extend(keyed.into_iter().map(|(_, one)| one));
}

pub(super) fn order<P>(key: &SortKey<P>, a: &Value<'_>, b: &Value<'_>) -> Ordering {
    let nulls = |a_is_null: bool| {
        if a_is_null == key.nulls_last { Ordering::Greater } else { Ordering::Less }
    };
    let ordering = match (a, b) {
        (Value::Null, Value::Null) => return Ordering::Equal,
        (Value::Null, _) => return nulls(true),
        (_, Value::Null) => return nulls(false),
        (a, b) => compare(a, b),
    };
    if key.descending { ordering.reverse() } else { ordering }
}

/// The order of two values of one field.
pub(super) fn compare(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) | (Value::Time(a), Value::Time(b)) => a.cmp(b),
        (Value::Double(a), Value::Double(b)) => a.total_cmp(b),
        (Value::Id(a), Value::Id(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.to_lowercase().cmp(&b.to_lowercase()),
        _ => Ordering::Equal,
    }
}

/// An order that has nothing to do with ids: FNV-1a.
fn scattered(id: RecordId) -> u64 {
    id.bytes().iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The ids in the only column of a semi-join's query.
pub(super) fn ids_of(data: &OrgData, access: &Access, plan: &Plan, now: i64) -> HashSet<RecordId> {
    let Some(column) = plan.columns.first() else { return HashSet::new() };
    let mut slots = Slots::default();
    run(data, access, plan, false, now)
        .iter()
        .filter_map(|one| {
            slots.read(&one.row);
            column.path.value(&RowView { data, id: one.id, row: &one.row, slots: &slots }).as_id()
        })
        .collect()
}

/// The rows of `UserRecordAccess` for the records and the user of the query.
fn computed(data: &OrgData, table: &Table, plan: &Plan) -> Vec<Found> {
    let schema = &table.schema;
    let Some(users) = data.table("User") else { return Vec::new() };
    let mut found = Vec::new();
    for (user, _) in users.iter() {
        let access = Access::of(data, user);
        for record in &plan.asked_records {
            let (read, edit) = rights(data, &access, *record);
            let mut draft = Draft::new(schema);
            draft.set(schema.at("UserId"), Value::Id(user));
            draft.set(schema.at("HasReadAccess"), Value::Bool(read));
            for right in ["HasEditAccess", "HasDeleteAccess", "HasTransferAccess", "HasAllAccess"] {
                draft.set(schema.at(right), Value::Bool(edit));
            }
            let level = match (read, edit) {
                (_, true) => "All",
                (true, false) => "Read",
                (false, false) => "None",
            };
            draft.set(schema.at("MaxAccessLevel"), Value::text(level));
            let row = draft.encode();
            let mut slots = Slots::default();
            slots.read(&row);
            let scope = RowView { data, id: *record, row: &row, slots: &slots };
            if plan.filter.as_ref().is_none_or(|filter| filter.passes(&scope)) {
                found.push(Found { id: *record, row });
            }
        }
    }
    found.truncate(plan.limit.unwrap_or(usize::MAX));
    found
}

fn rights(data: &OrgData, access: &Access, record: RecordId) -> (bool, bool) {
    let Some(table) = data.table_of(record) else { return (false, false) };
    let Some(row) = table.get(record) else { return (false, false) };
    let allowed = access.profile.object(&table.schema.name);
    let read = allowed.read && access.sees_row(data, table, record, row);
    (read, read && allowed.edit && access.edits_row(data, table, record, row))
}
