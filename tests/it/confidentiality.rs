//! What must not leak: the key, redacted values, escape sequences to the
//! terminal, and files that others could read.

use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::channel;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::server::{Reaction, Refusing, Request, Response, Server, created, react, status};
use crate::support::{Done, Home, KEY, Program, create, creating_server};

/// An import whose key comes only from a file.
fn with_key_file(home: &Home, url: &str, file: &str) -> Program {
    home.cases(1);
    home.import(url)
        .without_env("LEXAMICA_PUBLIC_KEY")
        .args(&["--public-key-file", file])
}

/// Asserts that the key is in no output and in no file but its own.
fn assert_hidden(home: &Home, done: &Done) {
    assert!(!done.out.contains(KEY), "{done}");
    assert!(!done.to_string().contains(KEY), "{done}");
    for file in home.files() {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes());
        let is_own = file.file_name().is_some_and(|name| name == "key.txt");
        assert_eq!(found, is_own, "{}", file.display());
    }
}

#[test]
fn a_key_file_that_others_can_read_is_a_warning_with_the_fix() {
    let home = Home::new();
    let server = Server::start(|_| created("x1"));
    for (mode, exposed) in [
        (0o644, true),
        (0o640, true),
        (0o604, true),
        (0o600, false),
        (0o400, false),
    ] {
        let file = home.write("key.txt", KEY);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let done = with_key_file(&home, &server.url(), "key.txt")
            .run()
            .exits(0);
        assert_eq!(done.err.contains("chmod 600 key.txt"), exposed, "{done}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_key_is_trimmed_and_an_empty_one_is_an_error() {
    for text in [
        KEY.to_owned(),
        format!("\u{feff}{KEY}\r\n"),
        format!("  {KEY}\n\n"),
    ] {
        let home = Home::new();
        let server = Server::start(|_| created("x1"));
        home.write("key.txt", text);
        with_key_file(&home, &server.url(), "key.txt")
            .run()
            .exits(0);
        let key = format!("Key {KEY}");
        assert_eq!(server.requests()[0].header("authorization"), Some(&*key));
    }
    let home = Home::new();
    let server = Server::start(|_| created("x1"));
    for (text, said) in [
        ("", "is empty"),
        ("\u{feff} \n", "is empty"),
        ("pk_a\npk_b", "has an invalid character"),
    ] {
        home.write("key.txt", text);
        with_key_file(&home, &server.url(), "key.txt")
            .run()
            .exits(2)
            .says(said)
            .never_says("pk_");
        // An empty variable counts as not set.
        let said = if text.is_empty() {
            "public key: --public-key-file or LEXAMICA_PUBLIC_KEY"
        } else {
            said
        };
        home.import(&server.url())
            .env("LEXAMICA_PUBLIC_KEY", text)
            .run()
            .exits(2)
            .says(said)
            .never_says("pk_");
    }
    with_key_file(&home, &server.url(), "nowhere.txt")
        .run()
        .exits(2)
        .says("can't read the public key from nowhere.txt");
    home.import(&server.url())
        .without_env("LEXAMICA_PUBLIC_KEY")
        .run()
        .exits(2)
        .says("public key: --public-key-file or LEXAMICA_PUBLIC_KEY");
    assert_eq!(server.connections(), 0);
}

#[test]
fn the_key_is_never_shown_or_stored() {
    for (auth, place) in [
        ("", "the header"),
        (
            "[api]\nauth = { in = \"query\", name = \"key\" }\n",
            "the query",
        ),
    ] {
        let home = Home::new();
        home.cases(8);
        home.write("caseload.toml", auth);
        home.write("key.txt", KEY);
        // A server that quotes everything it received, in every way it can.
        let server = Server::start(|request| {
            let quoted = format!("{} {:?}", request.target, request.header("authorization"));
            let quoted = serde_json::json!({"message": quoted, "error": quoted});
            match request.index {
                0 | 1 => create(request),
                2 => status(422).json(quoted.to_string()).into(),
                3 => status(500).html(quoted.to_string()).into(),
                4 => status(200).json(quoted.to_string()).into(),
                5 => react().close(),
                6 => react().write("HTTP/1.1 abc\r\n\r\n").close(),
                _ => status(307).header("Location", &request.target).into(),
            }
        });
        let done = home
            .import_for_people(&server.url(), &["cases.csv"])
            .without_env("LEXAMICA_PUBLIC_KEY")
            .args(&["--public-key-file", "key.txt", "-v", "--pace", "1ms"])
            .run()
            .exits(5);
        assert_eq!(server.requests().len(), 8, "{done}");
        let target = &server.requests()[0].target;
        assert_eq!(target.contains(KEY), place == "the query", "{target}");
        assert_hidden(&home, &done);
    }
}

const PRIVATE_KEY: &str = "sk_test_9c2e7a";

/// A platform that quotes all that it receives in each of its answers, also the
/// secrets of its subscriptions.
fn quote(request: &Request, secrets: &mut Vec<String>) -> Response {
    let body = String::from_utf8_lossy(&request.body);
    let quoted = format!("{:?} {body}", request.header("authorization"));
    if request.method == "GET" {
        let members = secrets.iter().map(|secret| {
            json!({"_id": "s1", "event": "other", "note": quoted, "hook": {"secret": secret}})
        });
        return status(200).json(members.collect::<serde_json::Value>().to_string());
    }
    let sent = request.json();
    secrets.extend(sent["secret"].as_str().map(str::to_owned));
    let id = format!("id-{}", request.index);
    let answer = json!({"_id": id, "caseload_case_id": id, "message": quoted});
    let code = match sent["id"].as_str() {
        Some("bad") => 422,
        Some("doubt") => 500,
        _ => 201,
    };
    status(code).json(answer.to_string())
}

#[test]
fn no_key_and_no_secret_is_in_any_byte_that_the_whole_guide_writes() {
    let home = Home::new();
    home.people("cases.csv", &["a", "b", "bad", "doubt"]);
    home.write("public.key", KEY);
    home.write("private.key", PRIVATE_KEY);
    let (arrived, arrivals) = channel();
    let (go_on, go) = channel::<()>();
    let mut secrets = Vec::new();
    let platform = Server::start(move |request| {
        // The first case waits until the import was looked at.
        if request.path.contains("/case/") && arrived.send(()).is_ok() {
            let _ = go.recv();
        }
        Reaction::from(quote(request, &mut secrets))
    });
    // Dropped before the platform, which would wait for it if an assertion fails.
    let go_on = go_on;
    let config = "[ledger]\npath = \"ledger.db\"\n[webhooks]\npublic_url = \"https://h.test\"\n\
                  [case]\nkey = \"id\"\n[fields.id]\n[fields.Summary]\n[fields.FirstName]\n\
                  lexamica = \"client.firstName\"\n[api]\norg_id = \"o1\"\n";
    let address = format!("base_url = \"{}\"\n", platform.url());
    home.write("caseload.toml", config.to_owned() + &address);
    let mut outputs = Vec::new();
    let run = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        home.run(&words).exits(0).to_string()
    };
    let key = "--private-key-file private.key";
    outputs.push(run(&format!("setup --dry-run {key}")));
    let create = "--yes --write-config --new-ledger --print -v";
    outputs.push(run(&format!("setup {create} {key}")));
    outputs.push(run(&format!("setup list {key}")));
    outputs.push(run(&format!("setup list --output json {key}")));
    let secrets = home.read("webhook-secrets.toml");
    let secrets = secrets.split('"').skip(1).step_by(2).map(str::to_owned);
    let secrets: Vec<String> = secrets
        .chain([KEY, PRIVATE_KEY].map(str::to_owned))
        .collect();
    assert_eq!(secrets.len(), 5);
    let hidden_in = |bytes: &[u8], place: &str| {
        for secret in &secrets {
            let mut parts = bytes.windows(secret.len());
            assert!(!parts.any(|part| part == secret.as_bytes()), "{place}");
        }
    };
    let import = "import cases.csv --yes -v --out out --log-file runs.log --public-key-file";
    let words: Vec<&str> = import.split(' ').chain(["public.key"]).collect();
    let import = home.caseload(&words).start();
    let arrived = arrivals.recv_timeout(Duration::from_mins(1));
    assert!(arrived.is_ok(), "nothing was sent: {}", import.kill());
    let mut spools = 0;
    for file in std::fs::read_dir(format!("/proc/{}/fd", import.id())).unwrap() {
        let file = file.unwrap().path();
        if file.metadata().is_ok_and(|file| file.is_file()) {
            let name = file.read_link().unwrap().display().to_string();
            hidden_in(&std::fs::read(&file).unwrap(), &name);
            spools += usize::from(name.ends_with("(deleted)"));
        }
    }
    assert_eq!(spools, 1, "the file of what will be sent");
    drop((arrivals, go_on));
    outputs.push(import.wait().exits(4).to_string());
    let listener = home.listen(&["-v"]);
    for event in ["updates", "stages", "settlements"] {
        let body = r#"{"id":"a","title":"Called","stage":"Treating"}"#;
        let own = home.read("webhook-secrets.toml");
        let own = own.split(&format!("{event} = [\"")).nth(1).unwrap();
        let own = own.split('"').next().unwrap();
        let signature = crate::support::webhooks::signature(own, body.as_bytes());
        // Some would send the secret itself.
        for (text, code) in [(own, 401), (&*signature, 200)] {
            let headers = [("x-lexamica-signature", text)];
            let path = format!("/{event}");
            assert_eq!(listener.post(&path, &headers, body.as_bytes()), code);
        }
    }
    listener.program.signal(Signal::INT);
    outputs.push(listener.program.wait().exits(0).to_string());
    for line in [
        "status",
        "status -v --case a",
        "status --output json --case doubt",
        "export --results all.csv --rejects bad.csv --in-doubt doubt.csv --events events.csv",
        "export --json - --events events.ndjson",
        "ledger backup copy.db",
    ] {
        outputs.push(run(line));
    }
    for output in &outputs {
        hidden_in(output.as_bytes(), output);
    }
    let own = ["public.key", "private.key", "webhook-secrets.toml"].map(|name| home.path(name));
    for file in home.files().iter().filter(|file| !own.contains(file)) {
        hidden_in(&std::fs::read(file).unwrap(), &file.display().to_string());
    }
}

/// In every form, and at the place where a message is cut.
#[test]
fn a_key_that_an_answer_quotes_is_redacted_before_the_answer_is_cut() {
    use base64::Engine as _;
    const QUOTED: &str = "pk/te+st=5f1d0c\\9a";
    let base64 = base64::prelude::BASE64_STANDARD.encode(format!("Key {QUOTED}"));
    let bytes = QUOTED.bytes();
    let percent: Vec<String> = bytes.clone().map(|byte| format!("%{byte:02x}")).collect();
    let unicode: Vec<String> = bytes.map(|byte| format!("\\u00{byte:02X}")).collect();
    let (percent, unicode) = (percent.concat(), unicode.concat());
    let json = QUOTED.replace('\\', "\\\\").replace('/', "\\/");
    for form in [json, unicode, percent, base64] {
        let home = Home::new();
        home.cases(6);
        let quoted = form.clone();
        let server = Server::start(move |request| {
            let before = "x".repeat(500 - 4 * request.index);
            let body = format!("{{\"message\":\"{before}{quoted}\"}}");
            match request.index {
                0 | 1 => create(request),
                2 | 3 => status(422).json(body).into(),
                _ => status(500).json(body).into(),
            }
        });
        let done = home
            .import_for_people(&server.url(), &["cases.csv"])
            .args(&["-v", "--pace", "1ms", "--results", "results.csv"])
            .env("LEXAMICA_PUBLIC_KEY", QUOTED)
            .run()
            .exits(4);
        let mut texts = vec![done.to_string()];
        for file in home.files() {
            texts.push(String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned());
        }
        let part = &form[form.len() / 3..form.len() / 3 + 8];
        for text in texts {
            assert!(!text.contains("pk/te"), "{form}: {text}");
            assert!(!text.contains(part), "{form}: {part} in {text}");
        }
        done.says("[key]");
    }
}

#[test]
fn network_errors_do_not_show_the_key() {
    let home = Home::new();
    home.cases(1);
    home.write(
        "caseload.toml",
        "[api]\nauth = { in = \"query\", name = \"key\" }\n",
    );
    let refusing = Refusing::new();
    let done = home
        .import_for_people(&refusing.url(), &["cases.csv"])
        .args(&["-v", "--max-retries", "0", "--max-failures", "1"])
        .run()
        .exits(5);
    assert_hidden(&home, &done);
}

#[test]
fn help_does_not_show_environment_values() {
    let home = Home::new();
    for words in [&["import", "--help"][..], &["--help"], &["import", "-h"]] {
        let done = home
            .caseload(words)
            .env("LEXAMICA_PUBLIC_KEY", KEY)
            .env("LEXAMICA_BASE_URL", "https://secret.example.com")
            .env("CASELOAD_LEDGER_ID", "the-ledgers-id")
            .run()
            .exits(0);
        for secret in [KEY, "secret.example.com", "the-ledgers-id"] {
            assert!(!done.out.contains(secret) && !done.err.contains(secret));
        }
    }
}

#[test]
fn plain_http_is_allowed_only_to_loopback() {
    let home = Home::new();
    home.cases(1);
    for url in [
        "http://api.example.com",
        "http://192.0.2.7:8080",
        "ftp://x.example.com",
    ] {
        home.import_at(url, "100ms").run().exits(2).says("error: ");
        home.import_at(url, "100ms").arg("--dry-run").run().exits(2);
    }
    assert!(!home.path("ledger.db").exists());
    // So is a pace under 100 ms.
    home.import_at("https://api.example.com", "99ms")
        .run()
        .exits(2)
        .says("a pace under 100ms is only allowed for a server on this machine");
}

#[test]
fn only_the_owner_can_read_what_a_run_leaves_behind() {
    let home = Home::new();
    home.cases(2);
    let before = home.files();
    let server = creating_server();
    home.caseload(&["import", "cases.csv", "--base-url", &server.url()])
        .args(&["--map-id", "m1", "--key-column", "id", "--new-ledger"])
        .args(&["--yes", "--pace", "1ms"])
        .env("LEXAMICA_PUBLIC_KEY", KEY)
        .run()
        .exits(0);
    let left: Vec<_> = home
        .files()
        .into_iter()
        .filter(|file| !before.contains(file))
        .collect();
    assert!(!left.is_empty());
    for file in &left {
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    let folder = left[0].parent().unwrap();
    let mode = std::fs::metadata(folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{}", folder.display());
    let spools = std::fs::read_dir(home.path("tmp")).unwrap().count();
    assert_eq!(spools, 0, "a spool was left behind");
}

#[test]
fn values_are_redacted_in_ci_logs() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "id,partnerFirmId,name\nc1,f1,Hidden Person\nc2,Hidden Firm,Bo\n",
    );
    let dry_run = |words: &[&str], ci: &str| {
        home.caseload(&["import", "cases.csv", "--sandbox", "--dry-run"])
            .args(&["--skip-invalid"])
            .args(words)
            .env("CI", ci)
            .run()
            .exits(1)
    };
    for form in ["human", "json"] {
        for (words, ci, hidden) in [
            (&[][..], "true", true),
            (&["--redact"], "", true),
            (&["--no-redact"], "true", false),
            (&[], "", false),
        ] {
            let done = dry_run(&[words, &["--output", form]].concat(), ci);
            let all = format!("{}{}", done.out, done.err);
            assert_eq!(all.contains("Hidden"), !hidden, "{form} {words:?}: {done}");
        }
    }
}

#[test]
fn server_messages_are_redacted_too() {
    let home = Home::new();
    home.cases(1);
    let server = Server::start(|_| status(422).json(r#"{"message":"Hidden Person is unknown"}"#));
    let words = ["--redact", "-v", "--pace", "1ms"];
    home.import_for_people(&server.url(), &["cases.csv"])
        .args(&words)
        .run()
        .exits(1)
        .never_says("Hidden")
        .never_prints("Hidden");
    home.import_for_people(&server.url(), &["cases.csv"])
        .args(&words[1..])
        .run()
        .exits(1)
        .says("Hidden Person is unknown");
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "id,partnerFirmId,\x1b[2Jname\nc\x1b[31m1,f1,a\u{202e}b\nc2,\x1b]0;x\x07 y,c\n",
    );
    let server = Server::start(|_| status(422).json("{\"message\":\"\\u001b[2Jgone\\u009b1m\"}"));
    let import = |words: &[&str]| {
        home.import_for_people(&server.url(), &["cases.csv"])
            .args(&["-v", "--pace", "1ms"])
            .args(words)
            .run()
    };
    for done in [
        import(&[]).exits(3),
        import(&["--dry-run", "--skip-invalid"]).exits(1),
        import(&["--skip-invalid"]).exits(1),
    ] {
        let shown = done.to_string();
        for steering in ['\x1b', '\x07', '\u{9b}', '\u{202e}'] {
            assert!(!shown.contains(steering), "{steering:?}: {shown:?}");
        }
    }
}

/// In a job's log, which many people can read.
#[test]
fn keys_and_hints_are_redacted_in_ci_logs() {
    let home = Home::new();
    home.write(
        "caseload.toml",
        "[case]\nkey = \"id\"\n[partner_firms]\n\"Lee Partners\" = \"f1\"\n\
         [fields.id]\nfrom = \"id\"\n[fields.name]\nfrom = \"name\"\n",
    );
    home.write(
        "cases.csv",
        "id,partnerFirmId,name\nSECRET-1,f1,Ann\nSECRET-2,SECRET Partners,Bo\nSECRET-2,f1,Cem\n",
    );
    let server = Server::start(|_| status(422).json(r#"{"message":"SECRET-1 is unknown"}"#));
    for form in ["human", "json"] {
        for command in ["check", "import --dry-run", "import"] {
            let words = command.split(' ').collect::<Vec<_>>();
            let done = home
                .caseload(&words)
                .args(&["cases.csv", "--output", form, "--annotations", "github"])
                .env("CI", "true")
                .env("LEXAMICA_PUBLIC_KEY", KEY)
                .args(match command {
                    "check" => &[],
                    _ => &["--skip-invalid", "--ledger", "ledger.db", "--map-id", "m1"][..],
                })
                .args(match command {
                    "check" => &[],
                    _ => &["--yes", "--base-url"][..],
                });
            let done = match command {
                "check" => done.run(),
                _ => done.arg(server.url()).run(),
            };
            let all = format!("{}{}", done.out, done.err);
            assert!(!all.contains("SECRET"), "{command}: {done}");
        }
    }
}

/// A runner takes `::` at the start of a line, and `##[` anywhere, for a command.
#[test]
fn nothing_from_a_file_is_a_command_to_a_ci_runner() {
    let home = Home::new();
    home.write(
        "::stop-commands::x.csv",
        "id,partnerFirmId,::set-output name=a,##[error]b\nc1,f1,::x,##[group]c\n::d,,##vso[e],f\n",
    );
    let server =
        Server::start(|_| status(422).json("{\"message\":\"x\\n::error::y\\n##[debug]z\"}"));
    for words in [
        &["check"][..],
        &["check", "--output", "json"],
        &[
            "import",
            "--sandbox",
            "--dry-run",
            "--skip-invalid",
            "--no-redact",
        ],
        &["import", "--skip-invalid", "--no-redact", "-v"],
    ] {
        let program = home
            .caseload(words)
            .args(&["./::stop-commands::x.csv", "--key-column", "id"])
            .env("CI", "true");
        let program = match words {
            ["import", "--skip-invalid", ..] => program
                .args(&[
                    "--yes",
                    "--map-id",
                    "m1",
                    "--ledger",
                    "ledger.db",
                    "--base-url",
                ])
                .arg(server.url())
                .env("LEXAMICA_PUBLIC_KEY", KEY),
            _ => program,
        };
        let done = program.run();
        for line in done.out.lines().chain(done.err.lines()) {
            let is_command = line.trim_start().starts_with("::")
                || line.contains("##[")
                || line.contains("##vso[");
            assert!(!is_command, "{words:?}: {line:?} in {done}");
        }
    }
}

#[test]
fn a_social_security_number_is_never_shown() {
    let home = Home::new();
    home.write(
        "cases.csv",
        "id,partnerFirmId,Tax,Note\nc1,f1,521-44-1234,his is 521-44-1234\n521-44-1234,,x,y\n",
    );
    for words in [
        &["check"][..],
        &["check", "--output", "json"],
        &["import", "--sandbox", "--dry-run", "--skip-invalid"],
        &["import", "--sandbox", "--skip-invalid"],
    ] {
        let done = home
            .caseload(words)
            .args(&["cases.csv", "--key-column", "id"])
            .run();
        assert!(done.out.len() > 50, "{done}");
        let all = format!("{}{}", done.out, done.err);
        assert!(!all.contains("521-44"), "{words:?}: {done}");
    }
}
