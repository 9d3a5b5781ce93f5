//! The org's own people: users, their roles, and the product's seats.

use serde::Serialize;
use serde_json::{Value, json};

use crate::id::{IdMint, prefix};
use crate::random::Random;
use crate::rows::{Group, Profile, User, UserRole};
use crate::time::Calendar;

/// Domain of the org's e-mail addresses; `.example` is reserved, no mail can leave.
pub(crate) const DOMAIN: &str = "acme.example";

/// The role tree of three levels: a role and the one above it.
const ROLES: [(&str, &str); 13] = [
    ("Chief Executive Officer", ""),
    ("VP Sales", "Chief Executive Officer"),
    ("VP Marketing", "Chief Executive Officer"),
    ("VP Customer Success", "Chief Executive Officer"),
    ("VP Finance", "Chief Executive Officer"),
    ("Sales Americas", "VP Sales"),
    ("Sales EMEA", "VP Sales"),
    ("Sales APAC", "VP Sales"),
    ("Sales Development", "VP Sales"),
    ("Demand Generation", "VP Marketing"),
    ("Customer Success Managers", "VP Customer Success"),
    ("Support", "VP Customer Success"),
    ("Deal Desk", "VP Finance"),
];

/// The part of a user in the org's story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Owns records and holds a seat.
    Seller,
    /// Left; still owns records.
    Inactive,
    /// Active, owns records, holds no seat.
    Unseated,
    Admin,
    Integration,
    Other,
}

use Part::{Admin, Inactive, Integration, Other, Seller, Unseated};

const NEW_YORK: &str = "America/New_York";
const LOS_ANGELES: &str = "America/Los_Angeles";
const BERLIN: &str = "Europe/Berlin";
const LONDON: &str = "Europe/London";
const SINGAPORE: &str = "Asia/Singapore";
const SYDNEY: &str = "Australia/Sydney";

/// First name, last name, title, role, part, time zone. All invented.
const PEOPLE: [(&str, &str, &str, &str, Part, &str); 40] = [
    ("Noor", "Castellan", "Account Executive", "Sales Americas", Seller, NEW_YORK),
    ("Tobias", "Wrenfield", "Account Executive", "Sales Americas", Seller, LOS_ANGELES),
    ("Ines", "Marlowe", "Senior Account Executive", "Sales Americas", Seller, NEW_YORK),
    ("Dario", "Penhallow", "Enterprise Account Executive", "Sales Americas", Seller, LOS_ANGELES),
    ("Maren", "Oakhurst", "Account Executive", "Sales EMEA", Seller, BERLIN),
    ("Lucian", "Ferrars", "Account Executive", "Sales EMEA", Seller, LONDON),
    ("Saskia", "Delamere", "Senior Account Executive", "Sales EMEA", Seller, BERLIN),
    ("Emeka", "Thornbury", "Enterprise Account Executive", "Sales EMEA", Seller, LONDON),
    ("Priya", "Halloran", "Account Executive", "Sales APAC", Seller, SINGAPORE),
    ("Callum", "Yarrow", "Account Executive", "Sales APAC", Seller, SYDNEY),
    ("Mei", "Ashdown", "Senior Account Executive", "Sales APAC", Seller, SINGAPORE),
    ("Rafael", "Winterbourne", "Enterprise Account Executive", "Sales APAC", Seller, SYDNEY),
    ("Gustav", "Lindqvist", "Account Executive", "Sales EMEA", Inactive, BERLIN),
    ("Odette", "Blackwood", "Account Executive", "Sales Americas", Inactive, NEW_YORK),
    ("Hanna", "Rookwood", "Account Executive", "Sales EMEA", Unseated, LONDON),
    ("Ada", "Brightwater", "CRM Administrator", "Deal Desk", Admin, NEW_YORK),
    ("CRM", "Integration", "Integration User", "", Integration, LONDON),
    (
        "Victor",
        "Summerfield",
        "Chief Executive Officer",
        "Chief Executive Officer",
        Other,
        NEW_YORK,
    ),
    ("Amara", "Kingsley", "VP Sales", "VP Sales", Other, NEW_YORK),
    ("Jonas", "Hartwell", "VP Marketing", "VP Marketing", Other, BERLIN),
    ("Leila", "Norwood", "VP Customer Success", "VP Customer Success", Other, LONDON),
    ("Peter", "Ellsworth", "VP Finance", "VP Finance", Other, NEW_YORK),
    ("Carmen", "Beckwith", "Regional Sales Director", "Sales Americas", Other, NEW_YORK),
    ("Henrik", "Colborne", "Regional Sales Director", "Sales EMEA", Other, BERLIN),
    ("Yuki", "Fairbank", "Regional Sales Director", "Sales APAC", Other, SINGAPORE),
    ("Milo", "Greystone", "Sales Development Representative", "Sales Development", Other, NEW_YORK),
    ("Zoe", "Larkspur", "Sales Development Representative", "Sales Development", Other, LONDON),
    (
        "Idris",
        "Maplewood",
        "Sales Development Representative",
        "Sales Development",
        Other,
        SINGAPORE,
    ),
    ("Freya", "Northcote", "Solutions Engineer", "Sales EMEA", Other, BERLIN),
    ("Owen", "Pemberley", "Solutions Engineer", "Sales Americas", Other, LOS_ANGELES),
    ("Lin", "Quayle", "Campaign Manager", "Demand Generation", Other, SYDNEY),
    ("Clara", "Ravenhill", "Marketing Operations", "Demand Generation", Other, BERLIN),
    ("Samir", "Stanhope", "Customer Success Manager", "Customer Success Managers", Other, LONDON),
    ("Elsa", "Tremayne", "Customer Success Manager", "Customer Success Managers", Other, BERLIN),
    (
        "Diego",
        "Underhill",
        "Customer Success Manager",
        "Customer Success Managers",
        Other,
        NEW_YORK,
    ),
    ("Nadia", "Vane", "Support Engineer", "Support", Other, LONDON),
    ("Bruno", "Westbrook", "Support Engineer", "Support", Other, NEW_YORK),
    ("Aisha", "Yewdale", "Deal Desk Analyst", "Deal Desk", Other, LONDON),
    ("Felix", "Zeller", "Deal Desk Analyst", "Deal Desk", Other, BERLIN),
    ("Rosa", "Applegarth", "Contracts Counsel", "Deal Desk", Other, NEW_YORK),
];

