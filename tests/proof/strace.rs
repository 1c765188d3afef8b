//! `strace`, where it is installed and may be used.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::binary::Scene;

/// Whether a process can be traced here; says so where not.
pub(crate) fn is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| {
        let traced = Command::new("strace")
            .args(["-f", "-e", "trace=none", "true"])
            .stderr(Stdio::null())
            .status();
        let there = traced.is_ok_and(|status| status.success());
        if !there {
            println!("skipped: strace is not installed here, or may not trace");
        }
        there
    })
}

/// The binary under `strace` with these options, its trace in a file.
pub(crate) fn traced(
    scene: &Scene,
    options: &[&str],
    trace: &Path,
    arguments: &[String],
) -> Command {
    let mut command = scene.command("strace");
    // Not with --seccomp-bpf, which is faster: strace 6.1 then loses count of
    // the calls that it is to strike.
    command
        .args(["-f", "-o"])
        .arg(trace)
        .args(options)
        .arg(env!("CARGO_BIN_EXE_caseload"))
        .args(arguments);
    command
}
