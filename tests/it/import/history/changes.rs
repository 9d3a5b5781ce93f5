//! The events of a history in the org.

use serde_json::{Value, json};

use super::History;
use super::choices::FORMULA;

const OBJECTS: [&str; 10] = [
    "Account",
    "Contact",
    "Lead",
    "Opportunity",
    "OpportunityContactRole",
    "AccountTeamMember",
    "Task",
    "Event",
    "Note",
    "User",
];

impl History {
    /// Something happens in the org.
    pub(super) fn change(&mut self) {
        let object = OBJECTS[self.random.usize(..OBJECTS.len())];
        let line = match self.random.u8(..24) {
            0..8 => self.create(object),
            8..13 => self.update(object),
            13..15 => self.delete(object),
            15 => self.undelete(object),
            16 => self.merge(),
            17 => self.convert(),
            18 => self.hard_delete(object),
            19 => self.share(object),
            20 => self.recalculate(),
            21 => Some(self.hide_fields()),
            22 if self.has_persons => self.create_person(),
            _ => self.archive(),
        };
        if let Some(line) = line {
            self.log.push(format!("{} {line}", self.world.control().now() / 1000 % 1_000_000));
        }
    }

    fn ids(&self, object: &str, deleted: bool) -> Vec<String> {
        let rows = self.world.control().records(&self.world.org, object, 0, 100_000).unwrap();
        let wanted = rows.iter().filter(|row| (row["IsDeleted"] == true) == deleted);
        wanted.filter_map(|row| row["Id"].as_str().map(str::to_owned)).collect()
    }

    fn pick(&mut self, object: &str) -> Option<String> {
        let ids = self.ids(object, false);
        self.random.choice(ids)
    }

    pub(super) fn text(&mut self) -> String {
        let n = self.random.u32(..1_000_000);
        let odd = ["", " \"quoted\", with comma", "\nsecond line", " ünï", "\r\n,", " 007"];
        format!("{n}{}", odd[self.random.usize(..odd.len())])
    }

    fn fields(&mut self, object: &str) -> Value {
        let text = self.text();
        let number = f64::from(self.random.u32(..100_000_000)) / 4.0;
        let mut fields = match object {
            "Account" => json!({ "Name": text, "AnnualRevenue": number, "Description": text,
                "NumberOfEmployees": self.random.u32(..100_000) }),
            "Contact" => json!({ "LastName": text, "AccountId": self.pick("Account"),
                "HasOptedOutOfEmail": self.random.bool() }),
            "Lead" => json!({ "LastName": text, "Company": text, "City": "Köln" }),
            "Opportunity" => json!({ "Name": text, "AccountId": self.pick("Account"),
                "Amount": number, "StageName": "Prospecting", "CloseDate": "2026-12-31" }),
            "OpportunityContactRole" => json!({ "OpportunityId": self.pick("Opportunity"),
                "ContactId": self.pick("Contact"), "Role": text }),
            "AccountTeamMember" => json!({ "AccountId": self.pick("Account"),
                "UserId": self.pick("User"), "TeamMemberRole": text }),
            "Task" => json!({ "Subject": text, "WhoId": self.pick("Contact"),
                "Status": if self.random.bool() { "Completed" } else { "Not Started" },
                "ActivityDate": "2026-01-10" }),
            "Event" => json!({ "Subject": text, "WhoId": self.pick("Lead") }),
            "Note" => json!({ "Title": text, "ParentId": self.pick("Account") }),
            _ => json!({ "LastName": text, "Department": text }),
        };
        self.set_custom_fields(object, &mut fields);
        fields
    }

    fn create(&mut self, object: &str) -> Option<String> {
        let mut fields = self.fields(object);
        if object == "User" {
            let n = self.random.u64(..);
            fields["Username"] = json!(format!("user{n}@history.example"));
            fields["Email"] = fields["Username"].clone();
            fields["IsActive"] = json!(true);
        }
        let id = self.world.control().create(&self.world.org, object, &fields).ok()?;
        Some(format!("create {object} {id}"))
    }

