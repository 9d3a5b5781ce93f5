//! Reads the field language of `standard.txt`, which org files use for custom fields too.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Feature, Field, FieldType, ObjectFlags, ObjectSchema, places};

/// A line that does not say what a field or object is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} in `{line}`")]
pub(crate) struct SchemaError {
    line: String,
    problem: &'static str,
}

fn error(line: &str, problem: &'static str) -> SchemaError {
    SchemaError { line: line.trim().to_owned(), problem }
}

const AUDIT: &str = "CreatedDate datetime readonly nonnull\nCreatedById reference(User) readonly \
     nonnull rel=CreatedBy\n\
    LastModifiedDate datetime readonly nonnull\nLastModifiedById reference(User) readonly nonnull \
    rel=LastModifiedBy\n\
    SystemModstamp datetime readonly nonnull";
const VIEWED: &str = "LastViewedDate datetime readonly\nLastReferencedDate datetime readonly";
const OWNER: &str = "OwnerId reference(User,Group) nonnull rel=Owner";
const DELETED: &str = "IsDeleted boolean readonly";

/// Reads every object of a schema text.
pub(super) fn parse_objects(text: &str) -> Result<Vec<Arc<ObjectSchema>>, SchemaError> {
    let mut objects: Vec<ObjectSchema> = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if let Some(rest) = trimmed.strip_prefix("object ") {
            objects.push(parse_object(rest)?);
            continue;
        }
        let object = objects.last_mut().ok_or_else(|| error(line, "a field before any object"))?;
        let expanded = match trimmed {
            "@audit" => AUDIT,
            "@viewed" => VIEWED,
            "@owner" => OWNER,
            "@deleted" => DELETED,
            other => other,
        };
        for one in expanded.lines() {
            object.push(parse_field(one)?);
        }
    }
    Ok(objects.into_iter().map(Arc::new).collect())
}

fn parse_object(line: &str) -> Result<ObjectSchema, SchemaError> {
    let mut words = words(line).into_iter();
    let mut next = |problem| words.next().ok_or_else(|| error(line, problem));
    let name = next("no object name")?;
    let prefix = next("no key prefix")?;
    let label = next("no label")?;
    let plural = next("no plural label")?;
    let mut flags = ObjectFlags::default();
    let mut feature = None;
    for word in words {
        match word.as_str() {
            "create" => flags.create = true,
            "update" => flags.update = true,
            "delete" => flags.delete = true,
            "undelete" => flags.undelete = true,
            "search" => flags.search = true,
            "merge" => flags.merge = true,
            "replicate" => flags.replicate = true,
            "bulk" => flags.bulk = true,
            "activity" => flags.activity = true,
            "harddelete" => flags.hard_delete = true,
            "virtual" => flags.computed = true,
            other => feature = Some(parse_feature(other).ok_or_else(|| error(line, "odd flag"))?),
        }
    }
    // The currency feature adds a field to an object; it never hides the object itself but for
    // CurrencyType.
    let feature = feature.filter(|f| *f != Feature::MultiCurrency || name == "CurrencyType");
    let mut object = ObjectSchema {
        prefix: (prefix != "null").then_some(prefix),
        name,
        label,
        plural,
        feature,
        flags,
        fields: Vec::new(),
        index: HashMap::new(),
    };
    object.push(parse_field("Id id readonly nonnull")?);
    Ok(object)
}

fn parse_feature(word: &str) -> Option<Feature> {
    match word.strip_prefix("feature=")? {
        "teams" => Some(Feature::AccountTeams),
        "currency" => Some(Feature::MultiCurrency),
        "notes" => Some(Feature::EnhancedNotes),
        "person" => Some(Feature::PersonAccounts),
        "states" => Some(Feature::StateLists),
        _ => None,
    }
}

/// Reads one field, such as `Level__c picklist(A|B) default=A`. A value of a list that depends on
/// another field's names the values that it goes with: `City__c picklist(Rome@IT|Nice@FR+MC)
/// controller=Country__c`.
pub(crate) fn parse_field(line: &str) -> Result<Field, SchemaError> {
    let mut words = words(line).into_iter();
    let name = words.next().ok_or_else(|| error(line, "no field name"))?;
    let kind = words.next().ok_or_else(|| error(line, "no field type"))?;
    let (kind, arguments) = match kind.split_once('(') {
        Some((kind, rest)) => (kind, rest.trim_end_matches(')')),
        None => (kind.as_str(), ""),
    };
    let word = kind;
    let kind = parse_type(word).ok_or_else(|| error(line, "unknown field type"))?;
    let custom = name.to_ascii_lowercase().ends_with("__c");
    let mut field = blank(name, kind, custom);
    match kind {
        FieldType::Picklist if word == "countrycode" => {
            field.restricted = true;
            field.picklist = places::COUNTRIES.iter().map(|of| of.code.to_owned()).collect();
        }
        FieldType::Picklist if word == "statecode" => by_country(&mut field),
        FieldType::Picklist | FieldType::MultiPicklist => {
            for value in arguments.split('|').filter(|v| !v.is_empty()) {
                let (value, with) = value.split_once('@').unwrap_or((value, ""));
                let with: Vec<String> =
                    with.split('+').filter(|v| !v.is_empty()).map(str::to_owned).collect();
                field.picklist.push(value.to_owned());
                if !with.is_empty() {
                    field.goes_with.insert(value.to_owned(), with);
                }
            }
        }
        FieldType::Reference => {
            field.references = arguments.split(',').map(|t| t.trim().to_owned()).collect();
            field.relationship = relationship_of(&field.name);
        }
        _ if !arguments.is_empty() => {
            field.length = arguments.parse().map_err(|_| error(line, "a length is a number"))?;
        }
        _ => {}
    }
    for word in words {
        apply_flag(&mut field, &word).ok_or_else(|| error(line, "unknown flag"))?;
    }
    Ok(field)
}

