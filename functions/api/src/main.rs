//! A Lambda function.
fn main() {}
