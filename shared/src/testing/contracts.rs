//! The promises of every implementation of a port: run on the ports in memory by this crate's own
//! tests, and on the emulator of AWS by the crate `tests`.
//!
//! A contract panics at the first promise that is not kept. Each one takes a `place`, a prefix that
//! no other run uses, so that all may run at once on one store.

#![expect(clippy::unwrap_used, reason = "a broken promise is a panic")]
#![expect(clippy::missing_panics_doc, reason = "panicking is what a contract does")]

mod bodies;
mod data_keys;
mod objects;
mod queues;
mod secrets;
mod table;

pub use bodies::bodies;
pub use data_keys::data_keys;
pub use objects::objects;
pub use queues::{Received, queues};
pub use secrets::secrets;
pub use table::{conditions, many_items, queries, table, transactions};

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::testing::Memory;

    fn memory() -> Memory {
        Memory::new(Timestamp::from_second(1_795_288_123).unwrap(), 7)
    }

    #[tokio::test]
    async fn the_table_in_memory_keeps_the_contract() {
        table(&memory(), "t").await;
        conditions(&memory(), "t").await;
        transactions(&memory(), "t").await;
        queries(&memory(), "t").await;
        many_items(&memory(), "t").await;
    }

    #[tokio::test]
    async fn the_queues_in_memory_keep_the_contract() {
        let memory = memory();
        queues(&memory, "q", |_| {
            memory.clock.advance(SignedDuration::from_secs(5));
            let messages = memory.receive().into_iter();
            let messages = messages.map(|m| Received { body: m.body, group: m.group }).collect();
            std::future::ready(messages)
        })
        .await;
    }

    #[tokio::test]
    async fn the_objects_in_memory_keep_the_contract() {
        objects(&memory(), "o/").await;
        bodies(Arc::new(memory()), "bodies").await;
    }

    #[tokio::test]
    async fn the_secrets_in_memory_keep_the_contract() {
        secrets(&memory(), "s").await;
    }

    #[tokio::test]
    async fn the_data_keys_in_memory_keep_the_contract() {
        data_keys(&*Arc::new(memory()), "k").await;
    }
}
