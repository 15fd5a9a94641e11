//! The other end of the dialect: what answers it.

mod figures;
mod subject;

pub use figures::{
    AdminState, BackendFigures, CheckFigures, FrontendFigures, FrontendState, Health, ProcessFigures,
    Proxies, ServerFigures, SessionFigures, TableEntry, TableFigures, Traffic,
};
pub use subject::{Order, Refusal, ServerRef, Subject};
