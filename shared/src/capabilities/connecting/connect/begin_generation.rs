//! Beginning a generation: the connection of an org that was not connected.

use super::org::Org;
use super::{Connect, ConnectError, Connected};
use crate::capabilities::audit::{Action, Actor, Deed};
use crate::capabilities::connecting::upkeep::EACH;
use crate::capabilities::connecting::{LastGeneration, UpkeepChain, keys};
use crate::capabilities::custody::{KeptLogin, StoredGrant};
use crate::capabilities::importing;
use crate::capabilities::importing::{ImportSettings, LONGEST_WINDOW_SECONDS, scheduled_import};
use crate::capabilities::seats;
use crate::kernel::{
    CareMessage, Connection, ConnectionState, Environment, Generation, GrantState, ImportMessage,
    ImportRunId, ImportTrigger, Occurrence, PendingAuthorization, PurgeMessage, Scope,
    TenantEnvironment,
};
use crate::ports::VersionId;
use crate::salesforce::TokenResponse;
use crate::store::field;
use crate::store::keys::{GenerationKeys, connection as connection_slot, live};
use crate::store::{Attempt, Commit, Draft, Next, When, attempts};

/// The number of buckets that a new generation's items are dealt to.
const BUCKETS: u32 = 16;

impl Connect {
    /// Connects an org, or replaces the grant of the connection that is there.
    pub(super) async fn connect(
        &self,
        pending: PendingAuthorization,
        token: TokenResponse,
        login: &KeptLogin,
    ) -> Result<Connected, ConnectError> {
        let at = pending.at;
        let org = self.ask_org(&token).await?;
        let found = if org.is_sandbox { Environment::Sandbox } else { Environment::Production };
        if found != at.environment {
            return Err(ConnectError::Environment { asked: at.environment, found });
        }
        let before = self.custody.connection(at).await?;
        if let Some(live) = before.as_ref().filter(|c| c.state != ConnectionState::Disconnected) {
            return self.regrant(live.clone(), pending, token, login).await;
        }
        let generation = self.claim_generation(at).await?;
        let connection = self.new_connection(&pending, generation, &org, &token);
        let version = self.first_secret(connection.scope(), &token).await?;
        let when = match &before {
            None => When::absent(),
            Some(old) => field!(Connection, generation).is(&old.generation)?,
        };
        let by = Actor::from(&pending.by);
        let claimed = Generation(before.map_or(1, |c| c.generation.0 + 1));
        let first = (version, when, claimed);
        self.begin_generation(&connection, first, (&token, login), &by).await?;
        Ok(Connected::Org { connection: Box::new(connection) })
    }

    /// A generation number that no other callback has, nor ever had.
    async fn claim_generation(&self, at: TenantEnvironment) -> Result<Generation, ConnectError> {
        let slot = keys::generations(at);
        attempts(|| async {
            let before = self.store.load(&slot).await?;
            let last = before.as_ref().map_or(0, |claimed| claimed.last) + 1;
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &LastGeneration { last })?;
            Ok(Attempt::of(&self.store.commit(commit).await?, Generation(last)))
        })
        .await
    }

    fn new_connection(
        &self,
        pending: &PendingAuthorization,
        generation: Generation,
        org: &Org,
        token: &TokenResponse,
    ) -> Connection {
        let spread = blake3::hash(pending.at.tenant.to_string().as_bytes());
        let head = spread.as_bytes().first_chunk().copied().unwrap_or_default();
        Connection {
            at: pending.at,
            generation,
            state: ConnectionState::Connected,
            trouble: None,
            paused_since: None,
            degraded_since: None,
            handed_over_at: None,
            org_id: token.org_id,
            org_name: org.name.clone(),
            edition: org.edition.clone(),
            instance_url: token.instance_url.clone(),
            login_host: pending.login_host.clone(),
            buckets: BUCKETS,
            integration_user: token.user_id,
            connected_at: self.ports.clock.now(),
            slot_offset: u32::from_le_bytes(head) % LONGEST_WINDOW_SECONDS,
        }
    }

    /// Writes at once the connection, everything that makes it live, and its first import. The
    /// generations from `claimed` on, which callbacks claimed and died over, can never go live
    /// then.
    async fn begin_generation(
        &self,
        connection: &Connection,
        (version, when, claimed): (VersionId, When<Connection>, Generation),
        (token, login): (&TokenResponse, &KeptLogin),
        by: &Actor,
    ) -> Result<(), ConnectError> {
        let (scope, at) = (connection.scope(), connection.at);
        let tenant = seats::keys::tenant(at.tenant);
        let generation_keys = GenerationKeys::of(connection);
        let now = self.ports.clock.now();
        let grant = GrantState::new(1, Some(version), token.user_id, now);
        let mut commit = Commit::new();
        commit.write(Draft::new(&connection_slot(at), connection)?.when(when))?;
        commit.check(&tenant, When::exists());
        commit.put(&live(at.tenant, at.environment), &at)?;
        login.forget(&mut commit);
        commit.put(&generation_keys.admin_grant(), &grant)?;
        commit.put(&generation_keys.upkeep(), &UpkeepChain { step: 0, stalled: None })?;
        let settings = self.store.read(&importing::keys::import_settings(at)).await?;
        let settings: ImportSettings = settings.unwrap_or_default();
        commit.now(ImportMessage::Start {
            scope,
            run: ImportRunId::derived(&format!("{scope}|connected")),
            trigger: ImportTrigger::Connected,
        });
        commit.then(scheduled_import(connection, &settings, now));
        commit.now(CareMessage::Inspect { scope });
        commit.then(Next::after(EACH, CareMessage::Upkeep { scope, step: 0 }));
        commit.then(Next::publish(scope, now, Occurrence::Connected));
        if claimed < scope.generation {
            commit.now(PurgeMessage::Unborn { at, first: claimed, end: scope.generation });
        }
        let deed = Deed::of(Action::Connected, scope);
        if self.audit.commit(commit, at.tenant, by, &deed).await?.is_done() {
            Ok(())
        } else {
            let end = Generation(scope.generation.0 + 1);
            let mut lost = Commit::new();
            lost.now(PurgeMessage::Unborn { at, first: scope.generation, end });
            self.store.commit(lost).await?.may_lose_to("nobody: the step has no condition");
            if self.store.load(&tenant).await?.is_none() {
                return Err(ConnectError::NotFound("tenant")); // it was removed meanwhile
            }
            Err(ConnectError::OtherOrg) // two callbacks at once: the other one won
        }
    }

    /// New data keys and the first grant, in the generation's secret.
    async fn first_secret(
        &self,
        scope: Scope,
        token: &TokenResponse,
    ) -> Result<VersionId, ConnectError> {
        let grant = StoredGrant::of(token, None)?;
        Ok(self.custody.make_secret(scope, &grant, &self.random_text()).await?)
    }
}
