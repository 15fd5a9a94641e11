//! Tools: functions of a server for a model.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Id, Params};

/// A tool as `tools/list` describes it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    /// Its name in calls.
    pub name: &'static str,
    /// What it does, for the model.
    pub description: &'static str,
    /// The JSON schema of its arguments.
    pub input_schema: serde_json::Value,
}

/// The result of `tools/list`, all on one page.
#[derive(Clone, Debug, Serialize)]
pub struct ToolList {
    /// The tools.
    pub tools: Vec<Tool>,
}

/// The parameters of `tools/call`.
#[derive(Debug, Deserialize)]
pub struct CallParams<'a> {
    /// The tool.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The arguments, not parsed yet.
    #[serde(borrow, default)]
    pub arguments: Params<'a>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<CallMeta<'a>>,
}

impl CallParams<'_> {
    /// The token for progress notifications of this call, if the client requests them.
    #[must_use]
    pub fn progress_token(&self) -> Option<Id> {
        Id::read(self.meta.as_ref()?.progress_token?)
    }
}

/// The result of `tools/call`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallResult {
    /// The content that the model sees.
    pub content: Vec<Content>,
    /// Whether the result is a failure.
    pub is_error: bool,
}

/// Content that a model can read.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Content {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
}

impl CallResult {
    /// The result of a tool that succeeded.
    #[must_use]
    pub fn text(text: impl Into<String>) -> CallResult {
        CallResult {
            content: vec![Content::Text { text: text.into() }],
            is_error: false,
        }
    }

    /// The result of a tool that failed; `why` is for the model, which can try again with other
    /// arguments.
    #[must_use]
    pub fn failure(why: impl Into<String>) -> CallResult {
        CallResult {
            is_error: true,
            ..CallResult::text(why)
        }
    }
}

// Private

/// The metadata of a call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallMeta<'a> {
    #[serde(borrow, default)]
    progress_token: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progress_token_is_a_string_or_a_number() {
        for (meta, token) in [
            (r#"{"progressToken":7}"#, Some("7")),
            (r#"{"progressToken":"a","other":[]}"#, Some("\"a\"")),
            (r#"{"progressToken":{}}"#, None),
            (r#"{"progressToken":null}"#, None),
            ("{}", None),
            ("null", None),
        ] {
            let text = format!(r#"{{"name":"t","_meta":{meta}}}"#);
            let params: CallParams<'_> = serde_json::from_str(&text).unwrap();
            assert_eq!(params.progress_token().as_ref().map(Id::as_json), token, "{meta}");
        }
    }
}
