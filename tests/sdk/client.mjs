// Holds a conversation with an MCP server by the official SDK: client.mjs http|sse|websocket URL.
//
// Each line on standard input starts one more conversation, in the same session if it still exists.
// Each is answered by a line of JSON: the node that served it, the tools, the notification, and
// whether a new session was needed.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { WebSocketClientTransport } from "@modelcontextprotocol/sdk/client/websocket.js";
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import WebSocket from "ws";

globalThis.WebSocket ??= WebSocket;

const TRANSPORTS = { http: StreamableHTTPClientTransport, sse: SSEClientTransport, websocket: WebSocketClientTransport };
const TIMEOUT_MS = 20_000;

const [transport, url] = process.argv.slice(2);
let client;

async function connect() {
    client = new Client({ name: "test", version: "1" });
    await client.connect(new TRANSPORTS[transport](new URL(url)));
}

async function call(name, args = {}) {
    const result = await client.callTool({ name, arguments: args });
    assert(!result.isError, JSON.stringify(result));
    return result.content[0].text;
}

async function converse() {
    const notice = new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error("no notification arrived")), TIMEOUT_MS).unref();
        client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => resolve(params.data));
    });
    const { tools } = await client.listTools();
    assert.equal(await call("echo", { message: "häé" }), "häé");
    const nodes = new Set();
    for (let turn = 0; turn < 5; turn += 1) {
        nodes.add(JSON.parse(await call("whoami")).node);
    }
    assert.equal(nodes.size, 1, [...nodes].join());
    await call("notify", { message: "hear, hear" });
    return { node: [...nodes][0], tools: tools.map((tool) => tool.name), notice: await notice };
}

async function converseInAnySession() {
    if (client) {
        try {
            return { ...(await converse()), new_session: false };
        } catch (error) {
            console.error("new session after:", error.message);
            await client.close();
        }
    }
    await connect();
    return { ...(await converse()), new_session: true };
}

for await (const _line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await converseInAnySession()));
}
await client?.close();
