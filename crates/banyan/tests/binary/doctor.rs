//! `banyan doctor`: a captured message, the secret, and what is said of both.

use banyan_client::{HostGuard, HttpClient, HttpSettings};
use banyan_protocol::ambient::{Clock as _, SystemClock};
use banyan_protocol::catalogue::Interface;
use banyan_protocol::envelope::{Sealing, Secret};
use serde_json::{Value, json};

use crate::partner::path;
use crate::place::{Place, banyan};
use crate::process::run;

const SECRET: &str = "0a1B2c3D4e5F6a7B8c9D0e1F2a3B4c5D";
const BUSINESS: &str = r#"{"orgId":"H35019900001","userName":"陈建国"}"#;

fn sealed(secret: &str) -> String {
    Sealing::call("A1", 1_772_330_400_000, BUSINESS).seal(&Secret::parse(secret).unwrap())
}

#[test]
fn a_captured_message_is_diagnosed_and_the_secret_stays_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    put("secret", &format!("{SECRET}\n"));
    put("good.json", &sealed(SECRET));
    let mut bad: Value = serde_json::from_str(&sealed(SECRET)).unwrap();
    bad["timestamp"] = json!("1772330400");
    put("bad.json", &bad.to_string());
    let doctor = |arguments: &[&str]| {
        let mut command = banyan(folder.path());
        command.arg("doctor").args(arguments);
        let ran = run(&mut command);
        for hidden in [&SECRET[..16], "陈建国"] {
            assert!(
                !ran.out.contains(hidden) && !ran.err.contains(hidden),
                "{}",
                ran.out
            );
        }
        ran
    };
    let good = doctor(&["good.json", "--secret-file", "secret"]);
    assert!(good.success().starts_with("结论：正确"));
    let bad = doctor(&["bad.json", "--secret-file", "secret", "--json"]);
    assert_eq!(bad.code, Some(1));
    let told: Value = serde_json::from_str(&bad.out).unwrap();
    assert_eq!(told["verdict"], "partly");
    assert_eq!(told["differences"][0]["id"], "timestamp.seconds");
    let nothing = doctor(&["secret", "--secret-file", "secret"]);
    assert_eq!(nothing.code, Some(2));
    let without = doctor(&["good.json"]);
    assert_eq!(without.code, Some(2));
    assert!(
        without.err.contains("BANYAN_DOCTOR_SECRET"),
        "{}",
        without.err
    );
    let mut by_variable = banyan(folder.path());
    by_variable
        .args(["doctor", "good.json"])
        .env("BANYAN_DOCTOR_SECRET", SECRET);
    run(&mut by_variable).success();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platform_uses_the_secret_that_it_keeps_and_the_signature_that_it_noted() {
    let place = Place::sqlite();
    let hospital = place.add_hospital("H35019900001");
    let server = place.serve();
    let business = json!({
        "orgId": "H35019900001", "orgName": "崩溃测试医院", "orgRequestId": "d-1",
        "notifyUrl": "http://127.0.0.1:9/umdl/callback",
    });
    let account = (&*hospital.app_id, &*hospital.secret);
    let sealed = |at_ms: i64, business: &str| {
        Sealing::call(account.0, at_ms, business).seal(&Secret::parse(account.1).unwrap())
    };
    let message = sealed(SystemClock.now_ms(), &business.to_string());
    let url = format!("{}{}", server.url, path(Interface::OrgMdl001));
    let answered = HttpClient::new(&HttpSettings::default())
        .unwrap()
        .post(
            &url.parse().unwrap(),
            message.clone().into(),
            &HostGuard::Anywhere,
        )
        .await
        .unwrap();
    assert_eq!(answered.status, 200);
    assert_eq!(server.program.stop().code, Some(0));

    let put = |name: &str, text: &str| std::fs::write(place.path().join(name), text).unwrap();
    put("captured", &sealed(1_772_330_400_000, BUSINESS));
    let said = run(&mut place.banyan(&["doctor", "captured", "--partner", account.0])).success();
    assert!(
        said.starts_with("结论：正确") && !said.contains(account.1),
        "{said}"
    );
    let noted = "SELECT COUNT(*) FROM operator_audit WHERE action = 'partner.doctor'";
    assert_eq!(place.number(noted).await, 1);
    let unknown = run(&mut place.banyan(&["doctor", "captured", "--partner", "nobody"]));
    assert_eq!(unknown.code, Some(2));

    let id = place
        .number("SELECT MAX(id) FROM journal WHERE interface = 'ORG_MDL_001'")
        .await;
    let id = id.to_string();
    put("message", &(message + "\n"));
    let alone = run(&mut place.banyan(&["doctor", "--journal", &id])).success();
    assert!(
        alone.contains("ORG_MDL_001") && alone.contains("日志不存正文"),
        "{alone}"
    );
    let fits = run(&mut place.banyan(&["doctor", "message", "--journal", &id])).success();
    assert!(fits.contains("相符"), "{fits}");
    let other = run(&mut place.banyan(&["doctor", "captured", "--journal", &id]));
    assert_eq!(other.code, Some(1), "{}", other.out);
    put("unsigned", &business.to_string());
    let unsigned = run(&mut place.banyan(&["doctor", "unsigned", "--journal", &id]));
    assert_eq!(unsigned.code, Some(2), "{}", unsigned.out);
    let absent = run(&mut place.banyan(&["doctor", "--journal", "1"]));
    assert_eq!(absent.code, Some(2));
}
