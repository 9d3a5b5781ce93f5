//! From messages to steps of a purge, and to the upkeep of connections.

use shared::capabilities::connecting::Care;
use shared::capabilities::leaving::Disconnect;
use shared::capabilities::telling::Telling;
use shared::kernel::Message;
use shared::lambda::{Error, SqsBatchResponse, SqsEvent, each_message};
use shared::store::Outbox;
use shared::work::WorkError;

pub(crate) async fn handle(
    event: SqsEvent,
    outbox: &Outbox,
    disconnect: &Disconnect,
    care: &Care,
    telling: &Telling,
) -> Result<SqsBatchResponse, Error> {
    let handle = async |message| match message {
        Message::Purge(message) => disconnect.handle(message).await,
        Message::Care(message) => care.handle(message).await,
        Message::Telling(message) => telling.handle(message).await,
        other => Err(WorkError::reject("work off the purge queue", other.kind())),
    };
    Ok(each_message(event, outbox, handle).await)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use shared::capabilities::connecting::Upkeep;
    use shared::capabilities::custody::{Custody, SalesforceApp};
    use shared::capabilities::importing::Previews;
    use shared::salesforce::{ApiVersion, Http, HttpOptions};
    use shared::testing::Memory;

    use super::*;

    #[tokio::test]
    async fn a_message_of_a_purge_that_is_not_known_is_finished() {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let ports = memory.ports();
        let outbox = Outbox::new(ports.clone());
        let custody = Custody::new(ports.clone(), "test/".to_owned());
        let app = SalesforceApp::new(
            ports.clone(),
            Http::new(HttpOptions::default()).unwrap(),
            ApiVersion::default(),
            "app".to_owned(),
            "https://crm-sync.example.com".parse().unwrap(),
            None,
        );
        let grace = std::time::Duration::ZERO;
        let disconnect = Disconnect::new(ports.clone(), custody.clone(), app.clone(), grace);
        let previews = Previews::new(ports.clone(), custody.clone(), app.clone());
        let upkeep = Upkeep::new(ports.clone(), custody, app, disconnect.clone());
        let (care, telling) = (Care::new(upkeep, previews), Telling::new(ports));
        let event = include_str!("../../../events/data-purge.purge.json");
        let event = serde_json::from_str(event).unwrap();
        let response = handle(event, &outbox, &disconnect, &care, &telling).await.unwrap();
        assert!(response.batch_item_failures.is_empty());
        assert!(memory.receive().is_empty());
    }
}
