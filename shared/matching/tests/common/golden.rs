//! The golden set: a small labelled directory with CRM records, as it is kept in `fixtures/golden`.

use matching::read::{DirectoryReader, Identified};
use matching::{
    Company, CompanyForm, DirectoryLine, EntityKind, Person, PersonForm, Probe, ShardBuilder,
    Statistics,
};
use serde::Deserialize;

/// A CRM record and the entity that it is.
#[derive(Deserialize)]
pub(crate) struct Labelled {
    pub(crate) id: String,
    pub(crate) object: String,
    pub(crate) case: String,
    pub(crate) entity: Option<String>,
    record: serde_json::Value,
}

impl Labelled {
    pub(crate) fn probe(&self) -> Probe {
        let record = self.record.clone();
        if self.object == "Account" {
            Probe::account(&self.id, &serde_json::from_value(record).unwrap())
        } else {
            Probe::person(&self.id, &serde_json::from_value(record).unwrap())
        }
    }
}

/// The golden records, in the order of their file.
pub(crate) fn records() -> Vec<Labelled> {
    let lines = include_str!("../fixtures/golden/records.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn entities<T: Identified + for<'de> Deserialize<'de>>(text: &str) -> Vec<T> {
    let rows = DirectoryReader::<_, T>::new(text.as_bytes());
    rows.map(|row| match row.unwrap() {
        DirectoryLine::Upsert(entity) => entity,
        DirectoryLine::Delete { .. } | DirectoryLine::Merge { .. } => {
            panic!("the golden set has entities only")
        }
    })
    .collect()
}

/// The golden directory, built as one shard of each kind.
pub(crate) struct Golden {
    pub(crate) statistics: Statistics,
    pub(crate) people: Vec<u8>,
    pub(crate) companies: Vec<u8>,
}

impl Golden {
    pub(crate) fn build() -> Self {
        let people: Vec<Person> = entities(include_str!("../fixtures/golden/people.jsonl"));
        let companies: Vec<Company> = entities(include_str!("../fixtures/golden/companies.jsonl"));
        let mut person_shard = ShardBuilder::new(EntityKind::Person, 0, 1);
        let mut company_shard = ShardBuilder::new(EntityKind::Company, 0, 1);
        for company in &companies {
            company_shard.add_company(&CompanyForm::from(company));
        }
        for person in &people {
            person_shard.add_person(&PersonForm::from(person));
        }
        let builders = [person_shard, company_shard];
        let statistics = Statistics::of(&builders);
        let [people, companies] = builders.map(|builder| builder.finish(&statistics));
        Self { statistics, people, companies }
    }

    pub(crate) fn shard(&self, kind: EntityKind) -> &[u8] {
        match kind {
            EntityKind::Person => &self.people,
            EntityKind::Company => &self.companies,
        }
    }
}
