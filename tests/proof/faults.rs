//! How the server can react to a request, and what that proves by the contract.

use std::time::Duration;

use fastrand::Rng;

use super::checker::Proof;
use super::server::{Reaction, Response, created, react, status};

/// The id that a broken server returns for every case.
pub(crate) const SHARED_ID: &str = "shared-id";

/// Whether the server creates the case, whatever it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Created,
    NotCreated,
}

/// How long the answer asks to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryAfter {
    None,
    Seconds(u32),
    /// A date, this many seconds after the answer's own.
    Date(u32),
}

/// The reaction to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No fault: created and answered, after this many milliseconds.
    Created(u64),
    /// The same after an interim answer.
    Interim(u16),
    /// Created and answered; then the connection is closed.
    CreatedThenClose,
    /// Created and answered; then the connection is closed when it is idle.
    CreatedThenIdle(u64),
    /// Created and answered; the next request on this connection meets a 408.
    CreatedThenStale408,
    /// A status, with a body of JSON.
    Status(u16, RetryAfter, Case),
    /// A 2xx with this body, which has no case id.
    NoId(&'static str, Case),
    /// A 2xx with an id that other cases have too.
    SharedId,
    /// Half an answer, cut off in its body.
    HalfBody,
    /// Half a status line.
    HalfStatusLine(Case),
    /// The request is read, and the connection is closed.
    Close(Case),
    /// The request is read, and the connection is reset.
    Reset(Case),
    /// The request is read, and never answered.
    Silence(Case),
}

use Case::{Created, NotCreated};

/// Bodies of a 2xx without a case id.
const NO_IDS: [&str; 4] = [
    "{}",
    r#"{"success":false}"#,
    "<html><body>Welcome back</body></html>",
    "",
];

impl Fault {
    /// Every kind that the long form must have seen, those of connections too.
    pub(crate) const KINDS: [&str; 43] = [
        "no such host",
        "refused",
        "TLS garbage",
        "TLS that hangs",
        "closed at accept",
        "reset at accept",
        "closed when idle",
        "201",
        "100 then 201",
        "102 then 201",
        "103 then 201",
        "201 then closed",
        "201 then closed when idle",
        "201 then stale 408",
        "201 with a shared id",
        "200 {}",
        "200 {\"success\":false}",
        "200 <html><body>Welcome ",
        "300",
        "301",
        "302",
        "303",
        "304",
        "307",
        "308",
        "401",
        "403",
        "404",
        "408",
        "409",
        "422",
        "429",
        "429 with Retry-After",
        "500",
        "502",
        "503",
        "503 with Retry-After",
        "504",
        "half a body",
        "half a status line",
        "read and closed",
        "read and reset",
        "silence",
    ];

