//! Errors of a query, in Salesforce's words.

/// A refused query: the error code and message of the reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct SoqlError {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl SoqlError {
    /// An error without a place.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// An error at a byte offset of the query, with the line and the caret that Salesforce shows.
    pub(crate) fn at(code: &'static str, text: &str, offset: usize, message: &str) -> Self {
        let offset = offset.min(text.len());
        let before = text.get(..offset).unwrap_or_default();
        let row = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[start..].chars().count();
        let line = text[start..].lines().next().unwrap_or_default();
        // Long lines are cut to their part around the error.
        let from = column.saturating_sub(40);
        let shown: String = line.chars().skip(from).take(80).collect();
        let caret = " ".repeat(column - from);
        Self::new(
            code,
            format!("\n{shown}\n{caret}^\nERROR at Row:{row}:Column:{}\n{message}", column + 1),
        )
    }

    /// `No such column`, which also stands for a field that the caller may not see.
    pub(crate) fn no_column(text: &str, offset: usize, column: &str, entity: &str) -> Self {
        Self::at(
            "INVALID_FIELD",
            text,
            offset,
            &format!(
                "No such column '{column}' on entity '{entity}'. If you are attempting to use a \
                 custom field, be sure to append the '__c' after the custom field name. Please \
                 reference your WSDL or the describe call for the appropriate names."
            ),
        )
    }

    /// `sObject type … is not supported`, also for an object that the caller may not see.
    pub(crate) fn no_object(text: &str, offset: usize, object: &str) -> Self {
        Self::at(
            "INVALID_TYPE",
            text,
            offset,
            &format!(
                "sObject type '{object}' is not supported. If you are attempting to use a custom \
                 object, be sure to append the '__c' after the entity name. Please reference your \
                 WSDL or the describe call for the appropriate names."
            ),
        )
    }

    /// `Didn't understand relationship`.
    pub(crate) fn no_relationship(text: &str, offset: usize, name: &str) -> Self {
        Self::at(
            "INVALID_FIELD",
            text,
            offset,
            &format!(
                "Didn't understand relationship '{name}' in field path. If you are attempting to \
                 use a custom relationship, be sure to append the '__r' after the custom \
                 relationship name. Please reference your WSDL or the describe call for the \
                 appropriate names."
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_column() {
        let error = SoqlError::no_column("SELECT Foo FROM Account", 7, "Foo", "Account");
        let expected = "\nSELECT Foo FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such \
             column 'Foo' on entity 'Account'.";
        assert!(error.message.starts_with(expected), "{}", error.message);
    }
}
