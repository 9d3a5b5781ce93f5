//! The import alone: histories of an org with everything that can go wrong between its pages, and
//! the faults of the catalogue one by one.

mod case;
pub(crate) mod compare;
mod faults;
mod histories;
mod history;
mod inputs;
mod locators;
mod order;
mod pages;
mod poison;
mod salesforce;
mod selected;
