//! `strace`, where it is installed and allowed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::workspace::Workspace;

/// Whether a process can be traced here; prints a note if not.
pub(crate) fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        let traced = Command::new("strace")
            .args(["-f", "-e", "trace=none", "true"])
            .stderr(Stdio::null())
            .status();
        let available = traced.is_ok_and(|status| status.success());
        if !available {
            println!("skipped: strace is not installed, or tracing is not allowed");
        }
        available
    })
}

/// The binary under `strace` with these options, its trace in a file.
pub(crate) fn traced(
    workspace: &Workspace,
    options: &[&str],
    trace: &Path,
    arguments: &[String],
) -> Command {
    let mut command = workspace.command("strace");
    // Not with --seccomp-bpf, which is faster: strace 6.1 then miscounts the
    // calls to inject into.
    command
        .args(["-f", "-o"])
        .arg(trace)
        .args(options)
        .arg(env!("CARGO_BIN_EXE_caseload"))
        .args(arguments);
    command
}
