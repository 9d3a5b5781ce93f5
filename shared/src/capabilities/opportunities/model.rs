//! An opportunity as a panel shows it, and which ones it shows. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::kernel::{Fields, Record};
use crate::salesforce::SalesforceId;

/// Whether an opportunity is decided, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpportunityStatus {
    /// It is not decided.
    Open,
    /// It is closed and won.
    Won,
    /// It is closed and not won.
    Lost,
}

/// An opportunity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opportunity {
    /// Its record.
    pub id: SalesforceId,
    /// Its name.
    pub name: Option<String>,
    /// The CRM user who owns it.
    pub owner: Option<SalesforceId>,
    /// The day on which it closed, or is meant to; none for what is no day.
    pub close_date: Option<Date>,
    /// The API name of its stage.
    pub stage: Option<String>,
    /// Whether it is decided.
    pub status: OpportunityStatus,
    /// Its amount as it stands in the org; none for what is no number.
    pub amount: Option<Decimal>,
    /// The ISO code of the amount's currency; none in an org with one currency.
    pub currency: Option<String>,
}

impl Opportunity {
    /// The opportunity of a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let fields = &record.fields;
        let text = |name: &str| fields.get(name).map(str::to_owned);
        Self {
            id: record.id,
            name: text("Name"),
            owner: fields.reference("OwnerId"),
            close_date: fields.get("CloseDate").and_then(|date| date.parse().ok()),
            stage: text("StageName"),
            status: status(fields),
            amount: fields.get("Amount").and_then(|amount| amount.parse().ok()),
            currency: text("CurrencyIsoCode"),
        }
    }

    /// True if it is open, or closed within the year before `today`. What closed on no day, or on
    /// one that is still to come, did so lately.
    #[must_use]
    pub fn is_recent(&self, today: Date) -> bool {
        let year_ago = today.saturating_sub(1.year());
        self.status == OpportunityStatus::Open
            || self.close_date.is_none_or(|closed| closed >= year_ago)
    }
}

fn status(fields: &Fields) -> OpportunityStatus {
    match (fields.is_true("IsClosed"), fields.is_true("IsWon")) {
        (false, _) => OpportunityStatus::Open,
        (true, true) => OpportunityStatus::Won,
        (true, false) => OpportunityStatus::Lost,
    }
}

/// Puts opportunities in the order in which they are shown: the open ones by their closing dates,
/// then the closed ones, the latest first.
pub fn sort(opportunities: &mut [Opportunity]) {
    opportunities.sort_by(|a, b| {
        let is_closed = |o: &Opportunity| o.status != OpportunityStatus::Open;
        let by_date = if is_closed(a) {
            b.close_date.cmp(&a.close_date)
        } else {
            // What closes on no day comes last.
            let place = |o: &Opportunity| (o.close_date.is_none(), o.close_date);
            place(a).cmp(&place(b))
        };
        is_closed(a).cmp(&is_closed(b)).then(by_date).then(a.id.cmp(&b.id))
    });
}

/// What is known of a seat's access.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The CRM user that the seat is; none when there is none, and nothing is shown.
    pub user: Option<SalesforceId>,
    /// Opportunity data is hidden from who does not own it.
    pub restricted: bool,
    /// The user is in the account's team, with a look at its opportunities.
    pub in_team: bool,
    /// Owners whose roles are below the user's.
    pub below: BTreeSet<SalesforceId>,
}

impl Access {
    /// True if the seat may see what this user owns at the account.
    #[must_use]
    pub fn sees(&self, owner: Option<SalesforceId>) -> bool {
        let Some(user) = self.user else { return false };
        if owner == Some(user) {
            return true;
        }
        !self.restricted && (self.in_team || owner.is_some_and(|owner| self.below.contains(&owner)))
    }
}

/// True if the role of a team member lets them see the account's opportunities.
#[must_use]
pub fn lets_see(member: &Fields) -> bool {
    matches!(member.get("OpportunityAccessLevel"), Some("Read" | "Edit" | "All"))
}

