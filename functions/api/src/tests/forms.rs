//! The forms of orgs that have rules of their own: lists that depend on one another, states and
//! countries as lists, record types. What a form tells is what a change is held to.

use serde_json::{Value, json};
use tests::world::World;

use super::Served;
use super::accounts::{field, post};
use super::canary::{SELLER, imported, marked};
use super::changes::{at, behind_api, day, told};

/// A world whose org asks for a region, and for a branch of it.
async fn with_branches() -> (World, Served, String, tempfile::TempDir) {
    let folder = marked();
    let path = folder.path().join("org.json");
    let mut org: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    org["custom_fields"] = json!([
        "Lead.Region__c picklist(North|South) restricted",
        "Lead.Branch__c picklist(Oslo@North|Rome@South|Online@North+South) restricted required \
         controller=Region__c",
    ]);
    std::fs::write(&path, org.to_string()).unwrap();
    let world = Box::pin(imported(folder.path())).await;
    world.set(&json!({ "create_leads": true })).await;
    let (served, token) = behind_api(&world).await;
    (world, served, token, folder)
}

#[tokio::test]
async fn a_dependent_list_is_told_with_what_it_goes_with_and_held_to_before_salesforce_is_asked() {
    let (world, served, token, _folder) = with_branches().await;
    let form = served.get(&token, &at(&served, "/crm/forms/Lead")).await.body;
    let branch = field(&form, "Branch__c");
    assert_eq!((&branch["required"], &branch["controller"]), (&json!(true), &json!("Region__c")));
    let choices = branch["choices"].as_array().unwrap().iter();
    let choices: Vec<_> = choices.map(|c| (&c["value"], &c["goes_with"])).collect();
    let (north, south, both) = (json!(["North"]), json!(["South"]), json!(["North", "South"]));
    let named = ["Oslo", "Rome", "Online"].map(|name| json!(name));
    let expected: Vec<_> = named.iter().zip([&north, &south, &both]).collect();
    assert_eq!(choices, expected);

    let mut lead = json!({ "LastName": "Aurelian", "Company": "Aurelian Ltd" });
    for (key, region, branch, code) in [
        ("1", json!("South"), json!("Oslo"), Some("NOT_IN_PICKLIST")),
        ("2", json!(null), json!("Oslo"), Some("NOT_IN_PICKLIST")),
        ("3", json!("South"), json!(null), Some("REQUIRED_FIELD_MISSING")),
        ("4", json!("South"), json!("Online"), None),
    ] {
        (lead["Region__c"], lead["Branch__c"]) = (region, branch);
        let wanted = json!({ "kind": "create", "object": "Lead", "fields": lead });
        let posted = post(&served, &token, key, &wanted).await;
        let told = told(&world, &served, &token, &posted).await;
        assert_eq!(told["refusals"][0]["code"].as_str(), code, "{told}");
        if code.is_some() {
            assert!(
                told["refusals"][0]["fields"].as_array().unwrap().contains(&json!("Branch__c"))
            );
        }
    }
    let leads = world.control().records(&world.org, "Lead", 0, 10_000).unwrap();
    assert_eq!(leads.iter().filter(|lead| lead["LastName"] == "Aurelian").count(), 1);
}

/// What a change that cannot be made is told: the code and the fields of each refusal.
fn refusals(told: &Value) -> Vec<(&str, &Value)> {
    let refusals = told["refusals"].as_array().into_iter().flatten();
    refusals.map(|refusal| (refusal["code"].as_str().unwrap(), &refusal["fields"])).collect()
}

#[tokio::test]
async fn an_org_that_lists_states_and_countries_is_given_codes_that_belong_together() {
    let (world, served, token, _folder) = day().await;
    world.control().set(&world.org, &json!({ "state_lists": true })).unwrap();
    let form = served.get(&token, &at(&served, "/crm/forms/Contact")).await.body;
    let names: Vec<_> = form["fields"].as_array().unwrap().iter().map(|f| &f["name"]).collect();
    assert!(!names.contains(&&json!("MailingState")), "the code stands for it: {names:?}");
    let state = field(&form, "MailingStateCode");
    let bavaria = json!({ "value": "BY", "label": "Bavaria", "is_default": false,
        "goes_with": ["DE"] });
    assert_eq!(
        (&state["controller"], &state["choices"][0]),
        (&json!("MailingCountryCode"), &bavaria)
    );

    let account = world.control().records(&world.org, "Account", 0, 1).unwrap().remove(0);
    let contact = |n: usize, place: &Value| {
        let mut fields = json!({ "LastName": format!("Aurelian{n}"), "AccountId": account["Id"] });
        fields.as_object_mut().unwrap().extend(place.as_object().unwrap().clone());
        json!({ "kind": "create", "object": "Contact", "fields": fields })
    };
    let listed = [("NOT_IN_PICKLIST", "MailingStateCode"), ("NOT_IN_PICKLIST", "MailingCountry")];
    for (n, (place, refused)) in [
        (json!({ "MailingStateCode": "TX", "MailingCountryCode": "DE" }), Some(listed[0])),
        (json!({ "MailingStateCode": "BY" }), Some(listed[0])),
        (json!({ "MailingCountry": "Germania" }), Some(listed[1])),
        (json!({ "MailingCountry": "germany" }), None),
        (json!({ "MailingStateCode": "BY", "MailingCountryCode": "DE" }), None),
    ]
    .into_iter()
    .enumerate()
    {
        let posted = post(&served, &token, &n.to_string(), &contact(n, &place)).await;
        let told = told(&world, &served, &token, &posted).await;
        let expected = refused.map(|(code, field)| (code, json!([field])));
        let expected: Vec<_> = expected.iter().map(|(code, fields)| (*code, fields)).collect();
        assert_eq!(refusals(&told), expected, "{told}");
        if refused.is_none() {
            let row = world.control().record(&world.org, told["record_id"].as_str().unwrap());
            let row = row.unwrap();
            assert_eq!(row["MailingCountry"], "Germany", "the name follows the code: {row}");
            assert_eq!(row["MailingCountryCode"], "DE");
        }
        let detail = told["refusals"][0]["message"].as_str().unwrap_or_default();
        let is_text = refused == Some(listed[1]);
        assert_eq!(detail.contains("set MailingCountryCode to a code"), is_text, "{detail}");
    }
}

