//! The tools of a node.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::mcp::{CallParams, CallResult, Code, Id, Level, Notification, RpcError, Tool, ToolList};

use super::answer::{Asker, Later};

/// The longest sleep: as long as balancers usually wait for a silent node.
const MAX_SLEEP: Duration = Duration::from_mins(5);
/// The number of progress notifications of a sleep, plus one.
const STEPS: u32 = 4;
/// The longest text of a notice, in bytes: notices may have to wait in memory.
const MAX_NOTICE: usize = 4 * 1024;

/// The result of a call.
pub(super) enum Called {
    /// A result.
    Done(CallResult),
    /// A result later.
    Later(Later<CallResult>),
}

/// The tools.
pub(super) fn list() -> ToolList {
    let tools = vec![
        Tool {
            name: "echo",
            description: "Returns the message.",
            input_schema: json!({
                "type": "object",
                "properties": {
                    "message": {"type": "string", "description": "The text to return."},
                    "text": {"type": "string", "description": "Another name of `message`."},
                },
            }),
        },
        Tool {
            name: "sleep",
            description: "Answers after a while, at most 5 minutes. Give one of the two arguments. Reports progress.",
            input_schema: json!({
                "type": "object",
                "properties": {
                    "milliseconds": {"type": "number", "minimum": 0, "maximum": MAX_SLEEP.as_millis()},
                    "seconds": {"type": "number", "minimum": 0, "maximum": MAX_SLEEP.as_secs()},
                },
            }),
        },
        Tool {
            name: "notify",
            description: "Sends a log message to the client that calls it: on the stream of its session, or with the answer.",
            input_schema: json!({
                "type": "object",
                "properties": {
                    "message": {"type": "string", "description": "The text of the log message, at most 4096 bytes."},
                    "level": {
                        "type": "string",
                        "enum": ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"],
                        "default": "info",
                    },
                },
                "required": ["message"],
            }),
        },
        Tool {
            name: "whoami",
            description: "Returns the name and the process id of the node that answers.",
            input_schema: json!({"type": "object", "properties": {}}),
        },
    ];
    ToolList { tools }
}

/// Calls a tool of the node called `node` for `asker`.
///
/// # Errors
/// If the tool does not exist. A failure of a tool itself is a result.
pub(super) fn call(call: &CallParams<'_>, node: &str, asker: &Asker) -> Result<Called, RpcError> {
    let called = match call.name.as_ref() {
        "echo" => call.arguments.read().map(echo),
        "sleep" => call
            .arguments
            .read()
            .map(|arguments| sleep(&arguments, call.progress_token(), asker)),
        "notify" => call
            .arguments
            .read()
            .map(|arguments| Called::Done(notify(&arguments, node, asker))),
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

fn sleep(arguments: &SleepArguments, progress: Option<Id>, asker: &Asker) -> Called {
    let seconds = match (arguments.milliseconds, arguments.seconds) {
        (Some(milliseconds), None) => milliseconds / 1_000.0,
        (None, Some(seconds)) => seconds,
        _ => return Called::Done(CallResult::failure("give either milliseconds or seconds")),
    };
    let time = match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time <= MAX_SLEEP => time,
        _ => return Called::Done(CallResult::failure("sleeps take 0 to 300 seconds")),
    };
    let aside = progress.map(|token| (token, Arc::clone(&asker.aside)));
    Called::Later(Box::pin(async move {
        if let Some((token, aside)) = aside {
            for step in 1..STEPS {
                tokio::time::sleep(time / STEPS).await;
                let progress = Notification::Progress {
                    token: &token,
                    progress: (time / STEPS * step).as_secs_f64(),
                    total: time.as_secs_f64(),
                };
                aside.put(progress.to_json());
            }
            tokio::time::sleep(time / STEPS).await;
        } else {
            tokio::time::sleep(time).await;
        }
        CallResult::text(format!("slept {time:?}"))
    }))
}

#[derive(Deserialize)]
struct NotifyArguments {
    message: String,
    #[serde(default)]
    level: Level,
}

fn notify(NotifyArguments { message, level }: &NotifyArguments, node: &str, asker: &Asker) -> CallResult {
    if message.len() > MAX_NOTICE {
        return CallResult::failure("notices have at most 4096 bytes");
    }
    if asker.client.notify(*level, node, message) {
        CallResult::text("notified")
    } else {
        CallResult::failure("not sent: the client receives no messages, or none of this level")
    }
}

/// JSON text, with the spaces that the documentation shows.
fn whoami(node: &str) -> CallResult {
    let name = serde_json::to_string(node).unwrap_or_default();
    CallResult::text(format!(r#"{{"node": {name}, "pid": {}}}"#, std::process::id()))
}
