//! Where a ledger is: in a file, or on a `PostgreSQL` server.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ClientConfig;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};

/// A file, or a server.
#[derive(Debug, Clone)]
pub enum Location {
    File(PathBuf),
    Server(Box<ServerAddress>),
}

/// A `PostgreSQL` server, and what it takes to use it.
#[derive(Clone)]
pub struct ServerAddress {
    /// As it is shown: without a password.
    pub(super) name: PathBuf,
    /// With the password.
    pub(super) config: Config,
    /// How the connection is encrypted; not at all on this machine, or where the
    /// user says so.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// The longest that a call of the run can take.
    pub(crate) call_timeout: Duration,
    /// How long a server that can't be reached on the way is tried.
    pub(crate) max_wait: Duration,
    /// A connection that nobody uses at the moment: a new one takes several round
    /// trips.
    pub(super) idle: Arc<Mutex<Option<Arc<Client>>>>,
    /// That a ledger that can be used was found there.
    pub(super) is_checked: Arc<AtomicBool>,
}

/// Without the password.
impl fmt::Debug for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// Why an address can't be used. None quotes a password.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("not an address of a PostgreSQL server: {0}; expected postgres://USER@HOST/DATABASE")]
    Invalid(String),
    #[error(
        "the address of the ledger must not have a password where others can read it: set \
         PGPASSWORD or PGPASSFILE"
    )]
    Password,
    #[error(
        "sslmode={0} does not check who answers: use sslmode=verify-full, or sslmode=disable in a \
         network that you trust"
    )]
    SslMode(String),
}

/// How the name of a ledger on a server begins.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// The longest that a call takes where nothing else is said.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest that nothing is heard of a server until its connection counts as
/// broken. Long enough for a slow one, and well within the right to run, which
/// outlasts two calls.
const SILENCE: Duration = Duration::from_secs(20);
/// Longer than the locks of a machine that vanished last.
const SHORTEST_SILENCE: Duration = Duration::from_secs(8);

impl ServerAddress {
    /// Reads an address. A password in it is refused unless it comes from the
    /// environment.
    pub fn parse(text: &str, from_environment: bool) -> Result<Self, AddressError> {
        let (name, in_name) = without_password(text);
        // The library knows only some values of it.
        let (address, ssl_mode) = without_parameter(text, "sslmode");
        // The error of the library may quote the address.
        let mut config: Config = address
            .parse()
            .map_err(|_| AddressError::Invalid(name.clone()))?;
        if in_name && !from_environment {
            return Err(AddressError::Password);
        }
        let is_local = config.get_hosts().iter().all(is_this_machine)
            && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
        let encrypted = match ssl_mode.as_deref() {
            None => !is_local,
            Some("verify-full") => true,
            Some("disable") => false,
            Some(other) => return Err(AddressError::SslMode(other.to_owned())),
        };
        config
            .ssl_mode(if encrypted {
                SslMode::Require
            } else {
                SslMode::Disable
            })
            .application_name("caseload")
            .keepalives_idle(SILENCE)
            .tcp_user_timeout(SILENCE);
        Ok(Self {
            name: name.into(),
            config,
            tls: None,
            call_timeout: CALL_TIMEOUT,
            max_wait: Duration::ZERO,
            idle: Arc::default(),
            is_checked: Arc::default(),
        })
    }

    /// As it is shown.
    pub(crate) fn name(&self) -> &str {
        self.name.to_str().unwrap_or_default()
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Require
    }

    /// How long an answer is waited for.
    pub(super) fn patience(&self) -> Duration {
        (self.call_timeout * 2 / 3).clamp(SHORTEST_SILENCE, SILENCE)
    }

    pub(crate) fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    pub(crate) fn set_password(&mut self, password: &str) {
        self.config.password(password);
    }

    /// Its password in the text of a password file of `PostgreSQL`: lines of host,
    /// port, database, user and password, where `*` is any, `:` and `\\` stand
    /// behind a `\\`.
    pub(crate) fn password_in(&self, text: &str) -> Option<String> {
        let config = &self.config;
        let user = config.get_user().unwrap_or_default();
        let host = match config.get_hosts().first()? {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(_) => "localhost".to_owned(),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let database = config.get_dbname().unwrap_or(user);
        let wanted = [&host, &port.to_string(), database, user];
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .find_map(|line| {
                let fields = password_file_fields(line);
                let (password, fields) = fields.split_last()?;
                let fits = fields.len() == 4
                    && fields
                        .iter()
                        .zip(wanted)
                        .all(|(field, wanted)| field == "*" || field == wanted);
                fits.then(|| password.clone())
            })
    }
}

impl Location {
    /// Whether this names a server.
    pub(crate) fn is_address(text: &Path) -> bool {
        let text = text.to_str();
        text.is_some_and(|text| SCHEMES.iter().any(|scheme| text.starts_with(scheme)))
    }

    /// As it is shown.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Server(server) => &server.name,
        }
    }
}

impl From<&Self> for Location {
    fn from(location: &Self) -> Self {
        location.clone()
    }
}

impl<P: AsRef<Path>> From<P> for Location {
    fn from(path: P) -> Self {
        Self::File(path.as_ref().to_owned())
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn password_file_fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            ':' if fields.len() < 5 => fields.push(String::new()),
            char => {
                let char = if char == '\\' {
                    chars.next()
                } else {
                    Some(char)
                };
                if let Some(field) = fields.last_mut() {
                    field.extend(char);
                }
            }
        }
    }
    fields
}

