//! Opening sessions, finding them, and ending them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::{LoginLink, Logins, PersonName, Session, SessionCookie, keys};
use crate::capabilities::seats;
use crate::kernel::TenantId;
use crate::ports::{PortError, Ports};
use crate::store::{Attempt, Commit, Draft, Slot, Store, When, attempts};

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The link was followed before, or is too old.
    #[error("this link was used before, or is too old")]
    Link,
    /// There is no such tenant any more.
    #[error("there is no such tenant")]
    Tenant,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// The sessions of the console.
#[derive(Clone)]
pub struct Sessions {
    ports: Ports,
    store: Store,
}

impl Sessions {
    /// Sessions that are kept in these ports' table.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store }
    }

    /// Opens a session for who follows a link, once for each link.
    pub async fn open(&self, link: &LoginLink) -> Result<SessionCookie, SessionError> {
        let tenant = link.visitor.tenant;
        if self.store.load(&seats::keys::tenant(tenant)).await?.is_none() {
            return Err(SessionError::Tenant);
        }
        let cookie = self.fresh(tenant, PersonName::of(&link.visitor.subject));
        let now = self.ports.clock.now();
        let session = Session {
            hash: cookie.hash(),
            visitor: link.visitor.clone(),
            begun_at: now,
            seen_at: now,
            connecting: false,
        };
        let begin = |logins: &mut Logins| logins.begin(session.clone(), link);
        let is_new = self.change(&slot_of(&cookie), begin).await?;
        if is_new { Ok(cookie) } else { Err(SessionError::Link) }
    }

    /// The session of a cookie, while it holds; its use is written down.
    pub async fn find(&self, cookie: &SessionCookie) -> Result<Option<Session>, SessionError> {
        let now = self.ports.clock.now();
        let logins = self.store.load(&slot_of(cookie)).await?;
        let found = logins.as_deref().and_then(|logins| logins.find(cookie, now)).cloned();
        let Some(session) = found else { return Ok(None) };
        if !session.is_seen_again(now) {
            return Ok(Some(session));
        }
        let seen = |logins: &mut Logins| touch(logins, cookie, now);
        let holds = self.change(&slot_of(cookie), seen).await?;
        Ok(holds.then_some(Session { seen_at: now, ..session }))
    }

    /// Gives a session another cookie: the one before is worth nothing then. `connecting` says
    /// whether it waits for the end of an authorization from now on.
    pub async fn rotate(
        &self,
        cookie: &SessionCookie,
        connecting: bool,
    ) -> Result<Option<SessionCookie>, SessionError> {
        let next = self.fresh(cookie.tenant, cookie.person.clone());
        let now = self.ports.clock.now();
        let rotate = |logins: &mut Logins| {
            let live = logins.find(cookie, now).is_some();
            if let Some(session) = logins.find_mut(cookie).filter(|_| live) {
                session.hash = next.hash();
                session.connecting = connecting;
            }
            live
        };
        Ok(self.change(&slot_of(cookie), rotate).await?.then_some(next))
    }

    /// Ends the session of a cookie.
    pub async fn close(&self, cookie: &SessionCookie) -> Result<(), SessionError> {
        let close = |logins: &mut Logins| {
            let hash = cookie.hash();
            logins.sessions.retain(|session| session.hash != hash);
        };
        self.change(&slot_of(cookie), close).await
    }

    /// Ends all sessions of the person whose cookie this is, if it is one.
    pub async fn close_all(&self, cookie: &SessionCookie) -> Result<(), SessionError> {
        let now = self.ports.clock.now();
        let close = |logins: &mut Logins| {
            if logins.find(cookie, now).is_some() {
                logins.sessions.clear();
            }
        };
        self.change(&slot_of(cookie), close).await
    }

    /// A cookie that nobody can guess.
    fn fresh(&self, tenant: TenantId, person: PersonName) -> SessionCookie {
        let mut secret = [0; 32];
        self.ports.entropy.fill(&mut secret);
        SessionCookie::new(tenant, person, BASE64_URL_SAFE_NO_PAD.encode(secret))
    }

    /// Changes a person's logins, again whenever somebody else was faster.
    async fn change<R>(
        &self,
        slot: &Slot<Logins>,
        change: impl Fn(&mut Logins) -> R,
    ) -> Result<R, SessionError> {
        attempts(|| async {
            let before = self.store.load(slot).await?;
            let mut after = before.as_deref().cloned().unwrap_or_default();
            let result = change(&mut after);
            if before.as_deref().unwrap_or(&Logins::default()) == &after {
                return Ok(Attempt::Done(result));
            }
            let draft = match &before {
                Some(before) => Draft::after(before, &after)?,
                None => Draft::new(slot, &after)?.when(When::absent()),
            };
            let mut commit = Commit::new();
            commit.write(draft.until(after.ends_at().as_second()))?;
            Ok(Attempt::of(&self.store.commit(commit).await?, result))
        })
        .await
    }
}

fn slot_of(cookie: &SessionCookie) -> Slot<Logins> {
    keys::logins(cookie.tenant, &cookie.person)
}

