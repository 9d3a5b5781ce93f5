//! Sessions and the cookies that name them. Pure.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::capabilities::seats::Role;
use crate::kernel::{ParseIdError, SeatId, TenantId};

/// A session that nobody uses ends after this long.
pub const IDLE: SignedDuration = SignedDuration::from_hours(1);

/// A session ends after this long, however much it is used.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(12);

/// A person has so many sessions at most; the next one ends the oldest.
pub const MOST: usize = 10;

/// A link may be followed for so long. docs/console.md says so.
pub const LINK_VALID: SignedDuration = SignedDuration::from_mins(10);

/// The last use of a session is written down when the one before is older than this.
const SEEN_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// Who looks at the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// The tenant that they belong to; none for who runs the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Who they are, as the issuer names them.
    pub subject: String,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// Their seat, if they have one.
    pub seat: Option<SeatId>,
}

/// A link that logs somebody in, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginLink {
    /// Whose session it opens.
    pub visitor: Visitor,
    /// Until when it may be followed.
    pub until: Timestamp,
}

/// What a link bears: where it is kept, and a secret that nobody can guess. It has no `Debug`, so
/// that it reaches no log.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkText {
    /// The tenant whose console it opens; none for the console of who runs the product.
    pub tenant: Option<TenantId>,
    secret: String,
}

/// A text is no link of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no link of the console's")]
pub struct NoLink;

impl LinkText {
    pub(super) fn new(tenant: Option<TenantId>, secret: String) -> Self {
        Self { tenant, secret }
    }

    /// The text for the link's address.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{}.{}", home_name(self.tenant), self.secret)
    }

    /// The name under which the link is kept: who reads the table cannot follow it.
    #[must_use]
    pub(super) fn name(&self) -> String {
        hash(&self.secret)[..NAME_DIGITS].to_owned()
    }
}

impl FromStr for LinkText {
    type Err = NoLink;

    fn from_str(text: &str) -> Result<Self, NoLink> {
        let (home, secret) = text.split_once('.').ok_or(NoLink)?;
        if secret.is_empty() || secret.len() > NAME_DIGITS * 2 || secret.contains('.') {
            return Err(NoLink);
        }
        Ok(Self::new(home_of(home).map_err(|_| NoLink)?, secret.to_owned()))
    }
}

/// The name of who runs the product, where a tenant's id stands for others.
const OPERATOR: &str = "operator";

fn home_name(tenant: Option<TenantId>) -> String {
    tenant.map_or_else(|| OPERATOR.to_owned(), |tenant| tenant.to_string())
}

/// What [`home_name`] named.
fn home_of(name: &str) -> Result<Option<TenantId>, ParseIdError> {
    if name == OPERATOR { Ok(None) } else { name.parse().map(Some) }
}

/// The name under which a person's sessions are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonName(String);

/// The digits of a [`PersonName`].
const NAME_DIGITS: usize = 32;

impl PersonName {
    /// The name for a subject: a hash, since a subject may be somebody's address.
    #[must_use]
    pub fn of(subject: &str) -> Self {
        Self(hash(subject)[..NAME_DIGITS].to_owned())
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a browser brings: where its session is kept, and the secret that shows it to be the
/// browser's. It has no `Debug`, so that it reaches no log.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionCookie {
    /// The tenant of the session; none for who runs the product.
    pub tenant: Option<TenantId>,
    /// Whose session it is.
    pub person: PersonName,
    secret: String,
}

/// A text is no cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no session's cookie")]
pub struct NoCookie;

impl SessionCookie {
    pub(super) fn new(tenant: Option<TenantId>, person: PersonName, secret: String) -> Self {
        Self { tenant, person, secret }
    }

    /// The text for the browser.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{}.{}.{}", home_name(self.tenant), self.person, self.secret)
    }

    /// What every form of this session bears: who cannot read the page cannot know it.
    #[must_use]
    pub fn form_token(&self) -> String {
        blake3::Hasher::new_derive_key("crm-sync console form token")
            .update(self.secret.as_bytes())
            .finalize()
            .to_hex()
            .to_string()
    }

