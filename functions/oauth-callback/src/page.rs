//! The page at the end of an authorization: text only, nothing fetched, nothing remembered.

use lambda_http::Response;
use lambda_http::http::StatusCode;
use shared::lambda::Error;

pub(crate) fn done(title: &str, text: &str) -> Result<Response<String>, Error> {
    page(StatusCode::OK, title, &format!("{text} You can close this window."))
}

pub(crate) fn refused(status: StatusCode, reason: &str) -> Result<Response<String>, Error> {
    page(status, "This did not work", reason)
}

fn page(status: StatusCode, title: &str, text: &str) -> Result<Response<String>, Error> {
    let (title, text) = (escaped(title), escaped(text));
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<main>\n<h1>{title}</h1>\n<p>{text}</p>\n</main>\n</html>\n"
    );
    // The address holds a code and a state: it must not be kept, framed or passed on.
    Ok(Response::builder()
        .status(status)
        .header("content-type", "text/html; charset=utf-8")
        .header("cache-control", "no-store")
        .header("content-security-policy", "default-src 'none'; frame-ancestors 'none'")
        .header("referrer-policy", "no-referrer")
        .header("x-content-type-options", "nosniff")
        .body(html)?)
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
    use super::*;

    #[test]
    fn a_reason_is_shown_as_text() {
        let page = refused(StatusCode::BAD_REQUEST, "<script>alert('x')</script>").unwrap();
        assert!(page.body().contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
        assert!(!page.body().contains("<script"));
    }

    #[test]
    fn the_page_is_not_kept_and_tells_nobody_where_it_was() {
        let page = done("Done", "").unwrap();
        assert_eq!(page.headers()["cache-control"], "no-store");
        assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    }
}
