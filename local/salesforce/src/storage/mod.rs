//! Rows in memory: values, their compact form, and tables ordered by id.

mod row;
mod table;
mod value;

pub(crate) use row::{Draft, Row, Slots};
pub(crate) use table::{Late, Table};
pub(crate) use value::{Value, ValueError, format_date_time, parse_date, parse_date_time};
