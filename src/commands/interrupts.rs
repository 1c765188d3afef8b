//! Ctrl-C, SIGTERM and SIGHUP: once is "finish", twice is "stop at once".

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Exit;
use crate::engine::Interrupt;

/// Wrappers pass each Ctrl-C on, so that it arrives twice: a second interrupt
/// this soon after the first is the same, and one this soon after the end of a
/// run is too late.
const SAME: Duration = Duration::from_secs(1);

/// What the command is doing when an interrupt comes.
enum Stage {
    BeforeRun,
    Running(UnboundedSender<Interrupt>),
    /// The run is over since then: there is only its end to report.
    Ended(Exit, Instant),
}

/// Where interrupts go: to the run, while there is one.
pub(super) struct Interrupts(Arc<Mutex<Stage>>);

impl Interrupts {
    /// Handles the process's signals from now on: before anything is sent, an
    /// interrupt calls `report` and exits.
    pub(super) fn catch(mut report: impl FnMut() + Send + 'static) -> anyhow::Result<Self> {
        let stage = Arc::new(Mutex::new(Stage::BeforeRun));
        let caught = Arc::clone(&stage);
        let mut first: Option<Instant> = None;
        ctrlc::set_handler(move || {
            let stage = caught.lock().unwrap_or_else(PoisonError::into_inner);
            let is_same = first.is_some_and(|first| first.elapsed() < SAME);
            match &*stage {
                Stage::BeforeRun => {
                    report();
                    std::process::exit(i32::from(Exit::Interrupted.code()));
                }
                _ if is_same => {}
                Stage::Running(run) => {
                    let interrupt = match first {
                        None => Interrupt::Finish,
                        Some(_) => Interrupt::Abort,
                    };
                    // Fails when the run has just ended.
                    let _ = run.send(interrupt);
                }
                // Its end takes less, unless an output hangs. Nothing is lost:
                // each result is in the ledger.
                Stage::Ended(exit, since) if since.elapsed() > SAME => {
                    std::process::exit(i32::from(exit.code()));
                }
                Stage::Ended(..) => {}
            }
            first.get_or_insert_with(Instant::now);
        })?;
        Ok(Self(stage))
    }

    /// From now on interrupts go to a run.
    pub(super) fn run(&self) -> UnboundedReceiver<Interrupt> {
        let (sender, receiver) = unbounded_channel();
        self.set(Stage::Running(sender));
        receiver
    }

    /// The run is over: an interrupt ends what then still hangs, with the code of
    /// what happened.
    pub(super) fn run_ended(&self, exit: Exit) {
        self.set(Stage::Ended(exit, Instant::now()));
    }

    fn set(&self, stage: Stage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }
}

/// A write past the limit of `ulimit -f` fails like one on a full disk, with an
/// error, instead of ending the process with SIGXFSZ.
pub(super) fn catch_file_size_limit() {
    // Any handler makes the write fail; without one the signal kills as before.
    let caught = Arc::default();
    let _ = signal_hook::flag::register(rustix::process::Signal::XFSZ.as_raw(), caught);
}