    pub(super) fn hash(&self) -> String {
        hash(&self.secret)
    }
}

impl FromStr for SessionCookie {
    type Err = NoCookie;

    fn from_str(text: &str) -> Result<Self, NoCookie> {
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or(NoCookie);
        let (tenant, person, secret) = (part()?, part()?, part()?);
        let is_name = person.len() == NAME_DIGITS && person.bytes().all(|b| b.is_ascii_hexdigit());
        if parts.next().is_some() || !is_name || secret.len() > NAME_DIGITS * 2 {
            return Err(NoCookie);
        }
        let tenant = home_of(tenant).map_err(|_| NoCookie)?;
        Ok(Self::new(tenant, PersonName(person.to_owned()), secret.to_owned()))
    }
}

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The hash of the cookie's secret.
    pub hash: String,
    /// Whose it is.
    pub visitor: Visitor,
    /// When the person logged in.
    pub begun_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// An org is being connected from it: it gets a new cookie once that is done.
    #[serde(default)]
    pub connecting: bool,
}

impl Session {
    /// True if it still holds.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.ends_at()
    }

    /// When it ends if nobody uses it again.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        later(self.seen_at, IDLE).min(later(self.begun_at, LONGEST))
    }

    /// True if its last use is to be written down.
    pub(super) fn is_seen_again(&self, now: Timestamp) -> bool {
        now >= later(self.seen_at, SEEN_AGAIN)
    }
}

fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A person's sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logins {
    /// The oldest first.
    pub sessions: Vec<Session>,
}

impl Logins {
    /// Begins a session.
    pub(super) fn begin(&mut self, session: Session) {
        let now = session.begun_at;
        self.sessions.retain(|session| session.is_live(now));
        self.sessions.push(session);
        let surplus = self.sessions.len().saturating_sub(MOST);
        self.sessions.drain(..surplus);
    }

    /// The session of a cookie, while it holds.
    pub(super) fn find(&self, cookie: &SessionCookie, now: Timestamp) -> Option<&Session> {
        let hash = cookie.hash();
        self.sessions.iter().find(|session| session.hash == hash && session.is_live(now))
    }

    pub(super) fn find_mut(&mut self, cookie: &SessionCookie) -> Option<&mut Session> {
        let hash = cookie.hash();
        self.sessions.iter_mut().find(|session| session.hash == hash)
    }

    /// When nothing of it holds any more.
    pub(super) fn ends_at(&self) -> Timestamp {
        let sessions = self.sessions.iter().map(|session| later(session.begun_at, LONGEST));
        sessions.max().unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_as_it_was_written_and_nothing_else_is() {
        for tenant in [Some(TenantId::derived("acme")), None] {
            let person = PersonName::of("ada@acme.example");
            let cookie = SessionCookie::new(tenant, person, "s".repeat(43));
            assert!(cookie.expose().parse::<SessionCookie>() == Ok(cookie.clone()));
            assert!(!cookie.expose().contains("ada"));
            for wrong in ["", "a.b.c", "ten_x.y", &format!("{}.x", cookie.expose())] {
                assert!(wrong.parse::<SessionCookie>() == Err(NoCookie), "{wrong}");
            }
            let other = SessionCookie { secret: "t".repeat(43), ..cookie.clone() };
            assert_ne!(cookie.form_token(), other.form_token());
            assert!(!cookie.form_token().contains(&cookie.hash()[..8]));
        }
    }

    #[test]
    fn a_link_is_read_as_it_was_written_and_its_name_does_not_tell_it() {
        for tenant in [Some(TenantId::derived("acme")), None] {
            let link = LinkText::new(tenant, "s".repeat(43));
            assert!(link.expose().parse::<LinkText>() == Ok(link.clone()));
            assert!(!link.expose().contains(&link.name()));
            let long = format!("operator.{}", "s".repeat(65));
            for wrong in ["", "operator", "operator.", "ten_x.y", "operator.a.b", &long] {
                assert!(wrong.parse::<LinkText>() == Err(NoLink), "{wrong}");
            }
        }
    }
}
