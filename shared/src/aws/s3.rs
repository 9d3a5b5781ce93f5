//! The objects on S3.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, Delete, Error as DeleteFailure,
    ObjectIdentifier,
};
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::error::{AwsError, failed};
use super::pause::{ATTEMPTS, pause};
use crate::ports::{Disposition, ObjectStore, PortError, StoredObject};

/// The most keys of one `DeleteObjects`.
const DELETE_CHUNK: usize = 1_000;

/// A larger object goes in parts of this size: a cut connection then costs one part, not all.
const PART: usize = 32 << 20;

/// The checksum of an upload in parts, from its creation to its completion. S3 keeps the checksums
/// of parts only for an upload that was begun with their algorithm, and refuses to complete any
/// other one that names them.
const CHECKSUM: ChecksumAlgorithm = ChecksumAlgorithm::Crc32;

/// How many parts are under way at once.
const CONCURRENT_PARTS: usize = 4;

const PUT: &str = "put an object";
const DELETE: &str = "delete objects";

/// The port [`ObjectStore`] on one S3 bucket.
#[derive(Debug, Clone)]
pub struct S3Objects {
    client: Client,
    bucket: String,
}

/// Why an object could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum ObjectError {
    #[error("the object's bytes broke off")]
    Cut,
    #[error("there is no such object")]
    NoObject,
    #[error("the range is not within the object")]
    Range,
    #[error("the answer lacks {0}")]
    Answer(&'static str),
}

impl S3Objects {
    /// The objects of this bucket.
    #[must_use]
    pub fn new(sdk: &SdkConfig, bucket: impl Into<String>) -> Self {
        Self { client: Client::new(sdk), bucket: bucket.into() }
    }

    /// An object or part of it. The SDK repeats a request, but not a body that broke off.
    async fn read(
        &self,
        key: &str,
        range: Option<&str>,
        action: &'static str,
    ) -> Result<Option<Bytes>, PortError> {
        for attempt in 0..ATTEMPTS {
            let get = self.client.get_object().bucket(&self.bucket).key(key);
            let got = match get.set_range(range.map(ToOwned::to_owned)).send().await {
                Ok(got) => got,
                Err(error) => match error.as_service_error() {
                    Some(GetObjectError::NoSuchKey(_)) => return Ok(None),
                    _ => return Err(failed(action, &error)),
                },
            };
            if let Some(body) = whole(got).await {
                return Ok(Some(body));
            }
            pause(attempt).await;
        }
        Err(PortError::retry(action, ObjectError::Cut))
    }

    async fn put_whole(&self, key: &str, body: Bytes) -> Result<(), PortError> {
        let put = self.client.put_object().bucket(&self.bucket).key(key);
        match put.body(ByteStream::from(body)).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(failed(PUT, &error)),
        }
    }

    async fn put_parts(&self, key: &str, body: &Bytes) -> Result<(), PortError> {
        let create = self.client.create_multipart_upload().bucket(&self.bucket).key(key);
        let create = create.checksum_algorithm(CHECKSUM);
        let upload = create.send().await.map_err(|error| failed(PUT, &error))?.upload_id;
        let upload = upload.ok_or_else(|| PortError::reject(PUT, ObjectError::Answer("an id")))?;
        let done = self.finish_parts(key, body, &upload).await;
        if done.is_err() {
            // What is left behind costs until the bucket's own rule removes it: no more than that.
            let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(key);
            if let Err(error) = abort.upload_id(&upload).send().await {
                tracing::debug!(error = %AwsError::of(&error), "an abandoned upload stays behind");
            }
        }
        done
    }

    async fn finish_parts(&self, key: &str, body: &Bytes, upload: &str) -> Result<(), PortError> {
        let parts: Vec<CompletedPart> = stream::iter((0..body.len()).step_by(PART).zip(1..))
            .map(|(start, number)| {
                let part = body.slice(start..body.len().min(start + PART));
                self.put_part(key, upload, number, part)
            })
            .buffered(CONCURRENT_PARTS)
            .try_collect()
            .await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.bucket).key(key);
        match complete.upload_id(upload).multipart_upload(parts).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(failed(PUT, &error)),
        }
    }

    async fn put_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        part: Bytes,
    ) -> Result<CompletedPart, PortError> {
        let sent = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload)
            .part_number(number)
            .checksum_algorithm(CHECKSUM)
            .body(ByteStream::from(part))
            .send()
            .await
            .map_err(|error| failed(PUT, &error))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .build())
    }

    async fn delete_chunk(&self, keys: &[String]) -> Result<(), PortError> {
        let mut left: Vec<ObjectIdentifier> = keys
            .iter()
            .map(|key| ObjectIdentifier::builder().key(key).build())
            .collect::<Result<_, BuildError>>()
            .map_err(|error| PortError::reject(DELETE, error))?;
        for attempt in 0..ATTEMPTS {
            let delete = Delete::builder().set_objects(Some(left.clone())).quiet(true).build();
            let delete = delete.map_err(|error| PortError::reject(DELETE, error))?;
            let call = self.client.delete_objects().bucket(&self.bucket).delete(delete);
            let failures = match call.send().await {
                Ok(done) => done.errors.unwrap_or_default(),
                Err(error) => return Err(failed(DELETE, &error)),
            };
            if let Some(error) = lasting(&failures) {
                return Err(error.doing(DELETE));
            }
            left.retain(|object| failures.iter().any(|f| f.key.as_ref() == Some(&object.key)));
            if left.is_empty() {
                return Ok(());
            }
            pause(attempt).await;
        }
        Err(AwsError::Unprocessed { left: left.len() }.doing(DELETE))
    }
}