    fn update(&mut self, object: &str) -> Option<String> {
        let id = self.pick(object)?;
        let row = self.world.control().record(&self.world.org, &id).ok()?;
        let is_person = object == "Account" && row["IsPersonAccount"] == true;
        let fields = if is_person { self.person() } else { self.fields(object) };
        self.world.control().update(&self.world.org, &id, &fields).ok()?;
        Some(format!("update {object} {id}"))
    }

    /// A person account's fields: its name follows from the person's.
    fn person(&mut self) -> Value {
        let mut fields = self.fields("Account");
        fields["LastName"] = fields["Name"].take();
        fields["PersonEmail"] = json!(format!("{}@history.example", self.random.u32(..)));
        fields.as_object_mut().unwrap().remove("Name");
        fields
    }

    fn create_person(&mut self) -> Option<String> {
        let fields = self.person();
        let id = self.world.control().create(&self.world.org, "Account", &fields).ok()?;
        Some(format!("create person {id}"))
    }

    /// Changes the source of a formula: its value is another, and no stamp moves.
    fn recalculate(&mut self) -> Option<String> {
        self.traceless = true;
        let id = self.pick("Contact")?;
        let row = self.world.control().record(&self.world.org, &id).ok()?;
        let (stamp, modified) = (&row["SystemModstamp"], &row["LastModifiedDate"]);
        let fields = json!({ FORMULA: self.text(), "SystemModstamp": stamp,
            "LastModifiedDate": modified });
        self.world.control().update(&self.world.org, &id, &fields).ok()?;
        Some(format!("recalculate {id}"))
    }

    fn delete(&mut self, object: &str) -> Option<String> {
        let id = self.pick(object).filter(|_| object != "User")?;
        self.world.control().delete(&self.world.org, &id).ok()?;
        Some(format!("delete {object} {id}"))
    }

    fn undelete(&mut self, object: &str) -> Option<String> {
        let id = self.random.choice(self.ids(object, true))?;
        self.world.control().undelete(&self.world.org, &id).ok()?;
        Some(format!("undelete {object} {id}"))
    }

    fn merge(&mut self) -> Option<String> {
        let object = ["Account", "Contact", "Lead"][self.random.usize(..3)];
        let (master, loser) = (self.pick(object)?, self.pick(object)?);
        self.world.control().merge(&self.world.org, &master, &[&loser]).ok()?;
        Some(format!("merge {object} {loser} into {master}"))
    }

    fn convert(&mut self) -> Option<String> {
        let lead = self.pick("Lead")?;
        let options = if self.random.bool() { json!({ "opportunity": "New" }) } else { json!({}) };
        self.world.control().convert_lead(&self.world.org, &lead, &options).ok()?;
        Some(format!("convert {lead}"))
    }

    fn hard_delete(&mut self, object: &str) -> Option<String> {
        self.traceless = true;
        let id = self.pick(object).filter(|_| object != "User")?;
        self.world.control().hard_delete(&self.world.org, &id).ok()?;
        Some(format!("hard delete {object} {id}"))
    }

    /// Hides a record from the integration user, or shows what is hidden.
    fn share(&mut self, object: &str) -> Option<String> {
        self.traceless = true;
        let admin = format!("admin@{}.example", self.world.org);
        let users = self.world.control().records(&self.world.org, "User", 0, 100_000).ok()?;
        let user = users.iter().find(|user| user["Username"] == admin.as_str())?["Id"].as_str()?;
        let hide = self.random.bool();
        let ids: Vec<String> =
            if hide { vec![self.pick(object).filter(|_| object != "User")?] } else { Vec::new() };
        self.set(&json!({ "hidden_records": { user: ids } }));
        Some(format!("hide {ids:?}"))
    }

    fn archive(&mut self) -> Option<String> {
        let count = self.world.control().archive(&self.world.org, "2026-06-01").ok()?;
        Some(format!("archive {count}"))
    }
}
