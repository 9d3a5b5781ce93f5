//! The process's own figures, in the text that Prometheus reads.

use std::collections::BTreeMap;

/// Messages of a queue, by the label `state`.
const MESSAGES: &str = "crm_sync_queue_messages";
/// Messages that failed for good, by queue.
const DEAD: &str = "crm_sync_dead_letters";
const QUEUE: &str = "queue";

/// How many messages each queue holds, whatever they are at.
pub(crate) fn under_way(text: &str) -> Vec<(String, u64)> {
    by_queue(text, MESSAGES).into_iter().collect()
}

/// The queues with messages that failed for good, and how many.
pub(crate) fn parked(text: &str) -> Vec<(String, u64)> {
    by_queue(text, DEAD).into_iter().filter(|(_, messages)| *messages > 0).collect()
}

fn by_queue(text: &str, metric: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (queue, messages) in text.lines().filter_map(|line| sample(line, metric)) {
        *sums.entry(queue).or_default() += messages;
    }
    sums
}

/// A line such as `name{queue="import",state="waiting"} 3`: its queue and value.
fn sample(line: &str, metric: &str) -> Option<(String, u64)> {
    let (labels, value) = line.strip_prefix(metric)?.strip_prefix('{')?.rsplit_once('}')?;
    let queue = labels.split(',').find_map(|label| {
        let (name, value) = label.split_once('=')?;
        (name.trim() == QUEUE).then(|| value.trim_matches('"').to_owned())
    })?;
    // Whole numbers may be written as decimals.
    let value = value.trim();
    let whole = value.split_once('.').map_or(value, |(whole, _)| whole);
    Some((queue, whole.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# HELP crm_sync_queue_messages Messages.
# TYPE crm_sync_queue_messages gauge
crm_sync_queue_messages{queue=\"import\",state=\"waiting\"} 3
crm_sync_queue_messages{state=\"in_work\",queue=\"import\"} 1.0
crm_sync_queue_messages{queue=\"match\",state=\"waiting\"} 0
crm_sync_queue_messages_total{queue=\"match\"} 7
crm_sync_dead_letters{queue=\"import\"} 0
crm_sync_dead_letters{queue=\"match\"} 2
";

    #[test]
    fn messages_are_added_up_by_queue() {
        let expected = [("import".to_owned(), 4), ("match".to_owned(), 0)];
        assert_eq!(under_way(TEXT), expected);
        assert_eq!(parked(TEXT), [("match".to_owned(), 2)]);
    }
}
