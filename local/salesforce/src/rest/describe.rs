//! Describe, filtered by what the caller may see and do.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};

use super::caller::Caller;
use crate::error::{ApiError, Reply};
use crate::org::OrgData;
use crate::reply::{empty, http_date, json};
use crate::schema::{Feature, Field, FieldType, ObjectSchema, places};
use crate::storage::Value;
use crate::sync::read;

/// `GET /sobjects`.
pub(super) fn global(caller: &Caller<'_>) -> Response<Body> {
    let data = read(&caller.org.data);
    if let Some(unchanged) = unchanged(caller, &data) {
        return unchanged;
    }
    let objects: Vec<Json> = data
        .tables
        .iter()
        .filter(|table| caller.access.sees_object(&data, &table.schema))
        .map(|table| Json::Object(object_keys(caller, &table.schema)))
        .collect();
    let body = json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects });
    dated(json(StatusCode::OK, &body), &data)
}

/// 304 where nothing has changed since the caller's `If-Modified-Since`.
fn unchanged(caller: &Caller<'_>, data: &OrgData) -> Option<Response<Body>> {
    let since = jiff::fmt::rfc2822::parse(caller.call.header("if-modified-since")?).ok()?;
    // The header knows whole seconds only.
    let unchanged = data.described_at.div_euclid(1000) <= since.timestamp().as_second();
    unchanged.then(|| dated(empty(StatusCode::NOT_MODIFIED), data))
}

fn dated(mut response: Response<Body>, data: &OrgData) -> Response<Body> {
    if let Some(value) = http_date(data.described_at) {
        response.headers_mut().insert(header::LAST_MODIFIED, value);
    }
    response
}

/// `GET /sobjects/{X}`.
pub(super) fn basic(caller: &Caller<'_>, object: &str) -> Reply {
    let data = read(&caller.org.data);
    let schema = visible(caller, &data, object)?;
    let body = json!({ "objectDescribe": object_keys(caller, schema), "recentItems": [] });
    Ok(json(StatusCode::OK, &body))
}

/// `GET /sobjects/{X}/describe`.
pub(super) fn full(caller: &Caller<'_>, object: &str) -> Reply {
    let data = read(&caller.org.data);
    let schema = visible(caller, &data, object)?;
    if let Some(unchanged) = unchanged(caller, &data) {
        return Ok(unchanged);
    }
    Ok(dated(json(StatusCode::OK, &description(caller, &data, schema)), &data))
}

fn visible<'d>(
    caller: &Caller<'_>,
    data: &'d OrgData,
    object: &str,
) -> Result<&'d ObjectSchema, ApiError> {
    data.table(object)
        .map(|table| &*table.schema)
        .filter(|schema| caller.access.sees_object(data, schema))
        .ok_or_else(ApiError::not_found)
}

fn description(caller: &Caller<'_>, data: &OrgData, schema: &ObjectSchema) -> Json {
    let mut keys = object_keys(caller, schema);
    let seen = schema.fields.iter().filter(|field| caller.access.sees_field(data, schema, field));
    let fields: Vec<Json> = seen.map(|field| field_keys(caller, data, schema, field)).collect();
    keys.insert("fields".to_owned(), fields.into());
    keys.insert("childRelationships".to_owned(), children(caller, data, schema).into());
    keys.insert("recordTypeInfos".to_owned(), record_types(caller, data, schema).into());
    keys.insert(
        "supportedScopes".to_owned(),
        json!([{ "label": format!("All {}", schema.plural), "name": "everything" }]),
    );
    keys.insert("actionOverrides".to_owned(), json!([]));
    keys.insert("namedLayoutInfos".to_owned(), json!([]));
    keys.insert("networkScopeFieldName".to_owned(), Json::Null);
    keys.insert("listviewable".to_owned(), Json::Null);
    keys.insert("lookupLayoutable".to_owned(), Json::Null);
    keys.insert("searchLayoutable".to_owned(), true.into());
    keys.insert("compactLayoutable".to_owned(), true.into());
    Json::Object(keys)
}

