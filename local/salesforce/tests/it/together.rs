//! Calls that carry several others: graphs, trees, and jobs that come with their rows.

use serde_json::{Value, json};

use crate::support::{API, World, world};

fn part(method: &str, path: &str, reference: &str, body: &Value) -> Value {
    let url = format!("/services/data/v62.0/sobjects/{path}");
    json!({ "method": method, "url": url, "referenceId": reference, "body": body })
}

fn count(world: &World, object: &str) -> Option<usize> {
    world.control.counts("acme").ok()?.get(object).copied()
}

#[tokio::test]
async fn each_graph_holds_together_and_falls_alone() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let account = part("POST", "Account", "a", &json!({ "Name": "Graph" }));
    let good = part("POST", "Contact", "c", &json!({ "LastName": "G", "AccountId": "@{a.id}" }));
    let bad = part("POST", "Contact", "c", &json!({ "FirstName": "nameless" }));
    let body = json!({ "graphs": [
        { "graphId": "good", "compositeRequest": [account, good] },
        { "graphId": "bad", "compositeRequest": [account, bad] },
    ]});
    let (status, answer) = world.send("POST", &token, "/composite/graph", &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["graphs"][0]["isSuccessful"], true);
    assert_eq!(answer["graphs"][1]["isSuccessful"], false);
    let nodes = &answer["graphs"][1]["graphResponse"]["compositeResponse"];
    assert_eq!(nodes[0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(nodes[1]["body"][0]["errorCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!((count(&world, "Account"), count(&world, "Contact")), (Some(3), Some(3)));
    let twice = json!({ "graphs": [body["graphs"][0], body["graphs"][0]] });
    let (status, _) = world.send("POST", &token, "/composite/graph", &twice).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_tree_is_planted_whole_or_not_at_all() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let tree = |name: &str| {
        let child =
            json!({ "attributes": { "type": "Contact", "referenceId": "c" }, "LastName": name });
        json!({ "records": [{
            "attributes": { "type": "Account", "referenceId": "a" },
            "Name": "Tree",
            "Contacts": { "records": [child] },
        }]})
    };
    let (status, planted) =
        world.send("POST", &token, "/composite/tree/Account", &tree("Leaf")).await;
    assert_eq!(status, 201, "{planted}");
    assert_eq!(planted["results"][1]["referenceId"], "c");
    let contact =
        world.control.record("acme", planted["results"][1]["id"].as_str().unwrap()).unwrap();
    assert_eq!(contact["AccountId"], planted["results"][0]["id"]);
    let before = (count(&world, "Account"), count(&world, "Contact"));
    let (status, refused) = world.send("POST", &token, "/composite/tree/Account", &tree("")).await;
    assert_eq!(status, 400);
    assert_eq!(refused["results"][0]["referenceId"], "c");
    assert_eq!(refused["results"][0]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!((count(&world, "Account"), count(&world, "Contact")), before);
}

#[tokio::test]
async fn a_job_may_come_with_its_rows_and_is_listed() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let job = json!({ "object": "Lead", "operation": "insert", "contentType": "CSV" });
    let body = format!(
        "--edge\r\ncontent-disposition: form-data; name=\"job\"\r\ncontent-type: application/\
         json\r\n\r\n{job}\r\n\
         --edge\r\ncontent-disposition: form-data; name=\"content\"; \
         filename=\"content\"\r\ncontent-type: text/csv\r\n\r\n\
         LastName,Company\nOne,A\nTwo,\n\r\n--edge--\r\n"
    );
    let post = |body: String| {
        let request = world.client.post(format!("{API}/jobs/ingest")).bearer_auth(&token);
        request.header("content-type", "multipart/form-data; boundary=edge").body(body).send()
    };
    let made: Value = post(body).await.unwrap().json().await.unwrap();
    assert_eq!(made["state"], "UploadComplete", "{made}");
    let path = format!("/jobs/ingest/{}", made["id"].as_str().unwrap());
    let mut info = made;
    while info["state"] != "JobComplete" {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        info = world.get_json(&token, &path).await.1;
    }
    assert_eq!(
        (&info["numberRecordsProcessed"], &info["numberRecordsFailed"]),
        (&json!(2), &json!(1))
    );
    world.bulk_job(&token, "SELECT Id FROM Lead", "query").await;
    for (kind, jobs) in [("", 2), ("?jobType=V2Ingest", 1), ("?jobType=V2Query", 1)] {
        let (_, list) = world.get_json(&token, &format!("/jobs/query{kind}")).await;
        assert_eq!(list["records"].as_array().unwrap().len(), jobs, "{kind}: {list}");
        assert_eq!(list["done"], true);
    }
    assert_eq!(post("--edge--\r\n".to_owned()).await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_description_that_has_not_changed_is_not_sent_again() {
    let world = world().await;
    let token = world.log_in("ada@acme.example").await.access;
    let first = world.get(&token, "/sobjects/Account/describe").await;
    let since = first.headers()["last-modified"].to_str().unwrap().to_owned();
    let again = || {
        let url = format!("{API}/sobjects/Account/describe");
        world.client.get(url).bearer_auth(&token).header("if-modified-since", &since).send()
    };
    assert_eq!(again().await.unwrap().status(), 304);
    world.control.advance(5);
    world.control.set("acme", &json!({ "multi_currency": true })).unwrap();
    let changed: Value = again().await.unwrap().json().await.unwrap();
    let fields = changed["fields"].as_array().unwrap();
    assert!(fields.iter().any(|field| field["name"] == "CurrencyIsoCode"));
}
