//! A query as written. Every name keeps its byte offset for error messages.

/// A dotted name, such as `Owner.Name`; where groups are tested or sorted also a call, `COUNT(Id)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) offset: usize,
}

/// One entry of the SELECT list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SelectItem {
    Field {
        name: Name,
        alias: Option<Name>,
    },
    /// `FIELDS(ALL)`, `FIELDS(STANDARD)`, `FIELDS(CUSTOM)`.
    Fields(Name),
    /// `COUNT()`.
    CountAll(usize),
    /// `COUNT(Id)`, `MAX(CreatedDate) latest`, and so on.
    Aggregate {
        function: Name,
        argument: Name,
        alias: Option<Name>,
    },
    /// A child subquery.
    Children(Box<Query>, usize),
    TypeOf(usize),
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

/// A literal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Text(String),
    Number(f64),
    Date(String),
    DateTime(i64),
    /// `TODAY`, `LAST_N_DAYS:30`.
    Relative(String, i64),
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare { name: Name, operator: Operator, literal: Literal, at: usize },
    In { name: Name, negated: bool, list: Vec<(Literal, usize)> },
    InQuery { name: Name, negated: bool, query: Box<Query> },
    Includes { name: Name, negated: bool, list: Vec<(Literal, usize)> },
}

/// One key of `ORDER BY`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderKey {
    pub(crate) name: Name,
    pub(crate) descending: bool,
    /// `None` where the query does not say.
    pub(crate) nulls_last: Option<bool>,
}

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) select: Vec<SelectItem>,
    pub(crate) from: Name,
    /// The object's alias, such as `a` in `FROM Account a`.
    pub(crate) alias: Option<String>,
    pub(crate) condition: Option<Condition>,
    pub(crate) group_by: Vec<Name>,
    pub(crate) having: Option<Condition>,
    pub(crate) order_by: Vec<OrderKey>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: Option<usize>,
    /// `ALL ROWS`, which only Apex may say.
    pub(crate) all_rows: bool,
}
