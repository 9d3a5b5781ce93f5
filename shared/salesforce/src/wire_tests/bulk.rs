use std::fmt::Write as _;

use futures::TryStreamExt;
use serde_json::json;
use wiremock::matchers::{
    body_json, header, header_regex, method, path, query_param, query_param_is_missing,
};
use wiremock::{Mock, ResponseTemplate};

use super::*;

const JOB: &str = "750000000000001AAA";

fn a_job() -> JobId {
    JobId(JOB.parse().unwrap())
}

fn leads() -> Soql {
    Select::from("Lead").fields(["Id", "Name"]).build().unwrap()
}

fn a_page(rows: std::ops::Range<u32>) -> String {
    let mut page = "\"Id\",\"Name\"\n".to_owned();
    for row in rows {
        writeln!(page, "\"{row}\",\"Name \"\"{row}\"\",\nsecond line\"").unwrap();
    }
    page
}

fn csv_answer(page: &str, rows: u32, locator: &str) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .insert_header("content-encoding", "gzip")
        .insert_header("sforce-locator", locator)
        .insert_header("sforce-numberofrecords", rows.to_string())
        .set_body_raw(gzip(page), "text/csv")
}

async fn answer(answer: ResponseTemplate) -> (MockServer, Client) {
    let (server, client) = a_server().await;
    Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
    (server, client)
}

async fn rows_of(page: ResultPage) -> Result<u64, SalesforceError> {
    let mut rows = page.into_rows();
    while rows.next().await?.is_some() {}
    Ok(rows.rows())
}

#[tokio::test]
async fn a_job_is_created_and_watched() {
    let (server, client) = a_server().await;
    let session = a_session();
    Mock::given(method("POST"))
        .and(path("/services/data/v62.0/jobs/query"))
        .and(body_json(json!({"operation": "queryAll", "query": "SELECT Id,Name FROM Lead",
            "contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF"})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"id": JOB,
            "operation": "queryAll", "object": "Lead",
            "createdById": "005000000000001", "createdDate": "2026-01-01T10:00:00.000+0000",
                "state": "UploadComplete",
            "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": 62.0})))
        .expect(1)
        .mount(&server)
        .await;
    let job =
        client.create_query_job(&session, BulkOperation::QueryAll, &leads()).await.unwrap().value;
    assert_eq!((job.id, job.state), (a_job(), JobState::UploadComplete));
    assert!(!job.is_complete().unwrap());
    let at = format!("/services/data/v62.0/jobs/query/{JOB}");
    for (state, expected) in [
        ("InProgress", Some(false)),
        ("SomethingNew", Some(false)),
        ("JobComplete", Some(true)),
        ("Aborted", None),
        ("Failed", None),
    ] {
        Mock::given(method("GET"))
            .and(path(&at))
            .respond_with(ResponseTemplate::new(200).set_body_json(
                json!({"id": JOB, "state": state,
                "numberRecordsProcessed": 12, "errorMessage": "QUERY_TIMEOUT: too long",
                    "retries": 0, "apiVersion": 62.0}),
            ))
            .up_to_n_times(1)
            .mount(&server)
            .await;
        let job = client.query_job(&session, a_job()).await.unwrap().value;
        assert_eq!(job.is_complete().ok(), expected, "{state}");
        assert_eq!(job.number_records_processed, Some(12));
        if let Err(error) = job.is_complete() {
            assert_eq!(error.to_string(), format!("bulk job {JOB} failed: QUERY_TIMEOUT"));
        }
    }
}

#[tokio::test]
async fn a_job_is_aborted_and_deleted() {
    let (server, client) = a_server().await;
    let session = a_session();
    let at = format!("/services/data/v62.0/jobs/query/{JOB}");
    Mock::given(method("PATCH"))
        .and(path(&at))
        .and(body_json(json!({"state": "Aborted"})))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!({"id": JOB, "state": "Aborted"})),
        )
        .mount(&server)
        .await;
    assert_eq!(
        client.abort_query_job(&session, a_job()).await.unwrap().value.state,
        JobState::Aborted
    );
    Mock::given(method("DELETE"))
        .and(path(&at))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    client.delete_query_job(&session, a_job()).await.unwrap();
}