#[tokio::test]
async fn an_address_of_codes_is_updated_by_what_the_record_shows_and_a_wrong_pair_is_told() {
    let (world, served, token, _folder) = day().await;
    world.control().set(&world.org, &json!({ "state_lists": true })).unwrap();
    let contact = world.control().records(&world.org, "Contact", 0, 1).unwrap().remove(0);
    let id = contact["Id"].as_str().unwrap();
    let german = json!({ "MailingState": "Bavaria", "MailingStateCode": "BY",
        "MailingCountry": "Germany", "MailingCountryCode": "DE" });
    world.control().update(&world.org, id, &german).unwrap();
    let shown = served.get(&token, &at(&served, &format!("/crm/records/Contact/{id}"))).await.body;
    let state = field(&shown, "MailingStateCode");
    assert_eq!((&state["value"], &state["may_edit"]), (&json!("BY"), &json!(true)));
    assert_eq!(state["controller"], "MailingCountryCode");
    assert_eq!(state["choices"][2]["goes_with"], json!(["US"]));
    assert!(shown["fields"].as_array().unwrap().iter().all(|f| f["name"] != "MailingState"));

    let update = |fields: &Value| {
        let object = "Contact";
        json!({ "kind": "update", "object": object, "record_id": id, "fields": fields })
    };
    // The other half of the pair is what the record has.
    let texas = json!({ "MailingStateCode": { "from": "BY", "to": "TX" } });
    let posted = post(&served, &token, "1", &update(&texas)).await;
    let wrong = told(&world, &served, &token, &posted).await;
    assert_eq!(refusals(&wrong), [("NOT_IN_PICKLIST", &json!(["MailingStateCode"]))], "{wrong}");

    let mut both = texas;
    both["MailingCountryCode"] = json!({ "from": "DE", "to": "US" });
    let posted = post(&served, &token, "2", &update(&both)).await;
    let made = told(&world, &served, &token, &posted).await;
    assert_eq!(made["state"], "made", "{made}");
    let row = world.control().record(&world.org, id).unwrap();
    assert_eq!(
        (&row["MailingState"], &row["MailingCountry"]),
        (&json!("Texas"), &json!("United States"))
    );
}

#[tokio::test]
async fn a_record_type_that_no_form_names_is_refused_before_salesforce_is_asked() {
    let (world, served, token, _folder) = day().await;
    let (control, org) = (world.control(), &world.org);
    let users = control.records(org, "User", 0, usize::MAX).unwrap();
    let seller = users.iter().find(|user| user["Username"] == SELLER).unwrap();
    let mut profile = control.profile_of(org, seller["Id"].as_str().unwrap()).unwrap();
    profile.hidden_record_types.insert("Lead.Hidden".to_owned());
    control.put_profile(org, profile).unwrap();
    let record_type = |name: &str, object: &str, is_active: bool| {
        let fields = json!({ "Name": name, "DeveloperName": name, "SobjectType": object,
            "IsActive": is_active });
        control.create(org, "RecordType", &fields).unwrap()
    };
    let partner = record_type("Partner", "Lead", true);
    let others = [
        record_type("Hidden", "Lead", true),
        record_type("Old", "Lead", false),
        record_type("Buyer", "Contact", true),
        "nothing".to_owned(),
    ];
    let form = served.get(&token, &at(&served, "/crm/forms/Lead")).await.body;
    let expected = json!([{ "record_type_id": partner, "name": "Partner", "is_default": true }]);
    assert_eq!(form["record_types"], expected);

    let lead = |n: usize, of: &str| {
        let fields = json!({ "LastName": format!("Aurelian{n}"), "Company": format!("Lamps {n}"),
            "RecordTypeId": of });
        json!({ "kind": "create", "object": "Lead", "fields": fields })
    };
    for (n, of) in others.iter().enumerate() {
        let posted = post(&served, &token, &n.to_string(), &lead(n, of)).await;
        let told = told(&world, &served, &token, &posted).await;
        let expected = [("RECORD_TYPE_NOT_AVAILABLE", &json!(["RecordTypeId"]))];
        assert_eq!(refusals(&told), expected, "{told}");
    }
    assert!(control.writes(org).unwrap().iter().all(|write| write.object != "Lead"));
    // An id of fifteen characters is the same type.
    let posted = post(&served, &token, "9", &lead(9, &partner[..15])).await;
    let told = told(&world, &served, &token, &posted).await;
    let row = control.record(org, told["record_id"].as_str().unwrap()).unwrap();
    assert_eq!(row["RecordTypeId"], partner.as_str());
}
