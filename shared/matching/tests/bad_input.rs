//! Bad input: texts as CRM users type them, and the outcome each must have. The tests number the
//! kinds of input.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{build, some_people};
use matching::{
    Company, CompanyForm, CrmAccount, CrmPerson, Employer, EntityKind, MatchDecision, MatchModel,
    Person, Probe, Scorer, Shard, ShardBuilder, Statistics, posterior,
};

/// The best probability a record reaches among some people, and how many candidates were looked at.
fn best(people: &[Person], record: &CrmPerson) -> (f64, usize) {
    let (statistics, shards) = build(people, 1);
    let (model, probe, shard) = (
        MatchModel::shipped().unwrap(),
        Probe::person("r", record),
        Shard::open(&shards[0]).unwrap(),
    );
    let engine = Scorer::new(model, &statistics);
    let scored = posterior(model, EntityKind::Person, &engine.candidates(&shard, &probe, 8));
    (scored.first().map_or(0.0, |scored| scored.probability), engine.block(&shard, &probe).len())
}

fn decide(people: &[Person], record: &CrmPerson) -> MatchDecision {
    MatchModel::shipped().unwrap().thresholds.decide(best(people, record).0)
}

fn named(first: &str, last: &str) -> CrmPerson {
    CrmPerson {
        first_name: Some(first.into()),
        last_name: Some(last.into()),
        ..CrmPerson::default()
    }
}

fn same_probe(left: &CrmPerson, right: &CrmPerson) {
    assert_eq!(Probe::person("r", left), Probe::person("r", right), "{left:?} {right:?}");
}

/// Enough other people that a match needs evidence.
fn crowd() -> Vec<Person> {
    let mut people = some_people();
    for number in 0..400 {
        people.push(Person {
            id: format!("x{number}"),
            first_name: ["Ann", "Otto", "Ivy", "Lars"][number % 4].into(),
            last_name: format!("Crowd{}", ["a", "b", "c", "d", "e", "f", "g"][number % 7]),
            company: Some(Employer {
                name: format!("Firm {}", number % 50),
                ..Employer::default()
            }),
            country: "United States".into(),
            ..Person::default()
        });
    }
    people
}

#[test]
fn i1_to_i4_and_i8_mail_fields_are_cleaned_split_and_refused() {
    let mail = |text: &str| CrmPerson { email: Some(text.into()), ..named("Jane", "Doering") };
    same_probe(&mail(" Jane.DOERING+x@Acme.COM "), &mail("jane.doering@acme.com"));
    same_probe(&mail("a1@acme.com; b2@acme.org"), &mail("a1@acme.com,b2@acme.org"));
    for nothing in [
        "none@none.com",
        "test@test.com",
        "n/a",
        "****",
        &format!("{}@acme.com", "a".repeat(320)),
        "jane\0@acme.com",
    ] {
        same_probe(&mail(nothing), &named("Jane", "Doering"));
    }
    // A role mailbox is no key to a person: two people of one info@ are not linked by it.
    let mut people = crowd();
    people[1].emails = vec!["info@acme.com".into()];
    assert_eq!(
        decide(
            &people,
            &CrmPerson { email: Some("info@acme.com".into()), ..named("Zoe", "Zimmer") }
        ),
        MatchDecision::NonMatch
    );
}

#[test]
fn i5_to_i7_and_i21_sites_are_a_company_domain_or_nothing() {
    let site = |text: &str| CrmAccount {
        name: Some("Acme".into()),
        website: Some(text.into()),
        ..CrmAccount::default()
    };
    let probe = |text: &str| Probe::account("a", &site(text));
    for nothing in
        ["gmail.com", "acme", "javascript:alert(1)", "https://www.linkedin.com/company/acme"]
    {
        assert_eq!(probe(nothing), probe(""), "{nothing}");
    }
    assert_eq!(probe("HTTP://www.acme.com:80/path?x#y"), probe("acme.com"));
    assert_eq!(probe("https://münchen.de"), probe("xn--mnchen-3ya.de"));
    assert_ne!(probe("\u{430}cme.com"), probe("acme.com"));
}

#[test]
fn i9_and_i10_phones_agree_or_are_no_key() {
    let phone = |text: &str| CrmPerson { phone: Some(text.into()), ..named("Jane", "Doering") };
    for same in ["+1 (415) 555-0199", "415.555.0199", "001 415 555 0199"] {
        same_probe(&phone(same), &phone("4155550199"));
    }
    // An extension is kept beside the number, which stays the same.
    let form = |text: &str| match Probe::person("r", &phone(text)) {
        Probe::Person(form) => (form.phones, form.extensions.len()),
        Probe::Company(_) => (Vec::new(), 0),
    };
    let (plain, extended) = (form("4155550199"), form("+1 (415) 555-0199 x12"));
    assert_eq!((plain.0, 0, 1), (extended.0, plain.1, extended.1));
    for nothing in ["0000000000", "1234567890", "999-999-9999", "call me"] {
        same_probe(&phone(nothing), &named("Jane", "Doering"));
    }
}

#[test]
fn i12_i14_i16_i18_spellings_of_a_name_are_one() {
    same_probe(&named("JANE", "O'BRIEN"), &named("jane", "O\u{2019}Brien"));
    same_probe(&named("Jürgen", "Groß"), &named("Ju\u{308}rgen", "GROSS"));
    same_probe(&named("Jane", "Müller"), &named("Jane", "Mueller"));
    same_probe(&named("\u{feff}Ja\u{ad}ne 🚀", "Do\u{200d}e"), &named("Jane", "Doe"));
    same_probe(&named("Dr. Jane", "Doe, PhD"), &named("Jane", "Doe"));
    assert_eq!(
        decide(
            &crowd(),
            &CrmPerson { company: Some("Acme".into()), ..named("Bob", "Quillfeather") }
        ),
        MatchDecision::Match
    );
}