/// Makes a field the list of states, each with the country of the same address that it goes with.
fn by_country(field: &mut Field) {
    field.restricted = true;
    field.controller = Some(field.name.replace("StateCode", "CountryCode"));
    for country in &places::COUNTRIES {
        for (code, _) in country.states {
            field.picklist.push((*code).to_owned());
            field.goes_with.insert((*code).to_owned(), vec![country.code.to_owned()]);
        }
    }
}

fn blank(name: String, kind: FieldType, custom: bool) -> Field {
    let length = match kind {
        FieldType::String | FieldType::Picklist | FieldType::Url => 255,
        FieldType::MultiPicklist => 4099,
        FieldType::Phone => 40,
        FieldType::Email => 80,
        FieldType::TextArea => 32000,
        FieldType::Base64 => 52_428_800,
        FieldType::Id | FieldType::Reference => 18,
        _ => 0,
    };
    Field {
        label: label_of(&name),
        name,
        kind,
        length,
        custom,
        picklist: Vec::new(),
        controller: None,
        goes_with: HashMap::new(),
        references: Vec::new(),
        relationship: None,
        children: None,
        compound: None,
        default: None,
        feature: None,
        required: false,
        nonnull: false,
        readonly: false,
        createonly: false,
        unique: false,
        external_id: false,
        restricted: false,
        calculated: false,
        is_name: false,
        nofilter: false,
        cascade: false,
        hidden: false,
    }
}

fn apply_flag(field: &mut Field, word: &str) -> Option<()> {
    match word.split_once('=') {
        None => match word {
            "required" => field.required = true,
            "nonnull" | "defaulted" => field.nonnull = true,
            "readonly" => field.readonly = true,
            "createonly" => field.createonly = true,
            "unique" | "idlookup" => field.unique = true,
            "externalid" => field.external_id = true,
            "restricted" => field.restricted = true,
            "calculated" => (field.calculated, field.readonly) = (true, true),
            "name" => field.is_name = true,
            "nofilter" => field.nofilter = true,
            "cascade" => field.cascade = true,
            "hidden" => field.hidden = true,
            _ => return None,
        },
        Some(("default", value)) => field.default = Some(value.to_owned()),
        Some(("controller", value)) => field.controller = Some(value.to_owned()),
        Some(("rel", "none")) => field.relationship = None,
        Some(("rel", value)) => field.relationship = Some(value.to_owned()),
        Some(("children", value)) => field.children = Some(value.to_owned()),
        Some(("compound", value)) => field.compound = Some(value.to_owned()),
        Some(("label", value)) => value.clone_into(&mut field.label),
        Some(("feature", _)) => field.feature = Some(parse_feature(word)?),
        Some(_) => return None,
    }
    Some(())
}

fn parse_type(name: &str) -> Option<FieldType> {
    Some(match name {
        "id" => FieldType::Id,
        "string" | "text" => FieldType::String,
        "textarea" => FieldType::TextArea,
        "picklist" | "statecode" | "countrycode" => FieldType::Picklist,
        "multipicklist" => FieldType::MultiPicklist,
        "boolean" => FieldType::Boolean,
        "int" => FieldType::Int,
        "double" => FieldType::Double,
        "currency" => FieldType::Currency,
        "percent" => FieldType::Percent,
        "date" => FieldType::Date,
        "datetime" => FieldType::DateTime,
        "phone" => FieldType::Phone,
        "email" => FieldType::Email,
        "url" => FieldType::Url,
        "base64" => FieldType::Base64,
        "reference" => FieldType::Reference,
        "address" => FieldType::Address,
        _ => return None,
    })
}

fn relationship_of(name: &str) -> Option<String> {
    if let Some(stem) = name.strip_suffix("__c") {
        return Some(format!("{stem}__r"));
    }
    name.strip_suffix("Id").map(str::to_owned)
}

/// `BillingCity` → `Billing City`, `OwnerId` → `Owner ID`.
fn label_of(name: &str) -> String {
    let stem = name.strip_suffix("__c").unwrap_or(name);
    let mut label = String::new();
    let mut previous_lower = false;
    for c in stem.chars() {
        if c == '_' {
            label.push(' ');
            previous_lower = false;
            continue;
        }
        if c.is_ascii_uppercase() && previous_lower {
            label.push(' ');
        }
        previous_lower = !c.is_ascii_uppercase();
        label.push(c);
    }
    match label.strip_suffix(" Id") {
        Some(stem) => format!("{stem} ID"),
        None => label,
    }
}

/// Splits at blanks outside parentheses and double quotes; the quotes go away.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut depth, mut quoted) = (0, false);
    for c in line.trim().chars() {
        match c {
            '"' => quoted = !quoted,
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if c.is_whitespace() && depth == 0 && !quoted {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else if c != '"' {
            word.push(c);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_field_is_read_from_its_line() {
        let field =
            parse_field("Tier__c picklist(Gold|Silver & Co) restricted default=Gold").unwrap();
        assert!(field.custom && field.restricted);
        assert_eq!(field.picklist, ["Gold", "Silver & Co"]);
        let field = parse_field("Backer__c reference(Account)").unwrap();
        assert_eq!(field.relationship.as_deref(), Some("Backer__r"));
        assert!(parse_field("X__c colour").is_err());
        assert_eq!(label_of("NumberOfEmployees"), "Number Of Employees");
    }
}
