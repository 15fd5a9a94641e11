//! HAProxy's runtime API and pages, as our data plane gives them: byte for byte as captured, and in the same shape as a
//! real HAProxy that is asked the same.

mod fake;
mod framing;
mod golden;
mod pages;
mod script;
mod shape;
mod talk;
