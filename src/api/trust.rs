//! TLS: the platform's trust store, one more authority if the user names one,
//! and a refusal that says who issued the certificate.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file of `--ca-file`.
    #[error("can't use {} as a certificate authority: {why}; expected a PEM file", path.display())]
    AuthorityFile {
        /// The file.
        path: PathBuf,
        /// What was wrong with it.
        why: String,
    },
    /// The platform's own store.
    #[error("can't load the system's certificate authorities: {0}")]
    System(#[source] rustls::Error),
}

/// The TLS settings of the client. Without encryption (this machine only) no
/// store is read at all.
pub(super) fn tls(encrypted: bool, ca_file: Option<&Path>) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TrustError::System)?;
    if !encrypted {
        return Ok(builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth());
    }
    let verifier = NamingVerifier {
        inner: platform_verifier(ca_file, provider)?,
    };
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
    let unusable = |why: String| TrustError::AuthorityFile {
        path: path.to_owned(),
        why,
    };
    let authorities = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(error.to_string()))?;
    if authorities.is_empty() {
        return Err(unusable("it holds no certificate".to_owned()));
    }
    Verifier::new_with_extra_roots(authorities, provider)
        .map_err(|error| unusable(error.to_string()))
}

/// The platform's verifier, whose refusals name the certificate's issuer.
#[derive(Debug)]
struct NamingVerifier {
    inner: Verifier,
}

/// A refused certificate, as its error chain shows it.
#[derive(Debug)]
pub(super) struct CertificateRefused {
    cause: rustls::Error,
    issuer: Option<String>,
}

impl fmt::Display for CertificateRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server's certificate was refused ({})", self.cause)?;
        match &self.issuer {
            Some(issuer) => write!(f, "; it was issued by {issuer}"),
            None => Ok(()),
        }
    }
}

impl Error for CertificateRefused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

impl ServerCertVerifier for NamingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|cause| {
                let issuer = X509Certificate::from_der(end_entity)
                    .ok()
                    .map(|(_, certificate)| certificate.issuer().to_string());
                rustls::Error::Other(OtherError(Arc::new(CertificateRefused { cause, issuer })))
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
