//! The ledger's file: one file holds every claim, wherever it is copied, moved
//! or mounted, and no other file is ever taken for it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::server::{Server, created, react};
use crate::support::{
    Home, KEY, LedgerFile, Program, create, creating_server, keys, silent_server,
};

/// An import of `cases.csv` into a ledger that exists.
fn import_into(home: &Home, url: &str, ledger: &str) -> Program {
    home.import_without_ledger_flags(url, &["cases.csv"])
        .args(&["--pace", "1ms", "--output", "json", "--ledger", ledger])
}

/// A run that was killed: two of its six cases were created, two are in flight.
fn killed_run(home: &Home) -> Server {
    home.cases(6);
    let (sent, arrivals) = channel();
    let server = Server::start(move |request| {
        // Nobody counts them after the kill.
        let _ = sent.send(());
        if request.index < 2 {
            return create(request);
        }
        react().silence()
    });
    let run = home
        .import(&server.url())
        .args(&["--in-flight", "2"])
        .start();
    for _ in 0..4 {
        arrived(&arrivals);
    }
    run.kill();
    server
}

fn arrived(arrivals: &Receiver<()>) {
    arrivals.recv_timeout(Duration::from_mins(1)).unwrap();
}

#[test]
fn the_file_alone_holds_every_claim_of_a_killed_run() {
    for how in ["copied", "moved"] {
        let home = Home::new();
        let server = killed_run(&home);
        let sent = keys(&server);
        assert_eq!(sent.len(), 4, "{how}");
        // As a cache, a backup or a person takes it: the one file that they see.
        let (from, to) = (home.path("ledger.db"), home.path("elsewhere.db"));
        match how {
            "copied" => drop(fs::copy(from, to).unwrap()),
            _ => fs::rename(from, to).unwrap(),
        }
        let other = Server::start(|request| created(&format!("y{}", request.index)));
        import_into(&home, &other.url(), "elsewhere.db")
            .arg("--adopt-ledger")
            .run()
            .exits(4);
        let sent_later = keys(&other);
        assert!(
            sent.iter().all(|key| !sent_later.contains(key)),
            "{how}: {sent:?}, then {sent_later:?}"
        );
        let ledger = LedgerFile::read(&home.path("elsewhere.db"));
        assert_eq!(ledger.number("in_doubt"), 2, "{how}");
    }
}

#[test]
fn a_ledger_that_is_renamed_in_a_run_ends_it_and_loses_nothing() {
    let home = Home::new();
    home.cases(6);
    let (server, arrivals) = silent_server();
    let run = home
        .import(&server.url())
        .args(&["--in-flight", "1", "--timeout", "2s"])
        .start();
    arrived(&arrivals);
    fs::rename(home.path("ledger.db"), home.path("renamed.db")).unwrap();
    run.wait().exits(5).says("moved, deleted or replaced");
    let sent = keys(&server);
    let other = creating_server();
    import_into(&home, &other.url(), "renamed.db")
        .arg("--adopt-ledger")
        .run()
        .exits(4)
        .says("this ledger was last used as ");
    let sent_later = keys(&other);
    assert!(sent.iter().all(|key| !sent_later.contains(key)), "{sent:?}");
}

