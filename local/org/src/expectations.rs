//! The results that a run over the org should find. The demo shows them and the tests check them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::delta::{Champion, Deals, DeltaExpectations, champions};
use crate::scene::Scene;
use crate::tables::Tables;

/// The contents of `expectations.json`.
#[derive(Debug, Serialize)]
pub(crate) struct Expectations {
    /// Rows per object, deleted ones included; there are none in a fresh org.
    rows: BTreeMap<&'static str, usize>,
    /// The user whose grant the import should use, and the one who connects.
    integration_user: String,
    seats: Vec<SeatUser>,
    /// The org's examples of each case that some feature needs.
    shows: BTreeMap<&'static str, usize>,
    /// With every record matched as the truth says, and saving for open opportunities of every
    /// stage.
    saved_if_all_matched: Vec<Saved>,
    /// Past customers at new companies, by the truth, in the first directory version.
    champions: Vec<Champion>,
    /// Leads that are a contact by now: a matcher may leave them to that contact.
    converted_leads: Vec<String>,
    /// In the second directory version.
    #[serde(flatten)]
    delta: DeltaExpectations,
}

/// A seat and the CRM user that its e-mail names, whatever the case; none for a stranger.
#[derive(Debug, Serialize)]
struct SeatUser {
    email: String,
    crm_user_id: Option<String>,
}

/// The accounts and leads that one seat should have saved.
#[derive(Debug, Serialize)]
struct Saved {
    seat_email: String,
    owner_id: String,
    companies: usize,
    people: usize,
}

impl Expectations {
    pub(crate) fn of(scene: &Scene, tables: &Tables, delta: DeltaExpectations) -> Self {
        let deals = Deals::of(&tables.opportunities, &tables.contact_roles);
        let converted = tables.leads.iter().filter(|lead| lead.is_converted);
        let champions = champions(scene, &deals);
        Self {
            rows: tables.counts(),
            integration_user: scene.staff.integration().to_owned(),
            seats: seats(scene),
            shows: shows(scene, tables, champions.len()),
            saved_if_all_matched: saved(scene, tables),
            champions,
            converted_leads: converted.map(|lead| lead.id.clone()).collect(),
            delta,
        }
    }
}

fn seats(scene: &Scene) -> Vec<SeatUser> {
    let user_id = |email: &str| {
        let user = scene.staff.users.iter().find(|user| user.email.eq_ignore_ascii_case(email));
        user.map(|user| user.id.clone())
    };
    scene
        .staff
        .seats
        .iter()
        .map(|seat| SeatUser { email: seat.email.clone(), crm_user_id: user_id(&seat.email) })
        .collect()
}

fn shows(scene: &Scene, tables: &Tables, champions: usize) -> BTreeMap<&'static str, usize> {
    let staff = &scene.staff;
    let inactive = staff.inactive();
    let has_left = |owner: &str| inactive.contains(&owner);
    let cast: BTreeSet<&str> =
        tables.contact_roles.iter().map(|role| role.opportunity_id.as_str()).collect();
    let deals = &tables.opportunities;
    let count = |wanted: &dyn Fn(&crate::rows::Opportunity) -> bool| {
        deals.iter().filter(|deal| wanted(deal)).count()
    };
    let stale = |id: &str| scene.truth.case(id) == "match_stale_employer";
    BTreeMap::from([
        ("opportunities_open", count(&|deal| !deal.is_closed)),
        ("opportunities_won", count(&|deal| deal.is_won)),
        ("opportunities_lost", count(&|deal| deal.is_closed && !deal.is_won)),
        ("opportunities_of_inactive_owners", count(&|deal| has_left(&deal.owner_id))),
        ("opportunities_of_the_unseated_owner", count(&|deal| deal.owner_id == staff.unseated())),
        ("opportunities_without_contact_roles", count(&|deal| !cast.contains(deal.id.as_str()))),
        (
            "accounts_of_inactive_owners",
            tables.accounts.iter().filter(|row| has_left(&row.owner_id)).count(),
        ),
        (
            "leads_in_the_queue",
            tables.leads.iter().filter(|row| row.owner_id == staff.queue.id).count(),
        ),
        ("leads_converted", tables.leads.iter().filter(|row| row.is_converted).count()),
        (
            "contacts_who_changed_employer",
            tables.contacts.iter().filter(|row| stale(&row.id)).count(),
        ),
        ("events_private", tables.events.iter().filter(|row| row.is_private).count()),
        (
            "tasks_logged_before",
            tables.tasks.iter().filter(|row| row.subject.contains("Sales Navigator")).count(),
        ),
        ("users_inactive", tables.users.iter().filter(|row| !row.is_active).count()),
        ("champions", champions),
    ])
}

fn saved(scene: &Scene, tables: &Tables) -> Vec<Saved> {
    scene
        .staff
        .sellers()
        .into_iter()
        .map(|owner_id| {
            let open = tables
                .opportunities
                .iter()
                .filter(|deal| deal.owner_id == owner_id && !deal.is_closed);
            let deals: BTreeSet<&str> = open.clone().map(|deal| deal.id.as_str()).collect();
            let companies: BTreeSet<&str> =
                open.filter_map(|deal| scene.truth.entity_id(&deal.account_id)).collect();
            let people: BTreeSet<&str> = tables
                .contact_roles
                .iter()
                .filter(|role| deals.contains(role.opportunity_id.as_str()))
                .filter_map(|role| scene.truth.entity_id(&role.contact_id))
                .collect();
            Saved {
                seat_email: scene.staff.seat_email(owner_id).to_owned(),
                owner_id: owner_id.to_owned(),
                companies: companies.len(),
                people: people.len(),
            }
        })
        .collect()
}
