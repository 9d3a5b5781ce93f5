//! Tasks, events and notes, and the day of the last activity that follows from them.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::id::{IdMint, prefix};
use crate::random::Random;
use crate::rows::{Account, Contact, Event, Lead, Note, Opportunity, OpportunityContactRole, Task};
use crate::scene::Scene;
use crate::time::Stamp;

/// Subject and subtype of everyday tasks.
const TASKS: [(&str, &str); 8] = [
    ("Call", "Call"),
    ("Call: discovery", "Call"),
    ("Email: proposal", "Email"),
    ("Email: follow-up", "Email"),
    ("Send quote", "Task"),
    ("Prepare demo", "Task"),
    ("Check references", "Task"),
    ("Send letter", "Task"),
];
/// Activities that the product logged in earlier years. It must recognise them and never log them
/// again.
const LOGGED_BEFORE: [&str; 3] = [
    "Message sent from Sales Navigator",
    "InMail sent from Sales Navigator – A question about your roadmap",
    "Phone Call from Sales Navigator",
];
const LOGGED_NOTE: &str = "Notes from Sales Navigator";
const EVENTS: [(&str, &str); 5] = [
    ("Introduction", "Meeting"),
    ("Product demo", "Meeting"),
    ("Quarterly review", "Meeting"),
    ("Contract call", "Call"),
    ("Lunch", "Other"),
];
const NOTE_TITLES: [&str; 5] =
    ["Meeting minutes", "Budget", "Competition", "Who decides", "Next steps"];
const NOTE_BODIES: [&str; 4] = [
    "They compare three vendors and want to decide this quarter.",
    "Budget is approved; legal needs two weeks.",
    "Uses a home-grown tool today.\nPain: nobody maintains it.",
    "Asked for \"one more\" reference, best of the same industry.",
];

/// The rows that activities can be about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subjects<'a> {
    pub(crate) accounts: &'a [Account],
    pub(crate) contacts: &'a [Contact],
    pub(crate) leads: &'a [Lead],
    pub(crate) opportunities: &'a [Opportunity],
    pub(crate) roles: &'a [OpportunityContactRole],
}

/// Who and what one activity is about, and whose it is.
#[derive(Debug)]
struct Link {
    who: String,
    what: String,
    owner: String,
}

/// Draws the people and deals that activities are about.
struct Linker<'a> {
    scene: &'a Scene<'a>,
    subjects: Subjects<'a>,
    deals: BTreeMap<&'a str, &'a Opportunity>,
    open_leads: Vec<&'a Lead>,
}

impl<'a> Linker<'a> {
    fn new(scene: &'a Scene<'a>, subjects: Subjects<'a>) -> Self {
        let deals = subjects.opportunities.iter().map(|deal| (deal.id.as_str(), deal)).collect();
        // Salesforce moves a converted lead's activities to the contact.
        let open_leads = subjects.leads.iter().filter(|lead| !lead.is_converted).collect();
        Self { scene, subjects, deals, open_leads }
    }

    fn draw(&self, random: &mut Random) -> Link {
        match random.below(20) {
            0..=8 => self.deal(random),
            9..=12 => self.contact(random),
            13..=17 => self.lead(random),
            _ => {
                let account = random.pick(self.subjects.accounts);
                self.link("", &account.id, &account.owner_id, random)
            }
        }
    }

    fn deal(&self, random: &mut Random) -> Link {
        let role = random.pick(self.subjects.roles);
        let owner = self.deals.get(role.opportunity_id.as_str()).map(|deal| deal.owner_id.as_str());
        self.link(&role.contact_id, &role.opportunity_id, owner.unwrap_or_default(), random)
    }

    fn contact(&self, random: &mut Random) -> Link {
        let contact = random.pick(self.subjects.contacts);
        self.link(&contact.id, &contact.account_id, &contact.owner_id, random)
    }

    /// Salesforce allows no `WhatId` beside a lead.
    fn lead(&self, random: &mut Random) -> Link {
        let lead = random.pick(&self.open_leads);
        self.link(&lead.id, "", &lead.owner_id, random)
    }

    /// Mostly the record's owner acts; for a queue, somebody who looks after it.
    fn link(&self, who: &str, what: &str, owner: &str, random: &mut Random) -> Link {
        let own = owner.starts_with(prefix::USER) && random.chance(85);
        let owner = if own { owner } else { self.scene.staff.seller(random) };
        Link { who: who.into(), what: what.into(), owner: owner.into() }
    }
}

