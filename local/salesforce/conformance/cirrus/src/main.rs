//! Tries an unmodified `cirrus` on the simulator. Prints one line of JSON per capability.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use cirrus::auth::{RefreshTokenAuth, StaticTokenAuth, WebServerFlow};
use cirrus::{
    BulkIngestSpec, BulkJobState, BulkOperation, BulkQuerySpec, Cirrus, CirrusError, soql,
};
use futures::TryStreamExt;
use serde_json::{Value, json};

type Checked = Result<String, Box<dyn Error>>;

const ROWS: usize = 2500;

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn ensure(condition: bool, text: impl Into<String>) -> Result<(), Box<dyn Error>> {
    if condition { Ok(()) } else { Err(text.into().into()) }
}

/// Prints the outcome of one capability; true when it held.
fn told(name: &str, checked: Checked) -> bool {
    let ok = checked.is_ok();
    let detail = checked.unwrap_or_else(|error| format!("{error}: {error:?}"));
    println!("{}", json!({"client": "cirrus", "capability": name, "ok": ok, "detail": detail}));
    ok
}

/// The web server flow with PKCE; the control API stands in for the person at the login page.
async fn login() -> Result<(Cirrus, String), Box<dyn Error>> {
    let flow = WebServerFlow::builder()
        .consumer_key(env("CLIENT_ID"))
        .consumer_secret(env("CLIENT_SECRET"))
        .redirect_uri("http://127.0.0.1:9/callback")
        .login_url(env("HTTP_URL"))
        .scope("api")
        .scope("refresh_token")
        .scope("id")
        .build()?;
    let (authorize_url, pending) = flow.start()?;
    let answer = consent(&authorize_url).await?;
    let redirect: url::Url = answer.parse()?;
    let parameter = |name: &str| {
        let found = redirect.query_pairs().find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned()).ok_or_else(|| format!("no {name}"))
    };
    let session = flow.complete(pending, &parameter("code")?, &parameter("state")?).await?;
    let identity = session.id.clone().ok_or("no identity URL")?;
    // The session's access token is left out: the first call must refresh.
    let auth = RefreshTokenAuth::builder()
        .consumer_key(env("CLIENT_ID"))
        .consumer_secret(env("CLIENT_SECRET"))
        .login_url(env("HTTP_URL"))
        .instance_url(session.instance_url.clone())
        .refresh_token(session.refresh_token.ok_or("no refresh token")?)
        .build()?;
    Ok((Cirrus::builder().auth(Arc::new(auth)).api_version("v62.0").build()?, identity))
}

async fn consent(authorize_url: &str) -> Result<String, Box<dyn Error>> {
    let control = Cirrus::builder()
        .auth(Arc::new(StaticTokenAuth::new("none", env("CONTROL_URL"))))
        .build()?;
    let body = json!({"authorize_url": authorize_url, "username": env("LOGIN")});
    let answer: Value = control.post("/authorize", &body).await?;
    Ok(answer["redirect_to"].as_str().ok_or("no redirect")?.to_owned())
}

async fn describe(sf: &Cirrus) -> Checked {
    let contact = sf.sobject("Contact").describe().await?;
    let fields = contact["fields"].as_array().ok_or("no fields")?;
    ensure(fields.iter().any(|field| field["name"] == "AccountId"), "no AccountId")?;
    let global = sf.sobjects().describe_global().await?;
    ensure(global.sobjects.iter().any(|object| object.name == "Account"), "no Account")?;
    Ok(format!("{} fields, {} objects", fields.len(), global.sobjects.len()))
}

async fn query(sf: &Cirrus) -> Checked {
    let first = sf.query("SELECT Id, Name FROM Account").await?;
    ensure(!first.done && first.records.len() == 2000, "the first page is not of 2,000 rows")?;
    let rows: Vec<Value> =
        sf.query_stream("SELECT Id, Name, Owner.Name FROM Account").try_collect().await?;
    ensure(rows.len() == ROWS, format!("{} rows", rows.len()))?;
    let name = soql::quote("Account 7");
    let one = sf.query(&format!("SELECT Id FROM Account WHERE Name = {name}")).await?;
    ensure(one.records.len() == 1, "a quoted literal finds its row")?;
    Ok(format!("{} rows", rows.len()))
}