/// Writes down that a session is used; false if it does not hold any more.
fn touch(logins: &mut Logins, cookie: &SessionCookie, now: Timestamp) -> bool {
    if logins.find(cookie, now).is_none() {
        return false;
    }
    if let Some(session) = logins.find_mut(cookie) {
        session.seen_at = now;
    }
    true
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::capabilities::seats::{Role, Tenant};
    use crate::capabilities::sessions::{IDLE, LONGEST, MOST, Visitor};
    use crate::testing::Memory;

    struct World {
        memory: Memory,
        sessions: Sessions,
    }

    impl World {
        async fn new() -> Self {
            let begin = Timestamp::from_second(1_795_294_800).unwrap();
            let memory = Memory::new(begin, 1);
            let id = TenantId::derived("acme");
            let acme = Tenant::new(id, "Acme".into(), begin);
            let store = Store::new(memory.ports());
            store.put(&seats::keys::tenant(id), &acme).await.unwrap();
            let sessions = Sessions::new(memory.ports());
            Self { memory, sessions }
        }

        fn link(&self, id: &str) -> LoginLink {
            let visitor = Visitor {
                tenant: TenantId::derived("acme"),
                subject: "ada".to_owned(),
                roles: [Role::Admin].into(),
                seat: None,
            };
            let until = self.memory.ports().clock.now() + SignedDuration::from_mins(10);
            LoginLink { visitor, id: id.to_owned(), until }
        }

        async fn holds(&self, cookie: &SessionCookie) -> bool {
            self.sessions.find(cookie).await.unwrap().is_some()
        }
    }

    #[tokio::test]
    async fn a_link_opens_one_session_and_none_when_it_is_old() {
        let world = World::new().await;
        let link = world.link("one");
        let cookie = world.sessions.open(&link).await.unwrap();
        assert!(world.holds(&cookie).await);
        let again = world.sessions.open(&link).await;
        assert!(matches!(again, Err(SessionError::Link)), "a second time");
        let late = world.link("two");
        world.memory.clock.advance(SignedDuration::from_mins(10));
        assert!(matches!(world.sessions.open(&late).await, Err(SessionError::Link)));
        assert!(matches!(world.sessions.open(&link).await, Err(SessionError::Link)), "and later");
    }

    #[tokio::test]
    async fn a_session_ends_when_nobody_uses_it_and_after_twelve_hours_in_any_case() {
        let world = World::new().await;
        let idle = world.sessions.open(&world.link("one")).await.unwrap();
        world.memory.clock.advance(IDLE - SignedDuration::from_secs(1));
        assert!(world.holds(&idle).await);
        world.memory.clock.advance(IDLE);
        assert!(!world.holds(&idle).await, "idle");
        let busy = world.sessions.open(&world.link("two")).await.unwrap();
        let half = SignedDuration::from_mins(30);
        let mut used = SignedDuration::ZERO;
        while used < LONGEST - half {
            world.memory.clock.advance(half);
            used += half;
            assert!(world.holds(&busy).await, "after {used:?}");
        }
        world.memory.clock.advance(half);
        assert!(!world.holds(&busy).await, "after twelve hours");
    }

    #[tokio::test]
    async fn a_cookie_that_was_replaced_is_worth_nothing() {
        let world = World::new().await;
        let before = world.sessions.open(&world.link("one")).await.unwrap();
        let after = world.sessions.rotate(&before, true).await.unwrap().unwrap();
        assert!(!world.holds(&before).await);
        assert!(world.sessions.find(&after).await.unwrap().unwrap().connecting);
        assert!(world.sessions.rotate(&before, false).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn logging_out_ends_one_session_and_logging_out_everywhere_ends_all() {
        let world = World::new().await;
        let mut cookies = Vec::new();
        for id in ["one", "two", "three"] {
            cookies.push(world.sessions.open(&world.link(id)).await.unwrap());
        }
        world.sessions.close(&cookies[0]).await.unwrap();
        world.sessions.close_all(&cookies[0]).await.unwrap();
        assert!(!world.holds(&cookies[0]).await);
        assert!(world.holds(&cookies[1]).await, "a dead cookie ends nothing");
        world.sessions.close_all(&cookies[1]).await.unwrap();
        assert!(!world.holds(&cookies[1]).await);
        assert!(!world.holds(&cookies[2]).await);
        let again = world.sessions.open(&world.link("one")).await;
        assert!(matches!(again, Err(SessionError::Link)), "a used link stays used");
    }

    #[tokio::test]
    async fn a_person_has_few_sessions_and_nobody_a_session_of_a_tenant_that_is_gone() {
        let world = World::new().await;
        let first = world.sessions.open(&world.link("first")).await.unwrap();
        for n in 0..MOST {
            world.sessions.open(&world.link(&n.to_string())).await.unwrap();
        }
        assert!(!world.holds(&first).await);
        let mut link = world.link("elsewhere");
        link.visitor.tenant = TenantId::derived("gone");
        assert!(matches!(world.sessions.open(&link).await, Err(SessionError::Tenant)));
    }
}
