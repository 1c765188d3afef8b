//! `caseload doctor`: what is set, from where, and whether it works.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::server::{Refusing, Server, status};
use crate::support::{Done, Home, KEY, Program, Sandbox};
use crate::tls_and_proxies::{tls_file, tls_server};

/// A server whose clock is this far ahead.
fn server_ahead(seconds: u64) -> Server {
    Server::start(move |_| {
        let time = SystemTime::now() + Duration::from_secs(seconds);
        status(404).header("Date", &httpdate::fmt_http_date(time))
    })
}

/// With everything set but the base URL.
fn doctor(home: &Home, url: &str) -> Program {
    home.write(
        "caseload.toml",
        format!("[api]\nbase_url = \"{url}\"\nmap_id = \"m1\"\n[case]\nkey = \"id\"\n"),
    );
    home.caseload(&["doctor"])
        .env("LEXAMICA_PUBLIC_KEY", KEY)
        .env("SSL_CERT_FILE", &tls_file("other.pem"))
}

/// The findings about one check, as `health: message`.
#[track_caller]
fn about(done: &Done, check: &str) -> String {
    let [closing] = &done.json()[..] else {
        panic!("one object: {done}");
    };
    assert_eq!(closing["command"], "doctor");
    let findings = closing["findings"].as_array().unwrap().iter();
    let findings = findings.filter(|it| it["check"] == check);
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
    let lines = findings.map(|it| {
        let (health, message) = (text(it, "health"), text(it, "message"));
        format!(
            "{health}: {message} ({}) {}",
            text(it, "origin"),
            text(it, "hint")
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn everything_that_is_set_is_shown_with_its_origin() {
    let home = Home::new();
    home.cases(2);
    let sandbox = Sandbox::start(&[]);
    home.import(&sandbox.url()).run().exits(0);
    let server = server_ahead(0);
    let done = doctor(&home, &sandbox.url())
        .args(&["--ledger", "ledger.db"])
        .run()
        .exits(0);
    let host = sandbox.url().replace("http://", "");
    let (time, _) = done
        .out
        .split_once("; last import ")
        .unwrap()
        .1
        .split_at(23);
    let shown = done.out.replace(&host, "HOST").replace(time, "TIME");
    insta::assert_snapshot!(home.stable(&shown.replace(&tls_file(""), "")), @r#"
    ok      config        caseload.toml is valid (default)
    ok      base URL      http://HOST (caseload.toml:2)
    ok      organization  none: the short path of the API is used
    ok      map id        m1 (caseload.toml:3)
    ok      public key    set, from LEXAMICA_PUBLIC_KEY
    ok      key columns   id (caseload.toml:5)
    ok      CA file       other.pem (SSL_CERT_FILE)
    ok      ledger        /home/ledger.db: 2 cases, 2 imported, 0 in doubt; last import TIME (--ledger)
    ok      proxy         none
    ok      DNS           127.0.0.1
    ok      connection    HOST answers (404)
    ok      clock         as the server's
    an import can start; 0 errors, 0 warnings
    "#);
    // Of the environment and the command line.
    let done = doctor(&home, "https://api.example.invalid")
        .args(&["--output", "json", "--map-id", "m2"])
        .env("LEXAMICA_BASE_URL", &server.url())
        .env("LEXAMICA_ORG_ID", "o1")
        .run()
        .exits(0);
    let url = format!("ok: {}", server.url());
    assert_eq!(
        about(&done, "base URL"),
        format!("{url} (LEXAMICA_BASE_URL) ")
    );
    assert_eq!(about(&done, "organization"), "ok: o1 (LEXAMICA_ORG_ID) ");
    assert_eq!(about(&done, "map id"), "ok: m2 (--map-id) ");
    assert_eq!(about(&done, "key columns"), "ok: id (caseload.toml:5) ");
    assert!(
        about(&done, "ledger").starts_with("warning: none yet"),
        "{done}"
    );
    assert!(
        about(&done, "connection").ends_with(" answers (404) () "),
        "{done}"
    );
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!((&*requests[0].method, &*requests[0].path), ("HEAD", "/"));
    assert_eq!(
        requests[0].header("authorization"),
        None,
        "the key stays here"
    );
}

#[test]
fn all_missing_settings_are_listed_at_once() {
    let home = Home::new();
    let done = home.run(&["doctor"]).exits(2);
    insta::assert_snapshot!(done.out, @"
    ok      config        no caseload.toml in this folder: every column is sent under its own name
    error   base URL      not set: --base-url, LEXAMICA_BASE_URL or [api] base_url in the config
    ok      organization  none: the short path of the API is used
    error   map id        not set: --map-id, LEXAMICA_MAP_ID or [api] map_id in the config
    error   public key    not set: --public-key-file or LEXAMICA_PUBLIC_KEY
    warning key columns   none in the config: --key-column or [case] key in the config
    an import can't start; 3 errors, 1 warning
    ");
    home.caseload(&["doctor", "--sandbox"])
        .run()
        .exits(0)
        .prints("a test run needs nothing else");
    home.run(&["doctor", "--sandbox", "--base-url", "https://x.example"])
        .exits(2)
        .says("--sandbox cannot be combined with --base-url");
}

#[test]
fn a_config_with_a_mistake_is_shown_with_its_line() {
    let home = Home::new();
    home.write("caseload.toml", "[fields.X]\nrequierd = true\n");
    home.run(&["doctor"])
        .exits(2)
        .prints("caseload.toml:2: unknown key `requierd`; did you mean `required`?");
}

#[test]
fn what_fails_on_the_way_to_the_server_is_named() {
    let home = Home::new();
    let json = |url: &str| doctor(&home, url).args(&["--output", "json"]);
    let done = json("https://api.example.invalid").run().exits(2);
    let dns = about(&done, "DNS");
    assert!(
        dns.starts_with("error: the host api.example.invalid was not found"),
        "{dns}"
    );
    assert_eq!(about(&done, "connection"), "");

    let refusing = Refusing::new();
    let done = json(&refusing.url()).run().exits(2);
    assert_eq!(about(&done, "DNS"), "ok: 127.0.0.1 () ");
    let connection = about(&done, "connection");
    assert!(
        connection.starts_with(&format!("error: {}: ", refusing.addr())),
        "{connection}"
    );
    assert!(connection.contains("refused"), "{connection}");

    let proxy = Server::start(|_| status(502));
    let done = json("https://api.example.invalid")
        .env(
            "HTTPS_PROXY",
            &proxy.url().replace("//", "//user:pw_secret@"),
        )
        .run()
        .exits(2);
    let way = format!("ok: {} (HTTPS_PROXY or the system) ", proxy.addr());
    assert_eq!(about(&done, "proxy"), way);
    assert!(
        about(&done, "connection").contains("the proxy refused the connection"),
        "{done}"
    );
    assert!(!done.to_string().contains("pw_secret"), "{done}");
}

#[test]
fn the_certificate_is_shown_or_why_it_is_not_trusted() {
    let home = Home::new();
    let (url, _requests) = tls_server("server.pem");
    let json = || doctor(&home, &url).args(&["--output", "json"]);
    let done = json().run().exits(2);
    let tls = about(&done, "TLS");
    assert!(
        tls.contains("its issuer is not trusted; it was issued by Acme Inspection CA"),
        "{tls}"
    );
    assert!(tls.contains("--ca-file"), "{tls}");
    assert!(
        about(&done, "connection").starts_with("ok: localhost:"),
        "{done}"
    );
    let done = json()
        .args(&["--ca-file", &tls_file("server.pem")])
        .run()
        .exits(0);
    let tls = about(&done, "TLS");
    assert!(
        tls.starts_with("ok: certificate issued by Acme Inspection CA, 36,"),
        "{tls}"
    );
}

#[test]
fn a_clock_that_is_off_is_a_warning() {
    let home = Home::new();
    for (seconds, expected) in [
        (30, "ok: as the server's () "),
        (3600, "warning: this machine's clock is "),
    ] {
        let server = server_ahead(seconds);
        let done = doctor(&home, &server.url())
            .args(&["--output", "json"])
            .run()
            .exits(0);
        let clock = about(&done, "clock");
        assert!(clock.starts_with(expected), "{clock}");
        assert!(
            seconds == 30 || clock.contains("behind the server's"),
            "{clock}"
        );
    }
}

#[test]
fn neither_keys_nor_passwords_are_shown() {
    let home = Home::new();
    let server = server_ahead(0);
    home.write("key", "pk_in_a_file\n");
    for url in [
        "https://user:pw_secret@x",
        "http://user:pw_secret@x.example",
        "https://user:pw_secret@x y",
    ] {
        let done = home
            .caseload(&["doctor", "--public-key-file", "key", "--verbose"])
            .env("LEXAMICA_BASE_URL", url)
            .env("LEXAMICA_PRIVATE_KEY", "private_secret")
            .env(
                "CASELOAD_LEDGER",
                "postgres://u:pw_secret@127.0.0.1:9/d?sslmode=disable",
            )
            .run()
            .exits(2)
            .prints("must not have a user name or password");
        for secret in ["pw_secret", "pk_in_a_file", "private_secret"] {
            assert!(!done.to_string().contains(secret), "{secret}: {done}");
        }
    }
    let done = doctor(&home, &server.url())
        .env(
            "CASELOAD_LEDGER",
            "postgres://u:pw_secret@127.0.0.1:9/d?sslmode=disable",
        )
        .run()
        .exits(2)
        .prints("CASELOAD_LEDGER");
    assert!(!done.to_string().contains("pw_secret"), "{done}");
    assert!(!done.to_string().contains(KEY), "{done}");
    // The one key is not the other.
    doctor(&home, &server.url())
        .env("LEXAMICA_PRIVATE_KEY", KEY)
        .run()
        .exits(2)
        .prints("one of the two is wrong");
    // Others can read it.
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(home.path("key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    doctor(&home, &server.url())
        .args(&["--public-key-file", "key"])
        .run()
        .exits(0)
        .prints("set, from key")
        .prints("chmod 600 key");
}

#[test]
fn a_ledger_that_an_import_would_refuse_is_an_error() {
    let home = Home::new();
    home.cases(1);
    let (server, other) = (server_ahead(0), Sandbox::start(&[]));
    home.import(&other.url()).run().exits(0);
    doctor(&home, &server.url())
        .args(&["--ledger", "ledger.db"])
        .run()
        .exits(2)
        .prints("is the ledger of http://127.0.0.1:");
    doctor(&home, &server.url())
        .env("CASELOAD_LEDGER_ID", "0198")
        .run()
        .exits(2)
        .prints("expected ledger 0198");
    // As it was: doctor only reads.
    assert_eq!(home.ledger().number("imported"), 1);
}
