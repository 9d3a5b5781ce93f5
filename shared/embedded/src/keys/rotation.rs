//! From one master key to the next, in one transaction.

use std::path::Path;

use rusqlite::{Connection, params};
use shared::ports::Entropy;
use zeroize::Zeroizing;

use super::secrets::{
    OpenSecretsError, SealedSecrets, check, current, empty_log, open_database, place, retired,
    retired_place, sealer, write_current,
};
use super::{KeyId, MasterKey};

/// The end of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The secrets are sealed under the new key now.
    Done {
        /// Counts the versions of secrets that were sealed anew.
        secrets: usize,
    },
    /// They were already: an earlier rotation got so far.
    Before,
}

impl SealedSecrets {
    /// Seals everything in the file at `path` under `new` instead of `old`. The file may not be
    /// open elsewhere. It can be repeated, and continues where a kill ended it.
    ///
    /// # Errors
    /// [`OpenSecretsError::WrongKey`] when the file belongs to neither key: nothing is changed.
    pub fn rotate(
        path: &Path,
        old: &MasterKey,
        new: &MasterKey,
        entropy: &dyn Entropy,
    ) -> Result<Rotation, OpenSecretsError> {
        let mut database = open_database(path)?;
        match current(&database)? {
            Some(now) if now.0 == new.id() => {
                check(now, new)?;
                return Ok(Rotation::Before);
            }
            Some(now) => check(now, old)?,
            None => write_current(&database, old, entropy)?,
        }
        let secrets = reseal(&mut database, old, new, entropy)?;
        // The log still holds what was sealed under the old key.
        empty_log(&database)?;
        Ok(Rotation::Done { secrets })
    }

    /// Does the same with the file that is open, while others read and write it. What was sealed
    /// under the key before opens as ever. The key before is given too.
    pub async fn rotate_open(&self, new: MasterKey) -> Result<(Rotation, KeyId), OpenSecretsError> {
        let own = self.clone();
        let done = tokio::task::spawn_blocking(move || own.rotate_now(&new)).await;
        done.map_err(OpenSecretsError::Ended)?
    }

    fn rotate_now(&self, new: &MasterKey) -> Result<(Rotation, KeyId), OpenSecretsError> {
        let mut opened = self.opened();
        let old = opened.master.clone();
        if old.id() == new.id() {
            return Ok((Rotation::Before, old.id()));
        }
        let secrets = reseal(&mut opened.database, &old, new, self.entropy())?;
        // A data key that was wrapped under the old key until now opens by the retired keys.
        opened.master = new.clone();
        self.data_keys().take_over(new);
        if let Err(error) = empty_log(&opened.database) {
            // The next start empties it.
            tracing::warn!(error = %error, "the log of the secrets cannot be emptied yet");
        }
        Ok((Rotation::Done { secrets }, old.id()))
    }

    /// The id of the master key that the file at `path` is sealed under, which no process has open;
    /// none when it holds nothing. Blocks.
    pub fn sealed_under(path: &Path) -> Result<Option<KeyId>, OpenSecretsError> {
        Ok(current(&open_database(path)?)?.map(|(id, _)| id))
    }
}

/// Seals everything under `new` in one transaction. Gives the number of secrets' versions.
fn reseal(
    database: &mut Connection,
    old: &MasterKey,
    new: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<usize, OpenSecretsError> {
    let whole = database.transaction()?;
    let secrets = reseal_secrets(&whole, old, new, entropy)?;
    reseal_retired(&whole, old, new, entropy)?;
    write_current(&whole, new, entropy)?;
    whole.commit()?;
    Ok(secrets)
}

fn reseal_secrets(
    database: &Connection,
    old: &MasterKey,
    new: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<usize, OpenSecretsError> {
    let (from, to) = (sealer(old), sealer(new));
    let numbers: Vec<i64> = {
        let mut rows = database.prepare("SELECT number FROM secrets")?;
        rows.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
    };
    let mut read =
        database.prepare("SELECT name, version, sealed FROM secrets WHERE number = ?1")?;
    let mut write = database.prepare("UPDATE secrets SET sealed = ?2 WHERE number = ?1")?;
    for number in &numbers {
        let (name, version, sealed): (String, String, Vec<u8>) =
            read.query_row([number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let place = place(&name, &version);
        let plain = from.open(&place, &sealed).map_err(|_| OpenSecretsError::Damaged)?;
        let plain = Zeroizing::new(plain);
        let sealed = to.seal(&place, &plain, entropy).map_err(OpenSecretsError::Seal)?;
        write.execute(params![number, sealed])?;
    }
    Ok(numbers.len())
}

/// Keeps the old key, and those before it, under the new one.
fn reseal_retired(
    database: &Connection,
    old: &MasterKey,
    new: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<(), OpenSecretsError> {
    let keep = "INSERT OR REPLACE INTO retired_keys (id, sealed) VALUES (?1, ?2)";
    let to = sealer(new);
    let mut keys = retired(database, old)?;
    keys.push(old.clone());
    for key in keys {
        let KeyId(id) = key.id();
        let sealed = to.seal(&retired_place(key.id()), key.bytes(), entropy);
        database.execute(keep, params![id, sealed.map_err(OpenSecretsError::Seal)?])?;
    }
    // A key that comes back is no longer retired.
    database.execute("DELETE FROM retired_keys WHERE id = ?1", [new.id().0])?;
    Ok(())
}
