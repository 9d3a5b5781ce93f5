//! The main job, on both homes of the product: one process on embedded stores, and the real
//! function binaries on the emulator. Salesforce is the simulator.

use stack::{Data, DemoOptions, Home, On, run_demo};

use crate::{local_stack, permissions};

async fn the_main_job_is_right(on: On) {
    let stack = local_stack::options(&format!("demo-{}", on.name()));
    let report = stack.state.with_extension("report");
    let finished = run_demo(DemoOptions { on, stack, data: Data::Small }).await.unwrap();
    // `make demo-compare` holds the two side by side.
    std::fs::write(report, finished.report.to_string()).unwrap();
    assert!(finished.report.is_right(), "{}", finished.report);
    if let Home::Emulator(stack) = &finished.home {
        permissions::hold(stack, "demo");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_is_right_from_connect_to_purge() {
    the_main_job_is_right(On::Emulator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_is_right_in_one_process() {
    the_main_job_is_right(On::Embedded).await;
}
