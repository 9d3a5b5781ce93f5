//! An admin gives the org's users seats: by role, by words, many at once, as far as the contract
//! has some; and mends who was not found.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::{Value, json};
use shared::kernel::{Grantee, SeatId};
use tests::world::World;

use super::canary::SELLER;
use super::changes::day;
use super::left::import;
use super::{Answer, Served};

/// All of a list of the connection's, page by page.
async fn all(served: &Served, path: &str) -> Vec<Value> {
    let admin = served.token("admin");
    let (mut items, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let next = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = served.get(&admin, &served.connection(&format!("{path}{next}"))).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        items.extend(page.body["items"].as_array().unwrap().clone());
        match page.body["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return items,
        }
    }
}

fn texts(items: &[Value], name: &str) -> BTreeSet<String> {
    items.iter().filter_map(|item| item[name].as_str()).map(str::to_owned).collect()
}

/// The org's users.
fn users(world: &World) -> Vec<Value> {
    world.control().records(&world.org, "User", 0, usize::MAX).unwrap()
}

/// The tenant's contract, changed by the product's back end.
async fn contract(served: &Served, change: &Value) -> Answer {
    let (path, service) = (format!("/v1/tenants/{}", served.tenant), served.token("service"));
    served.call("PATCH", &path, Some(&service), Some(change.to_string())).await
}

