//! What the org would refuse of a change, by its describe for this seller. Pure.

use super::{FieldValue, Refusal, Values};
use crate::salesforce::{
    FieldDescribe, ObjectDescribe, PicklistValue, RecordTypeInfo, SalesforceId,
};

/// What of a new record's values the org would refuse, as the seller sees it: fields that they may
/// not set, values that are none of a list's, and required fields that are left out. Asked before
/// anything is claimed, so that a form tells all at once.
pub(super) fn refusals_of_new(describe: &ObjectDescribe, values: &Values) -> Vec<Refusal> {
    if !describe.summary.createable {
        let message = format!(
            "You may not create records of {} in the CRM. Its admin gives the right.",
            describe.summary.label
        );
        return vec![Refusal::of("INSUFFICIENT_ACCESS", message)];
    }
    let mut refusals = unwritable(describe, values, |field| field.createable);
    refusals.extend(wrong_values(describe, values, values));
    let left_out = describe.fields.iter().filter(|field| field.is_required_on_create());
    // The seller is the owner unless the org says otherwise.
    let left_out = left_out.filter(|field| field.name != "OwnerId");
    let missing: Vec<&str> = left_out
        .map(|field| field.name.as_str())
        .filter(|name| values.get(*name).is_none_or(FieldValue::is_empty))
        .collect();
    if !missing.is_empty() {
        let message = "The CRM requires these fields. Fill them in.";
        refusals.push(Refusal::of("REQUIRED_FIELD_MISSING", message).about(missing));
    }
    refusals
}

/// The fields that the seller may not write, by what they may do with a field.
pub(super) fn unwritable(
    describe: &ObjectDescribe,
    values: &Values,
    may_write: impl Fn(&FieldDescribe) -> bool,
) -> Vec<Refusal> {
    let message = "The CRM does not let you set this field. Leave it out, or have its admin give \
                   the right to edit it.";
    let may_write = |name: &String| describe.field(name).is_some_and(&may_write);
    let not = values.keys().filter(|name| !may_write(name));
    not.map(|name| Refusal::of("FIELD_NOT_WRITABLE", message).about([name])).collect()
}

/// The values that a field does not take; `row` is all that the record would have.
pub(super) fn wrong_values(
    describe: &ObjectDescribe,
    values: &Values,
    row: &Values,
) -> Vec<Refusal> {
    let of_value = |(name, value): (&String, &FieldValue)| {
        let field = describe.field(name)?;
        let choice = wrong_choice(describe, row, field, value);
        let choice = choice.map(|(code, message)| Refusal::of(code, message).about([name]));
        choice.or_else(|| too_long(field, value))
    };
    values.iter().filter_map(of_value).collect()
}

/// The fields that control the lists of some fields.
pub(super) fn controllers<'a>(
    describe: &'a ObjectDescribe,
    names: impl Iterator<Item = &'a String>,
) -> Vec<&'a String> {
    let fields = names.filter_map(|name| describe.field(name));
    let controllers = fields.filter_map(|field| controller_of(describe, field));
    controllers.map(|controller| &controller.name).collect()
}

/// The field whose value decides what may be chosen of this one's list.
#[must_use]
pub fn controller_of<'a>(
    describe: &'a ObjectDescribe,
    field: &FieldDescribe,
) -> Option<&'a FieldDescribe> {
    let name = field.controller_name.as_deref().filter(|_| field.dependent_picklist)?;
    describe.field(name)
}

/// The field that takes the code of a state or a country, in an org that keeps those as lists. A
/// text beside it would be refused unless it happens to be a name of the list.
#[must_use]
pub fn code_beside<'a>(describe: &'a ObjectDescribe, name: &str) -> Option<&'a FieldDescribe> {
    let is_place = name.ends_with("State") || name.ends_with("Country");
    describe.field(&format!("{name}Code")).filter(|_| is_place)
}

fn too_long(field: &FieldDescribe, value: &FieldValue) -> Option<Refusal> {
    let length = value.text().map_or(0, |text| text.encode_utf16().count());
    let message = format!("The text is longer than {} characters.", field.length);
    (field.length > 0 && length > field.length as usize)
        .then(|| Refusal::of("STRING_TOO_LONG", message).about([&field.name]))
}

/// Why a value is none that may be chosen, where the field takes those of a list alone: a code and
/// words for the seller.
fn wrong_choice(
    describe: &ObjectDescribe,
    row: &Values,
    field: &FieldDescribe,
    value: &FieldValue,
) -> Option<(&'static str, String)> {
    let chosen = value.text()?;
    let refused = |message: &str| Some(("NOT_IN_PICKLIST", message.to_owned()));
    if field.name == "RecordTypeId" {
        let types = &describe.record_type_infos;
        let message = "You may not give records this record type. Choose one that the form names, \
                       or have the CRM's admin assign it to your profile.";
        let chosen: Option<SalesforceId> = chosen.parse().ok();
        let is_given =
            |of: &RecordTypeInfo| of.available && of.record_type_id.parse().ok() == chosen;
        let is_given = chosen.is_some() && types.iter().any(is_given);
        return (!is_given).then(|| ("RECORD_TYPE_NOT_AVAILABLE", message.to_owned()));
    }
    if let Some(code) = code_beside(describe, &field.name) {
        let names = code.picklist_values.iter().filter_map(|listed| listed.label.as_deref());
        let is_listed = { names }.any(|name| name.eq_ignore_ascii_case(chosen));
        let message = format!(
            "The CRM keeps states and countries as lists, and this is no name of the list. Leave \
             the field out, and set {} to a code that the form names.",
            code.name
        );
        return (!is_listed).then_some(("NOT_IN_PICKLIST", message));
    }
    if field.kind != "picklist" || !field.restricted_picklist {
        return None;
    }
    let mut active = field.picklist_values.iter().filter(|listed| listed.active);
    match active.find(|listed| listed.value == chosen) {
        None => refused("The value is none of the field's list. Choose one that the form names."),
        Some(listed) if !goes_with(describe, row, field, listed) => refused(
            "The value does not go with that of the field it depends on. Choose one that the form \
             names for it.",
        ),
        Some(_) => None,
    }
}

/// True if a value of a dependent list may stand beside the value of the field that controls it.
fn goes_with(
    describe: &ObjectDescribe,
    row: &Values,
    field: &FieldDescribe,
    listed: &PicklistValue,
) -> bool {
    let Some(controller) = controller_of(describe, field) else { return true };
    let place = match row.get(&controller.name) {
        Some(FieldValue::Flag(ticked)) => Some(usize::from(*ticked)),
        Some(FieldValue::Text(text)) => {
            controller.picklist_values.iter().position(|listed| listed.value == *text)
        }
        _ if controller.kind == "boolean" => Some(0),
        _ => None,
    };
    place.is_some_and(|place| listed.goes_with(place))
}
