//! A bucket that refuses what S3 refuses of checksums, on loopback. It knows nothing of our
//! adapter: the rules are S3's own, from its API reference and from what others met.
//!
//! - An upload in parts has the checksum algorithm that its creation named, or none. S3 takes a
//!   part's checksum in either case. Without an algorithm it forgets it, and then refuses it as
//!   `InvalidPart` when the upload is completed (aws/aws-sdk-go-v2#3005, transloadit/uppy#6180).
//! - With an algorithm each part must carry it, and the completion must name it part by part.
//! - A part that is not the last has at least 5 MiB.
//! - A deletion of several objects needs a checksum.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use flate2::Crc;

use super::complete::{Completion, NamedPart};

/// The checksum that the SDKs use by default, and the only one that this stub can calculate.
const CRC32: &str = "x-amz-checksum-crc32";

/// Every part but the last has at least this size.
const LEAST_PART: usize = 5 << 20;

/// The largest request of a test.
const LARGEST_BODY: usize = 64 << 20;

/// What S3 answers instead of doing it: status, code, and where its message says more than that,
/// the message.
pub(super) type Refusal = (StatusCode, &'static str, String);

/// A refusal with status 400.
pub(super) fn bad(code: &'static str, message: impl Into<String>) -> Refusal {
    (StatusCode::BAD_REQUEST, code, message.into())
}

fn not_found(code: &'static str) -> Refusal {
    (StatusCode::NOT_FOUND, code, String::new())
}

/// One call that the stub got: its method, its target, and the headers that speak of checksums.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) checksums: BTreeMap<String, String>,
}

/// A bucket with its objects and the uploads under way.
#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
    calls: Vec<Call>,
    made: usize,
    /// Completions that are done and yet answered as if they were not.
    unanswered: usize,
}

struct Object {
    body: Bytes,
    checksum: Option<String>,
}

struct Upload {
    key: String,
    algorithm: Option<String>,
    parts: BTreeMap<u32, Part>,
}

struct Part {
    body: Bytes,
    etag: String,
    checksum: Option<String>,
}

/// The running stub; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct S3Stub {
    bucket: Arc<Mutex<Bucket>>,
    pub(crate) endpoint: String,
}

impl S3Stub {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let stub = Self { bucket: Arc::default(), endpoint };
        let app = Router::new().fallback(answer).with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        stub
    }

    /// What was asked so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.bucket.lock().unwrap().calls.clone()
    }

    /// The next completion is done, and its answer is S3's `200` with an error in it.
    pub(crate) fn loses_an_answer(&self) {
        self.bucket.lock().unwrap().unanswered += 1;
    }
}

async fn answer(State(stub): State<S3Stub>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let target = head.uri.to_string();
    let checksums = head.headers.iter().filter(|(name, _)| name.as_str().contains("checksum"));
    let checksums = checksums
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let body = to_bytes(body, LARGEST_BODY).await.unwrap();
    let mut bucket = stub.bucket.lock().unwrap();
    bucket.calls.push(Call { method: head.method.clone(), target: target.clone(), checksums });
    let asked = Asked::new(head.method, &target, head.headers);
    asked.and_then(|asked| bucket.answer(&asked, &body)).unwrap_or_else(refused)
}

fn refused((status, code, message): Refusal) -> Response<Body> {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Response::builder().status(status).body(Body::from(body)).unwrap()
}

/// A request by its parts: path-style, `/bucket/key?query`.
struct Asked {
    method: Method,
    key: String,
    query: BTreeMap<String, String>,
    headers: HeaderMap,
}

