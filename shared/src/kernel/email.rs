//! E-mail addresses as they are compared.

/// The form in which e-mail addresses are compared when users are joined to seats.
#[must_use]
pub fn folded_email(email: &str) -> String {
    email.trim().to_lowercase()
}