/// An address without its password, and whether it had one.
fn without_password(text: &str) -> (String, bool) {
    let (address, removed) = without_parameter(text, "password");
    let (scheme, rest) = address.split_once("://").unwrap_or(("", &address));
    // Whatever stands before it, a `/` too: the library reads it so.
    let (user, server) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let at = if user.is_empty() { "" } else { "@" };
    let name = format!("{scheme}://{user}{at}{server}");
    (name, !password.is_empty() || removed.is_some())
}

fn without_parameter(text: &str, name: &str) -> (String, Option<String>) {
    let Some((address, query)) = text.split_once('?') else {
        return (text.to_owned(), None);
    };
    let mut value = None;
    let mut kept = Vec::new();
    for part in query.split('&') {
        match part.split_once('=') {
            Some((key, found)) if key == name => value = Some(found.to_owned()),
            _ => kept.push(part),
        }
    }
    let mark = if kept.is_empty() { "" } else { "?" };
    (format!("{address}{mark}{}", kept.join("&")), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str) -> ServerAddress {
        ServerAddress::parse(address, true).unwrap()
    }

    #[test]
    fn an_address_names_server_user_and_database() {
        let all = parse("postgresql://a%40b@db.example.com:6432/firm%20one?connect_timeout=3");
        assert_eq!(all.config.get_user(), Some("a@b"));
        assert_eq!(
            all.config.get_hosts(),
            [Host::Tcp("db.example.com".to_owned())]
        );
        assert_eq!(all.config.get_ports(), [6432]);
        assert_eq!(all.config.get_dbname(), Some("firm one"));
        assert_eq!(all.config.get_application_name(), Some("caseload"));
        let six = parse("postgres://me@[::1]/x");
        assert_eq!(six.config.get_hosts(), [Host::Tcp("::1".to_owned())]);
        let socket = parse("postgres://me@%2Frun%2Fpostgresql:5433/x");
        assert_eq!(
            socket.config.get_hosts(),
            [Host::Unix("/run/postgresql".into())]
        );
        assert_eq!(socket.config.get_ports(), [5433]);
        for invalid in [
            "postgres://me@h:port/x",
            "postgres://me@h/x?unknown=1",
            "me@h/x",
        ] {
            let parsed = ServerAddress::parse(invalid, true);
            assert!(matches!(parsed, Err(AddressError::Invalid(_))), "{invalid}");
        }
    }

    #[test]
    fn only_this_machine_is_reached_without_encryption() {
        for (address, encrypted) in [
            ("postgres://me@localhost/x", false),
            ("postgres://me@127.0.0.2/x", false),
            ("postgres://me@[::1]/x", false),
            ("postgres://me@%2Frun%2Fpostgresql/x", false),
            ("postgres://me@localhost/x?sslmode=verify-full", true),
            ("postgres://me@db/x", true),
            ("postgres://me@db/x?sslmode=disable", false),
            ("postgres://me@localhost,db/x", true),
            ("postgres://me@localhost/x?host=db", true),
            ("postgres://me@localhost/x?hostaddr=10.0.0.1", true),
            ("postgres://me@localhost.example.com/x", true),
        ] {
            assert_eq!(parse(address).is_encrypted(), encrypted, "{address}");
        }
        for mode in ["allow", "prefer", "require", "verify-ca", ""] {
            let address = format!("postgres://me@localhost/x?sslmode={mode}");
            let parsed = ServerAddress::parse(&address, true);
            assert!(matches!(parsed, Err(AddressError::SslMode(_))), "{mode}");
        }
    }

    #[test]
    fn a_password_is_taken_from_the_environment_alone_and_never_shown() {
        for address in [
            "postgres://me:secret@h/x",
            "postgres://me:sec/secret@h/x",
            "postgres://me:sec?secret@h/x",
            "postgres://me:sec@secret@h/x",
            "postgres://me@h/x?password=secret",
            "postgres://me@h/x?connect_timeout=3&password=secret",
            "postgres://:secret@h/x",
            "postgres://me:secret@h:port/x",
        ] {
            if let Ok(parsed) = ServerAddress::parse(address, true) {
                assert!(parsed.has_password(), "{address}");
                assert!(!format!("{parsed:?} {}", parsed.name()).contains("secret"));
            }
            let refused = ServerAddress::parse(address, false).unwrap_err();
            assert!(
                !format!("{refused:?} {refused}").contains("secret"),
                "{address}"
            );
        }
        assert_eq!(
            parse("postgres://me:secret@h:1/x").name(),
            "postgres://me@h:1/x"
        );
        assert_eq!(
            parse("postgres://me@h/x?sslmode=disable").name(),
            "postgres://me@h/x?sslmode=disable"
        );
    }

    #[test]
    fn a_password_file_is_read_as_the_programs_of_the_server_do() {
        let file = "# h:5432:x:me:no\nh:5432:x:you:no\nh:1:x:me:no\n\
                    h:5432:x:me:a\\:b\\\\c:d\n*:*:*:me:any\n\n::1:5432:x:me:no\n\
                    \\:\\:1:5432:x:six:of six\nlocalhost:*:x:me:local\n";
        let password = |address: &str| parse(address).password_in(file);
        let found = |text: &str| Some(text.to_owned());
        assert_eq!(password("postgres://me@h/x"), found("a:b\\c:d"));
        assert_eq!(password("postgres://me@h:2/x"), found("any"));
        assert_eq!(password("postgres://six@[::1]/x"), found("of six"));
        assert_eq!(password("postgres://nobody@h/x"), None);
        let of_socket = "localhost:*:x:me:local\n";
        let socket = parse("postgres://me@%2Frun%2Fpostgresql/x");
        assert_eq!(socket.password_in(of_socket), found("local"));
    }
}
