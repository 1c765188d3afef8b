//! What people do between two starts: copy, move, restore and mount the ledger,
//! and save the input in a program that spells its keys in another way.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use fastrand::Rng;

use super::workspace::Workspace;

/// What happens between two starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// Nothing.
    Still,
    /// The ledger is copied, moved, restored and mounted.
    MovingLedger,
    /// The keys of the input are spelled in another way.
    RewrittenKeys,
}

/// Ways to spell a key of which caseload must notice that it is the same.
const SPELLINGS: [fn(&str) -> String; 9] = [
    |key| format!("c-{key}"),
    |key| format!("C-{key}"),
    |key| format!(" c-{key} "),
    |key| format!("c\u{2011}{key}"),
    |key| format!("c--{key}"),
    |key| format!("c {key}"),
    |key| format!("c\u{ad}-\u{200b}{key}"),
    |key| format!("\u{feff}c-{key}"),
    |key| {
        let wide = key.bytes().map(|digit| u32::from(digit - b'0') + 0xff10);
        let digits: String = wide.filter_map(char::from_u32).collect();
        format!("\u{ff43}-{digits}")
    },
];

/// The same for keys that are numbers.
const NUMBERS: [fn(&str) -> String; 4] = [
    |key| key.to_owned(),
    |key| format!("0{key}"),
    |key| key.trim_start_matches('0').to_owned(),
    |key| format!("{}.0", key.trim_start_matches('0')),
];

/// Writes the input of the start with this number: once as exported, and then
/// as other programs save it, with another cell changed too.
pub(crate) fn rewrite_keys(workspace: &Workspace, numeric: bool, start: usize, rng: &mut Rng) {
    let spellings: &[fn(&str) -> String] = if numeric { &NUMBERS } else { &SPELLINGS };
    let column = rng.usize(..spellings.len());
    let few = rng.bool();
    let chosen: Vec<usize> = (workspace.keys.iter())
        .map(|_| {
            let is_left = few && rng.u32(0..4) > 0;
            if is_left { 0 } else { column }
        })
        .collect();
    workspace.write_input(&format!("saved {start} times"), |number, key| {
        let digits = key.trim_start_matches('c');
        // From 1: no number is nothing but zeros.
        let digits = format!("{:04}", digits.parse::<u32>().unwrap() + 1);
        let spelling = if start == 0 { 0 } else { chosen[number] };
        spellings[spelling](&digits)
    });
}

/// The record that a spelling of its key means.
pub(crate) fn record_of(key: &str, rewritten: bool) -> String {
    if !rewritten {
        return key.to_owned();
    }
    let key = key.strip_suffix(".0").unwrap_or(key);
    let digits = key.chars().filter_map(|c| match c {
        '0'..='9' => c.to_digit(10),
        '\u{ff10}'..='\u{ff19}' => Some(c as u32 - 0xff10),
        _ => None,
    });
    let number = digits.fold(0, |number, digit| number * 10 + digit);
    format!("c{:04}", number - 1)
}

/// The places that a ledger was at, and what was left there.
#[derive(Debug, Default)]
pub(crate) struct Places {
    number: usize,
    /// Ledgers that are copies of the one in use, and may be older.
    pub(crate) copies: Vec<PathBuf>,
}

impl Places {
    fn next(&mut self, workspace: &Workspace) -> PathBuf {
        self.number += 1;
        let folder = PathBuf::from(format!("place-{}", self.number));
        std::fs::create_dir(workspace.folder.path().join(&folder)).unwrap();
        folder.join("ledger.db")
    }

    /// Keeps a copy of the one file, as a backup does. Returns its path.
    pub(crate) fn copy(&mut self, workspace: &Workspace) -> PathBuf {
        let copy = self.next(workspace);
        std::fs::copy(workspace.ledger(), workspace.folder.path().join(&copy)).unwrap();
        copy
    }

    /// Moves the ledger and its journal, if one is left.
    pub(crate) fn move_to_next(&mut self, workspace: &mut Workspace) {
        let from = workspace.ledger();
        workspace.ledger = self.next(workspace);
        for ending in ["", "-journal"] {
            let from = with_ending(&from, ending);
            if from.exists() {
                std::fs::rename(from, with_ending(&workspace.ledger(), ending)).unwrap();
            }
        }
    }

    /// Uses another path to the folder of the ledger from now on.
    pub(crate) fn mount(&mut self, workspace: &mut Workspace) {
        if workspace.ledger.parent() == Some(Path::new("")) {
            self.move_to_next(workspace);
        }
        let mounted = self.next(workspace);
        let folder = |ledger: &Path| workspace.folder.path().join(ledger.parent().unwrap());
        workspace.mount = Some((folder(&workspace.ledger), folder(&mounted)));
    }

    /// A mount of the ledger's file alone.
    pub(crate) fn mount_file(&mut self, workspace: &Workspace) -> (PathBuf, PathBuf) {
        let mounted = workspace.folder.path().join(self.next(workspace));
        std::fs::write(&mounted, "").unwrap();
        (workspace.ledger(), mounted)
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Whether folders can be mounted here; prints a note if not.
pub(crate) fn can_mount() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("unshare")
            .args(["-m", "mount", "--bind"])
            .args([folder.path(), folder.path()])
            .output();
        let available = mounted.is_ok_and(|mounted| mounted.status.success());
        if !available {
            println!("skipped: folders can't be mounted here");
        }
        available
    })
}

#[test]
fn every_spelling_means_its_record() {
    for spelling in SPELLINGS.iter().chain(&NUMBERS) {
        assert_eq!(record_of(&spelling("0120"), true), "c0119");
    }
}
