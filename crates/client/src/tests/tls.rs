//! Certificates: trusted, private, foreign, and for another name.

use std::io::Write as _;
use std::net::Ipv4Addr;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{ClientSetupError, ConnectFault};

const NAME: &str = "his.example.cn";

/// An authority made for this test, and a server of that name certified by it.
struct Hospital {
    authority: NamedTempFile,
    server: Server,
}

async fn hospital() -> Hospital {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![NAME.to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let mut authority = NamedTempFile::new().unwrap();
    authority.write_all(issuer.pem().as_bytes()).unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    Hospital {
        authority,
        server: Server::answering_tls(tls, |_| (200, settled())).await,
    }
}

fn trusting(hospital: &Hospital) -> HttpClient {
    HttpClient::new(&HttpSettings {
        extra_ca_file: Some(hospital.authority.path().to_owned()),
        ..settings()
    })
    .unwrap()
}

async fn post(http: &HttpClient, server: &Server, host: &str) -> Result<u16, CallFault> {
    http.resolver().pretend(host, &[Ipv4Addr::LOCALHOST.into()]);
    let url = url::Url::parse(&format!("https://{host}:{}/", server.address.port())).unwrap();
    let guard = listed("loopback his.example.cn other.example.cn");
    http.post(&url, "{}".into(), &guard)
        .await
        .map(|reply| reply.status)
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_we_say_so() {
    let hospital = hospital().await;
    let http = trusting(&hospital);
    for _ in 0..3 {
        assert_eq!(post(&http, &hospital.server, NAME).await, Ok(200));
    }
    assert_eq!(hospital.server.connections(), 1);
    let host = hospital.server.seen()[0]
        .headers
        .get("host")
        .cloned()
        .unwrap();
    assert_eq!(host, format!("{NAME}:{}", hospital.server.address.port()));
    assert_eq!(post(&http, &hospital.server, "127.0.0.1").await, Ok(200));
}

#[tokio::test]
async fn a_foreign_authority_or_another_name_is_not() {
    let hospital = hospital().await;
    let untrusted = post(&client(), &hospital.server, NAME).await.unwrap_err();
    assert!(
        matches!(&untrusted, CallFault::Tls(reason) if reason.contains("UnknownIssuer")),
        "{untrusted:?}"
    );
    assert_eq!(untrusted.blame(), crate::Blame::Them);
    let misnamed = post(&trusting(&hospital), &hospital.server, "other.example.cn").await;
    assert!(matches!(misnamed, Err(CallFault::Tls(_))), "{misnamed:?}");
    assert!(hospital.server.seen().is_empty());
}

#[tokio::test]
async fn what_speaks_no_tls_fails_as_tls() {
    let plain = Server::raw(|mut stream| async move {
        let _hello = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let fault = post(&client(), &plain, NAME).await.unwrap_err();
    assert_eq!(fault.kind(), "tls", "{fault}");
}

#[tokio::test]
async fn a_handshake_that_hangs_costs_the_connect_timeout() {
    let silent = Server::raw(|stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let hasty = HttpClient::new(&HttpSettings {
        connect_timeout: Duration::from_millis(50),
        ..settings()
    })
    .unwrap();
    let fault = post(&hasty, &silent, NAME).await.unwrap_err();
    assert!(
        matches!(fault, CallFault::Connect(ConnectFault::Slow { .. })),
        "{fault:?}"
    );
}

#[test]
fn authorities_that_are_none_are_said_at_the_start() {
    let with = |content: &[u8]| {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        HttpClient::new(&HttpSettings {
            extra_ca_file: Some(file.path().to_owned()),
            ..settings()
        })
    };
    assert!(matches!(
        with(b""),
        Err(ClientSetupError::NoAuthorities { .. })
    ));
    let broken = b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n";
    assert!(matches!(
        with(broken),
        Err(ClientSetupError::UnreadableAuthorities { .. })
    ));
    let empty = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(with(empty), Err(ClientSetupError::Tls(_))));
    let missing = HttpClient::new(&HttpSettings {
        extra_ca_file: Some("/nowhere/ca.pem".into()),
        ..settings()
    });
    let error = missing.unwrap_err();
    assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
}
