"""A server on version 1 of the official Python SDK."""

import os

from mcp.server.fastmcp import FastMCP

server = FastMCP("one", port=int(os.environ["PORT"]))


@server.tool()
def whoami() -> str:
    """The port of this server."""
    return os.environ["PORT"]


server.run(transport="streamable-http")
