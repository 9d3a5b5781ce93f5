//! The contract of [`ObjectStore`].

use bytes::Bytes;

use crate::ports::ObjectStore;

/// Larger than one part of an upload in parts, and not a multiple of it.
const LARGE: usize = (33 << 20) + 17;

/// Objects, parts of them, listings in key order, deletions of any number.
pub async fn objects(store: &dyn ObjectStore, place: &str) {
    whole_objects_and_ranges(store, place).await;
    large_objects(store, place).await;
    listings_and_deletions(store, place).await;
}

async fn whole_objects_and_ranges(store: &dyn ObjectStore, place: &str) {
    let key = &format!("{place}a/page=0001.sealed");
    assert_eq!(store.get(key).await.unwrap(), None, "no such object");
    store.put(key, Bytes::from_static(b"0123456789")).await.unwrap();
    assert_eq!(store.get(key).await.unwrap().unwrap(), "0123456789");
    store.put(key, Bytes::from_static(b"abcdefghij")).await.unwrap();
    assert_eq!(store.get(key).await.unwrap().unwrap(), "abcdefghij", "a put replaces");

    assert_eq!(store.get_range(key, 0..1).await.unwrap(), "a");
    assert_eq!(store.get_range(key, 3..10).await.unwrap(), "defghij");
    assert!(store.get_range(key, 5..11).await.is_err(), "a range that ends beyond the object");
    assert!(store.get_range(key, 10..12).await.is_err(), "a range beyond the object");
    assert!(store.get_range(&format!("{place}none"), 0..1).await.is_err(), "no such object");

    let empty = &format!("{place}a/empty");
    store.put(empty, Bytes::new()).await.unwrap();
    assert_eq!(store.get(empty).await.unwrap().unwrap(), "");
}

async fn large_objects(store: &dyn ObjectStore, place: &str) {
    let key = &format!("{place}large");
    let body: Bytes = (0..LARGE).map(|i| (i / 4_093).to_le_bytes()[0]).collect();
    store.put(key, body.clone()).await.unwrap();
    assert_eq!(store.get(key).await.unwrap().unwrap(), body);
    let end = LARGE as u64;
    assert_eq!(store.get_range(key, end - 20..end).await.unwrap(), body[LARGE - 20..]);
    let listed = store.list(key).await.unwrap();
    assert_eq!(listed.iter().map(|object| object.size).collect::<Vec<_>>(), [end]);
    store.delete(std::slice::from_ref(key)).await.unwrap();
}

async fn listings_and_deletions(store: &dyn ObjectStore, place: &str) {
    let prefix = format!("{place}many/");
    let keys: Vec<String> = (0..1_203).map(|i| format!("{prefix}{i:05}")).collect();
    for chunk in keys.chunks(50) {
        let puts = chunk.iter().map(|key| store.put(key, Bytes::from_static(b"x")));
        futures::future::try_join_all(puts).await.unwrap();
    }
    let listed = store.list(&prefix).await.unwrap();
    let listed: Vec<String> = listed.into_iter().map(|object| object.key).collect();
    assert_eq!(listed, keys, "every object, in key order, over as many pages as it takes");
    assert!(store.list(&format!("{place}many0")).await.unwrap().is_empty());

    let mut doomed = keys.clone();
    doomed.push(format!("{prefix}never-there"));
    store.delete(&doomed).await.unwrap();
    assert!(store.list(&prefix).await.unwrap().is_empty(), "deleted, the missing one passed over");
    store.delete(&[]).await.unwrap();
}
