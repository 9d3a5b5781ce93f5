//! Where a world's data lies: in memory, or in the stores of one machine.

use std::path::Path;
use std::sync::Arc;

use embedded::keys::{MasterKey, SealedSecrets};
use embedded::objects::{FileObjects, MappedObjects, ObjectsConfig};
use embedded::table::SqliteTable;
use rusqlite::Connection;
use shared::capabilities::directory::ShardFiles;
use shared::ports::{ObjectStore, Ports};
use tempfile::TempDir;

/// Where a world's data lies. The queues, the events and the clock are the test's own in both, so
/// that it can lose messages and let time pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Home {
    /// In memory.
    #[default]
    Memory,
    /// A table in SQLite, objects as files, secrets and data keys under a master key, in a folder
    /// of the world's own.
    OneMachine,
}

/// Most bytes of an upload; worlds upload nothing over HTTP.
const MOST_UPLOAD: u64 = 1 << 20;

/// The stores of one machine. Their folder goes when they go.
pub(crate) struct Machine {
    table: SqliteTable,
    objects: FileObjects,
    secrets: SealedSecrets,
    folder: TempDir,
}

impl Machine {
    /// Empty stores, with the clock and the randomness of `ports`.
    pub(crate) fn new(ports: &Ports) -> Self {
        let folder = TempDir::new().expect("a folder");
        let master = MasterKey::generate(&*ports.entropy);
        let config = ObjectsConfig {
            folder: folder.path().join("objects"),
            public_base: "http://127.0.0.1".to_owned(),
            signing_key: master.derive("addresses of uploads"),
            most_upload: MOST_UPLOAD,
            clock: ports.clock.clone(),
        };
        let secrets = folder.path().join("secrets.db");
        Self {
            table: SqliteTable::open(&folder.path().join("table.db")).expect("a table"),
            objects: FileObjects::open(config).expect("a folder of objects"),
            secrets: SealedSecrets::open(&secrets, &master, ports.entropy.clone())
                .expect("a file of secrets"),
            folder,
        }
    }

    /// These ports, with the stores of this machine in place of theirs.
    pub(crate) fn take_over(&self, ports: Ports) -> Ports {
        Ports {
            table: Arc::new(self.table.clone()),
            objects: Arc::new(self.objects.clone()),
            secrets: Arc::new(self.secrets.clone()),
            data_keys: Arc::new(self.secrets.data_keys()),
            ..ports
        }
    }

    /// Shard files where they lie.
    pub(crate) fn shard_files(&self) -> Arc<dyn ShardFiles> {
        Arc::new(MappedObjects::new(self.objects.clone()))
    }

    /// The keys of all items, partition and sort key.
    pub(crate) async fn item_keys(&self) -> Vec<String> {
        let copy = self.copy("table-seen.db");
        self.table.back_up(&copy).await.expect("a copy");
        let keys = "SELECT pk || ' ' || sk FROM items JOIN partitions ON partitions.id = partition";
        texts(&copy, keys)
    }

    /// How many items there are, and the bytes of the file that holds them.
    pub(crate) async fn stored(&self) -> (u64, u64) {
        let copy = self.copy("table-seen.db");
        self.table.back_up(&copy).await.expect("a copy");
        let count = texts(&copy, "SELECT CAST(count(*) AS TEXT) FROM items").pop();
        let bytes = std::fs::metadata(&copy).expect("a copy").len();
        (count.and_then(|count| count.parse().ok()).expect("a number"), bytes)
    }

    /// The keys of all objects.
    pub(crate) async fn object_keys(&self) -> Vec<String> {
        let objects = self.objects.list("").await.expect("a folder");
        objects.into_iter().map(|object| object.key).collect()
    }

    /// The names of all secrets.
    pub(crate) async fn secret_names(&self) -> Vec<String> {
        let copy = self.copy("secrets-seen.db");
        self.secrets.back_up(&copy).await.expect("a copy");
        texts(&copy, "SELECT DISTINCT name FROM secrets")
    }

    /// A place for a copy, with nothing there.
    fn copy(&self, name: &str) -> std::path::PathBuf {
        let path = self.folder.path().join(name);
        if path.exists() {
            std::fs::remove_file(&path).expect("a copy of ours");
        }
        path
    }
}

/// The only column of a query's rows.
fn texts(file: &Path, query: &str) -> Vec<String> {
    let connection = Connection::open(file).expect("a copy");
    let mut statement = connection.prepare(query).expect("a table of ours");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<rusqlite::Result<_>>().expect("texts")
}
