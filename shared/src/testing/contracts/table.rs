//! The contract of [`Table`].

use serde_json::{Value, json};

use crate::ports::{Change, Condition, Item, Key, Outcome, Range, Table, Write};

fn key(place: &str, sk: &str) -> Key {
    Key::stored(format!("CONTRACT#{place}"), sk.to_owned())
}

fn item(key: Key, doc: Value) -> Item {
    let Value::Object(doc) = doc else { panic!("a document is an object") };
    Item { key, doc, body: None, expires_at: None }
}

fn put(item: Item, when: Condition) -> Write {
    Write::Put { item, when }
}

/// Items come back as they were put, and change attribute by attribute.
pub async fn table(table: &dyn Table, place: &str) {
    items_come_back(table, place).await;
    updates_change_single_attributes(table, place).await;
}

async fn items_come_back(table: &dyn Table, place: &str) {
    let place = &format!("{place}-items");
    let doc = json!({
        "text": "a \"quoted\" text, ümläut, 名前, \u{1F600}", "empty": "", "null": null,
        "yes": true, "no": false, "small": 0.1, "negative": -7, "high": u64::MAX, "low": i64::MIN,
        "list": [1, "two", [3], {"four": 4}], "map": {"a": {"b": []}, "c": {}},
        "body": "the document's own", "expires_at": "2026-11-21T21:00:00Z", "pk": 1, "name": "n",
    });
    let mut whole = item(key(place, "whole"), doc);
    whole.body = Some(vec![0, 1, 2, 255]);
    whole.expires_at = Some(4_102_444_800);
    assert_eq!(table.get(&whole.key).await.unwrap(), None);
    assert!(table.write(put(whole.clone(), Condition::Always)).await.unwrap().is_done());
    assert_eq!(table.get(&whole.key).await.unwrap(), Some(whole.clone()));

    let bare = item(whole.key.clone(), json!({}));
    assert!(table.write(put(bare.clone(), Condition::Always)).await.unwrap().is_done());
    assert_eq!(table.get(&bare.key).await.unwrap(), Some(bare.clone()), "a put replaces it whole");

    let delete = || Write::Delete { key: bare.key.clone(), when: Condition::Always };
    assert!(table.write(delete()).await.unwrap().is_done());
    assert_eq!(table.get(&bare.key).await.unwrap(), None);
    assert!(table.write(delete()).await.unwrap().is_done(), "deleting nothing is no error");
}

async fn updates_change_single_attributes(table: &dyn Table, place: &str) {
    let key = key(&format!("{place}-updates"), "counter");
    let update = |changes, when| Write::Update { key: key.clone(), changes, when };
    let add = update(vec![Change::Add("n", 2)], Condition::Always);
    assert!(table.write(add.clone()).await.unwrap().is_done(), "an absent item counts as empty");
    assert!(table.write(add).await.unwrap().is_done());
    let changes = vec![
        Change::Set("state", json!({"at": ["x"]})),
        Change::Set("gone", json!(1)),
        Change::Set("body", json!("the document's own")),
        Change::Body(vec![9]),
        Change::Add("m", -1),
        Change::Until(4_102_444_800),
    ];
    assert!(table.write(update(changes, Condition::Exists)).await.unwrap().is_done());
    let changes = vec![Change::Remove("gone"), Change::Remove("never")];
    assert!(table.write(update(changes, Condition::Exists)).await.unwrap().is_done());
    let expected = json!({"n": 4, "m": -1, "state": {"at": ["x"]}, "body": "the document's own"});
    let mut expected = item(key.clone(), expected);
    expected.body = Some(vec![9]);
    expected.expires_at = Some(4_102_444_800);
    assert_eq!(table.get(&key).await.unwrap(), Some(expected));
    let changes = vec![Change::Set("a", json!(1))];
    let absent = Write::Update {
        key: Key::stored(key.pk().to_owned(), "absent".to_owned()),
        changes,
        when: Condition::Exists,
    };
    assert_eq!(table.write(absent).await.unwrap(), Outcome::Refused(vec![0]));
}

