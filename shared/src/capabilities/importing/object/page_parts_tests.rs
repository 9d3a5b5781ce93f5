//! A page of large texts in little memory.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;
use zeroize::Zeroizing;

use super::*;
use crate::capabilities::custody::{Custody, SalesforceApp};
use crate::kernel::{
    Connection, ConnectionState, Environment, Generation, TenantEnvironment, TenantId,
};
use crate::salesforce::{
    ApiVersion, Client, HostPolicy, Http, HttpOptions, InstanceUrl, JobId, LoginHost, Session,
};
use crate::seal::Sealer;
use crate::store::keys::GenerationKeys;
use crate::store::{Records, Store};
use crate::testing::Memory;

const ROWS: usize = 5_000;

/// As long as a long text area may be by default.
const DESCRIPTION: usize = 32_000;

/// The memory that storing and landing the page may take beside what the process has: a quarter of
/// what the page alone is.
const MOST_BYTES: u64 = 40 << 20;

/// Set in the process that measures itself.
const CHILD: &str = "CRM_SYNC_LARGE_PAGE";

fn now() -> Timestamp {
    Timestamp::from_second(1_795_294_800).unwrap()
}

fn opened(memory: &Memory) -> OpenGeneration {
    let at = TenantEnvironment {
        tenant: TenantId::derived("acme"),
        environment: Environment::Production,
    };
    let connection = Connection {
        at,
        generation: Generation(1),
        state: ConnectionState::Connected,
        trouble: None,
        paused_since: None,
        degraded_since: None,
        handed_over_at: None,
        org_id: "00D000000000001EAA".parse().unwrap(),
        org_name: "Acme".to_owned(),
        edition: "Enterprise Edition".to_owned(),
        instance_url: "https://acme.my.salesforce.com".parse().unwrap(),
        login_host: LoginHost::production(),
        buckets: 4,
        integration_user: "005000000000001AAA".parse().unwrap(),
        connected_at: now(),
        slot_offset: 0,
    };
    let keys = GenerationKeys::of(&connection);
    let sealer = Sealer::new(&Zeroizing::new([7; 32]));
    let records = Records::new(memory.ports(), keys, sealer.clone());
    let store = Store::opening(memory.ports(), sealer.clone());
    OpenGeneration { connection, keys, sealer, records, store }
}

/// Answers one request with the page, a row at a time.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.read(&mut [0; 16 << 10]).unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\nconnection: close\r\n\
             sforce-numberofrecords: {ROWS}\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        socket.write_all(b"\"Id\",\"SystemModstamp\",\"Name\",\"Description\"\n").unwrap();
        let text = "x".repeat(DESCRIPTION);
        for row in 0..ROWS {
            let id = format!("001{row:012}");
            let line = format!("\"{id}\",\"2026-01-01T10:00:00.000Z\",\"A{row}\",\"{text}\"\n");
            socket.write_all(line.as_bytes()).unwrap();
        }
    });
    address
}

/// Stores and lands the page as a step does. Gives the rows that landed.
async fn import_the_page() -> u64 {
    let memory = Memory::new(now(), 1);
    let (ports, generation) = (memory.ports(), opened(&memory));
    let custody = Custody::new(ports.clone(), "crm-sync/".to_owned());
    let http = Http::to_loopback(HttpOptions::default(), serve()).unwrap();
    let base: Url = "https://crm.example".parse().unwrap();
    let version = ApiVersion::default();
    let app =
        SalesforceApp::new(ports.clone(), http.clone(), version, "app".to_owned(), base, None);
    let import = Import::new(ports, custody, app);
    let (run, object) = (ImportRunId::derived("large"), SObject::Account);
    let place = PagePlace { import, generation, run, object, page: 0 };
    let selection = ObjectSelection::default();
    let client = Client::new(http, version);
    let session = Session {
        instance: InstanceUrl::parse("https://acme.my.salesforce.com", HostPolicy::Commercial)
            .unwrap(),
        access_token: SecretString::from("token"),
    };
    let job = JobId("750000000000001AAA".parse().unwrap());
    let page = client.query_results(&session, job, None, 5_000).await.unwrap();
    let writer = PageWriter::new(place.clone(), &selection);
    let rows = store_rows(page.into_rows(), writer).await.unwrap().unwrap();
    assert_eq!(rows, ROWS as u64);
    let done = land_parts(place, Reading { run, step: 1, at: now() }).await.unwrap();
    assert!(done.index.unwrap().parts > 1);
    done.landed.counts.new
}

/// The virtual memory of this process.
fn virtual_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmSize:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn m06_five_thousand_accounts_with_long_descriptions_are_imported_in_little_memory() {
    if std::env::var_os(CHILD).is_none() {
        let test =
            "m06_five_thousand_accounts_with_long_descriptions_are_imported_in_little_memory";
        let name = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture"])
            .env(CHILD, "1")
            .env("MALLOC_ARENA_MAX", "1")
            .output()
            .unwrap();
        let said = [child.stdout, child.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // What is there anyway: the runtime, and the stacks of the threads that serve and resolve.
    let most = virtual_bytes() + MOST_BYTES;
    let limit = rustix::process::Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).unwrap();
    assert_eq!(runtime.block_on(import_the_page()), ROWS as u64);
}
