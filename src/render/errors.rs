//! The errors that a balancer itself answers with, for the templates.

use serde::Serialize;

use crate::mcp::GatewayError;

/// The answer to a request whose body exceeds `limits.body`.
pub(crate) const BODY_TOO_LARGE_JSON: &str = r#"{"error":"the body is too large"}"#;
/// The answer of a balancer that limits bodies by their length alone, to a body without one.
pub(super) const WITHOUT_LENGTH_JSON: &str = r#"{"error":"the body has no Content-Length"}"#;

/// One error.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ErrorView {
    status: u16,
    /// The `Retry-After` header in seconds.
    retry_after: Option<u8>,
    /// The body; it contains no single quote.
    json: String,
}

/// All errors, by name.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ErrorsView {
    too_many_requests: ErrorView,
    node_failed: ErrorView,
    unavailable: ErrorView,
    node_timeout: ErrorView,
}

impl ErrorView {
    fn new(error: GatewayError) -> ErrorView {
        ErrorView {
            status: error.status(),
            retry_after: error.retry_after(),
            json: error.to_json(),
        }
    }

    /// All errors, by status.
    pub(super) fn all() -> Vec<ErrorView> {
        GatewayError::ALL.map(ErrorView::new).into()
    }
}

impl ErrorsView {
    pub(super) fn new() -> ErrorsView {
        ErrorsView {
            too_many_requests: ErrorView::new(GatewayError::TooManyRequests),
            node_failed: ErrorView::new(GatewayError::NodeFailed),
            unavailable: ErrorView::new(GatewayError::Unavailable),
            node_timeout: ErrorView::new(GatewayError::NodeTimeout),
        }
    }
}
