//! The keys of counts.

use super::{Payer, Trigger, Used};
use crate::kernel::TenantId;
use crate::ports::Key;
use crate::store::Slot;

/// How often a payer triggered something within a window.
#[must_use]
pub fn used(tenant: TenantId, payer: Payer, trigger: Trigger, window: i64) -> Slot<Used> {
    let payer = match payer {
        Payer::Tenant => "tenant".to_owned(),
        Payer::Seat(seat) => seat.to_string(),
    };
    let sk = format!("USED#{}#{payer}#{window}", trigger.as_str());
    Slot::at(Key::new(format!("LIMITS#{tenant}"), sk))
}
