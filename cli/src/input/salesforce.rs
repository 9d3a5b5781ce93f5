//! Which column of a Salesforce export holds what.
//!
//! Exports of the API carry field names (`FirstName`), those of reports carry labels (`First
//! Name`); both are read, in any order and any case, and other columns are left alone.

use super::{Header, InputError};
use csv::StringRecord;

/// One object's columns: for each value wanted, where it stands.
#[derive(Debug, Clone)]
pub struct Columns<const N: usize> {
    positions: [Option<usize>; N],
    deleted: Option<usize>,
    /// How many columns it takes to reach the last one that is never empty.
    pub needed: usize,
    /// Which of the values is one e-mail address.
    address: Option<usize>,
}

/// Spreadsheets and the data loader write null like this.
const NULL: &str = "#N/A";

/// RFC 5321 allows 64 characters before the `@` and 255 behind it.
const LONGEST_ADDRESS: usize = 320;

/// The names under which one value may stand, the first one preferred.
type Names = &'static [&'static str];

/// A Lead's values: see [`LEAD`].
pub const LEAD: [Names; 15] = [
    &["Id", "Lead ID", "LeadId"],
    &["FirstName", "First Name"],
    &["LastName", "Last Name"],
    &["Name", "Full Name"],
    &["Company", "Company / Account", "Company Name"],
    &["Title", "Job Title"],
    &["Email", "Email Address"],
    &["Phone", "Phone Number"],
    &["MobilePhone", "Mobile", "Mobile Phone"],
    &["Website", "Web Site"],
    &["Street", "Address"],
    &["City"],
    &["State", "State/Province", "StateCode"],
    &["PostalCode", "Zip/Postal Code", "Postal Code"],
    &["Country", "CountryCode"],
];

/// A Contact's values, in the order of [`LEAD`], then its account's id.
pub const CONTACT: [Names; 16] = [
    &["Id", "Contact ID", "ContactId"],
    &["FirstName", "First Name"],
    &["LastName", "Last Name"],
    &["Name", "Full Name"],
    &["Account.Name", "Account Name", "Company"],
    &["Title", "Job Title"],
    &["Email", "Email Address"],
    &["Phone", "Business Phone", "Phone Number"],
    &["MobilePhone", "Mobile", "Mobile Phone"],
    &["Account.Website", "Website"],
    &["MailingStreet", "Mailing Street"],
    &["MailingCity", "Mailing City", "City"],
    &["MailingState", "Mailing State/Province", "MailingStateCode", "State"],
    &["MailingPostalCode", "Mailing Zip/Postal Code", "PostalCode"],
    &["MailingCountry", "Mailing Country", "MailingCountryCode", "Country"],
    &["AccountId", "Account ID", "Account.Id"],
];

/// An Account's values.
pub const ACCOUNT: [Names; 11] = [
    &["Id", "Account ID", "AccountId"],
    &["Name", "Account Name"],
    &["Website", "Web Site"],
    &["Phone", "Phone Number"],
    &["BillingStreet", "Billing Street", "Street"],
    &["BillingCity", "Billing City", "City"],
    &["BillingState", "Billing State/Province", "BillingStateCode", "State"],
    &["BillingPostalCode", "Billing Zip/Postal Code", "PostalCode"],
    &["BillingCountry", "Billing Country", "BillingCountryCode", "Country"],
    &["Industry"],
    &["NumberOfEmployees", "Employees"],
];

/// A person of a directory in CSV. Several mails or phones stand in one field, apart by `;`.
pub const PERSON: [Names; 16] = [
    &["id", "profile_id", "person_id"],
    &["first_name", "firstname", "given_name"],
    &["last_name", "lastname", "family_name"],
    &["name", "full_name"],
    &["title", "job_title"],
    &["headline"],
    &["company", "company_name", "employer", "organization"],
    &["company_id"],
    &["emails", "email"],
    &["phones", "phone"],
    &["city"],
    &["state"],
    &["country"],
    &["profile_url"],
    &["photo_url"],
    &["start_date"],
];

/// A company of a directory in CSV.
pub const COMPANY: [Names; 13] = [
    &["id", "company_id"],
    &["name", "company_name"],
    &["domain"],
    &["website", "url"],
    &["phone"],
    &["street", "address"],
    &["city"],
    &["state"],
    &["postal_code", "postalcode", "zip"],
    &["country"],
    &["industry"],
    &["employees"],
    &["profile_url"],
];

impl<const N: usize> Columns<N> {
    /// Finds the columns of `names` in a header. The first value is the id and must be there, and
    /// so must at least one of the values of `any_of`, or the file is another one than it should
    /// be. The first of those that the header has is never empty, nor are the values of `filled`.
    pub fn find(
        header: &Header,
        path: &str,
        names: &[Names; N],
        any_of: &[usize],
        filled: &[usize],
    ) -> Result<Self, InputError> {
        let positions = names.map(|names| names.iter().find_map(|name| header.position(name)));
        let missing = |values: &[usize]| InputError::MissingColumn {
            path: path.to_owned(),
            missing: values
                .iter()
                .map(|&value| format!("{:?}", names[value][0]))
                .collect::<Vec<_>>()
                .join(" or "),
            found: header.found(),
        };
        if positions[0].is_none() {
            return Err(missing(&[0]));
        }
        let Some(name) = any_of.iter().find_map(|&value| positions[value]) else {
            return Err(missing(any_of));
        };
        let filled = filled.iter().filter_map(|&value| positions[value]);
        let needed = filled.chain(positions[0]).fold(name, usize::max) + 1;
        let address = names.iter().position(|names| names[0] == "Email");
        Ok(Self { positions, deleted: header.position("IsDeleted"), needed, address })
    }

    /// A record's values in order; empty where the file has no such column.
    #[must_use]
    pub fn values<'a>(&self, record: &'a StringRecord) -> [&'a str; N] {
        let value = |at: usize| record.get(at).map(str::trim).filter(|value| *value != NULL);
        self.positions.map(|at| at.and_then(value).unwrap_or_default())
    }

    /// Empties the e-mail address among a record's values if nobody can have it. True if so.
    #[must_use]
    pub fn refuses_address(&self, values: &mut [&str; N]) -> bool {
        let Some(address) = self.address.map(|at| &mut values[at]) else { return false };
        let is_refused = address.contains('\0') || address.chars().nth(LONGEST_ADDRESS).is_some();
        if is_refused {
            *address = "";
        }
        is_refused
    }

    /// The record is in the recycle bin.
    #[must_use]
    pub fn is_deleted(&self, record: &StringRecord) -> bool {
        let value = self.deleted.and_then(|at| record.get(at)).unwrap_or_default().trim();
        value.eq_ignore_ascii_case("true") || value == "1"
    }
}
