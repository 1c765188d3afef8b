//! The configuration of nginx in `examples/webhooks`, in front of a receiver.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::support::{Home, creating_server, example};

/// An nginx that ends when it is dropped.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ports that nothing listens on.
fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// The example's server block before this receiver. A second port, without TLS,
/// is for senders as simple as those of the tests.
fn server_block(tls: u16, plain: u16, receiver: u16) -> String {
    let pem = |name: &str| format!("{}/tests/it/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let block = std::fs::read_to_string(example("webhooks/nginx.conf")).unwrap();
    let folder = "/etc/letsencrypt/live/hooks.example.com/";
    let mut replaced = block;
    for (shown, own) in [
        (
            "listen 443 ssl;".to_owned(),
            format!("listen 127.0.0.1:{tls} ssl; listen 127.0.0.1:{plain};"),
        ),
        (format!("{folder}fullchain.pem"), pem("server.pem")),
        (format!("{folder}privkey.pem"), pem("server.key")),
        (
            "http://127.0.0.1:8789".to_owned(),
            format!("http://127.0.0.1:{receiver}"),
        ),
    ] {
        assert!(replaced.contains(&shown), "{shown} is not in the example");
        replaced = replaced.replace(&shown, &own);
    }
    replaced
}

/// Starts it, and waits until it listens.
fn start(home: &Home, block: &str, port: u16) -> Nginx {
    home.write("hooks.conf", block);
    let main = "daemon off; master_process off; error_log errors; pid nginx.pid;\n\
                events {} http { access_log off; client_body_temp_path bodies;\n\
                proxy_temp_path answers; include hooks.conf; }\n";
    home.write("nginx.conf", main);
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(home.folder());
    nginx.args(["-e", "errors", "-c", "nginx.conf"]);
    let mut nginx = Nginx(nginx.stdin(Stdio::null()).spawn().unwrap());
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = nginx.0.try_wait().unwrap();
        assert!(ended.is_none(), "{}", home.read("errors"));
        std::thread::yield_now();
    }
    nginx
}

#[test]
fn a_signed_event_comes_through_the_nginx_of_the_example() {
    let version = Command::new("nginx")
        .arg("-v")
        .stderr(Stdio::null())
        .status();
    if version.is_err() {
        println!("skipped: nginx is not installed");
        return;
    }
    let home = Home::new();
    home.cases(1);
    home.import(&creating_server().url()).run().exits(0);
    let mut listener = home.listen(&["--public-url", "https://hooks.example.com/lexamica"]);
    let [tls, plain] = free_ports();
    let _nginx = start(&home, &server_block(tls, plain, listener.port), plain);
    listener.port = plain;
    // Bytes that no proxy may rewrite, and the longest that a receiver takes.
    let odd = "{ \"title\" : \"Ren\u{e9}e\\u00e9\" }\r\n ".to_owned();
    let events = [odd, "x".repeat(1024 * 1024)];
    for event in &events {
        assert_eq!(listener.deliver("lexamica/updates", event), 200);
    }
    assert_eq!(home.events(), events);
    let post = |path: &str, body: &str| listener.post(path, &[], body.as_bytes());
    assert_eq!(post("/lexamica/updates", "{}"), 401, "without a signature");
    assert_eq!(post("/updates", "{}"), 404, "not below the public address");
    assert_eq!(
        listener.deliver("lexamica/updates", &"x".repeat(1024 * 1024 + 1)),
        413
    );
    assert_eq!(home.events().len(), events.len());
}
