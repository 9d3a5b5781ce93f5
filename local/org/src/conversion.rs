//! Lead conversion: leads whose person is already a contact become that contact's.

use std::collections::BTreeMap;

use crate::random::Random;
use crate::rows::{Contact, Lead, Opportunity};
use crate::scene::Scene;
use crate::time::Audit;

/// Converts some leads, each into the contact that the same person is, that contact's account, and
/// for two in three an opportunity of that account where there is one.
pub(crate) fn convert(
    scene: &Scene,
    leads: &mut [Lead],
    contacts: &[Contact],
    opportunities: &[Opportunity],
) {
    let mut random = Random::new(scene.seed, "conversion");
    // Most leads stay open, in the smallest org too: activities need them.
    let most = scene.size.converted_leads.min(leads.len() / 3);
    let contact_of: BTreeMap<&str, &Contact> = contacts
        .iter()
        .rev()
        .filter(|contact| !contact.account_id.is_empty() && !scene.is_reserved(&contact.account_id))
        .filter_map(|contact| Some((scene.truth.entity_id(&contact.id)?, contact)))
        .collect();
    let deals: BTreeMap<&str, &Opportunity> =
        opportunities.iter().rev().map(|deal| (deal.account_id.as_str(), deal)).collect();
    let mut candidates: Vec<(&mut Lead, &Contact)> = leads
        .iter_mut()
        .filter(|lead| lead.owner_id != scene.staff.queue.id)
        .filter_map(|lead| {
            let contact = contact_of.get(scene.truth.entity_id(&lead.id)?).copied()?;
            Some((lead, contact))
        })
        .collect();
    random.shuffle(&mut candidates);
    candidates.truncate(most);
    for (index, (lead, contact)) in candidates.into_iter().enumerate() {
        let deal = deals.get(contact.account_id.as_str()).filter(|_| index % 3 != 2);
        convert_one(scene, lead, contact, deal.copied(), &mut random);
    }
}

fn convert_one(
    scene: &Scene,
    lead: &mut Lead,
    contact: &Contact,
    deal: Option<&Opportunity>,
    random: &mut Random,
) {
    let audit = scene.calendar.audit(lead.created_date, random);
    let converted = audit.modified;
    "Closed - Converted".clone_into(&mut lead.status);
    lead.is_converted = true;
    lead.is_unread_by_owner = false;
    lead.converted_date = Some(converted.date());
    lead.converted_account_id.clone_from(&contact.account_id);
    lead.converted_contact_id.clone_from(&contact.id);
    lead.converted_opportunity_id = deal.map_or_else(String::new, |deal| deal.id.clone());
    lead.touch(&Audit { stamp: converted, ..audit });
}
