"""Sessions of the official Python SDK that call a tool again and again: clients.py URL COUNT.

Half of them have sessions, half use a revision without. Each line on standard input is answered by a
line of JSON about the time since the line before: calls, new sessions and errors of each half.
"""

import asyncio
import collections
import json
import sys

from mcp import Client
from mcp.client.streamable_http import streamable_http_client

MODES = {"with": "legacy", "without": "2026-07-28"}
PAUSE_SECONDS = 0.5
TIMEOUT_SECONDS = 20


class Half:
    def __init__(self):
        self.clear()

    def clear(self):
        self.calls, self.sessions = 0, 0
        self.nodes, self.errors = collections.Counter(), collections.Counter()

    def report(self):
        report = {
            "calls": self.calls,
            "new_sessions": self.sessions,
            "nodes": dict(self.nodes),
            "errors": dict(self.errors),
        }
        self.clear()
        return report


async def session(url, mode, half):
    """One session: it begins, and calls a tool until a call fails."""
    client = Client(streamable_http_client(url), mode=mode, read_timeout_seconds=TIMEOUT_SECONDS)
    async with client:
        half.sessions += 1
        while True:
            result = await client.call_tool("whoami", {})
            half.calls += 1
            half.nodes[node_in(result)] += 1
            await asyncio.sleep(PAUSE_SECONDS)


def node_in(result):
    """The node that has answered: embedded nodes give more than their name."""
    answer = json.loads(result.content[0].text)
    return answer["node"] if isinstance(answer, dict) else answer


async def keep(url, mode, half):
    while True:
        try:
            await session(url, mode, half)
        except BaseException as error:
            if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt)):
                raise
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            half.errors[f"{type(error).__name__}: {error}"] += 1
            await asyncio.sleep(PAUSE_SECONDS)


async def main():
    url, count = sys.argv[1], int(sys.argv[2])
    halves = {name: Half() for name in MODES}
    tasks = [
        asyncio.create_task(keep(url, mode, halves[name]))
        for name, mode in MODES.items()
        for _ in range(count // 2)
    ]
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps({name: half.report() for name, half in halves.items()}), flush=True)
    for task in tasks:
        task.cancel()


asyncio.run(main())
