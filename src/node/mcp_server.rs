//! Who answers: the methods of MCP, whatever they came in by.

use crate::mcp::{
    CallParams, Code, Implementation, Incoming, InitializeParams, InitializeResult, Message, Request,
    Response, RpcError, ToolList,
};

use super::answer::{Answer, Reply};
use super::tools::{self, Called};

/// An MCP server. It keeps nothing about its clients: each message stands for itself.
#[derive(Debug)]
pub(super) struct Mcp {
    name: String,
    /// They never change.
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

    /// What `text` gets.
    pub(super) fn answer(&self, text: &[u8]) -> Answer {
        match Incoming::parse(text) {
            Err(refusal) => Answer::Malformed(refusal.to_json()),
            Ok(Incoming::One(message)) => self.reply(message).map_or(Answer::Nothing, Answer::from),
            Ok(Incoming::Batch(messages)) => self.answer_batch(messages),
        }
    }

    // Private

    fn reply(&self, message: Message<'_>) -> Option<Reply> {
        match message {
            Message::Request(request) => Some(self.respond(request)),
            Message::Notification { .. } | Message::Response => None,
        }
    }

    fn respond(&self, request: Request<'_>) -> Reply {
        let Request { id, method, params } = request;
        let result = match method.as_str() {
            "initialize" => params.read::<InitializeParams<'_>>().map(|params| {
                let info = Implementation {
                    name: &self.name,
                    version: env!("CARGO_PKG_VERSION"),
                };
                Response::success(id.clone(), &InitializeResult::to(&params, info))
            }),
            // Answered without a handshake too: health checks ask nothing else.
            "ping" => Ok(Response::success(id.clone(), &Empty {})),
            "tools/list" => Ok(Response::success(id.clone(), &self.tools)),
            "tools/call" => match params
                .read::<CallParams<'_>>()
                .and_then(|call| tools::call(&call, &self.name))
            {
                Ok(Called::Done(result)) => Ok(Response::success(id.clone(), &result)),
                Ok(Called::Later(result)) => {
                    return Reply::Later(Box::pin(async move { Response::success(id, &result.await) }));
                }
                Err(error) => Err(error),
            },
            unknown => Err(RpcError::new(
                Code::MethodNotFound,
                format!(
                    "no method `{}`",
                    unknown.escape_debug().take(100).collect::<String>()
                ),
            )),
        };
        Reply::Now(result.unwrap_or_else(|error| Response::error(id, error)))
    }

    /// The responses to a batch come together, in one array, when the last one is there.
    fn answer_batch(&self, messages: Vec<Result<Message<'_>, Response>>) -> Answer {
        let replies: Vec<Reply> = messages
            .into_iter()
            .filter_map(|message| match message {
                Ok(message) => self.reply(message),
                Err(refusal) => Some(Reply::Now(refusal)),
            })
            .collect();
        if replies.is_empty() {
            return Answer::Nothing;
        }
        Answer::Later(Box::pin(async move {
            let responses = replies.into_iter().map(|reply| async {
                match reply {
                    Reply::Now(response) => response,
                    Reply::Later(response) => response.await,
                }
            });
            let responses = futures_util::future::join_all(responses).await;
            serde_json::to_vec(&responses).unwrap_or_default()
        }))
    }
}

// Private

/// `{}`
#[derive(serde::Serialize)]
struct Empty {}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    async fn ask(message: Value) -> Value {
        let mcp = Mcp::new("erlmcp1");
        let text = match mcp.answer(message.to_string().as_bytes()) {
            Answer::Nothing => return Value::Null,
            Answer::Now(text) | Answer::Malformed(text) => text,
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
            json!({"tools": {"listChanged": false}})
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
    async fn tools_do_what_they_say() {
        let listed = ask(request("tools/list", &json!({}))).await;
        let names: Vec<_> = listed["result"]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| &tool["name"])
            .collect();
        assert_eq!(names, ["echo", "sleep", "whoami"]);

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
    async fn what_a_tool_cannot_do_is_a_result_and_no_tool_an_error() {
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
}