/// Waits for a job's end, for at most half a minute.
async fn ended(sf: &Cirrus, job: &str) -> Result<BulkJobState, CirrusError> {
    let mut state = sf.bulk().query().get(job).await?.state;
    for _ in 0..100 {
        if state.is_terminal() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        state = sf.bulk().query().get(job).await?.state;
    }
    Ok(state)
}

async fn bulk_query(sf: &Cirrus) -> Checked {
    let jobs = sf.bulk().query();
    let spec =
        BulkQuerySpec::new("SELECT Id, Name, Description FROM Account", BulkOperation::QueryAll);
    let job = jobs.create(&spec).await?.id;
    let state = ended(sf, &job).await?;
    ensure(state == BulkJobState::JobComplete, format!("{state:?}"))?;
    let (mut pages, mut rows, mut locator) = (0, 0, None::<String>);
    loop {
        let page = jobs.results(&job, locator.as_deref(), Some(1000)).await?;
        pages += 1;
        rows += page.number_of_records.unwrap_or_default() as usize;
        locator = page.locator;
        if locator.is_none() {
            break;
        }
    }
    ensure(rows == ROWS && pages == 3, format!("{rows} rows in {pages} pages"))?;
    let parallel = jobs.result_pages(&job, None).await?;
    ensure(!parallel.result_pages.is_empty(), "no result pages")?;
    let listed = jobs.list(&cirrus::BulkJobListOptions::new()).await?;
    ensure(listed.records.iter().any(|listed| listed.id == job), "the job is not listed")?;
    jobs.delete(&job).await?;
    Ok(format!("{rows} rows in {pages} pages"))
}

async fn writes(sf: &Cirrus) -> Checked {
    let tasks = sf.sobject("Task");
    let id = tasks.create(&json!({"Subject": "Call", "Priority": "High"})).await?.id;
    tasks.update(&id, &json!({"Status": "Completed"})).await?;
    let row = tasks.retrieve(&id).await?;
    ensure(row["IsClosed"] == true && row["Subject"] == "Call", row.to_string())?;
    tasks.delete(&id).await?;
    Ok(id)
}

async fn upsert(sf: &Cirrus) -> Checked {
    let tasks = sf.sobject("Task");
    let first = tasks.upsert("Marker__c", "cirrus", &json!({"Subject": "one"})).await?;
    let second = tasks.upsert("Marker__c", "cirrus", &json!({"Subject": "two"})).await?;
    let row = tasks.retrieve_by_external_id("Marker__c", "cirrus").await?;
    ensure(row["Subject"] == "two", row.to_string())?;
    Ok(format!("{first:?}, {second:?}"))
}

async fn composite(sf: &Cirrus) -> Checked {
    let made = sf
        .composite()
        .sobjects()
        .create(&json!({"allOrNone": false, "records": [
            {"attributes": {"type": "Lead"}, "LastName": "A", "Company": "B"},
            {"attributes": {"type": "Lead"}, "LastName": "no company"},
        ]}))
        .await?;
    ensure(made[0].success && !made[1].success, "collections")?;
    ensure(made[1].errors[0].status_code == "REQUIRED_FIELD_MISSING", "collections' error")?;
    let batch = sf
        .composite()
        .batch(&json!({"batchRequests": [
            {"method": "GET", "url": "v62.0/sobjects/Account/describe"},
            {"method": "GET", "url": "v62.0/sobjects/Nothing/describe"},
        ]}))
        .await?;
    ensure(batch.has_errors && batch.results[0].is_success(), "batch")?;
    let chain = json!([
        {"method": "POST", "url": "/services/data/v62.0/sobjects/Account", "referenceId": "account",
         "body": {"Name": "Chained"}},
        {"method": "POST", "url": "/services/data/v62.0/sobjects/Contact", "referenceId": "contact",
         "body": {"LastName": "Doe", "AccountId": "@{account.id}"}},
        {"method": "DELETE", "url": "/services/data/v62.0/sobjects/Account/\
             @{account.id}", "referenceId": "gone"},
    ]);
    let done =
        sf.composite().execute(&json!({"allOrNone": true, "compositeRequest": chain})).await?;
    ensure(done.composite_response.iter().all(|part| part.is_success()), format!("{done:?}"))?;
    let graph = sf
        .composite()
        .graph(&json!({"graphs": [{"graphId": "g", "compositeRequest": chain}]}))
        .await?;
    ensure(graph.graphs[0].is_successful, format!("{graph:?}"))?;
    let tree = sf.composite().tree("Account", &json!({"records": [{
        "attributes": {"type": "Account", "referenceId": "a"}, "Name": "Planted",
        "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "c"},
            "LastName": "Doe"}]},
    }]})).await?;
    ensure(!tree.has_errors && tree.results.len() == 2, format!("{tree:?}"))?;
    let planted = tree.results[0].id.clone().ok_or("no id")?;
    sf.sobject("Account").delete(&planted).await?;
    Ok("collections, batch, composite, graph, tree".into())
}

