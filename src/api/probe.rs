//! One call that creates nothing: whether the server can be reached, and what it
//! shows of itself.

use std::error::Error;
use std::iter::successors;
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
    /// Who issued the server's certificate, and when it expires.
    pub certificate: Option<(String, SystemTime)>,
    /// The server's clock.
    pub date: Option<SystemTime>,
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
            in_tls: successors(error.source(), |cause: &&'_ (dyn Error + 'static)| {
                (*cause).source()
            })
            .any(|cause| trust::tls_error(cause).is_some()),
            message: self.described(&error),
        })?;
        let tls = response.extensions().get::<TlsInfo>();
        let certificate = tls.and_then(TlsInfo::peer_certificate);
        Ok(Probe {
            status: response.status().as_u16(),
            certificate: certificate.and_then(|der| trust::issuer(der).zip(trust::expiry(der))),
            date: response.headers().get(DATE).and_then(http_date),
        })
    }
}
