//! The main job on the local stack: the emulator, the real function binaries, the simulator.

use stack::{Data, DemoOptions, run_demo};

use crate::local_stack;

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_is_right_from_connect_to_purge() {
    let stack = local_stack::options("demo");
    let finished = run_demo(DemoOptions { stack, data: Data::Small }).await.unwrap();
    assert!(finished.report.is_right(), "{}", finished.report);
}
