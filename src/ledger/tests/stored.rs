//! A ledger of schema 1 as it lies on people's disks. Whoever changes the
//! schema keeps this test, and makes it pass by migrating.

use rusqlite::Connection;

use super::*;

const SCHEMA_1: &str = include_str!("stored_v1.sql");

#[test]
fn a_ledger_of_schema_1_is_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(SCHEMA_1).unwrap();
    drop(conn);

    let lock = Lock::take(&path, &holder()).unwrap();
    let mut ledger = open(&path, &lock).unwrap();
    assert_eq!(ledger.recovered(), 1);
    let info = ledger.reader().info().unwrap();
    assert_eq!(info.id, "01980000-0000-7000-8000-000000000001");
    assert_eq!(info.account, "https://api.example.com");
    assert_eq!((info.counts.imported, info.counts.in_doubt), (1, 1));
    assert_eq!(info.counts.removed, 1);
    assert_eq!(info.counts.possible_twins, 1);

    let rows = ledger.reader().select(&Filter::default()).unwrap();
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.key.to_string(), row.state, row.case_id.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [
            ("00001".to_owned(), State::Imported, Some("case-1")),
            ("00002".to_owned(), State::InDoubt, None),
            ("00003".to_owned(), State::Removed, None),
        ]
    );
    assert_eq!(rows[0].file, "cases.csv");
    assert_eq!(rows[0].updated_at.to_string(), "2026-05-28T20:26:42Z");

    let report = ledger.undo(&[key(3)], "paula", moment(0)).unwrap();
    assert_eq!(report.done, 1);
    begin(&ledger);
    let run = begin(&ledger);
    let claim = ledger
        .write(|conn| claim::claim(conn, &request(run, version(2, 0), Some(State::InDoubt))))
        .unwrap();
    assert_eq!(claim.unwrap().attempt(), 2);
}

#[test]
fn the_schema_is_the_stored_one() {
    // Table for table: a change to one is a new version, not an edit.
    let tables = |sql: &str| -> Vec<String> {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(sql).unwrap();
        let mut statement = conn
            .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
            .unwrap();
        let rows = statement
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap();
        rows.map(|sql| {
            let sql = sql.unwrap();
            let lines = sql
                .lines()
                .filter(|line| !line.trim_start().starts_with("--"));
            lines
                .flat_map(str::split_whitespace)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
    };
    assert_eq!(tables(schema::TABLES), tables(SCHEMA_1));
}
