//! A service that this function was not given. Each function's role and configuration name what it
//! needs; a call beyond that is a mistake in the wiring, and says which variable is missing.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use zeroize::Zeroizing;

use crate::kernel::Event;
use crate::ports::{
    DataKeys, Events, KeyContext, ObjectStore, PortError, StoredObject, WrappedKey,
};

/// Names the variable that would configure the service.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{0} is not set for this function")]
pub(crate) struct Unconfigured(pub(crate) &'static str);

impl Unconfigured {
    fn refuse<T>(self, action: &'static str) -> Result<T, PortError> {
        Err(PortError::reject(action, self))
    }
}

#[async_trait]
impl ObjectStore for Unconfigured {
    async fn put(&self, _: &str, _: Bytes) -> Result<(), PortError> {
        self.refuse("put an object")
    }

    async fn get(&self, _: &str) -> Result<Option<Bytes>, PortError> {
        self.refuse("get an object")
    }

    async fn get_range(&self, _: &str, _: Range<u64>) -> Result<Bytes, PortError> {
        self.refuse("get part of an object")
    }

    async fn list(&self, _: &str) -> Result<Vec<StoredObject>, PortError> {
        self.refuse("list objects")
    }

    async fn delete(&self, _: &[String]) -> Result<(), PortError> {
        self.refuse("delete objects")
    }

    async fn presign_put(&self, _: &str, _: Duration) -> Result<String, PortError> {
        self.refuse("presign a put")
    }

    async fn presign_get(&self, _: &str, _: Duration) -> Result<String, PortError> {
        self.refuse("presign a get")
    }
}

#[async_trait]
impl DataKeys for Unconfigured {
    async fn generate(
        &self,
        _: &KeyContext,
    ) -> Result<(Zeroizing<[u8; 32]>, WrappedKey), PortError> {
        self.refuse("make a data key")
    }

    async fn unwrap(
        &self,
        _: &WrappedKey,
        _: &KeyContext,
    ) -> Result<Zeroizing<[u8; 32]>, PortError> {
        self.refuse("unwrap a data key")
    }
}

#[async_trait]
impl Events for Unconfigured {
    async fn publish(&self, _: &Event) -> Result<(), PortError> {
        self.refuse("publish an event")
    }
}
