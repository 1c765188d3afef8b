//! What may be opened, and what becomes of it.

use std::fs::OpenOptions;
use std::io::Write as _;

use super::*;

fn fault(result: Result<impl std::fmt::Debug, FileError>) -> FileFault {
    result.unwrap_err().fault
}

#[test]
fn an_input_is_never_overwritten_whatever_its_name() {
    let room = Room::new();
    let input = room.path("cases.csv");
    fs::write(&input, "a\n1\n").unwrap();
    fs::hard_link(&input, room.path("hard.csv")).unwrap();
    let mut names = vec![
        input.clone(),
        room.path("hard.csv"),
        room.path("state/../cases.csv"),
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&input, room.path("soft.csv")).unwrap();
        std::os::unix::fs::symlink(room.folder.path(), room.path("folder")).unwrap();
        names.extend([room.path("soft.csv"), room.path("folder/cases.csv")]);
    }
    for name in &names {
        let found = fault(room.opener(&[&input]).open(name, Kind::Csv));
        assert!(matches!(found, FileFault::Input), "{name:?}: {found}");
        let found = fault(room.opener(&[name]).open(&input, Kind::Csv));
        assert!(matches!(found, FileFault::Input), "{name:?}: {found}");
    }
    // Also when it has gone meanwhile.
    fs::remove_file(&input).unwrap();
    let found = fault(room.opener(&[&input]).open(&names[2], Kind::Csv));
    assert!(matches!(found, FileFault::Input), "{found}");
    assert!(!input.exists());
}

#[test]
fn two_outputs_need_two_names() {
    let room = Room::new();
    let mut opener = room.opener(&[]);
    let first = opener.open(&room.path("out.csv"), Kind::Csv).unwrap();
    let found = fault(opener.open(&room.path("state/../out.csv"), Kind::Csv));
    assert!(matches!(found, FileFault::NamedTwice), "{found}");
    let found = fault(room.opener(&[]).open(&room.path("out.csv"), Kind::Csv));
    assert!(matches!(found, FileFault::Busy), "{found}");
    drop(first);
    room.opener(&[])
        .open(&room.path("out.csv"), Kind::Csv)
        .unwrap();
}

