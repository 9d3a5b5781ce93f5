//! Stored answers: a write that comes again under its key is not done again. It is answered as the
//! first time.
//!
//! Whoever writes first claims the key. A claim without an answer lapses, so that a call that died
//! does not shut its key for good; every write is idempotent by itself, and its repetition may be
//! done. The answer of a call about a connection lies sealed with the generation, and goes with it:
//! it may tell of somebody in the CRM.

pub mod keys;
mod model;

use jiff::SignedDuration;

use crate::capabilities::custody::{Custody, LookupError};
use crate::ports::Ports;
use crate::store::{Attempt, Commit, Draft, Slot, Store, Stored, When, attempts};
use crate::work::{WorkError, boxed};

pub use model::{Answer, KeyedCall, KeyedRequest, Reached};

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How long a claim holds without an answer: longer than any call of the API may take.
const LEASE: SignedDuration = SignedDuration::from_secs(40);

/// Keeps the answers of writes.
#[derive(Clone)]
pub struct StoredAnswers {
    ports: Ports,
    store: Store,
    custody: Custody,
}

/// Where the answer of a claimed call goes.
#[derive(Clone)]
pub struct Claim {
    store: Store,
    slot: Slot<KeyedCall>,
    call: KeyedCall,
}

/// What is known of a call.
pub enum Known {
    /// Nothing: it is to be done, and its answer kept.
    New(Box<Claim>),
    /// It was answered.
    Answered(Answer),
    /// The same is being done this moment.
    Underway,
    /// Another call had this key.
    Another,
}

impl StoredAnswers {
    /// Answers in these ports' table, and in generations that `custody` opens.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        Self { store: Store::new(ports.clone()), ports, custody }
    }

    /// What is known of a call under its key. A new one is claimed for its caller.
    ///
    /// # Errors
    /// When the table cannot be asked.
    #[must_use]
    #[boxed]
    pub async fn claim(&self, request: &KeyedRequest) -> Result<Known, WorkError> {
        let (store, slot) = self.place(request).await?;
        attempts(|| async {
            let now = self.ports.clock.now();
            let before = store.load(&slot).await?;
            if let Some(known) = before.as_deref().filter(|known| !known.is_over(KEPT, now)) {
                if known.digest != request.digest {
                    return Ok(Attempt::Done(Known::Another));
                }
                if let Some(answer) = &known.answer {
                    return Ok(Attempt::Done(Known::Answered(answer.clone())));
                }
                if !known.is_over(LEASE, now) {
                    return Ok(Attempt::Done(Known::Underway));
                }
            }
            let digest = request.digest.clone();
            let call = KeyedCall { digest, claimed_at: now, answer: None };
            let draft = match &before {
                Some(before) => Draft::after(before, &call)?,
                None => Draft::new(&slot, &call)?.when(When::absent()),
            };
            let mut commit = Commit::new();
            commit.write(draft.until((now + KEPT).as_second()))?;
            let claim = Claim { store: store.clone(), slot: slot.clone(), call };
            Ok(Attempt::of(&store.commit(commit).await?, Known::New(Box::new(claim))))
        })
        .await
    }

    /// Where the call's answer lies, and the store that reads it.
    async fn place(&self, request: &KeyedRequest) -> Result<(Store, Slot<KeyedCall>), WorkError> {
        let name = request.name();
        let beside = |tenant| (self.store.clone(), keys::answer(tenant, &name));
        Ok(match request.reached {
            Reached::Nothing => beside(None),
            Reached::Tenant(tenant) => beside(Some(tenant)),
            Reached::Connection(at) => match self.custody.open_live(at).await {
                Ok(opened) => (opened.store, opened.keys.answer(&name)),
                // Without a connection there is nothing of a CRM to tell of.
                Err(LookupError::NotFound(_)) => beside(Some(at.tenant)),
                Err(LookupError::Work(error)) => return Err(error),
            },
        })
    }
}

impl Claim {
    /// Keeps the answer; or frees the key, where the call did nothing and may come again.
    ///
    /// # Errors
    /// When the table cannot be asked. The claim lapses by itself then.
    #[must_use]
    #[boxed]
    pub async fn end(&self, answer: Option<Answer>) -> Result<(), WorkError> {
        let now = self.store.load(&self.slot).await?;
        // One that was slower than its lease leaves the key to the call that took it.
        let own = |known: &&Stored<KeyedCall>| KeyedCall::clone(known) == self.call;
        let Some(before) = now.as_ref().filter(own) else { return Ok(()) };
        let mut commit = Commit::new();
        match answer {
            Some(answer) => {
                let call = KeyedCall { answer: Some(answer), ..self.call.clone() };
                let ends = (self.call.claimed_at + KEPT).as_second();
                commit.write(Draft::after(before, &call)?.until(ends))?;
            }
            None => {
                commit.delete_when(&self.slot, When::unchanged(before));
            }
        }
        let winner = "another call, which took the key over when its lease was over";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::kernel::TenantId;
    use crate::testing::Memory;

    fn answers() -> (Memory, StoredAnswers) {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let custody = Custody::new(memory.ports(), "crm-sync/".to_owned());
        (memory.clone(), StoredAnswers::new(memory.ports(), custody))
    }

    fn request(caller: &str, body: &str) -> KeyedRequest {
        let reached = Reached::Tenant(TenantId::derived("acme"));
        KeyedRequest::new(caller, "key-1", reached, [b"PATCH", b"/v1/tenants/x", body.as_bytes()])
    }

    fn answer() -> Answer {
        let (status, headers, body) = (200, Vec::new(), "{}".to_owned());
        Answer { status, headers, body }
    }

    async fn claim(answers: &StoredAnswers, request: &KeyedRequest) -> Claim {
        match answers.claim(request).await.unwrap() {
            Known::New(claim) => *claim,
            _ => panic!("not new"),
        }
    }

    #[tokio::test]
    async fn a_repetition_is_answered_as_the_first_time_and_another_call_is_told_apart() {
        let (memory, answers) = answers();
        let first = request("jane", "1");
        let claimed = claim(&answers, &first).await;
        assert!(matches!(answers.claim(&first).await.unwrap(), Known::Underway));
        claimed.end(Some(answer())).await.unwrap();
        let Known::Answered(again) = answers.claim(&first).await.unwrap() else { panic!() };
        assert_eq!(again, answer());
        assert!(matches!(answers.claim(&request("jane", "2")).await.unwrap(), Known::Another));
        claim(&answers, &request("joan", "1")).await;
        memory.clock.advance(KEPT);
        claim(&answers, &request("jane", "2")).await;
    }

    #[tokio::test]
    async fn a_call_that_did_nothing_or_died_frees_its_key_and_does_not_answer_for_its_successor() {
        let (memory, answers) = answers();
        let request = request("jane", "1");
        claim(&answers, &request).await.end(None).await.unwrap();
        let slow = claim(&answers, &request).await;
        memory.clock.advance(LEASE);
        let successor = claim(&answers, &request).await;
        slow.end(Some(answer())).await.unwrap();
        slow.end(None).await.unwrap();
        assert!(matches!(answers.claim(&request).await.unwrap(), Known::Underway));
        successor.end(Some(answer())).await.unwrap();
        assert!(matches!(answers.claim(&request).await.unwrap(), Known::Answered(_)));
    }
}
