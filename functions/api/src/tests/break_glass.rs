//! An operator's look at a tenant's record: with a reason, for a time, told and heard.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::capabilities::break_glass::SHOUT;
use stack::Caller;
use tests::read;

use super::selections::connected;
use super::{Answer, Served};

/// A token of an operator by this name.
fn operator(served: &Served, subject: &str) -> String {
    let caller = Caller { roles: &["operator"], tenant: None, seat: None };
    let mut claims = served.issuer.claims(caller, Duration::from_mins(5));
    claims["sub"] = json!(subject);
    served.issuer.sign(&claims).unwrap()
}

fn wanted() -> Value {
    json!({ "reason": "support", "ticket": "SUP-1234", "minutes": 30 })
}

async fn look(served: &Served, token: &str, glass: &str, record: &str) -> Answer {
    let path = format!("/break-glass/{glass}/records/Contact/{record}");
    served.get(token, &served.connection(&path)).await
}

#[tokio::test]
async fn an_operator_looks_with_a_reason_for_a_time_and_each_look_is_told() {
    let (world, _folder) = connected().await;
    let contact = json!({ "LastName": "Quillfeather", "Email": "q@x.example" });
    let contact = world.control().create(&world.org, "Contact", &contact).unwrap();
    world.functions.import().request_run(world.at(), false).await.unwrap();
    world.run().await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let (otto, oscar) = (operator(&served, "otto-7"), operator(&served, "oscar-8"));
    let path = served.connection("/break-glass");

    let broken = served.post(&otto, &path, &wanted()).await;
    assert_eq!(broken.status, 201, "{}", broken.body);
    let glass = broken.body["glass_id"].as_str().unwrap().to_owned();
    let shown = look(&served, &otto, &glass, &contact).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert_eq!(shown.body["fields"]["LastName"], "Quillfeather");
    // Another operator's glass, glass that nobody broke, and the time that is over.
    assert_eq!(look(&served, &oscar, &glass, &contact).await.body["type"], "glass_closed");
    let other = "glass_00000000000000000000000001";
    assert_eq!(look(&served, &otto, other, &contact).await.status, 409);
    world.memory.clock.advance(SignedDuration::from_mins(30));
    assert_eq!(look(&served, &otto, &glass, &contact).await.status, 409);

    let path = format!("/v1/tenants/{}/audit?from=2026-01-01T00:00:00Z", served.tenant);
    let log = served.get(&served.token("admin"), &path).await.body;
    let of_operators: Vec<&Value> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["by"]["kind"] == "operator")
        .collect();
    let told: Vec<_> = of_operators.iter().map(|entry| &entry["deed"]["action"]).collect();
    assert_eq!(told, ["glass_broken", "record_read"], "{log}");
    assert_eq!(of_operators[0]["by"]["subject"], "otto-7");
    let details = json!({ "reason": "support", "ticket": "SUP-1234", "minutes": "30" });
    assert_eq!(of_operators[0]["deed"]["details"], details);
    assert_eq!(of_operators[1]["deed"]["details"], json!({ "glass": glass }));
    let text = log.to_string();
    assert!(!text.contains(&contact) && !text.contains("Quillfeather"), "{text}");
}

#[tokio::test]
async fn glass_is_broken_with_a_reason_a_ticket_and_a_time_or_not_at_all() {
    let (world, _folder) = connected().await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let (otto, path) = (operator(&served, "otto-7"), served.connection("/break-glass"));
    let wrong = [
        ("reason", json!("curiosity")),
        ("ticket", json!("")),
        ("ticket", json!("jane@acme.example asked")),
        ("minutes", json!(0)),
        ("minutes", json!(61)),
    ];
    for (name, value) in wrong {
        let mut body = wanted();
        body[name] = value;
        let refused = served.post(&otto, &path, &body).await;
        assert_eq!(refused.status, 422, "{name}: {}", refused.body);
    }
    // Neither the back end nor an operator without a name.
    assert_eq!(served.post(&served.token("service"), &path, &wanted()).await.status, 403);
    let caller = Caller { roles: &["operator"], tenant: None, seat: None };
    let mut claims = served.issuer.claims(caller, Duration::from_mins(5));
    claims.as_object_mut().unwrap().remove("sub");
    let nameless = served.issuer.sign(&claims).unwrap();
    assert_eq!(served.post(&nameless, &path, &wanted()).await.status, 403);
}

/// The alarm knows the line by its words.
#[test]
fn who_breaks_the_glass_is_heard() {
    let template = read("template.yaml").unwrap();
    let filter = format!("FilterPattern: '{{ $.message = \"{SHOUT}\" }}'");
    assert!(template.contains(&filter), "{filter}");
    let metric = "MetricName: GlassBroken";
    assert_eq!(template.matches(metric).count(), 2, "the filter counts what the alarm hears");
}

#[tokio::test]
async fn security_txt_says_where_to_write_and_until_when_it_is_good() {
    let served = Served::new().await;
    let path = "/.well-known/security.txt";
    assert_eq!(served.call("GET", path, None, None).await.status, 404, "nobody configured one");
    let told = served.with_contact("mailto:security@crm.example");
    let text = told.text(path).await;
    assert!(text.starts_with("Contact: mailto:security@crm.example\nExpires: 2027-"), "{text}");
}