#[test]
fn a_file_of_the_users_is_left_alone_and_ours_is_written_anew() {
    let room = Room::new();
    let path = room.path("rejects.csv");
    fs::write(&path, "mine\n").unwrap();
    let found = room.rejects(&path, &["A"], &[]).unwrap_err().fault;
    assert!(matches!(found, FileFault::NotAsLeft), "{found}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine\n");

    fs::remove_file(&path).unwrap();
    room.rejects(&path, &["A"], &[r#"{"A":"1"}"#]).unwrap();
    room.rejects(&path, &["B"], &[r#"{"B":"2"}"#, r#"{"B":"3"}"#])
        .unwrap();
    assert_eq!(read_csv(&path).len(), 3);

    // Mended by a person, even without a change of length.
    let mended = fs::read_to_string(&path).unwrap().replace('3', "4");
    fs::write(&path, &mended).unwrap();
    let found = room.rejects(&path, &["A"], &[]).unwrap_err().fault;
    assert!(matches!(found, FileFault::NotAsLeft), "{found}");
    assert_eq!(fs::read_to_string(&path).unwrap(), mended);
}

#[test]
fn without_a_memory_only_new_files_are_written() {
    let room = Room::new();
    let path = room.path("rejects.csv");
    room.rejects(&path, &["A"], &[]).unwrap();
    let nowhere = Registry::nowhere();
    let mut opener = Opener::new(&nowhere, [] as [&Path; 0], Flush::EachRow);
    let found = fault(opener.open(&path, Kind::Csv));
    assert!(matches!(found, FileFault::NotAsLeft), "{found}");
    opener.open(&room.path("new.csv"), Kind::Csv).unwrap();
}

#[test]
fn what_a_killed_run_left_is_ours_and_nothing_else_is() {
    let room = Room::new();
    let path = room.path("rejects.csv");
    let killed = |rows: &[&str]| {
        let target = room.opener(&[]).open(&path, Kind::Csv).unwrap();
        let mut rejects = Rejects::begin(target, &table("x", &["A"])).unwrap();
        for row in rows {
            rejects.row(Some(row), None, "x");
        }
        // Nothing is finished.
    };
    killed(&[r#"{"A":"1"}"#, r#"{"A":"2"}"#]);
    assert_eq!(read_csv(&path).len(), 3, "whole rows up to the kill");

    // Killed between the record and the row: the row is missing.
    let whole = fs::read(&path).unwrap();
    let row = "2,,x,\n".len();
    fs::write(&path, &whole[..whole.len() - row]).unwrap();
    room.rejects(&path, &["A"], &[]).unwrap();

    killed(&[r#"{"A":"1"}"#, r#"{"A":"2"}"#, r#"{"A":"3"}"#]);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"4,,x,\n").unwrap();
    let found = room.rejects(&path, &["A"], &[]).unwrap_err().fault;
    assert!(matches!(found, FileFault::NotAsLeft), "{found}");
}

#[test]
fn nothing_is_touched_before_all_could_be_opened() {
    let room = Room::new();
    let (ours, theirs) = (room.path("results.csv"), room.path("in-doubt.csv"));
    room.rejects(&ours, &["A"], &[r#"{"A":"1"}"#]).unwrap();
    let before = fs::read(&ours).unwrap();
    fs::write(&theirs, "mine\n").unwrap();
    let wanted = Wanted {
        results: Some(ours.clone()),
        rejects: Some(room.path("new.csv")),
        in_doubt: Some(theirs.clone()),
    };
    let inputs = vec![table("cases.csv", &["A"])];
    let found = fault(Opened::open(
        &mut room.opener(&[]),
        std::slice::from_ref(&wanted),
        inputs.clone(),
    ));
    assert!(matches!(found, FileFault::NotAsLeft), "{found}");

    // Opened, and then the question was declined.
    fs::remove_file(&theirs).unwrap();
    let opened = Opened::open(&mut room.opener(&[]), &[wanted], inputs).unwrap();
    drop(opened);
    assert_eq!(fs::read(&ours).unwrap(), before);
    assert!(!room.path("new.csv").exists());
    assert!(!theirs.exists());
}

#[test]
fn a_file_that_was_replaced_meanwhile_is_told() {
    let room = Room::new();
    let path = room.path("rejects.csv");
    let target = room.opener(&[]).open(&path, Kind::Csv).unwrap();
    let mut rejects = Rejects::begin(target, &table("x", &["A"])).unwrap();
    fs::write(room.path("saved.csv"), "A\n").unwrap();
    fs::rename(room.path("saved.csv"), &path).unwrap();
    rejects.row(Some(r#"{"A":"1"}"#), None, "x");
    let found = fault(rejects.into_target().finish());
    assert!(matches!(found, FileFault::ChangedMeanwhile), "{found}");
}

#[test]
fn names_that_can_not_be_written_are_told_apart() {
    let room = Room::new();
    let mut opener = room.opener(&[]);
    let found = fault(opener.open(room.folder.path(), Kind::Csv));
    assert!(matches!(found, FileFault::Folder), "{found}");
    let found = fault(opener.open(&room.path("none/out.csv"), Kind::Csv));
    assert!(matches!(found, FileFault::NoFolder), "{found}");
    let found = fault(opener.open(&room.path("out.XLSX"), Kind::Csv));
    assert_eq!(
        found.to_string(),
        "would hold CSV, so its name must not end in .xlsx; end it in .csv"
    );
    let found = fault(opener.open(&room.path("out.csv"), Kind::Ndjson));
    assert!(matches!(found, FileFault::Ending { .. }), "{found}");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(room.path("gone"), room.path("link")).unwrap();
        let found = fault(opener.open(&room.path("link"), Kind::Csv));
        assert!(matches!(found, FileFault::DanglingLink), "{found}");
        let found = fault(opener.open(Path::new("/dev/null"), Kind::Csv));
        assert!(matches!(found, FileFault::NotAFile), "{found}");
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_what_is_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let room = Room::new();
    let path = room.path("rejects.csv");
    room.rejects(&path, &["A"], &[]).unwrap();
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    room.rejects(&path, &["A"], &[]).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&room.path("state/files")), 0o700);
    for record in fs::read_dir(room.path("state/files")).unwrap() {
        assert_eq!(mode(&record.unwrap().path()), 0o600);
    }
    let out = OutDir::create(&room.path("out"), "1").unwrap();
    out.write_summary(&serde_json::json!({"schema": 1}))
        .unwrap();
    assert_eq!(mode(&room.path("out")), 0o700);
    assert_eq!(mode(out.path()), 0o700);
    assert_eq!(mode(&out.path().join("summary.json")), 0o600);
}
