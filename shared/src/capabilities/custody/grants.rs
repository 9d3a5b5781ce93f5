//! Access tokens: read at use, and called with.

mod circuit;
mod error;
mod renewal;

use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use self::circuit::Circuits;
pub use self::error::GrantError;
use super::generation::{sealed_under, unsealed_under};
use super::{ConnectionSecret, Custody, OpenGeneration, SalesforceApp, StoredGrant, unread};
use crate::kernel::{ConnectionState, GrantState, Grantee, PurgeMessage};
use crate::ports::{Ports, Purpose};
use crate::salesforce::{SalesforceError, Session, TokenResponse};
use crate::seal::Sealer;
use crate::store::{Commit, Draft, Slot, Store, Stored, When};
use crate::work::{WorkError, boxed};

/// A secret store shows by then what was written. A grant that it does not show until then is gone.
const SHOWN: SignedDuration = SignedDuration::from_mins(15);

/// The tokens of a grant that works, with what is known of it.
pub(crate) struct CurrentGrant {
    state: GrantState,
    grant: StoredGrant,
}

/// A grant that another one replaced and that is to be revoked. Its refresh token is sealed beside
/// it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Replaced {
    /// Counts the tries.
    pub(crate) step: u32,
}

/// The grants of connections and seats.
#[derive(Clone)]
pub struct Grants {
    pub(super) ports: Ports,
    pub(super) store: Store,
    custody: Custody,
    app: SalesforceApp,
    circuits: Circuits,
}

