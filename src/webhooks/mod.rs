//! Webhooks: deliveries are received and verified, stored as they came, and
//! read as the lives of the cases that they are about.
//!
//! A delivery is answered 200 only when the ledger has it on the disk.

mod event;
mod intake;
mod lives;
mod receiver;
mod secrets;
mod signature;

pub(crate) use event::{Event, EventFields};
pub(crate) use lives::{CaseLife, Lives, STALE_AFTER, events, silent_since, timeline};
pub(crate) use receiver::{Received, ReceiverOptions, serve};
pub(crate) use secrets::Secrets;