async fn bulk_insert(sf: &Cirrus) -> Checked {
    let jobs = sf.bulk().ingest();
    let spec = BulkIngestSpec::new("Lead", BulkOperation::Insert);
    let csv = "LastName,Company\nOne,A\nTwo,\n";
    let uploaded = jobs.create(&spec).await?;
    jobs.upload(&uploaded.id, csv.into()).await?;
    jobs.close(&uploaded.id).await?;
    let multipart = jobs.create_with_data(&spec, csv.into()).await?;
    for job in [&uploaded.id, &multipart.id] {
        let mut info = jobs.get(job).await?;
        for _ in 0..100 {
            if info.state.is_terminal() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            info = jobs.get(job).await?;
        }
        ensure(info.state == BulkJobState::JobComplete, format!("{info:?}"))?;
        let failed = String::from_utf8(jobs.failed_results(job).await?.to_vec())?;
        ensure(failed.contains("REQUIRED_FIELD_MISSING"), failed)?;
    }
    Ok("uploaded and multipart: one row taken, one refused".into())
}

async fn limits(sf: &Cirrus) -> Checked {
    let limits = serde_json::to_value(sf.limits().await?)?;
    ensure(limits["DailyApiRequests"]["Remaining"].as_i64() > Some(0), limits.to_string())?;
    let info = sf.last_limit_info().ok_or("no Sforce-Limit-Info")?;
    Ok(format!("{}/{}", info.used, info.allowed))
}

async fn errors(sf: &Cirrus) -> Checked {
    let mut seen = Vec::new();
    let unknown = sf.query("SELECT Foo FROM Account").await.err();
    let missing = sf.sobject("Contact").create(&json!({"FirstName": "x"})).await.err();
    let nobody = sf.sobject("Contact").retrieve("003000000000000").await.err();
    for error in [unknown, missing, nobody] {
        match error {
            Some(CirrusError::Api { errors, status, .. }) => {
                seen.push(format!(
                    "{status} {}",
                    errors.first().ok_or("an empty error")?.error_code
                ));
            }
            other => return Err(format!("{other:?}").into()),
        }
    }
    let expected = ["400 INVALID_FIELD", "400 REQUIRED_FIELD_MISSING", "404 NOT_FOUND"];
    ensure(seen == expected, seen.join(", "))?;
    Ok(seen.join(", "))
}

async fn conditional(sf: &Cirrus) -> Checked {
    let later = UNIX_EPOCH + Duration::from_secs(4_102_444_800); // 2100
    let same = sf.sobject("Account").describe_if_modified_since(later).await?;
    ensure(same.is_none(), "304 was expected")?;
    Ok("304".into())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (sf, identity) = match login().await {
        Ok(session) => session,
        Err(error) => {
            told("login", Err(error));
            return ExitCode::FAILURE;
        }
    };
    let versions = sf.versions().await.map_err(Into::into);
    let mut ok = told(
        "login",
        versions.map(|known| format!("{} versions, {identity}", known.len())),
    );
    ok &= told("describe", describe(&sf).await);
    ok &= told("describe, unchanged", conditional(&sf).await);
    ok &= told("query, paged", query(&sf).await);
    ok &= told("bulk query", bulk_query(&sf).await);
    ok &= told("create, update", writes(&sf).await);
    ok &= told("upsert", upsert(&sf).await);
    ok &= told("collections", composite(&sf).await);
    ok &= told("bulk write", bulk_insert(&sf).await);
    ok &= told("limits", limits(&sf).await);
    ok &= told("errors", errors(&sf).await);
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
