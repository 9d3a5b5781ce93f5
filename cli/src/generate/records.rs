//! The CRM's leads, contacts and accounts, and what each truly is.

use super::noise;
use super::random::Random;
use super::world::{Company, Kind, Person, World, phone, street, title_text, work_mail};
use crate::salesforce_id;

/// One row of a CRM file, with its row of the truth file.
#[derive(Debug, Clone)]
pub(super) struct CrmRow {
    pub(super) fields: Vec<String>,
    pub(super) id: String,
    /// The directory id, or empty.
    pub(super) truth: String,
    pub(super) case: &'static str,
}

pub(super) const LEAD_COLUMNS: [&str; 12] = [
    "Id",
    "FirstName",
    "LastName",
    "Company",
    "Title",
    "Email",
    "Phone",
    "Street",
    "City",
    "State",
    "Country",
    "Website",
];
pub(super) const CONTACT_COLUMNS: [&str; 11] = [
    "Id",
    "AccountId",
    "FirstName",
    "LastName",
    "Title",
    "Email",
    "Phone",
    "MailingStreet",
    "MailingCity",
    "MailingState",
    "MailingCountry",
];
pub(super) const ACCOUNT_COLUMNS: [&str; 11] = [
    "Id",
    "Name",
    "Website",
    "Phone",
    "BillingStreet",
    "BillingCity",
    "BillingState",
    "BillingPostalCode",
    "BillingCountry",
    "Industry",
    "NumberOfEmployees",
];

pub(super) fn person_id(number: u64) -> String {
    format!("pe_{number:09}")
}

pub(super) fn company_id(number: u64) -> String {
    format!("fi_{number:08}")
}

/// Whom a lead or contact means.
struct Meant {
    person: Person,
    /// Its number when the directory lists it.
    listed: Option<u64>,
    employer: u64,
    title: (usize, usize),
    case: &'static str,
}

impl World {
    /// The directory person that record `number` would mean: every record another one.
    fn target(&self, kind: Kind, number: u64) -> u64 {
        // Prime, so that its multiples meet every person before they meet one twice.
        const STRIDE: u64 = 2_147_483_647;
        let offset = if matches!(kind, Kind::Lead) { 0 } else { self.people / 3 };
        let at = (u128::from(number) * u128::from(STRIDE) + u128::from(offset))
            % u128::from(self.people.max(1));
        u64::try_from(at).unwrap_or(0)
    }

    fn meant(&self, kind: Kind, number: u64, random: &mut Random) -> Meant {
        let drawn = random.below(100);
        let target = self.target(kind, number);
        let listed = |target: u64, case| {
            let person = self.person(target);
            let (employer, title) = (person.employer, person.title);
            Meant { person, listed: Some(target), employer, title, case }
        };
        match drawn {
            _ if self.people == 0 => self.unlisted(number, drawn, random),
            0..37 => listed(target, "match"),
            37..51 => {
                let mut meant = listed(target, "match_stale_employer");
                if let Some((title, employer)) = meant.person.past.first().copied() {
                    (meant.title, meant.employer) = (title, employer);
                } else {
                    meant.case = "match";
                }
                meant
            }
            51..55 => {
                let mut meant = listed(target, "match_unlisted_employer");
                meant.employer = self.companies + random.below(self.companies.max(1));
                meant
            }
            55..58 => listed(self.target(kind, number.saturating_sub(1)), "crm_duplicate"),
            _ => self.unlisted(number, drawn, random),
        }
    }

    /// Someone who is not in the directory, and may look like someone who is.
    fn unlisted(&self, number: u64, drawn: u64, random: &mut Random) -> Meant {
        let mut person = self.person(self.people + number);
        let like = self.person(random.below(self.people.max(1)));
        let case = match drawn {
            0..80 => "nomatch_random",
            80..87 => {
                (person.given, person.surname) = (like.given, like.surname);
                "nomatch_homonym"
            }
            87..93 => {
                (person.surname, person.employer) = (like.surname, like.employer);
                "nomatch_relative"
            }
            93..97 => {
                (person.given, person.employer) = (like.given, like.employer);
                "nomatch_colleague"
            }
            drawn => {
                let names: &[(&str, &str)] = if drawn == 97 {
                    &[("Sales", "Team"), ("Accounts", "Payable"), ("", "Reception")]
                } else {
                    &[("Test", "Test"), ("asdf", "asdf"), ("", ".")]
                };
                let (given, surname) = names[random.index(names.len())];
                (person.given, person.surname) = (given.to_owned(), surname.to_owned());
                if drawn == 97 { "nomatch_role" } else { "nomatch_junk" }
            }
        };
        let (employer, title) = (person.employer, person.title);
        Meant { person, listed: None, employer, title, case }
    }

