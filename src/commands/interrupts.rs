//! Ctrl-C, SIGTERM and SIGHUP: once is "finish", twice is "stop at once".

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::exit::Exit;
use crate::engine::Interrupt;

enum Phase {
    /// Nothing is sent yet: an interrupt calls this and ends the process.
    BeforeRun(Option<Box<dyn FnOnce() + Send>>),
    /// A run decides how it ends.
    Running(UnboundedSender<Interrupt>),
}

pub(super) struct Interrupts(Arc<Mutex<Phase>>);

impl Interrupts {
    /// Handles the process's signals from now on: before anything is sent, an
    /// interrupt calls `report` and exits.
    pub(super) fn catch(report: impl FnOnce() + Send + 'static) -> anyhow::Result<Self> {
        let phase = Arc::new(Mutex::new(Phase::BeforeRun(Some(Box::new(report)))));
        let caught = Arc::clone(&phase);
        let mut received = 0_u32;
        ctrlc::set_handler(move || {
            received += 1;
            let mut phase = caught.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *phase {
                Phase::BeforeRun(report) => {
                    if let Some(report) = report.take() {
                        report();
                    }
                    std::process::exit(i32::from(Exit::Interrupted.code()));
                }
                Phase::Running(run) => {
                    // Nobody listens after the run.
                    let _ = run.send(if received == 1 {
                        Interrupt::Finish
                    } else {
                        Interrupt::Abort
                    });
                }
            }
        })?;
        Ok(Self(phase))
    }

    /// From now on interrupts go to a run.
    pub(super) fn run(&self) -> UnboundedReceiver<Interrupt> {
        let (sender, receiver) = unbounded_channel();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Phase::Running(sender);
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
