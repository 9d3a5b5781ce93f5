//! S3's rules of checksums, at the wire: our adapter against a bucket that refuses what S3 refuses.

mod complete;
mod stub;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use axum::http::Method;
use bytes::Bytes;
use shared::aws::{S3Objects, SdkConfig, sdk_loader};
use shared::ports::{Disposition, ObjectStore};

use self::stub::{S3Stub, crc32};

/// Larger than one part of our uploads, and not a multiple of it.
const LARGE: usize = (33 << 20) + 17;

/// The least size of a part that is not the last.
const FIVE_MIB: usize = 5 << 20;

async fn sdk(stub: &S3Stub) -> SdkConfig {
    sdk_loader()
        .endpoint_url(&stub.endpoint)
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("tests", "secret", None, None, "tests"))
        .load()
        .await
}

async fn bucket() -> (S3Stub, S3Objects) {
    let stub = S3Stub::start().await;
    let objects = S3Objects::new(&sdk(&stub).await, "bucket");
    (stub, objects)
}

fn large() -> Bytes {
    (0..LARGE).map(|i| (i / 4_093).to_le_bytes()[0]).collect()
}

#[tokio::test]
async fn an_upload_in_parts_names_its_checksum_from_the_first_call_to_the_last() {
    let (stub, objects) = bucket().await;
    let body = large();
    objects.put("directory/shard", body.clone()).await.unwrap();
    assert_eq!(objects.get("directory/shard").await.unwrap().unwrap(), body);

    let calls = stub.calls();
    let created = calls.iter().find(|call| call.target.contains("uploads")).unwrap();
    assert_eq!(created.checksums.get("x-amz-checksum-algorithm").unwrap(), "CRC32");
    let parts = calls.iter().filter(|call| call.target.contains("partNumber")).count();
    assert_eq!(parts, 2);
}

/// What the SDK does by itself when nobody names an algorithm: why the test above is needed.
#[tokio::test]
async fn a_checksum_of_a_part_is_refused_when_the_upload_was_begun_without_one() {
    let stub = S3Stub::start().await;
    let client = Client::new(&sdk(&stub).await);
    let made = client.create_multipart_upload().bucket("bucket").key("k").send().await.unwrap();
    let upload = made.upload_id.unwrap();
    let part = client.upload_part().bucket("bucket").key("k").upload_id(&upload).part_number(1);
    let sent = part.body(ByteStream::from_static(b"abc")).send().await.unwrap();
    let sum = sent.checksum_crc32.clone();
    assert_eq!(sum.as_deref(), Some(&*crc32(b"abc")), "the SDK adds one by itself");
    let named = CompletedPart::builder().part_number(1).set_e_tag(sent.e_tag);
    let named = named.set_checksum_crc32(sum).build();
    let parts = CompletedMultipartUpload::builder().parts(named).build();
    let complete = client.complete_multipart_upload().bucket("bucket").key("k");
    let refused = complete.upload_id(&upload).multipart_upload(parts).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidPart"));
}

/// The stub's other refusals, each provoked by a client that errs.
#[tokio::test]
async fn the_stub_refuses_parts_that_s3_refuses() {
    let stub = S3Stub::start().await;
    let web = web();
    let at = |query: &str| format!("{}/bucket/k?{query}", stub.endpoint);
    let created = web.post(at("uploads")).header("x-amz-checksum-algorithm", "CRC32");
    let created = created.send().await.unwrap().text().await.unwrap();
    assert!(created.contains("upload-1"), "{created}");
    let put = async |number: u32, body: Vec<u8>, sum: Option<String>| {
        let put = web.put(at(&format!("partNumber={number}&uploadId=upload-1")));
        let put = sum.into_iter().fold(put, |put, sum| put.header("x-amz-checksum-crc32", sum));
        let sent = put.body(body).send().await.unwrap();
        let etag = sent.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        (sent.text().await.unwrap(), etag.unwrap_or_default())
    };
    let complete = async |parts: &[(u32, &str, Option<&str>)]| {
        let parts = parts.iter().map(|(number, etag, sum)| {
            let sum = sum.map(|sum| format!("<ChecksumCRC32>{sum}</ChecksumCRC32>"));
            let sum = sum.unwrap_or_default();
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{sum}</Part>")
        });
        let body = parts.collect::<String>();
        let body = format!("<CompleteMultipartUpload>{body}</CompleteMultipartUpload>");
        let sent = web.post(at("uploadId=upload-1")).body(body).send().await.unwrap();
        sent.text().await.unwrap()
    };

    let small = crc32(b"abc");
    assert!(put(1, b"abc".to_vec(), None).await.0.contains("actual checksum Type: null"));
    assert!(put(1, b"abd".to_vec(), Some(small.clone())).await.0.contains("BadDigest"));
    let first = put(1, b"abc".to_vec(), Some(small.clone())).await.1;
    let second = put(2, b"abc".to_vec(), Some(small.clone())).await.1;
    let (first, second, small) = (first.as_str(), second.as_str(), Some(small.as_str()));
    let answers = [
        (complete(&[(1, first, None)]).await, "It was missing for part 1"),
        (complete(&[(1, second, small)]).await, "InvalidPart"),
        (complete(&[(1, first, Some("AAAAAA=="))]).await, "InvalidPart"),
        (complete(&[(2, second, small), (1, first, small)]).await, "InvalidPartOrder"),
        (complete(&[(1, first, small), (2, second, small)]).await, "EntityTooSmall"),
        (complete(&[(2, second, small)]).await, "InternalError"),
    ];
    for (answer, code) in answers {
        assert!(answer.contains(code), "{code}: {answer}");
    }
    let large = vec![7; FIVE_MIB];
    let sum = crc32(&large);
    let large = put(1, large, Some(sum.clone())).await.1;
    let done = complete(&[(1, large.as_str(), Some(sum.as_str())), (2, second, small)]).await;
    assert!(done.contains("CompleteMultipartUploadResult"), "{done}");
}

