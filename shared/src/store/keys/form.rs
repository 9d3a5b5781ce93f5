//! How the documents of keys lie in the table: in the clear, or sealed.

use super::Kind;
use crate::ports::Key;

/// How an item's document lies in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Form {
    /// As it is.
    Plain,
    /// Sealed.
    Sealed,
    /// Sealed, and the key's last part is a name.
    SealedAndNamed,
}

/// What the keys of a seller's doings begin with whose documents lie sealed: they say who somebody
/// is, or what was written or answered of them.
const SEALED: [&str; 6] = ["ACT#", "ANSWER#", "AWAITED#", "BULK#", "CHANGE#", "CONVERSATION#"];

/// The form of the item at a key.
pub(in crate::store) fn form(key: &Key) -> Form {
    let sk = key.sk();
    match Kind::of_partition(key.pk()) {
        Some(Kind::Candidates | Kind::Correction) => Form::Sealed,
        Some(Kind::Entity | Kind::Saved) => Form::SealedAndNamed,
        Some(Kind::Activity) if SEALED.iter().any(|of| sk.starts_with(of)) => Form::Sealed,
        Some(Kind::List) if sk.starts_with("LIST#") => Form::Sealed,
        Some(Kind::List) if sk.starts_with("ENTRY#") => Form::SealedAndNamed,
        Some(Kind::Grant) if sk.starts_with("CRMUSER#") => Form::Sealed,
        Some(Kind::Grant) if sk.starts_with("CRMSEAT#") => Form::SealedAndNamed,
        _ => Form::Plain,
    }
}
