//! Probes: the fields of a record that are compared with the directory. Pure.

use matching::{CrmAccount, CrmPerson, Probe};

use crate::kernel::{Fields, Record, SObject};

/// The probe of a record. A contact is matched with its account's name and site. A converted lead
/// has none: its person is a contact now.
pub(crate) fn probe_of(record: &Record, account: Option<&Record>) -> Option<Probe> {
    let fields = &record.fields;
    match record.object {
        SObject::Account => Some(Probe::account(record.id.as_str(), &crm_account(fields))),
        SObject::Lead if fields.is_true("IsConverted") => None,
        SObject::Lead | SObject::Contact => {
            let person = crm_person(record.object, fields, account.map(|a| &a.fields));
            Some(Probe::person(record.id.as_str(), &person))
        }
        _ => None,
    }
}

/// The person whom a lead, or a contact of an account, tells of.
pub(crate) fn crm_person(object: SObject, fields: &Fields, account: Option<&Fields>) -> CrmPerson {
    match object {
        SObject::Contact => crm_contact(fields, account),
        _ => crm_lead(fields),
    }
}

fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name).map(str::to_owned)
}

/// The company that an account tells of.
pub(crate) fn crm_account(fields: &Fields) -> CrmAccount {
    CrmAccount {
        name: text(fields, "Name"),
        website: text(fields, "Website"),
        phone: text(fields, "Phone"),
        street: text(fields, "BillingStreet"),
        city: text(fields, "BillingCity"),
        state: text(fields, "BillingState"),
        postal_code: text(fields, "BillingPostalCode"),
        country: text(fields, "BillingCountry"),
        industry: text(fields, "Industry"),
        employees: fields.get("NumberOfEmployees").and_then(|n| n.trim().parse().ok()),
    }
}

fn crm_lead(fields: &Fields) -> CrmPerson {
    CrmPerson {
        first_name: text(fields, "FirstName"),
        last_name: text(fields, "LastName"),
        title: text(fields, "Title"),
        company: text(fields, "Company"),
        email: text(fields, "Email"),
        phone: text(fields, "Phone"),
        website: text(fields, "Website"),
        street: text(fields, "Street"),
        city: text(fields, "City"),
        state: text(fields, "State"),
        country: text(fields, "Country"),
        ..CrmPerson::default()
    }
}

fn crm_contact(fields: &Fields, account: Option<&Fields>) -> CrmPerson {
    CrmPerson {
        first_name: text(fields, "FirstName"),
        last_name: text(fields, "LastName"),
        title: text(fields, "Title"),
        company: account.and_then(|a| text(a, "Name")),
        email: text(fields, "Email"),
        phone: text(fields, "Phone"),
        website: account.and_then(|a| text(a, "Website")),
        street: text(fields, "MailingStreet"),
        city: text(fields, "MailingCity"),
        state: text(fields, "MailingState"),
        country: text(fields, "MailingCountry"),
        ..CrmPerson::default()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::testing::record_id;

    fn record(object: SObject, prefix: &str, fields: &[(&str, &str)]) -> Record {
        let fields: Fields =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Record::read(object, record_id(prefix, 1), Timestamp::UNIX_EPOCH, fields)
    }

    #[test]
    fn a_converted_lead_and_an_object_that_is_not_matched_have_no_probe() {
        let lead = |converted| {
            record(SObject::Lead, "00Q", &[("LastName", "Lovelace"), ("IsConverted", converted)])
        };
        assert!(probe_of(&lead("false"), None).is_some());
        assert_eq!(probe_of(&lead("true"), None), None);
        assert_eq!(probe_of(&record(SObject::Task, "00T", &[]), None), None);
    }

    #[test]
    fn a_contact_is_matched_with_its_account() {
        let contact = record(SObject::Contact, "003", &[("LastName", "Lovelace")]);
        let account = record(SObject::Account, "001", &[("Name", "Analytical Engines Ltd")]);
        let alone = probe_of(&contact, None).unwrap();
        let employed = probe_of(&contact, Some(&account)).unwrap();
        assert_ne!(alone, employed);
    }

    #[test]
    fn a_number_of_employees_that_is_none_is_left_out() {
        let account = |employees| {
            let fields = [("NumberOfEmployees", employees)];
            crm_account(&record(SObject::Account, "001", &fields).fields).employees
        };
        assert_eq!((account(" 50 "), account("many")), (Some(50.0), None));
    }
}
