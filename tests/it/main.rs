//! Tests of the whole repository: its template, its rules, and everything running together.

#[cfg(test)]
mod template;
