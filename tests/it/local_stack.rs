//! The local stack itself: what it opens, and that nothing of it stays.

use std::path::Path;

use stack::{Caller, Stack, StackOptions, StackRecord};

/// A stack in a folder of its own, with the binaries that were built beside this test's.
pub(crate) fn options(name: &str) -> StackOptions {
    let root = tests::root().canonicalize().unwrap();
    let mut options = StackOptions::new(&root);
    options.state = root.join(".local").join(format!("test-{name}"));
    let test = std::env::current_exe().unwrap();
    // The test is target/debug/deps/it-…
    test.ancestors().nth(2).unwrap().clone_into(&mut options.binaries);
    options
}

/// The addresses on which this machine listens at a port, as the kernel lists them (hexadecimal,
/// the bytes of IPv4 reversed).
fn listening(port: u16) -> Vec<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let sockets = table.lines().skip(1).filter_map(|line| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let (address, at) = cells[1].split_once(':').unwrap();
        let is_listening = cells[3] == "0A" && at == format!("{port:04X}");
        is_listening.then(|| address.to_owned())
    });
    sockets.collect()
}

fn port(address: &str) -> u16 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_listens_on_loopback_alone_checks_callers_and_ends_with_its_owner() {
    let options = options("local-stack");
    let state = options.state.clone();
    let stack = Stack::start(options).await.unwrap();
    let record = StackRecord::read(&state).unwrap();
    for address in [&record.api_base, &record.aws_endpoint, &record.issuer] {
        assert_eq!(listening(port(address)), ["0100007F"], "{address}");
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let tenants = format!("{}/v1/tenants/ten_00000000000000000000000000", stack.api_base());
    let refused = client.get(&tenants).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let stranger = stack
        .issuer()
        .sign(&serde_json::json!({"iss": "http://127.0.0.1:1", "aud": "crm-sync"}))
        .unwrap();
    let refused = client.get(&tenants).bearer_auth(stranger).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let token = stack.token(Caller { roles: &["service"], ..Caller::default() }).unwrap();
    let known = client.get(&tenants).bearer_auth(token).send().await.unwrap();
    assert_ne!(known.status(), 401);
    drop(stack);
    assert!(!Path::new(&format!("/proc/{}", record.emulator_process_id)).exists());
    assert!(StackRecord::read(&state).is_err());
    assert!(listening(port(&record.aws_endpoint)).is_empty());
}
