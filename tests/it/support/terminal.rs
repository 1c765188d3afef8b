//! The binary on a terminal of its own, as a person sits before it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Far longer than anything takes; who waits so long fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// A process whose input and outputs are a terminal. It is killed when it is
/// dropped.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// All that was written to the screen.
    shown: String,
    /// Up to here it was waited for.
    read: usize,
}

impl Terminal {
    /// Runs a command there. Ctrl-C is a signal only where the terminal is the
    /// process's own, which takes `setsid`.
    pub(super) fn start(command: &Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        fcntl_setfd(&master, FdFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize {
            ws_row: 50,
            ws_col: 200,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let open = || {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            Stdio::from(rustix::fs::open(&name, flags, Mode::empty()).unwrap())
        };
        let mut on_terminal = Command::new("setsid");
        on_terminal
            .arg("-c")
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(command.get_current_dir().unwrap())
            .env_clear()
            .envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .stdin(open())
            .stdout(open())
            .stderr(open());
        let child = on_terminal.spawn().unwrap();
        // Its ends of the terminal are the child's alone.
        drop(on_terminal);
        let keyboard = File::from(master);
        let mut screen = keyboard.try_clone().unwrap();
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end comes as an error, once nobody has the terminal open.
            while let Ok(length @ 1..) = screen.read(&mut bytes) {
                if sender.send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            keyboard,
            screen: receiver,
            shown: String::new(),
            read: 0,
        }
    }

    /// Waits until this is on the screen, behind what was waited for before.
    #[track_caller]
    pub fn wait_for(&mut self, part: &str) -> &mut Self {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(at) = self.shown[self.read..].find(part) {
                self.read += at + part.len();
                return self;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(error) => panic!("{part:?}: {error}; this was shown:\n{}", self.shown),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        self.shown.push_str(&text.replace('\r', ""));
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) -> &mut Self {
        self.presses(&format!("{line}\n"))
    }

    /// Presses keys; `\u{3}` is Ctrl-C.
    pub fn presses(&mut self, keys: &str) -> &mut Self {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Waits for its end, told as a shell does; returns all that was shown.
    #[track_caller]
    pub fn ends_with(&mut self, code: i32) -> &str {
        let deadline = Instant::now() + DEADLINE;
        while let Ok(bytes) =
            (self.screen).recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.take(&bytes);
        }
        assert!(Instant::now() < deadline, "it did not end:\n{}", self.shown);
        let status = self.child.wait().unwrap();
        let told = status.code().or(status.signal().map(|signal| 128 + signal));
        assert_eq!(told, Some(code), "{status}:\n{}", self.shown);
        &self.shown
    }

    /// Whether terminals can be made here.
    pub fn is_there() -> bool {
        let is_there = Command::new("setsid").arg("--version").output().is_ok();
        if !is_there {
            eprintln!("skipped: there is no setsid, which gives a process its own terminal");
        }
        is_there
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