/// Every condition, met and unmet, on an item and on none; with each kind of write.
pub async fn conditions(table: &dyn Table, place: &str) {
    let place = &format!("{place}-conditions");
    let there = item(key(place, "there"), json!({"n": 5, "s": "b", "null": null}));
    assert!(table.write(put(there.clone(), Condition::Always)).await.unwrap().is_done());
    let no_item = key(place, "absent");
    for (when, on_item, on_none) in truths() {
        for (key, holds) in [(&there.key, on_item), (&no_item, on_none)] {
            let expected = if holds { Outcome::Done } else { Outcome::Refused(vec![0]) };
            let check = Write::Check { key: key.clone(), when: when.clone() };
            let outcome = table.transact(vec![check]).await.unwrap();
            assert_eq!(outcome, expected, "{when:?} on {}", key.sk());
        }
    }
    refused_writes_change_nothing(table, place, &there).await;
    each_write_has_a_condition_of_its_own(table, place).await;
    transactions_are_done_in_order_up_to_the_first_that_is_refused(table, place).await;
}

/// Each transaction is whole or nothing, sees those before it, and ends those behind it by its
/// refusal.
async fn transactions_are_done_in_order_up_to_the_first_that_is_refused(
    table: &dyn Table,
    place: &str,
) {
    let [door, one, two, three] =
        ["door", "one", "two", "three"].map(|name| key(place, &format!("order-{name}")));
    let new = |key: &Key| put(item(key.clone(), json!({"n": 1})), Condition::Absent);
    let open = |key: &Key| Write::Check { key: key.clone(), when: Condition::Exists };
    let shut = Write::Delete { key: door.clone(), when: Condition::Exists };
    let done = table
        .transact_each(vec![
            vec![new(&door)],
            vec![open(&door), new(&one)],
            vec![shut],
            vec![new(&two), open(&door)],
            vec![new(&three)],
        ])
        .await
        .unwrap();
    assert_eq!(done[..3], [Outcome::Done, Outcome::Done, Outcome::Done]);
    assert_eq!(done[3..], [Outcome::Refused(vec![1])], "those behind it were not come to");
    for (key, is_there) in [(door, false), (one, true), (two, false), (three, false)] {
        assert_eq!(table.get(&key).await.unwrap().is_some(), is_there, "{}", key.sk());
    }
    assert_eq!(table.transact_each(Vec::new()).await.unwrap(), []);
}

/// Of writes that share nothing, each is done or refused by itself.
async fn each_write_has_a_condition_of_its_own(table: &dyn Table, place: &str) {
    let keys: Vec<Key> = (0..40).map(|n| key(place, &format!("each-{n:02}"))).collect();
    for held in keys.iter().step_by(3) {
        let old = item(held.clone(), json!({"n": 1}));
        assert!(table.write(put(old, Condition::Always)).await.unwrap().is_done());
    }
    let new = |key: &Key| put(item(key.clone(), json!({"n": 2})), Condition::Absent);
    let writes = keys.iter().map(new).collect();
    let outcomes = table.write_each(writes).await.unwrap();
    assert_eq!(outcomes.len(), keys.len());
    for (n, (key, outcome)) in keys.iter().zip(outcomes).enumerate() {
        let (expected, is) =
            if n % 3 == 0 { (Outcome::Refused(vec![0]), 1) } else { (Outcome::Done, 2) };
        assert_eq!(outcome, expected, "write {n}");
        assert_eq!(table.get(key).await.unwrap().unwrap().doc["n"], json!(is), "item {n}");
    }
}

/// A condition, whether it holds on `{"n": 5, "s": "b", "null": null}`, and on no item.
fn truths() -> Vec<(Condition, bool, bool)> {
    use Condition::{Absent, All, Always, Any, Eq, Exists, Lt, Missing, Ne};
    vec![
        (Always, true, true),
        (Absent, false, true),
        (Exists, true, false),
        (Eq("n", json!(5)), true, false),
        (Eq("n", json!(6)), false, false),
        (Eq("n", json!("5")), false, false),
        (Eq("s", json!("b")), true, false),
        (Eq("null", json!(null)), true, false),
        (Eq("other", json!(5)), false, false),
        (Ne("n", json!(6)), true, false),
        (Ne("n", json!(5)), false, false),
        (Ne("n", json!("5")), true, false),
        (Ne("other", json!(5)), false, false),
        (Lt("n", json!(6)), true, false),
        (Lt("n", json!(5)), false, false),
        (Lt("n", json!("6")), false, false),
        (Lt("s", json!("c")), true, false),
        (Lt("s", json!("ab")), false, false),
        (Lt("other", json!(6)), false, false),
        (Missing("other"), true, true),
        (Missing("n"), false, true),
        (Missing("null"), false, true),
        (All(vec![]), true, true),
        (Any(vec![]), false, false),
        (All(vec![Exists, Eq("n", json!(5)), Lt("s", json!("z"))]), true, false),
        (All(vec![Exists, Eq("n", json!(6))]), false, false),
        (Any(vec![Absent, Eq("n", json!(5))]), true, true),
        (Any(vec![Absent, All(vec![Lt("n", json!(9)), Any(vec![Missing("s")])])]), false, true),
    ]
}

