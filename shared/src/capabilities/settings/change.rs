//! Showing and changing an environment's settings.

use std::collections::BTreeSet;

use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::settings::{
    ChangedSetting, KeptSettings, SettingProblem, Settings, SettingsChange, SettingsPatch, keys,
};
use crate::kernel::{Author, AutoSaveMessage, ConnectionState, Signature, TenantEnvironment};
use crate::ports::{PortError, Ports};
use crate::store::keys::connection;
use crate::store::{Attempt, Commit, Store, Stored, attempts};
use crate::work::{WorkError, boxed};

/// How many changes are remembered.
pub const KEPT_CHANGES: u64 = 200;

/// Why settings are not changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// They cannot be so.
    #[error("{}", list(.0))]
    Refused(Vec<SettingProblem>),
    /// They are not at a revision that the change was made for.
    #[error("they are at revision {now} by now; read them again")]
    Stale {
        /// Their revision.
        now: u64,
    },
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

fn list(problems: &[SettingProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl From<PortError> for SettingsError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

/// Shows and changes settings.
#[derive(Clone)]
pub struct ChangeSettings {
    ports: Ports,
    store: Store,
    audit: AuditLog,
}

impl ChangeSettings {
    /// Settings over these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, store, audit }
    }

    /// An environment's settings; the defaults before anybody set them.
    #[must_use]
    #[boxed]
    pub async fn get(&self, at: TenantEnvironment) -> Result<KeptSettings, WorkError> {
        Ok(self.store.read(&keys::settings(at)).await?.unwrap_or_default())
    }

    /// Changes the settings that a JSON merge patch names. With `revisions`, only when they are at
    /// one of these. A patch that changes nothing leaves no trace.
    #[must_use]
    #[boxed]
    pub async fn patch(
        &self,
        at: TenantEnvironment,
        patch: &SettingsPatch,
        revisions: Option<&BTreeSet<u64>>,
        by: &Author,
    ) -> Result<KeptSettings, SettingsError> {
        let slot = keys::settings(at);
        attempts(|| async {
            let before = self.store.load(&slot).await?;
            let now = before.as_ref().map_or(0, |kept| kept.changes);
            if revisions.is_some_and(|revisions| !revisions.contains(&now)) {
                return Err(SettingsError::Stale { now });
            }
            let settings = before.as_deref().cloned().unwrap_or_default().settings;
            let after = settings.clone().patched(patch).map_err(SettingsError::Refused)?;
            let mut commit = Commit::new();
            let signed = Signature { at: self.ports.clock.now(), by: by.clone() };
            let kept = change(&self.store, &mut commit, at, before.as_ref(), after, signed).await?;
            if commit.is_empty() {
                return Ok(Attempt::Done(kept));
            }
            let deed = changing(at, &settings, &kept);
            let done = self.audit.commit(commit, at.tenant, &Actor::from(by), &deed).await?;
            Ok(Attempt::of(&done, kept))
        })
        .await
    }

    /// What a patch would change, and the revision of the settings that it was compared with.
    /// Changes nothing.
    #[must_use]
    #[boxed]
    pub async fn diff(
        &self,
        at: TenantEnvironment,
        patch: &SettingsPatch,
    ) -> Result<(u64, Vec<ChangedSetting>), SettingsError> {
        let kept = self.get(at).await?;
        let after = kept.settings.patched(patch).map_err(SettingsError::Refused)?;
        Ok((kept.changes, kept.settings.changes_to(&after)))
    }

    /// The last changes, the newest first.
    #[must_use]
    #[boxed]
    pub async fn history(&self, at: TenantEnvironment) -> Result<Vec<SettingsChange>, WorkError> {
        let changes = self.store.all(&keys::settings_changes(at)).await?;
        Ok(changes.into_iter().rev().map(Stored::into_inner).collect())
    }
}

/// The deed of changing settings from `before` to what is kept: which ones, and no values.
pub(crate) fn changing(at: TenantEnvironment, before: &Settings, kept: &KeptSettings) -> Deed {
    let changed = before.changes_to(&kept.settings);
    let names: Vec<&str> = changed.iter().map(|change| change.name.as_str()).collect();
    let deed = Deed::at(Action::SettingsChanged, at);
    deed.detail("settings", names.join(",")).detail("revision", kept.changes)
}

/// Adds to a commit that an environment's settings become `after`, and that this is remembered.
/// When auto-save goes by other rules then, these are applied to everything that is imported
/// already. Adds nothing when the settings are so already. Gives them as they will be kept.
pub(crate) async fn change(
    store: &Store,
    commit: &mut Commit,
    at: TenantEnvironment,
    before: Option<&Stored<KeptSettings>>,
    after: Settings,
    signed: Signature,
) -> Result<KeptSettings, PortError> {
    let kept = before.map(|before| KeptSettings::clone(before)).unwrap_or_default();
    let changed = kept.settings.changes_to(&after);
    if changed.is_empty() {
        return Ok(kept);
    }
    let number = kept.changes + 1;
    let rules = if kept.settings.saves_as(&after) { kept.rules } else { number };
    if rules == number && after.auto_save {
        apply_rules(store, commit, at, rules).await?;
    }
    let signed_by = Some(signed.clone());
    let kept = KeptSettings { settings: after, changes: number, rules, signed: signed_by };
    commit.save(&keys::settings(at), before, &kept)?;
    let change = SettingsChange { number, signed, changed };
    commit.put(&keys::settings_change(at, number), &change)?;
    if let Some(forgotten) = number.checked_sub(KEPT_CHANGES).filter(|number| *number > 0) {
        commit.delete(&keys::settings_change(at, forgotten));
    }
    Ok(kept)
}

/// Has auto-save apply its rules to everything that a live connection holds. One that connects in
/// this very moment needs nothing: its first import meets the rules as they are then.
async fn apply_rules(
    store: &Store,
    commit: &mut Commit,
    at: TenantEnvironment,
    rules: u64,
) -> Result<(), PortError> {
    let connection = store.read(&connection(at)).await?;
    if let Some(live) = connection.filter(|c| c.state != ConnectionState::Disconnected) {
        commit.now(AutoSaveMessage::Everything { scope: live.scope(), rules, step: 0 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kernel::{Environment, SeatId, TenantId};
    use crate::testing::Memory;

    fn at() -> TenantEnvironment {
        let (tenant, environment) = (TenantId::derived("acme"), Environment::Production);
        TenantEnvironment { tenant, environment }
    }

    fn settings() -> ChangeSettings {
        ChangeSettings::new(Memory::new("2026-11-28T09:00:00Z".parse().unwrap(), 1).ports())
    }

    async fn patch(
        settings: &ChangeSettings,
        patch: Value,
        revisions: Option<&[u64]>,
        by: &Author,
    ) -> Result<KeptSettings, SettingsError> {
        let revisions = revisions.map(|revisions| revisions.iter().copied().collect());
        let patch = SettingsPatch(patch.as_object().unwrap().clone());
        settings.patch(at(), &patch, revisions.as_ref(), by).await
    }

    #[tokio::test]
    async fn a_change_tells_who_changed_what_when_and_is_remembered() {
        let settings = settings();
        let jane = Author::Seat { seat: SeatId::derived("jane") };
        let first = patch(&settings, json!({ "log_notes": false }), None, &jane).await.unwrap();
        assert_eq!((first.changes, &first.signed.unwrap().by), (1, &jane));
        let wanted = json!({ "stage": "Won", "log_notes": false });
        patch(&settings, wanted, Some(&[1]), &Author::Service).await.unwrap();
        let now = settings.get(at()).await.unwrap();
        assert!(!now.settings.log_notes && now.settings.log_messages);
        assert_eq!(now.settings.stage.as_deref(), Some("Won"));
        let history = settings.history(at()).await.unwrap();
        let told: Vec<_> = history
            .iter()
            .map(|change| (change.number, &change.signed.by, change.changed[0].name.as_str()))
            .collect();
        assert_eq!(told, [(2, &Author::Service, "stage"), (1, &jane, "log_notes")]);
        assert_eq!(history[0].changed.len(), 1, "what is as it was is no change");
    }

    #[tokio::test]
    async fn a_change_made_for_an_older_revision_is_refused() {
        let settings = settings();
        let off = || json!({ "log_notes": false });
        patch(&settings, off(), Some(&[0]), &Author::Service).await.unwrap();
        let stale = patch(&settings, json!({ "roi": true }), Some(&[0]), &Author::Service).await;
        assert!(matches!(stale, Err(SettingsError::Stale { now: 1 })));
        let none = patch(&settings, json!({ "roi": true }), Some(&[]), &Author::Service).await;
        assert!(matches!(none, Err(SettingsError::Stale { now: 1 })));
        assert!(!settings.get(at()).await.unwrap().settings.roi);
        patch(&settings, json!({ "roi": true }), Some(&[7, 1]), &Author::Service).await.unwrap();
    }

    #[tokio::test]
    async fn a_patch_that_changes_nothing_is_no_change() {
        let settings = settings();
        let on = json!({ "log_notes": true });
        let same = patch(&settings, on, None, &Author::Service).await.unwrap();
        assert_eq!(same, KeptSettings::default());
        assert_eq!(settings.history(at()).await.unwrap(), []);
    }

    #[tokio::test]
    async fn rivals_that_change_different_settings_both_have_their_way() {
        let settings = settings();
        let (one, other) = futures::join!(
            patch(&settings, json!({ "log_notes": false }), None, &Author::Service),
            patch(&settings, json!({ "roi": true }), None, &Author::Service),
        );
        assert!(one.is_ok() && other.is_ok());
        let now = settings.get(at()).await.unwrap();
        assert!(!now.settings.log_notes && now.settings.roi);
        assert_eq!((now.changes, settings.history(at()).await.unwrap().len()), (2, 2));
    }

    #[tokio::test]
    async fn the_history_keeps_the_newest_changes() {
        let settings = settings();
        for n in 0..KEPT_CHANGES + 5 {
            let wanted = json!({ "roi": n % 2 == 0 });
            patch(&settings, wanted, None, &Author::Service).await.unwrap();
        }
        let history = settings.history(at()).await.unwrap();
        assert_eq!(history.len() as u64, KEPT_CHANGES);
        let ends = [&history[0], &history[history.len() - 1]].map(|change| change.number);
        assert_eq!(ends, [KEPT_CHANGES + 5, 6]);
    }
}
