//! The parts of the API's description beside its routes.

use axum::http::Method;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi,
    OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
    Schema, ServerBuilder, Tag,
};
use utoipa::{PartialSchema, ToSchema};

use crate::callers::keeps_answers;
use crate::problem::Problem;
use crate::wire;

/// The description as it is served. A test holds it to the routes.
pub(crate) const SERVED: &str = include_str!("../../../docs/openapi.yaml");

/// Where the description is served.
pub(crate) const PATH: &str = "/openapi.yaml";

/// Where `security.txt` is served.
pub(crate) const SECURITY_TXT: &str = "/.well-known/security.txt";

/// The type of a plain text.
pub(crate) const PLAIN: &str = "text/plain; charset=utf-8";

/// Where Salesforce sends browsers back to: a function of its own.
const CALLBACK: &str = "/oauth/callback/{environment}";

const DESCRIPTION: &str = "\
Connects a customer's Salesforce org, imports it, matches it to the directory, and logs in it what
sellers do.

Every call but the callback, this document and `security.txt` carries a JWT (RS256) of the
deployment's issuer with `tenant`, `seat` and `roles`. `x-roles` names the roles that may make a
call; `service`, the product's own back end, may act for every tenant. What belongs to another
tenant is not found.
Every write may carry an `Idempotency-Key`.
Errors are problem details (RFC 9457) with a stable `type`.";

const TAGS: [(&str, &str); 8] = [
    ("tenants", "Contracts and their seats"),
    ("connections", "Connecting an org, per environment"),
    ("runs", "Import runs and match runs"),
    ("matches", "Matches, and what was saved because of them"),
    ("exports", "Large answers as files"),
    ("activities", "What sellers do"),
    ("directory", "Versions of the directory"),
    ("operating", "For who runs the product: links to the console, how the work stands"),
];

/// Adds to the writes whose answers are kept the header that they are kept by.
pub(crate) fn add_idempotency_keys(described: &mut OpenApi) {
    for (route, item) in &mut described.paths.paths {
        for (method, operation) in [
            (Method::POST, &mut item.post),
            (Method::PUT, &mut item.put),
            (Method::PATCH, &mut item.patch),
            (Method::DELETE, &mut item.delete),
        ] {
            if let Some(operation) = operation.as_mut().filter(|_| keeps_answers(&method, route)) {
                operation.parameters.get_or_insert_default().push(idempotency_key().into());
            }
        }
    }
}

fn idempotency_key() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(200))
        .pattern(Some("^[!-~]+$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "The same call with the same key within a day is not done again: it is answered as the \
             first time, with `Idempotency-Replayed: true`. The key of a call that was refused is \
             free again.",
        ))
        .schema(Some(schema))
        .build()
}

/// The description without the routes below `/v1`.
pub(crate) fn base() -> OpenApi {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0"));
    let info = InfoBuilder::new()
        .title("crm-sync")
        .version(env!("CARGO_PKG_VERSION"))
        .license(Some(license.build()))
        .description(Some(DESCRIPTION));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .schema_from::<Problem>()
        .response("Problem", problem())
        .response("Page", page());
    let paths = PathsBuilder::new()
        .path(PATH, document())
        .path(SECURITY_TXT, security_txt())
        .path(CALLBACK, callback());
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .security(Some([SecurityRequirement::new("bearer", [""; 0])]))
        .tags(Some(TAGS.map(tag)))
        .components(Some(components.build()))
        .paths(paths.build())
        .build()
}

fn tag((name, description): (&str, &str)) -> Tag {
    TagBuilder::new().name(name).description(Some(description)).build()
}

fn answered(description: &str, content_type: &str, schema: RefOr<Schema>) -> Response {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content(content_type, content).build()
}

fn problem() -> Response {
    let schema = Ref::from_schema_name(Problem::name()).into();
    answered("What is wrong, and what to do about it", "application/problem+json", schema)
}

fn page() -> Response {
    let description = "A page that says what became of the authorization";
    answered(description, "text/html", String::schema())
}

/// The operation that gives the description.
fn document() -> PathItem {
    let operation = OperationBuilder::new()
        .operation_id(Some("showOpenApi"))
        .summary(Some("This document"))
        .securities(Some([]))
        .response(
            "200",
            answered("This document", "application/yaml", ObjectBuilder::new().into()),
        );
    PathItem::new(HttpMethod::Get, operation)
}

/// The operation that says where to report a weakness.
fn security_txt() -> PathItem {
    let operation = OperationBuilder::new()
        .operation_id(Some("showSecurityTxt"))
        .summary(Some("Where to report a weakness (RFC 9116)"))
        .securities(Some([]))
        .response("200", answered("The contact", PLAIN, String::schema()))
        .response("default", Ref::from_response_name("Problem"));
    PathItem::new(HttpMethod::Get, operation)
}

/// The operation of the callback.
fn callback() -> PathItem {
    let text = |name| ParameterBuilder::new().name(name).schema(Some(String::schema()));
    let query = |name| -> Parameter { text(name).parameter_in(ParameterIn::Query).build() };
    let environment = ParameterBuilder::new()
        .name("environment")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(Ref::from_schema_name(wire::Environment::name())));
    let page = || Ref::from_response_name("Page");
    let operation = OperationBuilder::new()
        .operation_id(Some("finishAuthorization"))
        .tag("connections")
        .summary(Some("Where Salesforce sends the person's browser back to"))
        .description(Some(
            "Takes either a code or an error, each parameter once. Answers a page for the person.",
        ))
        .securities(Some([]))
        .parameter(environment)
        .parameter(text("state").parameter_in(ParameterIn::Query).required(Required::True))
        .parameter(query("code"))
        .parameter(query("error"))
        .parameter(query("error_description"))
        .response("200", page())
        .response("default", page());
    PathItem::new(HttpMethod::Get, operation)
}
