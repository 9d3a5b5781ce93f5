//! The integration tests: one binary, linked once.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps in vain")]

/// Runs each of these, an `async fn(Home)`, as a test over both homes of a world.
macro_rules! in_both_homes {
    ($($test:ident),+ $(,)?) => {
        mod in_memory {
            $(
                #[tokio::test]
                async fn $test() {
                    Box::pin(super::$test(tests::Home::Memory)).await;
                }
            )+
        }

        mod on_one_machine {
            $(
                #[tokio::test]
                async fn $test() {
                    Box::pin(super::$test(tests::Home::OneMachine)).await;
                }
            )+
        }
    };
}

mod adapters;
mod cost;
mod data_model;
mod demo;
mod faults;
mod flows;
mod import;
mod latency;
mod local_stack;
mod mutants;
mod neighbours;
mod operations;
mod pages;
mod permissions;
mod s3_wire;
mod schemathesis;
mod soak;
mod template;
mod threats;
mod tidy;
mod wire_faults;
