//! The contract of [`DataKeys`].

use crate::ports::{DataKeys, Disposition, WrappedKey};

/// Data keys come back under their own context only.
pub async fn data_keys(keys: &dyn DataKeys, place: &str) {
    let (here, there) = (format!("{place}/production/1"), format!("{place}/sandbox/1"));
    let (plain, wrapped) = keys.generate(&here).await.unwrap();
    assert_eq!(*keys.unwrap(&wrapped, &here).await.unwrap(), *plain, "the key comes back");

    let (other, _) = keys.generate(&here).await.unwrap();
    assert_ne!(*other, *plain, "every key is a new one");

    let error = keys.unwrap(&wrapped, &there).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Reject, "another context never opens it");
    let junk = keys.unwrap(&WrappedKey(vec![1, 2, 3]), &here).await.unwrap_err();
    assert_eq!(junk.disposition, Disposition::Reject, "junk never opens");
}
