//! TLS with cameras, whose certificates are of their own making.
//!
//! Hardly any camera has a certificate that anybody else vouches for, so none is asked for: who
//! listens on the way learns nothing, who stands in the way is not found out. It is the same for
//! streams over `rtsps`. Nothing but cameras may be spoken to with this.

use std::sync::{Arc, LazyLock};

use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};

/// How to speak TLS with a camera; `None` when this build cannot.
pub(super) fn connector() -> Option<TlsConnector> {
    static CONNECTOR: LazyLock<Option<TlsConnector>> = LazyLock::new(|| {
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Unverified(provider.clone()));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .ok()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Some(TlsConnector::from(Arc::new(config)))
    });
    CONNECTOR.clone()
}

/// Takes every certificate. The signature is not looked at either: without trust in the key it
/// proves nothing, and it would shut out the old forms of certificate that cameras have.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