#[test]
fn only_the_journal_is_beside_a_ledger_and_only_during_a_run() {
    let home = Home::new();
    home.cases(2);
    fs::create_dir(home.path("own")).unwrap();
    let (server, arrivals) = silent_server();
    let run = import_into(&home, &server.url(), "own/ledger.db")
        .arg("--new-ledger")
        .start();
    arrived(&arrivals);
    let names = || {
        let entries = fs::read_dir(home.path("own")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["ledger.db", "ledger.db-journal"]);
    run.signal(rustix::process::Signal::TERM);
    run.signal(rustix::process::Signal::TERM);
    drop(server);
    run.wait();
    assert_eq!(names(), ["ledger.db"]);
    home.run(&["status", "--ledger", "own/ledger.db"]).exits(0);
    home.run(&[
        "resolve",
        "--not-imported",
        "c1",
        "--yes",
        "--ledger",
        "own/ledger.db",
    ]);
    assert_eq!(names(), ["ledger.db"]);
}

#[test]
fn a_file_that_is_no_ledger_is_left_alone() {
    let home = Home::new();
    home.cases(1);
    home.write("Cargo", "[package]\nname = \"a crate with a lock file\"\n");
    home.write("Cargo.lock", "version = 4\n");
    home.write("target.txt", "notes");
    home.write("empty.db", "");
    fs::create_dir(home.path("folder")).unwrap();
    let other = rusqlite::Connection::open(home.path("other.db")).unwrap();
    other.execute_batch("CREATE TABLE cases (no)").unwrap();
    drop(other);
    for (link, target) in [("planted.db", "target.txt"), ("dangling.db", "gone.db")] {
        std::os::unix::fs::symlink(target, home.path(link)).unwrap();
    }
    for name in ["Cargo", "target.txt", "empty.db", "other.db"] {
        fs::set_permissions(home.path(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    let server = creating_server();
    let before = snapshot(&home);
    for (name, reason) in [
        ("Cargo", "not a caseload ledger"),
        ("planted.db", "not a caseload ledger"),
        ("other.db", "not a caseload ledger"),
        ("empty.db", "an empty file"),
        ("folder", "it is a folder"),
        (
            "dangling.db",
            "a symbolic link to a file that does not exist",
        ),
        ("/dev/null", "not a regular file"),
    ] {
        for new in [&[][..], &["--new-ledger"], &["--dry-run"]] {
            import_into(&home, &server.url(), name)
                .args(new)
                .run()
                .exits(2)
                .says(reason);
        }
        let options = ["--ledger", name];
        for command in [
            &["status"][..],
            &["export", "--json", "-"],
            &["resolve", "--imported", "c1", "--yes"],
        ] {
            home.caseload(command)
                .args(&options)
                .run()
                .exits(2)
                .says(reason);
        }
        assert_eq!(snapshot(&home), before, "{name}");
    }
    assert_eq!(server.connections(), 0);
}

/// Every file with its bytes and mode.
fn snapshot(home: &Home) -> Vec<(PathBuf, Vec<u8>, u32)> {
    let read = |path: PathBuf| {
        let mode = path.symlink_metadata().unwrap().permissions().mode();
        (path.clone(), fs::read(&path).unwrap_or_default(), mode)
    };
    home.files().into_iter().map(read).collect()
}

#[test]
fn an_older_copy_of_a_ledger_sends_nothing() {
    let home = Home::new();
    home.cases(6);
    let server = creating_server();
    home.import(&server.url())
        .args(&["--limit", "2"])
        .run()
        .exits(0);
    // A backup, and then more of the import.
    fs::copy(home.path("ledger.db"), home.path("backup.db")).unwrap();
    home.import(&server.url()).run().exits(0);
    assert_eq!(server.requests().len(), 6);
    fs::copy(home.path("backup.db"), home.path("ledger.db")).unwrap();
    home.import(&server.url())
        .run()
        .exits(2)
        .says("an older copy of the ledger")
        .says("at least 4 attempts later");
    home.run(&[
        "resolve",
        "--removed",
        "c1",
        "--yes",
        "--ledger",
        "ledger.db",
    ])
    .exits(2)
    .says("an older copy of the ledger");
    // What only reads says so too.
    home.import(&server.url())
        .arg("--dry-run")
        .run()
        .exits(0)
        .says("an older copy of the ledger");
    for command in [&["status"][..], &["export", "--json", "-"]] {
        let done = home
            .caseload(command)
            .args(&["--ledger", "ledger.db"])
            .run();
        let said = done.out.clone() + &done.err;
        assert!(said.contains("an older copy of the ledger"), "{done}");
    }
    assert_eq!(server.requests().len(), 6);
    // Without what the machine remembers the check is weaker.
    fs::remove_dir_all(home.path("state/caseload/ledgers")).unwrap();
    home.import(&server.url()).arg("--dry-run").run().exits(0);
}

#[test]
fn two_copies_of_a_ledger_are_not_used_in_turn() {
    let home = Home::new();
    home.cases(2);
    let server = creating_server();
    home.import(&server.url())
        .args(&["--limit", "1"])
        .run()
        .exits(0);
    fs::copy(home.path("ledger.db"), home.path("copy.db")).unwrap();
    import_into(&home, &server.url(), "copy.db").run().exits(0);
    home.import(&server.url())
        .run()
        .exits(2)
        .says("the other of two copies");
    assert_eq!(keys(&server), ["c1", "c2"]);
}

#[test]
fn a_copy_from_before_a_resolution_is_refused() {
    let home = Home::new();
    home.cases(1);
    let server = creating_server();
    home.import(&server.url()).run().exits(0);
    fs::copy(home.path("ledger.db"), home.path("backup.db")).unwrap();
    let resolve = |what: &[&str]| {
        home.caseload(&["resolve", "--yes", "--ledger", "ledger.db"])
            .args(what)
            .run()
    };
    resolve(&["--removed", "c1"]).exits(0);
    fs::copy(home.path("ledger.db"), home.path("removed.db")).unwrap();
    resolve(&["--undo", "c1"]).exits(0);
    for copy in ["backup.db", "removed.db"] {
        import_into(&home, &server.url(), copy)
            .run()
            .exits(2)
            .says("at least 1 attempt later");
    }
    home.import(&server.url())
        .run()
        .exits(0)
        .counts(&[("already_imported", 1)]);
}

/// A shell that may mount, in a mount namespace of its own; prints a note
/// where that is not allowed.
fn with_mounts(home: &Home, script: &str) -> Option<Command> {
    let mut probe = Command::new("unshare");
    probe.args(["-m", "sh", "-c", "mount --bind /tmp /tmp"]);
    if !probe.output().is_ok_and(|probe| probe.status.success()) {
        println!("skipped: mounting is not allowed here");
        return None;
    }
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-ec", script, env!("CARGO_BIN_EXE_caseload")])
        .current_dir(home.folder())
        .env_remove("CI")
        .env("XDG_STATE_HOME", home.path("state"))
        .env("LEXAMICA_PUBLIC_KEY", KEY);
    Some(command)
}

fn flags(url: &str) -> String {
    format!("cases.csv --base-url {url} --map-id m1 --key-column id --yes --pace 1ms --output json")
}

#[test]
fn a_ledger_that_is_mounted_as_a_single_file_is_refused() {
    let home = Home::new();
    home.cases(1);
    let server = creating_server();
    home.import(&server.url()).run().exits(0);
    fs::create_dir(home.path("box")).unwrap();
    home.write("box/my ledger.db", "");
    let flags = flags(&server.url());
    let script = format!(
        "mount --bind ledger.db 'box/my ledger.db'; \"$0\" import {flags} --ledger 'box/my ledger.db'"
    );
    let Some(mut shell) = with_mounts(&home, &script) else {
        return;
    };
    let done = shell.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains("mounted as a single file"), "{said}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn two_paths_to_one_ledger_are_one_lock() {
    let home = Home::new();
    home.cases(2);
    fs::create_dir(home.path("own")).unwrap();
    fs::create_dir(home.path("box")).unwrap();
    let (server, arrivals) = silent_server();
    let first = import_into(&home, &server.url(), "own/ledger.db")
        .arg("--new-ledger")
        .start();
    arrived(&arrivals);
    let sent = server.requests().len();
    let flags = flags(&server.url());
    let script = format!("mount --bind own box; \"$0\" import {flags} --ledger box/ledger.db");
    if let Some(mut shell) = with_mounts(&home, &script) {
        let done = shell.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.contains("another run is using it"), "{said}");
        assert!(said.contains(&format!("process {}", first.id())), "{said}");
    }
    fs::hard_link(home.path("own/ledger.db"), home.path("box/second.db")).unwrap();
    import_into(&home, &server.url(), "box/second.db")
        .run()
        .exits(2)
        .says("a second name (hard link)");
    assert_eq!(server.requests().len(), sent);
}

#[test]
fn a_busy_ledger_is_waited_for_and_no_result_becomes_a_doubt() {
    let home = Home::new();
    home.cases(3);
    let path = home.path("ledger.db");
    let held = Mutex::new(None);
    let server = Server::start({
        let path = path.clone();
        move |request| {
            if request.index == 1 {
                *held.lock().unwrap() = Some(hold(&path, Duration::from_secs(6)));
            }
            create(request)
        }
    });
    home.import(&server.url())
        .args(&["--in-flight", "1"])
        .run()
        .exits(0)
        .counts(&[("imported", 3)]);
}

/// Holds the write lock of a ledger, from before this returns.
fn hold(path: &Path, time: Duration) -> std::thread::JoinHandle<()> {
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.busy_timeout(Duration::from_mins(1)).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::spawn(move || {
        std::thread::sleep(time);
        drop(conn);
    })
}

#[test]
fn an_export_to_a_reader_that_waits_stalls_no_import() {
    let home = Home::new();
    // More than the export reads at once, and than the pipe holds.
    home.cases(520);
    let server = creating_server();
    let import = || home.import(&server.url()).args(&["--in-flight", "200"]);
    import().run().exits(0);
    home.write("cases.csv", "id,partnerFirmId,name\nnew,f1,Name\n");
    let pipe = home.pipe("pipe");
    let script = format!(
        "exec \"$0\" export --json - --ledger ledger.db >{}",
        pipe.display()
    );
    let mut export = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_caseload")])
        .current_dir(home.folder())
        .env("XDG_STATE_HOME", home.path("state"))
        .spawn()
        .unwrap();
    // It has begun to write, and the pipe is full long before it is done.
    let mut out = fs::File::open(pipe).unwrap();
    std::io::Read::read_exact(&mut out, &mut [0; 1]).unwrap();
    import().run().exits(0).counts(&[("imported", 1)]);
    std::io::copy(&mut out, &mut std::io::sink()).unwrap();
    assert!(export.wait().unwrap().success());
}
