//! Settings by flag, environment and config, and what is said where the
//! arguments are not enough.

use serde_json::json;

use crate::support::{Home, KEY, creating_server};

#[test]
fn all_missing_settings_are_named_at_once() {
    let home = Home::new();
    home.cases(1);
    let import = || home.caseload(&["import", "cases.csv", "--yes"]);
    let all = [
        "base URL: --base-url, LEXAMICA_BASE_URL or [api] base_url",
        "map id: --map-id, LEXAMICA_MAP_ID or [api] map_id",
        "public key: --public-key-file or LEXAMICA_PUBLIC_KEY",
        "key columns: --key-column or [case] key",
    ];
    let done = import().run().exits(2);
    // An empty variable, as CI systems set for a missing secret, is none.
    let empty = import()
        .env("LEXAMICA_BASE_URL", "")
        .env("LEXAMICA_MAP_ID", " ")
        .env("LEXAMICA_PUBLIC_KEY", "")
        .env("LEXAMICA_ORG_ID", "")
        .env("CASELOAD_LEDGER", "")
        .env("CASELOAD_LEDGER_ID", "")
        .env("CASELOAD_CONFIG", "")
        .env("SSL_CERT_FILE", "")
        .run()
        .exits(2);
    assert_eq!(empty.err, done.err);
    for setting in all {
        assert!(done.err.contains(setting), "{setting}: {done}");
    }
    let done = import()
        .args(&["--map-id", "m1", "--key-column", "id"])
        .env("LEXAMICA_PUBLIC_KEY", KEY)
        .run()
        .exits(2);
    assert!(done.err.contains(all[0]), "{done}");
    for setting in &all[1..] {
        assert!(!done.err.contains(setting), "{setting}: {done}");
    }
}

#[test]
fn empty_variables_change_nothing_in_a_run() {
    let home = Home::new();
    home.cases(1);
    let server = creating_server();
    home.import(&server.url())
        .env("LEXAMICA_ORG_ID", "")
        .env("CASELOAD_LEDGER_ID", " ")
        .env("CASELOAD_LEDGER", "")
        .env("SSL_CERT_FILE", "")
        .env("CI", "")
        .env("GITHUB_RUN_ID", "")
        .run()
        .exits(0);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn usage_errors_print_the_closing_object_too() {
    let home = Home::new();
    home.cases(1);
    for (args, command) in [
        (
            &["import", "cases.csv", "--limit", "0", "--output", "json"][..],
            "import",
        ),
        (&["--output=json", "import"], "import"),
        (&["check", "--output", "json", "--no-such-flag"], "check"),
        (
            &[
                "check",
                "cases.csv",
                "--config",
                "gone.toml",
                "--output",
                "json",
            ],
            "check",
        ),
        (
            &["status", "--ledger", "gone.db", "--output", "json"],
            "status",
        ),
        (&["--output", "json", "imprt", "cases.csv"], ""),
    ] {
        let done = home.run(args).exits(2);
        let documents = done.json();
        assert_eq!(documents.len(), 1, "{args:?}: {done}");
        assert_eq!(documents[0]["schema"], 1, "{args:?}");
        assert_eq!(documents[0]["command"], json!(command), "{args:?}");
        assert_eq!(documents[0]["exit_code"], 2, "{args:?}");
        assert!(done.err.contains("error: "), "{args:?}: {done}");
    }
    let done = home.run(&["import", "--output", "json"]).exits(2);
    done.summary();
    // For people nothing but the error, and help is no error.
    home.run(&["import"]).exits(2).never_prints("{");
    home.run(&["import", "--help", "--output", "json"])
        .exits(0)
        .never_prints("\"schema\"");
}

#[test]
fn two_spellings_of_an_address_are_one_account_with_one_ledger() {
    let home = Home::new();
    home.cases(2);
    let server = creating_server();
    let import = |url: &str, path: &str| {
        home.write("caseload.toml", format!("[api]\n{path}"));
        home.import_without_ledger_flags(url, &["cases.csv"])
            .args(&["--pace", "1ms", "--output", "json"])
    };
    let plain = server.url();
    import(&format!("{plain}/v1/~firm"), "")
        .arg("--new-ledger")
        .run()
        .exits(0)
        .counts(&[("imported", 2)]);
    let template = "path = \"/./x/../~firm/case/{map_id}/create-existing\"\n";
    for (url, path) in [
        (format!("{plain}/v1/~firm/"), ""),
        (format!("{plain}/v0/../v1//~firm"), ""),
        (format!("{plain}/%76%31/%7efirm/."), ""),
        (
            plain.replace("http://", "HTTP://") + "/v1/x/%2e%2E/~firm",
            "",
        ),
        (format!("{plain}/v1"), template),
    ] {
        import(&url, path)
            .run()
            .exits(0)
            .counts(&[("already_imported", 2)]);
    }
    assert_eq!(server.requests().len(), 2);
    // Another path is another account.
    import(&format!("{plain}/v2"), "").run().exits(2);
}
