//! Votes for other CRMs: what customers would connect if they could.

use crate::capabilities::seats::{CrmVote, keys};
use crate::kernel::TenantId;
use crate::ports::{PortError, Ports};
use crate::store::{Commit, Store, Stored};
use crate::work::{WorkError, boxed};

/// A CRM's name is no longer.
const LONGEST_NAME: usize = 40;

/// Why a vote cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum VoteError {
    /// The text does not name a CRM.
    #[error("crm must be a name of 1 to 40 letters and digits, such as hubspot")]
    Name,
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for VoteError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

/// A vote that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voted {
    /// The tenant's first vote for this CRM.
    pub vote: CrmVote,
    /// True if it is this one.
    pub is_first: bool,
}

/// Takes and shows votes.
#[derive(Clone)]
pub struct CrmVotes {
    ports: Ports,
    store: Store,
}

impl CrmVotes {
    /// Votes over these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store }
    }

    /// Takes a vote. A tenant votes once for each CRM.
    #[must_use]
    #[boxed]
    pub async fn vote(&self, tenant: TenantId, name: &str) -> Result<Voted, VoteError> {
        let crm = folded(name)?;
        let key = keys::crm_vote(tenant, &crm);
        let vote = CrmVote { crm, voted_at: self.ports.clock.now() };
        let mut commit = Commit::new();
        commit.create(&key, &vote)?;
        if self.store.commit(commit).await?.is_done() {
            return Ok(Voted { vote, is_first: true });
        }
        let before = self.store.read(&key).await?;
        Ok(Voted { vote: before.unwrap_or(vote), is_first: false })
    }

    /// A tenant's votes.
    #[must_use]
    #[boxed]
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<CrmVote>, VoteError> {
        let votes = self.store.all(&keys::crm_votes(tenant)).await?;
        Ok(votes.into_iter().map(Stored::into_inner).collect())
    }
}

/// The one spelling under which a CRM's votes are counted.
fn folded(name: &str) -> Result<String, VoteError> {
    let name = name.trim().to_lowercase().replace([' ', '-'], "_");
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if name.is_empty() || name.len() > LONGEST_NAME || !plain {
        return Err(VoteError::Name);
    }
    Ok(name)
}
