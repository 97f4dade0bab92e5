//! `banyan sandbox` as other programs find it: `sandbox.json`, `banyan call`, a clean stop, and a
//! second start that carries on.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use banyan_protocol::catalogue::Interface;
use serde_json::{Value, json};

use crate::partner::{Partner, items};
use crate::place::banyan;
use crate::process::{Program, Ran, run};

/// A sandbox without traffic of its own that is ready.
pub(crate) struct Sandbox {
    pub(crate) program: Program,
    pub(crate) description: Value,
}

impl Sandbox {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut program = Program::start(&mut command(folder, "127.0.0.1:0", "127.0.0.1:0"));
        program.wait_for(|said, _| said.contains("榕沙箱已就绪").then_some(()));
        let text = std::fs::read(folder.join("sandbox.json")).unwrap();
        Self {
            program,
            description: serde_json::from_slice(&text).unwrap(),
        }
    }
}

fn command(folder: &Path, listen: &str, edge_listen: &str) -> Command {
    let mut command = banyan(folder);
    command
        .args(["sandbox", "--no-traffic", "--listen", listen])
        .args(["--edge-listen", edge_listen, "--data-dir"])
        .arg(folder);
    command
}

fn call(folder: &Path, code: &str, data: &Value, more: &[&str]) -> Ran {
    let mut command = banyan(folder);
    command
        .args(["call", code, "--data", &data.to_string(), "--sandbox"])
        .arg(folder)
        .args(more);
    run(&mut command)
}

fn called(folder: &Path, code: &str, data: &Value, more: &[&str]) -> Value {
    serde_json::from_str(&call(folder, code, data, more).success()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_appears_when_everything_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.json");
    let mut program = Program::start(&mut command(folder.path(), "127.0.0.1:0", "127.0.0.1:0"));
    // Whoever waits for the file finds it whole, and every port behind it open.
    let text = program.wait_for(|_, _| std::fs::read_to_string(&path).ok());
    let description: Value = serde_json::from_str(&text).unwrap();
    is_the_contract(&description);
    let platform = description["platform"].as_str().unwrap();
    for page in ["/healthz", "/readyz"] {
        crate::stopping::get(platform, page).await;
    }
    // The worker shows these once it has counted for the first time.
    let counted = async {
        let gauges = [
            "banyan_oldest_job_age_seconds",
            "banyan_oldest_waiting_read_age_seconds",
        ];
        let mut figures = String::new();
        while !gauges.iter().all(|gauge| figures.contains(gauge)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            figures = crate::stopping::get(platform, "/metrics").await;
        }
    };
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, counted).await.unwrap();
    for hospital in description["hospitals"].as_array().unwrap() {
        let url: url::Url = hospital["callbackUrl"].as_str().unwrap().parse().unwrap();
        assert_eq!(url.path(), "/umdl/callback");
        let address = (url.host_str().unwrap(), url.port().unwrap());
        tokio::net::TcpStream::connect(address).await.unwrap();
    }
    let mzt = description["mztUrl"].as_str().unwrap();
    let told = crate::stopping::get(mzt.trim_end_matches('/'), "/").await;
    assert!(told.contains("还没有收到通知"), "{told}");
    let ended = program.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for word in [platform, mzt, "banyan call ORG_MDL_002", "Ctrl-C"] {
        assert!(ended.out.contains(word), "{}", ended.out);
    }
}

