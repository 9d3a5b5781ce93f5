//! The faults of messages, schedules, clocks and functions, each by the number of the catalogue.

use futures::StreamExt;
use futures::future::{Either, select};
use futures::stream::FuturesUnordered;
use jiff::SignedDuration;
use serde_json::json;
use shared::capabilities::audit::Actor;
use shared::capabilities::custody::Custody;
use shared::capabilities::importing::{ImportSettings, ObjectPhase, RunState, VISIBILITY_OVERLAP};
use shared::capabilities::leaving::PurgePhase;
use shared::kernel::{
    Envelope, Gone, ImportMessage, ImportRunId, ImportTrigger, Reading, Record, SObject,
};
use shared::salesforce::SalesforceId;
use shared::store::Outbox;
use shared::work::{Done, WorkError};
use tests::Home;
use tests::world::{Delivery, World};

use super::case::Case;

in_both_homes!(
    f01_the_same_message_twice_changes_and_counts_nothing_twice,
    f02_the_same_message_at_once_to_two_workers_is_one_step,
    f03_an_older_state_that_arrives_later_loses,
    f04_a_very_old_message_is_superseded,
    f06_killed_after_the_commit_and_before_the_message_is_deleted,
    f25_a_slot_that_fires_twice_or_late_is_one_run_and_the_schedule_goes_on,
    f26_a_run_that_finds_another_one_under_way_steps_aside,
    f27_a_dead_runs_lease_is_taken_over_and_its_zombie_moves_nothing,
    f28_cursors_go_by_salesforces_clock_however_wrong_ours_is,
    f50_a_disconnect_stops_the_import_and_nothing_is_written_behind_the_fence,
    a_run_is_paused_goes_on_and_is_called_off,
    the_schedule_follows_its_settings,
    why_a_record_is_gone_is_kept,
);

fn landing(phase: &ObjectPhase) -> bool {
    matches!(phase, ObjectPhase::Landing { page: 1, .. })
}

async fn f01_the_same_message_twice_changes_and_counts_nothing_twice(home: Home) {
    let mut case = Case::at(home).await;
    case.world.delivery = Delivery::TwiceAndBackwards;
    case.world.run().await;
    let run = case.first().await;
    let contacts = &case.objects(run).await[&SObject::Contact];
    assert_eq!((contacts.counts.new, contacts.counts.unchanged), (30, 0));
    assert_eq!(contacts.live, contacts.salesforce_count);
    case.equals_the_org().await;
}

async fn f02_the_same_message_at_once_to_two_workers_is_one_step(home: Home) {
    let case = Case::at(home).await;
    let run = case.first().await;
    case.until(run, SObject::Contact, landing).await;
    let before = case.objects(run).await[&SObject::Contact].clone();
    let message = case.step(run, SObject::Contact, before.step).await.message;
    // Whatever waits in the queues is not what this looks at.
    case.world.memory.lose_messages();
    let ends = in_step(&case.world, [message.clone(), message]).await;
    assert!(ends.iter().all(Result::is_ok), "neither goes to the dead letters: {ends:?}");
    let after = case.objects(run).await[&SObject::Contact].clone();
    assert_eq!(after.step, before.step + 1);
    assert_eq!(after.counts.new, before.counts.new + 7, "both know whose deed the rows are");
    let sent = case.world.memory.receive();
    assert_eq!(sent.len(), 1, "one step follows: {sent:?}");
    case.world.ports().queues.send(sent).await.unwrap();
    case.world.run().await;
    case.equals_the_org().await;
}

/// Two workers do messages at once: each makes a call only when the other one stands before its
/// own, so that both have read what they go by before either of them writes.
async fn in_step(world: &World, messages: [ImportMessage; 2]) -> Vec<Result<Done, WorkError>> {
    let mut gates = world.fuse.gates();
    let mut workers: FuturesUnordered<_> =
        messages.into_iter().map(|message| Box::pin(world.functions.handle(message))).collect();
    let (mut waiting, mut together, mut ends) = (Vec::new(), 0, Vec::new());
    while !workers.is_empty() {
        match select(workers.next(), gates.next()).await {
            Either::Left((end, _)) => ends.extend(end),
            Either::Right((gate, _)) => waiting.extend(gate),
        }
        if waiting.len() >= workers.len() {
            together += usize::from(waiting.len() == 2);
            // Now the one goes first, now the other. A gate that is dropped opens.
            if together % 2 == 0 {
                waiting.reverse();
            }
            waiting.clear();
        }
    }
    assert!(together > 5, "they stood side by side before {together} calls");
    ends
}

