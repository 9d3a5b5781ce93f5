//! Grouped queries: aggregates, HAVING, and the order of groups.

use serde_json::{Value, json};

use crate::support::{World, world};

/// An org of leads in three sources, one of them null.
async fn leads() -> (World, String) {
    let world = world().await;
    let lead = |name: &str, source: Value, employees: Value, revenue: Value| {
        json!({ "LastName": name, "Company": "C", "LeadSource": source,
            "NumberOfEmployees": employees,
                "AnnualRevenue": revenue,
                    "Title": name.to_lowercase().chars().next().unwrap().to_string() })
    };
    let leads = json!([
        lead("Ames", json!("Web"), json!(3), json!(10.5)),
        lead("amos", json!("Web"), json!(4), Value::Null),
        lead("Beck", json!("Web"), Value::Null, json!(1.5)),
        lead("Cole", json!("Other"), json!(8), Value::Null),
        lead("Dorn", Value::Null, Value::Null, Value::Null),
    ]);
    let accounts = json!([{ "Id": "001000000000009", "Name": "Globex" }]);
    let contacts =
        json!([{ "LastName": "A", "AccountId": "001000000000009" }, { "LastName": "B" }]);
    let records = json!({ "Account": accounts, "Contact": contacts, "Lead": leads });
    world.control.load_org(json!({ "my_domain": "groups", "records": records })).unwrap();
    let token = world.control.access_token("groups", "admin@groups.example").unwrap();
    (world, token)
}

async fn ask(world: &World, token: &str, soql: &str) -> (u16, Value) {
    let address = "https://groups.my.salesforce.com/services/data/v62.0/query";
    let url = reqwest::Url::parse_with_params(address, [("q", soql)]).unwrap();
    let response = world.client.get(url).bearer_auth(token).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// The groups of a query without their `attributes`.
async fn groups(world: &World, token: &str, soql: &str) -> Value {
    let (status, mut body) = ask(world, token, soql).await;
    assert_eq!(status, 200, "{soql} {body}");
    assert_eq!(body["totalSize"], body["records"].as_array().unwrap().len());
    for record in body["records"].as_array_mut().unwrap() {
        let attributes = record.as_object_mut().unwrap().shift_remove("attributes");
        assert_eq!(attributes, Some(json!({ "type": "AggregateResult" })));
    }
    body["records"].take()
}

#[tokio::test]
async fn groups_have_their_keys_and_aggregates() {
    let (world, token) = leads().await;
    for (soql, expected) in [
        (
            "SELECT LeadSource, COUNT(Id) FROM Lead GROUP BY LeadSource ORDER BY COUNT(Id) DESC, \
             LeadSource NULLS LAST",
            json!([{ "LeadSource": "Web", "expr0": 3 }, { "LeadSource": "Other", "expr0": 1 },
                { "LeadSource": null, "expr0": 1 }]),
        ),
        (
            "SELECT SUM(NumberOfEmployees), AVG(NumberOfEmployees) mean, MIN(AnnualRevenue), \
             MAX(LastName) FROM Lead",
            json!([{ "expr0": 15, "mean": 5.0, "expr1": 1.5, "expr2": "Dorn" }]),
        ),
        // Text is the same without regard to case, and null is nothing to count.
        (
            "SELECT COUNT_DISTINCT(Title) titles, COUNT(AnnualRevenue) known, COUNT(Id) FROM Lead",
            json!([{ "titles": 4, "known": 2, "expr0": 5 }]),
        ),
        (
            "SELECT LeadSource source FROM Lead WHERE LeadSource != null GROUP BY LeadSource \
             HAVING COUNT(Id) > 1 OR MIN(NumberOfEmployees) = 8 ORDER BY LeadSource",
            json!([{ "source": "Other" }, { "source": "Web" }]),
        ),
        (
            "SELECT LeadSource FROM Lead GROUP BY LeadSource HAVING LeadSource LIKE 'w%'",
            json!([{ "LeadSource": "Web" }]),
        ),
        (
            "SELECT Account.Name, COUNT(Id) n FROM Contact GROUP BY Account.Name ORDER BY \
             Account.Name NULLS LAST LIMIT 1",
            json!([{ "Name": "Globex", "n": 1 }]),
        ),
        // Without keys there is a group even of nothing.
        (
            "SELECT COUNT(Id), SUM(AnnualRevenue) FROM Lead WHERE Company = 'none'",
            json!([{ "expr0": 0, "expr1": null }]),
        ),
        (
            "SELECT LeadSource, COUNT(Id) FROM Lead WHERE Company = 'none' GROUP BY LeadSource",
            json!([]),
        ),
    ] {
        assert_eq!(groups(&world, &token, soql).await, expected, "{soql}");
    }
}

#[tokio::test]
async fn what_cannot_be_grouped_is_refused() {
    let (world, token) = leads().await;
    for (soql, told) in [
        (
            "SELECT LastName, COUNT(Id) FROM Lead GROUP BY LeadSource",
            "Field must be grouped or aggregated: LastName",
        ),
        (
            "SELECT COUNT(Id) FROM Lead GROUP BY LeadSource ORDER BY LastName",
            "Ordered field must be grouped or aggregated: LastName",
        ),
        (
            "SELECT COUNT(Id) FROM Lead GROUP BY CreatedDate",
            "field 'CreatedDate' can not be grouped in a query call",
        ),
        (
            "SELECT SUM(LastName) FROM Lead",
            "field LastName does not support aggregate operator SUM",
        ),
        ("SELECT COUNT(Id) n, MAX(LastName) N FROM Lead", "duplicate alias: N"),
        ("SELECT MEDIAN(AnnualRevenue) FROM Lead", "unexpected token: 'MEDIAN'"),
        ("SELECT Id LastName FROM Lead", "only aggregate expressions use field aliasing"),
        (
            "SELECT Id FROM Lead WHERE Id IN (SELECT MAX(Id) FROM Lead)",
            "field Id does not support aggregate operator MAX",
        ),
    ] {
        let (status, body) = ask(&world, &token, soql).await;
        assert_eq!((status, &body[0]["errorCode"]), (400, &json!("MALFORMED_QUERY")), "{soql}");
        assert!(body[0]["message"].as_str().unwrap().ends_with(told), "{soql}: {body}");
    }
    let many = (0..2_001).map(|n| json!({ "LastName": format!("L{n}"), "Company": "C" }));
    let records = json!({ "Lead": many.collect::<Vec<_>>() });
    world.control.load_org(json!({ "my_domain": "many", "records": records })).unwrap();
    let token = world.control.access_token("many", "admin@many.example").unwrap();
    let address = "https://many.my.salesforce.com/services/data/v62.0/query";
    for (limit, status) in [("", 400), (" LIMIT 2000", 200)] {
        let soql = format!("SELECT LastName FROM Lead GROUP BY LastName{limit}");
        let url = reqwest::Url::parse_with_params(address, [("q", soql)]).unwrap();
        let response = world.client.get(url).bearer_auth(&token).send().await.unwrap();
        assert_eq!(response.status(), status);
        let body: Value = response.json().await.unwrap();
        assert!(status == 200 || body[0]["errorCode"] == "EXCEEDED_ID_LIMIT", "{body}");
    }
}
