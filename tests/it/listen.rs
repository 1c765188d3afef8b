//! The receiver of webhooks: what it lets in, and that it keeps what it has
//! answered with 200.

use std::io::{Read as _, Write as _};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::server::Server;
use crate::support::webhooks::{SECRET, assert_same, signature, status};
use crate::support::{Home, creating_server};

/// A home with a ledger of one imported case.
fn home() -> Home {
    home_at(&creating_server())
}

fn home_at(server: &Server) -> Home {
    let home = Home::new();
    home.cases(1);
    home.import(&server.url()).run().exits(0);
    home
}

#[test]
fn a_signed_event_is_stored_and_a_forged_one_leaves_no_trace() {
    let home = home();
    let listener = home.listen(&[]);
    let body = r#"{"title":"Called","caseload_case_id":"x1"}"#;
    let own = signature(SECRET, body.as_bytes());
    let other = signature("whsec_of_another", body.as_bytes());
    let header = "x-lexamica-signature";
    for (headers, expected) in [
        (vec![], 401),
        (vec![(header, "")], 401),
        (vec![(header, other.as_str())], 401),
        (vec![(header, &own[..63])], 401),
        (vec![("x-other-signature", own.as_str())], 401),
    ] {
        assert_eq!(
            listener.post("/updates", &headers, body.as_bytes()),
            expected,
            "{headers:?}"
        );
    }
    assert!(home.events().is_empty());
    let prefixed = format!("sha256={}", own.to_uppercase());
    for signature in [&own, &prefixed] {
        assert_eq!(
            listener.post("/updates", &[(header, signature)], body.as_bytes()),
            200
        );
    }
    assert_eq!(home.events(), [body], "delivered twice, stored once");
    assert_eq!(
        listener.post("/others", &[(header, &own)], body.as_bytes()),
        404
    );
    listener.program.signal(Signal::INT);
    let done = listener.program.wait().exits(0);
    let done = done.says("stopped; 1 delivered again; 5 refused: no valid signature; 1 stored");
    assert!(!done.err.contains("Called"), "{done}");
}

