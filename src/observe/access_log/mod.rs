//! nginx's access log: one JSON object per line, written when a request or a TCP session has ended.
//! It is nginx's only report about single nodes.
//!
//! | field | content |
//! | --- | --- |
//! | `time` | when the line was written, in seconds since 1970 |
//! | `kind` | which traffic: `tcp`, `http`, `websocket` or `sse` |
//! | `status` | the answer's; of a TCP session 200, 400, 403, 500, 502 or 503 |
//! | `bytes_in`, `bytes_out` | from and to the client |
//! | `duration` | of the request or session, in seconds |
//! | `upstream` | the nodes that were tried, in turn: `127.0.0.1:9001, 127.0.0.1:9002` |
//! | `connect`, `first_byte` | for each node, seconds to connect and to first byte; `-`: never |
//!
//! Clients choose part of the file's content, and the file may be cut anywhere: any content is read
//! without a panic, and malformed lines are counted.

mod entry;
mod figures;
mod kind;
mod lines;
mod tally;
mod times;
mod word;

pub use entry::{Attempt, Entry};
pub use figures::{Figures, Mean, Rate};
pub use kind::Kind;
pub use lines::Lines;
pub use tally::{Tally, Traffic};
pub use times::Times;