#[tokio::test]
async fn pages_are_read_by_locator_until_the_last() {
    let (server, client) = a_server().await;
    let at = format!("/services/data/v62.0/jobs/query/{JOB}/results");
    Mock::given(path(&at))
        .and(query_param("maxRecords", "3"))
        .and(query_param_is_missing("locator"))
        .and(header("accept", "text/csv"))
        .and(header_regex("accept-encoding", "gzip"))
        .respond_with(
            csv_answer(&a_page(0..3), 3, "MTAw+/=")
                .insert_header("sforce-limit-info", "api-usage=5/100"),
        )
        .mount(&server)
        .await;
    Mock::given(path(&at))
        .and(query_param("locator", "MTAw+/="))
        .respond_with(csv_answer(&a_page(3..5), 2, "null"))
        .mount(&server)
        .await;
    let session = a_session();
    let (mut locator, mut seen) = (None::<Locator>, Vec::new());
    loop {
        let page = client.query_results(&session, a_job(), locator.as_ref(), 3).await.unwrap();
        if locator.is_none() {
            assert_eq!(page.observed.api_usage, Some(ApiUsage { used: 5, max: 100 }));
        }
        locator.clone_from(&page.next);
        let mut rows = page.into_rows();
        while let Some(row) = rows.next().await.unwrap() {
            let id = row.text("Id").unwrap().into_owned();
            assert_eq!(row.get("Name"), Some(format!("Name \"{id}\",\nsecond line").as_str()));
            seen.push(id);
        }
        if locator.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn a_page_can_be_taken_as_bytes_and_read_later() {
    let page = a_page(0..100);
    let (_server, client) = answer(csv_answer(&page, 100, "null")).await;
    let result = client.query_results(&a_session(), a_job(), None, 100).await.unwrap();
    assert_eq!((result.record_count, &result.next), (Some(100), &None));
    let count = result.record_count;
    let chunks: Vec<_> = result.into_stream().try_collect().await.unwrap();
    let stored = chunks.concat();
    assert_eq!(stored, page.as_bytes());
    let mut reader = CsvReader::new(&stored, count);
    while reader.next().unwrap().is_some() {}
    assert_eq!(reader.rows(), 100);
}

#[tokio::test]
async fn a_page_with_too_few_rows_is_an_error() {
    let (_server, client) = answer(csv_answer(&a_page(0..99), 100, "null")).await;
    let page = client.query_results(&a_session(), a_job(), None, 100).await.unwrap();
    let error = rows_of(page).await.unwrap_err();
    assert!(matches!(
        error,
        SalesforceError::Page(CsvError::RowCount { expected: 100, found: 99 })
    ));
    assert_eq!(error.advice(), Advice::Retry { after: None });
}

#[tokio::test]
async fn a_download_that_breaks_off_is_an_error_however_it_is_sent() {
    let page = a_page(0..500);
    let compressed = gzip(&page);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\nsforce-numberofrecords: \
         500\r\nsforce-locator: null\r\n";
    let promised = |encoding: &str, body: &[u8], cut: usize| {
        let head = format!("{head}{encoding}content-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), &body[..cut]].concat()
    };
    let chunked = |encoding: &str, body: &[u8], end: &str| {
        let head =
            format!("{head}{encoding}transfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len());
        [head.as_bytes(), body, b"\r\n", end.as_bytes()].concat()
    };
    let gzip_header = "content-encoding: gzip\r\n";
    let half = compressed.len() / 2;
    let until_close = |body: &[u8]| [head.as_bytes(), b"connection: close\r\n\r\n", body].concat();
    for (what, answer) in [
        ("content-length", promised("", page.as_bytes(), page.len() / 2)),
        ("content-length, gzip", promised(gzip_header, &compressed, half)),
        ("no last chunk", chunked("", &page.as_bytes()[..page.len() / 2], "")),
        ("no last chunk, gzip", chunked(gzip_header, &compressed[..half], "")),
        ("half a gzip in whole chunks", chunked(gzip_header, &compressed[..half], "0\r\n\r\n")),
        ("half a page until close", until_close(&page.as_bytes()[..page.len() / 2])),
    ] {
        let client = client_to(a_raw_server(answer).await);
        let page = client.query_results(&a_session(), a_job(), None, 500).await.unwrap();
        let error = rows_of(page).await.unwrap_err();
        assert!(
            matches!(error, SalesforceError::Transport(_) | SalesforceError::Page(_)),
            "{what}: {error:?}"
        );
        assert_eq!(error.advice(), Advice::Retry { after: None }, "{what}");
    }
    // The same answers, whole, are read.
    for answer in [
        promised("", page.as_bytes(), page.len()),
        chunked(gzip_header, &compressed, "0\r\n\r\n"),
        until_close(page.as_bytes()),
    ] {
        let client = client_to(a_raw_server(answer).await);
        let page = client.query_results(&a_session(), a_job(), None, 500).await.unwrap();
        assert_eq!(rows_of(page).await.unwrap(), 500);
    }
}

#[tokio::test]
async fn a_download_that_stalls_is_given_up() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut [0; 4096]).await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ncontent-length: \
             900\r\n\r\n\"Id\"\n\"1\"\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    });
    // Long enough that only the silence can end the wait.
    let patient = Duration::from_mins(10);
    let options = HttpOptions { total_timeout: patient, download_timeout: patient, ..quick() };
    let client = Client::new(Http::to_loopback(options, address).unwrap(), ApiVersion::default());
    let page = client.query_results(&a_session(), a_job(), None, 500).await.unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(20), rows_of(page)).await;
    let error = outcome.expect("the silence ends the wait").unwrap_err();
    assert!(matches!(&error, SalesforceError::Transport(e) if e.is_timeout()), "{error:?}");
}

#[tokio::test]
async fn a_page_for_people_is_not_taken_for_rows() {
    let html = ResponseTemplate::new(200)
        .set_body_raw("<html>maintenance</html>", "text/html; charset=utf-8");
    let (_server, client) = answer(html).await;
    let error = client.query_results(&a_session(), a_job(), None, 10).await.unwrap_err();
    assert!(matches!(error, SalesforceError::Protocol { .. }));
    let disguised =
        ResponseTemplate::new(200).set_body_raw("<html>maintenance</html>\n", "text/csv");
    let (_server, client) = answer(disguised).await;
    let page = client.query_results(&a_session(), a_job(), None, 10).await.unwrap();
    assert!(matches!(rows_of(page).await, Err(SalesforceError::Page(CsvError::NotCsv))));
    let (_server, client) = answer(ResponseTemplate::new(200)).await;
    let page = client.query_results(&a_session(), a_job(), None, 10).await.unwrap();
    assert!(matches!(rows_of(page).await, Err(SalesforceError::Page(CsvError::NoHeader))));
}

/// So much gzip of zeros as `length` bytes hold, after a text. It has no end.
fn gzip_of_zeros(text: &str, length: usize) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.flush().unwrap();
    let head = encoder.get_ref().len();
    encoder.write_all(&vec![0; 32 << 20]).unwrap();
    encoder.flush().unwrap();
    let (head, zeros) = encoder.get_ref().split_at(head);
    // Zeros refer to the zeros before them, so the same block serves again and again.
    let mut all = head.to_vec();
    while all.len() < length {
        all.extend_from_slice(zeros);
    }
    all
}