async fn f03_an_older_state_that_arrives_later_loses(home: Home) {
    let case = Case::imported_at(home).await;
    let custody = Custody::new(case.world.ports(), "crm-sync/".to_owned());
    let scope = case.world.connection().await.scope();
    let opened = custody.open(scope).await.unwrap().unwrap();
    let id: SalesforceId = case.leads[0].parse().unwrap();
    let now = opened.records.one(SObject::Lead, id).await.unwrap().unwrap();
    let at = |seconds| now.stamp + SignedDuration::from_secs(seconds);
    let reading = |step, at| Reading { run: ImportRunId::derived("late"), step, at };
    let state = |seconds, name: &str| {
        let fields = [("LastName".to_owned(), name.to_owned())].into_iter().collect();
        Record::read(SObject::Lead, id, at(seconds), fields)
    };
    let land = async |step, read_at, record| {
        opened.records.land(reading(step, at(read_at)), vec![record]).await.unwrap().counts
    };
    assert_eq!(land(1, 100, state(20, "Newer")).await.updated, 1);
    assert_eq!(land(2, 100, state(10, "Older")).await.unchanged, 1, "update before update");
    assert_eq!(land(3, 90, state(20, "Same second")).await.unchanged, 1, "an earlier reading");
    let gone = Record::tombstone(SObject::Lead, id, at(30), Gone::Deleted);
    assert_eq!(land(4, 110, gone).await.deleted, 1);
    assert_eq!(land(5, 100, state(25, "Before the deletion")).await.unchanged, 1);
    assert_eq!(opened.records.one(SObject::Lead, id).await.unwrap(), None);
}

async fn f04_a_very_old_message_is_superseded(home: Home) {
    let case = Case::imported_at(home).await;
    let old = case.first().await;
    case.update(&case.leads[0], &json!({ "LastName": "Renamed" }));
    case.advance(3600);
    case.import("second").await;
    case.advance(14 * 86_400);
    let calls = case.world.control().requests().len();
    for step in 0..12 {
        for object in SObject::ALL {
            case.deliver(&case.step(old, object, step).await).await;
        }
    }
    let scope = case.world.connection().await.scope();
    let trigger = ImportTrigger::Connected;
    case.deliver(&Envelope::of(ImportMessage::Start { scope, run: old, trigger })).await;
    case.deliver(&Envelope::of(ImportMessage::HandOver { scope, run: old, step: 1 })).await;
    assert_eq!(case.world.control().requests().len(), calls, "Salesforce is not even asked");
    assert!(case.active().await.is_none());
    case.equals_the_org().await;
}

async fn f06_killed_after_the_commit_and_before_the_message_is_deleted(home: Home) {
    let case = Case::at(home).await;
    let run = case.first().await;
    case.until(run, SObject::Contact, landing).await;
    let before = case.objects(run).await[&SObject::Contact].clone();
    let message = case.step(run, SObject::Contact, before.step).await;
    case.deliver(&message).await;
    let committed = case.objects(run).await[&SObject::Contact].clone();
    case.deliver(&message).await;
    assert_eq!(case.objects(run).await[&SObject::Contact], committed);
    case.world.run().await;
    case.equals_the_org().await;
}

async fn f25_a_slot_that_fires_twice_or_late_is_one_run_and_the_schedule_goes_on(home: Home) {
    let case = Case::imported_at(home).await;
    let connection = case.world.connection().await;
    let ports = case.world.ports();
    let settings = ImportSettings::default();
    let slot = settings.next_slot(connection.slot_offset, ports.clock.now());
    let scope = connection.scope();
    let run = ImportRunId::derived(&format!("{scope}|slot|{slot}"));
    case.update(&case.leads[0], &json!({ "LastName": "Changed" }));
    // Late by 40 minutes, and twice.
    let late = slot.duration_since(ports.clock.now()) + SignedDuration::from_mins(40);
    case.advance(late.as_secs());
    let trigger = ImportTrigger::Scheduled;
    let fired = Envelope::of(ImportMessage::Start { scope, run, trigger });
    case.deliver(&fired).await;
    case.deliver(&fired).await;
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    case.equals_the_org().await;
    // The slot after it is planned once; nobody fires it, and the tick finds it.
    case.update(&case.leads[0], &json!({ "LastName": "Changed again" }));
    let next = settings.next_slot(connection.slot_offset, ports.clock.now());
    case.advance(next.duration_since(ports.clock.now()).as_secs() + 60);
    case.world.run().await;
    let missed = ImportRunId::derived(&format!("{scope}|slot|{next}"));
    assert_eq!(case.run(missed).await.unwrap().state, RunState::Complete);
    case.equals_the_org().await;
}

