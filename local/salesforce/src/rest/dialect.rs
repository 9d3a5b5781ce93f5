//! The CSV dialect that a bulk job asks for.

use crate::error::ApiError;

/// A column delimiter by its name.
pub(super) fn delimiter(name: &str) -> Result<(&'static str, char), ApiError> {
    const ALL: [(&str, char); 6] = [
        ("BACKQUOTE", '`'),
        ("CARET", '^'),
        ("COMMA", ','),
        ("PIPE", '|'),
        ("SEMICOLON", ';'),
        ("TAB", '\t'),
    ];
    ALL.into_iter().find(|(own, _)| *own == name).ok_or_else(|| {
        ApiError::bad("INVALIDJOB", format!("columnDelimiter {name} is not supported"))
    })
}

/// A line ending by its name.
pub(super) fn line_end(name: &str) -> Result<(&'static str, &'static str), ApiError> {
    match name {
        "LF" => Ok(("LF", "\n")),
        "CRLF" => Ok(("CRLF", "\r\n")),
        _ => Err(ApiError::bad("INVALIDJOB", format!("lineEnding {name} is not supported"))),
    }
}
