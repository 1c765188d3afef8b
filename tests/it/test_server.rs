//! The test server on the wire: each reaction as a bare socket sees it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::server::{Reaction, Refusing, Server, created, react, status, tls_garbage};

const POST: &str = "POST /case/m1/create-existing?partnerFirmId=f1 HTTP/1.1\r\n\
                    Host: x\r\nContent-Length: 7\r\n\r\n{\"a\":1}";

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.addr()).unwrap();
    // Only so that a broken server fails a test instead of hanging it.
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    stream
}

fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Reads exactly what is expected, and no byte more.
fn expect(stream: &mut TcpStream, text: &str) {
    let mut bytes = vec![0; text.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), text);
}

/// One request to a server with one reaction, and all that comes back.
fn exchange(reaction: impl Into<Reaction>) -> (String, Server) {
    let reaction = reaction.into();
    let server = Server::start(move |_| reaction.clone());
    let mut stream = connect(&server);
    stream.write_all(POST.as_bytes()).unwrap();
    (read_to_end(&mut stream), server)
}

#[test]
fn answers_and_keeps_the_connection() {
    let server = Server::start(|request| created(&format!("c{}", request.index)));
    let mut stream = connect(&server);
    for number in 0..3 {
        stream.write_all(POST.as_bytes()).unwrap();
        expect(
            &mut stream,
            &format!(
                "HTTP/1.1 201 Scripted\r\nContent-Type: application/json\r\n\
                 Content-Length: 12\r\n\r\n{{\"_id\":\"c{number}\"}}"
            ),
        );
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(server.connections(), 1);
    let request = &requests[2];
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/case/m1/create-existing");
    assert_eq!(request.query.as_deref(), Some("partnerFirmId=f1"));
    assert_eq!(request.header("HOST"), Some("x"));
    assert_eq!(request.json()["a"], 1);
    assert_eq!((request.connection, request.on_connection), (0, 2));
    assert!(requests[1].received <= request.first_byte);
    assert!(request.first_byte <= request.received);
    let created = server.created();
    assert_eq!(created[2].id, "c2");
    assert_eq!(created[2].request, 2);
}

#[test]
fn serves_connections_at_once() {
    let server = Server::start(|_| created("c"));
    let mut streams: Vec<_> = (0..8).map(|_| connect(&server)).collect();
    // The last one first: no connection waits for an earlier one.
    for stream in streams.iter_mut().rev() {
        stream.write_all(POST.as_bytes()).unwrap();
        expect(stream, "HTTP/1.1 201 ");
    }
    assert_eq!(server.connections(), 8);
}

#[test]
fn reads_pipelined_and_chunked_requests_in_pieces() {
    let server = Server::start(|_| status(204));
    let mut stream = connect(&server);
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3;x=y\r\n{\"a\r\n4\r\n\":1}\r\n0\r\nT: x\r\n\r\n";
    let all = format!("{chunked}{POST}{chunked}");
    for byte in all.as_bytes() {
        stream.write_all(&[*byte]).unwrap();
    }
    for _ in 0..3 {
        expect(
            &mut stream,
            "HTTP/1.1 204 Scripted\r\nContent-Length: 0\r\n\r\n",
        );
    }
    let bodies: Vec<_> = server
        .requests()
        .into_iter()
        .map(|request| request.body)
        .collect();
    assert_eq!(bodies, vec![b"{\"a\":1}".to_vec(); 3]);
}

#[test]
fn closes_when_the_client_asks() {
    let server = Server::start(|_| status(200));
    let mut stream = connect(&server);
    let request = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    assert!(read_to_end(&mut stream).starts_with("HTTP/1.1 200 "));
}

#[test]
fn statuses_with_their_headers() {
    let answer = status(503).header("Retry-After", "7").json("{}");
    let (text, _) = exchange(react().answer(&answer).close());
    assert_eq!(
        text,
        "HTTP/1.1 503 Scripted\r\nRetry-After: 7\r\nContent-Type: application/json\r\n\
         Content-Length: 2\r\n\r\n{}"
    );
    for code in [301, 302, 303, 307, 308] {
        let (text, _) = exchange(
            react()
                .answer(&status(code).header("Location", "/"))
                .close(),
        );
        assert!(text.starts_with(&format!("HTTP/1.1 {code} Scripted\r\nLocation: /\r\n")));
    }
}

#[test]
fn creates_a_case_without_saying_so() {
    for (reaction, seen) in [
        (react().creates("c1").close(), ""),
        (
            react().creates("c1").answer(&status(500)).close(),
            "HTTP/1.1 500 ",
        ),
        (
            react().creates("c1").half_status_line().close(),
            "HTTP/1.1 2",
        ),
        (
            react()
                .creates("c1")
                .answer(&status(200).html("<p>"))
                .close(),
            "HTTP/1.1 200 ",
        ),
    ] {
        let (text, server) = exchange(reaction);
        assert!(text.starts_with(seen), "{text}");
        assert_eq!(server.requests().len(), 1);
        assert_eq!(server.created()[0].id, "c1");
    }
}

#[test]
fn closes_without_a_byte() {
    let (text, server) = exchange(react().close());
    assert_eq!(text, "");
    assert_eq!((server.requests().len(), server.created().len()), (1, 0));
}

#[test]
fn reset_connections() {
    for reaction in [react().reset(), react().half_status_line().reset()] {
        let server = Server::start(move |_| reaction.clone());
        let mut stream = connect(&server);
        stream.write_all(POST.as_bytes()).unwrap();
        let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn half_answers() {
    let (text, _) = exchange(react().half_status_line().close());
    assert_eq!(text, "HTTP/1.1 2");
    let (text, _) = exchange(react().half(&status(201).json("{\"_id\":\"c1\"}")).close());
    assert!(
        text.ends_with("Content-Length: 12\r\n\r\n{\"_id\""),
        "{text}"
    );
}

#[test]
fn interim_answers_come_before_the_answer() {
    let (text, _) = exchange(
        react()
            .interim(100)
            .interim(103)
            .answer(&status(201))
            .close(),
    );
    assert_eq!(
        text,
        "HTTP/1.1 100 Scripted\r\n\r\n\
         HTTP/1.1 103 Scripted\r\nLink: </a>; rel=preload\r\n\r\n\
         HTTP/1.1 201 Scripted\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn silence_lasts_until_the_server_ends_and_records_requests() {
    let server = Server::start(|_| react().silence());
    let mut stream = connect(&server);
    stream.write_all(POST.as_bytes()).unwrap();
    stream.write_all(POST.as_bytes()).unwrap();
    server.wait_for_requests(2);
    stream.set_nonblocking(true).unwrap();
    let nothing_yet = stream.read(&mut [0]).unwrap_err();
    assert_eq!(nothing_yet.kind(), ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
    server.stop();
    assert_eq!(read_to_end(&mut stream), "");
}

#[test]
fn a_wait_ends_with_the_server() {
    let server = Server::start(|_| react().wait(Duration::from_hours(1)).answer(&status(200)));
    let mut stream = connect(&server);
    stream.write_all(POST.as_bytes()).unwrap();
    server.wait_for_requests(1);
    server.stop();
}

#[test]
fn delayed_answers() {
    let (text, _) = exchange(
        react()
            .wait(Duration::from_millis(1))
            .answer(&status(201))
            .close(),
    );
    assert!(text.starts_with("HTTP/1.1 201 "));
}

#[test]
fn closes_at_accept_for_some() {
    let server = Server::with_accept(
        |number| {
            if number == 0 {
                react().close()
            } else {
                react()
            }
        },
        |_| created("c1"),
    );
    assert_eq!(read_to_end(&mut connect(&server)), "");
    let mut second = connect(&server);
    second.write_all(POST.as_bytes()).unwrap();
    expect(&mut second, "HTTP/1.1 201 ");
    assert_eq!(server.requests()[0].connection, 1);
}

#[test]
fn closes_an_idle_connection() {
    let idle = Duration::from_millis(1);
    let server = Server::start(move |_| created("c1").idle_timeout(idle));
    let mut stream = connect(&server);
    stream.write_all(POST.as_bytes()).unwrap();
    assert!(read_to_end(&mut stream).starts_with("HTTP/1.1 201 "));
    let server = Server::with_accept(move |_| react().idle_timeout(idle), |_| created("c1"));
    assert_eq!(read_to_end(&mut connect(&server)), "");
}

/// The server gives up on a connection that the client is just reusing.
#[test]
fn a_408_on_a_reused_connection() {
    let late = status(408).header("Connection", "close");
    let after_the_answer = created("c1").answer(&late).finish();
    let (text, _) = exchange(after_the_answer);
    assert!(text.contains("{\"_id\":\"c1\"}HTTP/1.1 408 "), "{text}");

    let server = Server::start(move |_| created("c1").await_byte().answer(&late).finish());
    let mut stream = connect(&server);
    stream.write_all(POST.as_bytes()).unwrap();
    expect(&mut stream, "HTTP/1.1 201 ");
    stream.write_all(&POST.as_bytes()[..1]).unwrap();
    let rest = read_to_end(&mut stream);
    assert!(rest.contains("}HTTP/1.1 408 "), "{rest}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_408_as_the_first_thing_on_a_connection() {
    let server = Server::with_accept(
        |_| react().await_byte().answer(&status(408)).finish(),
        |_| created("c1"),
    );
    let mut stream = connect(&server);
    stream.write_all(POST.as_bytes()).unwrap();
    assert!(read_to_end(&mut stream).starts_with("HTTP/1.1 408 "));
    drop(stream);
    server.wait_for_requests(1);
    assert!(server.created().is_empty());
}

#[test]
fn tls_garbage_and_a_handshake_that_hangs() {
    let hello = [22, 3, 1, 0, 200, 1, 0];
    let server = Server::with_accept(|_| tls_garbage(), |_| created("c1"));
    let mut stream = connect(&server);
    stream.write_all(&hello).unwrap();
    assert!(read_to_end(&mut stream).starts_with("220 "));
    drop(stream);
    server.wait_until_all_are_closed();
    assert_eq!(server.partials()[0].bytes, hello);
    assert!(server.https_url().starts_with("https://127.0.0.1:"));

    let server = Server::with_accept(|_| react().silence(), |_| created("c1"));
    let mut stream = connect(&server);
    stream.write_all(&hello).unwrap();
    server.stop();
    // Nothing but the end of the server ended it.
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn an_incomplete_request_is_not_counted() {
    let server = Server::start(|_| created("c1"));
    for part in [&POST[..20], &POST[..POST.len() - 1]] {
        let mut stream = connect(&server);
        stream.write_all(part.as_bytes()).unwrap();
        drop(stream);
    }
    // Connections are accepted in order, so this one comes after both.
    let mut last = connect(&server);
    last.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        .unwrap();
    read_to_end(&mut last);
    server.wait_until_all_are_closed();
    assert_eq!(server.partials().len(), 2);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn requests_to_a_proxy() {
    let server = Server::start(|_| status(502));
    let mut stream = connect(&server);
    stream
        .write_all(b"POST http://api.test:8080/case/m1?a=b HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    expect(
        &mut stream,
        "HTTP/1.1 502 Scripted\r\nContent-Length: 0\r\n\r\n",
    );
    stream
        .write_all(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
        .unwrap();
    expect(&mut stream, "HTTP/1.1 502 ");
    let requests = server.requests();
    assert_eq!(requests[0].target, "http://api.test:8080/case/m1?a=b");
    assert_eq!(requests[0].path, "/case/m1");
    assert_eq!(requests[0].query.as_deref(), Some("a=b"));
    assert_eq!(requests[1].method, "CONNECT");
    assert_eq!(requests[1].target, "api.test:443");
}

#[test]
fn a_port_that_refuses_connections() {
    let refusing = Refusing::new();
    let error = TcpStream::connect(refusing.addr()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(refusing.url().starts_with("http://127.0.0.1:"));
}

/// A failed assertion in a script ends the connection, and the test.
#[test]
#[should_panic(expected = "PoisonError")]
fn a_panic_in_a_script_fails_the_test() {
    let server = Server::start(|request| -> Reaction { panic!("{} is scripted", request.index) });
    let mut stream = connect(&server);
    stream.write_all(POST.as_bytes()).unwrap();
    assert_eq!(read_to_end(&mut stream), "");
    server.requests();
}
