//! From messages to steps of a purge, and to the upkeep of connections.

use shared::capabilities::connecting::Upkeep;
use shared::capabilities::leaving::Disconnect;
use shared::kernel::Message;
use shared::lambda::{Error, SqsBatchResponse, SqsEvent, each_message};
use shared::store::Outbox;

pub(crate) async fn handle(
    event: SqsEvent,
    outbox: &Outbox,
    disconnect: &Disconnect,
    upkeep: &Upkeep,
) -> Result<SqsBatchResponse, Error> {
    let handle = async |message| match message {
        Message::Purge { .. } | Message::Revoke { .. } => disconnect.handle(message).await,
        other => upkeep.handle(other).await,
    };
    Ok(each_message(event, outbox, handle).await)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use shared::capabilities::custody::{Custody, SalesforceApp};
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
        let upkeep = Upkeep::new(ports, custody, app, disconnect.clone());
        let event = include_str!("../../../events/data-purge.purge.json");
        let event = serde_json::from_str(event).unwrap();
        let response = handle(event, &outbox, &disconnect, &upkeep).await.unwrap();
        assert!(response.batch_item_failures.is_empty());
        assert!(memory.receive().is_empty());
    }
}
