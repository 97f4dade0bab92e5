//! HTTPS by certificate files: who trusts the certificate gets through, who does not is told so.

use banyan_client::{CallFault, HttpSettings};
use banyan_protocol::catalogue::Interface;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;

use crate::partner::Partner;
use crate::place::{Place, Server};
use crate::process::run;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_that_trusts_the_certificate_gets_through() {
    let place = Place::sqlite();
    let file = |name: &str| place.path().join(name);
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    std::fs::write(file("authority.pem"), authority.pem()).unwrap();
    std::fs::write(file("server.pem"), certificate.pem()).unwrap();
    std::fs::write(file("server.key"), key.serialize_pem()).unwrap();

    let hospital = place.add_hospital("H35019930001");
    let with_tls = |key_file: &str| {
        let mut command = place.banyan(&["serve"]);
        command
            .env("BANYAN_TLS_CERTIFICATE_FILE", file("server.pem"))
            .env("BANYAN_TLS_KEY_FILE", file(key_file));
        command
    };
    let server = Server::start(&mut with_tls("server.key"));
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let trusting = HttpSettings {
        extra_ca_file: Some(file("authority.pem")),
        ..HttpSettings::default()
    };
    let about = json!({ "orgId": hospital.org_id, "orgRequestId": "none" });
    let trusting = Partner::with(
        &hospital.org_id,
        &hospital.app_id,
        &hospital.secret,
        &trusting,
    );
    let answered = trusting
        .call(&server.url, Interface::OrgMdl005, &about)
        .await
        .unwrap();
    assert_eq!(answered.unwrap_err().0, "000105");
    let by_name = server.url.replace("127.0.0.1", "localhost");
    assert!(
        trusting
            .call(&by_name, Interface::OrgMdl005, &about)
            .await
            .is_ok()
    );

    let refused = hospital
        .call(&server.url, Interface::OrgMdl005, &about)
        .await
        .unwrap_err();
    assert!(matches!(refused, CallFault::Tls(_)), "{refused}");
    let unsealed = server.url.replace("https://", "http://");
    assert!(
        hospital
            .call(&unsealed, Interface::OrgMdl005, &about)
            .await
            .is_err()
    );
    assert_eq!(server.program.stop().code, Some(0));

    run(&mut with_tls("missing.key")).failure();
}
