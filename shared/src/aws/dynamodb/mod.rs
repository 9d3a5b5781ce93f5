//! The table on DynamoDB.
//!
//! A call that failed without an answer may have happened. Repeating it must then not be mistaken
//! for somebody else's write: writes that may be repeated as they are go to the SDK, which repeats
//! them; conditional puts are told from others' by the item they left; everything else goes as a
//! transaction with a token, which DynamoDB does once however often it is sent.

mod batch;
mod expression;
mod item;
mod transaction;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use super::error::{AwsError, failed};
use super::once;
use super::pause::{ATTEMPTS, pause};
use crate::ports::{
    Change, Condition, Disposition, Item, Key, Outcome, Page, PortError, Range, Table, Write,
};
use expression::Placeholders;

/// The port [`Table`] on one DynamoDB table with the keys `pk` and `sk` (text) and the
/// time-to-live attribute `expires_at`.
#[derive(Debug, Clone)]
pub struct DynamoTable {
    client: Client,
    /// Sends once: for calls whose repetition has to be judged here.
    once: Client,
    name: String,
}

impl DynamoTable {
    /// The table of this name.
    #[must_use]
    pub fn new(sdk: &SdkConfig, name: impl Into<String>) -> Self {
        let config = aws_sdk_dynamodb::config::Builder::from(sdk);
        Self {
            client: Client::from_conf(config.clone().build()),
            once: Client::from_conf(config.retry_config(once()).build()),
            name: name.into(),
        }
    }

    async fn put(&self, item: Item) -> Result<Outcome, PortError> {
        let put = self.client.put_item().table_name(&self.name);
        match put.set_item(Some(item::to_attributes(item))).send().await {
            Ok(_) => Ok(Outcome::Done),
            Err(error) => Err(failed("put an item", &error)),
        }
    }

    async fn put_if(&self, item: Item, when: &Condition) -> Result<Outcome, PortError> {
        let wanted = item::to_attributes(item);
        let mut placeholders = Placeholders::default();
        let condition = placeholders.condition(when);
        let put = self
            .once
            .put_item()
            .table_name(&self.name)
            .set_item(Some(wanted.clone()))
            .set_condition_expression(condition)
            .set_expression_attribute_names(placeholders.names())
            .set_expression_attribute_values(placeholders.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut uncertain = false;
        let mut attempt = 0;
        loop {
            let Err(error) = put.clone().send().await else { return Ok(Outcome::Done) };
            if let Some(PutItemError::ConditionalCheckFailedException(refusal)) =
                error.as_service_error()
            {
                // Refused because of the item that an earlier attempt of ours left.
                let ours = uncertain && refusal.item() == Some(&wanted);
                return Ok(if ours { Outcome::Done } else { Outcome::Refused(vec![0]) });
            }
            let error = AwsError::of(&error);
            attempt += 1;
            if error.disposition() == Disposition::Reject || attempt == ATTEMPTS {
                return Err(error.doing("put an item"));
            }
            uncertain |= error.may_have_happened();
            pause(attempt).await;
        }
    }

    async fn update(
        &self,
        key: &Key,
        changes: Vec<Change>,
        when: &Condition,
    ) -> Result<Outcome, PortError> {
        let mut placeholders = Placeholders::default();
        let changes = placeholders.changes(changes);
        let condition = placeholders.condition(when);
        let updated = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item::key_attributes(key)))
            .update_expression(changes)
            .set_condition_expression(condition)
            .set_expression_attribute_names(placeholders.names())
            .set_expression_attribute_values(placeholders.values())
            .send()
            .await;
        match updated {
            Ok(_) => Ok(Outcome::Done),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => {
                    Ok(Outcome::Refused(vec![0]))
                }
                _ => Err(failed("update an item", &error)),
            },
        }
    }

    async fn delete(&self, key: &Key) -> Result<Outcome, PortError> {
        let delete = self.client.delete_item().table_name(&self.name);
        match delete.set_key(Some(item::key_attributes(key))).send().await {
            Ok(_) => Ok(Outcome::Done),
            Err(error) => Err(failed("delete an item", &error)),
        }
    }
}

/// Where a query begins. A start outside the range is an error for `DynamoDB`, but simply all or
/// nothing for the port.
#[derive(Debug, PartialEq, Eq)]
enum Start<'a> {
    AtTheFirst,
    After(&'a str),
    /// Nothing of the range follows.
    Past,
}

impl<'a> Start<'a> {
    fn of(range: &Range, after: Option<&'a str>) -> Self {
        match (range, after) {
            (_, None) => Self::AtTheFirst,
            (Range::Prefix(prefix), Some(after)) if !after.starts_with(prefix.as_str()) => {
                if after < prefix.as_str() { Self::AtTheFirst } else { Self::Past }
            }
            (Range::UpTo(last), Some(after)) if after >= last.as_str() => Self::Past,
            (_, Some(after)) => Self::After(after),
        }
    }
}

#[async_trait]
impl Table for DynamoTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, PortError> {
        let got = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item::key_attributes(key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| failed("get an item", &error))?;
        got.item.map(item::to_item).transpose()
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, PortError> {
        batch::get(&self.client, &self.name, keys).await
    }

    async fn query(
        &self,
        pk: &str,
        range: &Range,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, PortError> {
        let start = match Start::of(range, after) {
            Start::AtTheFirst => None,
            Start::After(sk) => {
                Some(item::key_attributes(&Key::stored(pk.to_owned(), sk.to_owned())))
            }
            Start::Past => return Ok(Page { items: Vec::new(), next: None }),
        };
        let mut placeholders = Placeholders::default();
        let condition = placeholders.sort_keys(pk, range);
        let got = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression(condition)
            .set_expression_attribute_values(placeholders.values())
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX).max(1))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| failed("query items", &error))?;
        let next = got.last_evaluated_key.map(item::to_key).transpose()?;
        let items = got
            .items
            .unwrap_or_default()
            .into_iter()
            .map(item::to_item)
            .collect::<Result<_, _>>()?;
        Ok(Page { items, next: next.map(|key| key.sk().to_owned()) })
    }

    async fn write(&self, write: Write) -> Result<Outcome, PortError> {
        let is_repeatable = write.is_repeatable();
        match write {
            Write::Put { item, when: Condition::Always } => self.put(item).await,
            Write::Put { item, when } => self.put_if(item, &when).await,
            Write::Delete { key, .. } if is_repeatable => self.delete(&key).await,
            Write::Update { key, changes, when } if is_repeatable => {
                self.update(&key, changes, &when).await
            }
            other => self.transact(vec![other]).await,
        }
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Outcome, PortError> {
        transaction::write(&self.client, &self.name, writes).await
    }

    async fn put_many(&self, items: Vec<Item>) -> Result<(), PortError> {
        batch::put(&self.client, &self.name, items).await
    }

    async fn delete_many(&self, keys: &[Key]) -> Result<(), PortError> {
        batch::delete(&self.client, &self.name, keys).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_outside_the_range_reads_all_or_nothing() {
        let prefix = Range::Prefix("b#".to_owned());
        assert_eq!(Start::of(&prefix, Some("a")), Start::AtTheFirst);
        assert_eq!(Start::of(&prefix, Some("b#1")), Start::After("b#1"));
        assert_eq!(Start::of(&prefix, Some("c")), Start::Past);
        let up_to = Range::UpTo("b".to_owned());
        assert_eq!(Start::of(&up_to, Some("a")), Start::After("a"));
        assert_eq!(Start::of(&up_to, Some("b")), Start::Past);
        assert_eq!(Start::of(&Range::All, None), Start::AtTheFirst);
    }
}