async fn refused_writes_change_nothing(table: &dyn Table, place: &str, there: &Item) {
    let refused = Outcome::Refused(vec![0]);
    let other = item(there.key.clone(), json!({"n": 6}));
    assert_eq!(table.write(put(other, Condition::Absent)).await.unwrap(), refused);
    let stale = Condition::Eq("n", json!(4));
    let update = |when| Write::Update {
        key: there.key.clone(),
        changes: vec![Change::Add("n", 1), Change::Set("s", json!("c"))],
        when,
    };
    assert_eq!(table.write(update(stale.clone())).await.unwrap(), refused);
    let delete = |when| Write::Delete { key: there.key.clone(), when };
    assert_eq!(table.write(delete(stale.clone())).await.unwrap(), refused);
    let check = Write::Check { key: there.key.clone(), when: stale };
    assert_eq!(table.write(check).await.unwrap(), refused);
    assert_eq!(table.get(&there.key).await.unwrap(), Some(there.clone()));

    let met = Condition::Eq("n", json!(5));
    assert!(table.write(update(met)).await.unwrap().is_done());
    assert!(table.write(delete(Condition::Eq("n", json!(6)))).await.unwrap().is_done());
    assert_eq!(table.write(delete(Condition::Exists)).await.unwrap(), refused, "once only");
    let once = item(key(place, "once"), json!({}));
    assert!(table.write(put(once.clone(), Condition::Absent)).await.unwrap().is_done());
    assert_eq!(table.write(put(once, Condition::Absent)).await.unwrap(), refused, "once only");
}

/// All writes of a transaction are done, or none; whoever comes second is refused.
pub async fn transactions(table: &dyn Table, place: &str) {
    let place = &format!("{place}-transactions");
    let at = |i: usize| key(place, &format!("{i:03}"));
    assert!(table.transact(Vec::new()).await.unwrap().is_done());
    let many = (0..100).map(|i| put(item(at(i), json!({"i": i})), Condition::Absent)).collect();
    assert!(table.transact(many).await.unwrap().is_done());

    let mixed = vec![
        put(item(at(0), json!({"i": "new"})), Condition::Exists),
        Write::Check { key: at(1), when: Condition::Eq("i", json!(2)) },
        Write::Delete { key: at(2), when: Condition::Always },
        Write::Update {
            key: at(3),
            changes: vec![Change::Add("i", 1)],
            when: Condition::Missing("i"),
        },
        put(item(at(200), json!({})), Condition::Absent),
    ];
    assert_eq!(table.transact(mixed).await.unwrap(), Outcome::Refused(vec![1, 3]));
    assert_eq!(table.get(&at(0)).await.unwrap().unwrap().doc["i"], json!(0), "nothing was done");
    assert!(table.get(&at(2)).await.unwrap().is_some(), "nothing was done");
    assert!(table.get(&at(200)).await.unwrap().is_none(), "nothing was done");

    let twice = vec![put(item(at(0), json!({})), Condition::Always); 2];
    assert!(table.transact(twice).await.is_err(), "an item is written twice");
    let too_many = (0..101).map(|i| put(item(at(i), json!({})), Condition::Always)).collect();
    assert!(table.transact(too_many).await.is_err(), "more than a hundred");
    one_of_many_wins(table, place).await;
}

async fn one_of_many_wins(table: &dyn Table, place: &str) {
    let count = key(place, "count");
    let attempts = (0..8).map(|holder| {
        let marker = item(key(place, "holder"), json!({"holder": holder}));
        let add = vec![Change::Add("n", 1)];
        let add = Write::Update { key: count.clone(), changes: add, when: Condition::Always };
        table.transact(vec![put(marker, Condition::Absent), add])
    });
    let outcomes = futures::future::try_join_all(attempts).await.unwrap();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_done()).count(), 1);
    assert_eq!(table.get(&count).await.unwrap().unwrap().doc["n"], json!(1));
}

