//! A record beside whom it could be.

use super::canary::{imported, marked};
use super::*;

async fn decided(served: &Served, token: &str, object: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = served.connection(&format!("/matches?object={object}{cursor}"));
        let page = served.get(token, &path).await.body;
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { return all };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn who_decides_sees_name_title_company_and_place_of_a_record_and_of_whom_it_could_be() {
    let folder = marked();
    let world = Box::pin(imported(folder.path())).await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let admin = served.token("admin");
    for object in ["Lead", "Contact", "Account"] {
        let all = decided(&served, &admin, object).await;
        let matched = all.iter().find(|item| item["decision"] == "match").unwrap();
        let record = matched["record_id"].as_str().unwrap();
        let path = served.connection(&format!("/matches/{object}/{record}/sides"));
        let sides = served.get(&admin, &path).await;
        assert_eq!(sides.status, StatusCode::OK, "{}", sides.body);
        let linked = sides.body["candidates"].as_array().unwrap().iter();
        let linked = linked.clone().find(|c| c["entity_id"] == matched["entity_id"]).unwrap();
        let both = [&sides.body["record"], linked];
        assert!(both.iter().all(|side| side["name"].is_string()), "{object}: {}", sides.body);
        assert!(sides.body["record"]["place"].is_string(), "{object}: {}", sides.body);
        if object != "Account" {
            assert!(
                both.iter().all(|side| side["company"].is_string()),
                "{object}: {}",
                sides.body
            );
        }
        assert!(!sides.body.to_string().contains('@'), "no address: {}", sides.body);
        let seat = served.get(&served.token("seat"), &path).await;
        assert_eq!(seat.status, StatusCode::FORBIDDEN, "a seller may not see every record");
    }
    let gone = served.connection("/matches/Lead/00Q000000000001EAA/sides");
    assert_eq!(served.get(&admin, &gone).await.status, StatusCode::NOT_FOUND);
}
