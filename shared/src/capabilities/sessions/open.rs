//! Opening sessions, finding them, and ending them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::{
    LINK_VALID, LinkText, LoginLink, Logins, PersonName, Session, SessionCookie, Visitor, keys,
};
use crate::capabilities::seats::{self, Role};
use crate::ports::{PortError, Ports};
use crate::store::{Attempt, Commit, Draft, Slot, Store, Stored, When, attempts};
use crate::work::boxed;

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The link was followed before, is too old, or never was one.
    #[error("this link was used before, or is too old")]
    Link,
    /// A person has a tenant or runs the product, not both and not neither.
    #[error("who runs the product has no tenant, and everybody else has one")]
    Home,
    /// There is no such seat.
    #[error("there is no such seat")]
    Seat,
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

    /// Makes a link that logs `visitor` in, once and within [`LINK_VALID`].
    ///
    /// # Errors
    /// When there is no such tenant or seat.
    #[must_use]
    #[boxed]
    pub async fn invite(&self, visitor: Visitor) -> Result<(LinkText, Timestamp), SessionError> {
        self.check(&visitor).await?;
        let text = LinkText::new(visitor.tenant, self.secret());
        let until = self.ports.clock.now() + LINK_VALID;
        let draft = Draft::new(&keys::link(&text), &LoginLink { visitor, until })?;
        let mut commit = Commit::new();
        commit.write(draft.when(When::absent()).until(until.as_second()))?;
        self.store.commit(commit).await?.may_lose_to("nobody: the link is new");
        Ok((text, until))
    }

    /// Whom a link logs in, while it may be followed. To look uses nothing up.
    #[must_use]
    #[boxed]
    pub async fn invited(&self, text: &LinkText) -> Result<Option<Visitor>, SessionError> {
        let link = self.store.read(&keys::link(text)).await?;
        let now = self.ports.clock.now();
        Ok(link.filter(|link| now < link.until).map(|link| link.visitor))
    }

    /// Opens a session for who follows a link, once for each link.
    #[must_use]
    #[boxed]
    pub async fn follow(&self, text: &LinkText) -> Result<SessionCookie, SessionError> {
        attempts(|| async {
            let link = self.store.load(&keys::link(text)).await?;
            let link = link.filter(|link| self.ports.clock.now() < link.until);
            let link = link.ok_or(SessionError::Link)?;
            let mut commit = Commit::new();
            commit.delete_when(&link.slot(), When::unchanged(&link));
            self.begin(&link.visitor, commit).await
        })
        .await
    }

    /// Opens a session for somebody whom the issuer has vouched for just now.
    #[must_use]
    #[boxed]
    pub async fn open(&self, visitor: &Visitor) -> Result<SessionCookie, SessionError> {
        attempts(|| self.begin(visitor, Commit::new())).await
    }

    /// Begins a session with what else `commit` does.
    async fn begin(
        &self,
        visitor: &Visitor,
        mut commit: Commit,
    ) -> Result<Attempt<SessionCookie>, SessionError> {
        self.check(visitor).await?;
        let person = PersonName::of(&visitor.subject);
        let cookie = SessionCookie::new(visitor.tenant, person, self.secret());
        let now = self.ports.clock.now();
        let session = Session {
            hash: cookie.hash(),
            visitor: visitor.clone(),
            begun_at: now,
            seen_at: now,
            connecting: false,
        };
        let slot = slot_of(&cookie);
        let before = self.store.load(&slot).await?;
        let mut after = before.as_deref().cloned().unwrap_or_default();
        after.begin(session);
        commit.write(drafted(&slot, before.as_ref(), &after)?)?;
        Ok(Attempt::of(&self.store.commit(commit).await?, cookie))
    }

    /// Checks that there is somebody whom a session could be of.
    async fn check(&self, visitor: &Visitor) -> Result<(), SessionError> {
        let runs_it = visitor.roles.contains(&Role::Service);
        let Some(tenant) = visitor.tenant else {
            return if runs_it { Ok(()) } else { Err(SessionError::Home) };
        };
        if runs_it {
            return Err(SessionError::Home);
        }
        if self.store.load(&seats::keys::tenant(tenant)).await?.is_none() {
            return Err(SessionError::Tenant);
        }
        if let Some(seat) = visitor.seat
            && self.store.load(&seats::keys::seat(tenant, seat)).await?.is_none()
        {
            return Err(SessionError::Seat);
        }
        Ok(())
    }

    /// The session of a cookie, while it holds; its use is written down.
    #[must_use]
    #[boxed]
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
    #[must_use]
    #[boxed]
    pub async fn rotate(
        &self,
        cookie: &SessionCookie,
        connecting: bool,
    ) -> Result<Option<SessionCookie>, SessionError> {
        let next = SessionCookie::new(cookie.tenant, cookie.person.clone(), self.secret());
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
    #[must_use]
    #[boxed]
    pub async fn close(&self, cookie: &SessionCookie) -> Result<(), SessionError> {
        let close = |logins: &mut Logins| {
            let hash = cookie.hash();
            logins.sessions.retain(|session| session.hash != hash);
        };
        self.change(&slot_of(cookie), close).await
    }

    /// Ends all sessions of the person whose cookie this is, if it is one.
    #[must_use]
    #[boxed]
    pub async fn close_all(&self, cookie: &SessionCookie) -> Result<(), SessionError> {
        let now = self.ports.clock.now();
        let close = |logins: &mut Logins| {
            if logins.find(cookie, now).is_some() {
                logins.sessions.clear();
            }
        };
        self.change(&slot_of(cookie), close).await
    }

    /// A secret that nobody can guess.
    fn secret(&self) -> String {
        let mut secret = [0; 32];
        self.ports.entropy.fill(&mut secret);
        BASE64_URL_SAFE_NO_PAD.encode(secret)
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
            let mut commit = Commit::new();
            commit.write(drafted(slot, before.as_ref(), &after)?)?;
            Ok(Attempt::of(&self.store.commit(commit).await?, result))
        })
        .await
    }
}

