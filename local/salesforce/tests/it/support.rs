//! A simulator with a small org, and a client that speaks to it as ours does.

use reqwest::{Client, Proxy, Response, StatusCode, redirect};
use salesforce_simulator::{Control, Simulator, SimulatorOptions};
use serde_json::{Value, json};

pub(crate) const API: &str = "https://acme.my.salesforce.com/services/data/v62.0";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// The S256 challenge of [`VERIFIER`], from RFC 7636 appendix B.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:9/oauth/callback";

/// A small org: an administrator, a seller, accounts, people and deals.
pub(crate) fn small_org() -> Value {
    json!({
        "my_domain": "acme",
        "name": "Acme Sales",
        "custom_fields": ["Contact.Tier__c picklist(Gold|Silver) restricted", "Task.Marker__c \
             string(40) externalid unique"],
        "records": {
            "User": [
                { "Id": "005000000000001", "Username": "ada@acme.example",
                    "Email": "ada@acme.example", "FirstName": "Ada", "LastName": "Admin" },
                { "Id": "005000000000002", "Username": "sam@acme.example",
                    "Email": "sam@acme.example", "FirstName": "Sam", "LastName": "Seller" },
                { "Id": "005000000000003", "Username": "gone@acme.example",
                    "Email": "gone@acme.example", "LastName": "Gone", "IsActive": false },
            ],
            "Account": [
                { "Id": "001000000000001", "Name": "Globex", "BillingCity": "Berlin",
                    "OwnerId": "005000000000002" },
                { "Id": "001000000000002", "Name": "Initech \
                     \"Inc\"", "AnnualRevenue": 1_000_000, "OwnerId": "005000000000001" },
            ],
            "Contact": [
                { "Id": "003000000000001", "AccountId": "001000000000001", "FirstName": "Zoë",
                    "LastName": "Keller", "Email": "zoe@globex.example" },
                { "Id": "003000000000002", "LastName": "Orphan" },
            ],
            "Lead": [
                { "Id": "00Q000000000001", "LastName": "Lea", "Company": "Hooli" },
            ],
            "Opportunity": [
                { "Id": "006000000000001", "Name": "Globex \
                     1", "AccountId": "001000000000001", "StageName": "Prospecting",
                         "CloseDate": "2026-12-31", "OwnerId": "005000000000002" },
                { "Id": "006000000000002", "Name": "Globex \
                     2", "AccountId": "001000000000001", "StageName": "Closed \
                          Won", "CloseDate": "2026-01-31" },
            ],
        },
    })
}

pub(crate) struct World {
    /// Ends when the world does.
    pub(crate) simulator: Simulator,
    pub(crate) control: Control,
    pub(crate) client: Client,
}

/// A simulator with the small org, and a client with strict TLS that goes through the proxy.
pub(crate) async fn world() -> World {
    world_with(SimulatorOptions::default()).await
}

pub(crate) async fn world_with(options: SimulatorOptions) -> World {
    let simulator = Simulator::start(options).await.unwrap();
    let control = simulator.control();
    control.load_org(small_org()).unwrap();
    let ca = reqwest::Certificate::from_pem(simulator.ca_pem().as_bytes()).unwrap();
    let client = Client::builder()
        .proxy(Proxy::https(simulator.proxy_url()).unwrap())
        .tls_certs_only([ca])
        .redirect(redirect::Policy::none())
        .build()
        .unwrap();
    World { simulator, control, client }
}

pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) body: Value,
}

impl World {
    pub(crate) fn authorize_url() -> String {
        format!(
            "https://login.salesforce.com/services/oauth2/authorize?response_type=code&\
             client_id=crm-sync-local&redirect_uri={REDIRECT}&scope=api%20refresh_token%20id&\
             state=s1&code_challenge={CHALLENGE}&code_challenge_method=S256"
        )
    }

    /// A code for a user, without pages.
    pub(crate) fn code(&self, username: &str) -> String {
        let to = self.control.approve(&Self::authorize_url(), username).unwrap();
        let url = reqwest::Url::parse(&to).unwrap();
        url.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
    }

    pub(crate) async fn token_call(&self, parameters: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut all =
            vec![("client_id", "crm-sync-local"), ("client_secret", "crm-sync-local-secret")];
        all.extend_from_slice(parameters);
        let url = "https://login.salesforce.com/services/oauth2/token";
        let response = self.client.post(url).form(&all).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    pub(crate) async fn log_in(&self, username: &str) -> Tokens {
        let code = self.code(username);
        let (status, body) = self
            .token_call(&[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", REDIRECT),
                ("code_verifier", VERIFIER),
            ])
            .await;
        assert_eq!(status, 200, "{body}");
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        Tokens { access: text("access_token"), refresh: text("refresh_token"), body }
    }

    pub(crate) async fn refresh(&self, token: &str) -> (StatusCode, Value) {
        self.token_call(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Response {
        self.client.get(format!("{API}{path}")).bearer_auth(token).send().await.unwrap()
    }

    pub(crate) async fn get_json(&self, token: &str, path: &str) -> (StatusCode, Value) {
        let response = self.get(token, path).await;
        let status = response.status();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        token: &str,
        path: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let method = method.parse().unwrap();
        let request = self.client.request(method, format!("{API}{path}"));
        let response = request.bearer_auth(token).json(body).send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    pub(crate) async fn query(&self, token: &str, soql: &str) -> (StatusCode, Value) {
        let url = reqwest::Url::parse_with_params(&format!("{API}/query"), [("q", soql)]).unwrap();
        let response = self.client.get(url).bearer_auth(token).send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap())
    }

    /// Runs a bulk job to its end; gives its id and the final job.
    pub(crate) async fn bulk_job(&self, token: &str, soql: &str, operation: &str) -> Value {
        let body = json!({ "operation": operation, "query": soql });
        let (status, job) = self.send("POST", token, "/jobs/query", &body).await;
        assert_eq!(status, 200, "{job}");
        assert_eq!(job["state"], "UploadComplete");
        let id = job["id"].as_str().unwrap().to_owned();
        loop {
            let (_, job) = self.get_json(token, &format!("/jobs/query/{id}")).await;
            match job["state"].as_str() {
                Some("JobComplete") => return job,
                Some("UploadComplete" | "InProgress") => {}
                other => panic!("{other:?}"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}
