//! Rotations that are cut off after each of their steps, and those of keys that are not ours.

use secrecy::ExposeSecret;
use shared::ports::{DataKeys, KeyContext, Purpose, Secrets, WrappedKey};
use tempfile::TempDir;

use super::*;
use crate::config::Overrides;

fn config(data: &Path) -> Config {
    Config::read(None, Overrides { data: Some(data.to_owned()), listen: None }).unwrap()
}

fn context() -> KeyContext {
    KeyContext::new("acme/production/1", Purpose::Records)
}

/// The secrets of a folder, with the key that a start finds.
async fn open(config: &Config) -> Result<SealedSecrets, StoresError> {
    let (key, _) = stores::master_key(config).await?;
    Ok(SealedSecrets::open(&config.data.join(SECRETS), &key, Arc::new(OsEntropy))?)
}

/// A folder with a secret, and a data key that was wrapped there.
async fn filled() -> (TempDir, Config, WrappedKey) {
    let folder = TempDir::new().unwrap();
    let config = config(folder.path());
    let secrets = open(&config).await.unwrap();
    secrets.put("name", &"value".into(), "token").await.unwrap();
    let (_, wrapped) = secrets.data_keys().generate(&context()).await.unwrap();
    (folder, config, wrapped)
}

async fn assert_readable(config: &Config, wrapped: &WrappedKey, when: &str) {
    let secrets = open(config).await.unwrap_or_else(|error| panic!("{when}: {error}"));
    let (_, value) = secrets.newest("name").await.unwrap().unwrap();
    assert_eq!(value.expose_secret(), "value", "{when}");
    assert!(secrets.data_keys().unwrap(wrapped, &context()).await.is_ok(), "{when}");
}

#[tokio::test]
async fn whenever_a_rotation_is_cut_off_the_folder_opens_and_the_next_one_ends_it() {
    for steps in 0..5 {
        let (folder, config, wrapped) = filled().await;
        let files = KeyFiles::of(&config).unwrap();
        let before = MasterKey::from_file(&files.current).unwrap();
        let secrets = folder.path().join(SECRETS);
        // The steps of a rotation, up to the one after which the kill comes.
        if steps > 0 {
            let new = read_or_make(&files.next()).unwrap();
            if steps > 1 {
                SealedSecrets::rotate(&secrets, &before, &new, &OsEntropy).unwrap();
            }
        }
        if steps > 2 {
            fs::hard_link(&files.current, files.kept(before.id())).unwrap();
        }
        if steps > 3 {
            fs::rename(files.next(), &files.current).unwrap();
        }
        let when = format!("killed after step {steps}");
        assert_readable(&config, &wrapped, &when).await;
        let now = MasterKey::from_file(&files.current).unwrap().id();
        assert_eq!(now != before.id(), steps > 1, "{when}: a start ends what was begun");
        let rotated = rotate(&config, None).await.unwrap();
        assert_eq!((rotated.from, rotated.secrets), (now.to_string(), 1), "{when}");
        assert!(!files.next().exists(), "{when}");
        assert_eq!(MasterKey::from_file(&rotated.kept.unwrap()).unwrap().id(), now, "{when}");
        assert_readable(&config, &wrapped, &when).await;
    }
}

#[tokio::test]
async fn a_new_key_in_a_file_of_the_operators_is_for_the_operator_to_place() {
    let (folder, config, wrapped) = filled().await;
    let new = folder.path().join("new.key");
    let rotated = rotate(&config, Some(new.clone())).await.unwrap();
    assert_eq!((rotated.file, rotated.kept), (new.clone(), None));
    let error = shared::work::chain(&open(&config).await.err().unwrap());
    assert!(error.contains(&rotated.to), "{error}");
    let named = Config { master_key: Some(Secret::File(new)), ..config };
    assert_readable(&named, &wrapped, "named").await;
}

#[tokio::test]
async fn a_key_from_elsewhere_is_not_replaced_and_nothing_changes() {
    let (_folder, config, wrapped) = filled().await;
    let from = Config { master_key: Some(Secret::Env("NO_SUCH_KEY".to_owned())), ..config.clone() };
    let command = vec!["cat".to_owned(), config.data.join(MASTER_KEY).display().to_string()];
    let by_command = Config { master_key: Some(Secret::Command(command)), ..config.clone() };
    assert!(rotate(&from, None).await.is_err());
    let error = rotate(&by_command, None).await.unwrap_err();
    assert!(matches!(error, RotateError::NotOurs("a command")), "{error}");
    assert_readable(&by_command, &wrapped, "before").await;
    rotate(&by_command, Some(config.data.join("new.key"))).await.unwrap();
    assert!(open(&by_command).await.is_err());
    let nothing = TempDir::new().unwrap();
    let empty = super::tests::config(nothing.path());
    assert!(matches!(rotate(&empty, None).await, Err(RotateError::Nothing(_))));
}
