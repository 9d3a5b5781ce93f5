//! SOQL: lexer, parser, checks against the org's schema, and the evaluation of queries.

mod ast;
mod dates;
mod error;
mod eval;
mod filter;
mod group;
mod lexer;
mod narrow;
mod parser;
mod path;
mod plan;
mod project;
mod words;

pub(crate) use error::SoqlError;
pub(crate) use eval::{Found, run};
pub(crate) use filter::RowView;
pub(crate) use group::Grouping;
pub(crate) use parser::{parse, parse_condition};
pub(crate) use plan::{Plan, Purpose, compile, compile_condition};
pub(crate) use project::{CsvForm, json_record, write_csv_header, write_csv_row};
