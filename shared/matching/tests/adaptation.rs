//! The adapted model: what must hold of it on records that the shipped model was not trained on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use matching::{
    CrmPerson, EntityKind, Estimate, MatchModel, Person, PersonForm, Probe, Sample, Scorer, Shard,
    ShardBuilder, Statistics, posterior,
};

/// Numbers that look random and are the same each time (Knuth's linear congruential generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// People of whom a name and a town is known, and nothing else.
fn somebody(numbers: &mut Numbers) -> [String; 3] {
    let given = ["Ada", "Bo", "Cleo", "Dov", "Elsa", "Finn", "Gwen", "Hugo", "Ines", "Jonas"];
    let start = ["Al", "Bren", "Cor", "Dal", "Ester", "Far", "Gran", "Hol", "Ister", "Kal", "Lor"];
    let middle = ["ba", "de", "fi", "go", "lu", "ma", "ne", "ri", "so", "tu", "va", "zi"];
    let end = ["berg", "court", "dorf", "feld", "gren", "holm", "kamp", "lund", "mark", "wick"];
    let mut one = |of: &[&str]| of[numbers.below(of.len())].to_owned();
    let given = one(&given);
    let family = one(&start) + &one(&middle) + &one(&end);
    let town = one(&start) + &one(&end);
    [given, family, town]
}

/// As a hurried clerk writes it.
fn written(numbers: &mut Numbers, mut who: [String; 3]) -> [String; 3] {
    if numbers.percent(30) {
        let at = 1 + numbers.below(who[1].len() - 1);
        who[1].replace_range(at..=at, "e");
    }
    if numbers.percent(25) {
        who[0].truncate(1);
    }
    if numbers.percent(25) {
        who[2].clone_from(&somebody(numbers)[2]);
    }
    who
}

fn probe(id: usize, [given, family, town]: &[String; 3]) -> Probe {
    let record = CrmPerson {
        first_name: Some(given.clone()),
        last_name: Some(family.clone()),
        city: Some(town.clone()),
        ..CrmPerson::default()
    };
    Probe::person(&format!("r{id:05}"), &record)
}

/// A directory, and records of which the first are somebody's and the others nobody's.
struct World {
    statistics: Statistics,
    shard: Vec<u8>,
    records: Vec<(Probe, Option<String>)>,
}

impl World {
    fn new(records: usize) -> Self {
        let mut numbers = Numbers(7);
        let people: Vec<_> = (0..1_500).map(|_| somebody(&mut numbers)).collect();
        let mut builder = ShardBuilder::new(EntityKind::Person, 0, 1);
        for (id, [first_name, last_name, city]) in people.iter().cloned().enumerate() {
            let id = format!("p{id}");
            let person = Person { id, first_name, last_name, city, ..Person::default() };
            builder.add_person(&PersonForm::from(&person));
        }
        let statistics = Statistics::of(std::slice::from_ref(&builder));
        let shard = builder.finish(&statistics);
        let record = |id: usize| {
            let known = id * 10 < records * 6;
            let who = if known { people[id].clone() } else { somebody(&mut numbers) };
            (probe(id, &written(&mut numbers, who)), known.then(|| format!("p{id}")))
        };
        Self { statistics, shard, records: (0..records).map(record).collect() }
    }

    fn shard(&self) -> Shard<'_> {
        Shard::open(&self.shard).unwrap()
    }

    fn estimate(&self) -> Estimate {
        let model = MatchModel::shipped().unwrap();
        let scorer = Scorer::new(model, &self.statistics);
        let levels = |probe: &Probe| {
            let found = scorer.raw_candidates(&self.shard(), probe, 8);
            found.into_iter().map(|candidate| candidate.levels)
        };
        let mut sample = Sample::new(EntityKind::Person, 1_500);
        let records = self.records.len();
        for (at, (record, _)) in self.records.iter().enumerate() {
            sample.add_record(levels(record));
            let other = |thirds: usize| &self.records[(at + thirds * records / 3) % records].0;
            sample.add_decoy(levels(&Probe::decoy(record, other(1), other(2)).unwrap()));
        }
        sample.estimate(&model.person)
    }

    /// The matches by a model of people: how many, the sum of their probabilities, and how many are
    /// right.
    fn matches(&self, person: &Estimate) -> (usize, f64, usize) {
        let model =
            MatchModel { person: person.model.clone(), ..MatchModel::shipped().unwrap().clone() };
        let scorer = Scorer::new(&model, &self.statistics);
        let (mut all, mut promised, mut right) = (0, 0.0, 0);
        for (record, truth) in &self.records {
            let candidates = scorer.candidates(&self.shard(), record, 8);
            let found = posterior(&model, EntityKind::Person, &candidates);
            let best = found.first().filter(|best| best.probability >= 0.5);
            if let Some(best) = best {
                all += 1;
                promised += best.probability;
                right += usize::from(truth.as_ref() == Some(&best.candidate.entity_id));
            }
        }
        (all, promised, right)
    }
}

#[test]
fn records_unlike_the_training_data_move_the_model_and_more_are_found() {
    let world = World::new(1_500);
    let adapted = world.estimate();
    assert!(adapted.taken > 0.99, "{adapted:?}");
    // Of the nine hundred who are somebody, some are written so that nobody finds them.
    let nobody = adapted.nobody.unwrap();
    assert!((0.38..0.52).contains(&nobody), "{nobody}");
    let shipped =
        Estimate { model: MatchModel::shipped().unwrap().person.clone(), ..adapted.clone() };
    let (before, after) = (world.matches(&shipped), world.matches(&adapted));
    assert!(after.2 > before.2 + 50, "{before:?} {after:?}");
    // What it says is what is true: of a hundred matches at .9 ninety are right.
    let [all, right] = [after.0, after.2].map(|count| f64::from(u32::try_from(count).unwrap()));
    assert!((after.1 - right).abs() < all * 0.04, "{before:?} {after:?}");
}

#[test]
fn few_records_keep_the_shipped_model() {
    let few = World::new(900).estimate();
    assert_eq!((few.nobody, few.distance, few.resembling), (None, None, None));
    assert_eq!(few.model, MatchModel::shipped().unwrap().person);
}

#[test]
fn a_decoy_shares_no_record_and_needs_three_of_one_kind() {
    let world = World::new(1_200);
    let known: BTreeSet<Vec<u8>> =
        world.records.iter().map(|(record, _)| record.to_bytes().unwrap()).collect();
    let records: Vec<&Probe> = world.records.iter().map(|(record, _)| record).collect();
    for three in records.windows(3) {
        let decoy = Probe::decoy(three[0], three[1], three[2]).unwrap();
        let alike = three[0].to_bytes() == three[2].to_bytes();
        assert!(alike || !known.contains(&decoy.to_bytes().unwrap()));
    }
    let company = Probe::account("a", &matching::CrmAccount::default());
    assert_eq!(Probe::decoy(records[0], records[1], &company), None);
}
