//! The set-up wizard of an environment, kept between two visits.

use crate::capabilities::audit::{Actor, AuditLog, Deed};
use crate::capabilities::connecting::{
    ConnectError, Wizard, WizardAnswer, WizardError, keys, login_host,
};
use crate::capabilities::custody::Custody;
use crate::capabilities::settings::{self, KeptSettings, SettingsError};
use crate::kernel::{Author, ConnectionState, Signature, TenantEnvironment};
use crate::ports::{PortError, Ports};
use crate::store::{Commit, Store, Stored};
use crate::work::{WorkError, boxed};

/// Why an answer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The login host is not one of Salesforce's.
    #[error(transparent)]
    LoginHost(#[from] ConnectError),
    /// The step cannot be answered now.
    #[error(transparent)]
    Step(#[from] WizardError),
    /// A setting cannot be as it is answered.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Another window was faster.
    #[error("the wizard or its settings were changed in another window; read it again")]
    ChangedMeanwhile,
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for AnswerError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

/// The wizard, and the settings that its steps are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WizardProgress {
    /// The wizard.
    pub wizard: Wizard,
    /// The settings.
    pub settings: KeptSettings,
}

/// Shows and answers wizards.
#[derive(Clone)]
pub struct Wizards {
    ports: Ports,
    store: Store,
    custody: Custody,
    audit: AuditLog,
}

impl Wizards {
    /// Wizards over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, store, custody, audit }
    }

    /// The wizard as it is now: an org may have been connected since it was left.
    #[must_use]
    #[boxed]
    pub async fn get(&self, at: TenantEnvironment) -> Result<WizardProgress, WorkError> {
        let mut wizard = self.stored(at).await?.map(Stored::into_inner).unwrap_or_default();
        wizard.catch_up(self.is_connected(at).await?);
        Ok(WizardProgress { wizard, settings: self.settings(at).await? })
    }

    /// Where the person chose to log in; none for the usual page.
    #[must_use]
    #[boxed]
    pub async fn login_host(&self, at: TenantEnvironment) -> Result<Option<String>, WorkError> {
        Ok(self.stored(at).await?.and_then(|wizard| wizard.login_host.clone()))
    }

    /// Answers a step, and changes the settings that it is about.
    #[must_use]
    #[boxed]
    pub async fn answer(
        &self,
        at: TenantEnvironment,
        answer: &WizardAnswer,
        by: Author,
    ) -> Result<WizardProgress, AnswerError> {
        if let WizardAnswer::Connect { login_host: host } = answer {
            login_host(at.environment, host.as_deref())?;
        }
        let connected = self.is_connected(at).await?;
        let before = self.stored(at).await?;
        let mut wizard = before.as_deref().cloned().unwrap_or_default();
        wizard.answer(answer, connected)?;
        let kept = self.store.load(&settings::keys::settings(at)).await?;
        let now = kept.as_deref().map(|kept| kept.settings.clone()).unwrap_or_default();
        let after = now.clone().patched(&answer.settings()).map_err(SettingsError::Refused)?;
        let mut commit = Commit::new();
        let signed = Signature { at: self.ports.clock.now(), by: by.clone() };
        let (store, kept) = (&self.store, kept.as_ref());
        let settings = settings::change(store, &mut commit, at, kept, after, signed).await?;
        let deed = (!commit.is_empty()).then(|| settings::changing(at, &now, &settings));
        let told = deed.map(|deed| (Actor::from(&by), deed));
        self.replace(at, before.as_ref(), &wizard, (commit, told)).await?;
        Ok(WizardProgress { wizard, settings })
    }

    /// Goes back one step.
    #[must_use]
    #[boxed]
    pub async fn back(&self, at: TenantEnvironment) -> Result<WizardProgress, AnswerError> {
        let before = self.stored(at).await?;
        let mut wizard = before.as_deref().cloned().unwrap_or_default();
        wizard.back(self.is_connected(at).await?);
        self.replace(at, before.as_ref(), &wizard, (Commit::new(), None)).await?;
        Ok(WizardProgress { wizard, settings: self.settings(at).await? })
    }

    async fn stored(&self, at: TenantEnvironment) -> Result<Option<Stored<Wizard>>, WorkError> {
        Ok(self.store.load(&keys::wizard(at)).await?)
    }

    async fn settings(&self, at: TenantEnvironment) -> Result<KeptSettings, WorkError> {
        Ok(self.store.read(&settings::keys::settings(at)).await?.unwrap_or_default())
    }

    /// True if an org is connected, however well that works at the moment.
    async fn is_connected(&self, at: TenantEnvironment) -> Result<bool, WorkError> {
        let connection = self.custody.connection(at).await?;
        Ok(connection.is_some_and(|c| c.state != ConnectionState::Disconnected))
    }

    /// Replaces the wizard with what else is in the commit, and tells of that, unless another
    /// window did.
    async fn replace(
        &self,
        at: TenantEnvironment,
        before: Option<&Stored<Wizard>>,
        wizard: &Wizard,
        (mut commit, told): (Commit, Option<(Actor, Deed)>),
    ) -> Result<(), AnswerError> {
        commit.save(&keys::wizard(at), before, wizard)?;
        let done = match told {
            Some((by, deed)) => self.audit.commit(commit, at.tenant, &by, &deed).await?,
            None => self.store.commit(commit).await?,
        };
        if done.is_done() { Ok(()) } else { Err(AnswerError::ChangedMeanwhile) }
    }
}
