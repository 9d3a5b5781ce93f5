//! Addresses in an org that keeps states and countries as lists: a code and its name stand
//! together, and a state is one of its country's.

use super::Writer;
use crate::error::ApiError;
use crate::org::OrgData;
use crate::schema::ObjectSchema;
use crate::schema::places::{self, Country};
use crate::storage::{Draft, Value};

/// Settles every address that a write touches: the code that is given, or else the name, decides
/// the other one.
pub(super) fn settle(
    data: &OrgData,
    schema: &ObjectSchema,
    draft: &mut Draft,
    given: &dyn Fn(&str) -> bool,
    writer: &Writer<'_>,
) -> Result<(), ApiError> {
    if writer.system || !data.settings.state_lists {
        return Ok(());
    }
    let codes = schema.fields.iter().filter_map(|field| field.name.strip_suffix("CountryCode"));
    for prefix in codes {
        Address { schema, prefix }.settle(draft, given)?;
    }
    Ok(())
}

/// One address of an object, such as `Mailing` of a contact.
struct Address<'a> {
    schema: &'a ObjectSchema,
    prefix: &'a str,
}

impl Address<'_> {
    fn settle(&self, draft: &mut Draft, given: &dyn Fn(&str) -> bool) -> Result<(), ApiError> {
        let (changes_country, country) = self.said(draft, "Country", given);
        let (changes_state, state) = self.said(draft, "State", given);
        if !changes_country && !changes_state {
            return Ok(());
        }
        let found = country.as_deref().map(|word| self.country(word)).transpose()?;
        let state = state.map(|word| self.state(found, &word)).transpose()?;
        self.set(draft, "Country", found.map(|of| (of.code, of.name)));
        self.set(draft, "State", state);
        Ok(())
    }

    /// True if a write says something of a country or a state, and the code or the name that the
    /// record has of it then, if it has one.
    fn said(
        &self,
        draft: &Draft,
        name: &str,
        given: &dyn Fn(&str) -> bool,
    ) -> (bool, Option<String>) {
        let code = format!("{name}Code");
        let by = [code.as_str(), name];
        let by = by.into_iter().find(|by| given(&format!("{}{by}", self.prefix)));
        (by.is_some(), self.text(draft, by.unwrap_or(&code)))
    }

    fn country(&self, word: &str) -> Result<&'static Country, ApiError> {
        let what = "There's a problem with this country, even though it may appear correct. \
                    Please select a country from the list of valid countries.";
        places::country(word).ok_or_else(|| self.problem(what, "Country"))
    }

    fn state(
        &self,
        country: Option<&Country>,
        word: &str,
    ) -> Result<(&'static str, &'static str), ApiError> {
        let no_country = "A country must be specified before specifying a state value for field";
        let country = country.ok_or_else(|| self.problem(no_country, "State"))?;
        let what = "There's a problem with this state, even though it may appear correct. Please \
                    select a state from the list of valid states.";
        country.state(word).ok_or_else(|| self.problem(what, "State"))
    }

    fn problem(&self, what: &str, name: &str) -> ApiError {
        let field = format!("{}{name}", self.prefix);
        let label = self.schema.field(&field).map_or(field.as_str(), |field| &field.label);
        let message = format!("{what}: {label}");
        ApiError::fields("FIELD_INTEGRITY_EXCEPTION", message, &[&field])
    }

    fn text(&self, draft: &Draft, name: &str) -> Option<String> {
        let at = self.schema.at(&format!("{}{name}", self.prefix));
        draft.get(at).as_text().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn set(&self, draft: &mut Draft, name: &str, place: Option<(&str, &str)>) {
        let (code, shown) = place.unzip();
        for (field, text) in [(format!("{name}Code"), code), (name.to_owned(), shown)] {
            let at = self.schema.at(&format!("{}{field}", self.prefix));
            draft.set(at, text.map_or(Value::Null, |text| Value::text(text.to_owned())));
        }
    }
}
