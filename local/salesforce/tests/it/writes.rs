//! The error catalogue of writes, collections, composite calls and external ids.

use serde_json::{Value, json};

use crate::support::{API, world};

#[tokio::test]
async fn every_kind_of_bad_write_has_its_code() {
    let world = world().await;
    let token = world.log_in("sam@acme.example").await.access;
    world
        .control
        .set("acme", &json!({
            "validation_rules": [{ "object": "Contact", "refuse_when": "Department = 'Closed' AND \
                 Phone = null", "message": "Call them first", "field": "Phone" }],
            "locked_records": ["003000000000002AAA"],
        }))
        .unwrap();
    world.control.delete("acme", "006000000000002").unwrap();
    let long = "x".repeat(256);
    for (object, fields, code) in [
        ("Contact", json!({ "FirstName": "A" }), "REQUIRED_FIELD_MISSING"),
        ("Contact", json!({ "LastName": "A", "Foo": 1 }), "INVALID_FIELD"),
        ("Contact", json!({ "LastName": "A", "Name": "B" }), "INVALID_FIELD_FOR_INSERT_UPDATE"),
        (
            "Contact",
            json!({ "LastName": "A", "Tier__c": "Bronze" }),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        ("Contact", json!({ "LastName": "A", "AccountId": "001" }), "MALFORMED_ID"),
        (
            "Contact",
            json!({ "LastName": "A", "AccountId": "001000000000009" }),
            "INVALID_CROSS_REFERENCE_KEY",
        ),
        (
            "Contact",
            json!({ "LastName": "A", "OwnerId": "005000000000003" }),
            "INACTIVE_OWNER_OR_USER",
        ),
        (
            "Contact",
            json!({ "LastName": "A", "Department": "Closed" }),
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        ),
        ("Task", json!({ "Subject": long }), "STRING_TOO_LONG"),
        ("Task", json!({ "WhoId": "001000000000001" }), "FIELD_INTEGRITY_EXCEPTION"),
        (
            "Task",
            json!({ "WhoId": "00Q000000000001", "WhatId": "001000000000001" }),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        ("Task", json!({ "WhatId": "006000000000002" }), "ENTITY_IS_DELETED"),
        ("Task", json!({ "WhoId": "003000000000002" }), "UNABLE_TO_LOCK_ROW"),
        ("Task", json!({ "ActivityDate": "soon" }), "JSON_PARSER_ERROR"),
        ("Event", json!({ "Subject": "no time" }), "REQUIRED_FIELD_MISSING"),
        ("Note", json!({ "Title": "no parent" }), "REQUIRED_FIELD_MISSING"),
        ("Nothing", json!({}), "NOT_FOUND"),
    ] {
        let (status, body) =
            world.send("POST", &token, &format!("/sobjects/{object}"), &fields).await;
        assert!(status.is_client_error(), "{fields}");
        assert_eq!(body[0]["errorCode"], code, "{fields} {body}");
    }
    assert!(world.control.writes("acme").unwrap().is_empty());
    world.control.set("acme", &json!({ "storage_full": true })).unwrap();
    let (status, body) = world.send("POST", &token, "/sobjects/Task", &json!({})).await;
    assert_eq!((status.as_u16(), &body[0]["errorCode"]), (403, &json!("STORAGE_LIMIT_EXCEEDED")));
}

#[tokio::test]
async fn an_event_needs_times_that_agree() {
    let world = world().await;
    let token = world.log_in("sam@acme.example").await.access;
    for (object, fields, code) in [
        (
            "Event",
            json!({ "StartDateTime": "2026-01-02T10:00:00Z",
                "EndDateTime": "2026-01-01T10:00:00Z" }),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (
            "Event",
            json!({ "StartDateTime": "2026-01-02T10:00:00Z",
                "EndDateTime": "2026-03-01T10:00:00Z" }),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
    ] {
        let (_, body) = world.send("POST", &token, &format!("/sobjects/{object}"), &fields).await;
        assert_eq!(body[0]["errorCode"], code, "{fields} {body}");
    }
    let event = json!({ "Subject": "Demo", "StartDateTime": "2026-01-02T10:00:00Z",
        "DurationInMinutes": 30, "WhoId": "003000000000001" });
    let (status, made) = world.send("POST", &token, "/sobjects/Event", &event).await;
    assert_eq!(status, 201, "{made}");
    let (_, event) =
        world.get_json(&token, &format!("/sobjects/Event/{}", made["id"].as_str().unwrap())).await;
    assert_eq!(event["EndDateTime"], "2026-01-02T10:30:00.000+0000");
}

#[tokio::test]
async fn duplicates_are_refused_with_the_famous_typo() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let rule = json!({ "object": "Lead", "name": "Standard_Lead_Duplicate_Rule",
        "fields": ["Email"], "against": ["Lead", "Contact"], "allow_save": true });
    world.control.set("acme", &json!({ "duplicate_rules": [rule] })).unwrap();
    let lead = json!({ "LastName": "Z", "Company": "C", "Email": "ZOE@globex.example" });
    let (status, body) = world.send("POST", &token, "/sobjects/Lead", &lead).await;
    assert_eq!((status.as_u16(), &body[0]["errorCode"]), (400, &json!("DUPLICATES_DETECTED")));
    let result = &body[0]["duplicateResut"];
    assert_eq!(result["allowSave"], true);
    assert_eq!(result["matchResults"][0]["matchRecords"][0]["record"]["Id"], "003000000000001AAA");
    let request = world.client.post(format!("{API}/sobjects/Lead")).bearer_auth(&token).json(&lead);
    let saved =
        request.header("Sforce-Duplicate-Rule-Header", "allowSave=true").send().await.unwrap();
    assert_eq!(saved.status(), 201);
    world.control.set("acme", &json!({ "duplicate_typo": false })).unwrap();
    let (_, body) = world.send("POST", &token, "/sobjects/Lead", &lead).await;
    assert_eq!(body[0]["duplicateResult"]["matchResults"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_external_id_makes_a_write_repeatable() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let path = "/sobjects/Task/Marker__c/m-1";
    let (status, made) = world.send("PATCH", &token, path, &json!({ "Subject": "one" })).await;
    assert_eq!((status.as_u16(), &made["created"]), (201, &json!(true)));
    let (status, again) = world.send("PATCH", &token, path, &json!({ "Subject": "two" })).await;
    assert_eq!((status.as_u16(), &again["id"]), (200, &made["id"]));
    let (_, body) =
        world.send("POST", &token, "/sobjects/Task", &json!({ "Marker__c": "M-1" })).await;
    assert_eq!(body[0]["errorCode"], "DUPLICATE_VALUE");
    let (status, _) = world.send("PATCH", &token, "/sobjects/Task/Subject/x", &json!({})).await;
    assert_eq!(status, 404);
    // A unique field cannot hold a value twice, so a test forces it.
    world.control.create("acme", "Task", &json!({ "Marker__c": "m-1" })).unwrap();
    let (status, urls) = world.send("PATCH", &token, path, &json!({})).await;
    assert_eq!((status.as_u16(), urls.as_array().unwrap().len()), (300, 2));
}

#[tokio::test]
async fn a_collection_answers_row_by_row_or_rolls_back() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let records = json!([
        { "attributes": { "type": "Lead" }, "LastName": "A", "Company": "C" },
        { "attributes": { "type": "Lead" }, "LastName": "B" },
        { "attributes": { "type": "Task" }, "Subject": "C" },
    ]);
    let (status, rows) =
        world.send("POST", &token, "/composite/sobjects", &json!({ "records": records })).await;
    assert_eq!(status, 200);
    let ok: Vec<bool> =
        rows.as_array().unwrap().iter().map(|row| row["success"].as_bool().unwrap()).collect();
    assert_eq!(ok, [true, false, true]);
    assert_eq!(rows[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    let counts = world.control.counts("acme").unwrap();
    let (_, rows) = world
        .send(
            "POST",
            &token,
            "/composite/sobjects",
            &json!({ "allOrNone": true, "records": records }),
        )
        .await;
    assert_eq!(rows[0]["errors"][0]["statusCode"], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(rows[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(world.control.counts("acme").unwrap(), counts);
    assert_eq!(world.control.writes("acme").unwrap().len(), 2);
    let many: Vec<Value> = vec![json!({}); 201];
    let (status, _) =
        world.send("POST", &token, "/composite/sobjects", &json!({ "records": many })).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_note_is_attached_in_one_composite_call_or_not_at_all() {
    use base64::Engine as _;
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let content = base64::engine::general_purpose::STANDARD.encode("<p>Hi &amp; bye</p>");
    let body = |parent: &str| {
        json!({ "allOrNone": true, "compositeRequest": [
            { "method": "POST", "url": "/services/data/v62.0/sobjects/\
                 ContentNote", "referenceId": "note",
              "body": { "Title": "Notes", "Content": content } },
            { "method": "POST", "url": "/services/data/v62.0/sobjects/\
                 ContentDocumentLink", "referenceId": "link",
              "body": { "ContentDocumentId": "@{note.id}", "LinkedEntityId": parent,
                  "ShareType": "V" } },
        ]})
    };
    let (_, done) = world.send("POST", &token, "/composite", &body("003000000000001")).await;
    assert_eq!(done["compositeResponse"][1]["httpStatusCode"], 201, "{done}");
    let note = done["compositeResponse"][0]["body"]["id"].as_str().unwrap().to_owned();
    let text = world
        .get(&token, &format!("/sobjects/ContentNote/{note}/Content"))
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(text, "<p>Hi &amp; bye</p>");
    let soql = "SELECT ContentDocumentId FROM ContentDocumentLink WHERE LinkedEntityId = \
         '003000000000001'";
    assert_eq!(world.query(&token, soql).await.1["records"][0]["ContentDocumentId"], json!(note));
    let (_, done) = world.send("POST", &token, "/composite", &body("003000000000009")).await;
    assert_eq!(done["compositeResponse"][0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(done["compositeResponse"][1]["body"][0]["errorCode"], "INVALID_CROSS_REFERENCE_KEY");
    assert_eq!(world.control.counts("acme").unwrap()["ContentNote"], 1);
    let batch = json!({ "batchRequests": [
        { "method": "GET", "url": "v62.0/sobjects/Account/\
             describe" }, { "method": "GET", "url": "v62.0/sobjects/Nope/describe" },
    ]});
    let (_, done) = world.send("POST", &token, "/composite/batch", &batch).await;
    assert_eq!(
        (&done["hasErrors"], &done["results"][1]["statusCode"]),
        (&json!(true), &json!(404))
    );
}

#[tokio::test]
async fn a_trigger_changes_what_was_saved() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    world.control.set("acme", &json!({ "trigger_values": { "Task.Priority": "High" } })).unwrap();
    let (_, made) = world
        .send("POST", &token, "/sobjects/Task", &json!({ "Subject": "x", "Priority": "Low" }))
        .await;
    let (_, task) =
        world.get_json(&token, &format!("/sobjects/Task/{}", made["id"].as_str().unwrap())).await;
    assert_eq!(task["Priority"], "High");
}

#[tokio::test]
async fn an_ingest_job_tells_each_rows_fate() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let job = json!({ "object": "Contact", "operation": "update" });
    let (status, job) = world.send("POST", &token, "/jobs/ingest", &job).await;
    assert_eq!((status.as_u16(), &job["state"]), (200, &json!("Open")));
    let path = format!("/jobs/ingest/{}", job["id"].as_str().unwrap());
    let csv =
        "Id,Title,Email\n003000000000001,Chief,#N/A\n003000000000009,Nobody,\n003000000000002,,\n";
    let put = world
        .client
        .put(format!("{API}{path}/batches"))
        .bearer_auth(&token)
        .header("Content-Type", "text/csv");
    assert_eq!(put.body(csv).send().await.unwrap().status(), 201);
    let done = json!({ "state": "UploadComplete" });
    assert_eq!(world.send("PATCH", &token, &path, &done).await.1["state"], "UploadComplete");
    let mut job = json!({});
    for _ in 0..200 {
        job = world.get_json(&token, &path).await.1;
        if job["state"] == "JobComplete" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(
        (&job["numberRecordsProcessed"], &job["numberRecordsFailed"]),
        (&json!(3), &json!(1))
    );
    let failed = world.get(&token, &format!("{path}/failedResults")).await.text().await.unwrap();
    assert!(
        failed.starts_with("\"sf__Id\",\"sf__Error\",\"Id\",\"Title\",\"Email\"\n"),
        "{failed}"
    );
    assert!(failed.contains("NOT_FOUND"));
    let contact = world.control.record("acme", "003000000000001").unwrap();
    assert_eq!((&contact["Title"], contact.get("Email")), (&json!("Chief"), None));
    let bad = json!({ "object": "Contact", "operation": "explode" });
    assert_eq!(world.send("POST", &token, "/jobs/ingest", &bad).await.0, 400);
}