const STANDARD: &str = "Standard User";
const ADMINISTRATOR: &str = "System Administrator";
const VIEW_ONLY: &str = "Integration (View Only)";
const PROFILES: [&str; 3] = [ADMINISTRATOR, STANDARD, VIEW_ONLY];

/// A licensed user of the product, as the demo creates it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Seat {
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) time_zone: String,
    pub(crate) roles: Vec<&'static str>,
}

/// The import must pass with a user who may see everything and change nothing.
pub(crate) fn view_only_profile() -> Value {
    json!({
        "name": VIEW_ONLY,
        "modify_all_data": false,
        "other_objects": {"read": true, "create": false, "edit": false, "delete": false},
    })
}

/// The users, and which of them own records.
#[derive(Debug)]
pub(crate) struct Staff {
    pub(crate) users: Vec<User>,
    pub(crate) roles: Vec<UserRole>,
    pub(crate) seats: Vec<Seat>,
    pub(crate) profiles: Vec<Profile>,
    /// The queue that new leads wait in.
    pub(crate) queue: Group,
}

impl Staff {
    pub(crate) fn generate(calendar: Calendar, seed: u64) -> Self {
        let mut random = Random::new(seed, "staff");
        let roles = user_roles(calendar, &mut random);
        let profiles = profiles(calendar, &mut random);
        let users = users(&roles, &profiles, calendar, &mut random);
        Self { seats: seats(), queue: queue(calendar, &mut random), users, roles, profiles }
    }

    fn ids(&self, part: Part) -> impl Iterator<Item = &str> {
        self.users
            .iter()
            .zip(PEOPLE)
            .filter(move |(_, person)| person.4 == part)
            .map(|(user, _)| user.id.as_str())
    }

    /// Sellers who hold a seat.
    pub(crate) fn sellers(&self) -> Vec<&str> {
        self.ids(Seller).collect()
    }

    /// Owners who left.
    pub(crate) fn inactive(&self) -> Vec<&str> {
        self.ids(Inactive).collect()
    }

    /// The active owner who holds no seat.
    pub(crate) fn unseated(&self) -> &str {
        self.ids(Unseated).next().unwrap_or_default()
    }

    /// The user whose grant the import should use.
    pub(crate) fn integration(&self) -> &str {
        self.ids(Integration).next().unwrap_or_default()
    }

    /// Everyone else who works with customers: they join teams and have activities, but own no
    /// record.
    pub(crate) fn colleagues(&self) -> Vec<&str> {
        self.ids(Other).collect()
    }

    pub(crate) fn is_seller(&self, user_id: &str) -> bool {
        self.ids(Seller).any(|id| id == user_id)
    }

    /// The address of a user's seat as it was typed there; empty when the user holds none.
    pub(crate) fn seat_email(&self, user_id: &str) -> &str {
        self.users
            .iter()
            .find(|user| user.id == user_id)
            .and_then(|user| {
                self.seats.iter().find(|seat| seat.email.eq_ignore_ascii_case(&user.email))
            })
            .map_or("", |seat| seat.email.as_str())
    }

    /// An owner for the `index`-th record: mostly a seller, and by turns, so that even a small org
    /// has them, one who left or the one without a seat.
    pub(crate) fn owner(&self, index: usize, random: &mut Random) -> String {
        let inactive = self.inactive();
        match index % 24 {
            7 => inactive[(index / 24) % inactive.len()].to_owned(),
            15 => self.unseated().to_owned(),
            _ => self.seller(random).to_owned(),
        }
    }

