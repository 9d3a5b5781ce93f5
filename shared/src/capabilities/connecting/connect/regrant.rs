//! The same org authorized again.

use serde_json::json;

use super::{Connect, ConnectError, Connected};
use crate::capabilities::connecting::upkeep;
use crate::capabilities::custody::{ConnectionSecret, OpenGeneration, StoredGrant};
use crate::kernel::{CareMessage, Connection, ConnectionState, GrantState, Grantee, PurgeMessage};
use crate::ports::{Condition, VersionId};
use crate::salesforce::TokenResponse;
use crate::store::{self, Next, keys};

impl Connect {
    /// The new grant replaces the old one; nothing is imported anew. The old one is revoked when it
    /// was another user's: Salesforce keeps each user's grants apart.
    pub(super) async fn regrant(
        &self,
        live: Connection,
        login_host: String,
        token: TokenResponse,
    ) -> Result<Connected, ConnectError> {
        if live.org_id != token.org_id.to_string() {
            return Err(ConnectError::OtherOrg);
        }
        let scope = live.scope();
        let opened = self.custody.open(scope).await?.ok_or(ConnectError::NotFound("connection"))?;
        let state = self.grants.state(&opened, Grantee::Admin).await?;
        let user = token.user_id.to_string();
        // Read before the new one is stored: only two versions of a secret can be read.
        let replaced = match &state {
            Some(state) if state.user_id != user => {
                self.grants.refresh_token(&opened, Grantee::Admin).await?
            }
            _ => None,
        };
        let (number, version) = self.next_secret(&opened, state.as_ref(), &token).await?;
        let now = self.ports.clock.now();
        let grant = GrantState::new(number, Some(version), user.clone(), now);
        let trouble = live.trouble;
        let connection = Connection {
            state: ConnectionState::Connected,
            trouble: None,
            integration_user: user,
            instance_url: token.instance_url.to_string(),
            login_host,
            ..live
        };
        let same = Condition::All(vec![
            Condition::Eq("generation", json!(connection.generation)),
            Condition::Ne("state", json!(ConnectionState::Disconnected)),
        ]);
        let mut writes = vec![
            store::put(keys::connection(connection.at), &connection, same)?,
            store::put(opened.keys.admin_grant(), &grant, Condition::Always)?,
        ];
        let mut next = vec![Next::now(CareMessage::Inspect { scope })];
        if let Some(refresh_token) = replaced {
            writes.push(self.grants.replaced(&opened, number, &refresh_token)?);
            next.push(Next::now(PurgeMessage::Revoke { scope, grant: number, step: 0 }));
        }
        if let Some(trouble) = trouble {
            next.extend(upkeep::catch_up(scope, number, trouble, now));
        }
        if self.outbox.commit(writes, next).await?.is_done() {
            Ok(Connected::Regranted)
        } else {
            Err(ConnectError::NotFound("connection"))
        }
    }

    /// Stores the grant beside the generation's data key, under a number that no token had.
    async fn next_secret(
        &self,
        opened: &OpenGeneration,
        state: Option<&GrantState>,
        token: &TokenResponse,
    ) -> Result<(u64, VersionId), ConnectError> {
        let scope = opened.keys.scope();
        let Some((_, old)) = self.custody.secret(scope).await? else {
            return Err(ConnectError::NotFound("connection"));
        };
        let number = old.number.max(state.map_or(0, |s| s.number)) + 1;
        let grant = StoredGrant::of(token, None)?;
        let secret = ConnectionSecret { data_key: old.data_key, number, grant };
        let (name, random) = (self.custody.secret_name(scope), self.random_text());
        Ok((number, self.ports.secrets.put(&name, &secret.to_text()?, &random).await?))
    }
}
