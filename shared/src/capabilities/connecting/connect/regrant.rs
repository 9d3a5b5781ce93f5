//! The same org authorized again.

use super::{Connect, ConnectError, Connected};
use crate::capabilities::audit::{Action, Actor, Deed};
use crate::capabilities::connecting::catch_up;
use crate::capabilities::custody::{KeptLogin, OpenGeneration, StoredGrant, unfenced, unread};
use crate::kernel::{
    CareMessage, Connection, ConnectionState, GrantState, Grantee, PendingAuthorization,
};
use crate::ports::VersionId;
use crate::salesforce::TokenResponse;
use crate::store::Commit;
use crate::store::field;
use crate::store::keys::connection as connection_slot;

impl Connect {
    /// Replaces the connection's grant; nothing is imported anew. The old grant is revoked, the
    /// same user's too: Salesforce would honour it beside the new one.
    pub(super) async fn regrant(
        &self,
        live: Connection,
        pending: PendingAuthorization,
        token: TokenResponse,
        login: &KeptLogin,
    ) -> Result<Connected, ConnectError> {
        if live.org_id != token.org_id {
            return Err(ConnectError::OtherOrg);
        }
        let scope = live.scope();
        let opened = self.custody.open(scope).await?.ok_or(ConnectError::NotFound("connection"))?;
        let state = self.grants.state(&opened, Grantee::Admin).await?;
        let user = token.user_id;
        // Read before the new one is stored: only two versions of a secret can be read.
        let replaced = self.grants.admin_tokens(&opened).await?;
        let (number, version) = self.next_secret(&opened, state.as_ref(), &token).await?;
        let now = self.ports.clock.now();
        let grant = GrantState::new(number, Some(version), user, now);
        let edits = [
            field!(Connection, state).set(&ConnectionState::Connected)?,
            field!(Connection, trouble).remove(),
            field!(Connection, integration_user).set(&user)?,
            field!(Connection, instance_url).set(&token.instance_url)?,
            field!(Connection, login_host).set(&pending.login_host)?,
        ];
        let mut commit = Commit::new();
        commit.edit(&connection_slot(live.at), unfenced(&live)?, edits);
        login.forget(&mut commit);
        commit.put(&opened.keys.admin_grant(), &grant)?;
        commit.now(CareMessage::Inspect { scope });
        for refresh_token in replaced {
            let number = self.grants.random();
            self.grants.add_replaced(&mut commit, &opened, number, &refresh_token).await?;
        }
        if let Some(trouble) = live.trouble {
            for step in catch_up(scope, number, trouble, now) {
                commit.then(step);
            }
        }
        let (by, deed) = (Actor::from(&pending.by), Deed::of(Action::Reconnected, scope));
        if self.audit.commit(commit, live.at.tenant, &by, &deed).await?.is_done() {
            Ok(Connected::Regranted)
        } else {
            Err(ConnectError::NotFound("connection"))
        }
    }

    /// Stores the grant beside the generation's data keys, under a number that no token had.
    async fn next_secret(
        &self,
        opened: &OpenGeneration,
        state: Option<&GrantState>,
        token: &TokenResponse,
    ) -> Result<(u64, VersionId), ConnectError> {
        let scope = opened.keys.scope();
        let old = self.custody.secret(scope).await?;
        let (_, old) = old.ok_or_else(|| unread("store a grant"))?;
        let number = old.number.max(state.map_or(0, |s| s.number)) + 1;
        let grant = StoredGrant::of(token, None)?;
        let token = self.random_text();
        Ok((number, self.custody.put_grant((scope, &token), old, (number, &grant)).await?))
    }
}
