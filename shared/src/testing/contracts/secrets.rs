//! The contract of [`Secrets`].

use secrecy::{ExposeSecret, SecretString};

use crate::ports::{Secrets, VersionId};

async fn value(secrets: &dyn Secrets, name: &str, version: &VersionId) -> Option<String> {
    secrets.get(name, version).await.unwrap().map(|value| value.expose_secret().to_owned())
}

async fn newest(secrets: &dyn Secrets, name: &str) -> Option<(VersionId, String)> {
    let newest = secrets.newest(name).await.unwrap();
    newest.map(|(version, value)| (version, value.expose_secret().to_owned()))
}

/// Versions can be read by their id while they are the current or the previous one.
pub async fn secrets(secrets: &dyn Secrets, place: &str) {
    let name = &format!("{place}/connections/one");
    let (one, two) = (SecretString::from("{\"n\":1}"), SecretString::from("{\"n\":2}"));
    assert_eq!(newest(secrets, name).await, None, "nothing before the first put");

    let first = secrets.put(name, &one, "token-1").await.unwrap();
    assert_eq!(newest(secrets, name).await, Some((first.clone(), "{\"n\":1}".to_owned())));
    let again = secrets.put(name, &one, "token-1").await.unwrap();
    assert_eq!(again, first, "the same token and value give the same version");

    let second = secrets.put(name, &two, "token-2").await.unwrap();
    assert_ne!(second, first);
    assert_eq!(value(secrets, name, &first).await.unwrap(), "{\"n\":1}", "the previous one");
    assert_eq!(value(secrets, name, &second).await.unwrap(), "{\"n\":2}", "the current one");
    assert_eq!(newest(secrets, name).await.unwrap().0, second);

    let late = secrets.put(name, &one, "token-1").await.unwrap();
    assert_eq!(late, first, "a late repetition; which version is the newest then is no promise");

    let unknown = VersionId("00000000-0000-8000-8000-000000000000".to_owned());
    assert_eq!(value(secrets, name, &unknown).await, None, "no such version");

    secrets.destroy(name).await.unwrap();
    assert_eq!(value(secrets, name, &second).await, None, "gone at once");
    assert_eq!(newest(secrets, name).await, None, "gone at once");
    secrets.destroy(name).await.unwrap();
    let anew = secrets.put(name, &two, "token-3").await.unwrap();
    assert_eq!(value(secrets, name, &anew).await.unwrap(), "{\"n\":2}", "the name is free again");
}