fn object_keys(caller: &Caller<'_>, schema: &ObjectSchema) -> Map<String, Json> {
    let allowed = caller.access.profile.object(&schema.name);
    let flags = schema.flags;
    let url = format!("{}/sobjects/{}", caller.root(), schema.name);
    let value = json!({
        "activateable": false,
        "associateEntityType": null,
        "associateParentEntity": null,
        "createable": flags.create && allowed.create,
        "custom": schema.name.ends_with("__c"),
        "customSetting": false,
        "deepCloneable": false,
        "deletable": flags.delete && allowed.delete,
        "deprecatedAndHidden": false,
        "feedEnabled": false,
        "hasSubtypes": false,
        "isInterface": false,
        "isSubtype": false,
        "keyPrefix": schema.prefix,
        "label": schema.label,
        "labelPlural": schema.plural,
        "layoutable": flags.search,
        "mergeable": flags.merge && allowed.edit,
        "mruEnabled": flags.search,
        "name": schema.name,
        "queryable": true,
        "replicateable": flags.replicate,
        "retrieveable": true,
        "searchable": flags.search,
        "triggerable": flags.create,
        "undeletable": flags.undelete && allowed.delete,
        "updateable": flags.update && allowed.edit,
        "urls": {
            "rowTemplate": format!("{url}/{{ID}}"),
            "describe": format!("{url}/describe"),
            "sobject": url,
        },
    });
    match value {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

fn field_keys(caller: &Caller<'_>, data: &OrgData, schema: &ObjectSchema, field: &Field) -> Json {
    let kind = field.kind;
    let createable = schema.flags.create && caller.access.creates_field(schema, field);
    let updateable = schema.flags.update && caller.access.updates_field(schema, field);
    let sortable = !field.nofilter && !matches!(kind, FieldType::Address | FieldType::Base64);
    let mut keys = json!({
        "aggregatable": sortable && kind != FieldType::Boolean,
        "aiPredictionField": false,
        "autoNumber": false,
        "byteLength": byte_length(field, kind),
        "calculated": field.calculated,
        "calculatedFormula": null,
        "cascadeDelete": field.cascade,
        "caseSensitive": false,
        "compoundFieldName": compound(schema, field),
        "controllerName": field.controller,
        "createable": createable,
        "custom": field.custom,
        "defaultValue": default_value(field),
        "defaultValueFormula": null,
        "defaultedOnCreate": field.defaulted(),
        "dependentPicklist": field.controller.is_some(),
        "deprecatedAndHidden": false,
        "digits": if kind == FieldType::Int { 8 } else { 0 },
        "displayLocationInDecimal": false,
        "encrypted": false,
        "externalId": field.external_id,
        "extraTypeInfo": (kind == FieldType::TextArea).then_some("plaintextarea"),
        "filterable": sortable,
        "filteredLookupInfo": null,
        "formulaTreatNullNumberAsZero": false,
        "groupable": sortable && kind.is_groupable(),
    });
    let rest = type_keys(data, schema, field, (updateable, sortable));
    if let (Some(keys), Json::Object(rest)) = (keys.as_object_mut(), rest) {
        keys.extend(rest);
    }
    keys
}

/// The longest value in UTF-8: three bytes a character, but for ids, which are ASCII.
fn byte_length(field: &Field, kind: FieldType) -> usize {
    if kind.is_id() {
        field.length
    } else if kind.is_text() {
        field.length * 3
    } else {
        0
    }
}

/// The second half of a field's keys.
fn type_keys(
    data: &OrgData,
    schema: &ObjectSchema,
    field: &Field,
    (updateable, sortable): (bool, bool),
) -> Json {
    let kind = field.kind;
    let (precision, scale) = match kind {
        FieldType::Double | FieldType::Currency => (18, 2),
        FieldType::Percent => (3, 0),
        _ => (0, 0),
    };
    let nillable =
        !(field.required || field.nonnull) && kind != FieldType::Boolean && kind != FieldType::Id;
    json!({
        "highScaleNumber": false,
        "htmlFormatted": false,
        "idLookup": kind == FieldType::Id || field.unique || field.external_id,
        "inlineHelpText": null,
        "label": field.label,
        "length": if kind == FieldType::Boolean { 0 } else { field.length },
        "mask": null,
        "maskType": null,
        "name": field.name,
        "nameField": field.is_name,
        "namePointing": field.is_polymorphic(),
        "nillable": nillable,
        "permissionable": !field.required && !field.readonly && kind != FieldType::Id,
        "picklistValues": picklist(data, schema, field),
        "polymorphicForeignKey": field.is_polymorphic(),
        "precision": precision,
        "queryByDistance": false,
        "referenceTargetField": null,
        "referenceTo": field.references,
        "relationshipName": field.relationship,
        "relationshipOrder": null,
        "restrictedDelete": false,
        "restrictedPicklist": field.restricted,
        "scale": scale,
        "searchPrefilterable": false,
        "soapType": kind.soap(),
        "sortable": sortable,
        "type": kind.name(),
        "unique": field.unique && field.custom,
        "updateable": updateable,
        "writeRequiresMasterRead": false,
    })
}

/// A part of an address or of a person's name says what it is a part of.
fn compound(schema: &ObjectSchema, field: &Field) -> Json {
    if let Some(compound) = &field.compound {
        return compound.as_str().into();
    }
    let person = matches!(schema.name.as_str(), "Contact" | "Lead" | "User");
    match field.name.as_str() {
        "FirstName" | "LastName" | "Salutation" if person => "Name".into(),
        _ => Json::Null,
    }
}

fn default_value(field: &Field) -> Json {
    match (&field.default, field.kind) {
        (Some(default), _) => default.as_str().into(),
        (None, FieldType::Boolean) => false.into(),
        (None, _) => Json::Null,
    }
}

fn picklist(data: &OrgData, schema: &ObjectSchema, field: &Field) -> Vec<Json> {
    let entry = |label: &str, value: &str, active: bool| {
        json!({
            "active": active,
            "defaultValue": field.default.as_deref() == Some(value),
            "label": label,
            "validFor": valid_for(schema, field, value),
            "value": value,
        })
    };
    if schema.name == "Opportunity" && field.name == "StageName" {
        let stages = stages(data).into_iter();
        return stages.map(|(label, name, active)| entry(&label, &name, active)).collect();
    }
    let is_place = field.feature == Some(Feature::StateLists);
    let label = |value| if is_place { places::name_of(value).unwrap_or(value) } else { value };
    field.picklist.iter().map(|value| entry(label(value), value, true)).collect()
}

/// The places of the controlling field's values that a value goes with, a bit each, the first one
/// the highest bit of the first byte; in base64. Null where the field depends on none.
fn valid_for(schema: &ObjectSchema, field: &Field, value: &str) -> Option<String> {
    let controller = schema.field(field.controller.as_deref()?)?;
    let with = field.goes_with.get(value)?;
    let mut bits = vec![0_u8; controller.picklist.len().div_ceil(8)];
    for (place, own) in controller.picklist.iter().enumerate() {
        if with.contains(own)
            && let Some(byte) = bits.get_mut(place / 8)
        {
            *byte |= 0x80 >> (place % 8);
        }
    }
    Some(STANDARD.encode(bits))
}

/// The opportunity stages in their order: label, API name, whether it is in use.
fn stages(data: &OrgData) -> Vec<(String, String, bool)> {
    let Some(table) = data.table("OpportunityStage") else { return Vec::new() };
    let mut stages: Vec<(i64, (String, String, bool))> = table
        .iter()
        .map(|(id, _)| {
            let order = match data.value(id, "SortOrder") {
                Value::Int(order) => order,
                _ => 0,
            };
            let (label, name) = (data.text(id, "MasterLabel"), data.text(id, "ApiName"));
            (order, (label, name, data.value(id, "IsActive").is_true()))
        })
        .collect();
    stages.sort();
    stages.into_iter().map(|(_, stage)| stage).collect()
}

fn children(caller: &Caller<'_>, data: &OrgData, schema: &ObjectSchema) -> Vec<Json> {
    let mut all = Vec::new();
    for table in &data.tables {
        let child = &table.schema;
        if !caller.access.sees_object(data, child) {
            continue;
        }
        let pointing = child.fields.iter().filter(|field| {
            field.references.contains(&schema.name) && caller.access.sees_field(data, child, field)
        });
        all.extend(pointing.map(|field| {
            json!({
                "cascadeDelete": field.cascade,
                "childSObject": child.name,
                "deprecatedAndHidden": false,
                "field": field.name,
                "junctionIdListNames": [],
                "junctionReferenceTo": [],
                "relationshipName": field.children,
                "restrictedDelete": false,
            })
        }));
    }
    all
}

fn record_types(caller: &Caller<'_>, data: &OrgData, schema: &ObjectSchema) -> Vec<Json> {
    let master = RecordTypeInfo {
        id: "012000000000000AAA".to_owned(),
        name: "Master".to_owned(),
        developer: "Master".to_owned(),
        active: true,
        available: true,
        master: true,
    };
    let mut all = vec![master];
    if let Some(table) = data.table("RecordType") {
        let own = table
            .iter()
            .map(|(id, _)| id)
            .filter(|id| data.text(*id, "SobjectType") == schema.name);
        all.extend(own.map(|id| RecordTypeInfo {
            id: id.to_string(),
            name: data.text(id, "Name"),
            developer: data.text(id, "DeveloperName"),
            active: data.value(id, "IsActive").is_true(),
            available: caller.access.gives_record_type(data, id, &schema.name),
            master: false,
        }));
    }
    let has_own = all.len() > 1;
    all.into_iter().map(|info| info.keys(has_own)).collect()
}

struct RecordTypeInfo {
    id: String,
    name: String,
    developer: String,
    active: bool,
    available: bool,
    master: bool,
}

impl RecordTypeInfo {
    fn keys(self, has_own: bool) -> Json {
        json!({
            "active": self.active,
            "available": self.available,
            "defaultRecordTypeMapping": self.master != has_own,
            "developerName": self.developer,
            "master": self.master,
            "name": self.name,
            "recordTypeId": self.id,
            "urls": {},
        })
    }
}
