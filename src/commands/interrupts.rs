//! Ctrl-C, SIGTERM and SIGHUP: once is "finish", twice is "stop at once".

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Exit;
use crate::engine::Interrupt;

/// Where interrupts go: to the run, once there is one.
pub(super) struct Interrupts(Arc<Mutex<Option<UnboundedSender<Interrupt>>>>);

impl Interrupts {
    /// Handles the process's signals from now on: before anything is sent, an
    /// interrupt calls `report` and exits.
    pub(super) fn catch(mut report: impl FnMut() + Send + 'static) -> anyhow::Result<Self> {
        let run = Arc::default();
        let caught: Arc<Mutex<Option<UnboundedSender<Interrupt>>>> = Arc::clone(&run);
        let mut next = Interrupt::Finish;
        ctrlc::set_handler(move || {
            let run = caught.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(run) = &*run else {
                report();
                std::process::exit(i32::from(Exit::Interrupted.code()));
            };
            // After the run the receiver is gone.
            let _ = run.send(std::mem::replace(&mut next, Interrupt::Abort));
        })?;
        Ok(Self(run))
    }

    /// From now on interrupts go to a run.
    pub(super) fn run(&self) -> UnboundedReceiver<Interrupt> {
        let (sender, receiver) = unbounded_channel();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }
}

/// A write past the limit of `ulimit -f` fails like one on a full disk, with an
/// error, instead of ending the process with SIGXFSZ.
#[cfg(unix)]
pub(super) fn catch_file_size_limit() {
    // Any handler makes the write fail; without one the signal kills as before.
    let caught = Arc::default();
    let _ = signal_hook::flag::register(rustix::process::Signal::XFSZ.as_raw(), caught);
}