impl Asked {
    fn new(method: Method, target: &str, headers: HeaderMap) -> Result<Self, Refusal> {
        let url = url::Url::parse("http://stub").unwrap().join(target).unwrap();
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let path = url.path().trim_start_matches('/');
        let key = path.split_once('/').map(|(_, key)| key.to_owned()).unwrap_or_default();
        let asked = Self { method, key, query, headers };
        asked.one_checksum()?;
        Ok(asked)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn asks(&self, name: &str) -> bool {
        self.query.contains_key(name)
    }

    /// The checksum that a body came with, in a header or behind the body. A presigned address
    /// whose query promises one is held to it as a header would be.
    fn one_checksum(&self) -> Result<(), Refusal> {
        let value = |name: &&str| {
            name.starts_with("x-amz-checksum-")
                && !["algorithm", "mode", "type"].iter().any(|kind| name.ends_with(kind))
        };
        let names: Vec<&str> = self.headers.keys().map(HeaderName::as_str).filter(value).collect();
        if names.len() > 1 {
            return Err(bad("InvalidRequest", "Expecting a single x-amz-checksum- header"));
        }
        let promised = self.header("x-amz-sdk-checksum-algorithm").is_some()
            || self.asks("x-amz-sdk-checksum-algorithm");
        let sends_a_body = self.method == Method::PUT;
        if promised && sends_a_body && names.is_empty() && self.header("x-amz-trailer").is_none() {
            let message = "x-amz-sdk-checksum-algorithm specified, but no corresponding \
                           x-amz-checksum-* or x-amz-trailer headers were found.";
            return Err(bad("InvalidRequest", message));
        }
        Ok(())
    }

    /// The body as it was meant, and the checksum that came with it, which was compared.
    fn content(&self, sent: &Bytes) -> Result<(Bytes, Option<String>), Refusal> {
        let (body, behind) = if self.header("content-encoding") == Some("aws-chunked") {
            unchunked(sent).ok_or_else(|| bad("IncompleteBody", ""))?
        } else {
            (sent.clone(), None)
        };
        let named = self.header(CRC32).map(ToOwned::to_owned).or(behind);
        match named {
            Some(named) if named != crc32(&body) => {
                Err(bad("BadDigest", "The CRC32 you specified did not match"))
            }
            named => Ok((body, named)),
        }
    }
}

impl Bucket {
    fn answer(&mut self, asked: &Asked, sent: &Bytes) -> Result<Response<Body>, Refusal> {
        let upload = asked.query.get("uploadId");
        match (asked.method.as_str(), upload) {
            ("POST", None) if asked.asks("uploads") => self.create(asked),
            ("PUT", Some(upload)) => self.part(asked, upload, sent),
            ("POST", Some(upload)) => self.complete(asked, upload, sent),
            ("DELETE", Some(upload)) => {
                self.uploads.remove(upload).ok_or_else(|| not_found("NoSuchUpload"))?;
                Ok(Response::default())
            }
            ("PUT", None) => self.put(asked, sent),
            ("GET", None) if !asked.key.is_empty() => self.get(asked),
            ("POST", None) if asked.asks("delete") => self.delete(asked, sent),
            _ => Err((StatusCode::NOT_IMPLEMENTED, "NotImplemented", String::new())),
        }
    }

    fn create(&mut self, asked: &Asked) -> Result<Response<Body>, Refusal> {
        let algorithm = asked.header("x-amz-checksum-algorithm").map(ToOwned::to_owned);
        if algorithm.as_deref().is_some_and(|name| name != "CRC32") {
            return Err(bad("InvalidRequest", "Checksum algorithm provided is unsupported."));
        }
        if algorithm.is_none() && asked.header("x-amz-checksum-type").is_some() {
            let message = "The x-amz-checksum-type header can only be used with the \
                           x-amz-checksum-algorithm header.";
            return Err(bad("InvalidRequest", message));
        }
        self.made += 1;
        let id = format!("upload-{}", self.made);
        let upload = Upload { key: asked.key.clone(), algorithm, parts: BTreeMap::new() };
        self.uploads.insert(id.clone(), upload);
        let begun = format!(
            "<InitiateMultipartUploadResult><UploadId>{id}</UploadId>\
             </InitiateMultipartUploadResult>"
        );
        Ok(Response::new(begun.into()))
    }

