//! The process's own figures, in the text that Prometheus reads.

use std::collections::BTreeMap;

/// Messages by the labels `queue` and `state`.
const MESSAGES: &str = "crm_sync_queue_messages";
/// The state of messages that failed for good.
const DEAD: &str = "dead";

/// How many messages each queue holds that wait or are worked on.
pub(crate) fn under_way(text: &str) -> Vec<(String, u64)> {
    by_queue(text, |state| state != DEAD).into_iter().collect()
}

/// The queues with messages that failed for good, and how many.
pub(crate) fn parked(text: &str) -> Vec<(String, u64)> {
    by_queue(text, |state| state == DEAD)
        .into_iter()
        .filter(|(_, messages)| *messages > 0)
        .collect()
}

fn by_queue(text: &str, counts: impl Fn(&str) -> bool) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for line in text.lines() {
        if let Some((queue, state, messages)) = sample(line)
            && counts(state)
        {
            *sums.entry(queue.to_owned()).or_default() += messages;
        }
    }
    sums
}

/// The queue, state and count of a line such as
/// `crm_sync_queue_messages{queue="import",state="visible"} 3`.
fn sample(line: &str) -> Option<(&str, &str, u64)> {
    let (labels, value) = line.strip_prefix(MESSAGES)?.strip_prefix('{')?.rsplit_once('}')?;
    let label = |wanted: &str| {
        let labels = labels.split(',').filter_map(|label| label.split_once('='));
        labels
            .map(|(name, value)| (name, value.trim_matches('"')))
            .find(|(name, _)| *name == wanted)
    };
    // A whole number may be written as a decimal.
    let value = value.trim();
    let whole = value.split_once('.').map_or(value, |(whole, _)| whole);
    Some((label("queue")?.1, label("state")?.1, whole.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# HELP crm_sync_queue_messages Messages in a queue by their state.
# TYPE crm_sync_queue_messages gauge
crm_sync_queue_messages{queue=\"import\",state=\"visible\"} 3
crm_sync_queue_messages{state=\"in_flight\",queue=\"import\"} 1.0
crm_sync_queue_messages{queue=\"import\",state=\"dead\"} 0
crm_sync_queue_messages{queue=\"match\",state=\"visible\"} 0
crm_sync_queue_messages{queue=\"match\",state=\"dead\"} 2
crm_sync_messages_total{kind=\"match\",outcome=\"finished\"} 7
";

    #[test]
    fn messages_are_added_up_by_queue_and_the_dead_ones_apart() {
        let expected = [("import".to_owned(), 4), ("match".to_owned(), 0)];
        assert_eq!(under_way(TEXT), expected);
        assert_eq!(parked(TEXT), [("match".to_owned(), 2)]);
    }
}
