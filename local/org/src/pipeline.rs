//! The pipeline: stages, opportunities, the contacts' roles in them, and account teams.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{IdMint, prefix};
use crate::random::Random;
use crate::records::LEAD_SOURCES;
use crate::rows::{
    Account, AccountTeamMember, Contact, Opportunity, OpportunityContactRole, OpportunityStage,
};
use crate::scene::Scene;
use crate::time::Audit;

/// API name, active, closed, won, probability, forecast category; in pipeline order.
const STAGES: [(&str, bool, bool, bool, u32, &str); 11] = [
    ("Prospecting", true, false, false, 10, "Pipeline"),
    ("Qualification", true, false, false, 10, "Pipeline"),
    ("Needs Analysis", true, false, false, 20, "Pipeline"),
    ("Value Proposition", true, false, false, 50, "Pipeline"),
    ("Id. Decision Makers", true, false, false, 60, "Pipeline"),
    ("Perception Analysis", true, false, false, 70, "Best Case"),
    ("Proposal/Price Quote", true, false, false, 75, "Best Case"),
    ("Negotiation/Review", true, false, false, 90, "Commit"),
    // Retired years ago; a few deals were never moved on.
    ("Verbal Agreement", false, false, false, 95, "Commit"),
    ("Closed Won", true, true, true, 100, "Closed"),
    ("Closed Lost", true, true, false, 0, "Omitted"),
];
/// A stage that somebody renamed: its label changed, and deals go on to hold its API name.
const RENAMED: (&str, &str) = ("Perception Analysis", "Validation");
const OPEN_STAGES: usize = 9;
const WON: usize = 9;
const LOST: usize = 10;
/// The stage that the reopened opportunity goes back to.
pub(crate) const REOPENED_STAGE: usize = 7;

const PRODUCTS: [&str; 6] =
    ["Platform", "Renewal", "Analytics add-on", "Pilot", "Seats expansion", "Support plan"];
const TYPES: [&str; 3] =
    ["New Customer", "Existing Customer - Upgrade", "Existing Customer - Replacement"];
const CONTACT_ROLES: [&str; 7] = [
    "Decision Maker",
    "Economic Buyer",
    "Evaluator",
    "Executive Sponsor",
    "Influencer",
    "Technical Buyer",
    "Business User",
];
const TEAM_ROLES: [&str; 5] = [
    "Account Manager",
    "Executive Sponsor",
    "Pre-Sales Consultant",
    "Sales Rep",
    "Channel Manager",
];

/// The stages of the org.
pub(crate) fn stages(scene: &Scene) -> Vec<OpportunityStage> {
    let mut random = Random::new(scene.seed, "stages");
    let mut mint = IdMint::new(prefix::OPPORTUNITY_STAGE);
    (1..)
        .zip(STAGES)
        .map(|(sort_order, (name, is_active, is_closed, is_won, probability, forecast))| {
            let created = scene.calendar.days_ago(1_950, &mut random);
            let mut stage = OpportunityStage {
                id: mint.mint(),
                master_label: if name == RENAMED.0 { RENAMED.1 } else { name }.to_owned(),
                api_name: name.to_owned(),
                is_active,
                sort_order,
                is_closed,
                is_won,
                default_probability: probability,
                forecast_category_name: forecast.to_owned(),
                created_date: created,
                ..OpportunityStage::default()
            };
            stage.touch(&scene.calendar.audit(created, &mut random));
            stage
        })
        .collect()
}

/// The API name of a stage by its place in the pipeline.
pub(crate) fn stage_name(stage: usize) -> &'static str {
    STAGES[stage].0
}

/// Contacts by account, in file order.
pub(crate) fn by_account(contacts: &[Contact]) -> BTreeMap<&str, Vec<&Contact>> {
    let mut by_account: BTreeMap<&str, Vec<&Contact>> = BTreeMap::new();
    for contact in contacts.iter().filter(|contact| !contact.account_id.is_empty()) {
        by_account.entry(&contact.account_id).or_default().push(contact);
    }
    by_account
}

