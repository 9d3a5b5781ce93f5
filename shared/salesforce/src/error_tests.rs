use super::*;
use crate::quotation::MAX_MESSAGE_CHARS;

fn answer(status: u16, body: &str) -> SalesforceError {
    SalesforceError::from_answer(status, None, body.as_bytes())
}

fn coded(status: u16, code: &str, message: &str) -> SalesforceError {
    answer(status, &serde_json::json!([{"errorCode": code, "message": message}]).to_string())
}

const RETRY: Advice = Advice::Retry { after: None };
const STAND_BACK: Advice = Advice::StandBack { after: None };

#[test]
fn every_answer_has_its_disposition() {
    use Advice::{Reauthorize, Reject};
    for (status, code, message, advice, outcome_unknown) in [
        (401, "INVALID_SESSION_ID", "Session expired or invalid", Reauthorize, false),
        (401, "INVALID_AUTH_HEADER", "INVALID_AUTH_HEADER", Reauthorize, false),
        (401, "INVALID_JWT_FORMAT", "x", Reauthorize, false),
        (401, "SOMETHING_NEW", "x", Reauthorize, false),
        (400, "InvalidSessionId", "Invalid session id", Reauthorize, false),
        (
            401,
            "INVALID_SESSION_ID",
            "This session is not valid for use with the REST API",
            Reject,
            false,
        ),
        (401, "INVALID_SESSION_ID", "Connected app is not attached to Agent", Reject, false),
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", STAND_BACK, false),
        (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", RETRY, false),
        (
            400,
            "LIMIT_EXCEEDED",
            "Max bulk v2 query jobs (10000) per 24 hrs has been reached (10021)",
            STAND_BACK,
            false,
        ),
        (
            400,
            "LIMIT_EXCEEDED",
            "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded",
            STAND_BACK,
            false,
        ),
        (403, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded", STAND_BACK, false),
        (403, "API_DISABLED_FOR_ORG", "x", Reject, false),
        (403, "API_CURRENTLY_DISABLED", "x", Reject, false),
        (403, "INSUFFICIENT_ACCESS_OR_READONLY", "x", Reject, false),
        (
            400,
            "UNABLE_TO_LOCK_ROW",
            "unable to obtain exclusive access to this record",
            RETRY,
            false,
        ),
        (400, "QUERY_TIMEOUT", "Your query request was running for too long.", RETRY, false),
        (400, "MALFORMED_QUERY", "unexpected token", Reject, false),
        (400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", Reject, false),
        (404, "NOT_FOUND", "The requested resource does not exist", Reject, false),
        (404, "ENTITY_IS_DELETED", "entity is deleted", Reject, false),
        (410, "UNSUPPORTED_API_VERSION", "x", Reject, false),
        (414, "URI_TOO_LONG", "x", Reject, false),
        (406, "NOT_ACCEPTABLE", "x", RETRY, false),
        (500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. 123-456 (-789)", RETRY, true),
        (500, "APEX_ERROR", "x", RETRY, true),
        (503, "SERVER_UNAVAILABLE", "x", RETRY, true),
    ] {
        let error = coded(status, code, message);
        assert_eq!(error.advice(), advice, "{error}");
        assert_eq!(error.is_outcome_unknown(), outcome_unknown, "{error}");
        assert_eq!(error.code(), Some(code), "{error}");
    }
}

#[test]
fn pages_for_people_are_transient() {
    let html = "<html><body>We are setting things up</body></html>";
    for (status, outcome_unknown) in [
        (400, false),
        (403, false),
        (420, false),
        (404, false),
        (406, false),
        (500, true),
        (502, true),
        (503, true),
    ] {
        let error = answer(status, html);
        assert_eq!(error.advice(), RETRY, "{error}");
        assert_eq!(error.is_outcome_unknown(), outcome_unknown, "{error}");
        assert!(!error.to_string().contains("html"));
    }
    for (status, advice) in [
        (401, Advice::Reauthorize),
        (303, Advice::Reject),
        (302, Advice::Reauthorize),
        (431, Advice::Reject),
    ] {
        assert_eq!(answer(status, html).advice(), advice, "{status}");
        assert_eq!(answer(status, "").advice(), advice, "{status}");
    }
}

#[test]
fn too_many_requests_waits_as_long_as_it_is_told() {
    let after = Some(Duration::from_secs(7));
    let error = SalesforceError::from_answer(429, after, b"");
    assert_eq!(error.advice(), Advice::Retry { after });
    let error = SalesforceError::from_answer(503, after, b"");
    assert_eq!(error.advice(), Advice::Retry { after });
}

#[test]
fn errors_are_read_in_every_spelling() {
    for body in [
        r#"[{"errorCode":"X_CODE","message":"text","fields":["A"]}]"#,
        r#"{"errorCode":"X_CODE","message":"text","fields":["A"]}"#,
        r#"[{"statusCode":"X_CODE","message":"text","fields":["A"]}]"#,
        r#"{"exceptionCode":"X_CODE","exceptionMessage":"text","fields":["A"],"extra":1}"#,
    ] {
        let error = answer(400, body);
        let expected = ApiError {
            code: "X_CODE".to_owned(),
            message: "text".to_owned(),
            fields: vec!["A".to_owned()],
            duplicates: None,
        };
        assert_eq!(error.errors(), [expected], "{body}");
        assert_eq!(
            error.to_string(),
            "Salesforce refused the request with status 400: X_CODE of A"
        );
    }
}

#[test]
fn m07_an_error_says_codes_and_api_names_and_none_of_salesforces_text() {
    for (body, told) in [
        (
            r#"[{"errorCode":"STRING_TOO_LONG","message":"Last Name: too large: Lovell",
                "fields":["LastName","Ada Lovell","x@y.z"]}]"#,
            "STRING_TOO_LONG of LastName",
        ),
        (
            r#"[{"errorCode":"FIELD_CUSTOM_VALIDATION_EXCEPTION","message":"Lovell may not."}]"#,
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        ),
        (
            r#"[{"errorCode":"INVALID_FIELD",
                "message":"WHERE Name = 'Lovell' ERROR: No such column 'Tier__c' on entity"}]"#,
            "INVALID_FIELD: there is no column Tier__c",
        ),
        (
            r#"[{"errorCode":"INVALID_FIELD","message":"No such column 'Ada Lovell' on entity"}]"#,
            "INVALID_FIELD",
        ),
        (r#"[{"errorCode":"Ada Lovell","message":"x"}]"#, "UNKNOWN"),
    ] {
        let error = answer(400, body);
        let said = format!("Salesforce refused the request with status 400: {told}");
        assert_eq!(error.to_string(), said);
        assert!(!format!("{error:?}").contains("Lovell"), "{error:?}");
    }
    let limited = answer(403, r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"Lovell"}]"#);
    assert!(!format!("{limited} {limited:?}").contains("Lovell"), "{limited:?}");
}

