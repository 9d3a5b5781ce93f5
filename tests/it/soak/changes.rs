//! What happens in the org during a soak. Whom activities are about stays who they are: which
//! record an activity is logged on is not what is tested here.

use std::collections::BTreeMap;

use fastrand::Rng;
use salesforce_simulator::Control;
use serde_json::{Value, json};

/// An org that lives.
pub(super) struct Org {
    control: Control,
    name: String,
    random: Rng,
    /// The leads that this test made, which it may delete.
    leads: Vec<String>,
    deleted: Vec<String>,
    changes: BTreeMap<&'static str, usize>,
}

impl Org {
    pub(super) fn new(control: Control, name: String) -> Self {
        let (leads, deleted, changes) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { control, name, random: Rng::with_seed(12), leads, deleted, changes }
    }

    /// The changes so far, by kind.
    pub(super) fn changes(&self) -> &BTreeMap<&'static str, usize> {
        &self.changes
    }

    /// Something happens.
    pub(super) fn change(&mut self) {
        let kind = match self.random.u8(..10) {
            0 | 1 => Some(self.new_lead()),
            2 => self.new_contact(),
            3 | 4 => self.update("Account"),
            5 | 6 => self.update("Contact"),
            7 => self.update("Opportunity"),
            8 => self.delete_lead(),
            _ => self.undelete_lead(),
        };
        *self.changes.entry(kind.unwrap_or("nothing")).or_default() += 1;
    }

    fn create(&self, object: &str, fields: &Value) -> String {
        self.control.create(&self.name, object, fields).unwrap()
    }

    fn pick(&mut self, object: &str) -> Option<String> {
        let rows = self.control.records(&self.name, object, 0, 100_000).unwrap();
        let live = rows.iter().filter(|row| row["IsDeleted"] != true);
        let ids: Vec<&str> = live.filter_map(|row| row["Id"].as_str()).collect();
        self.random.choice(ids).map(str::to_owned)
    }

    fn new_lead(&mut self) -> &'static str {
        let n = self.random.u32(..);
        let lead = json!({ "LastName": format!("Soak {n}"), "Company": "Soaked", "City": "Köln" });
        let lead = self.create("Lead", &lead);
        self.leads.push(lead);
        "leads created"
    }

    fn new_contact(&mut self) -> Option<&'static str> {
        let account = self.pick("Account")?;
        let n = self.random.u32(..);
        self.create("Contact", &json!({ "LastName": format!("Soak {n}"), "AccountId": account }));
        Some("contacts created")
    }

    fn update(&mut self, object: &'static str) -> Option<&'static str> {
        let id = self.pick(object)?;
        let number = f64::from(self.random.u32(..1_000_000)) / 4.0;
        let (kind, fields) = match object {
            "Account" => ("accounts updated", json!({ "AnnualRevenue": number })),
            "Contact" => ("contacts updated", json!({ "HasOptedOutOfEmail": self.random.bool() })),
            _ => ("opportunities updated", json!({ "Amount": number })),
        };
        self.control.update(&self.name, &id, &fields).unwrap();
        Some(kind)
    }

    fn delete_lead(&mut self) -> Option<&'static str> {
        let at = self.random.choice(0..self.leads.len())?;
        let lead = self.leads.swap_remove(at);
        self.control.delete(&self.name, &lead).unwrap();
        self.deleted.push(lead);
        Some("leads deleted")
    }

    fn undelete_lead(&mut self) -> Option<&'static str> {
        let at = self.random.choice(0..self.deleted.len())?;
        let lead = self.deleted.swap_remove(at);
        self.control.undelete(&self.name, &lead).unwrap();
        self.leads.push(lead);
        Some("leads undeleted")
    }
}