async fn f26_a_run_that_finds_another_one_under_way_steps_aside(home: Home) {
    let case = Case::at(home).await;
    let first = case.first().await;
    case.until(first, SObject::Contact, landing).await;
    // Thirteen hours, with signs of life.
    for _ in 0..13 {
        case.world.memory.clock.advance(SignedDuration::from_mins(60));
        let contacts = &case.objects(first).await[&SObject::Contact];
        let waiting = case.step(first, SObject::Contact, contacts.step + 7).await;
        case.deliver(&waiting).await;
    }
    let second = case.ask("second").await;
    let scope = case.world.connection().await.scope();
    let trigger = ImportTrigger::Requested;
    case.deliver(&Envelope::of(ImportMessage::Start { scope, run: second, trigger })).await;
    let aside = case.run(second).await.unwrap();
    assert_eq!((aside.state, aside.aside_of), (RunState::SteppedAside, Some(first)));
    assert!(case.objects(second).await.is_empty(), "never two cursors");
    case.world.run().await;
    assert_eq!(case.run(first).await.unwrap().state, RunState::Complete);
    case.equals_the_org().await;
}

async fn f27_a_dead_runs_lease_is_taken_over_and_its_zombie_moves_nothing(home: Home) {
    let case = Case::at(home).await;
    let dead = case.first().await;
    case.until(dead, SObject::Contact, landing).await;
    case.world.memory.lose_messages();
    let contacts = case.objects(dead).await[&SObject::Contact].clone();
    case.world.memory.clock.advance(SignedDuration::from_hours(3));
    let second = case.ask("second").await;
    let scope = case.world.connection().await.scope();
    let trigger = ImportTrigger::Requested;
    case.deliver(&Envelope::of(ImportMessage::Start { scope, run: second, trigger })).await;
    assert_eq!(case.active().await.unwrap().run, second);
    assert_eq!(case.run(dead).await.unwrap().state, RunState::Failed);
    // The zombie wakes: its step does nothing, and its watermark stays where it was.
    case.deliver(&case.step(dead, SObject::Contact, contacts.step).await).await;
    assert_eq!(case.objects(dead).await[&SObject::Contact], contacts);
    assert_eq!(case.watermark(SObject::Contact).await.unwrap().stamp, None);
    case.world.run().await;
    assert_eq!(case.run(second).await.unwrap().state, RunState::Complete);
    case.equals_the_org().await;
}

async fn f28_cursors_go_by_salesforces_clock_however_wrong_ours_is(home: Home) {
    for skew in [-15, 15] {
        let case = Case::imported_at(home).await;
        case.world.memory.clock.advance(SignedDuration::from_mins(skew));
        case.update(&case.leads[0], &json!({ "LastName": "Changed" }));
        case.import("second").await;
        let stamp = case.watermark(SObject::Lead).await.unwrap().stamp.unwrap();
        let theirs = case.world.control().now();
        let behind = theirs - (stamp + VISIBILITY_OVERLAP).as_millisecond();
        assert!((0..60_000).contains(&behind), "{behind} ms behind Salesforce's clock");
        case.equals_the_org().await;
    }
}