/// Gives these users seats; the outcome and the seat of each.
async fn seated(served: &Served, user_ids: &[&str]) -> Vec<(String, Option<SeatId>)> {
    let path = served.connection("/crm-users/seats");
    let answer = served.post(&served.token("admin"), &path, &json!({ "user_ids": user_ids })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let items = answer.body["items"].as_array().unwrap().iter();
    let items = items.map(|item| {
        let seat = item["seat_id"].as_str().map(|seat| seat.parse().unwrap());
        (item["outcome"].as_str().unwrap().to_owned(), seat)
    });
    items.collect()
}

/// How a seat was joined with a CRM user, and the user.
async fn link(served: &Served, seat: SeatId) -> (String, Option<String>) {
    let path = served.connection(&format!("/seats/{seat}/crm-user"));
    let link = served.get(&served.token("admin"), &path).await.body;
    (link["status"].as_str().unwrap().to_owned(), link["user_id"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn crm_users_are_found_by_a_role_and_those_below_it_and_by_words() {
    let (world, served, _token, _folder) = day().await;
    let roles = all(&served, "/crm-roles?").await;
    let parents = texts(&roles, "parent_id");
    let top = roles.iter().find(|role| role["parent_id"].is_null()).unwrap();
    let middle = roles.iter().find(|role| {
        !role["parent_id"].is_null() && parents.contains(role["role_id"].as_str().unwrap())
    });
    let middle = middle.unwrap()["role_id"].as_str().unwrap();
    let below = |of: &str| -> BTreeSet<String> {
        let mut within = BTreeSet::from([of.to_owned()]);
        for _ in 0..roles.len() {
            let own = |role: &&Value| {
                role["parent_id"].as_str().is_some_and(|parent| within.contains(parent))
            };
            let more: Vec<Value> = roles.iter().filter(own).cloned().collect();
            within.extend(texts(&more, "role_id"));
        }
        within
    };
    for role in [middle, top["role_id"].as_str().unwrap()] {
        let within = below(role);
        let of_role =
            |user: &&Value| user["UserRoleId"].as_str().is_some_and(|role| within.contains(role));
        let expected: Vec<Value> = users(&world).iter().filter(of_role).cloned().collect();
        let listed = all(&served, &format!("/crm-users?role={role}")).await;
        assert_eq!(texts(&listed, "user_id"), texts(&expected, "Id"), "{role}");
        assert!(listed.len() > 1);
    }
    assert_eq!(all(&served, "/crm-users?").await.len(), users(&world).len());

    let noor = all(&served, "/crm-users?words=NOOR%20acme.example").await;
    assert_eq!(noor.len(), 1, "{noor:?}");
    assert_eq!((&noor[0]["email"], &noor[0]["seat_id"]), (&json!(SELLER), &json!(served.seat)));
    assert_eq!(all(&served, "/crm-users?words=noor%20nobody").await, Vec::<Value>::new());

    let long = served.connection(&format!("/crm-users?words={}", "a".repeat(201)));
    let refused = served.get(&served.token("admin"), &long).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    let (admin, path) = (served.token("admin"), served.connection("/crm-users?words=a"));
    let cursor = served.get(&admin, &path).await.body["next"].as_str().unwrap().to_owned();
    let other = served.connection(&format!("/crm-users?words=b&cursor={cursor}"));
    assert_eq!(served.get(&admin, &other).await.body["type"], "bad_cursor");
}

#[tokio::test]
async fn crm_users_get_seats_as_far_as_the_contract_has_some_and_keep_them() {
    let (world, served, _token, _folder) = day().await;
    let users = users(&world);
    let addresses: Vec<String> =
        users.iter().map(|user| user["Email"].to_string().to_lowercase()).collect();
    let is_free = |user: &&Value| {
        let email = user["Email"].to_string().to_lowercase();
        user["IsActive"] == true
            && user["Email"] != SELLER
            && addresses.iter().filter(|other| **other == email).count() == 1
    };
    let mut free = users.iter().filter(is_free).map(|user| user["Id"].as_str().unwrap());
    let (one, two, three) = (free.next().unwrap(), free.next().unwrap(), free.next().unwrap());
    let noor = users.iter().find(|user| user["Email"] == SELLER).unwrap()["Id"].as_str().unwrap();
    let gone = users.iter().find(|user| user["IsActive"] == false).unwrap()["Id"].as_str().unwrap();

    let changed = contract(&served, &json!({ "licences": 3 })).await;
    assert_eq!((changed.status, &changed.body["licences"]), (StatusCode::OK, &json!(3)));
    let nobody = "005000000000001AAA";
    let first = seated(&served, &[noor, one, gone, nobody, two, three]).await;
    let outcomes: Vec<&str> = first.iter().map(|(outcome, _)| outcome.as_str()).collect();
    assert_eq!(outcomes, ["had_one", "seated", "inactive", "unknown", "seated", "no_licence"]);
    assert_eq!(first[0].1, Some(served.seat));
    let again = seated(&served, &[one, two]).await;
    assert_eq!(again, [("had_one".to_owned(), first[1].1), ("had_one".to_owned(), first[4].1)]);
    let seat = first[1].1.unwrap();
    assert_eq!(link(&served, seat).await, ("matched".to_owned(), Some(one.to_owned())));

    let (admin, seats) = (served.token("admin"), format!("/v1/tenants/{}/seats", served.tenant));
    let listed = served.get(&admin, &seats).await.body;
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["licences"]), (3, &json!(3)));

    // One that is removed makes room.
    let remove = json!({ "seat_ids": [seat, seat] });
    let removed = served.post(&admin, &format!("{seats}/remove"), &remove).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.body);
    world.run().await;
    assert_eq!(seated(&served, &[three]).await[0].0, "seated");
    assert_eq!(seated(&served, &[one]).await[0].0, "no_licence");
    // Null takes the bound away; what is left out stays.
    let changed = contract(&served, &json!({ "licences": null })).await.body;
    assert_eq!((&changed["licences"], &changed["entitled"]), (&Value::Null, &json!(true)));
    assert_eq!(seated(&served, &[one]).await[0].0, "seated");
}

#[tokio::test]
async fn seats_that_are_added_at_once_do_not_pass_the_contract() {
    let (_world, served, _token, _folder) = day().await;
    contract(&served, &json!({ "licences": 3 })).await;
    let (service, path) = (served.token("service"), format!("/v1/tenants/{}/seats", served.tenant));
    let new = |n: u32| json!({ "email": format!("new{n}@acme.example"), "name": "New" });
    let new: Vec<Value> = (0..6).map(new).collect();
    let added = join_all(new.iter().map(|new| served.post(&service, &path, new))).await;
    let made = added.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(made, 2, "one was there");
    let refused = added.iter().filter(|answer| answer.body["type"] == "no_licence");
    assert_eq!(refused.count(), 4);
}

#[tokio::test]
async fn a_contract_loses_crm_sync_and_gets_it_back() {
    let (_world, served, _token, _folder) = day().await;
    let (admin, runs) = (served.token("admin"), served.connection("/runs"));
    assert_eq!(contract(&served, &json!({ "entitled": false })).await.body["entitled"], false);
    let refused = served.get(&admin, &runs).await;
    assert_eq!(
        (refused.status, &refused.body["type"]),
        (StatusCode::FORBIDDEN, &json!("not_entitled"))
    );
    contract(&served, &json!({ "entitled": true })).await;
    assert_eq!(served.get(&admin, &runs).await.status, StatusCode::OK);
    let admins = served
        .call(
            "PATCH",
            &format!("/v1/tenants/{}", served.tenant),
            Some(&admin),
            Some(json!({ "licences": 99 }).to_string()),
        )
        .await;
    assert_eq!(admins.status, StatusCode::FORBIDDEN, "the contract is the product's to change");
}

#[tokio::test]
async fn a_federation_id_says_who_a_seat_is_before_any_address() {
    let (world, served, _token, _folder) = day().await;
    let (admin, service) = (served.token("admin"), served.token("service"));
    let seats = format!("/v1/tenants/{}/seats", served.tenant);
    let users = users(&world);
    let id = |email: &str| {
        let user = users.iter().find(|user| user["Email"] == email).unwrap();
        user["Id"].as_str().unwrap().to_owned()
    };
    let (tobias, other) = (id("tobias.wrenfield@acme.example"), id(SELLER));
    let known = |user: &str, federation: &str| {
        let known = json!({ "FederationIdentifier": federation });
        world.control().update(&world.org, user, &known).unwrap();
    };
    known(&tobias, "TWren-7");
    import(&world, &served).await;
    let new = json!({ "email": "t.wrenfield@login.example", "name": "Tobias" });
    let made = served.post(&service, &seats, &new).await.body;
    assert_eq!(made["federation_id"], Value::Null);
    let seat: SeatId = made["seat_id"].as_str().unwrap().parse().unwrap();
    let path = format!("{seats}/{seat}");
    let mended_by = async |change: Value| {
        served.call("PATCH", &path, Some(&admin), Some(change.to_string())).await
    };
    assert_eq!(link(&served, seat).await, ("not_matched".to_owned(), None));
    let mended = mended_by(json!({ "federation_id": " twren-7 " })).await;
    assert_eq!(mended.body["federation_id"], "twren-7", "{}", mended.body);
    let found = ("matched".to_owned(), Some(tobias.clone()));
    assert_eq!(link(&served, seat).await, found, "however it is written");
    world.run().await;
    let saved = served.connection(&format!("/seats/{seat}/saved?kind=accounts"));
    let saved = served.get(&admin, &saved).await.body;
    assert!(!saved["items"].as_array().unwrap().is_empty(), "what the user has is saved");

    // It goes before an address, and two users of one are never guessed between.
    let claims = json!({ "aliases": [SELLER] });
    assert_eq!(mended_by(claims).await.status, StatusCode::OK);
    assert_eq!(link(&served, seat).await, found);
    known(&other, "twren-7");
    import(&world, &served).await;
    assert_eq!(link(&served, seat).await, ("ambiguous".to_owned(), None));
    known(&other, "another");
    import(&world, &served).await;
    assert_eq!(link(&served, seat).await, found);

    // No two seats have one; one that the CRM does not know leaves the seat to its addresses.
    let second = json!({ "email": "second@acme.example", "name": "Second" });
    let second = served.post(&service, &seats, &second).await.body;
    let at = format!("{seats}/{}", second["seat_id"].as_str().unwrap());
    let taken = json!({ "federation_id": "TWREN-7" }).to_string();
    let taken = served.call("PATCH", &at, Some(&admin), Some(taken)).await;
    assert_eq!(taken.body["type"], "email_taken", "{}", taken.body);
    let long = mended_by(json!({ "federation_id": "x".repeat(513) })).await;
    assert_eq!(long.status, StatusCode::UNPROCESSABLE_ENTITY);
    let own = json!({ "aliases": ["tobias.wrenfield@acme.example"], "federation_id": "unknown" });
    mended_by(own).await;
    assert_eq!(link(&served, seat).await, found);
    let none = mended_by(json!({ "federation_id": "" })).await;
    assert_eq!(none.body["federation_id"], Value::Null);
}

#[tokio::test]
async fn a_mended_address_is_another_crm_user_at_once_and_the_former_authorization_ends() {
    let (world, served, _token, _folder) = day().await;
    let (admin, service) = (served.token("admin"), served.token("service"));
    let seats = format!("/v1/tenants/{}/seats", served.tenant);
    let users = users(&world);
    let is_other = |user: &&Value| user["Email"] == "tobias.wrenfield@acme.example";
    let tobias = users.iter().find(is_other).unwrap()["Id"].as_str().unwrap().to_owned();

    let new = json!({ "email": "t.wrenfield@acme.example", "name": "Tobias" });
    let made = served.post(&service, &seats, &new).await.body;
    let seat: SeatId = made["seat_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(link(&served, seat).await, ("not_matched".to_owned(), None));
    let path = format!("{seats}/{seat}");
    let mended_by = async |change: Value| {
        served.call("PATCH", &path, Some(&admin), Some(change.to_string())).await
    };
    let saved = async || {
        let path = served.connection(&format!("/seats/{seat}/saved?kind=accounts"));
        served.get(&admin, &path).await.body["items"].as_array().unwrap().len()
    };
    let found = ("matched".to_owned(), Some(tobias.clone()));

    // By an alias, without the address that the product knows being another one.
    let mended = mended_by(json!({ "aliases": ["Tobias.Wrenfield@acme.example"] })).await;
    assert_eq!(mended.status, StatusCode::OK, "{}", mended.body);
    assert_eq!(mended.body["email"], "t.wrenfield@acme.example");
    assert_eq!(link(&served, seat).await, found);
    world.run().await;
    assert_eq!(saved().await, 3, "what the user has is saved");
    world.authorize(Grantee::Seat(seat), "tobias.wrenfield@acme.example").await.unwrap();

    // The address itself takes the alias's place: the same user, whose grant stays.
    let both = json!({ "email": "tobias.wrenfield@acme.example", "aliases": [] });
    assert_eq!(mended_by(both).await.body["aliases"], json!([]));
    assert_eq!(link(&served, seat).await, found);
    let grant = served.connection(&format!("/seats/{seat}/authorization"));
    assert_eq!(served.get(&admin, &grant).await.body["state"], "authorized");

    // Another seat's address is not to be had, nor what is no address.
    let taken = mended_by(json!({ "email": SELLER.to_uppercase() })).await;
    assert_eq!(taken.status, StatusCode::OK, "the scene's seat claims none");
    // Nor does a seat that claims no address take another seat's claim away with its own.
    let noor = json!({ "email": SELLER, "name": "Noor" });
    mended_by(json!({ "email": "tobias.wrenfield@acme.example" })).await;
    assert_eq!(served.post(&service, &seats, &noor).await.status, StatusCode::CREATED);
    let own = format!("{seats}/{}", served.seat);
    let moved = json!({ "email": "noor@acme.example" }).to_string();
    served.call("PATCH", &own, Some(&admin), Some(moved)).await;
    assert_eq!(served.post(&service, &seats, &noor).await.body["type"], "email_taken");
    let other = json!({ "email": "other@acme.example", "name": "Other" });
    served.post(&service, &seats, &other).await;
    let taken = mended_by(json!({ "aliases": ["Other@acme.example"] })).await;
    assert_eq!((taken.status, &taken.body["type"]), (StatusCode::CONFLICT, &json!("email_taken")));
    for wrong in [json!({ "email": "nobody" }), json!({ "aliases": ["a", "b@c.d"] })] {
        assert_eq!(mended_by(wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    // Somebody else's address: the former user's grant ends with it.
    mended_by(json!({ "email": "nobody@acme.example" })).await;
    assert_eq!(link(&served, seat).await, ("not_matched".to_owned(), None));
    assert_ne!(served.get(&admin, &grant).await.body["state"], "authorized");
    world.run().await;
    let grants = world.control().grants(&world.org).unwrap();
    let live = grants.iter().filter(|grant| grant.user_id == tobias && grant.state == "active");
    assert_eq!(live.count(), 0, "Salesforce was told");
}

#[tokio::test]
async fn an_accounts_team_is_a_group_that_follows_the_import() {
    let (world, served, token, _folder) = day().await;
    let (control, org) = (world.control(), &world.org);
    let members = control.records(org, "AccountTeamMember", 0, usize::MAX).unwrap();
    let account = members[0]["AccountId"].as_str().unwrap().to_owned();
    let team = async || {
        let path = format!("/seats/{}/accounts/{account}/team", served.seat);
        let team = served.get(&token, &served.connection(&path)).await.body;
        team["items"].as_array().unwrap().clone()
    };
    let expected: Vec<Value> =
        members.iter().filter(|of| of["AccountId"] == account.as_str()).cloned().collect();
    let before = team().await;
    assert_eq!(texts(&before, "user_id"), texts(&expected, "UserId"));
    assert_eq!(texts(&before, "role"), texts(&expected, "TeamMemberRole"));

    let users = users(&world);
    let noor = users.iter().find(|user| user["Email"] == SELLER).unwrap()["Id"].clone();
    let is_noor = |of: &&Value| of["user_id"] == noor;
    assert!(!before.iter().any(|of| is_noor(&of)));
    let joins = json!({ "AccountId": account, "UserId": noor, "TeamMemberRole": "Sales Manager" });
    control.create(org, "AccountTeamMember", &joins).unwrap();
    control.delete(org, expected[0]["Id"].as_str().unwrap()).unwrap();
    control.advance(3600);
    served
        .post(&served.token("admin"), &served.connection("/runs"), &json!({ "full": true }))
        .await;
    world.run().await;
    let after = team().await;
    let own = after.iter().find(is_noor).unwrap();
    assert_eq!((&own["seat_id"], &own["role"]), (&json!(served.seat), &json!("Sales Manager")));
    let left = &expected[0]["UserId"];
    assert!(after.iter().all(|of| of["user_id"] != *left), "{after:?}");

    let nobody = served
        .get(
            &token,
            &served.connection(&format!("/seats/{}/accounts/001000000000001AAA/team", served.seat)),
        )
        .await
        .body;
    assert_eq!(nobody, json!({ "items": [], "more": false }));
}