/// The logins as they are to be written, in place of what was read.
fn drafted(
    slot: &Slot<Logins>,
    before: Option<&Stored<Logins>>,
    after: &Logins,
) -> Result<Draft<Logins>, PortError> {
    let draft = match before {
        Some(before) => Draft::after(before, after)?,
        None => Draft::new(slot, after)?.when(When::absent()),
    };
    Ok(draft.until(after.ends_at().as_second()))
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
    use crate::capabilities::seats::Tenant;
    use crate::capabilities::sessions::{IDLE, LONGEST, MOST};
    use crate::kernel::{SeatId, TenantId};
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

        async fn holds(&self, cookie: &SessionCookie) -> bool {
            self.sessions.find(cookie).await.unwrap().is_some()
        }

        async fn logged_in(&self) -> SessionCookie {
            self.sessions.open(&ada()).await.unwrap()
        }
    }

    fn ada() -> Visitor {
        Visitor {
            tenant: Some(TenantId::derived("acme")),
            subject: "ada".to_owned(),
            roles: [Role::Admin].into(),
            seat: None,
        }
    }

    #[tokio::test]
    async fn a_link_opens_one_session_and_none_when_it_is_old() {
        let world = World::new().await;
        let (link, until) = world.sessions.invite(ada()).await.unwrap();
        assert_eq!(until, world.memory.ports().clock.now() + LINK_VALID);
        for _ in 0..2 {
            let shown = world.sessions.invited(&link).await.unwrap();
            assert_eq!(shown, Some(ada()), "to look uses nothing up");
        }
        let cookie = world.sessions.follow(&link).await.unwrap();
        assert!(world.holds(&cookie).await);
        assert_eq!(world.sessions.invited(&link).await.unwrap(), None);
        let again = world.sessions.follow(&link).await;
        assert!(matches!(again, Err(SessionError::Link)), "a second time");
        let (late, _) = world.sessions.invite(ada()).await.unwrap();
        world.memory.clock.advance(LINK_VALID);
        assert_eq!(world.sessions.invited(&late).await.unwrap(), None);
        assert!(matches!(world.sessions.follow(&late).await, Err(SessionError::Link)));
    }

    #[tokio::test]
    async fn a_link_that_many_follow_at_once_lets_one_in() {
        let world = World::new().await;
        let (link, _) = world.sessions.invite(ada()).await.unwrap();
        let all = futures::future::join_all((0..8).map(|_| world.sessions.follow(&link))).await;
        let (opened, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
        assert_eq!(opened.len(), 1);
        assert!(refused.iter().all(|error| matches!(error, Err(SessionError::Link))));
    }

    #[tokio::test]
    async fn a_session_ends_when_nobody_uses_it_and_after_twelve_hours_in_any_case() {
        let world = World::new().await;
        let idle = world.logged_in().await;
        world.memory.clock.advance(IDLE - SignedDuration::from_secs(1));
        assert!(world.holds(&idle).await);
        world.memory.clock.advance(IDLE);
        assert!(!world.holds(&idle).await, "idle");
        let busy = world.logged_in().await;
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
        let before = world.logged_in().await;
        let after = world.sessions.rotate(&before, true).await.unwrap().unwrap();
        assert!(!world.holds(&before).await);
        assert!(world.sessions.find(&after).await.unwrap().unwrap().connecting);
        assert!(world.sessions.rotate(&before, false).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn logging_out_ends_one_session_and_logging_out_everywhere_ends_all() {
        let world = World::new().await;
        let mut cookies = Vec::new();
        for _ in 0..3 {
            cookies.push(world.logged_in().await);
        }
        world.sessions.close(&cookies[0]).await.unwrap();
        world.sessions.close_all(&cookies[0]).await.unwrap();
        assert!(!world.holds(&cookies[0]).await);
        assert!(world.holds(&cookies[1]).await, "a dead cookie ends nothing");
        world.sessions.close_all(&cookies[1]).await.unwrap();
        assert!(!world.holds(&cookies[1]).await);
        assert!(!world.holds(&cookies[2]).await);
    }

    #[tokio::test]
    async fn a_person_has_few_sessions_and_nobody_one_of_a_tenant_or_seat_that_is_gone() {
        let world = World::new().await;
        let first = world.logged_in().await;
        for _ in 0..MOST {
            world.logged_in().await;
        }
        assert!(!world.holds(&first).await);
        let elsewhere = Visitor { tenant: Some(TenantId::derived("gone")), ..ada() };
        let opened = world.sessions.open(&elsewhere).await;
        assert!(matches!(opened, Err(SessionError::Tenant)));
        let invited = world.sessions.invite(elsewhere).await;
        assert!(matches!(invited, Err(SessionError::Tenant)));
        let seat = Some(SeatId::derived("gone"));
        let opened = world.sessions.open(&Visitor { seat, ..ada() }).await;
        assert!(matches!(opened, Err(SessionError::Seat)));
    }

    /// An admin of one tenant gets no session over all, and who runs the product none as somebody
    /// of a tenant's: breaking the glass is the way to look at a customer's records.
    #[tokio::test]
    async fn who_runs_the_product_has_no_tenant_and_everybody_else_has_one() {
        let world = World::new().await;
        let operator = Visitor { tenant: None, roles: [Role::Service].into(), ..ada() };
        let cookie = world.sessions.open(&operator).await.unwrap();
        let found = world.sessions.find(&cookie).await.unwrap().unwrap();
        assert_eq!(found.visitor, operator);
        let wrong = [
            Visitor { tenant: None, ..ada() },
            Visitor { roles: [Role::Service].into(), ..ada() },
            Visitor { roles: [Role::Admin, Role::Service].into(), ..ada() },
        ];
        for visitor in wrong {
            let opened = world.sessions.open(&visitor).await;
            assert!(matches!(opened, Err(SessionError::Home)), "{visitor:?}");
        }
    }
}
