//! The import alone: histories of an org with everything that can go wrong between its pages, and
//! the faults of the catalogue one by one.

mod compare;
mod histories;
mod history;
