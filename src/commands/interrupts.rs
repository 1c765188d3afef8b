//! Ctrl-C, SIGTERM and SIGHUP: once is "finish", twice is "stop at once".

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::exit::Exit;
use crate::engine::Interrupt;

/// Says the last words of a process that is interrupted before it sends.
type LastWords = Box<dyn FnOnce() + Send>;

enum Phase {
    /// Nothing is sent yet: an interrupt ends the process.
    Before(Option<LastWords>),
    /// A run goes on: it is told.
    Running(UnboundedSender<Interrupt>),
}

/// Takes the process's signals from now on.
#[derive(Clone)]
pub(super) struct Interrupts(Arc<Mutex<Phase>>);

impl Interrupts {
    /// Before anything is sent an interrupt says `last_words` and exits.
    pub(super) fn catch(last_words: impl FnOnce() + Send + 'static) -> anyhow::Result<Self> {
        let phase = Arc::new(Mutex::new(Phase::Before(Some(Box::new(last_words)))));
        let caught = Arc::clone(&phase);
        let mut pressed = 0_u32;
        ctrlc::set_handler(move || {
            pressed += 1;
            let mut phase = caught.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *phase {
                Phase::Before(last_words) => {
                    if let Some(last_words) = last_words.take() {
                        last_words();
                    }
                    std::process::exit(i32::from(Exit::Interrupted.code()));
                }
                Phase::Running(run) => {
                    // A run that is over needs no telling.
                    let _ = run.send(if pressed == 1 {
                        Interrupt::Finish
                    } else {
                        Interrupt::Abort
                    });
                }
            }
        })?;
        Ok(Self(phase))
    }

    /// From now on a run is told.
    pub(crate) fn run(&self) -> UnboundedReceiver<Interrupt> {
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