    fn part(&mut self, asked: &Asked, id: &str, sent: &Bytes) -> Result<Response<Body>, Refusal> {
        let (body, checksum) = asked.content(sent)?;
        self.made += 1;
        let etag = format!("\"part-{}\"", self.made);
        let upload = self.uploads.get_mut(id).ok_or_else(|| not_found("NoSuchUpload"))?;
        if upload.algorithm.is_some() && checksum.is_none() {
            let message = "Checksum Type mismatch occurred, expected checksum Type: crc32, \
                           actual checksum Type: null";
            return Err(bad("InvalidRequest", message));
        }
        let number: u32 = asked.query.get("partNumber").and_then(|n| n.parse().ok()).unwrap_or(0);
        if !(1..=10_000).contains(&number) {
            return Err(bad("InvalidArgument", "Part number must be between 1 and 10000."));
        }
        let mut response = Response::builder().header("etag", &etag);
        if let Some(checksum) = &checksum {
            response = response.header(CRC32, checksum);
        }
        // Without an algorithm the checksum was compared, and is not kept.
        let checksum = checksum.filter(|_| upload.algorithm.is_some());
        upload.parts.insert(number, Part { body, etag, checksum });
        Ok(response.body(Body::empty()).unwrap())
    }

    fn complete(
        &mut self,
        asked: &Asked,
        id: &str,
        sent: &Bytes,
    ) -> Result<Response<Body>, Refusal> {
        let upload = self.uploads.get(id).ok_or_else(|| not_found("NoSuchUpload"))?;
        if upload.key != asked.key {
            return Err(not_found("NoSuchUpload"));
        }
        let named = Completion::read(sent)?;
        let last = named.parts.len().saturating_sub(1);
        let mut whole = Vec::new();
        for (place, part) in named.parts.iter().enumerate() {
            whole.extend_from_slice(upload.named(part, place, place == last)?);
        }
        let checksum = upload.algorithm.as_ref().map(|_| upload.composite());
        self.objects.insert(asked.key.clone(), Object { body: whole.into(), checksum });
        self.uploads.remove(id);
        if self.unanswered > 0 {
            self.unanswered -= 1;
            let body = "<Error><Code>InternalError</Code><Message>Please try again.</Message>\
                        </Error>";
            return Ok(Response::new(body.into()));
        }
        let whole =
            "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>";
        Ok(Response::new(whole.into()))
    }

    fn put(&mut self, asked: &Asked, sent: &Bytes) -> Result<Response<Body>, Refusal> {
        let (body, checksum) = asked.content(sent)?;
        self.objects.insert(asked.key.clone(), Object { body, checksum });
        Ok(Response::default())
    }

    /// An object, with the checksum that it was put with. A part of one has none: S3 knows only
    /// that of the whole.
    fn get(&self, asked: &Asked) -> Result<Response<Body>, Refusal> {
        let object = self.objects.get(&asked.key).ok_or_else(|| not_found("NoSuchKey"))?;
        let Some(range) = asked.header("range") else {
            let mut response = Response::new(Body::from(object.body.clone()));
            let asks = asked.header("x-amz-checksum-mode") == Some("ENABLED");
            if let Some(checksum) = object.checksum.as_ref().filter(|_| asks) {
                let kind = if checksum.contains('-') { "COMPOSITE" } else { "FULL_OBJECT" };
                let headers = response.headers_mut();
                headers.insert(CRC32, HeaderValue::from_str(checksum).unwrap());
                headers.insert("x-amz-checksum-type", HeaderValue::from_static(kind));
            }
            return Ok(response);
        };
        let length = object.body.len();
        let Range { start, end } = parsed(range, length).ok_or((
            StatusCode::RANGE_NOT_SATISFIABLE,
            "InvalidRange",
            String::new(),
        ))?;
        let part = object.body.slice(start..end);
        let response = Response::builder().status(StatusCode::PARTIAL_CONTENT);
        let named = format!("bytes {start}-{}/{length}", end - 1);
        Ok(response.header("content-range", named).body(Body::from(part)).unwrap())
    }

