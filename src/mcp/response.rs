//! The response to a request.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::{Code, Id, RpcError};

/// The response to one request.
#[derive(Clone, Debug)]
pub struct Response {
    id: Option<Id>,
    outcome: Result<Box<RawValue>, RpcError>,
}

impl Response {
    /// The response with a result.
    #[must_use]
    pub fn success(id: Id, result: &impl Serialize) -> Response {
        match to_raw_value(result) {
            Ok(result) => Response {
                id: Some(id),
                outcome: Ok(result),
            },
            Err(error) => Response::error(id, RpcError::new(Code::InternalError, error.to_string())),
        }
    }

    /// The response with an error.
    #[must_use]
    pub fn error(id: Id, error: RpcError) -> Response {
        Response {
            id: Some(id),
            outcome: Err(error),
        }
    }

    /// The response with an error to a message whose id is unknown. MCP 2026-07-28 leaves the id
    /// out, where JSON-RPC has null.
    #[must_use]
    pub fn error_without_id(error: RpcError) -> Response {
        Response {
            id: None,
            outcome: Err(error),
        }
    }

    /// The same response without its id, if that is null.
    #[must_use]
    pub fn without_null_id(self) -> Response {
        Response {
            id: self.id.filter(|id| !id.is_null()),
            ..self
        }
    }

    /// The error, if it has one.
    #[must_use]
    pub fn failure(&self) -> Option<&RpcError> {
        self.outcome.as_ref().err()
    }

    /// The response as text, on one line, without its end.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Raw JSON, strings and numbers only: serialization cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Serialize for Response {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut response = serializer.serialize_struct("Response", 3)?;
        response.serialize_field("jsonrpc", "2.0")?;
        if let Some(id) = &self.id {
            response.serialize_field("id", id)?;
        }
        match &self.outcome {
            Ok(result) => response.serialize_field("result", result)?,
            Err(error) => response.serialize_field("error", error)?,
        }
        response.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_one_line_of_json() {
        let response = Response::success(Id::null(), &["a\nb"]);
        assert_eq!(
            response.to_json(),
            br#"{"jsonrpc":"2.0","id":null,"result":["a\nb"]}"#
        );
        let response = Response::error(Id::null(), RpcError::new(Code::MethodNotFound, "no method `x`"));
        assert_eq!(
            response.to_json(),
            br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"no method `x`"}}"#
        );
        assert_eq!(
            response.without_null_id().to_json(),
            br#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"no method `x`"}}"#
        );
    }
}