/// The opportunities; the first is the one that the second run's changes reopen.
pub(crate) fn opportunities(
    scene: &Scene,
    accounts: &[Account],
    contacts: &[Contact],
) -> Vec<Opportunity> {
    let mut random = Random::new(scene.seed, "opportunities");
    let mut mint = IdMint::new(prefix::OPPORTUNITY);
    let by_account = by_account(contacts);
    let (peopled, empty): (Vec<&Account>, Vec<&Account>) = accounts
        .iter()
        .filter(|account| !scene.is_reserved(&account.id))
        .partition(|account| by_account.contains_key(account.id.as_str()));
    let mut opened = 0;
    let mut opportunities = vec![lost_before_reopening(scene, accounts, &mut mint, &mut random)];
    for index in 1..scene.size.opportunities {
        // By turns, so that each kind is there in the smallest org.
        let account = match index % 30 {
            11 if !empty.is_empty() => random.pick(&empty),
            _ => random.pick(&peopled),
        };
        let stage = match index % 10 {
            1 | 4 | 8 => WON,
            2 | 5 | 9 => LOST,
            _ => {
                opened += 1;
                open_stage(opened, &mut random)
            }
        };
        let owner = match index % 60 {
            13 => scene.staff.inactive()[0],
            29 => scene.staff.inactive()[1],
            23 => scene.staff.unseated(),
            _ if random.chance(80) && scene.staff.is_seller(&account.owner_id) => &account.owner_id,
            _ => scene.staff.seller(&mut random),
        };
        let mut opportunity = opportunity(account, stage, owner, &mut random);
        opportunity.id = mint.mint();
        date(scene, &mut opportunity, &mut random);
        opportunities.push(opportunity);
    }
    opportunities
}

/// Every open stage once; after that the retired one, the last, only now and then.
fn open_stage(opened: usize, random: &mut Random) -> usize {
    let retired = OPEN_STAGES - 1;
    match opened {
        0..=OPEN_STAGES => opened.saturating_sub(1),
        _ if random.chance(2) => retired,
        _ => random.below(retired),
    }
}

/// Lost two months ago, at the reserved account, by a seller with a seat.
fn lost_before_reopening(
    scene: &Scene,
    accounts: &[Account],
    mint: &mut IdMint,
    random: &mut Random,
) -> Opportunity {
    let reserved = &scene.reopened().account.id;
    let account = accounts.iter().find(|account| account.id == *reserved);
    let owner = scene.staff.sellers()[2];
    let mut opportunity = account
        .map_or_else(Opportunity::default, |account| opportunity(account, LOST, owner, random));
    opportunity.id = mint.mint();
    let closed = scene.calendar.days_ago(60, random);
    let created = closed.plus_days(-75);
    opportunity.close_date = Some(closed.date());
    opportunity.created_date = created;
    opportunity.touch(&Audit { created, modified: closed, stamp: closed });
    opportunity
}

fn opportunity(account: &Account, stage: usize, owner: &str, random: &mut Random) -> Opportunity {
    let (name, _, is_closed, is_won, probability, _) = STAGES[stage];
    let amount = match random.below(20) {
        0 => String::new(),
        1..=3 => format!("{}.50", random.between(900, 9_000)),
        _ => (random.between(8, 400) * 500).to_string(),
    };
    Opportunity {
        account_id: account.id.clone(),
        name: format!("{} - {}", account.name, random.pick(&PRODUCTS)).chars().take(120).collect(),
        stage_name: name.to_owned(),
        amount,
        probability,
        kind: (*random.pick(&TYPES)).to_owned(),
        lead_source: (*random.pick(&LEAD_SOURCES)).to_owned(),
        is_closed,
        is_won,
        owner_id: owner.to_owned(),
        ..Opportunity::default()
    }
}

/// Open deals close soon (a few are overdue); closed ones did so over the last three years, mostly
/// lately.
fn date(scene: &Scene, opportunity: &mut Opportunity, random: &mut Random) {
    let calendar = scene.calendar;
    let audit = if opportunity.is_closed {
        let days = 3 + i64::try_from(random.low_below(1_000)).unwrap_or_default();
        let closed = calendar.days_ago(days, random);
        opportunity.close_date = Some(closed.date());
        let created = closed.plus_days(-random.between(20, 150));
        calendar.audit_until(created, closed.plus_days(10), random)
    } else {
        opportunity.close_date = Some(calendar.day(random.between(-20, 180)));
        calendar.audit(calendar.days_ago(random.between(5, 200), random), random)
    };
    opportunity.created_date = audit.created;
    opportunity.touch(&audit);
    if random.chance(15) {
        let viewed = calendar.days_ago(random.between(1, 60), random);
        opportunity.last_viewed_date = Some(viewed);
        opportunity.last_referenced_date = Some(viewed);
    }
}

