//! What a node can do.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::mcp::{CallParams, CallResult, Code, RpcError, Tool, ToolList};

use super::answer::Later;

/// The longest sleep: as long as a balancer's usual patience with a silent node.
const MAX_SLEEP: Duration = Duration::from_mins(5);

/// What came of a call.
pub(super) enum Called {
    /// A result.
    Done(CallResult),
    /// A result in a while.
    Later(Later<CallResult>),
}

/// The tools.
pub(super) fn list() -> ToolList {
    let tools = vec![
        Tool {
            name: "echo",
            description: "Says back what it is told.",
            input_schema: json!({
                "type": "object",
                "properties": {
                    "message": {"type": "string", "description": "What to say back."},
                    "text": {"type": "string", "description": "The same by another name."},
                },
            }),
        },
        Tool {
            name: "sleep",
            description: "Answers after a while, at most 5 minutes. Give one of the two arguments.",
            input_schema: json!({
                "type": "object",
                "properties": {
                    "milliseconds": {"type": "number", "minimum": 0, "maximum": MAX_SLEEP.as_millis()},
                    "seconds": {"type": "number", "minimum": 0, "maximum": MAX_SLEEP.as_secs()},
                },
            }),
        },
        Tool {
            name: "whoami",
            description: "Tells which node answers: its name and its process id.",
            input_schema: json!({"type": "object", "properties": {}}),
        },
    ];
    ToolList { tools }
}

/// Calls a tool of the node called `node`.
///
/// # Errors
/// When there is no such tool. What a tool itself cannot do is a result.
pub(super) fn call(call: &CallParams<'_>, node: &str) -> Result<Called, RpcError> {
    let called = match call.name.as_ref() {
        "echo" => call.arguments.read().map(echo),
        "sleep" => call.arguments.read().map(sleep),
        "whoami" => Ok(Called::Done(whoami(node))),
        unknown => {
            let unknown: String = unknown.escape_debug().take(100).collect();
            return Err(RpcError::new(Code::InvalidParams, format!("no tool `{unknown}`")));
        }
    };
    Ok(called.unwrap_or_else(|error| Called::Done(CallResult::failure(error.message))))
}

// Private

#[derive(Deserialize)]
struct EchoArguments {
    #[serde(alias = "text")]
    message: String,
}

fn echo(arguments: EchoArguments) -> Called {
    Called::Done(CallResult::text(arguments.message))
}

#[derive(Deserialize)]
struct SleepArguments {
    milliseconds: Option<f64>,
    seconds: Option<f64>,
}

fn sleep(
    SleepArguments {
        milliseconds,
        seconds,
    }: SleepArguments,
) -> Called {
    let seconds = match (milliseconds, seconds) {
        (Some(milliseconds), None) => milliseconds / 1_000.0,
        (None, Some(seconds)) => seconds,
        _ => return Called::Done(CallResult::failure("give either milliseconds or seconds")),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time <= MAX_SLEEP => Called::Later(Box::pin(async move {
            tokio::time::sleep(time).await;
            CallResult::text(format!("slept {time:?}"))
        })),
        _ => Called::Done(CallResult::failure("sleeps take 0 to 300 seconds")),
    }
}

/// Text that is JSON, spaced as the documentation shows it.
fn whoami(node: &str) -> CallResult {
    let name = serde_json::to_string(node).unwrap_or_default();
    CallResult::text(format!(r#"{{"node": {name}, "pid": {}}}"#, std::process::id()))
}
