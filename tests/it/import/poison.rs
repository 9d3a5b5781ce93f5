//! Messages whose work always fails: dead letters after as many tries as a queue makes, which harm
//! nobody else, and whose work is done once somebody who mended the mistake sends them again.

use shared::capabilities::importing::{ObjectPhase, RunState};
use shared::kernel::{ImportMessage, Message, Queue, SObject};
use shared::ports::MOST_RECEIVES;
use shared::testing::ParkedMessage;
use tests::Home;

use super::case::Case;

in_both_homes!(
    f08_a_poison_message_is_one_dead_letter_and_the_others_go_on,
    f09_a_redrive_after_a_bad_release_restores_everything,
);

fn of_contacts(message: &Message) -> bool {
    let contact = SObject::Contact;
    matches!(message, Message::Import(ImportMessage::Object { object, .. }) if *object == contact)
}

/// The only dead letter.
fn letter(case: &Case) -> ParkedMessage {
    let letters = case.world.memory.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    letters.into_iter().next().unwrap()
}

async fn f08_a_poison_message_is_one_dead_letter_and_the_others_go_on(home: Home) {
    let mut case = Case::at(home).await;
    case.world.defect = of_contacts;
    let run = case.first().await;
    case.world.run().await;
    let objects = case.objects(run).await;
    for object in [SObject::Account, SObject::Lead, SObject::Opportunity, SObject::User] {
        assert!(objects[&object].phase.is_terminal(), "{object}: {:?}", objects[&object].phase);
    }
    assert_eq!(objects[&SObject::Contact].phase, ObjectPhase::Waiting);
    assert_eq!(case.run(run).await.unwrap().state, RunState::Importing);
    // The tick brought the step again at its pauses: it is one letter all the same.
    let first = letter(&case);
    assert_eq!((first.message.queue, first.tries % MOST_RECEIVES), (Queue::Import, 0));

    // Sent again too early it fails once more, and is the same letter.
    assert_eq!(case.world.memory.redrive(Queue::Match).unwrap(), 0, "another queue's");
    assert_eq!(case.world.memory.redrive(Queue::Import).unwrap(), 1);
    assert!(case.world.memory.dead_letters().is_empty());
    case.world.run().await;
    assert_eq!(letter(&case).message, first.message);

    // Once it is mended, the letter is all that is needed: no tick comes to its help.
    case.world.defect = |_| false;
    assert_eq!(case.world.memory.redrive(Queue::Import).unwrap(), 1);
    for message in case.world.memory.receive() {
        case.world.deliver(&message.body).await;
    }
    assert_eq!(case.objects(run).await[&SObject::Contact].step, 1);
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    assert_eq!(case.world.memory.dead_letters(), []);
    case.equals_the_org().await;
}

async fn f09_a_redrive_after_a_bad_release_restores_everything(home: Home) {
    let mut case = Case::imported_at(home).await;
    let (changed, new) = (case.leads[0].clone(), "New since");
    case.update(&changed, &serde_json::json!({ "LastName": "Changed" }));
    case.create("Contact", &serde_json::json!({ "LastName": new }));
    case.advance(3600);
    case.world.defect = |_| true;
    let run = case.ask("bad release").await;
    case.world.run().await;
    let parked = case.world.memory.dead_letters();
    assert!(!parked.is_empty() && case.run(run).await.is_none(), "{parked:?}");

    case.world.defect = |_| false;
    let mut sent = 0;
    for queue in Queue::ALL {
        sent += case.world.memory.redrive(queue).unwrap();
    }
    assert_eq!(sent, parked.len());
    // The letters are all that is needed: no tick comes to their help.
    for message in case.world.memory.receive() {
        case.world.deliver(&message.body).await;
    }
    assert_eq!(case.run(run).await.unwrap().state, RunState::Importing);
    case.world.run().await;
    assert_eq!(case.run(run).await.unwrap().state, RunState::Complete);
    assert_eq!(case.world.memory.dead_letters(), []);
    case.equals_the_org().await;
}
