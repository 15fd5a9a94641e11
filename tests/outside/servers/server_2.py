"""A server on version 2 of the official Python SDK."""

import os

from mcp.server import MCPServer

server = MCPServer("two")


@server.tool()
def whoami() -> str:
    """The port of this server."""
    return os.environ["PORT"]


server.run("streamable-http", port=int(os.environ["PORT"]))
