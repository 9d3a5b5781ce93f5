//! Logins at the simulator, as a person and a browser make them.

use secrecy::{ExposeSecret, SecretString};
use shared::capabilities::connecting::{Begun, ConnectError, Connected};
use shared::kernel::{Author, Grantee, TenantEnvironment};
use url::Url;

use super::World;

/// What a browser comes back with from a login.
pub struct Callback {
    /// The state that it went with.
    pub state: String,
    /// The code, or why there is none.
    pub code: Result<SecretString, String>,
    /// The value of the cookie that it went with.
    pub browser: String,
}

impl Callback {
    /// What an address says to which Salesforce sends the browser `back`, with its cookie.
    fn of(back: &str, cookie: &SecretString) -> Self {
        let back: Url = back.parse().expect("a URL");
        let parameter = |name: &str| {
            let pair = back.query_pairs().find(|(key, _)| key == name);
            pair.map(|(_, value)| value.into_owned())
        };
        let code = parameter("code").ok_or_else(|| parameter("error").unwrap_or_default());
        Self {
            state: parameter("state").expect("a state"),
            code: code.map(SecretString::from),
            browser: cookie.expose_secret().to_owned(),
        }
    }
}

impl World {
    /// Authorizes `grantee`, logging in at the simulator as `username`.
    pub async fn authorize(
        &self,
        grantee: Grantee,
        username: &str,
    ) -> Result<Connected, ConnectError> {
        self.authorize_at(self.at(), grantee, username).await
    }

    /// As [`World::authorize`], for any tenant and environment.
    pub async fn authorize_at(
        &self,
        at: TenantEnvironment,
        grantee: Grantee,
        username: &str,
    ) -> Result<Connected, ConnectError> {
        let by = Author::Service;
        let begun = self.functions.begin.begin(at, grantee, None, &by).await?;
        let Callback { state, code, browser } = self.log_in(&begun, username);
        self.functions.connect.finish(at.environment, &state, Some(&browser), code).await
    }

    /// Logs in at the simulator as `username`: what the browser comes back with.
    #[must_use]
    pub fn log_in(&self, begun: &Begun, username: &str) -> Callback {
        let Begun { url, cookie } = begun;
        let back = self.control().approve(url.as_str(), username).expect("a login");
        Callback::of(&back, &cookie.1)
    }

    /// Ends an authorization at the address to which Salesforce sends the browser `back`, which
    /// brings its cookie.
    pub async fn finish(
        &self,
        back: &str,
        cookie: SecretString,
    ) -> Result<Connected, ConnectError> {
        let Callback { state, code, browser } = Callback::of(back, &cookie);
        let path: Url = back.parse().expect("a URL");
        let environment = path.path_segments().and_then(|mut path| path.next_back());
        let environment = environment.expect("a path").parse().expect("an environment");
        self.functions.connect.finish(environment, &state, Some(&browser), code).await
    }
}
