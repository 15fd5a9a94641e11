//! The methods of MCP up to 2025-11-25, independent of the transport.

use futures_util::FutureExt;

use crate::mcp::{
    CallParams, CallResult, CancelledParams, Code, Id, Implementation, Incoming, InitializeParams,
    InitializeResult, Message, Params, Request, Response, RpcError, SetLevelParams, ToolList,
};

use super::answer::{Answer, Asker, Later, Reply};
use super::client::Running;
use super::tools::{self, Called};

/// An MCP server. It has no state of its clients; each message comes with the state of its client.
#[derive(Debug)]
pub(super) struct Mcp {
    name: String,
    /// The list of tools, which never changes.
    tools: ToolList,
}

impl Mcp {
    /// The server of the node called `name`.
    pub(super) fn new(name: &str) -> Mcp {
        Mcp {
            name: name.to_owned(),
            tools: tools::list(),
        }
    }

    /// The node's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The name and version that the node reports to clients.
    pub(super) fn info(&self) -> Implementation<'_> {
        Mcp::info_of(&self.name)
    }

    /// The name and version that a node called `name` reports.
    pub(super) fn info_of(name: &str) -> Implementation<'_> {
        Implementation {
            name,
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// The list of tools.
    pub(super) fn tools(&self) -> &ToolList {
        &self.tools
    }

    /// The answer to `text` from `asker`.
    pub(super) fn answer(&self, text: &[u8], asker: &Asker) -> Answer {
        match Incoming::parse(text) {
            Err(refusal) => Answer::Malformed(refusal.to_json()),
            Ok(Incoming::One(message)) => self.reply(message, asker).map_or(Answer::Nothing, Answer::from),
            Ok(Incoming::Batch(messages)) => self.answer_batch(messages, asker),
        }
    }

    // Private

    fn reply(&self, message: Message<'_>, asker: &Asker) -> Option<Reply> {
        match message {
            Message::Request(request) => Some(self.respond(request, asker)),
            Message::Notification { method, params } => {
                handle_notification(&method, params, asker);
                None
            }
            Message::Response => None,
        }
    }

    fn respond(&self, request: Request<'_>, asker: &Asker) -> Reply {
        let Request { id, method, params } = request;
        let result = match method.as_str() {
            "initialize" => match params.read::<InitializeParams<'_>>() {
                Ok(params) => return Reply::Welcome(Response::success(id, &self.introduction(&params))),
                Err(error) => Err(error),
            },
            // Answered without a handshake too: health checks send only this.
            "ping" => Ok(Response::success(id.clone(), &Empty {})),
            "logging/setLevel" => params.read::<SetLevelParams>().map(|params| {
                asker.client.set_level(params.level);
                Response::success(id.clone(), &Empty {})
            }),
            "tools/list" => Ok(Response::success(id.clone(), &self.tools)),
            "tools/call" => match params
                .read::<CallParams<'_>>()
                .and_then(|call| tools::call(&call, &self.name, asker))
            {
                Ok(Called::Done(result)) => Ok(Response::success(id.clone(), &result)),
                Ok(Called::Later(result)) => {
                    let running = asker.client.begin(id.clone());
                    let respond = |id, result| Response::success(id, &result);
                    return Reply::Later(Box::pin(unless_cancelled(running, id, result, respond)));
                }
                Err(error) => Err(error),
            },
            unknown => Err(no_method(unknown)),
        };
        Reply::Now(result.unwrap_or_else(|error| Response::error(id, error)))
    }

    fn introduction(&self, params: &InitializeParams<'_>) -> InitializeResult<'_> {
        InitializeResult::to(params, self.info())
    }

    /// The responses to a batch come together, in one array, when the last one is there.
    fn answer_batch(&self, messages: Vec<Result<Message<'_>, Response>>, asker: &Asker) -> Answer {
        let replies: Vec<Reply> = messages
            .into_iter()
            .filter_map(|message| match message {
                Ok(message) => self.reply(message, asker),
                Err(refusal) => Some(Reply::Now(refusal)),
            })
            .collect();
        if replies.is_empty() {
            return Answer::Nothing;
        }
        if replies.iter().any(|reply| matches!(reply, Reply::Later(_))) {
            return Answer::Later(Box::pin(array(replies)));
        }
        array(replies).now_or_never().map_or(Answer::Nothing, Answer::Now)
    }
}

