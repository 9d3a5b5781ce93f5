//! Reads and writes of any number of items, in the pieces that DynamoDB takes, until nothing is
//! left unprocessed. A call that is refused as a whole since the table is too busy is one of which
//! everything was left.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{DeleteRequest, KeysAndAttributes, PutRequest, WriteRequest};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::item::{self, Attributes};
use crate::aws::error::{AwsError, failed};
use crate::aws::pause::{ATTEMPTS, pause};
use crate::ports::{Item, Key, PortError};

/// The most keys of one `BatchGetItem`.
const READ_CHUNK: usize = 100;

/// The most requests of one `BatchWriteItem`.
const WRITE_CHUNK: usize = 25;

/// How many calls of one batch are under way at once.
const CONCURRENT_CALLS: usize = 4;

const READ: &str = "get items";
const WRITE: &str = "write items";

pub(super) async fn get(
    client: &Client,
    table: &str,
    keys: &[Key],
) -> Result<Vec<Item>, PortError> {
    // One call may not name a key twice.
    let keys: Vec<&Key> = keys.iter().collect::<BTreeSet<_>>().into_iter().collect();
    let chunks: Vec<Vec<Attributes>> = keys
        .chunks(READ_CHUNK)
        .map(|chunk| chunk.iter().map(|key| item::key_attributes(key)).collect())
        .collect();
    let read: Vec<Vec<Item>> = stream::iter(chunks)
        .map(|chunk| get_chunk(client, table, chunk))
        .buffered(CONCURRENT_CALLS)
        .try_collect()
        .await?;
    Ok(read.into_iter().flatten().collect())
}

async fn get_chunk(
    client: &Client,
    table: &str,
    mut keys: Vec<Attributes>,
) -> Result<Vec<Item>, PortError> {
    let mut found = Vec::with_capacity(keys.len());
    let mut attempt = 0;
    loop {
        let asked = keys.len();
        let request =
            KeysAndAttributes::builder().set_keys(Some(keys.clone())).consistent_read(true);
        let request = request.build().map_err(|error| PortError::reject(READ, error))?;
        let got = match client.batch_get_item().request_items(table, request).send().await {
            Ok(got) => got,
            Err(error) if AwsError::of(&error).is_throttle() => {
                attempt = next_attempt(attempt, asked, asked, READ)?;
                pause(attempt).await;
                continue;
            }
            Err(error) => return Err(failed(READ, &error)),
        };
        for items in got.responses.unwrap_or_default().into_values() {
            for attributes in items {
                found.push(item::to_item(attributes)?);
            }
        }
        keys = got.unprocessed_keys.unwrap_or_default().remove(table).map_or(vec![], |k| k.keys);
        if keys.is_empty() {
            return Ok(found);
        }
        // An answer is cut at 16 MB: as long as it moves on, it is no failure.
        attempt = next_attempt(attempt, asked, keys.len(), READ)?;
        pause(attempt).await;
    }
}

/// The number of the next attempt, counted anew whenever something was done.
fn next_attempt(
    attempt: u32,
    asked: usize,
    left: usize,
    action: &'static str,
) -> Result<u32, PortError> {
    match attempt {
        _ if left < asked => Ok(0),
        last if last + 1 >= ATTEMPTS => Err(AwsError::Unprocessed { left }.doing(action)),
        _ => Ok(attempt + 1),
    }
}

pub(super) async fn put(client: &Client, table: &str, items: Vec<Item>) -> Result<(), PortError> {
    // One call may not write an item twice; the last of several is meant.
    let items: BTreeMap<Key, Item> = items.into_iter().map(|i| (i.key.clone(), i)).collect();
    let requests = items.into_values().map(|item| {
        let put = PutRequest::builder().set_item(Some(item::to_attributes(item))).build()?;
        Ok(WriteRequest::builder().put_request(put).build())
    });
    write(client, table, requests).await
}

pub(super) async fn delete(client: &Client, table: &str, keys: &[Key]) -> Result<(), PortError> {
    let requests = keys.iter().collect::<BTreeSet<_>>().into_iter().map(|key| {
        let delete = DeleteRequest::builder().set_key(Some(item::key_attributes(key))).build()?;
        Ok(WriteRequest::builder().delete_request(delete).build())
    });
    write(client, table, requests).await
}

async fn write(
    client: &Client,
    table: &str,
    requests: impl Iterator<Item = Result<WriteRequest, BuildError>>,
) -> Result<(), PortError> {
    let requests: Vec<WriteRequest> =
        requests.collect::<Result<_, _>>().map_err(|error| PortError::reject(WRITE, error))?;
    let chunks: Vec<Vec<WriteRequest>> = requests.chunks(WRITE_CHUNK).map(<[_]>::to_vec).collect();
    stream::iter(chunks)
        .map(|chunk| write_chunk(client, table, chunk))
        .buffer_unordered(CONCURRENT_CALLS)
        .try_collect()
        .await
}

async fn write_chunk(
    client: &Client,
    table: &str,
    mut requests: Vec<WriteRequest>,
) -> Result<(), PortError> {
    let mut attempt = 0;
    loop {
        let asked = requests.len();
        let sent = HashMap::from([(table.to_owned(), requests.clone())]);
        let wrote = match client.batch_write_item().set_request_items(Some(sent)).send().await {
            Ok(wrote) => wrote,
            Err(error) if AwsError::of(&error).is_throttle() => {
                attempt = next_attempt(attempt, asked, asked, WRITE)?;
                pause(attempt).await;
                continue;
            }
            Err(error) => return Err(failed(WRITE, &error)),
        };
        requests = wrote.unprocessed_items.unwrap_or_default().remove(table).unwrap_or_default();
        if requests.is_empty() {
            return Ok(());
        }
        attempt = next_attempt(attempt, asked, requests.len(), WRITE)?;
        pause(attempt).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_anew_while_a_batch_moves_on() {
        assert_eq!(next_attempt(5, 25, 24, READ).unwrap(), 0);
        assert_eq!(next_attempt(5, 25, 25, READ).unwrap(), 6);
        assert!(next_attempt(ATTEMPTS - 1, 25, 25, READ).is_err());
    }
}