impl Grants {
    /// Grants given to `app`.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store, custody, app, circuits: Circuits::default() }
    }

    /// The app that they were given to.
    #[must_use]
    pub fn app(&self) -> &SalesforceApp {
        &self.app
    }

    /// Makes a call with the grantee's token. When Salesforce does not know the token any more, the
    /// token is renewed and the call made once more. While the connection does not work, no call is
    /// made: Salesforce refused once, and each piece of work would only ask again. An org that does
    /// not answer is left alone, too.
    pub async fn call<T, F>(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        call: impl Fn(Session) -> F + Send + Sync,
    ) -> Result<T, GrantError>
    where
        F: Future<Output = Result<T, SalesforceError>> + Send,
    {
        if opened.connection.state != ConnectionState::Connected {
            return Err(GrantError::Dead);
        }
        let current = self.current(opened, grantee).await?;
        if !current.state.is_usable(grantee, self.ports.clock.now()) {
            return Err(GrantError::Dead);
        }
        let scope = opened.keys.scope();
        self.circuits.admit(scope, self.ports.clock.now()).map_err(GrantError::CircuitOpen)?;
        let mut answer = call(current.grant.session()).await;
        if let Err(SalesforceError::Unauthorized { .. }) = answer {
            let renewed = self.renew(opened, grantee, current.state.number).await?;
            answer = call(renewed.grant.session()).await;
        }
        self.circuits.learn(scope, self.ports.clock.now(), &answer);
        answer.map_err(GrantError::Call)
    }

    /// The state of a grant; none when there is no grant.
    #[must_use]
    #[boxed]
    pub async fn state(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
    ) -> Result<Option<GrantState>, WorkError> {
        Ok(self.store.read(&state_slot(opened, grantee)).await?)
    }

    /// Adds a seat's new grant to the commit. It takes the place of an older one.
    pub(crate) async fn add_seat_grant(
        &self,
        commit: &mut Commit,
        opened: &OpenGeneration,
        grantee: Grantee,
        token: &TokenResponse,
    ) -> Result<(), WorkError> {
        let slot = state_slot(opened, grantee);
        let now = self.ports.clock.now();
        let state = GrantState::new(1, None, token.user_id, now);
        let sealer = self.sealer(opened, Purpose::SeatGrants).await?;
        let grant = StoredGrant::of(token, None)?;
        let body = grant.seal(&sealer, &slot.place(), &*self.ports.entropy)?;
        let before = self.store.load(&slot).await?;
        let when = before.as_ref().map_or_else(When::absent, When::unchanged);
        if let Some(token) = before.and_then(|state| seat_token(&sealer, &state)) {
            // Salesforce would honour it for weeks.
            self.add_replaced(commit, opened, self.random(), &token).await?;
        }
        commit.write(Draft::new(&slot, &state)?.body(body).when(when))?;
        Ok(())
    }

    /// The refresh tokens of the connection's own grant, for revoking them: of the one in use,
    /// whether it works or not, and of one that was stored and never pointed to.
    pub(crate) async fn admin_tokens(
        &self,
        opened: &OpenGeneration,
    ) -> Result<Vec<SecretString>, GrantError> {
        let mut tokens = Vec::new();
        if let Some(state) = self.state(opened, Grantee::Admin).await? {
            match self.admin_grant(opened, &state).await {
                Ok(grant) => tokens.push(grant.refresh_token),
                Err(GrantError::Missing) => {}
                Err(error) => return Err(error),
            }
        }
        let scope = opened.keys.scope();
        if let Some((_, newest)) = self.custody.secret(scope).await?
            && let Some(grant) = self.custody.open_grant(scope, &newest).await?
        {
            tokens.push(grant.refresh_token);
        }
        tokens.dedup_by(|one, other| one.expose_secret() == other.expose_secret());
        Ok(tokens)
    }

    /// Adds to the commit the item that keeps a replaced grant's refresh token until the grant is
    /// revoked, and the step that revokes it. No other one has this number.
    pub(crate) async fn add_replaced(
        &self,
        commit: &mut Commit,
        opened: &OpenGeneration,
        number: u64,
        refresh_token: &SecretString,
    ) -> Result<(), WorkError> {
        let slot = opened.keys.replaced_grant(number);
        let sealer = self.sealer(opened, Purpose::AdminGrant).await?;
        let body = sealed_under(&sealer, &self.ports, &slot, &refresh_token.expose_secret())?;
        commit.write(Draft::new(&slot, &Replaced { step: 0 })?.body(body).when(When::absent()))?;
        let scope = opened.keys.scope();
        commit.now(PurgeMessage::Revoke { scope, grant: number, step: 0 });
        Ok(())
    }

    /// A replaced grant and its refresh token; none when it is revoked.
    pub(crate) async fn replaced(
        &self,
        opened: &OpenGeneration,
        number: u64,
    ) -> Result<Option<(Stored<Replaced>, SecretString)>, WorkError> {
        let slot = opened.keys.replaced_grant(number);
        let Some(replaced) = self.store.load(&slot).await? else { return Ok(None) };
        let sealer = self.sealer(opened, Purpose::AdminGrant).await?;
        let token: String = unsealed_under(&sealer, &slot, replaced.body().unwrap_or_default())?;
        Ok(Some((replaced, token.into())))
    }

    /// A number that no other replaced grant has.
    pub(crate) fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        self.ports.entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    async fn current(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
    ) -> Result<CurrentGrant, GrantError> {
        let slot = state_slot(opened, grantee);
        let state = self.store.load(&slot).await?.ok_or(GrantError::Missing)?;
        if !state.alive {
            return Err(GrantError::Dead);
        }
        let grant = match grantee {
            Grantee::Admin => self.admin_grant(opened, &state).await?,
            Grantee::Seat(_) => {
                let sealer = self.sealer(opened, Purpose::SeatGrants).await?;
                let body = state.body().ok_or(GrantError::Missing)?;
                StoredGrant::open(&sealer, &slot.place(), body)?
            }
        };
        Ok(CurrentGrant { state: state.into_inner(), grant })
    }

    async fn admin_grant(
        &self,
        opened: &OpenGeneration,
        state: &GrantState,
    ) -> Result<StoredGrant, GrantError> {
        let name = self.custody.secret_name(opened.keys.scope());
        let version = state.version.as_ref().ok_or(GrantError::Missing)?;
        // Never "the newest": that one may be stored and not yet pointed to.
        let Some(text) = self.ports.secrets.get(&name, version).await? else {
            let is_new = self.ports.clock.now() < state.renewed_at + SHOWN;
            return Err(if is_new { unread("read a grant").into() } else { GrantError::Missing });
        };
        let secret = ConnectionSecret::parse(&text)?;
        let grant = self.custody.open_grant(opened.keys.scope(), &secret).await?;
        grant.ok_or_else(|| unread("open a grant").into())
    }

    /// What seals the grants of a purpose. It was destroyed when a disconnect came in between.
    pub(super) async fn sealer(
        &self,
        opened: &OpenGeneration,
        purpose: Purpose,
    ) -> Result<Sealer, WorkError> {
        let sealer = self.custody.sealer_for(opened.keys.scope(), purpose).await?;
        sealer.ok_or_else(|| WorkError::retry("open a grant", "the org was disconnected"))
    }
}

/// The refresh token of a seat's grant, whether it works or not; none when it cannot be read.
pub(super) fn seat_token(sealer: &Sealer, state: &Stored<GrantState>) -> Option<SecretString> {
    let grant = StoredGrant::open(sealer, &state.slot().place(), state.body()?).ok()?;
    Some(grant.refresh_token)
}

fn state_slot(opened: &OpenGeneration, grantee: Grantee) -> Slot<GrantState> {
    match grantee {
        Grantee::Admin => opened.keys.admin_grant(),
        Grantee::Seat(seat) => opened.keys.seat_grant(seat),
    }
}