#[test]
fn i13_what_hardly_names_anybody_is_never_matched_by_name() {
    let mut people = crowd();
    people.push(Person { id: "m".into(), first_name: "Madonna".into(), ..Person::default() });
    for (first, last) in [
        ("", "."),
        ("", "-"),
        ("", "Unknown"),
        ("Madonna", ""),
        ("", "Wang"),
        ("Test", "Test"),
        ("Accounts", "Payable"),
    ] {
        assert_ne!(decide(&people, &named(first, last)), MatchDecision::Match, "{first} {last}");
    }
}

#[test]
fn i15_names_of_all_scripts_are_compared_in_both_orders() {
    let mut people = crowd();
    people[2].company = Some(Employer { name: "Qingdao Cable".into(), ..Employer::default() });
    for (first, last) in
        [("Wei", "Wang"), ("Wang", "Wei"), ("伟", "王"), ("王伟", ""), ("", "王 伟")]
    {
        let record =
            CrmPerson { company: Some("Qingdao Cable Co., Ltd".into()), ..named(first, last) };
        assert!(best(&people, &record).0 > 0.4, "{first}|{last}: {:?}", best(&people, &record));
    }
    for (first, last) in
        [("محمد", "علي"), ("김", "민준"), ("สมชาย", "ใจดี"), ("\u{202e}Jane", "Doe")]
    {
        let _ = best(&people, &named(first, last));
    }
}

#[test]
fn i19_legal_forms_do_not_part_companies() {
    let account = |name: &str| {
        Probe::account("a", &CrmAccount { name: Some(name.into()), ..CrmAccount::default() })
    };
    for same in [
        "ACME, Inc.",
        "Acme GmbH & Co. KG",
        "The Acme Company",
        "Acme S.A. de C.V.",
        "Acme Sp. z o.o.",
    ] {
        assert_eq!(account(same), account("Acme"), "{same}");
    }
}

#[test]
fn i23_twenty_thousand_namesakes_make_no_record_slow_and_no_match() {
    let people: Vec<Person> = (0..20_000)
        .map(|number| Person {
            id: format!("p{number}"),
            first_name: "Wei".into(),
            last_name: "Wang".into(),
            company: Some(Employer {
                name: format!("Firm {}", number % 4000),
                ..Employer::default()
            }),
            city: format!("City {}", number % 300),
            country: "China".into(),
            ..Person::default()
        })
        .collect();
    let (probability, compared) = best(&people, &named("Wei", "Wang"));
    assert!(compared <= 200 && probability < 0.2, "{compared} compared, {probability}");
    let record = CrmPerson {
        company: Some("Firm 17".into()),
        city: Some("City 17".into()),
        ..named("Wei", "Wang")
    };
    assert!(best(&people, &record).1 <= 400);
}

#[test]
fn i42_masked_values_are_no_values() {
    let masked = CrmPerson {
        email: Some("****".into()),
        phone: Some("***".into()),
        company: Some("*****".into()),
        city: Some("--".into()),
        ..named("Jane", "Doering")
    };
    same_probe(&masked, &named("Jane", "Doering"));
}

#[test]
fn huge_and_hostile_fields_are_read_in_bounded_time() {
    let huge = "Ä".repeat(5 << 20);
    let record = CrmPerson {
        first_name: Some(huge.clone()),
        last_name: Some(huge.clone()),
        company: Some(huge.clone()),
        email: Some(huge.clone()),
        title: Some(huge),
        ..CrmPerson::default()
    };
    let _ = best(&some_people(), &record);
}

#[test]
fn accounts_are_matched_by_name_domain_and_place_and_not_by_name_alone_abroad() {
    let company = |id: &str, name: &str, domain: &str, city: &str, country: &str| Company {
        id: id.into(),
        name: name.into(),
        domain: domain.into(),
        city: city.into(),
        country: country.into(),
        ..Company::default()
    };
    let mut companies = vec![company(
        "c1",
        "Golden Arrow Resources Corp.",
        "goldenarrow.com",
        "Vancouver",
        "Canada",
    )];
    companies.extend((0..300).map(|number| {
        company(
            &format!("x{number}"),
            &format!("Firm{number} Logistics"),
            &format!("firm{number}.com"),
            "Austin",
            "United States",
        )
    }));
    let mut builder = ShardBuilder::new(EntityKind::Company, 0, 1);
    for form in companies.iter().map(CompanyForm::from) {
        builder.add_company(&form);
    }
    let statistics = Statistics::of(std::slice::from_ref(&builder));
    let bytes = builder.finish(&statistics);
    let (model, shard) = (MatchModel::shipped().unwrap(), Shard::open(&bytes).unwrap());
    let engine = Scorer::new(model, &statistics);
    let best = |account: &CrmAccount| {
        let scored = posterior(
            model,
            EntityKind::Company,
            &engine.candidates(&shard, &Probe::account("a", account), 8),
        );
        scored.first().map_or(0.0, |scored| scored.probability)
    };
    let account = |name: &str, website: &str, city: &str, country: &str| CrmAccount {
        name: Some(name.into()),
        website: Some(website.into()),
        city: Some(city.into()),
        country: Some(country.into()),
        ..CrmAccount::default()
    };
    assert!(best(&account("Golden Arrow", "https://www.goldenarrow.com/about", "", "CA")) > 0.9);
    assert!(best(&account("Golden Arrow Resorces", "", "Vancouver", "Canada")) > 0.9);
    assert!(
        best(&account("Golden Arrow India Pvt Ltd", "goldenarrow.in", "Mumbai", "India")) < 0.5
    );
    assert!(best(&account("Firm Logistics", "", "", "")) < 0.5);
}