/// True if `role` is above `other`, by each role's parent. A circle leads nowhere.
#[must_use]
pub fn is_above(
    role: SalesforceId,
    other: SalesforceId,
    parents: &BTreeMap<SalesforceId, SalesforceId>,
) -> bool {
    let mut met = BTreeSet::from([other]);
    let mut at = other;
    while let Some(&parent) = parents.get(&at) {
        if parent == role {
            return true;
        }
        if !met.insert(parent) {
            return false;
        }
        at = parent;
    }
    false
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::kernel::SObject;
    use crate::testing::record_id;

    fn of(values: &Value) -> Opportunity {
        let fields: Fields = serde_json::from_value(values.clone()).unwrap();
        let (object, id) = (SObject::Opportunity, record_id("006", 1));
        Opportunity::of(&Record::read(object, id, Timestamp::UNIX_EPOCH, fields))
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_open_or_closed_within_a_year_is_recent() {
        let today = day("2026-11-29");
        let closed = |date: &str| of(&json!({ "IsClosed": "true", "CloseDate": date }));
        for (date, recent) in [
            ("2026-11-28", true),
            ("2025-11-29", true),
            ("2025-11-28", false),
            ("1700-01-01", false),
            ("2027-02-01", true),
            ("soon", true),
        ] {
            assert_eq!(closed(date).is_recent(today), recent, "{date}");
        }
        let open = of(&json!({ "IsClosed": "false", "CloseDate": "2019-01-01" }));
        assert!(open.is_recent(today), "overdue, and not decided");
        assert!(closed("2024-02-29").is_recent(day("2025-02-28")), "a day that a year lacks");
    }

    #[test]
    fn i28_i29_an_amount_and_a_day_are_as_in_the_org_or_none() {
        for (amount, shown) in [
            ("1234567.89", Some("1234567.89")),
            ("-0.10", Some("-0.10")),
            ("0", Some("0")),
            ("79228162514264337593543950335", Some("79228162514264337593543950335")),
            ("999999999999999999999999999999999", None),
            ("1,000", None),
            ("NaN", None),
            ("€5", None),
        ] {
            let found = of(&json!({ "Amount": amount })).amount.map(|amount| amount.to_string());
            assert_eq!(found.as_deref(), shown, "{amount}");
        }
        for (date, is_day) in [("9999-12-31", true), ("2026-02-30", false), ("0000-00-00", false)] {
            assert_eq!(of(&json!({ "CloseDate": date })).close_date.is_some(), is_day, "{date}");
        }
        let none = of(&json!({}));
        assert_eq!((none.amount, none.currency, none.close_date), (None, None, None));
    }

    #[test]
    fn a_closed_opportunity_is_won_or_lost() {
        let of = |closed: &str, won: &str| of(&json!({ "IsClosed": closed, "IsWon": won })).status;
        assert_eq!(of("false", "false"), OpportunityStatus::Open);
        assert_eq!(of("true", "true"), OpportunityStatus::Won);
        assert_eq!(of("true", "false"), OpportunityStatus::Lost);
    }

    #[test]
    fn open_ones_come_first_by_their_dates_then_closed_ones_backwards() {
        let one = |n: u64, closed: &str, date: &str| Opportunity {
            id: record_id("006", n),
            ..of(&json!({ "IsClosed": closed, "CloseDate": date }))
        };
        let mut all = vec![
            one(1, "true", "2026-01-01"),
            one(2, "false", "never"),
            one(3, "false", "2026-12-01"),
            one(4, "true", "2026-05-01"),
            one(5, "false", "2026-11-01"),
        ];
        sort(&mut all);
        let order: Vec<_> = all.iter().map(|o| o.id).collect();
        assert_eq!(order, [5, 3, 2, 4, 1].map(|n| record_id("006", n)));
    }

    #[test]
    fn a_seat_sees_its_own_what_is_below_it_and_its_teams_unless_data_is_restricted() {
        let (own, below, other) = (record_id("005", 1), record_id("005", 2), record_id("005", 3));
        let access = |in_team, restricted| Access {
            user: Some(own),
            restricted,
            in_team,
            below: BTreeSet::from([below]),
        };
        let sees = |access: Access| [own, below, other].map(|owner| access.sees(Some(owner)));
        assert_eq!(sees(access(false, false)), [true, true, false]);
        assert_eq!(sees(access(true, false)), [true, true, true]);
        assert_eq!(sees(access(true, true)), [true, false, false]);
        assert_eq!(sees(Access { user: None, ..access(true, false) }), [false; 3]);
        assert!(!access(false, false).sees(None) && access(true, false).sees(None));
    }

    #[test]
    fn a_role_is_above_those_that_lead_to_it_and_not_above_itself() {
        let role = |n| record_id("00E", n);
        let parents = BTreeMap::from([(role(3), role(2)), (role(2), role(1)), (role(4), role(1))]);
        assert!(is_above(role(1), role(3), &parents) && is_above(role(2), role(3), &parents));
        for (a, b) in [(3, 3), (3, 1), (4, 3), (2, 4)] {
            assert!(!is_above(role(a), role(b), &parents), "{a} {b}");
        }
        let circle = BTreeMap::from([(role(1), role(2)), (role(2), role(1))]);
        assert!(!is_above(role(9), role(1), &circle));
    }
}