#[tokio::test]
async fn m06_ten_megabytes_of_gzip_of_zeros_are_refused() {
    for (text, refused) in [
        ("", SalesforceError::Page(CsvError::TooLarge { row: 0 })),
        ("\"Id\"\n\"1\"\n", SalesforceError::Protocol { status: 200, problem: "too large a body" }),
    ] {
        let bomb = ResponseTemplate::new(200)
            .insert_header("content-encoding", "gzip")
            .set_body_raw(gzip_of_zeros(text, 10 << 20), "text/csv");
        let (server, _) = answer(bomb).await;
        let patient = Duration::from_mins(5);
        let options = HttpOptions {
            total_timeout: patient,
            download_timeout: patient,
            read_timeout: patient,
            most_page_bytes: 40 << 20,
            ..quick()
        };
        let http = Http::to_loopback(options, *server.address()).unwrap();
        let client = Client::new(http, ApiVersion::default());
        let page = client.query_results(&a_session(), a_job(), None, 10).await.unwrap();
        let error = rows_of(page).await.unwrap_err();
        assert_eq!(error.to_string(), refused.to_string());
        assert!(error.is_unusable(), "the object that meets it is given up within the hour");
    }
}

#[tokio::test]
async fn a_token_that_expires_between_pages_is_told_in_both_spellings() {
    for (status, body) in [
        (
            401,
            json!([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]),
        ),
        (
            401,
            json!({"exceptionCode": "InvalidSessionId", "exceptionMessage": "Invalid session id"}),
        ),
        (
            400,
            json!({"exceptionCode": "InvalidSessionId", "exceptionMessage": "Invalid session id"}),
        ),
        (
            403,
            json!([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]),
        ),
    ] {
        let (_server, client) = answer(ResponseTemplate::new(status).set_body_json(body)).await;
        let error = client.query_results(&a_session(), a_job(), None, 10).await.unwrap_err();
        assert_eq!(error.advice(), Advice::Reauthorize, "{error:?}");
    }
}

#[tokio::test]
async fn the_list_of_pages_is_read_in_both_spellings() {
    let url = |locator: &str| format!("/services/data/v62.0/jobs/query/{JOB}/results{locator}");
    for (pages, next) in [("resultPages", "nextRecordsUrl"), ("resultpages", "nextRecordUrl")] {
        let (server, client) = a_server().await;
        let at = format!("/services/data/v62.0/jobs/query/{JOB}/resultPages");
        Mock::given(path(&at))
            .and(query_param_is_missing("locator"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({
                pages: [{"resultUrl": url("")}, {"resultUrl": url("?locator=MTAw%2B&x=1")}],
                next: format!("{at}?locator=bmV4dA"), "done": false})))
            .mount(&server)
            .await;
        Mock::given(path(&at))
            .and(query_param("locator", "bmV4dA"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({
                pages: [{"resultUrl": "https://evil.com/x?locator=bGFzdA"}], "done": true})))
            .mount(&server)
            .await;
        let session = a_session();
        let first = client.result_pages(&session, a_job(), None).await.unwrap().value;
        assert_eq!(first.pages, [None, Some(Locator("MTAw+".to_owned()))]);
        let second =
            client.result_pages(&session, a_job(), first.next.as_ref()).await.unwrap().value;
        // Only the locator is taken; the address is our own.
        assert_eq!(
            second,
            ResultPages { pages: vec![Some(Locator("bGFzdA".to_owned()))], next: None }
        );
    }
}
