//! `banyan conformance` against the sandbox, which passes, and against what is not there.

use banyan_client::{HostGuard, HttpClient, HttpSettings};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::place::banyan;
use crate::process::{Ran, run};
use crate::sandbox::Sandbox;

#[test]
fn the_sandbox_passes_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path());
    let secret = sandbox.description["hospitals"][2]["secret"]
        .as_str()
        .unwrap();
    let conformance = |arguments: &[&str]| -> Ran {
        let mut command = banyan(folder.path());
        command.arg("conformance").args(arguments);
        let ran = run(&mut command);
        assert!(!ran.out.contains(&secret[..16]) && !ran.err.contains(&secret[..16]));
        ran
    };
    let said = conformance(&[
        "platform",
        "--sandbox",
        ".",
        "--json",
        "p.json",
        "--html",
        "p.html",
    ])
    .success();
    let report: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("p.json")).unwrap()).unwrap();
    let cases = report["cases"].as_array().unwrap();
    // Nothing is left out: the sandbox has a person, a callback address, everything.
    assert!(
        cases.len() > 35 && cases.iter().all(|case| case["outcome"] == "passed"),
        "{said}"
    );
    let page = std::fs::read_to_string(folder.path().join("p.html")).unwrap();
    assert!(page.contains("P-MDL001-01") && page.contains("未通过 0"));
    let said = conformance(&["hospital", "--sandbox", "."]).success();
    assert!(
        said.contains("合格") && said.contains("跳过  H-ORG001-01"),
        "{said}"
    );

    // What could not be run is no failure of the other side.
    let nobody = [
        "platform",
        "--url",
        "http://127.0.0.1:9",
        "--app-id",
        "A",
        "--org-id",
        "H1",
        "--secret-file",
        "secret",
    ];
    let without_secret = conformance(&nobody);
    assert_eq!(without_secret.code, Some(2));
    std::fs::write(folder.path().join("secret"), "0123456789abcdef0123\n").unwrap();
    assert_eq!(conformance(&nobody).code, Some(2));
    let mut elsewhere = nobody;
    elsewhere[2] = "http://platform.example.invalid";
    let warned = conformance(&elsewhere);
    assert_eq!(warned.code, Some(2));
    assert!(warned.err.contains("--yes"), "{}", warned.err);

    // A platform that does not know us fails.
    let platform = sandbox.description["platform"].as_str().unwrap();
    let mut stranger = nobody;
    stranger[2] = platform;
    let failed = conformance(&stranger);
    assert_eq!(failed.code, Some(1), "{}", failed.err);
    assert!(
        failed.out.contains("改法") && failed.out.contains("依据：接入指南"),
        "{}",
        failed.out
    );
    assert_eq!(sandbox.program.stop().code, Some(0));
}

/// The hospital's side of the guide, kept by the edge.
#[tokio::test]
async fn the_edge_passes_as_a_hospital() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (edge, hospital) = (
        text(&sandbox.description["edge"]),
        &sandbox.description["hospitals"][0],
    );
    let http = HttpClient::new(&HttpSettings::default()).unwrap();
    let row = json!({ "items": [{
        "userType": "01", "orgTraceId": "KNOWN-1", "medType": "11", "feeType": "01",
        "itemName": "诊查费", "amount": "1.00", "actualTime": "2026-03-01 09:30:00",
    }] });
    let key = text(&sandbox.description["edgeApiKey"]);
    let url = format!("{edge}/v1/overdue/report").parse().unwrap();
    let body = Bytes::from(row.to_string());
    let reply = http.post_with_key(&url, body, Some(&key), &HostGuard::Anywhere);
    assert_eq!(reply.await.unwrap().status, 200);
    std::fs::write(folder.path().join("secret"), text(&hospital["secret"])).unwrap();
    let said = run(banyan(folder.path())
        .args(["conformance", "hospital", "--url", &edge])
        .args(["--app-id", &text(&hospital["appId"])])
        .args(["--org-id", &text(&hospital["orgId"])])
        .args(["--secret-file", "secret", "--known", "KNOWN-1", "--yes"]))
    .success();
    assert!(
        said.contains("合格") && !said.contains("跳过  H-"),
        "{said}"
    );
    assert_eq!(sandbox.program.stop().code, Some(0));
}
