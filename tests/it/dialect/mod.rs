//! HAProxy's runtime API and pages as our own data plane gives them: byte for byte as captured, and
//! in the same shape as those of a real HAProxy that gets the same questions.

mod fake;
mod framing;
mod golden;
mod pages;
mod script;
mod shape;
mod talk;