    fn delete(&mut self, asked: &Asked, sent: &Bytes) -> Result<Response<Body>, Refusal> {
        let (body, checksum) = asked.content(sent)?;
        if checksum.is_none() && asked.header("content-md5").is_none() {
            let message = "Missing required header for this request: Content-MD5 OR \
                           x-amz-checksum-*";
            return Err(bad("InvalidRequest", message));
        }
        let text = String::from_utf8_lossy(&body);
        let listed = roxmltree::Document::parse(&text).map_err(|_| bad("MalformedXML", ""))?;
        for key in listed.descendants().filter(|node| node.tag_name().name() == "Key") {
            self.objects.remove(key.text().unwrap_or_default());
        }
        Ok(Response::new("<DeleteResult></DeleteResult>".into()))
    }
}

impl Upload {
    /// The bytes of a part that a completion names, if it names it as S3 wants it.
    fn named(&self, named: &NamedPart, place: usize, last: bool) -> Result<&[u8], Refusal> {
        let missing =
            || bad("InvalidPart", "One or more of the specified parts could not be found.");
        let part = self.parts.get(&named.number).ok_or_else(missing)?;
        if part.etag.trim_matches('"') != named.etag.trim_matches('"') {
            return Err(missing());
        }
        match (&self.algorithm, &named.checksum) {
            (None, None) => {}
            (Some(_), None) => {
                let message = format!(
                    "The upload was created using a crc32 checksum. The complete request must \
                     include the checksum for each part. It was missing for part {}",
                    named.number,
                );
                return Err(bad("InvalidRequest", message));
            }
            (_, checksum) if *checksum != part.checksum => return Err(missing()),
            _ if named.number as usize != place + 1 => {
                // The reference says so: numbers that are not consecutive are a 500.
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                return Err((status, "InternalError", String::new()));
            }
            _ => {}
        }
        if !last && part.body.len() < LEAST_PART {
            return Err(bad("EntityTooSmall", "Your proposed upload is too small."));
        }
        Ok(&part.body)
    }

    /// The checksum of the parts' checksums, and how many there are.
    fn composite(&self) -> String {
        let decoded = self.parts.values().filter_map(|part| part.checksum.as_ref());
        let sums: Vec<u8> = decoded.flat_map(|sum| BASE64_STANDARD.decode(sum).unwrap()).collect();
        format!("{}-{}", crc32(&sums), self.parts.len())
    }
}

/// A CRC-32 as S3 writes it.
pub(crate) fn crc32(bytes: &[u8]) -> String {
    let mut crc = Crc::new();
    crc.update(bytes);
    BASE64_STANDARD.encode(crc.sum().to_be_bytes())
}

/// `bytes=a-b` within so many bytes, cut off at the end.
fn parsed(range: &str, length: usize) -> Option<Range<usize>> {
    let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end): (usize, usize) = (start.parse().ok()?, end.parse().ok()?);
    (start < length && start <= end).then_some(start..length.min(end + 1))
}

/// The bytes of a body in chunks, and the checksum in the trailer behind them.
fn unchunked(sent: &[u8]) -> Option<(Bytes, Option<String>)> {
    let (mut left, mut body) = (sent, Vec::new());
    loop {
        let end = left.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&left[..end]).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        left = &left[end + 2..];
        if size == 0 {
            break;
        }
        left.take(size as u64).read_to_end(&mut body).ok()?;
        left = left.get(size + 2..)?;
    }
    let trailer = std::str::from_utf8(left).ok()?;
    let line = trailer.lines().find_map(|line| line.strip_prefix(CRC32)?.strip_prefix(':'));
    Some((body.into(), line.map(|value| value.trim().to_owned())))
}
