//! Tests of the whole repository: its template, its rules, and everything running together.

#[cfg(test)]
mod demo;
#[cfg(test)]
mod local_stack;
#[cfg(test)]
mod repository;
#[cfg(test)]
mod template;