    /// A seller; the first of the list own more than the last.
    pub(crate) fn seller(&self, random: &mut Random) -> &str {
        let sellers = self.sellers();
        sellers[random.low_below(sellers.len())]
    }
}

fn user_roles(calendar: Calendar, random: &mut Random) -> Vec<UserRole> {
    let mut mint = IdMint::new(prefix::USER_ROLE);
    let mut roles: Vec<UserRole> = Vec::with_capacity(ROLES.len());
    for (name, parent) in ROLES {
        let parent_role_id =
            roles.iter().find(|role| role.name == parent).map(|role| role.id.clone());
        let created = calendar.days_ago(1_900, random);
        let mut role = UserRole {
            id: mint.mint(),
            name: name.to_owned(),
            developer_name: name.replace(' ', "_"),
            parent_role_id: parent_role_id.unwrap_or_default(),
            ..UserRole::default()
        };
        role.touch(&calendar.audit(created, random));
        roles.push(role);
    }
    roles
}

fn profiles(calendar: Calendar, random: &mut Random) -> Vec<Profile> {
    let mut mint = IdMint::new(prefix::PROFILE);
    PROFILES
        .iter()
        .map(|&name| {
            let created = calendar.days_ago(1_900, random);
            let mut profile = Profile {
                id: mint.mint(),
                name: name.to_owned(),
                created_date: created,
                ..Profile::default()
            };
            profile.touch(&calendar.audit(created, random));
            profile
        })
        .collect()
}

fn queue(calendar: Calendar, random: &mut Random) -> Group {
    let created = calendar.days_ago(1_700, random);
    let mut queue = Group {
        id: IdMint::new(prefix::QUEUE).mint(),
        name: "Inbound Leads".to_owned(),
        developer_name: "Inbound_Leads".to_owned(),
        kind: "Queue".to_owned(),
        created_date: created,
        ..Group::default()
    };
    queue.touch(&calendar.audit(created, random));
    queue
}

fn users(
    roles: &[UserRole],
    profiles: &[Profile],
    calendar: Calendar,
    random: &mut Random,
) -> Vec<User> {
    let mut mint = IdMint::new(prefix::USER);
    PEOPLE
        .iter()
        .map(|&(first_name, last_name, title, role, part, time_zone)| {
            let email = format!("{first_name}.{last_name}@{DOMAIN}").to_lowercase();
            let created = calendar.days_ago(random.between(1_500, 1_800), random);
            let profile = match part {
                Admin => ADMINISTRATOR,
                Integration => VIEW_ONLY,
                _ => STANDARD,
            };
            let mut user = User {
                id: mint.mint(),
                username: email.clone(),
                name: format!("{first_name} {last_name}"),
                first_name: first_name.to_owned(),
                last_name: last_name.to_owned(),
                email,
                title: title.to_owned(),
                department: department(role).to_owned(),
                phone: format!("+1 555 01{:02}", random.between(0, 99)),
                mobile_phone: format!("+1 555 01{:02}", random.between(0, 99)),
                is_active: part != Inactive,
                user_role_id: roles
                    .iter()
                    .find(|candidate| candidate.name == role)
                    .map_or_else(String::new, |role| role.id.clone()),
                user_type: "Standard".to_owned(),
                profile_id: profiles
                    .iter()
                    .find(|candidate| candidate.name == profile)
                    .map_or_else(String::new, |profile| profile.id.clone()),
                time_zone_sid_key: time_zone.to_owned(),
                created_date: created,
                ..User::default()
            };
            user.touch(&calendar.audit(created, random));
            user
        })
        .collect()
}

fn department(role: &str) -> &'static str {
    match role {
        "VP Marketing" | "Demand Generation" => "Marketing",
        "VP Customer Success" | "Customer Success Managers" | "Support" => "Customer Success",
        "VP Finance" | "Deal Desk" => "Finance",
        "Chief Executive Officer" | "" => "",
        _ => "Sales",
    }
}

/// Every seller's seat, the admin's (who configures, and holds no seat) and one that the org does
/// not know.
fn seats() -> Vec<Seat> {
    let mut seats: Vec<Seat> = PEOPLE
        .iter()
        .filter(|person| matches!(person.4, Seller | Admin))
        .map(|&(first_name, last_name, _, _, part, time_zone)| Seat {
            email: format!("{first_name}.{last_name}@{DOMAIN}").to_lowercase(),
            name: format!("{first_name} {last_name}"),
            time_zone: time_zone.to_owned(),
            roles: vec![if part == Admin { "admin" } else { "seat" }],
        })
        .collect();
    // People type their address as they like; it is still the same mailbox.
    if let Some(seat) = seats.get_mut(4) {
        seat.email = format!("{}@ACME.example", seat.name.replace(' ', "."));
    }
    seats.push(Seat {
        email: format!("robin.stray@{DOMAIN}"),
        name: "Robin Stray".to_owned(),
        time_zone: BERLIN.to_owned(),
        roles: vec!["seat"],
    });
    seats
}
