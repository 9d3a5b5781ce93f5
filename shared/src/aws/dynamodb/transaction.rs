//! All-or-nothing writes.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem, Update,
};

use super::expression::Placeholders;
use super::item;
use crate::aws::error::failed;
use crate::aws::pause::{ATTEMPTS, pause};
use crate::host::OsEntropy;
use crate::ports::{Entropy, Outcome, PortError, Write};

const ACTION: &str = "write a transaction";

/// Why DynamoDB cancelled a transaction, when no condition was at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Cancelled {
    /// Others were writing the same items, or too much was being written.
    #[error("the transaction met others or a throttle at every attempt")]
    Contended,
    /// A write that can never be done.
    #[error("the transaction holds a write that the table refuses: {0}")]
    Invalid(&'static str),
}

pub(super) async fn write(
    client: &Client,
    table: &str,
    writes: Vec<Write>,
) -> Result<Outcome, PortError> {
    if writes.is_empty() {
        return Ok(Outcome::Done);
    }
    let entries: Vec<TransactWriteItem> = writes
        .into_iter()
        .map(|write| entry(table, write))
        .collect::<Result<_, _>>()
        .map_err(|error| PortError::reject(ACTION, error))?;
    let mut token = new_token();
    for attempt in 0..ATTEMPTS {
        let sent = client
            .transact_write_items()
            .set_transact_items(Some(entries.clone()))
            .client_request_token(&token)
            .send()
            .await;
        let Err(error) = sent else { return Ok(Outcome::Done) };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                match verdict(cancelled.cancellation_reasons()) {
                    Ok(outcome) => return Ok(outcome),
                    Err(Cancelled::Contended) => token = new_token(),
                    Err(invalid) => return Err(PortError::reject(ACTION, invalid)),
                }
            }
            // Our own earlier attempt is still at work: the same token asks for its outcome.
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => {}
            _ => return Err(failed(ACTION, &error)),
        }
        pause(attempt).await;
    }
    Err(PortError::retry(ACTION, Cancelled::Contended))
}

/// A refused condition decides: the transaction could not have been done, whatever else it met.
fn verdict(reasons: &[CancellationReason]) -> Result<Outcome, Cancelled> {
    let code = |reason: &CancellationReason| reason.code().unwrap_or("None").to_owned();
    let refused: Vec<usize> =
        (0..reasons.len()).filter(|i| code(&reasons[*i]) == "ConditionalCheckFailed").collect();
    if !refused.is_empty() {
        return Ok(Outcome::Refused(refused));
    }
    if reasons.iter().any(|reason| code(reason) == "ValidationError") {
        return Err(Cancelled::Invalid("not valid"));
    }
    if reasons.iter().any(|reason| code(reason) == "ItemCollectionSizeLimitExceeded") {
        return Err(Cancelled::Invalid("too large"));
    }
    if reasons.iter().any(|reason| code(reason) == "AccessDenied") {
        return Err(Cancelled::Invalid("not allowed"));
    }
    Err(Cancelled::Contended)
}

fn new_token() -> String {
    format!("{:032x}", OsEntropy.bits())
}

fn entry(table: &str, write: Write) -> Result<TransactWriteItem, BuildError> {
    let entry = TransactWriteItem::builder();
    let mut placeholders = Placeholders::default();
    let entry = match write {
        Write::Put { item, when } => {
            let put = Put::builder()
                .table_name(table)
                .set_item(Some(item::to_attributes(item)))
                .set_condition_expression(placeholders.condition(&when))
                .set_expression_attribute_names(placeholders.names())
                .set_expression_attribute_values(placeholders.values());
            entry.put(put.build()?)
        }
        Write::Update { key, changes, when } => {
            let changes = placeholders.changes(changes);
            let update = Update::builder()
                .table_name(table)
                .set_key(Some(item::key_attributes(&key)))
                .update_expression(changes)
                .set_condition_expression(placeholders.condition(&when))
                .set_expression_attribute_names(placeholders.names())
                .set_expression_attribute_values(placeholders.values());
            entry.update(update.build()?)
        }
        Write::Delete { key, when } => {
            let delete = Delete::builder()
                .table_name(table)
                .set_key(Some(item::key_attributes(&key)))
                .set_condition_expression(placeholders.condition(&when))
                .set_expression_attribute_names(placeholders.names())
                .set_expression_attribute_values(placeholders.values());
            entry.delete(delete.build()?)
        }
        Write::Check { key, when } => {
            let check = ConditionCheck::builder()
                .table_name(table)
                .set_key(Some(item::key_attributes(&key)))
                .condition_expression(placeholders.check(&when))
                .set_expression_attribute_names(placeholders.names())
                .set_expression_attribute_values(placeholders.values());
            entry.condition_check(check.build()?)
        }
    };
    Ok(entry.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
    }

    #[test]
    fn a_refused_condition_decides_over_a_conflict() {
        let mixed = reasons(&["None", "ConditionalCheckFailed", "TransactionConflict"]);
        assert_eq!(verdict(&mixed), Ok(Outcome::Refused(vec![1])));
    }

    #[test]
    fn conflicts_and_throttles_are_tried_again_and_invalid_writes_are_not() {
        assert_eq!(verdict(&reasons(&["TransactionConflict"])), Err(Cancelled::Contended));
        assert_eq!(verdict(&reasons(&["None", "ThrottlingError"])), Err(Cancelled::Contended));
        let invalid = verdict(&reasons(&["ValidationError", "TransactionConflict"]));
        assert_eq!(invalid, Err(Cancelled::Invalid("not valid")));
    }
}
