//! Who calls: tokens are verified here, and guards let through whom a route is for.

mod admission;
mod again;
mod guards;
mod issuer_keys;
mod places;
mod token;

pub(crate) use again::{answered_once, keeps_answers, usable_key};
pub(crate) use guards::{
    Acting, Admin, Anyone, Corrector, Operator, OwnSeat, Reader, SeatOf, SeatOrAdmin, Service,
};
pub(crate) use places::{
    At, AtActivity, AtBulk, AtChange, AtEntity, AtExport, AtGlass, AtMatchRun, AtModel, AtObject,
    AtPurge, AtRecord, AtRun, AtSeat, AtSeatForm, AtSeatList, AtSeatObject, AtSeatOfTenant,
    AtSeatPerson, AtSeatRecord, AtSteer, AtTenant, AtVersion, Steer,
};
pub use token::Issuer;
