//! TLS: the platform's trust store, one more authority or the server's own
//! certificate if the user names one, and an error that says who issued a
//! rejected certificate.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// The file of `--ca-file`.
    #[error("can't use {} as a certificate authority: {reason}; expected a PEM file", path.display())]
    AuthorityFile { path: PathBuf, reason: String },
    #[error("can't load the system's certificate authorities: {0}")]
    System(#[source] rustls::Error),
}

/// The client's TLS settings. Without encryption, which only this machine may
/// use, no trust store is read.
pub(crate) fn tls(encrypted: bool, ca_file: Option<&Path>) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TrustError::System)?;
    if !encrypted {
        return Ok(builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth());
    }
    let verifier = server_verifier(ca_file, provider)?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn server_verifier(
    ca_file: Option<&Path>,
    provider: Arc<CryptoProvider>,
) -> Result<IssuerNamingVerifier, TrustError> {
    let Some(path) = ca_file else {
        let platform = Verifier::new(provider).map_err(TrustError::System)?;
        let named = Vec::new();
        return Ok(IssuerNamingVerifier { platform, named });
    };
    let unusable = |reason: String| TrustError::AuthorityFile {
        path: path.to_owned(),
        reason,
    };
    let named = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(error.to_string()))?;
    if named.is_empty() {
        return Err(unusable("it has no certificate".to_owned()));
    }
    let platform = Verifier::new_with_extra_roots(named.iter().cloned(), provider)
        .map_err(|error| unusable(error.to_string()))?;
    Ok(IssuerNamingVerifier { platform, named })
}

/// An error of TLS itself. Looks into `io::Error`s, whose `source` skips the error
/// that they wrap.
pub(super) fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    match error.downcast_ref::<std::io::Error>() {
        Some(io) => tls_error(io.get_ref()?),
        None => error.downcast_ref(),
    }
}

/// The message of an error of [`IssuerNamingVerifier`].
pub(super) fn certificate_rejected(error: &(dyn Error + 'static)) -> Option<String> {
    match tls_error(error)? {
        rustls::Error::Other(message) => Some(message.0.to_string()),
        _ => None,
    }
}

/// The platform's verifier, whose errors name the issuer of the certificate.
#[derive(Debug)]
struct IssuerNamingVerifier {
    platform: Verifier,
    /// The certificates of `--ca-file`.
    named: Vec<CertificateDer<'static>>,
}

impl IssuerNamingVerifier {
    /// A self-signed certificate may say that it is an authority's, which no
    /// server's should. Whoever names exactly this one means it as the server's.
    fn is_named(
        &self,
        certificate: &CertificateDer<'_>,
        server_name: &ServerName<'_>,
        cause: &rustls::Error,
    ) -> bool {
        let is_for_host =
            || verify_server_name(&ParsedCertificate::try_from(certificate)?, server_name);
        is_authority(cause) && self.named.contains(certificate) && is_for_host().is_ok()
    }
}

/// The error's own type is private; checked after the dates.
fn is_authority(cause: &rustls::Error) -> bool {
    matches!(
        cause,
        rustls::Error::InvalidCertificate(CertificateError::Other(_))
    ) && cause.to_string().contains("CaUsedAsEndEntity")
}

/// Why a certificate is rejected, in words.
fn reason(cause: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(error) = cause else {
        return cause.to_string();
    };
    let words = match error {
        CertificateError::UnknownIssuer => "its issuer is not trusted",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host"
        }
        CertificateError::Revoked => "it was revoked",
        _ if is_authority(cause) => "it is an authority's, not a server's",
        _ => return cause.to_string(),
    };
    words.to_owned()
}

impl ServerCertVerifier for IssuerNamingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = (self.platform).verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        verified.or_else(|cause| {
            if self.is_named(end_entity, server_name, &cause) {
                return Ok(ServerCertVerified::assertion());
            }
            let issuer = issuer(end_entity).map(|issuer| format!("; it was issued by {issuer}"));
            let message = format!(
                "the server's certificate was rejected: {}{}",
                reason(&cause),
                issuer.unwrap_or_default()
            );
            let error: Box<dyn Error + Send + Sync> = message.into();
            Err(rustls::Error::Other(OtherError(error.into())))
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.platform
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.platform
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.platform.supported_verify_schemes()
    }
}

/// When a DER certificate expires.
pub(super) fn expiry(certificate: &[u8]) -> Option<SystemTime> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let validity = certificate.tbs_certificate().validity();
    Some(UNIX_EPOCH + validity.not_after.to_unix_duration())
}

/// The issuer of a DER certificate by its common name, such as `Acme CA`, or by
/// all that it has.
pub(super) fn issuer(certificate: &[u8]) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let issuer = certificate.tbs_certificate().issuer();
    match issuer.common_name() {
        Ok(Some(name)) => Some(name.value().into_owned()),
        _ => Some(issuer.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_is_read_from_the_certificate() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/server.pem");
        let certificate = CertificateDer::from_pem_file(file).unwrap();
        assert_eq!(issuer(&certificate).unwrap(), "Acme Inspection CA");
        for length in 0..certificate.len() {
            // A truncated certificate has no issuer, or the same one.
            let issuer = issuer(&certificate[..length]);
            assert!(issuer.is_none_or(|issuer| issuer == "Acme Inspection CA"));
        }
    }
}