#[test]
fn the_path_says_what_an_event_is_whatever_its_body_holds() {
    let home = home();
    let listener = home.listen(&["--public-url", "https://hooks.example.com/lexamica/"]);
    // The same body under two paths is two events.
    for event in ["lexamica/stages", "lexamica/settlements"] {
        assert_eq!(
            listener.deliver(event, r#"{"event":"Case Update Made"}"#),
            200
        );
    }
    for body in ["", "not JSON", "[1]", "null", "\u{fffd}"] {
        assert_eq!(listener.deliver("lexamica/updates", body), 200, "{body:?}");
    }
    assert_eq!(
        listener.deliver("updates", "{}"),
        404,
        "not below the public address"
    );
    assert_eq!(home.events().len(), 7);
}

#[test]
fn a_delivery_with_an_id_of_its_own_is_known_by_it() {
    let home = home();
    let listener = home.listen(&[]);
    let deliver = |id: &str, body: &str| {
        let signature = signature(SECRET, body.as_bytes());
        let headers = [
            ("x-lexamica-signature", &*signature),
            ("x-lexamica-delivery", id),
        ];
        listener.post("/updates", &headers, body.as_bytes())
    };
    for (id, body) in [("d1", "{}"), ("d2", "{}"), ("d1", r#"{"sent":"again"}"#)] {
        assert_eq!(deliver(id, body), 200);
    }
    assert_eq!(home.events(), ["{}", "{}"]);
}

#[test]
fn an_old_secret_counts_until_it_is_removed() {
    let home = home();
    home.write(
        "webhook-secrets.toml",
        "updates = [\"whsec_the_new_one\", \"whsec_the_old_one\"]\n",
    );
    let listener = home.listen(&[]);
    for (secret, expected) in [
        ("whsec_the_new_one", 200),
        ("whsec_the_old_one", 200),
        (SECRET, 401),
    ] {
        let body = format!("{{\"by\":\"{expected} {secret}\"}}");
        let signature = signature(secret, body.as_bytes());
        let headers = [("x-lexamica-signature", &*signature)];
        assert_eq!(
            listener.post("/updates", &headers, body.as_bytes()),
            expected
        );
        assert_eq!(
            listener.post("/stages", &headers, body.as_bytes()),
            401,
            "no secret"
        );
    }
}

#[test]
fn what_is_too_long_or_never_complete_is_refused_and_stops_nobody() {
    let home = home();
    let listener = home.listen(&[]);
    let megabyte = "x".repeat(1024 * 1024);
    assert_eq!(
        listener.deliver("updates", &megabyte),
        200,
        "just short enough"
    );
    assert_eq!(listener.deliver("updates", &(megabyte.clone() + "x")), 413);
    // Many who never finish: half a head, half a body, and one that lies about
    // its length.
    let mut slow = Vec::new();
    for number in 0..300 {
        let mut stream = listener.connect();
        let part = match number % 3 {
            0 => "POST /updates HT",
            1 => "POST /updates HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
            _ => "POST /updates HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nF\r\n{",
        };
        stream.write_all(part.as_bytes()).unwrap();
        slow.push(stream);
    }
    assert_eq!(listener.deliver("updates", "{}"), 200);
    let body = "{\"cut\":\"off\"}";
    let head = format!(
        "POST /updates HTTP/1.1\r\nHost: x\r\nx-lexamica-signature: {}\r\nContent-Length: {}\r\n\r\n",
        signature(SECRET, body.as_bytes()),
        body.len()
    );
    let mut cut_off = listener.connect();
    cut_off.write_all((head + "{\"cut\":").as_bytes()).unwrap();
    cut_off.shutdown(std::net::Shutdown::Write).unwrap();
    assert_ne!(status(cut_off), 200);
    assert_eq!(home.events().len(), 2);
}

#[test]
fn a_head_and_a_body_that_come_too_slowly_are_closed() {
    let home = home();
    let listener = home.listen(&["--read-timeout", "300ms"]);
    let head = "POST /updates HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n";
    for (part, answer) in [(head, ""), (&format!("{head}\r\n{{"), "HTTP/1.1 408")] {
        let mut stream = listener.connect();
        stream.write_all(part.as_bytes()).unwrap();
        // It is closed, and nobody has to wait for the end of this.
        stream
            .set_read_timeout(Some(Duration::from_mins(1)))
            .unwrap();
        let mut closed = String::new();
        stream.read_to_string(&mut closed).unwrap();
        assert!(closed.starts_with(answer), "{part}: {closed}");
        assert_eq!(closed.is_empty(), answer.is_empty(), "{part}: {closed}");
    }
}

#[test]
fn its_health_is_that_of_the_ledger() {
    let home = home();
    let listener = home.listen(&[]);
    assert_eq!(listener.health(), "200 ok\n");
    let (ledger, moved) = (home.path("ledger.db"), home.path("moved.db"));
    std::fs::rename(&ledger, &moved).unwrap();
    assert_eq!(listener.deliver("updates", "{}"), 503);
    let failing = "503 the ledger can't be written now\n";
    assert_eq!(listener.health(), failing);
    std::fs::rename(&moved, &ledger).unwrap();
    // A proxy that asks for its health sends no delivery before it is well.
    for _ in 0..600 {
        if listener.health() != failing {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(listener.health(), "200 ok\n");
    assert_eq!(listener.deliver("updates", "{}"), 200);
}

#[test]
fn a_thousand_at_once_are_all_stored_in_little_memory() {
    let home = home();
    let listener = home.listen(&["--output", "json"]);
    let bodies: Vec<String> = (0..1000).map(|n| format!("{{\"event\":{n}}}")).collect();
    thread::scope(|scope| {
        for part in bodies.chunks(50) {
            let listener = &listener;
            scope.spawn(move || {
                for body in part {
                    assert_eq!(listener.deliver("updates", body), 200, "{body}");
                }
            });
        }
    });
    assert_same(&home.events(), &bodies);
    let status = std::fs::read_to_string(format!("/proc/{}/status", listener.program.id()));
    let status = status.unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 100 * 1024, "{peak}");
}

#[test]
fn what_was_answered_with_200_is_in_the_ledger_after_an_interrupt() {
    let home = home();
    let listener = home.listen(&["--output", "json"]);
    let stored: Vec<String> = thread::scope(|scope| {
        let senders: Vec<_> = (0..8)
            .map(|sender| {
                let listener = &listener;
                scope.spawn(move || {
                    let bodies = (0..).map(|n| format!("{{\"{sender}\":{n}}}"));
                    // Until the first that finds nobody.
                    bodies
                        .take_while(|body| listener.deliver("stages", body) == 200)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        while home.events().len() < 20 {}
        listener.program.signal(Signal::TERM);
        let answered = senders.into_iter().map(|sender| sender.join().unwrap());
        answered.flatten().collect()
    });
    listener.program.wait().exits(0);
    let events = home.events();
    for body in &stored {
        assert!(events.contains(body), "{body} was answered with 200");
    }
}

#[test]
fn it_stores_events_while_an_import_uses_the_ledger() {
    let server = creating_server();
    let home = home_at(&server);
    let listener = home.listen(&["--output", "json"]);
    home.cases(60);
    let import = home.import_at(&server.url(), "10ms").start();
    let bodies: Vec<String> = (0..60).map(|n| format!("{{\"event\":{n}}}")).collect();
    for body in &bodies {
        assert_eq!(listener.deliver("updates", body), 200);
    }
    import.wait().exits(0);
    assert_same(&home.events(), &bodies);
    assert_eq!(home.ledger().number("imported"), 60);
}

#[test]
fn without_secrets_or_a_ledger_it_does_not_begin() {
    let home = Home::new();
    let listen = ["listen", "--ledger", "ledger.db"];
    home.run(&listen)
        .exits(2)
        .says("there are no secrets in webhook-secrets.toml");
    home.write("webhook-secrets.toml", "updates = [\"whsec_5e1f3b0d9a\"]\n");
    home.run(&listen).exits(2).says("there is no ledger");
    home.write(
        "webhook-secrets.toml",
        "[updates]\nkey = \"whsec_5e1f3b0d9a\"\n",
    );
    let done = home.run(&listen).exits(2).says("is not a file of secrets");
    assert!(!done.err.contains("whsec"), "{done}");
}
