//! Every move of an object's phase that is legal, and no other one.

use super::*;

fn job() -> JobId {
    JobId("750000000000001".parse().unwrap())
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn sweeping(sweep: Sweep) -> ObjectPhase {
    ObjectPhase::Sweeping { sweep }
}

/// Every phase, and those apart from each other that have another next one.
fn phases() -> Vec<ObjectPhase> {
    use ObjectPhase as P;
    let locator = || Some(text("loc"));
    vec![
        P::Waiting,
        P::Submitted { job: job(), polls: 2 },
        P::Fetching { job: job(), locator: locator(), page: 3 },
        P::Landing { job: job(), page: 3, next: locator() },
        P::Landing { job: job(), page: 3, next: None },
        P::Reading { locator: text("loc"), page: 3 },
        P::LandingRead { page: 3, next: locator() },
        P::LandingRead { page: 3, next: None },
        P::Deletions,
        P::LandingDeletions { complete: false },
        P::Counting { complete: false },
        sweeping(Sweep::Asking { page: 3 }),
        sweeping(Sweep::Submitted { job: job(), polls: 2, page: 3 }),
        sweeping(Sweep::Fetching { job: job(), locator: None, page: 3 }),
        sweeping(Sweep::Comparing { pages: 4, bucket: 5 }),
        P::Done,
        P::Skipped { reason: text("why") },
        P::Failed { code: text("CODE"), message: text("why") },
    ]
}

fn events() -> Vec<ObjectEvent> {
    use ObjectEvent as E;
    vec![
        E::JobCreated { job: job() },
        E::JobRunning,
        E::JobComplete { landed: 7 },
        E::PageFetched { next: Some(text("next")) },
        E::PageLanded,
        E::PageFollowed { next: Some(text("next")) },
        E::SpanLanded,
        E::PartLanded,
        E::RowsLanded,
        E::DeletionsFetched { complete: true },
        E::NoDeletions { complete: true },
        E::DeletionsLanded,
        E::Counted,
        E::IdsWanted,
        E::NothingWanted,
        E::IdPageFetched { next: text("next") },
        E::IdSpanFetched,
        E::IdsFetched,
        E::BucketCompared,
        E::TooManyMissing,
        E::IdsCompared,
        E::Narrowed,
        E::Restarted,
        E::Skipped { reason: text("why") },
        E::Failed { code: text("CODE"), message: text("why") },
    ]
}

/// The moves, by the names of event and phase; errors, which any phase may meet, are apart.
fn moves(phase: &ObjectPhase) -> Vec<(&'static str, ObjectPhase)> {
    use ObjectPhase as P;
    let next = || Some(text("next"));
    let counting = |complete| P::Counting { complete };
    match phase {
        P::Waiting => vec![
            ("job_created", P::Submitted { job: job(), polls: 0 }),
            ("page_fetched", P::LandingRead { page: 0, next: next() }),
            ("nothing_wanted", sweeping(Sweep::Comparing { pages: 0, bucket: 0 })),
            ("skipped", P::Skipped { reason: text("why") }),
        ],
        P::Submitted { .. } => vec![
            ("job_running", P::Submitted { job: job(), polls: 3 }),
            ("job_complete", P::Fetching { job: job(), locator: None, page: 7 }),
            ("narrowed", P::Waiting),
        ],
        P::Fetching { .. } => {
            vec![("page_fetched", P::Landing { job: job(), page: 3, next: next() })]
        }
        P::Landing { next: Some(_), .. } => {
            let locator = Some(text("loc"));
            vec![
                ("page_landed", P::Fetching { job: job(), locator, page: 4 }),
                ("page_followed", P::Landing { job: job(), page: 4, next: next() }),
            ]
        }
        P::Landing { next: None, .. } => vec![
            ("span_landed", P::Waiting),
            ("part_landed", P::Waiting),
            ("rows_landed", P::Deletions),
        ],
        P::Reading { .. } => vec![("page_fetched", P::LandingRead { page: 3, next: next() })],
        P::LandingRead { next: Some(_), .. } => {
            vec![("page_landed", P::Reading { locator: text("loc"), page: 4 })]
        }
        P::LandingRead { next: None, .. } => vec![("rows_landed", P::Deletions)],
        P::Deletions => vec![
            ("deletions_fetched", P::LandingDeletions { complete: true }),
            ("no_deletions", counting(true)),
        ],
        P::LandingDeletions { .. } => vec![("deletions_landed", counting(false))],
        P::Counting { .. } => {
            vec![("counted", P::Done), ("ids_wanted", sweeping(Sweep::Asking { page: 0 }))]
        }
        P::Sweeping { sweep } => sweep_moves(sweep),
        P::Done | P::Skipped { .. } | P::Failed { .. } => vec![],
    }
}

fn sweep_moves(sweep: &Sweep) -> Vec<(&'static str, ObjectPhase)> {
    match sweep {
        Sweep::Asking { .. } => {
            vec![("job_created", sweeping(Sweep::Submitted { job: job(), polls: 0, page: 3 }))]
        }
        Sweep::Submitted { .. } => vec![
            ("job_running", sweeping(Sweep::Submitted { job: job(), polls: 3, page: 3 })),
            ("job_complete", sweeping(Sweep::Fetching { job: job(), locator: None, page: 3 })),
            ("narrowed", sweeping(Sweep::Asking { page: 3 })),
        ],
        Sweep::Fetching { .. } => vec![
            (
                "id_page_fetched",
                sweeping(Sweep::Fetching { job: job(), locator: Some(text("next")), page: 4 }),
            ),
            ("id_span_fetched", sweeping(Sweep::Asking { page: 4 })),
            ("ids_fetched", sweeping(Sweep::Comparing { pages: 4, bucket: 0 })),
        ],
        Sweep::Comparing { .. } => vec![
            ("bucket_compared", sweeping(Sweep::Comparing { pages: 4, bucket: 6 })),
            ("too_many_missing", ObjectPhase::Waiting),
            ("ids_compared", ObjectPhase::Done),
            ("skipped", ObjectPhase::Skipped { reason: text("why") }),
        ],
    }
}

#[test]
fn every_legal_move_is_made_and_every_other_one_refused() {
    let mut made = 0;
    for phase in phases() {
        let moves = moves(&phase);
        for event in events() {
            let name: &'static str = (&event).into();
            if matches!(event, ObjectEvent::Restarted | ObjectEvent::Failed { .. }) {
                continue;
            }
            let wanted = moves.iter().find(|(event, _)| *event == name);
            let illegal = IllegalTransition { phase: (&phase).into(), event: name };
            let wanted = wanted.map(|(_, next)| next.clone()).ok_or(illegal);
            made += u32::from(wanted.is_ok());
            assert_eq!(phase.next(event), wanted, "{name} in {phase:?}");
        }
    }
    let all: usize = phases().iter().map(|phase| moves(phase).len()).sum();
    assert_eq!(made as usize, all, "each move has its event");
}

#[test]
fn any_phase_but_the_last_begins_anew_or_fails() {
    for phase in phases() {
        let restarted = phase.next(ObjectEvent::Restarted);
        let (code, message) = (text("CODE"), text("why"));
        let failed =
            phase.next(ObjectEvent::Failed { code: code.clone(), message: message.clone() });
        if phase.is_terminal() {
            assert!(restarted.is_err() && failed.is_err(), "{phase:?}");
        } else {
            assert_eq!(restarted, Ok(ObjectPhase::Waiting));
            assert_eq!(failed, Ok(ObjectPhase::Failed { code, message }));
        }
    }
}

#[test]
fn every_phase_can_come_to_an_end_without_an_error() {
    for start in phases() {
        let mut known = vec![start.clone()];
        let mut at = 0;
        while let Some(phase) = known.get(at).cloned() {
            let last_page = ObjectEvent::PageFetched { next: None };
            let last_beside = ObjectEvent::PageFollowed { next: None };
            for event in events().into_iter().chain([last_page, last_beside]) {
                if matches!(event, ObjectEvent::Restarted | ObjectEvent::Failed { .. }) {
                    continue;
                }
                // One of each kind is enough: a job may be polled without end.
                let next = phase.next(event).ok();
                let is_new = |next: &ObjectPhase| {
                    let same = std::mem::discriminant(next);
                    known.iter().filter(|p| std::mem::discriminant(*p) == same).count() < 30
                        && !known.contains(next)
                };
                known.extend(next.filter(is_new));
            }
            at += 1;
        }
        assert!(known.iter().any(ObjectPhase::is_terminal), "{start:?}");
    }
}

#[test]
fn a_refusal_names_phase_and_event() {
    let error = ObjectPhase::Done.next(ObjectEvent::PageLanded).unwrap_err();
    assert_eq!(error.to_string(), "page_landed does not follow from done");
}
