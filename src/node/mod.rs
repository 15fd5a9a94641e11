//! The embedded MCP node.
