"""A small MCP server over HTTP alone, with the habits of servers that people run.

    server.py NAME PORT [health] [path=/mcp] [revision=2025-11-25] [single] [sse]

Without `health` it has no health path. `single` serves one request at a time. `sse` is a stream of
events at /sse.
"""

import http.server
import json
import socketserver
import sys
import time
import uuid

name, port, options = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
values = dict(option.split("=", 1) for option in options if "=" in option)
path = values.get("path", "/mcp")
revision = values.get("revision", "2025-11-25")
sessions = set()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *args):
        pass

    def answer(self, status, message=None, **headers):
        body = b"" if message is None else json.dumps(message).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for header, value in headers.items():
            self.send_header(header.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/health" and "health" in options:
            self.answer(200, {"status": "ok"})
        elif self.path == "/sse" and "sse" in options:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"event: endpoint\ndata: /messages?sessionId=1\n\n")
            self.close_connection = True
        elif self.path == "/sessions":
            self.answer(200, len(sessions))
        else:
            self.answer(404)

    def do_DELETE(self):
        sessions.discard(self.headers.get("Mcp-Session-Id"))
        self.answer(204)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != path:
            return self.answer(404)
        message = json.loads(body)
        method, number = message["method"], message.get("id")
        if number is None:
            return self.answer(202)
        info = {"serverInfo": {"name": name, "version": "1"}, "capabilities": {}}
        if revision >= "2026-07-28":
            if method == "server/discover":
                return self.result(number, {**info, "supportedVersions": [revision]})
        elif method == "initialize":
            session = uuid.uuid4().hex
            sessions.add(session)
            return self.result(number, {**info, "protocolVersion": revision}, Mcp_Session_Id=session)
        elif self.headers.get("Mcp-Session-Id") not in sessions:
            # As the Python SDK 1.x: a request without a session gets one.
            if self.headers.get("Mcp-Session-Id") is None:
                sessions.add(uuid.uuid4().hex)
            return self.error(404, number, -32001, "Session not found")
        if method == "ping":
            return self.result(number, {})
        if method == "tools/call":
            time.sleep(message["params"]["arguments"].get("seconds", 0))
            return self.result(number, {"content": [{"type": "text", "text": name}]})
        self.error(404, number, -32601, "Method not found")

    def result(self, number, result, **headers):
        self.answer(200, {"jsonrpc": "2.0", "id": number, "result": result}, **headers)

    def error(self, status, number, code, text):
        error = {"code": code, "message": text}
        self.answer(status, {"jsonrpc": "2.0", "id": number, "error": error})


class Threaded(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024


class Single(http.server.HTTPServer):
    request_queue_size = 1024


server = Single if "single" in options else Threaded
server(("127.0.0.1", port), Handler).serve_forever()
