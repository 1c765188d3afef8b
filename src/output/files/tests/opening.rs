//! Which files may be written, and what becomes of those that exist.

use super::*;

fn reason(result: Result<impl std::fmt::Debug, OutputFileError>) -> CannotWrite {
    result.unwrap_err().reason
}

#[test]
fn an_input_is_never_replaced_under_any_name() {
    let dir = TestDir::new();
    let input = dir.path("cases.csv");
    fs::create_dir(dir.path("sub")).unwrap();
    fs::write(&input, "a\n1\n").unwrap();
    fs::hard_link(&input, dir.path("hard.csv")).unwrap();
    let mut names = vec![
        input.clone(),
        dir.path("hard.csv"),
        dir.path("sub/../cases.csv"),
    ];
    std::os::unix::fs::symlink(&input, dir.path("soft.csv")).unwrap();
    std::os::unix::fs::symlink(dir.0.path(), dir.path("link")).unwrap();
    names.extend([dir.path("soft.csv"), dir.path("link/cases.csv")]);
    for name in &names {
        let found = reason(opener(true, &[&input]).open(name, Format::Csv));
        assert!(matches!(found, CannotWrite::InUse), "{name:?}: {found}");
        let found = reason(opener(true, &[name]).open(&input, Format::Csv));
        assert!(matches!(found, CannotWrite::InUse), "{name:?}: {found}");
    }
    // Also after it was removed.
    fs::remove_file(&input).unwrap();
    let found = reason(opener(true, &[&input]).open(&names[2], Format::Csv));
    assert!(matches!(found, CannotWrite::InUse), "{found}");
    assert!(!input.exists());
}

#[test]
fn two_outputs_need_two_names() {
    let dir = TestDir::new();
    fs::create_dir(dir.path("sub")).unwrap();
    let mut opener = opener(true, &[]);
    let _first = opener.open(&dir.path("out.csv"), Format::Csv).unwrap();
    let found = reason(opener.open(&dir.path("sub/../out.csv"), Format::Csv));
    assert!(matches!(found, CannotWrite::NamedTwice), "{found}");
}