/// The error for a method that the node does not have.
pub(super) fn no_method(name: &str) -> RpcError {
    let name: String = name.escape_debug().take(100).collect();
    RpcError::new(Code::MethodNotFound, format!("no method `{name}`"))
}

/// The response that `respond` makes from the result, unless the client cancels the request first.
pub(super) async fn unless_cancelled(
    running: Running,
    id: Id,
    result: Later<CallResult>,
    respond: impl FnOnce(Id, CallResult) -> Response,
) -> Response {
    tokio::select! {
        result = result => respond(id, result),
        // The client does not wait for this response; but what carries the request, such as a POST,
        // has to end.
        () = running.cancelled() => Response::error(id, RpcError::new(Code::Cancelled, "cancelled")),
    }
}

// Private

/// Handles a client's notification.
fn handle_notification(method: &str, params: Params<'_>, asker: &Asker) {
    // An invalid cancellation is ignored, and the request is answered.
    if method == "notifications/cancelled"
        && let Some(id) = params
            .read::<CancelledParams<'_>>()
            .ok()
            .and_then(|params| params.request())
    {
        asker.client.cancel(&id);
    }
}

async fn array(replies: Vec<Reply>) -> Vec<u8> {
    let responses = replies.into_iter().map(|reply| async {
        match reply {
            Reply::Now(response) | Reply::Welcome(response) => response,
            Reply::Later(response) => response.await,
        }
    });
    let responses = futures_util::future::join_all(responses).await;
    serde_json::to_vec(&responses).unwrap_or_default()
}

/// `{}`
#[derive(serde::Serialize)]
struct Empty {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::super::client::Client;
    use super::*;

    async fn ask(message: Value) -> Value {
        ask_as(&Asker::alone(Arc::default()), message).await
    }

    async fn ask_as(asker: &Asker, message: Value) -> Value {
        let mcp = Mcp::new("erlmcp1");
        let text = match mcp.answer(message.to_string().as_bytes(), asker) {
            Answer::Nothing => return Value::Null,
            Answer::Now(text) | Answer::Welcome(text) | Answer::Malformed(text) => text,
            Answer::Later(text) => text.await,
        };
        serde_json::from_slice(&text).unwrap()
    }

    fn request(method: &str, params: &Value) -> Value {
        json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    }

    async fn call(tool: &str, arguments: &Value) -> Value {
        ask(request(
            "tools/call",
            &json!({"name": tool, "arguments": arguments}),
        ))
        .await
    }

    #[tokio::test]
    async fn the_handshake_names_the_node_and_the_version() {
        let params = json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let answer = ask(request("initialize", &params)).await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-03-26");
        assert_eq!(answer["result"]["serverInfo"]["name"], "erlmcp1");
        assert_eq!(
            answer["result"]["capabilities"],
            json!({"logging": {}, "tools": {"listChanged": false}})
        );
        assert_eq!(
            ask(request("initialize", &json!({}))).await["error"]["code"],
            -32602
        );
    }