    /// Any fault; those that stop the whole run are rare.
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let case = if rng.bool() { Created } else { NotCreated };
        match rng.u32(0..100) {
            0..=4 => Self::Interim(*rng.choice(&[100, 102, 103]).unwrap()),
            5..=10 => Self::CreatedThenClose,
            11..=16 => Self::CreatedThenIdle(rng.u64(1..20)),
            17..=21 => Self::CreatedThenStale408,
            22..=31 => Self::Status(429, retry_after(rng), NotCreated),
            32..=35 => Self::Status(503, some_retry_after(rng), NotCreated),
            36..=39 => Self::Status(503, RetryAfter::None, case),
            40..=51 => Self::Status(
                *rng.choice(&[500, 502, 504]).unwrap(),
                RetryAfter::None,
                case,
            ),
            52..=54 => Self::Status(408, RetryAfter::None, case),
            55..=57 => Self::Status(409, RetryAfter::None, case),
            58..=64 => Self::Status(422, RetryAfter::None, NotCreated),
            65..=67 => Self::Status(
                *rng.choice(&[403, 404]).unwrap(),
                RetryAfter::None,
                NotCreated,
            ),
            68 => Self::Status(401, RetryAfter::None, NotCreated),
            69 => Self::Status(
                *rng.choice(&[301, 307, 308]).unwrap(),
                RetryAfter::None,
                NotCreated,
            ),
            70 => Self::Status(
                *rng.choice(&[300, 302, 303, 304]).unwrap(),
                RetryAfter::None,
                case,
            ),
            71..=74 => Self::NoId(rng.choice(NO_IDS).unwrap(), case),
            75..=76 => Self::SharedId,
            77..=81 => Self::HalfBody,
            82..=86 => Self::HalfStatusLine(case),
            87..=91 => Self::Close(case),
            92..=96 => Self::Reset(case),
            _ => Self::Silence(case),
        }
    }

    /// What the answer proves, by the contract's own lists.
    pub(crate) fn proof(&self) -> Proof {
        let nothing_made = match self {
            Self::Status(503, retry_after, _) => *retry_after != RetryAfter::None,
            Self::Status(301 | 307 | 308, ..) => true,
            Self::Status(status, ..) => {
                (400..500).contains(status) && !matches!(status, 408 | 409 | 425)
            }
            _ => false,
        };
        if nothing_made {
            Proof::NotCreated
        } else {
            Proof::None
        }
    }

    /// The id in the answer, for a case that is created under `id`.
    pub(crate) fn case_id<'a>(&self, id: &'a str) -> Option<&'a str> {
        match self {
            Self::Created(_)
            | Self::Interim(_)
            | Self::CreatedThenClose
            | Self::CreatedThenIdle(_)
            | Self::CreatedThenStale408 => Some(id),
            Self::SharedId => Some(SHARED_ID),
            _ => None,
        }
    }

    /// What the server does.
    pub(crate) fn reaction(&self, id: &str) -> Reaction {
        let with = |case: Case| match case {
            Created => react().creates(id),
            NotCreated => react(),
        };
        match *self {
            Self::Created(wait) => react()
                .creates(id)
                .wait(Duration::from_millis(wait))
                .answer(&success(id)),
            Self::Interim(status) => react().creates(id).interim(status).answer(&success(id)),
            Self::CreatedThenClose => created(id).close(),
            Self::CreatedThenIdle(rest) => created(id).idle_timeout(Duration::from_millis(rest)),
            Self::CreatedThenStale408 => created(id)
                .await_byte()
                .answer(&status(408).header("Connection", "close"))
                .close(),
            Self::Status(code, retry_after, case) => with(case).answer(&answer(code, retry_after)),
            Self::NoId(body, case) => with(case).answer(&status(200).json(body)),
            Self::SharedId => react().creates(id).answer(&success(SHARED_ID)),
            Self::HalfBody => react().creates(id).half(&success(id)).finish(),
            Self::HalfStatusLine(case) => with(case).half_status_line().finish(),
            Self::Close(case) => with(case).close(),
            Self::Reset(case) => with(case).reset(),
            Self::Silence(case) => with(case).silence(),
        }
    }

    /// Its name, to count by.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Created(_) => "201".to_owned(),
            Self::Interim(status) => format!("{status} then 201"),
            Self::CreatedThenIdle(_) => "201 then closed when idle".to_owned(),
            Self::CreatedThenClose => "201 then closed".to_owned(),
            Self::CreatedThenStale408 => "201 then stale 408".to_owned(),
            Self::Status(status, RetryAfter::None, _) => status.to_string(),
            Self::Status(status, ..) => format!("{status} with Retry-After"),
            Self::NoId(body, _) => format!("200 {body:.20}"),
            Self::SharedId => "201 with a shared id".to_owned(),
            Self::HalfBody => "half a body".to_owned(),
            Self::HalfStatusLine(_) => "half a status line".to_owned(),
            Self::Close(_) => "read and closed".to_owned(),
            Self::Reset(_) => "read and reset".to_owned(),
            Self::Silence(_) => "silence".to_owned(),
        }
    }
}

fn success(id: &str) -> Response {
    status(201).json(format!("{{\"_id\":\"{id}\"}}"))
}

fn answer(code: u16, retry_after: RetryAfter) -> Response {
    let answer = match code {
        300..=308 => status(code).header("Location", "/elsewhere"),
        502 => status(code).html("<h1>Bad Gateway</h1>"),
        _ => status(code).json(r#"{"message":"scripted"}"#),
    };
    match retry_after {
        RetryAfter::None => answer,
        RetryAfter::Seconds(seconds) => answer.header("Retry-After", &seconds.to_string()),
        RetryAfter::Date(seconds) => answer
            .header("Date", "Wed, 21 Oct 2026 07:28:00 GMT")
            .header(
                "Retry-After",
                &format!("Wed, 21 Oct 2026 07:28:{seconds:02} GMT"),
            ),
    }
}

fn retry_after(rng: &mut Rng) -> RetryAfter {
    // Without one the run waits for a second or more, so that is rare.
    if rng.u32(0..8) == 0 {
        RetryAfter::None
    } else {
        some_retry_after(rng)
    }
}

fn some_retry_after(rng: &mut Rng) -> RetryAfter {
    match rng.u32(0..12) {
        0 => RetryAfter::Seconds(1),
        1 => RetryAfter::Date(1),
        2 => RetryAfter::Date(0),
        // Longer than `--max-wait`: the run stops.
        3 => RetryAfter::Seconds(3600),
        _ => RetryAfter::Seconds(0),
    }
}
