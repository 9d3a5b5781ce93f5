//! The local stack itself: what it opens, and that nothing of it stays.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use shared::kernel::{
    Envelope, Environment, Event, Generation, Occurrence, Scope, TellingMessage, TenantId,
};
use stack::{Aws, Caller, Stack, StackOptions, StackRecord};

use super::permissions;

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
    permissions::hold(&stack, "local-stack");
    drop(stack);
    assert!(!Path::new(&format!("/proc/{}", record.emulator_process_id)).exists());
    assert!(StackRecord::read(&state).is_err());
    assert!(listening(port(&record.aws_endpoint)).is_empty());
}

/// Work that the deployed function does: an event goes from its due message to whoever listens.
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_heard_on_the_event_bus() {
    let stack = Stack::start(options("event-bus")).await.unwrap();
    let aws = stack.aws();
    let queue = |name: &str| format!("{}/{}/{name}", aws.endpoint(), Aws::ACCOUNT);
    let call = async |service: &str, target: &str, input: Value| {
        aws.json(service, target, &input).await.unwrap()
    };
    call("sqs", "AmazonSQS.CreateQueue", json!({ "QueueName": "listener" })).await;
    let pattern = json!({ "source": [Event::SOURCE] }).to_string();
    let rule = json!({ "Name": "listen", "EventPattern": pattern });
    call("events", "AWSEvents.PutRule", rule).await;
    let arn = format!("arn:aws:sqs:{}:{}:listener", Aws::REGION, Aws::ACCOUNT);
    let targets = json!({ "Rule": "listen", "Targets": [{ "Id": "1", "Arn": arn }] });
    call("events", "AWSEvents.PutTargets", targets).await;
    let tenant = TenantId::derived("acme");
    let scope = Scope { tenant, environment: Environment::Production, generation: Generation(1) };
    let time = "2026-11-22T03:00:00Z".parse().unwrap();
    let event = Event { scope, time, occurrence: Occurrence::Purged };
    let body = json!(Envelope::of(TellingMessage::Publish { event: event.clone() })).to_string();
    let message = json!({ "QueueUrl": queue("crm-sync-telling"), "MessageBody": body });
    call("sqs", "AmazonSQS.SendMessage", message).await;
    for _ in 0..10 {
        let ask = json!({ "QueueUrl": queue("listener"), "WaitTimeSeconds": 3 });
        let heard = call("sqs", "AmazonSQS.ReceiveMessage", ask).await;
        if let Some(body) = heard["Messages"][0]["Body"].as_str() {
            let heard: Value = serde_json::from_str(body).unwrap();
            assert_eq!(heard["detail"], event.to_cloud_event());
            assert_eq!(heard["detail-type"], heard["detail"]["type"]);
            permissions::hold(&stack, "event-bus");
            return;
        }
    }
    panic!("nothing was heard");
}

/// What `make smoke-aws` does on a throw-away account, as far as nobody must log in to Salesforce.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_smoke_test_passes_as_far_as_an_emulator_goes() {
    let options = options("smoke");
    let (root, python) = (options.root.clone(), options.root.join(".venv-aws/bin/python"));
    let stack = Stack::start(options).await.unwrap();
    let token = stack.token(Caller { roles: &["service"], ..Caller::default() }).unwrap();
    let mut smoke = Command::new(python);
    smoke.arg(root.join("local/tools/smoke.py")).args([StackOptions::NAME, "--people", "2000"]);
    smoke.args(["--api", stack.api_base(), "--only", "stack,functions,api,tick,directory"]);
    smoke.env("AWS_ENDPOINT_URL", stack.aws().endpoint()).env("AWS_REGION", Aws::REGION);
    smoke.env("AWS_DEFAULT_REGION", Aws::REGION).env("NO_PROXY", "127.0.0.1");
    smoke.env("AWS_ACCESS_KEY_ID", Aws::ACCOUNT).env("AWS_SECRET_ACCESS_KEY", "test");
    smoke.env("CRM_SYNC_TOKEN", token);
    // The directory is built by messages that the stack's own process hands on meanwhile.
    let told = tokio::task::spawn_blocking(move || smoke.output().unwrap()).await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{out}{err}");
    assert!(out.contains("2,000 people"), "{out}");
    permissions::hold(&stack, "smoke");
}
