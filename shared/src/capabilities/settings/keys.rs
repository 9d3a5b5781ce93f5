//! The keys of settings.

use super::{KeptSettings, SeatChoices, SeatSwitch, SettingsChange};
use crate::kernel::{SeatId, TenantEnvironment};
use crate::ports::Key;
use crate::store::keys::environment_partition;
use crate::store::{Series, Slot};

/// The settings of an environment.
#[must_use]
pub fn settings(at: TenantEnvironment) -> Slot<KeptSettings> {
    Slot::at(Key::new(environment_partition(at), "SETTINGS".to_owned()))
}

/// A change of an environment's settings. They sort by number.
#[must_use]
pub fn settings_change(at: TenantEnvironment, number: u64) -> Slot<SettingsChange> {
    Slot::at(Key::new(environment_partition(at), format!("SETTINGS#{number:010}")))
}

/// The changes of an environment's settings.
#[must_use]
pub fn settings_changes(at: TenantEnvironment) -> Series<SettingsChange> {
    Series::under(environment_partition(at), "SETTINGS#".to_owned())
}

/// The admin's switch for what a seat does.
#[must_use]
pub fn seat_switch(at: TenantEnvironment, seat: SeatId) -> Slot<SeatSwitch> {
    Slot::at(Key::new(environment_partition(at), format!("SEATSWITCH#{seat}")))
}

/// What a seller chose of logging.
#[must_use]
pub fn seat_choices(at: TenantEnvironment, seat: SeatId) -> Slot<SeatChoices> {
    Slot::at(Key::new(environment_partition(at), format!("SEATCHOICES#{seat}")))
}
