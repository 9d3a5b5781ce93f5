//! The first step: the grants are sealed anew under a key of the purge, and the connection's secret
//! is destroyed, and with it every key of the generation.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::steps::{PurgeSteps, Stop, Turn};
use crate::capabilities::custody::LeavingGrants;
use crate::capabilities::leaving::{KeptGrant, Purge, keys};
use crate::ports::{Disposition, PortError};
use crate::seal::Sealer;
use crate::store::keys::{GenerationKeys, Kind};
use crate::store::{Commit, Draft, Series, Stored, When};
use crate::work::WorkError;

/// How many grants are sealed anew in one transaction: it has room for a hundred writes.
const TOGETHER: usize = 90;

impl PurgeSteps {
    /// Seals the grants anew and destroys the secret. False when the time is over before.
    ///
    /// What cannot be opened is unconfirmed from now on: neither the operator's key nor an intact
    /// grant is needed for the end of the data.
    pub(super) async fn shred(&self, turn: &mut Turn) -> Result<bool, Stop> {
        let scope = turn.purge.scope;
        let leaving = self.custody.leaving_grants(scope).await;
        let leaving = self.unless_patient(&turn.purge, leaving)?;
        let has_secret = leaving.as_ref().is_none_or(|leaving| leaving.has_secret);
        turn.purge.found.entry("secrets".to_owned()).or_insert(u64::from(has_secret));
        let key = match &leaving {
            Some(leaving) if leaving.is_readable() => self.purge_key(turn).await?,
            _ => None,
        };
        let keys = GenerationKeys::new(scope, turn.purge.connection.buckets);
        let grants = Series::<Value>::whole(keys.partition(Kind::Grant, 0));
        loop {
            let after = turn.purge.sealed_up_to.clone();
            let page = self.store.page(&grants, after.as_deref(), TOGETHER).await?;
            let Some(last) = page.documents.last() else { break };
            turn.purge.sealed_up_to = Some(last.slot().sk().to_owned());
            let mut commit = Commit::new();
            for grant in &page.documents {
                let readable = leaving.as_ref().zip(key.as_ref());
                self.seal_anew(&mut commit, &mut turn.purge, grant, readable)?;
            }
            self.note(turn, commit).await?;
            if page.next.is_none() {
                break;
            }
            if self.is_late() {
                return Ok(false);
            }
        }
        self.custody.destroy(scope).await?;
        turn.purge.shredded();
        self.note(turn, Commit::new()).await?;
        Ok(!self.is_late())
    }

    /// Adds what is to be revoked of one item of the generation's grants to the commit.
    fn seal_anew(
        &self,
        commit: &mut Commit,
        purge: &mut Purge,
        item: &Stored<Value>,
        readable: Option<(&LeavingGrants, &Sealer)>,
    ) -> Result<(), WorkError> {
        let slot = item.slot();
        let name = slot.sk();
        if !LeavingGrants::is_grant(name) {
            return Ok(());
        }
        let tokens = readable.map(|(leaving, _)| leaving.tokens(&slot, item.body()));
        let tokens = tokens.unwrap_or_default();
        let Some((_, key)) = readable.filter(|_| !tokens.is_empty()) else {
            purge.grants.unconfirmed += 1;
            return Ok(());
        };
        for (place, token) in tokens.iter().enumerate() {
            let name = if place == 0 { name.to_owned() } else { format!("{name}#{place}") };
            self.keep(commit, purge, &name, (key, token))?;
        }
        Ok(())
    }

    fn keep(
        &self,
        commit: &mut Commit,
        purge: &mut Purge,
        name: &str,
        (key, token): (&Sealer, &SecretString),
    ) -> Result<(), WorkError> {
        let slot = keys::kept_grant(purge.scope, name);
        let body = key
            .seal(&slot.place(), token.expose_secret().as_bytes(), &*self.ports.entropy)
            .map_err(|error| PortError::reject("seal a grant", error))?;
        let grant = KeptGrant { tries: 0, next_at: self.ports.clock.now() };
        commit.write(Draft::new(&slot, &grant)?.body(body).when(When::absent()))?;
        purge.grants.open += 1;
        Ok(())
    }

    /// The key of the purge. It is made once, and noted before anything is sealed under it.
    async fn purge_key(&self, turn: &mut Turn) -> Result<Option<Sealer>, Stop> {
        let scope = turn.purge.scope;
        if let Some(version) = &turn.purge.grants_key {
            let key = self.custody.purge_key(scope, version).await;
            return Ok(self.unless_patient(&turn.purge, key)?.flatten());
        }
        let made = self.custody.make_purge_key(scope).await;
        let Some((version, key)) = self.unless_patient(&turn.purge, made)? else {
            return Ok(None);
        };
        turn.purge.grants_key = Some(version);
        self.note(turn, Commit::new()).await?;
        Ok(Some(key))
    }

    /// None for what cannot be had, once there is no use in waiting for it.
    fn unless_patient<T>(
        &self,
        purge: &Purge,
        result: Result<T, WorkError>,
    ) -> Result<Option<T>, WorkError> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(error)
                if error.disposition == Disposition::Retry
                    && purge.waits_for_keys(self.ports.clock.now()) =>
            {
                Err(error)
            }
            Err(error) => {
                tracing::warn!(error = %error, "grants cannot be opened, and stay unconfirmed");
                Ok(None)
            }
        }
    }
}