/// The first failure that will not pass by itself.
fn lasting(failures: &[DeleteFailure]) -> Option<AwsError> {
    failures
        .iter()
        .map(|failure| {
            let code = failure.code().unwrap_or("Unknown").to_owned();
            let status = if code == "InternalError" { 500 } else { 400 };
            AwsError::Service { code, status, request_id: None }
        })
        .find(|error| error.disposition() == Disposition::Reject)
}

/// The body, unless it broke off.
async fn whole(got: GetObjectOutput) -> Option<Bytes> {
    let length = got.content_length.and_then(|length| usize::try_from(length).ok());
    let body = got.body.collect().await.ok()?.into_bytes();
    length.is_none_or(|length| body.len() == length).then_some(body)
}

#[async_trait]
impl ObjectStore for S3Objects {
    async fn put(&self, key: &str, body: Bytes) -> Result<(), PortError> {
        if body.len() > PART {
            self.put_parts(key, &body).await
        } else {
            self.put_whole(key, body).await
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError> {
        self.read(key, None, "get an object").await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, PortError> {
        let action = "get part of an object";
        let refused = |error| PortError::reject(action, error);
        let length =
            range.end.checked_sub(range.start).ok_or_else(|| refused(ObjectError::Range))?;
        if length == 0 {
            return Ok(Bytes::new());
        }
        let bytes = format!("bytes={}-{}", range.start, range.end - 1);
        let body = self.read(key, Some(&bytes), action).await?;
        let body = body.ok_or_else(|| refused(ObjectError::NoObject))?;
        // A range that only begins within the object is answered with less than was asked for.
        if body.len() as u64 == length { Ok(body) } else { Err(refused(ObjectError::Range)) }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredObject>, PortError> {
        let action = "list objects";
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .into_paginator()
            .send();
        let mut objects = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(action, &error))?;
            for object in page.contents.unwrap_or_default() {
                let key = object.key.ok_or(ObjectError::Answer("a key"));
                let size = object.size.and_then(|size| u64::try_from(size).ok());
                objects.push(StoredObject {
                    key: key.map_err(|error| PortError::reject(action, error))?,
                    size: size.unwrap_or_default(),
                });
            }
        }
        Ok(objects)
    }

    async fn delete(&self, keys: &[String]) -> Result<(), PortError> {
        for chunk in keys.chunks(DELETE_CHUNK) {
            self.delete_chunk(chunk).await?;
        }
        Ok(())
    }

    async fn presign_put(&self, key: &str, valid: Duration) -> Result<String, PortError> {
        let action = "presign a put";
        let valid = PresigningConfig::expires_in(valid)
            .map_err(|error| PortError::reject(action, error))?;
        let put = self.client.put_object().bucket(&self.bucket).key(key);
        let signed = put.presigned(valid).await.map_err(|error| failed(action, &error))?;
        Ok(signed.uri().to_owned())
    }

    async fn presign_get(&self, key: &str, valid: Duration) -> Result<String, PortError> {
        let action = "presign a get";
        let valid = PresigningConfig::expires_in(valid)
            .map_err(|error| PortError::reject(action, error))?;
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        // Whatever the file holds, a browser shows nothing of it.
        let get = get.response_content_disposition("attachment");
        let get = get.response_content_type("application/octet-stream");
        let signed = get.presigned(valid).await.map_err(|error| failed(action, &error))?;
        Ok(signed.uri().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: &str) -> DeleteFailure {
        DeleteFailure::builder().key("k").code(code).build()
    }

    #[test]
    fn only_a_lasting_failure_ends_a_deletion() {
        assert_eq!(lasting(&[failure("InternalError"), failure("SlowDown")]), None);
        assert!(lasting(&[failure("SlowDown"), failure("AccessDenied")]).is_some());
    }

    #[tokio::test]
    async fn a_body_shorter_than_announced_is_not_taken() {
        let got = |length| {
            GetObjectOutput::builder().body(ByteStream::from_static(b"abc")).content_length(length)
        };
        assert_eq!(whole(got(3).build()).await, Some(Bytes::from_static(b"abc")));
        assert_eq!(whole(got(4).build()).await, None);
    }
}
