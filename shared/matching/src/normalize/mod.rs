//! Normalisation of names, companies, mail addresses, phones, web sites, places and titles.
//!
//! Invariant: every normal form is a function of the field's text alone, and normalising a normal
//! form gives it back.

mod company;
mod contact_point;
mod filler;
mod generation;
mod name;
mod phone;
mod place;
mod street;
mod title;

pub use company::CompanyName;
pub(crate) use company::{acronym, slug_key};
pub use contact_point::{Domain, Mailbox, mail_addresses, web_domain};
pub use filler::is_filler;
pub use generation::Generation;
pub use name::{NameKind, PersonName};
pub use phone::{Phone, phone_key, phone_parts, phones};
pub use place::Place;
pub use street::Street;
pub use title::Title;
