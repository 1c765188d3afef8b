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
mod retry_after;
mod trust;

pub use address::{Account, Address, AddressError};
pub use client::{Attempt, Client, ClientError, ClientOptions};
pub use contract::{AuthPlace, CaseIdField, Contract, ContractError, FirmPlace, StatusList};
pub use gate::Gate;
pub use key::{KeyError, PublicKey};