#[test]
fn an_existing_file_is_replaced_only_with_force() {
    let dir = TestDir::new();
    let path = dir.path("rejects.csv");
    for content in ["mine\n", ""] {
        fs::write(&path, content).unwrap();
        let found = reason(write_rejects(&path, false, &["A"], &[]));
        assert_eq!(
            found.to_string(),
            "already exists (use --force to replace it)"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    write_rejects(&path, true, &["A"], &[r#"{"A":"1"}"#]).unwrap();
    assert_eq!(read_csv(&path).len(), 2);
}

#[test]
fn a_file_is_replaced_when_the_new_one_is_complete() {
    let dir = TestDir::new();
    let path = dir.path("rejects.csv");
    fs::write(&path, "mine\n").unwrap();
    let file = opener(true, &[]).open(&path, Format::Csv).unwrap();
    let mut rejects = RejectsFile::create(file, &table("x", &["A"])).unwrap();
    rejects.add(r#"{"A":"1"}"#, None, "x");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine\n");
    rejects.into_file().finish().unwrap();
    assert_eq!(read_csv(&path)[1][0], "1");
    assert_eq!(fs::read_dir(dir.0.path()).unwrap().count(), 1);
}

#[test]
fn after_a_kill_a_file_is_complete_up_to_its_last_row() {
    let dir = TestDir::new();
    let path = dir.path("rejects.csv");
    let file = opener(false, &[]).open(&path, Format::Csv).unwrap();
    let mut rejects = RejectsFile::create(file, &table("x", &["A"])).unwrap();
    for row in [r#"{"A":"1"}"#, r#"{"A":"2"}"#] {
        rejects.add(row, None, "x");
    }
    // It is not finished.
    drop(rejects);
    assert_eq!(read_csv(&path).len(), 3);
}

#[test]
fn nothing_is_left_behind_when_not_all_can_be_opened_or_the_run_does_not_begin() {
    let dir = TestDir::new();
    let (first, last) = (dir.path("results.csv"), dir.path("in-doubt.csv"));
    fs::write(&last, "mine\n").unwrap();
    let paths = OutputPaths {
        results: Some(first.clone()),
        rejects: Some(dir.path("new.csv")),
        in_doubt: Some(last.clone()),
        ..OutputPaths::default()
    };
    let sources = vec![table("cases.csv", &["A"])];
    let found = reason(CaseFiles::open(
        &mut opener(false, &[]),
        &paths,
        sources.clone(),
        None,
    ));
    assert!(matches!(found, CannotWrite::Exists), "{found}");
    assert!(!first.exists());

    // All are open, and then the question is declined.
    let files = CaseFiles::open(&mut opener(true, &[]), &paths, sources, None).unwrap();
    assert!(first.exists());
    drop(files);
    assert!(!first.exists());
    assert_eq!(fs::read_to_string(&last).unwrap(), "mine\n");
    assert_eq!(fs::read_dir(dir.0.path()).unwrap().count(), 1);
}

#[test]
fn names_that_cannot_be_written_have_their_own_reasons() {
    let dir = TestDir::new();
    let mut opener = opener(true, &[]);
    let found = reason(opener.open(dir.0.path(), Format::Csv));
    assert!(matches!(found, CannotWrite::Directory), "{found}");
    let found = reason(opener.open(&dir.path("none/out.csv"), Format::Csv));
    assert!(matches!(found, CannotWrite::NoDirectory), "{found}");
    let found = reason(opener.open(&dir.path("out.XLSM"), Format::Csv));
    assert_eq!(
        found.to_string(),
        "the output is CSV, but the name ends in .xlsm; use .csv"
    );
    let found = reason(opener.open(&dir.path("out.csv"), Format::Ndjson));
    assert!(matches!(found, CannotWrite::Extension { .. }), "{found}");
    fs::write(dir.path("file"), "mine\n").unwrap();
    for target in ["gone", "file"] {
        let link = dir.path(&format!("link-to-{target}"));
        std::os::unix::fs::symlink(dir.path(target), &link).unwrap();
        let found = reason(opener.open(&link, Format::Csv));
        assert!(matches!(found, CannotWrite::SymbolicLink), "{found}");
    }
    assert!(!dir.path("gone").exists());
    let found = reason(opener.open(Path::new("/dev/null"), Format::Csv));
    assert!(matches!(found, CannotWrite::NotAFile), "{found}");
}

#[test]
fn chunks_are_complete_once_the_file_is_finished() {
    let dir = TestDir::new();
    let path = dir.path("cases.ndjson");
    let mut opener = OutputOpener::new(false, FlushPolicy::Chunks, [] as [&Path; 0]);
    let paths = OutputPaths {
        json: Some(path.clone()),
        ..OutputPaths::default()
    };
    let mut files = CaseFiles::open(&mut opener, &paths, Vec::new(), None).unwrap();
    for _ in 0..2_000 {
        files.add_case(None, &case_row("1", "a.csv", State::Rejected, "{}"));
    }
    let so_far = fs::metadata(&path).unwrap().len();
    assert!(so_far > 0);
    assert_eq!(files.finish().files[0].rows, 2_000);
    assert!(fs::metadata(&path).unwrap().len() > so_far);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2_000);
}

#[test]
fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let dir = TestDir::new();
    let path = dir.path("rejects.csv");
    write_rejects(&path, false, &["A"], &[]).unwrap();
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    write_rejects(&path, true, &["A"], &[]).unwrap();
    assert_eq!(mode(&path), 0o600);
    let run = RunDirectory::create(&dir.path("out"), "1").unwrap();
    run.write_summary(&serde_json::json!({"schema": 1}))
        .unwrap();
    assert_eq!(mode(&dir.path("out")), 0o700);
    assert_eq!(mode(&dir.path("out/1")), 0o700);
    assert_eq!(mode(&dir.path("out/1/summary.json")), 0o600);
}
