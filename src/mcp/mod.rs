//! JSON-RPC 2.0 and the Model Context Protocol, as messages.
