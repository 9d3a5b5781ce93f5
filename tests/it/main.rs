//! Tests of the whole repository: its rules, its adapters on the emulator, everything together.

#[cfg(test)]
mod adapters;
#[cfg(test)]
mod tidy;