fn duplicate_body(key: &str, results: &str) -> String {
    format!(
        r#"[{{"{key}":{{"allowSave":true,"duplicateRule":"Standard_Contact_Duplicate_Rule",
        "duplicateRuleEntityType":"Contact","errorMessage":"Use one of these?",
        "matchResults":[{results}]}},"errorCode":"DUPLICATES_DETECTED",
        "message":"Use one of these?"}}]"#
    )
}

const A_MATCH: &str = r#"{"entityType":"Contact","errors":[],"matchEngine":"FuzzyMatchEngine",
    "matchRecords":[
    {"additionalInformation":[],"fieldDiffs":[],"matchConfidence":100.0,
     "record":{"attributes":{"type":"Contact","url":"/x"},"Id":"003D000000QTYgNIAX"}}],
    "rule":"Standard_Contact_Match_Rule_v1_1","size":1,"success":true}"#;

#[test]
fn a_duplicate_rule_is_understood_with_and_without_the_famous_typo() {
    for key in ["duplicateResut", "duplicateResult"] {
        let error = answer(400, &duplicate_body(key, A_MATCH));
        let hit = error.duplicates().unwrap();
        assert!(hit.allow_save);
        assert_eq!(hit.rule, "Standard_Contact_Duplicate_Rule");
        let found = hit.matches.as_ref().unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].id.as_str(), found[0].object.as_str()),
            ("003D000000QTYgNIAX", "Contact")
        );
        assert_eq!(error.advice(), Advice::Reject);
    }
}

#[test]
fn a_partial_list_of_duplicates_is_no_list() {
    let cases = [
        A_MATCH.replace(r#""size":1"#, r#""size":2"#),
        A_MATCH.replace(r#""success":true"#, r#""success":false"#),
        A_MATCH.replace(r#""errors":[]"#, r#""errors":[{"message":"x"}]"#),
        A_MATCH.replace(r#","Id":"003D000000QTYgNIAX""#, ""),
        format!("{A_MATCH},{}", A_MATCH.replace(r#""size":1"#, r#""size":5"#)),
    ];
    for results in cases {
        let error = answer(400, &duplicate_body("duplicateResut", &results));
        assert_eq!(error.duplicates().unwrap().matches, None, "{results}");
    }
    let none = answer(400, &duplicate_body("duplicateResut", ""));
    assert_eq!(none.duplicates().unwrap().matches, Some(vec![]));
}

#[test]
fn a_missing_column_is_named() {
    let message = "\nSELECT Foo__c FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column \
         'Foo__c' on entity 'Account'. If you are";
    let error = coded(400, "INVALID_FIELD", message);
    assert_eq!(error.errors()[0].missing_column(), Some("Foo__c"));
    assert_eq!(coded(400, "X", "No such thing").errors()[0].missing_column(), None);
}

#[test]
fn a_long_message_is_cut() {
    let error = coded(400, "X", &"y".repeat(10_000));
    assert_eq!(error.errors()[0].message.chars().count(), MAX_MESSAGE_CHARS);
}

#[test]
fn a_query_that_was_too_much_is_known() {
    let failed = |message: &str| SalesforceError::JobFailed {
        job: JobId("750000000000001".parse().unwrap()),
        message: message.to_owned(),
    };
    assert!(failed("QUERY_TIMEOUT: running too long").wants_smaller_query());
    assert!(
        failed("Retried more than 15 times: retried more than fifteen times").wants_smaller_query()
    );
    assert!(!failed("InternalServerError").wants_smaller_query());
    assert!(coded(400, "OPERATION_TOO_LARGE", "x").wants_smaller_query());
    assert!(answer(414, "").wants_smaller_query());
    assert!(!coded(400, "MALFORMED_QUERY", "x").wants_smaller_query());
}

proptest::proptest! {
    #[test]
    fn no_answer_makes_the_reader_panic(status in 300..600_u16, body: Vec<u8>) {
        let error = SalesforceError::from_answer(status, None, &body);
        let _ = (error.advice(), error.is_outcome_unknown(), error.to_string());
    }
}
