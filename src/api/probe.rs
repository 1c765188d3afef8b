//! One call that creates nothing: whether the server can be reached, and what it
//! shows of itself.

use std::error::Error;
use std::time::SystemTime;

use http::header::DATE;
use reqwest::Method;
use reqwest::tls::TlsInfo;

use super::client::{Client, http_date};
use super::trust;

/// What an answer shows.
#[derive(Debug)]
pub(crate) struct Probe {
    pub status: u16,
    pub certificate: Option<Certificate>,
    /// The server's clock.
    pub date: Option<SystemTime>,
}

/// The certificate of a server.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub issuer: String,
    pub expires: SystemTime,
}

/// Why the server did not answer.
#[derive(Debug)]
pub(crate) struct ProbeError {
    /// The server was reached, and TLS with it failed.
    pub in_tls: bool,
    pub message: String,
}

impl Client {
    /// Asks for the head of the client's own address.
    pub(crate) async fn probe(&self) -> Result<Probe, ProbeError> {
        let answer = self.send(Method::HEAD, self.address().url().clone()).await;
        let response = answer.map_err(|error| ProbeError {
            in_tls: is_of_tls(&error),
            message: self.described(&error),
        })?;
        let tls = response.extensions().get::<TlsInfo>();
        let certificate = tls.and_then(TlsInfo::peer_certificate).and_then(|der| {
            Some(Certificate {
                issuer: trust::issuer(der)?,
                expires: trust::expiry(der)?,
            })
        });
        Ok(Probe {
            status: response.status().as_u16(),
            certificate,
            date: response.headers().get(DATE).and_then(http_date),
        })
    }
}

fn is_of_tls(error: &reqwest::Error) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        if trust::tls_error(cause).is_some() {
            return true;
        }
        next = cause.source();
    }
    false
}
