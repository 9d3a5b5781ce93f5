//! The limits of an org's edition.

use super::OrgData;

/// Sandboxes have far more calls than their production orgs.
const SANDBOX_CALLS: u64 = 5_000_000;

impl OrgData {
    /// True if the edition includes the API. Professional Edition sells it as an add-on, which is
    /// the switch `api_enabled`.
    pub(crate) fn has_api(&self) -> bool {
        let without = ["Contact Manager", "Essentials", "Group", "Personal", "Starter"];
        let edition = self.settings.edition.as_str();
        self.settings.api_enabled && !without.iter().any(|own| edition.starts_with(own))
    }

    /// True if account teams are on, in an edition that knows them.
    pub(crate) fn has_account_teams(&self) -> bool {
        let with = ["Developer", "Enterprise", "Performance", "Unlimited"];
        let edition = self.settings.edition.as_str();
        self.settings.account_teams && with.iter().any(|own| edition.starts_with(own))
    }

    /// Calls in 24 hours: as set, or what the edition gives for its users.
    pub(crate) fn daily_calls(&self, is_sandbox: bool) -> u64 {
        if let Some(calls) = self.settings.daily_api_limit {
            return calls;
        }
        let users = self.table("User").map_or(0, |table| {
            table.iter().filter(|(id, _)| self.value(*id, "IsActive").is_true()).count() as u64
        });
        match self.settings.edition.split(' ').next().unwrap_or_default() {
            _ if is_sandbox => SANDBOX_CALLS,
            "Developer" => 15_000,
            "Unlimited" | "Performance" => 100_000 + 5_000 * users,
            _ => 100_000 + 1_000 * users,
        }
    }
}
