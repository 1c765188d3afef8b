//! TLS: the platform's trust store, one more authority if the user names one,
//! and an error that says who issued a rejected certificate.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
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
pub(super) fn tls(encrypted: bool, ca_file: Option<&Path>) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TrustError::System)?;
    if !encrypted {
        return Ok(builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth());
    }
    let verifier = IssuerNamingVerifier(platform_verifier(ca_file, provider)?);
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn platform_verifier(
    ca_file: Option<&Path>,
    provider: Arc<CryptoProvider>,
) -> Result<Verifier, TrustError> {
    let Some(path) = ca_file else {
        return Verifier::new(provider).map_err(TrustError::System);
    };
    let unusable = |reason: String| TrustError::AuthorityFile {
        path: path.to_owned(),
        reason,
    };
    let authorities = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(error.to_string()))?;
    if authorities.is_empty() {
        return Err(unusable("it has no certificate".to_owned()));
    }
    Verifier::new_with_extra_roots(authorities, provider)
        .map_err(|error| unusable(error.to_string()))
}

/// The message of an error of [`IssuerNamingVerifier`].
pub(super) fn certificate_rejected(error: &rustls::Error) -> Option<String> {
    match error {
        rustls::Error::Other(message) => Some(message.0.to_string()),
        _ => None,
    }
}

/// The platform's verifier, whose errors name the issuer of the certificate.
#[derive(Debug)]
struct IssuerNamingVerifier(Verifier);

impl ServerCertVerifier for IssuerNamingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|cause| {
                let issuer =
                    issuer(end_entity).map(|issuer| format!("; it was issued by {issuer}"));
                let issuer = issuer.unwrap_or_default();
                let message = format!("the server's certificate was rejected ({cause}){issuer}");
                let error: Box<dyn Error + Send + Sync> = message.into();
                rustls::Error::Other(OtherError(error.into()))
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// The issuer of a DER certificate, such as `CN=Acme CA,O=Acme`.
fn issuer(certificate: &[u8]) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate().issuer().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_is_read_from_the_certificate() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/server.pem");
        let certificate = CertificateDer::from_pem_file(file).unwrap();
        assert_eq!(issuer(&certificate).unwrap(), "CN=Acme Inspection CA");
        for length in 0..certificate.len() {
            // A truncated certificate has no issuer, or the same one.
            let issuer = issuer(&certificate[..length]);
            assert!(issuer.is_none_or(|issuer| issuer == "CN=Acme Inspection CA"));
        }
    }
}