    /// The fields that leads and contacts share: names, title, mail, phone.
    fn person_fields(meant: &Meant, employer: &Company, random: &mut Random) -> [String; 5] {
        let person = &meant.person;
        let (given, surname) = noise::name(person, random);
        let title = if random.percent(72) {
            title_text(meant.title, random.percent(50))
        } else {
            String::new()
        };
        let mut mail = match random.below(100) {
            0..45 => work_mail(&person.given, &person.surname, employer),
            45..60 => person.own_mail.clone(),
            _ => String::new(),
        };
        if random.percent(3) {
            mail = mail.to_uppercase();
        }
        let number = match random.below(100) {
            0..22 => person.mobile.clone(),
            22..34 => employer.phone.clone(),
            34..42 => phone(person.place.culture, random),
            _ => String::new(),
        };
        let number = if number.is_empty() { number } else { noise::phone(&number, random) };
        [given, surname, title, mail, number]
    }

    pub(super) fn lead(&self, number: u64) -> CrmRow {
        let random = &mut self.random(Kind::Lead, number);
        let meant = self.meant(Kind::Lead, number, random);
        let employer = self.company(meant.employer);
        let [given, surname, title, mail, phone] = Self::person_fields(&meant, &employer, random);
        let company = if random.percent(95) {
            noise::company(&employer, random)
        } else {
            random.pick(&["", "Unknown", "[not provided]", "Self-employed"]).to_owned()
        };
        let [city, state, country] = noise::place(&meant.person.place, random);
        let site =
            if random.percent(12) { format!("www.{}", employer.domain) } else { String::new() };
        let id = salesforce_id::make("00Q", number);
        let fields = vec![
            id.clone(),
            given,
            surname,
            company,
            title,
            mail,
            phone,
            String::new(),
            city,
            state,
            country,
            site,
        ];
        CrmRow {
            fields,
            id,
            truth: meant.listed.map(person_id).unwrap_or_default(),
            case: meant.case,
        }
    }

    pub(super) fn contact(&self, number: u64) -> CrmRow {
        let random = &mut self.random(Kind::Contact, number);
        let meant = self.meant(Kind::Contact, number, random);
        let employer = self.company(meant.employer);
        let [given, surname, title, mail, phone] = Self::person_fields(&meant, &employer, random);
        let account = self.account_id(meant.employer).unwrap_or_default();
        let [city, state, country] = noise::place(&meant.person.place, random);
        let id = salesforce_id::make("003", number);
        let fields = vec![
            id.clone(),
            account,
            given,
            surname,
            title,
            mail,
            phone,
            String::new(),
            city,
            state,
            country,
        ];
        CrmRow {
            fields,
            id,
            truth: meant.listed.map(person_id).unwrap_or_default(),
            case: meant.case,
        }
    }

    /// The account of a firm, when the CRM has one: of most listed firms and of some others.
    fn account_id(&self, company: u64) -> Option<String> {
        let share = if company < self.companies { 70 } else { 45 };
        self.random(Kind::Account, company)
            .percent(share)
            .then(|| salesforce_id::make("001", company))
    }

    /// The account of firm `number`, if the CRM has one.
    pub(super) fn account(&self, number: u64) -> Option<CrmRow> {
        let id = self.account_id(number)?;
        let company = self.company(number);
        let random = &mut self.random(Kind::Account, number);
        random.next();
        let site = match random.below(100) {
            0..25 => format!("https://www.{}", company.domain),
            25..45 => company.domain.clone(),
            45..50 => format!("http://{}/en/about", company.domain.to_uppercase()),
            _ => String::new(),
        };
        let number_dialled = match random.below(100) {
            0..28 => noise::phone(&company.phone, random),
            28..50 => noise::phone(&phone(company.place.culture, random), random),
            _ => String::new(),
        };
        let address = if random.percent(45) {
            company.street.replace("Street", "St")
        } else {
            street(random)
        };
        let place = if random.percent(91) { company.place.clone() } else { self.any_place(random) };
        let [city, state, country] = noise::place(&place, random);
        let postal_code =
            if random.percent(50) { company.postal_code.clone() } else { String::new() };
        let industry = if random.percent(55) { company.industry } else { "" };
        let employees = if random.percent(50) {
            (company.employees * (80 + random.below(50)) / 100).to_string()
        } else {
            String::new()
        };
        let listed = number < self.companies;
        let fields = vec![
            id.clone(),
            noise::company(&company, random),
            site,
            number_dialled,
            address,
            city,
            state,
            postal_code,
            country,
            industry.to_owned(),
            employees,
        ];
        Some(CrmRow {
            fields,
            id,
            truth: if listed { company_id(number) } else { String::new() },
            case: if listed { "match" } else { "nomatch_other" },
        })
    }
}