    #[tokio::test]
    async fn a_ping_needs_no_handshake_and_a_notification_no_answer() {
        assert_eq!(
            ask(json!({"jsonrpc": "2.0", "id": "check", "method": "ping"})).await,
            json!({"jsonrpc": "2.0", "id": "check", "result": {}})
        );
        assert_eq!(
            ask(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await,
            Value::Null
        );
        assert_eq!(
            ask(json!({"jsonrpc": "2.0", "id": 1, "result": {}})).await,
            Value::Null
        );
        assert_eq!(
            ask(request("resources/list", &json!({}))).await["error"]["code"],
            -32601
        );
    }

    #[tokio::test]
    async fn tools_return_their_results() {
        let listed = ask(request("tools/list", &json!({}))).await;
        let names: Vec<_> = listed["result"]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| &tool["name"])
            .collect();
        assert_eq!(names, ["echo", "sleep", "notify", "whoami"]);

        let echo = call("echo", &json!({"message": "hällo\n"})).await;
        assert_eq!(
            echo["result"],
            json!({"content": [{"type": "text", "text": "hällo\n"}], "isError": false})
        );
        assert_eq!(
            call("echo", &json!({"text": "x"})).await["result"]["content"][0]["text"],
            "x"
        );

        let whoami = call("whoami", &json!({})).await;
        let text = whoami["result"]["content"][0]["text"].as_str().unwrap();
        assert_eq!(
            text,
            format!(r#"{{"node": "erlmcp1", "pid": {}}}"#, std::process::id())
        );

        assert_eq!(
            call("sleep", &json!({"milliseconds": 1})).await["result"]["isError"],
            false
        );
    }

    #[tokio::test]
    async fn a_failed_tool_is_a_result_and_an_unknown_tool_an_error() {
        for (tool, arguments) in [
            ("echo", json!({})),
            ("echo", json!({"message": 7})),
            ("sleep", json!({})),
            ("sleep", json!({"seconds": -1})),
            ("sleep", json!({"seconds": 1e300})),
            ("sleep", json!({"milliseconds": 1, "seconds": 1})),
        ] {
            assert_eq!(
                call(tool, &arguments).await["result"]["isError"],
                true,
                "{tool} {arguments}"
            );
        }
        assert_eq!(call("nonsense", &json!({})).await["error"]["code"], -32602);
        assert_eq!(
            ask(request("tools/call", &json!({}))).await["error"]["code"],
            -32602
        );
    }

    #[tokio::test]
    async fn a_batch_is_answered_by_an_array() {
        let sleep = request(
            "tools/call",
            &json!({"name": "sleep", "arguments": {"milliseconds": 1}}),
        );
        let notification = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let answers = ask(json!([sleep, notification, request("ping", &json!({})), 7])).await;
        let codes: Vec<_> = answers
            .as_array()
            .unwrap()
            .iter()
            .map(|answer| &answer["error"]["code"])
            .collect();
        assert_eq!(codes, [&Value::Null, &Value::Null, &json!(-32600)]);
        assert_eq!(ask(json!([notification])).await, Value::Null);
    }

    #[tokio::test]
    async fn notices_reach_the_client_that_subscribed() {
        let asker = Asker::alone(Arc::default());
        let mut reader = asker.client.outbox.open(Arc::default());
        let notify =
            |arguments: Value| request("tools/call", &json!({"name": "notify", "arguments": arguments}));
        let answer = ask_as(&asker, notify(json!({"message": "hello"}))).await;
        assert_eq!(answer["result"]["isError"], false);
        let received: Value = serde_json::from_slice(&reader.take().unwrap()).unwrap();
        assert_eq!(received["method"], "notifications/message");
        assert_eq!(
            received["params"],
            json!({"level": "info", "logger": "erlmcp1", "data": "hello"})
        );

        let set = |level: &str| request("logging/setLevel", &json!({"level": level}));
        assert_eq!(ask_as(&asker, set("loud")).await["error"]["code"], -32602);
        assert_eq!(ask_as(&asker, set("error")).await["result"], json!({}));
        ask_as(&asker, notify(json!({"message": "hello"}))).await;
        assert_eq!(reader.take(), None);
        ask_as(&asker, notify(json!({"message": "fire", "level": "alert"}))).await;
        assert!(reader.take().is_some());

        let passing = Asker::alone(Client::passing());
        let answer = ask_as(&passing, notify(json!({"message": "hello"}))).await;
        assert_eq!(answer["result"]["isError"], true);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_reports_progress_and_can_be_cancelled() {
        let asker = Asker::alone(Arc::default());
        let mut reader = asker.client.outbox.open(Arc::default());
        let sleep = request(
            "tools/call",
            &json!({"name": "sleep", "arguments": {"seconds": 4}, "_meta": {"progressToken": "t"}}),
        );
        assert_eq!(ask_as(&asker, sleep.clone()).await["result"]["isError"], false);
        let received: Vec<Value> = std::iter::from_fn(|| reader.take())
            .map(|json| serde_json::from_slice::<Value>(&json).unwrap()["params"].clone())
            .collect();
        let far = |seconds: f64| json!({"progressToken": "t", "progress": seconds, "total": 4.0});
        assert_eq!(received, [far(1.0), far(2.0), far(3.0)]);

        let cancel =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
        let (answer, _) = tokio::join!(ask_as(&asker, sleep), ask_as(&asker, cancel));
        assert_eq!(answer["error"]["code"], -32800);
    }
}
