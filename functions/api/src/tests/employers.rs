//! A lead names no account. It belongs to the one whose company its person works for.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::kernel::SeatId;
use shared::matching::EntityKind;
use tempfile::TempDir;
use tests::world::World;

use super::Served;
use super::badges::{badges, links};
use super::canary::SELLER;
use super::changes::day;
use super::dry_runs::{dry_run, number};
use super::left::import;

const COLLEAGUE: &str = "tobias.wrenfield@acme.example";

/// A person of the directory who is not in the CRM, and accounts: their employer's and another.
struct Employed {
    world: World,
    served: Served,
    folder: TempDir,
    person: Value,
    account: String,
    elsewhere: (String, String),
}

impl Employed {
    async fn new() -> Self {
        let (world, served, _token, folder) = day().await;
        world.seat(COLLEAGUE).await;
        let accounts: BTreeMap<String, String> = links(&served, &["Account"])
            .await
            .into_iter()
            .map(|(company, (_, account))| (company, account))
            .collect();
        let people = people(&folder);
        let ids: Vec<String> = people.iter().map(|person| text(&person["id"])).collect();
        let badges = badges(&served, "person", &ids).await;
        let is_free = |person: &&Value| {
            let employer = person["company"]["company_id"].as_str();
            badges[person["id"].as_str().unwrap()]["state"] == "not_in_crm"
                && employer.is_some_and(|company| accounts.contains_key(company))
        };
        let person = people.iter().find(is_free).unwrap().clone();
        let employer = text(&person["company"]["company_id"]);
        let account = accounts[&employer].clone();
        let other = accounts.into_iter().find(|(company, _)| *company != employer).unwrap();
        Self { world, served, folder, person, account, elsewhere: other }
    }

    /// A lead of the person, whom a colleague owns.
    fn lead(&self) -> String {
        let of = |name: &str| self.person[name].clone();
        let lead = json!({
            "FirstName": of("first_name"), "LastName": of("last_name"), "Title": of("title"),
            "Company": self.person["company"]["name"], "City": of("city"),
            "Country": of("country"), "Email": self.person["emails"][0],
            "OwnerId": self.user(COLLEAGUE),
        });
        self.world.control().create(&self.world.org, "Lead", &lead).unwrap()
    }

    fn user(&self, username: &str) -> Value {
        let users = self.world.control().records(&self.world.org, "User", 0, usize::MAX).unwrap();
        users.iter().find(|user| user["Username"] == username).unwrap()["Id"].clone()
    }

    async fn give(&self, account: &str, to: &str) {
        let owner = json!({ "OwnerId": self.user(to) });
        self.world.control().update(&self.world.org, account, &owner).unwrap();
        import(&self.world, &self.served).await;
    }

    /// The accounts for which a lead is saved for somebody.
    async fn saved(&self, lead: &str, seat: &str) -> Vec<String> {
        let seat = SeatId::derived(seat);
        let path = self.served.connection(&format!("/seats/{seat}/saved?kind=leads"));
        let page = self.served.get(&self.served.token("admin"), &path).await.body;
        assert_eq!(page["next"], Value::Null);
        let items = page["items"].as_array().unwrap().iter();
        let reasons = items.filter(|item| item["record"] == lead);
        let reasons = reasons.flat_map(|item| item["reasons"].as_array().unwrap());
        let by_account = reasons.inspect(|of| assert_eq!(of["rule"], "people_of_owned_accounts"));
        by_account.map(|of| text(&of["record_id"])).collect()
    }

    /// How many people would be saved for all sellers by a change of the rules.
    async fn forecast(&self, rules: &Value) -> usize {
        number(&dry_run(&self.world, &self.served, rules).await, "leads")
    }

    /// Publishes the directory anew, in which the person works elsewhere.
    async fn change_jobs(&self) {
        let mut people = people(&self.folder);
        let person = people.iter_mut().find(|person| person["id"] == self.person["id"]).unwrap();
        person["past_positions"] =
            json!([{ "title": person["title"], "company": person["company"]["name"] }]);
        person["company"] = json!({ "name": "Elsewhere", "company_id": self.elsewhere.0 });
        let lines: Vec<String> = people.iter().map(Value::to_string).collect();
        let folder = self.folder.path();
        std::fs::write(folder.join("people.jsonl"), lines.join("\n")).unwrap();
        self.world.memory.clock.advance(SignedDuration::from_secs(1));
        let files = [
            (EntityKind::Person, folder.join("people.jsonl")),
            (EntityKind::Company, folder.join("companies.jsonl")),
        ];
        self.world.publish(None, &files).await;
        self.world.run().await;
    }

    /// How many edges lead to a lead from a company.
    fn edges(&self, lead: &str) -> usize {
        let end = format!("#employee-lead#{lead}");
        let items = self.world.memory.items();
        items.iter().filter(|item| item.key.sk().ends_with(&end)).count()
    }
}

fn people(folder: &TempDir) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.path().join("people.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_leads_who_work_at_an_account_are_saved_for_its_owner_and_follow_the_person() {
    let here = Employed::new().await;
    let rule = json!({ "save_people_of_owned_accounts": true });
    here.give(&here.account, SELLER).await;
    let without = here.forecast(&rule).await;
    let lead = here.lead();
    import(&here.world, &here.served).await;
    assert_eq!(here.saved(&lead, SELLER).await, [""; 0], "no rule says so yet");
    assert_eq!(here.forecast(&rule).await, without + 1);
    here.world.set(&rule).await;
    here.world.run().await;
    assert_eq!(here.saved(&lead, SELLER).await, [here.account.as_str()]);
    assert_eq!(here.saved(&lead, COLLEAGUE).await, [""; 0], "owning the lead is another rule");

    here.give(&here.account, COLLEAGUE).await;
    assert_eq!(here.saved(&lead, COLLEAGUE).await, [here.account.as_str()]);
    assert_eq!(here.saved(&lead, SELLER).await.len(), 1, "what was saved stays");

    let elsewhere = here.elsewhere.1.as_str();
    here.give(elsewhere, SELLER).await;
    here.change_jobs().await;
    let both = [here.account.as_str(), elsewhere];
    assert_eq!(here.saved(&lead, SELLER).await, both, "the person works elsewhere by now");
    assert_eq!(here.edges(&lead), 1);
}

#[tokio::test]
async fn an_account_that_is_linked_later_has_its_leads_saved_then() {
    let here = Employed::new().await;
    here.world.set(&json!({ "save_people_of_owned_accounts": true })).await;
    let path = here.served.connection(&format!("/matches/Account/{}/corrections", here.account));
    let say = async |what: Value| {
        let said = here.served.post(&here.served.token("admin"), &path, &what).await;
        assert!(said.status.is_success(), "{}", said.body);
        here.world.run().await;
    };
    say(json!({ "action": "unmatch" })).await;
    let lead = here.lead();
    here.give(&here.account, SELLER).await;
    assert_eq!(here.saved(&lead, SELLER).await, [""; 0]);
    say(json!({ "action": "match", "entity_id": here.person["company"]["company_id"] })).await;
    assert_eq!(here.saved(&lead, SELLER).await, [here.account.as_str()]);
    here.world.control().delete(&here.world.org, &lead).unwrap();
    import(&here.world, &here.served).await;
    assert_eq!(here.edges(&lead), 0);
}
