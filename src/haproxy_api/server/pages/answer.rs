//! An HTTP response, completed before it is sent.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
};
use hyper::{Response, StatusCode};

/// A page loads nothing from other places, and has no script.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// A response.
pub(super) struct Page {
    status: StatusCode,
    kind: &'static str,
    header: Option<(HeaderName, &'static str)>,
    body: String,
}

impl Page {
    pub(super) const fn text(body: String) -> Page {
        Page::new(StatusCode::OK, "text/plain", body)
    }

    /// A page in Prometheus' format.
    pub(super) const fn metrics(body: String) -> Page {
        Page::new(StatusCode::OK, "text/plain; version=0.0.4", body)
    }

    pub(super) const fn json(body: String) -> Page {
        Page::new(StatusCode::OK, "application/json", body)
    }

    pub(super) fn html(body: String) -> Page {
        let mut page = Page::new(StatusCode::OK, "text/html; charset=utf-8", body);
        page.header = Some((CONTENT_SECURITY_POLICY, POLICY));
        page
    }

    /// A redirect.
    pub(super) fn moved(to: &'static str) -> Page {
        let mut page = Page::new(StatusCode::FOUND, "text/plain", String::new());
        page.header = Some((LOCATION, to));
        page
    }

    pub(super) fn not_found() -> Page {
        Page::json(r#"{"error":"not found"}"#.to_owned()).with(StatusCode::NOT_FOUND)
    }

    /// The request is not valid.
    pub(super) fn bad_request() -> Page {
        Page::json(r#"{"error":"bad request"}"#.to_owned()).with(StatusCode::BAD_REQUEST)
    }

    pub(super) fn not_allowed() -> Page {
        let mut page = Page::json(r#"{"error":"method not allowed"}"#.to_owned());
        page.header = Some((ALLOW, "GET, HEAD"));
        page.with(StatusCode::METHOD_NOT_ALLOWED)
    }

    /// The page cannot be made.
    pub(super) fn failed(why: &str) -> Page {
        Page::text(format!("cannot render the page: {why}\n")).with(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(super) fn with(mut self, status: StatusCode) -> Page {
        self.status = status;
        self
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        if let Some((name, value)) = self.header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    // Private

    const fn new(status: StatusCode, kind: &'static str, body: String) -> Page {
        Page {
            status,
            kind,
            header: None,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_cannot_be_rendered_is_an_error_in_plain_text() {
        let response = Page::failed("no such value").into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/plain");
    }
}
