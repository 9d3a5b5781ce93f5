//! Strange rows of an org, each by its number in the catalogue of inputs: they are imported, and
//! lead nothing astray.

use serde_json::json;
use shared::capabilities::importing::VISIBILITY_OVERLAP;
use shared::kernel::SObject;
use tests::Home;
use tests::world::WorldOptions;

use super::case::Case;

in_both_homes!(
    i26_accounts_in_a_circle_and_contacts_without_an_account_are_imported,
    i38_a_stamp_of_the_future_moves_no_cursor_and_a_row_without_one_is_counted,
    i40_amounts_of_several_currencies_and_lists_of_states_are_imported,
);

async fn i26_accounts_in_a_circle_and_contacts_without_an_account_are_imported(home: Home) {
    let case = Case::imported_at(home).await;
    let circle = [(0, 0), (1, 2), (2, 3), (3, 1)];
    for (child, parent) in circle {
        case.update(&case.accounts[child], &json!({ "ParentId": case.accounts[parent] }));
    }
    case.update(&case.contacts[0], &json!({ "AccountId": null }));
    let alone = case.create("Contact", &json!({ "LastName": "Without an account" }));
    case.advance(3600);
    let objects = case.import("second").await;
    assert_eq!(objects[&SObject::Account].counts.updated, 4);
    let contacts = objects[&SObject::Contact].counts;
    assert_eq!((contacts.new, contacts.updated), (1, 1), "{alone}");
    case.equals_the_org().await;
}

async fn i38_a_stamp_of_the_future_moves_no_cursor_and_a_row_without_one_is_counted(home: Home) {
    let case = Case::imported_at(home).await;
    let ahead = "2031-01-01T00:00:00.000+0000";
    case.update(&case.leads[0], &json!({ "LastName": "Ahead", "SystemModstamp": ahead }));
    case.create("Lead", &json!({ "LastName": "New", "Company": "New", "SystemModstamp": ahead }));
    case.advance(3600);
    let leads = case.import("second").await[&SObject::Lead].clone();
    assert_eq!((leads.counts.new, leads.counts.updated), (1, 1));
    case.equals_the_org().await;
    // The cursor goes by Salesforce's clock: what changes now is read, though its stamp is older.
    let stamp = case.watermark(SObject::Lead).await.unwrap().stamp.unwrap();
    assert!((stamp + VISIBILITY_OVERLAP).as_millisecond() <= case.world.control().now());
    case.update(&case.leads[1], &json!({ "LastName": "Changed" }));
    case.advance(3600);
    assert_eq!(case.import("third").await[&SObject::Lead].counts.updated, 1);
    case.equals_the_org().await;

    // A row that does not say when it changed is passed over and counted; the others are kept.
    let whole = case.world.control().record(&case.world.org, &case.leads[2]).unwrap();
    case.update(&case.leads[2], &json!({ "LastName": "Unstamped", "SystemModstamp": null }));
    case.update(&case.leads[3], &json!({ "LastName": "Beside it" }));
    case.advance(3600);
    let run = case.ask_for("fourth", shared::kernel::ImportTrigger::Full).await;
    case.world.run().await;
    let leads = case.objects(run).await[&SObject::Lead].clone();
    assert!(leads.phase.is_terminal(), "{:?}", leads.phase);
    assert_eq!((leads.counts.skipped, leads.counts.updated), (1, 1), "{leads:?}");
    let stamp = &whole["SystemModstamp"];
    case.update(&case.leads[2], &json!({ "LastName": whole["LastName"], "SystemModstamp": stamp }));
}

async fn i40_amounts_of_several_currencies_and_lists_of_states_are_imported(home: Home) {
    let on = json!({ "multi_currency": true, "state_lists": true });
    let options = WorldOptions { home, page_rows: Some(7), ..WorldOptions::default() };
    let case = Case::of_org(options, &on).await;
    case.world.run().await;
    let (amount, code) = (1_234_567.89, "EUR");
    let deal = case.create(
        "Opportunity",
        &json!({ "Name": "Abroad", "AccountId": case.accounts[0], "StageName": "Prospecting",
            "CloseDate": "2027-01-31", "Amount": amount, "CurrencyIsoCode": code }),
    );
    let state = json!({ "BillingState": "Bavaria", "BillingStateCode": "BY",
        "BillingCountry": "Germany", "BillingCountryCode": "DE", "AnnualRevenue": 5,
        "CurrencyIsoCode": "GBP" });
    case.update(&case.accounts[1], &state);
    case.update(&case.leads[0], &json!({ "Country": "Germany", "CountryCode": "DE" }));
    case.advance(3600);
    let objects = case.import("second").await;
    assert_eq!(objects[&SObject::Opportunity].counts.new, 1, "{deal}");
    assert_eq!(objects[&SObject::Account].counts.updated, 1);
    // An amount is kept as it stands in the org's row: nothing is converted, nothing rounded.
    case.equals_the_org().await;
    let records = case.records().await;
    let kept = records.one(SObject::Opportunity, deal.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(kept.fields.get("Amount"), Some("1234567.89"));
    assert_eq!(kept.fields.get("CurrencyIsoCode"), Some(code));
    let account = case.accounts[1].parse().unwrap();
    let kept = records.one(SObject::Account, account).await.unwrap().unwrap();
    assert_eq!(kept.fields.get("BillingState"), Some("Bavaria"));
    assert_eq!(kept.fields.get("BillingCountry"), Some("Germany"));
}
