//! The contract of [`DataKeys`].

use crate::ports::{DataKeys, Disposition, KeyContext, Purpose, WrappedKey};

/// Data keys come back under their own context only.
pub async fn data_keys(keys: &dyn DataKeys, place: &str) {
    let context =
        |environment, purpose| KeyContext::new(format!("{place}/{environment}/1"), purpose);
    let here = context("production", Purpose::Records);
    let others = [context("sandbox", Purpose::Records), context("production", Purpose::AdminGrant)];
    let (plain, wrapped) = keys.generate(&here).await.unwrap();
    assert_eq!(*keys.unwrap(&wrapped, &here).await.unwrap(), *plain, "the key comes back");

    let (other, _) = keys.generate(&here).await.unwrap();
    assert_ne!(*other, *plain, "every key is a new one");

    for other in others {
        let error = keys.unwrap(&wrapped, &other).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Reject, "{other} never opens it");
    }
    let junk = keys.unwrap(&WrappedKey(vec![1, 2, 3]), &here).await.unwrap_err();
    assert_eq!(junk.disposition, Disposition::Reject, "junk never opens");
}
