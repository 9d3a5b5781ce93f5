//! The pages that a person sees: plain forms, which a script can post too.

use std::fmt::Write as _;

/// The text with HTML's special characters escaped.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;background:#f3f5f8;color:#1b1f24;\
margin:0}main{max-width:26rem;margin:8vh auto;background:#fff;border:1px solid #d5dae1;\
border-radius:8px;padding:2rem}h1{font-size:1.25rem;margin:0 0 1rem}label{display:block;\
margin:.75rem 0 .25rem;font-weight:600}input{width:100%;box-sizing:border-box;font:inherit;\
padding:.5rem;border:1px solid #8a94a3;border-radius:4px}button{font:inherit;padding:.5rem 1.25rem;\
border-radius:4px;border:1px solid #0b5cab;background:#0b5cab;color:#fff;margin:1rem .5rem 0 0;\
cursor:pointer}button.plain{background:#fff;color:#0b5cab}.note{color:#555f6d;\
font-size:.875rem}.problem{color:#a3130e}";

fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\n<body><main>{body}</main></body></\
         html>\n",
        title = escape(title)
    )
}

/// The login page. `asked` is carried along in hidden fields, `offered` are usernames to choose
/// from.
pub(super) fn login(
    app: &str,
    asked: &[(String, String)],
    username: Option<&str>,
    problem: Option<&str>,
    offered: &[String],
) -> String {
    let mut options = String::new();
    for name in offered {
        // Writing to a String cannot fail.
        let _ = write!(options, "<option value=\"{}\">", escape(name));
    }
    let mut hidden = String::new();
    for (name, value) in asked.iter().filter(|(n, _)| n != "username" && n != "password") {
        let (name, value) = (escape(name), escape(value));
        let _ = writeln!(hidden, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
    }
    let problem = problem.map_or_else(String::new, |problem| {
        format!("<p class=\"problem\" role=\"alert\">{}</p>", escape(problem))
    });
    let body = format!(
        "<h1>Log in to the simulated Salesforce</h1>{problem}\
         <p>{app} asks for access to an org.</p>\
         <form method=\"post\" action=\"/services/oauth2/authorize\">{hidden}\
         <label for=\"username\">Username</label>\
         <input id=\"username\" name=\"username\" autocomplete=\"username\" list=\"users\" \
         autofocus value=\"{username}\"><datalist id=\"users\">{options}</datalist>\
         <label for=\"password\">Password</label>\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"off\">\
         <p class=\"note\">This is a simulator: the username or e-mail address of any user of the \
         org, and any password at all. Do not type a real one.</p>\
         <button type=\"submit\">Log In</button></form>",
        app = escape(app),
        username = escape(username.unwrap_or_default()),
    );
    page("Login | Salesforce simulator", &body)
}

/// The consent page.
pub(super) fn consent(app: &str, user: &str, org: &str, scope: &str, ticket: &str) -> String {
    let mut scopes = String::new();
    for scope in scope.split_whitespace() {
        let text = match scope {
            "api" => "Manage user data via APIs (api)",
            "refresh_token" | "offline_access" => {
                "Perform requests at any time (refresh_token, offline_access)"
            }
            "id" | "profile" | "email" => "Access the identity URL service (id, profile, email)",
            "openid" => "Access unique user identifiers (openid)",
            "web" => "Manage user data via Web browsers (web)",
            "full" => "Full access (full)",
            other => other,
        };
        let _ = write!(scopes, "<li>{}</li>", escape(text));
    }
    let body = format!(
        "<h1>Allow access?</h1><p>{app} is asking to:</p><ul>{scopes}</ul>\
         <p>You are {user} of {org}.</p>\
         <form method=\"post\" action=\"/services/oauth2/approve\">\
         <input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">\
         <button type=\"submit\" name=\"decision\" value=\"approve\">Allow</button>\
         <button type=\"submit\" name=\"decision\" value=\"deny\" class=\"plain\">Deny</button></\
         form>",
        app = escape(app),
        user = escape(user),
        org = escape(org),
        ticket = escape(ticket),
    );
    page("Allow Access? | Salesforce simulator", &body)
}

/// The page of an authorization that the app never hears of.
pub(super) fn error(error: &str, description: &str) -> String {
    let generic = match description {
        "app must be installed into org" => "<p>OAUTH_APPROVAL_ERROR_GENERIC</p>",
        _ => "",
    };
    let body = format!(
        "<h1>We can&#39;t authorize you because of an OAuth error</h1>{generic}\
         <p>error={}&amp;error_description={}</p>\
         <p class=\"note\">Contact your Salesforce administrator.</p>",
        escape(error),
        escape(description)
    );
    page("OAuth Error | Salesforce simulator", &body)
}