/// Roles of the account's own contacts, and of a few from elsewhere (consultants, parents).
///
/// Deals at accounts without contacts have none.
pub(crate) fn contact_roles(
    scene: &Scene,
    opportunities: &[Opportunity],
    contacts: &[Contact],
) -> Vec<OpportunityContactRole> {
    let mut random = Random::new(scene.seed, "contact roles");
    let mut mint = IdMint::new(prefix::OPPORTUNITY_CONTACT_ROLE);
    let by_account = by_account(contacts);
    let outside: Vec<&Contact> =
        contacts.iter().filter(|contact| !scene.is_reserved(&contact.account_id)).collect();
    let mut roles = Vec::new();
    let mut left = scene.size.contact_roles;
    for (index, opportunity) in opportunities.iter().enumerate() {
        let Some(own) = by_account.get(opportunity.account_id.as_str()) else { continue };
        // An even share of what is left, one more or less.
        let share = left.div_ceil(opportunities.len() - index);
        let wanted = (share + random.below(3)).saturating_sub(1).max(1);
        let mut cast: Vec<&Contact> = own.clone();
        random.shuffle(&mut cast);
        // The reopened deal is the first, and its known contact must be in it.
        cast.sort_by_key(|contact| index > 0 || contact.id != scene.reopened().contact.id);
        cast.truncate(wanted);
        for _ in cast.len()..wanted {
            let guest = *random.pick(&outside);
            if index > 0 && cast.iter().all(|contact| contact.id != guest.id) {
                cast.push(guest);
            }
        }
        left = left.saturating_sub(cast.len());
        let primary = random.chance(85);
        for (place, contact) in cast.into_iter().enumerate() {
            let mut role = OpportunityContactRole {
                id: mint.mint(),
                opportunity_id: opportunity.id.clone(),
                contact_id: contact.id.clone(),
                role: (*random.pick(&CONTACT_ROLES)).to_owned(),
                is_primary: primary && place == 0,
                ..OpportunityContactRole::default()
            };
            let created = opportunity.created_date.plus_seconds(random.between(0, 86_400));
            let latest = opportunity.last_modified_date;
            let audit = scene.calendar.audit_until(created, latest, &mut random);
            role.created_date = audit.created;
            role.touch(&audit);
            roles.push(role);
        }
    }
    roles
}

/// Account teams: each user at most once per account, the reserved account never.
pub(crate) fn team_members(scene: &Scene, accounts: &[Account]) -> Vec<AccountTeamMember> {
    let mut random = Random::new(scene.seed, "teams");
    let mut mint = IdMint::new(prefix::ACCOUNT_TEAM_MEMBER);
    let mut candidates = scene.staff.sellers();
    candidates.extend(scene.staff.colleagues());
    candidates.extend(scene.staff.inactive());
    let mut pairs = BTreeSet::new();
    let mut members = Vec::with_capacity(scene.size.team_members);
    // A bound for base data with too few accounts for so many members.
    for _ in 0..scene.size.team_members * 4 {
        if members.len() == scene.size.team_members {
            break;
        }
        let account = random.pick(accounts);
        let user = random.pick(&candidates).to_owned();
        if scene.is_reserved(&account.id)
            || account.owner_id == user
            || !pairs.insert((account.id.as_str(), user))
        {
            continue;
        }
        let edits = random.chance(60);
        let mut member = AccountTeamMember {
            id: mint.mint(),
            account_id: account.id.clone(),
            user_id: user.to_owned(),
            team_member_role: (*random.pick(&TEAM_ROLES)).to_owned(),
            account_access_level: if edits { "Edit" } else { "Read" }.to_owned(),
            opportunity_access_level: if edits { "Edit" } else { "Read" }.to_owned(),
            contact_access_level: "Read".to_owned(),
            created_date: account.created_date.plus_seconds(random.between(60, 900_000)),
            ..AccountTeamMember::default()
        };
        member.touch(&scene.calendar.audit(member.created_date, &mut random));
        members.push(member);
    }
    members
}