/// Queries give the items of one partition in order, page by page, whatever is written meanwhile.
pub async fn queries(table: &dyn Table, place: &str) {
    let place = &format!("{place}-queries");
    let pk = key(place, "").pk().to_owned();
    let sks: Vec<String> = ["a", "b#1", "b#10", "b#2", "b#ü", "c", "c$"].map(String::from).into();
    let items = sks.iter().map(|sk| item(key(place, sk), json!({"sk": sk}))).collect();
    table.put_many(items).await.unwrap();
    table.put_many(vec![item(key(&format!("{place}x"), "b#3"), json!({}))]).await.unwrap();

    let all = read_all(table, &pk, &Range::All, 100).await;
    assert_eq!(all, sks);
    assert_eq!(read_all(table, &pk, &Range::All, 2).await, sks, "in pages");
    assert_eq!(read_all(table, &pk, &Range::Prefix("b#".to_owned()), 1).await, sks[1..5]);
    assert_eq!(read_all(table, &pk, &Range::Prefix(String::new()), 3).await, sks);
    assert_eq!(read_all(table, &pk, &Range::UpTo("b#2".to_owned()), 2).await, sks[..4]);
    assert!(read_all(table, &pk, &Range::Prefix("d".to_owned()), 1).await.is_empty());

    // The place to go on may be outside the range, or be gone.
    let prefix = Range::Prefix("b#".to_owned());
    let from = async |after: &str| {
        let page = table.query(&pk, &prefix, Some(after), 100).await.unwrap();
        page.items.into_iter().map(|item| item.key.sk().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(from("a").await, sks[1..5]);
    assert_eq!(from("c").await, [""; 0]);
    table.delete_many(&[key(place, "b#10")]).await.unwrap();
    assert_eq!(from("b#10").await, ["b#2", "b#ü"]);
}

async fn read_all(table: &dyn Table, pk: &str, range: &Range, limit: usize) -> Vec<String> {
    let (mut sks, mut after) = (Vec::new(), None::<String>);
    for _ in 0..100 {
        let page = table.query(pk, range, after.as_deref(), limit).await.unwrap();
        assert!(page.items.len() <= limit);
        sks.extend(page.items.into_iter().map(|item| item.key.sk().to_owned()));
        match page.next {
            Some(next) => after = Some(next),
            None => return sks,
        }
    }
    panic!("the pages of a query do not end");
}

/// Any number of items at once, repeated ones too; and more bytes than one answer holds.
pub async fn many_items(table: &dyn Table, place: &str) {
    let place = &format!("{place}-many");
    let at = |i: usize| key(place, &format!("{i:04}"));
    table.put_many(Vec::new()).await.unwrap();
    table.delete_many(&[]).await.unwrap();
    assert!(table.get_many(&[]).await.unwrap().is_empty());

    let mut items: Vec<Item> = (0..230).map(|i| item(at(i), json!({"i": i}))).collect();
    items.push(item(at(0), json!({"i": "the last one counts"})));
    table.put_many(items).await.unwrap();
    let mut keys: Vec<Key> = (0..240).map(at).collect();
    keys.extend((0..20).map(at));
    let mut found = table.get_many(&keys).await.unwrap();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found.len(), 230, "each that exists, once");
    assert_eq!(found[0].doc["i"], json!("the last one counts"));
    assert_eq!(found[229].doc["i"], json!(229));

    table.delete_many(&keys).await.unwrap();
    assert!(table.get_many(&keys).await.unwrap().is_empty());
    large_items(table, place).await;
}

async fn large_items(table: &dyn Table, place: &str) {
    let large = |i: usize| {
        let mut item = item(key(place, &format!("large#{i:02}")), json!({}));
        item.body = Some(vec![i.to_le_bytes()[0]; 300 << 10]);
        item
    };
    let items: Vec<Item> = (0..12).map(large).collect();
    table.put_many(items.clone()).await.unwrap();
    let keys: Vec<Key> = items.iter().map(|item| item.key.clone()).collect();
    assert_eq!(table.get_many(&keys).await.unwrap().len(), 12);
    let range = Range::Prefix("large#".to_owned());
    assert_eq!(read_all(table, keys[0].pk(), &range, 100).await.len(), 12, "beyond a mebibyte");
    table.delete_many(&keys).await.unwrap();
}
