//! The sandbox as a client on a raw socket sees it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{RunningSandbox, SandboxOptions, start};

/// What came back: status 0 when no head did.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn request(method: &str, target: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}

async fn exchange(sandbox: &RunningSandbox, request: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(sandbox.addr()).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Answer {
        status: status.unwrap_or(0),
        head: head.to_lowercase(),
        body: body.to_owned(),
    })
}

async fn call(
    sandbox: &RunningSandbox,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> Answer {
    let headers = format!("{headers}Connection: close\r\n");
    let request = request(method, target, &headers, body);
    exchange(sandbox, &request).await.unwrap()
}

async fn post(sandbox: &RunningSandbox, target: &str, body: &str) -> Answer {
    call(sandbox, "POST", target, "", body).await
}

async fn seen(sandbox: &RunningSandbox, what: &str) -> Vec<Value> {
    let answer = call(sandbox, "GET", &format!("/__sandbox/{what}"), "", "").await;
    serde_json::from_str(&answer.body).unwrap()
}

async fn with_faults(faults: &str) -> RunningSandbox {
    let faults = faults.parse().unwrap();
    let options = SandboxOptions {
        faults,
        ..SandboxOptions::default()
    };
    start(options).await.unwrap()
}

const PATH: &str = "/case/m1/create-existing";

#[tokio::test]
async fn creates_a_case_and_answers_with_the_callers_fields() {
    let sandbox = start(SandboxOptions::default()).await.unwrap();
    let body =
        r#"{"Zip":"00123","Amount":12345678901234567890.10,"partnerFirmId":"f1","status":"new"}"#;
    let answer = post(&sandbox, PATH, body).await;
    assert_eq!(answer.status, 201);
    let id = answer.json()["_id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 24);
    // To the digit, in order, and the caller's own status.
    assert_eq!(
        answer.body,
        format!(
            r#"{{"_id":"{id}","Zip":"00123","Amount":12345678901234567890.10,"status":"new","partnerFirmId":"f1"}}"#
        )
    );
    let cases = call(&sandbox, "GET", "/__sandbox/cases", "", "").await;
    assert!(cases.body.contains(body), "{}", cases.body);
    let case = &cases.json()[0];
    assert_eq!(case["id"], *id);
    assert_eq!(case["order"], 1);
    assert_eq!(case["map_id"], "m1");
    assert_eq!(case["partner_firm_id"], "f1");
    assert_eq!(case["draft"], false);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn two_identical_calls_create_two_cases() {
    let sandbox = start(SandboxOptions::default()).await.unwrap();
    let first = post(&sandbox, PATH, r#"{"a":1}"#).await.json();
    let second = post(&sandbox, PATH, r#"{"a":1}"#).await.json();
    assert_ne!(first["_id"], second["_id"]);
    assert_eq!(seen(&sandbox, "cases").await.len(), 2);
}

#[tokio::test]
async fn a_case_without_a_firm_is_a_draft() {
    let sandbox = start(SandboxOptions::default()).await.unwrap();
    let answer = post(&sandbox, PATH, r#"{"a":1}"#).await.json();
    assert_eq!(answer["status"], "draft");
    assert_eq!(answer.get("partnerFirmId"), None);
    let cases = seen(&sandbox, "cases").await;
    assert_eq!(cases[0]["draft"], true);
    assert_eq!(cases[0]["partner_firm_id"], Value::Null);
}

#[tokio::test]
async fn the_firm_comes_from_query_or_body() {
    let sandbox = start(SandboxOptions::default()).await.unwrap();
    let in_query = format!("{PATH}?partnerFirmId=f%201");
    for (target, body) in [
        (&*in_query, r#"{"a":1}"#),
        (PATH, r#"{"a":1,"partnerFirmId":"f 1"}"#),
        (&*in_query, r#"{"a":1,"partnerFirmId":"f 1"}"#),
    ] {
        let answer = post(&sandbox, target, body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.json()["partnerFirmId"], "f 1");
        assert_eq!(answer.json()["status"], "active");
    }
    for (target, body) in [
        (&*in_query, r#"{"a":1,"partnerFirmId":"f2"}"#),
        (&*format!("{in_query}&partnerFirmId=f2"), r#"{"a":1}"#),
        (PATH, r#"{"a":1,"partnerFirmId":" "}"#),
        (PATH, r#"{"a":1,"partnerFirmId":7}"#),
    ] {
        assert_eq!(post(&sandbox, target, body).await.status, 400, "{body}");
    }
    assert_eq!(seen(&sandbox, "cases").await.len(), 3);
}

#[tokio::test]
async fn rejects_bodies_that_are_not_a_case() {
    let sandbox = start(SandboxOptions::default()).await.unwrap();
    for (body, status) in [
        ("", 400),
        ("[]", 400),
        (r#"{"a":1"#, 400),
        (r#"{"a":1} {"a":1}"#, 400),
        (r#"{"a":1,"a":2}"#, 400),
        ("{}", 422),
        (r#"{"partnerFirmId":"f1"}"#, 422),
    ] {
        let answer = post(&sandbox, PATH, body).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.json()["message"].is_string(), "{body}");
    }
    let answer = call(&sandbox, "PUT", PATH, "", r#"{"a":1}"#).await;
    assert_eq!(answer.status, 405);
    assert!(answer.head.contains("allow: post"));
    assert_eq!(
        post(&sandbox, "/case/m1/send", r#"{"a":1}"#).await.status,
        404
    );
    assert_eq!(seen(&sandbox, "cases").await.len(), 0);
    assert_eq!(seen(&sandbox, "calls").await.len(), 9);
}

#[tokio::test]
async fn checks_organization_mapping_and_key_when_set() {
    let options = SandboxOptions {
        org_id: Some("o1".to_owned()),
        map_id: Some("m1".to_owned()),
        public_key: Some("k+1".to_owned()),
        ..SandboxOptions::default()
    };
    let sandbox = start(options).await.unwrap();
    let full = "/organization/o1/inbound-webhooks/case/m1/create-existing";
    let key = "Authorization: Key k+1\r\n";
    let in_query = format!("{PATH}?key=k%2B1");
    for (target, headers, status) in [
        (PATH, key, 201),
        (full, key, 201),
        (&*in_query, "", 201),
        (PATH, "", 401),
        (PATH, "Authorization: Key k\r\n", 401),
        (PATH, "Authorization: Bearer k+1\r\n", 401),
        (&*format!("{PATH}?key=k"), "", 401),
        ("/case/m2/create-existing", key, 404),
        (
            "/organization/o2/inbound-webhooks/case/m1/create-existing",
            key,
            404,
        ),
        (
            "/organization/o1/inbound-webhooks/case/m2/create-existing",
            key,
            404,
        ),
    ] {
        let answer = call(&sandbox, "POST", target, headers, r#"{"a":1}"#).await;
        assert_eq!(answer.status, status, "{target} {headers}");
    }
    let calls = call(&sandbox, "GET", "/__sandbox/calls", "", "").await.body;
    assert!(
        !calls.contains("k+1") && !calls.contains("k%2B1"),
        "{calls}"
    );
}

#[tokio::test]
async fn only_a_local_host_may_look_at_what_was_received() {
    let sandbox = start(SandboxOptions::default()).await.unwrap();
    let get = async |path: &str, host: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        exchange(&sandbox, &request).await.unwrap().status
    };
    for path in ["/__sandbox/cases", "/__sandbox/calls"] {
        for (host, status) in [
            ("localhost", 200),
            ("LOCALHOST:80", 200),
            ("127.0.0.1:4000", 200),
            ("[::1]:4000", 200),
            ("evil.example", 403),
            ("127.0.0.1.evil.example:80", 403),
            ("", 403),
        ] {
            assert_eq!(get(path, host).await, status, "{path} {host:?}");
        }
    }
}

#[tokio::test]
async fn a_private_sandbox_shows_nothing() {
    let options = SandboxOptions {
        private: true,
        ..SandboxOptions::default()
    };
    let sandbox = start(options).await.unwrap();
    let answer = call(&sandbox, "GET", "/__sandbox/cases", "", "").await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn shows_its_calls() {
    let sandbox = with_faults("drop=1").await;
    post(&sandbox, PATH, "{}").await;
    let calls = seen(&sandbox, "calls").await;
    let call = calls[0].as_object().unwrap();
    assert_eq!(call["call"], 1);
    assert_eq!(call["method"], "POST");
    assert_eq!(call["path"], PATH);
    assert_eq!(call["status"], Value::Null);
    assert_eq!(call["fault"], "drop");
    assert_eq!(call["case_id"], Value::Null);
    assert_eq!(
        call["body_sha256"],
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    );
    let time = |name: &str| call[name].as_f64().unwrap();
    assert!(time("started_ms") <= time("received_ms"));
    assert!(time("duration_ms") >= 0.0);
}

#[tokio::test]
async fn calls_above_the_rate_limit_get_a_retry_after() {
    let options = SandboxOptions {
        rate_limit: Some("0.01/s".parse().unwrap()),
        ..SandboxOptions::default()
    };
    let sandbox = start(options).await.unwrap();
    for _ in 0..2 {
        assert_eq!(post(&sandbox, PATH, r#"{"a":1}"#).await.status, 201);
    }
    let answer = post(&sandbox, PATH, r#"{"a":1}"#).await;
    assert_eq!(answer.status, 429);
    assert!(answer.head.contains("retry-after: 100"), "{}", answer.head);
    assert_eq!(seen(&sandbox, "cases").await.len(), 2);
}

#[tokio::test]
async fn each_fault_does_what_its_description_says() {
    for (fault, status, created) in [
        ("429", 429, 0),
        ("503+retry-after", 503, 0),
        ("500-after", 500, 1),
        ("drop", 0, 0),
        ("drop-after", 0, 1),
        ("html", 200, 0),
        ("no-id", 201, 1),
        ("slow:1ms", 201, 1),
        ("half", 201, 1),
    ] {
        let sandbox = with_faults(&format!("{fault}=1")).await;
        let answer = post(&sandbox, PATH, r#"{"a":1,"partnerFirmId":"f1"}"#).await;
        assert_eq!(answer.status, status, "{fault}: {answer:?}");
        assert_eq!(seen(&sandbox, "cases").await.len(), created, "{fault}");
        let retry_after = answer.head.contains("retry-after: 1");
        assert_eq!(retry_after, fault == "503+retry-after");
        match fault {
            "drop" | "drop-after" => assert_eq!(answer.head, ""),
            "html" => assert!(answer.body.starts_with("<!doctype html>")),
            "no-id" => assert_eq!(answer.json().get("_id"), None),
            "half" => assert!(serde_json::from_str::<Value>(&answer.body).is_err()),
            _ => {}
        }
    }
}

#[tokio::test]
async fn the_same_id_twice() {
    let sandbox = with_faults("same-id=1").await;
    let first = post(&sandbox, PATH, r#"{"a":1}"#).await.json();
    let second = post(&sandbox, PATH, r#"{"a":2}"#).await.json();
    assert_eq!(first["_id"], second["_id"]);
    let cases = seen(&sandbox, "cases").await;
    assert_eq!(cases[0]["id"], first["_id"]);
    assert_ne!(cases[1]["id"], first["_id"]);
}

#[tokio::test]
async fn a_seed_repeats_faults_and_ids() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let options = SandboxOptions {
            seed: Some(seed),
            faults: "500=0.3,drop=0.3".parse().unwrap(),
            ..SandboxOptions::default()
        };
        let sandbox = start(options).await.unwrap();
        let mut run = Vec::new();
        for _ in 0..20 {
            let answer = post(&sandbox, PATH, r#"{"a":1}"#).await;
            run.push((answer.status, answer.body));
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

/// All calls are in while none is answered. The end waits neither for the
/// latency nor for callers that keep their connections.
#[tokio::test]
async fn calls_overlap_and_the_end_answers_them_at_once() {
    let options = SandboxOptions {
        latency: Duration::from_hours(24),
        ..SandboxOptions::default()
    };
    let mut sandbox = start(options).await.unwrap();
    let idle = TcpStream::connect(sandbox.addr()).await.unwrap();
    let mut callers = Vec::new();
    for _ in 0..10 {
        let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
        let request = request("POST", PATH, "", r#"{"a":1}"#);
        stream.write_all(request.as_bytes()).await.unwrap();
        callers.push(stream);
    }
    while seen(&sandbox, "cases").await.len() < 10 {
        tokio::task::yield_now().await;
    }
    let calls = seen(&sandbox, "calls").await;
    assert!(calls.iter().all(|call| call["duration_ms"] == json!(null)));
    // Without the time limit of a shutdown, which a busy machine may exceed.
    sandbox.stop.send_replace(true);
    (&mut sandbox.server).await.unwrap();
    for mut caller in callers {
        let mut answer = String::new();
        caller.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }
    drop(idle);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let sandbox = start(SandboxOptions::default()).await.unwrap();
    let port = sandbox.addr().port();
    assert_eq!(sandbox.base_url(), format!("http://127.0.0.1:{port}"));
    let options = SandboxOptions {
        port,
        ..SandboxOptions::default()
    };
    let error = start(options).await.unwrap_err().to_string();
    assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
}
