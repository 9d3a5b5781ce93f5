//! What must be asked of Salesforce as a seller, while they wait: forms, accounts, a record as it
//! is now, how a person is reached, what the seller may do. The answer is what this seller may see,
//! and holds for this moment.

mod ask;
mod contact_data;
mod form;
pub mod keys;
mod preflight;
mod readings;
mod record;
mod test_note;

pub use ask::{AccountHit, AskError, Asking};
pub use contact_data::{Consent, ContactData, ContactPoint};
pub use form::{Choice, Form, FormField};
pub use preflight::{Lack, Need, Preflight, Right, SellerAction};
pub use record::{CurrentField, CurrentRecord, MOST_RECORDS};
pub use test_note::{NoteReadBack, TestNote};