/// The members and their number, on which tools of others rely, and people whom nobody is.
fn is_the_contract(description: &Value) {
    let keys = |value: &Value| {
        let mut keys: Vec<&str> = value
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        keys.join(" ")
    };
    assert_eq!(
        keys(description),
        "citizens console edge edgeApiKey environment hospitals insurers mzt mztUrl platform terminal"
    );
    assert_eq!(keys(&description["mzt"]), "appId secret");
    assert_eq!(keys(&description["console"]), "password url username");
    assert_eq!(description["environment"], "test");
    let hospitals = description["hospitals"].as_array().unwrap();
    assert!(hospitals.len() >= 3);
    let mut secrets = HashSet::from([description["mzt"]["secret"].as_str().unwrap()]);
    for hospital in hospitals {
        assert_eq!(keys(hospital), "appId callbackUrl orgId orgName secret");
        assert!(secrets.insert(hospital["secret"].as_str().unwrap()));
        assert!(hospital["orgId"].as_str().unwrap().len() <= 12);
    }
    let insurers = description["insurers"].as_array().unwrap();
    let levels: Vec<_> = insurers
        .iter()
        .map(|insurer| insurer["level"].as_i64())
        .collect();
    assert_eq!(levels, [Some(1), Some(4)]);
    for insurer in insurers {
        assert_eq!(
            keys(insurer),
            "chs_fjs_appid chs_fjs_appsecret level serviceIds"
        );
        assert!(secrets.insert(insurer["chs_fjs_appsecret"].as_str().unwrap()));
        assert!(!insurer["serviceIds"].as_array().unwrap().is_empty());
    }
    let edge = description["edge"].as_str().unwrap();
    let behind_edge = hospitals[0]["callbackUrl"].as_str().unwrap();
    assert!(behind_edge.starts_with(edge) && !edge.is_empty());
    let citizens = description["citizens"].as_array().unwrap();
    assert_eq!(citizens.len(), 200);
    let mut numbers = HashSet::new();
    for citizen in citizens {
        assert_eq!(
            keys(citizen),
            "ecQrCode ehealthCardId idNo idType mobilePhone psnNo userName"
        );
        let id_no = citizen["idNo"].as_str().unwrap();
        assert!(check_digit_fits(id_no) && numbers.insert(id_no), "{id_no}");
        let index = citizen["ehealthCardId"].as_str().unwrap();
        assert!(index.len() == 64 && index.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(citizen["mobilePhone"].as_str().unwrap().len(), 11);
    }
}

/// GB 11643: all eighteen values, each times 2^(18-place), leave 1 modulo 11.
fn check_digit_fits(id_no: &str) -> bool {
    let values = id_no.chars().map(|c| match c {
        'X' => 10,
        digit => u64::from(digit.to_digit(10).unwrap()),
    });
    let sum: u64 = values
        .zip((0..18).rev())
        .map(|(value, power)| value << power)
        .sum();
    id_no.len() == 18 && sum % 11 == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sandbox = Sandbox::start(folder);
    let description = &sandbox.description;
    let hospital = &description["hospitals"][0];
    let citizen = &description["citizens"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (org_id, secret) = (text(&hospital["orgId"]), text(&hospital["secret"]));
    let report = json!({
        "orgId": org_id, "orgName": hospital["orgName"], "orgRequestId": "cli-1",
        "notifyUrl": hospital["callbackUrl"],
        "unsettleList": [{
            "idNo": citizen["idNo"], "idType": citizen["idType"],
            "userName": citizen["userName"], "ehealthCardId": citizen["ehealthCardId"],
            "userType": "02",
            "itemList": [{
                "orgTraceId": "cli-1-1", "medType": "11", "feeType": "01",
                "itemName": "门诊 CT 检查", "amount": "300.5",
                "actualTime": "2025-11-21 08:30:00",
            }],
        }],
    });
    let shown = call(folder, "ORG_MDL_001", &report, &["--show"]);
    for said in [&shown.out, &shown.err] {
        assert!(!said.contains(&secret[..16]), "the secret shows: {said}");
    }
    assert!(
        shown.err.contains("appId=") && shown.err.contains("&key=***"),
        "{}",
        shown.err
    );
    assert!(shown.err.contains("\"encryptData\""), "{}", shown.err);
    let reply: Value = serde_json::from_str(&shown.success()).unwrap();
    assert_eq!(reply["state"], "success");

    let about = json!({ "orgId": org_id, "orgRequestId": "cli-1" });
    let outcome = crate::eventually("the batch is judged", async || {
        let outcome = called(folder, "ORG_MDL_005", &about, &[]);
        (outcome["extData"]["batchState"] == "judged").then_some(outcome)
    })
    .await;
    let (_, trace, state) = items(&outcome).remove(0);
    assert_eq!(state, "0");

    let query = json!({
        "businessType": "01101", "idNo": citizen["idNo"], "idType": citizen["idType"],
        "userName": citizen["userName"], "ehealthCardId": citizen["ehealthCardId"],
    });
    // As any of those who may ask, sealed or plain, given as text or in a file.
    let other = text(&description["hospitals"][1]["appId"]);
    for who in [
        &[] as &[&str],
        &["--profile", &other],
        &["--profile", "mzt"],
        &["--plain"],
    ] {
        let reply = called(folder, "ORG_MDL_002", &query, who);
        assert_eq!(reply["next"], "0", "{reply}");
        assert_eq!(reply["itemList"][0]["amount"], "300.50", "{reply}");
    }
    std::fs::write(folder.join("query.json"), query.to_string()).unwrap();
    let mut from_file = banyan(folder);
    from_file.args([
        "call",
        "ORG_MDL_002",
        "--data",
        "@query.json",
        "--sandbox",
        ".",
    ]);
    assert!(run(&mut from_file).success().contains("300.50"));

    let who = json!({
        "idNo": citizen["idNo"], "idType": citizen["idType"], "userName": citizen["userName"],
    });
    let link = called(folder, "ORG_MDL_004", &who, &["--profile", "mzt"]);
    let link = text(&link["mdrUrl"]);
    assert!(link.starts_with(&text(&description["platform"])), "{link}");

    let mut paid = who;
    paid["orgId"] = json!(org_id);
    paid["orgRequestId"] = json!("cli-2");
    paid["ehealthCardId"] = citizen["ehealthCardId"].clone();
    paid["notifyUrl"] = hospital["callbackUrl"].clone();
    paid["itemList"] = json!([{"orgTraceId": "cli-1-1", "traceId": trace, "state": "1"}]);
    let reply = called(folder, "ORG_MDL_003", &paid, &["--profile", &org_id]);
    assert_eq!(reply["state"], "success");
    crate::eventually("nothing is owed any more", async || {
        (called(folder, "ORG_MDL_002", &query, &[])["next"] == "1").then_some(())
    })
    .await;

    // What can't be is said in Chinese, with status 1.
    let refused = call(folder, "ORG_MDL_001", &json!({}), &["--profile", "mzt"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("对方拒绝：-4"), "{}", refused.err);
    let refused = call(folder, "ORG_MDL_001", &json!({}), &[]);
    assert!(refused.err.contains("000105"), "{}", refused.err);
    for (code, data, more, word) in [
        ("ORG_MDL_999", "{}", &[] as &[&str], "没有接口"),
        ("ORG_MDL_002", "{", &[], "JSON"),
        ("ORG_MDL_002", "@absent.json", &[], "absent.json"),
        ("ORG_MDL_002", "{}", &["--profile", "nobody"], "可用"),
    ] {
        let mut command = banyan(folder);
        command
            .args(["call", code, "--data", data, "--sandbox", "."])
            .args(more);
        let said = run(&mut command).failure();
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(sandbox.program.stop().code, Some(0));
    let mut stopped = banyan(folder);
    stopped.args(["call", "ORG_MDL_002", "--data", "{}", "--sandbox", "."]);
    run(&mut stopped).failure();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_start_carries_on() {
    let folder = tempfile::tempdir().unwrap();
    let first = Sandbox::start(folder.path());
    let (platform, hospital) = hospital(&first);
    let batch = json!({
        "orgId": hospital.org_id, "orgName": "榕城第一医院", "orgRequestId": "kept",
        "notifyUrl": first.description["hospitals"][0]["callbackUrl"],
    });
    hospital.ask(&platform, Interface::OrgMdl001, &batch).await;
    assert_eq!(first.program.stop().code, Some(0));

    let second = Sandbox::start(folder.path());
    for part in ["mzt", "citizens"] {
        assert_eq!(first.description[part], second.description[part]);
    }
    let credentials = |description: &Value| {
        let hospitals = description["hospitals"].as_array().unwrap().clone();
        let wanted = ["orgId", "orgName", "appId", "secret"];
        hospitals
            .iter()
            .map(|one| wanted.map(|part| one[part].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        credentials(&first.description),
        credentials(&second.description)
    );
    let (platform, hospital) = self::hospital(&second);
    crate::eventually("the batch is still there", async || {
        hospital.outcome(&platform, "kept").await
    })
    .await;

    // Another folder is another province, and a port has room for one.
    let other = tempfile::tempdir().unwrap();
    let busy = platform.trim_start_matches("http://");
    let edge = second.description["edge"]
        .as_str()
        .unwrap()
        .trim_start_matches("http://");
    for (listen, edge_listen) in [(busy, "127.0.0.1:0"), ("127.0.0.1:0", edge)] {
        let said = run(&mut command(other.path(), listen, edge_listen)).failure();
        let (port, option) = if listen == busy {
            (busy, "--listen")
        } else {
            (edge, "--edge-listen")
        };
        assert!(said.contains(port), "{said}");
        assert!(
            said.contains("占用") && said.contains(option),
            "it says what to do: {said}"
        );
        assert!(!other.path().join("sandbox.json").exists());
    }
    let stranger = Sandbox::start(other.path());
    assert_ne!(
        credentials(&first.description),
        credentials(&stranger.description)
    );
    assert_eq!(stranger.program.stop().code, Some(0));
    second.program.signal("INT");
    assert_eq!(second.program.wait().code, Some(0));
}

/// A start that came to nothing must not leave the addresses of the last one lying about, where
/// a program that waits for the file would take them for those of a sandbox that runs.
#[test]
fn an_old_description_does_not_outlive_its_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let first = Sandbox::start(folder.path());
    first.program.kill();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let edge = taken.local_addr().unwrap().to_string();
    run(&mut command(folder.path(), "127.0.0.1:0", &edge)).failure();
    assert!(!folder.path().join("sandbox.json").exists());
}

fn hospital(sandbox: &Sandbox) -> (String, Partner) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let hospital = &sandbox.description["hospitals"][0];
    let partner = Partner::new(
        &text(&hospital["orgId"]),
        &text(&hospital["appId"]),
        &text(&hospital["secret"]),
    );
    (text(&sandbox.description["platform"]), partner)
}
