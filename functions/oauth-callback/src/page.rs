//! The page at the end of an authorization: text only, nothing fetched, nothing remembered.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// In the reader's own colours and font; nothing is fetched for it.
const STYLE: &str = "body{margin:0;background:Canvas;color:CanvasText;font:1rem/1.5 system-ui,\
    sans-serif}main{max-width:30rem;margin:15vh auto;padding:0 1.5rem}h1{font-size:1.5rem;\
    line-height:1.25}";

/// Nothing runs and nothing is fetched; of styles only [`STYLE`], by its SHA-256, is taken.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; \
    style-src 'sha256-nP9hz9hk3hpoAZU08X6XQx5EaUKAGLQ4grTOo2+CUzQ='";

pub(crate) fn done(title: &str, text: &str) -> Response {
    page(StatusCode::OK, title, &format!("{text} You can close this window."))
}

pub(crate) fn refused(status: StatusCode, reason: &str) -> Response {
    page(status, "This did not work", reason)
}

fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let (title, text) = (escaped(title), escaped(text));
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n<main>\n<h1>{title}</h1>\n<p>{text}</p>\
         \n</main>\n</html>\n"
    );
    // The address holds a code and a state: it must not be kept, framed or passed on.
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, html).into_response()
}

/// The text of a page.
#[cfg(test)]
pub(crate) async fn text(page: Response) -> String {
    use http_body_util::BodyExt;
    let bytes = page.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine};
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_policy_lets_the_style_pass() {
        let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "its hash is {hash}");
    }

    #[tokio::test]
    async fn a_reason_is_shown_as_text() {
        let page = text(refused(StatusCode::BAD_REQUEST, "<script>alert('x')</script>")).await;
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
        assert!(!page.contains("<script"));
    }

    #[test]
    fn the_page_is_not_kept_and_tells_nobody_where_it_was() {
        let page = done("Done", "");
        assert_eq!(page.headers()["cache-control"], "no-store");
        assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    }
}