#[tokio::test]
async fn a_completion_whose_answer_was_lost_is_tried_again_and_not_rejected() {
    let (stub, objects) = bucket().await;
    stub.loses_an_answer();
    let lost = objects.put("directory/shard", large()).await;
    if let Err(error) = &lost {
        assert_eq!(error.disposition, Disposition::Retry, "{error:?}");
    }
    objects.put("directory/shard", large()).await.unwrap();
    assert_eq!(objects.get("directory/shard").await.unwrap().unwrap().len(), LARGE);
}

#[tokio::test]
async fn objects_are_read_whole_and_in_parts_whatever_checksum_they_have() {
    let (stub, objects) = bucket().await;
    objects.put("k", Bytes::from_static(b"0123456789")).await.unwrap();
    let calls = stub.calls();
    assert_eq!(calls[0].checksums["x-amz-checksum-crc32"], crc32(b"0123456789"));
    assert_eq!(objects.get("k").await.unwrap().unwrap(), "0123456789");
    assert_eq!(objects.get_range("k", 3..10).await.unwrap(), "3456789");
    assert!(objects.get_range("k", 5..11).await.is_err(), "S3 gives less than was asked for");
    assert!(objects.get_range("k", 10..12).await.is_err(), "S3 says 416");
    assert!(objects.get("none").await.unwrap().is_none());
}

/// Whoever puts a part of a directory has its address and knows nothing of the SDK's checksums.
#[tokio::test]
async fn a_presigned_put_asks_for_no_checksum_of_whoever_has_it() {
    let (stub, objects) = bucket().await;
    let address = objects.presign_put("part", Duration::from_mins(15)).await.unwrap();
    assert!(!address.contains("checksum"), "{address}");
    assert!(address.contains("X-Amz-SignedHeaders=host&"), "{address}");
    let sent = web().put(&address).body("a,b\n1,2\n").send().await.unwrap();
    assert_eq!(sent.status(), 200);
    assert_eq!(objects.get("part").await.unwrap().unwrap(), "a,b\n1,2\n");
    let promised = format!("{address}&x-amz-sdk-checksum-algorithm=CRC32");
    let sent = web().put(promised).body("x").send().await.unwrap();
    assert_eq!(sent.status(), 400, "S3 holds a presigned address to what it promises");
    assert!(stub.calls().iter().all(|call| call.method != Method::POST));
}

/// Whoever exports has the address, and a browser that follows it keeps a file and shows nothing.
#[tokio::test]
async fn a_presigned_get_gives_one_object_as_a_file_for_its_time() {
    let (_stub, objects) = bucket().await;
    objects.put("f/matched-1.csv", Bytes::from_static(b"a,b\r\n")).await.unwrap();
    let address = objects.presign_get("f/matched-1.csv", Duration::from_mins(15)).await.unwrap();
    for part in [
        "/f/matched-1.csv?",
        "response-content-disposition=attachment&",
        "X-Amz-Expires=900&",
        "X-Amz-SignedHeaders=host&",
        "X-Amz-Signature=",
    ] {
        assert!(address.contains(part), "{part}: {address}");
    }
    let got = web().get(&address).send().await.unwrap();
    assert_eq!(got.text().await.unwrap(), "a,b\r\n");
}

#[tokio::test]
async fn a_deletion_of_several_objects_has_its_checksum() {
    let (stub, objects) = bucket().await;
    for key in ["a", "b"] {
        objects.put(key, Bytes::from_static(b"x")).await.unwrap();
    }
    objects.delete(&["a".to_owned(), "b".to_owned()]).await.unwrap();
    assert!(objects.get("a").await.unwrap().is_none());
    let without = web().post(format!("{}/bucket/?delete", stub.endpoint));
    let refused = without.body("<Delete></Delete>").send().await.unwrap();
    assert_eq!(refused.status(), 400);
}

/// A client of what is served on this machine.
fn web() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
}
