//! Normalisation of names, companies, mail addresses, phones, web sites, places and titles.
//!
//! Invariant: every normal form is a function of the field's text alone, and normalising a normal
//! form gives it back.

mod company;
mod contact_point;
mod filler;
mod name;
mod place;
mod title;

pub use company::CompanyName;
pub(crate) use company::{acronym, slug_key};
pub use contact_point::{Domain, Mailbox, mail_addresses, phone_key, phone_parts, web_domain};
pub use filler::is_filler;
pub use name::{NameKind, PersonName};
pub use place::Place;
pub use title::Title;