/// Tasks: mostly done, some planned, a few logged by the product itself.
pub(crate) fn tasks(scene: &Scene, subjects: Subjects) -> Vec<Task> {
    let mut random = Random::new(scene.seed, "tasks");
    let mut mint = IdMint::new(prefix::TASK);
    let linker = Linker::new(scene, subjects);
    (0..scene.size.tasks)
        .map(|index| {
            let logged = index % 25 == 4;
            let link = if logged { linker.contact(&mut random) } else { linker.draw(&mut random) };
            let (subject, subtype) =
                if logged { (*random.pick(&LOGGED_BEFORE), "Task") } else { *random.pick(&TASKS) };
            let days = if logged { -random.between(30, 400) } else { random.between(-400, 30) };
            let done = days < 0 && (logged || random.chance(95));
            let created = created_before(scene, days, &mut random);
            let mut task = Task {
                id: mint.mint(),
                who_id: link.who,
                what_id: link.what,
                owner_id: link.owner,
                subject: subject.to_owned(),
                status: if done { "Completed" } else { "Not Started" }.to_owned(),
                priority: if random.chance(10) { "High" } else { "Normal" }.to_owned(),
                activity_date: (done || random.chance(90)).then(|| scene.calendar.day(days)),
                task_subtype: subtype.to_owned(),
                created_date: created,
                ..Task::default()
            };
            let latest = created.plus_days(21);
            task.touch(&scene.calendar.audit_until(created, latest, &mut random));
            task
        })
        .collect()
}

/// Events of at most two hours; every ninth is private.
pub(crate) fn events(scene: &Scene, subjects: Subjects) -> Vec<Event> {
    let mut random = Random::new(scene.seed, "events");
    let mut mint = IdMint::new(prefix::EVENT);
    let linker = Linker::new(scene, subjects);
    (0..scene.size.events)
        .map(|index| {
            let link = linker.draw(&mut random);
            let (subject, kind) = *random.pick(&EVENTS);
            let days = random.between(-380, 45);
            let hour = random.between(8, 17);
            let start = scene.calendar.hour(days, hour);
            let created = created_before(scene, days, &mut random);
            let is_private = index % 9 == 3;
            let mut event = Event {
                id: mint.mint(),
                who_id: link.who,
                what_id: link.what,
                owner_id: link.owner,
                subject: if is_private { "Private appointment" } else { subject }.to_owned(),
                kind: kind.to_owned(),
                is_private,
                is_group_event: index % 14 == 5,
                is_recurrence: index % 19 == 6,
                activity_date: Some(start.date()),
                start_date_time: Some(start),
                end_date_time: Some(start.plus_seconds(1_800 * random.between(1, 4))),
                created_date: created,
                ..Event::default()
            };
            event.touch(&scene.calendar.audit_until(created, created.plus_days(9), &mut random));
            event
        })
        .collect()
}

/// Notes under accounts, contacts, open leads and opportunities; some the product's own.
pub(crate) fn notes(scene: &Scene, subjects: Subjects) -> Vec<Note> {
    let mut random = Random::new(scene.seed, "notes");
    let mut mint = IdMint::new(prefix::NOTE);
    let linker = Linker::new(scene, subjects);
    (0..scene.size.notes)
        .map(|index| {
            let link = linker.draw(&mut random);
            let about_what = link.who.is_empty() || index % 3 == 0 && !link.what.is_empty();
            let logged = index % 8 == 2;
            let created = scene.calendar.days_ago(random.between(2, 500), &mut random);
            let mut note = Note {
                id: mint.mint(),
                parent_id: if about_what { link.what } else { link.who },
                title: if logged { LOGGED_NOTE } else { random.pick(&NOTE_TITLES) }.to_owned(),
                body: (*random.pick(&NOTE_BODIES)).to_owned(),
                owner_id: link.owner,
                is_private: index % 21 == 9,
                created_date: created,
                ..Note::default()
            };
            note.touch(&scene.calendar.audit(created, &mut random));
            note
        })
        .collect()
}

/// An activity is written down up to ten days before its day, and never after the base date.
fn created_before(scene: &Scene, days: i64, random: &mut Random) -> Stamp {
    scene.calendar.days_ago((-days).max(0) + random.between(1, 10), random)
}

/// The last day with an event or a done task, per record; an account's counts its deals' and
/// contacts' too.
pub(crate) fn last_activity(
    scene: &Scene,
    subjects: Subjects,
    tasks: &[Task],
    events: &[Event],
) -> BTreeMap<String, Date> {
    let account_of: BTreeMap<&str, &str> = subjects
        .opportunities
        .iter()
        .map(|deal| (deal.id.as_str(), deal.account_id.as_str()))
        .chain(subjects.contacts.iter().map(|row| (row.id.as_str(), row.account_id.as_str())))
        .collect();
    let done = tasks
        .iter()
        .filter(|task| task.status == "Completed")
        .map(|task| (&task.who_id, &task.what_id, task.activity_date));
    let met = events.iter().map(|event| (&event.who_id, &event.what_id, event.activity_date));
    let mut last: BTreeMap<String, Date> = BTreeMap::new();
    for (who_id, what_id, day) in done.chain(met) {
        let Some(day) = day.filter(|day| *day <= scene.calendar.day(0)) else { continue };
        let ids = [who_id.as_str(), what_id.as_str()];
        let accounts = ids.iter().filter_map(|id| account_of.get(id).copied());
        for id in ids.into_iter().chain(accounts).filter(|id| !id.is_empty()) {
            let latest = last.entry(id.to_owned()).or_insert(day);
            *latest = day.max(*latest);
        }
    }
    last
}
