//! The wire: where a case is posted, in which form, and what comes back.
//!
//! Every assumption about the server is in `contract`; `gate` proves that
//! nothing was written; `classify` decides what an attempt proved.

mod address;
mod classify;
mod client;
mod contract;
mod gate;
mod key;
mod management;
mod probe;
mod trust;

pub(crate) use address::{Account, Address};
pub(crate) use client::{Client, ClientOptions, proxy};
pub(crate) use contract::{
    AuthPlace, CaseIdField, Contract, FirmPlace, StatusList, possible_case_ids,
};
pub(crate) use gate::Gate;
pub(crate) use key::Secret;
pub(crate) use management::{Collection, ManagementBodies, ManagementPaths, has_text};
pub(crate) use probe::Probe;
pub(crate) use trust::tls;
