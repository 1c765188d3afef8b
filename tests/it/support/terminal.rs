//! The binary on a terminal of its own, as a person uses it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::program::run_through;

/// More than any screen that is looked at.
const ROWS: NonZero<u16> = NonZero::new(200).unwrap();

/// Only a test that would otherwise hang waits this long.
const DEADLINE: Duration = Duration::from_mins(5);

/// Longer than a second Ctrl-C counts as the first.
const PRESS_AGAIN: Duration = Duration::from_millis(1_100);

/// The shell that owns the terminal runs the command, prints its exit code
/// between two marks, and stays: when the owner of a terminal exits, Linux drops
/// what was written to it and not yet read.
const OWNER: &str = "trap : INT; \"$@\"; printf '\\036%s\\036' $?; read -r end";
const MARK: char = '\u{1e}';

/// A process whose input and outputs are a terminal. It is killed when it is
/// dropped.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// Everything written to the screen, as it came: one read may end in the
    /// middle of a character.
    bytes: Vec<u8>,
    /// How much of the text was waited for.
    read: usize,
    columns: u16,
}

impl Terminal {
    /// Runs a command there. Ctrl-C is a signal only in a session of its own,
    /// which takes `setsid`.
    pub(super) fn start(command: &Command, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        fcntl_setfd(&master, FdFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize {
            ws_row: 50,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let open = || {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            Stdio::from(rustix::fs::open(&name, flags, Mode::empty()).unwrap())
        };
        let mut setsid = Command::new("setsid");
        // Signals that the tests' own parent ignores would be ignored here too.
        let default = "--default-signal=INT,QUIT,TERM,HUP";
        setsid.args(["-c", "env", default, "sh", "-c", OWNER, "sh"]);
        let mut on_terminal = run_through(setsid, command);
        let is_chosen = command.get_envs().any(|(name, _)| name == "TERM");
        if !is_chosen {
            on_terminal.env("TERM", "xterm");
        }
        on_terminal
            .env("NO_COLOR", "1")
            .stdin(open())
            .stdout(open())
            .stderr(open());
        let child = on_terminal.spawn().unwrap();
        // Only the child may hold its end of the terminal.
        drop(on_terminal);
        let keyboard = File::from(master);
        let mut screen = keyboard.try_clone().unwrap();
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end comes as an error, once no process has the terminal open.
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
            bytes: Vec::new(),
            read: 0,
            columns,
        }
    }

    /// The lines on the screen, each with whether the terminal had to break it.
    pub fn lines(&self) -> Vec<(String, bool)> {
        let shown = self.written();
        let shown = shown.split(MARK).next().unwrap_or_default();
        let columns = NonZero::new(self.columns).unwrap();
        let mut parser = vt100::Parser::new(ROWS, columns, 0);
        parser.process(shown.as_bytes());
        let screen = parser.screen();
        let lines = screen.rows(0, self.columns).zip(0..);
        let mut lines: Vec<_> = lines
            .map(|(line, row)| (line.trim_end().to_owned(), screen.row_wrapped(row)))
            .collect();
        let end = lines.iter().rposition(|(line, _)| !line.is_empty());
        lines.truncate(end.map_or(0, |end| end + 1));
        lines
    }

    /// Everything that was written to the screen so far, with its escapes.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Everything shown so far.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.bytes).replace('\r', "")
    }

    /// Waits until this is shown, after what was waited for before.
    #[track_caller]
    pub fn wait_for(&mut self, part: &str) -> &mut Self {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let shown = self.shown();
            if let Some(at) = shown[self.read..].find(part) {
                self.read += at + part.len();
                return self;
            }
            assert!(
                exit_code(&shown).is_none(),
                "{part:?} was not shown:\n{shown}"
            );
            self.read_screen(deadline);
        }
    }

    /// Waits for this and the number after it.
    #[track_caller]
    pub fn wait_for_number(&mut self, part: &str) -> u64 {
        let start = self.wait_for(part).read;
        let end = self.wait_for(" ").read - 1;
        let shown = self.shown();
        let number = &shown[start..end];
        let number = number.parse();
        number.unwrap_or_else(|_| panic!("{part:?} without a number:\n{shown}"))
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

    /// Presses keys again and again until this is shown.
    #[track_caller]
    pub fn presses_until(&mut self, keys: &str, part: &str) -> &mut Self {
        let deadline = Instant::now() + DEADLINE;
        while !self.shown()[self.read..].contains(part) {
            let is_running = Instant::now() < deadline && exit_code(&self.shown()).is_none();
            assert!(is_running, "{part:?} never came:\n{}", self.shown());
            self.presses(keys);
            // Their echo is no answer.
            let again = Instant::now() + PRESS_AGAIN;
            while !self.shown()[self.read..].contains(part) && Instant::now() < again {
                let wait = again.saturating_duration_since(Instant::now());
                if let Ok(bytes) = self.screen.recv_timeout(wait) {
                    self.bytes.extend(bytes);
                }
            }
        }
        self.wait_for(part)
    }

    /// Waits for its end and asserts the exit code, with signals as a shell
    /// counts them.
    #[track_caller]
    pub fn ends_with(&mut self, code: i32) {
        let deadline = Instant::now() + DEADLINE;
        let ended = loop {
            match exit_code(&self.shown()) {
                Some(ended) => break ended,
                None => self.read_screen(deadline),
            }
        };
        assert_eq!(ended, code, "this was shown:\n{}", self.shown());
    }

    /// Waits for more on the screen.
    #[track_caller]
    fn read_screen(&mut self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.screen.recv_timeout(left) {
            Ok(bytes) => self.bytes.extend(bytes),
            Err(error) => panic!("{error}; this was shown:\n{}", self.shown()),
        }
    }

    /// Whether a process can have a terminal of its own here.
    pub fn is_available() -> bool {
        let available = Command::new("setsid").arg("--version").output().is_ok();
        if !available {
            eprintln!("skipped: setsid, which gives a process its own terminal, is not installed");
        }
        available
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The exit code at the end of what was shown, once there is one.
fn exit_code(shown: &str) -> Option<i32> {
    let (_, code) = shown.strip_suffix(MARK)?.rsplit_once(MARK)?;
    Some(code.parse().unwrap())
}
