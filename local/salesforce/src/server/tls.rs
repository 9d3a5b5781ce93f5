//! A test certificate authority and the certificate of every Salesforce host, made at start.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig, pki_types::PrivateKeyDer};

/// The names that the certificate is good for.
const NAMES: [&str; 9] = [
    "login.salesforce.com",
    "test.salesforce.com",
    "*.salesforce.com",
    "*.my.salesforce.com",
    "*.sandbox.my.salesforce.com",
    "*.develop.my.salesforce.com",
    "*.scratch.my.salesforce.com",
    "localhost",
    "127.0.0.1",
];

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate could not be signed.
    #[error("cannot make the test certificate")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused it.
    #[error("cannot use the test certificate")]
    Config(#[from] rustls::Error),
}

/// The CA's certificate and what accepts TLS connections.
pub(crate) struct Identity {
    pub(crate) ca_pem: String,
    pub(crate) acceptor: TlsAcceptor,
}

impl Identity {
    /// Makes a new authority and a certificate signed by it.
    pub(crate) fn new() -> Result<Self, TlsError> {
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.distinguished_name.push(DnType::CommonName, "Salesforce simulator test CA");
        let issuer = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
        leaf.distinguished_name.push(DnType::CommonName, "login.salesforce.com");
        // Python's ssl module insists on it.
        leaf.use_authority_key_identifier_extension = true;
        let certificate = leaf.signed_by(&key, &issuer)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { ca_pem: issuer.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}
