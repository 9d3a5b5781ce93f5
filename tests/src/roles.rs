//! The keys and secrets that each function's role allows. `template.yaml` says the same: a test
//! compares. A function that asks for more fails the test that it runs in.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use shared::kernel::Queue;
use shared::ports::{
    DataKeys, KeyContext, PortError, Ports, Purpose, Secrets, VersionId, WrappedKey,
};
use zeroize::Zeroizing;

/// The name of the app's secret in a world.
pub(crate) const APP_SECRET: &str = "app";

/// What a function's role allows.
#[derive(Debug, Clone, Copy)]
pub struct FunctionRole {
    function: &'static str,
    /// The purposes of the data keys that it unwraps.
    pub opens: &'static [Purpose],
    /// The purposes of the data keys that it makes.
    pub makes: &'static [Purpose],
    /// Whether it reads our app's secret.
    pub reads_app: bool,
}

use Purpose::{AdminGrant, Login, Purge, Records, SeatGrants};

const ROLES: [FunctionRole; 12] = [
    role("api", &[Records], &[], false),
    role("console", &[Records], &[], false),
    role("ask", &[Records, SeatGrants], &[], true),
    role("auto-save", &[Records], &[], false),
    role("bulk-import", &[Records, AdminGrant], &[], true),
    role("connection-care", &[Records, AdminGrant, SeatGrants], &[], true),
    role("data-purge", &[Records, AdminGrant, SeatGrants, Purge, Login], &[Purge], false),
    role("directory-index", &[], &[], false),
    role("match-shard", &[Records], &[], false),
    role(
        "oauth-callback",
        &[Records, AdminGrant, SeatGrants],
        &[Records, AdminGrant, SeatGrants, Login],
        true,
    ),
    role("telling", &[], &[], false),
    role("writeback", &[Records, SeatGrants], &[], true),
];

const fn role(
    function: &'static str,
    opens: &'static [Purpose],
    makes: &'static [Purpose],
    reads_app: bool,
) -> FunctionRole {
    FunctionRole { function, opens, makes, reads_app }
}

impl FunctionRole {
    /// The role of a function.
    #[must_use]
    pub fn of(function: &str) -> Self {
        ROLES.into_iter().find(|role| role.function == function).expect("a function with a role")
    }

    /// The role of the function that a queue feeds.
    pub(crate) fn of_queue(queue: Queue) -> Self {
        Self::of(match queue {
            Queue::Import => "bulk-import",
            Queue::Match => "match-shard",
            Queue::AutoSave => "auto-save",
            Queue::Writeback => "writeback",
            Queue::Care => "connection-care",
            Queue::Telling => "telling",
            Queue::Purge => "data-purge",
            Queue::Directory => "directory-index",
        })
    }

    /// The ports as this role has them.
    pub(crate) fn hold(self, ports: &Ports) -> Ports {
        Ports {
            data_keys: Arc::new(Held(ports.data_keys.clone(), self)),
            secrets: Arc::new(Held(ports.secrets.clone(), self)),
            ..ports.clone()
        }
    }

    /// Whether it destroys secrets: a secret's end is the end of everything under its keys.
    #[must_use]
    pub fn destroys_secrets(self) -> bool {
        self.function == "data-purge"
    }

    fn check_app(self, name: &str) {
        let may = name != APP_SECRET || self.reads_app;
        assert!(may, "{} may not read the app's secret", self.function);
    }
}

struct Held<P: ?Sized>(Arc<P>, FunctionRole);

#[async_trait]
impl DataKeys for Held<dyn DataKeys> {
    async fn generate(
        &self,
        context: &KeyContext,
    ) -> Result<(Zeroizing<[u8; 32]>, WrappedKey), PortError> {
        let FunctionRole { function, makes, .. } = self.1;
        assert!(makes.contains(&context.purpose), "{function} may not make {context}");
        self.0.generate(context).await
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &KeyContext,
    ) -> Result<Zeroizing<[u8; 32]>, PortError> {
        let FunctionRole { function, opens, .. } = self.1;
        assert!(opens.contains(&context.purpose), "{function} may not open {context}");
        self.0.unwrap(wrapped, context).await
    }
}

#[async_trait]
impl Secrets for Held<dyn Secrets> {
    async fn put(
        &self,
        name: &str,
        value: &SecretString,
        token: &str,
    ) -> Result<VersionId, PortError> {
        self.1.check_app(name);
        self.0.put(name, value, token).await
    }

    async fn get(
        &self,
        name: &str,
        version: &VersionId,
    ) -> Result<Option<SecretString>, PortError> {
        self.1.check_app(name);
        self.0.get(name, version).await
    }

    async fn newest(&self, name: &str) -> Result<Option<(VersionId, SecretString)>, PortError> {
        self.1.check_app(name);
        self.0.newest(name).await
    }

    async fn destroy(&self, name: &str) -> Result<(), PortError> {
        self.1.check_app(name);
        assert!(self.1.destroys_secrets(), "{} may not destroy {name}", self.1.function);
        self.0.destroy(name).await
    }
}
