//! E-mail addresses and federation ids as they are compared.

use crate::kernel::Environment;

/// The form in which e-mail addresses are compared when users are joined to seats.
#[must_use]
pub fn folded_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The form in which a federation id is compared, among addresses: none of them looks so.
#[must_use]
pub fn federation_address(id: &str) -> String {
    let digest = blake3::hash(id.trim().to_lowercase().as_bytes()).to_hex();
    format!("federation:{}", &digest[..32])
}

/// The same for the address of a CRM user. Salesforce makes those of a sandbox's users
/// undeliverable: it appends `.invalid`, or, in older sandboxes, writes
/// `jane=acme.example@example.com`.
#[must_use]
pub fn folded_user_email(environment: Environment, email: &str) -> String {
    let folded = folded_email(email);
    if environment == Environment::Production {
        return folded;
    }
    let folded = folded.strip_suffix(".invalid").unwrap_or(&folded);
    let older = folded.strip_suffix("@example.com").and_then(|old| old.rsplit_once('='));
    match older {
        Some((name, domain)) => format!("{name}@{domain}"),
        None => folded.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_s_users_have_the_addresses_that_they_had_in_production() {
        for (environment, email, folded) in [
            (Environment::Sandbox, " Jane@Acme.example.INVALID", "jane@acme.example"),
            (Environment::Sandbox, "jane=acme.example@example.com", "jane@acme.example"),
            (Environment::Sandbox, "jane@example.com", "jane@example.com"),
            (Environment::Sandbox, "jane@acme.example", "jane@acme.example"),
            (Environment::Production, "jane@acme.example.invalid", "jane@acme.example.invalid"),
            (
                Environment::Production,
                "jane=acme.example@example.com",
                "jane=acme.example@example.com",
            ),
        ] {
            assert_eq!(folded_user_email(environment, email), folded);
        }
    }
}