async fn f50_a_disconnect_stops_the_import_and_nothing_is_written_behind_the_fence(home: Home) {
    let case = Case::at(home).await;
    let run = case.first().await;
    case.until(run, SObject::Contact, landing).await;
    let contacts = case.objects(run).await[&SObject::Contact].clone();
    let scope = case.world.connection().await.scope();
    let zombie = case.step(run, SObject::Contact, contacts.step).await;
    case.world.functions.disconnect.disconnect(case.world.at(), &Actor::Service).await.unwrap();
    let calls = case.calls("/jobs/query");
    case.deliver(&zombie).await;
    assert_eq!(case.objects(run).await[&SObject::Contact], contacts, "no step after the fence");
    assert_eq!(case.calls("/jobs/query"), calls);
    case.world.run().await;
    case.deliver(&zombie).await;
    let purge = case.world.functions.disconnect.get(scope).await.unwrap().unwrap();
    assert_eq!(purge.phase, PurgePhase::Complete);
    assert!(purge.remaining.values().all(|n| *n == 0), "{:?}", purge.remaining);
}

async fn a_run_is_paused_goes_on_and_is_called_off(home: Home) {
    let case = Case::at(home).await;
    let (at, run) = (case.world.at(), case.first().await);
    let import = case.world.functions.import();
    case.until(run, SObject::Contact, landing).await;
    import.pause(at, run).await.unwrap();
    case.world.run().await;
    let paused = case.objects(run).await;
    assert!(landing(&paused[&SObject::Contact].phase), "{:?}", paused[&SObject::Contact]);
    let other = case.ask("other").await;
    case.world.run().await;
    assert_eq!(case.run(other).await.unwrap().aside_of, Some(run));
    import.resume(at, run).await.unwrap();
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    case.equals_the_org().await;
    assert!(import.cancel(at, run).await.is_err(), "it is over");
    case.create("Lead", &json!({ "LastName": "New", "Company": "New" }));
    let third = case.ask("third").await;
    case.until(third, SObject::Lead, |phase| matches!(phase, ObjectPhase::Deletions)).await;
    import.cancel(at, third).await.unwrap();
    case.world.run().await;
    assert_eq!(case.run(third).await.unwrap().state, RunState::Cancelled);
    case.advance(86_400);
    case.import("fourth").await;
    case.equals_the_org().await;
}

async fn the_schedule_follows_its_settings(home: Home) {
    let case = Case::imported_at(home).await;
    let (at, import) = (case.world.at(), case.world.functions.import());
    let often = ImportSettings { every_minutes: 15, ..ImportSettings::default() };
    assert!(
        import
            .change_settings(
                at,
                &ImportSettings { every_minutes: 1, ..often.clone() },
                &Actor::Service
            )
            .await
            .is_err()
    );
    import.change_settings(at, &often, &Actor::Service).await.unwrap();
    let scheduled = async || {
        let place = case.world.keys().await.runs();
        let runs = case.store().all(&place).await.unwrap();
        runs.iter().filter(|run| run.trigger == ImportTrigger::Scheduled).count()
    };
    let outbox = Outbox::new(case.world.ports());
    let quarter = async || {
        case.advance(900);
        outbox.tick().await.unwrap();
        for message in case.world.memory.receive() {
            case.world.deliver(&message.body).await;
        }
    };
    for _ in 0..8 {
        quarter().await;
    }
    let two_hours = scheduled().await;
    assert!((6..=8).contains(&two_hours), "{two_hours} runs in two hours");
    import
        .change_settings(at, &ImportSettings { schedule_paused: true, ..often }, &Actor::Service)
        .await
        .unwrap();
    for _ in 0..8 {
        quarter().await;
    }
    assert!(scheduled().await <= two_hours + 1, "a paused schedule begins nothing");
}

async fn why_a_record_is_gone_is_kept(home: Home) {
    let case = Case::imported_at(home).await;
    let control = case.world.control();
    let org = &case.world.org;
    let (deleted, master, loser) = (&case.leads[0], &case.leads[1], &case.leads[2]);
    control.delete(org, deleted).unwrap();
    control.merge(org, master, &[loser]).unwrap();
    control.hard_delete(org, &case.leads[3]).unwrap();
    case.advance(25 * 3600);
    case.import("second").await;
    let keys = case.world.keys().await;
    let gone = async |id: &str| {
        let key = keys.record(SObject::Lead, id.parse().unwrap());
        let head = case.store().read(&key).await.unwrap();
        head.unwrap().gone
    };
    assert_eq!(gone(deleted).await, Some(Gone::Deleted));
    assert_eq!(gone(loser).await, Some(Gone::Merged { into: master.parse().unwrap() }));
    assert_eq!(gone(&case.leads[3]).await, Some(Gone::Unseen));
    case.equals_the_org().await;
}
