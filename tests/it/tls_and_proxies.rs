//! TLS and proxies: what is trusted, what stops a run at once, and that nothing
//! of a case is sent before.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::server::{Server, created, status};
use crate::support::Home;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub fn tls_file(name: &str) -> String {
    format!("{}/tests/it/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A TLS server with its own certificate that creates a case from every
/// request, and the requests that it decrypted.
pub fn tls_server(certificate: &str) -> (String, Receiver<String>) {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(tls_file(certificate))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_file(tls_file("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let (received, requests) = channel();
    thread::spawn(move || {
        for (number, stream) in (0..).zip(listener.incoming()) {
            let (config, received) = (Arc::clone(&config), received.clone());
            thread::spawn(move || {
                let connection = ServerConnection::new(config).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                let is_whole = |request: &[u8]| {
                    let is_head = request.starts_with(b"HEAD ");
                    request.ends_with(if is_head {
                        b"\r\n\r\n".as_slice()
                    } else {
                        b"}"
                    })
                };
                while !is_whole(&request) {
                    match stream.read(&mut buffer) {
                        Ok(read @ 1..) => request.extend_from_slice(&buffer[..read]),
                        _ => return,
                    }
                }
                // Before the answer: a run may end with it.
                let _ = received.send(String::from_utf8(request).unwrap());
                let body = format!("{{\"_id\":\"case-{number}\"}}");
                let length = body.len();
                // One request per connection keeps the server simple.
                let _ = write!(
                    stream,
                    "HTTP/1.1 201 Created\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                stream.conn.send_close_notify();
                let _ = stream.flush();
            });
        }
    });
    (url, requests)
}

#[test]
fn an_untrusted_certificate_stops_the_run_and_names_its_issuer() {
    let home = Home::new();
    home.cases(3);
    let (url, requests) = tls_server("server.pem");
    home.import(&url)
        .env("SSL_CERT_FILE", &tls_file("other.pem"))
        .run()
        .exits(5)
        .stopped("the server's certificate was rejected: its issuer is not trusted")
        .stopped("issued by Acme Inspection CA")
        .counts(&[("not_sent", 1), ("untried", 2)]);
    assert!(requests.try_recv().is_err(), "nothing of a case was sent");
}

#[test]
fn a_ca_file_adds_an_authority() {
    let home = Home::new();
    home.cases(3);
    let (url, requests) = tls_server("server.pem");
    home.import(&url)
        .args(&["--ca-file", &tls_file("server.pem")])
        .env("SSL_CERT_FILE", &tls_file("other.pem"))
        .run()
        .exits(0)
        .counts(&[("imported", 3)]);
    assert_eq!(requests.try_iter().count(), 3);
}

/// Such a certificate says that it is an authority's, which a server's should
/// not; whoever names it means it as the server's.
#[test]
fn a_self_signed_certificate_is_trusted_when_it_is_named() {
    let home = Home::new();
    home.cases(2);
    let (url, requests) = tls_server("self_signed.pem");
    let import = |url: &str, file: &str| {
        let import = home.import(url).args(&["--ca-file", &tls_file(file)]);
        import.env("SSL_CERT_FILE", &tls_file("other.pem")).run()
    };
    import(&url, "server.pem")
        .exits(5)
        .stopped("it is an authority's, not a server's; it was issued by Acme Server")
        .counts(&[("not_sent", 1), ("untried", 1)]);
    // For this host only.
    let elsewhere = url.replace("localhost", "127.0.0.1");
    home.import(&elsewhere)
        .args(&["--ca-file", &tls_file("self_signed.pem"), "--adopt-ledger"])
        .env("SSL_CERT_FILE", &tls_file("other.pem"))
        .run()
        .exits(5)
        .stopped("the server's certificate was rejected: it is an authority's, not a server's");
    assert!(requests.try_recv().is_err(), "nothing of a case was sent");
    home.import(&url)
        .args(&["--ca-file", &tls_file("self_signed.pem"), "--adopt-ledger"])
        .env("SSL_CERT_FILE", &tls_file("other.pem"))
        .run()
        .exits(0)
        .counts(&[("imported", 2)]);
    assert_eq!(requests.try_iter().count(), 2);
}

#[test]
fn a_host_that_is_not_found_is_named() {
    let home = Home::new();
    home.cases(1);
    let host = "api.example.invalid";
    home.import_for_people(&format!("https://{host}"), &["cases.csv"])
        .args(&[
            "--output",
            "json",
            "--max-retries",
            "0",
            "--max-failures",
            "1",
        ])
        .env("SSL_CERT_FILE", &tls_file("other.pem"))
        .run()
        .exits(5)
        .stopped(&format!("{host}: the host was not found: "));
}

#[test]
fn a_proxy_that_refuses_stops_the_run_at_once() {
    let home = Home::new();
    home.cases(3);
    let proxy = Server::start(|_| status(502));
    home.import_for_people("https://api.example.invalid", &["cases.csv"])
        .args(&["--output", "json"])
        .env("HTTPS_PROXY", &proxy.url())
        .env("SSL_CERT_FILE", &tls_file("other.pem"))
        .run()
        .exits(5)
        .stopped("failed before anything was sent")
        .stopped(&format!(
            "api.example.invalid through the proxy {}: the proxy refused the connection",
            proxy.addr()
        ))
        .counts(&[("not_sent", 1), ("untried", 2)]);
    assert_eq!(proxy.requests().len(), 1, "asked once, not again and again");
}

#[test]
fn a_proxy_is_never_used_for_loopback() {
    let home = Home::new();
    home.cases(1);
    let proxy = Server::start(|_| status(502));
    let server = Server::start(|_| created("x1"));
    let mut import = home.import(&server.url());
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"] {
        import = import.env(name, &proxy.url());
    }
    import.run().exits(0).counts(&[("imported", 1)]);
    assert_eq!(proxy.connections(), 0);
    assert_eq!(server.requests().len(), 1);
}
