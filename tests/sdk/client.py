"""Holds a conversation with an MCP server by the official SDK: client.py http|sse|stateless URL.

Each line on standard input starts one more conversation, in the same session if it still exists. Each is answered
by a line of JSON: the node that served it, the tools, the notification, and whether a new session was needed.
`stateless` is HTTP in a revision without sessions.
"""

import asyncio
import json
import sys

from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

TIMEOUT_SECONDS = 20


class Conversation:
    def __init__(self, transport, url):
        self.transport, self.url = transport, url
        self.client = None
        self.notices = asyncio.Queue()

    async def received(self, params):
        await self.notices.put(params.data)

    async def connect(self):
        connect, mode = {
            "http": (streamable_http_client, "legacy"),
            "sse": (sse_client, "legacy"),
            "stateless": (streamable_http_client, "2026-07-28"),
        }[self.transport]
        self.client = Client(
            connect(self.url),
            logging_callback=self.received,
            log_level="info" if self.transport == "stateless" else None,
            mode=mode,
            read_timeout_seconds=TIMEOUT_SECONDS,
        )
        await self.client.__aenter__()

    async def leave(self):
        client, self.client = self.client, None
        if client is None:
            return
        try:
            await client.__aexit__(None, None, None)
        except Exception as error:
            # The session's node is gone.
            print(f"left: {error!r}", file=sys.stderr)

    async def call(self, tool, **arguments):
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result
        return result.content[0].text

    async def converse(self):
        tools = [tool.name for tool in (await self.client.list_tools()).tools]
        assert await self.call("echo", message="häé") == "häé"
        nodes = {json.loads(await self.call("whoami"))["node"] for _ in range(5)}
        assert len(nodes) == 1, nodes
        await self.call("notify", message="hear, hear")
        notice = await asyncio.wait_for(self.notices.get(), TIMEOUT_SECONDS)
        return {"node": nodes.pop(), "tools": tools, "notice": notice}

    async def converse_in_any_session(self):
        if self.client is not None:
            try:
                return {**await self.converse(), "new_session": False}
            except Exception as error:
                print(f"new session after: {error!r}", file=sys.stderr)
                await self.leave()
        await self.connect()
        return {**await self.converse(), "new_session": True}


async def main():
    conversation = Conversation(*sys.argv[1:])
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await conversation.converse_in_any_session()), flush=True)
    await conversation.leave()


asyncio.run(main())
