//! Insurers by the binary: calls, a migration, and what an operator sets for them.

use std::path::Path;

use serde_json::{Value, json};

use crate::place::banyan;
use crate::process::{Ran, run};
use crate::sandbox::Sandbox;

fn call(folder: &Path, code: &str, data: &Value, more: &[&str]) -> Ran {
    let mut command = banyan(folder);
    command
        .args(["call", code, "--data", &data.to_string(), "--sandbox"])
        .arg(folder)
        .args(more);
    run(&mut command)
}

#[test]
fn an_insurer_of_the_sandbox_calls_and_hands_over_its_cases() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path());
    let citizen = &sandbox.description["citizens"][0];
    let ask = json!({ "data": { "idcard": citizen["idNo"], "name": citizen["userName"] } });
    for profile in ["insurer1", "insurer4"] {
        let more = ["--profile", profile, "--show"];
        let ran = call(folder.path(), "CI00.03.00.01", &ask, &more);
        let answer: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(answer["past_illness_check"], "0");
        assert!(ran.err.contains("待签名串：chs_fjs_appid="), "{}", ran.err);
        for insurer in sandbox.description["insurers"].as_array().unwrap() {
            let secret = insurer["chs_fjs_appsecret"].as_str().unwrap();
            assert!(!ran.err.contains(secret), "a secret is shown");
        }
    }
    let migrate = || {
        let mut command = banyan(folder.path());
        command.args(["insurer", "migrate", "--cases", "1200", "--sandbox"]);
        run(command.arg(folder.path())).success()
    };
    for _ in 0..2 {
        let said = migrate();
        assert!(said.contains("1200 条历史案件，共 3 次调用"), "{said}");
    }
    let ran = call(folder.path(), "CI00.03.00.01", &ask, &[]);
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(answer["past_illness_check"], "1", "{answer}");
    let ran = call(folder.path(), "CI00.03.00.01", &json!({ "data": {} }), &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("对方拒绝：000105 idcard"), "{}", ran.err);
    assert_eq!(sandbox.program.stop().code, Some(0));
}

#[test]
fn an_operator_adds_a_channel_changes_it_and_ends_its_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/keys");
    let database = format!("sqlite:{}", folder.path().join("a.db").display());
    let partner = |more: &[&str]| {
        let mut command = banyan(folder.path());
        command.env("BANYAN_DATABASE_URL", &database).env(
            "BANYAN_MASTER_KEY",
            "00112233445566778899aabbccddeeff".repeat(2),
        );
        run(command.arg("partner").args(more))
    };
    let add = ["add", "--kind", "insurer", "--name", "惠厦保"];
    let said = partner(&add).failure();
    assert!(said.contains("--level"), "{said}");
    let rsa = ["--level", "4", "--service", "100005", "--enc-type", "rsa"];
    let said = partner(&[&add[..], &rsa].concat()).failure();
    assert!(said.contains("--key-file"), "{said}");
    let file = |name: &str| keys.join(name).to_str().unwrap().to_owned();
    let (bare, certificate) = (file("insurer.pub.pem"), file("insurer.crt.pem"));
    let own = file("platform.key.pem");
    let with_keys = ["--key-file", &bare, "--own-key-file", &own];
    let said = partner(&[&add[..], &rsa, &with_keys].concat()).success();
    let app_id = said
        .lines()
        .next()
        .unwrap()
        .trim_start_matches("appId：")
        .to_owned();
    let said = partner(&["channel", &app_id, "--enc-type", "PKCS7"]).failure();
    assert!(said.contains("证书"), "{said}");
    partner(&[
        "channel",
        &app_id,
        "--enc-type",
        "PKCS7",
        "--key-file",
        &certificate,
    ])
    .success();
    let said = partner(&["channel", &app_id, "--enc-type", "DES"]).failure();
    assert!(said.contains("SM4、AES、RSA、PKCS7"), "{said}");
    let said = partner(&["revoke-tokens", &app_id]).success();
    assert!(said.contains("0 个令牌"), "{said}");
    let listed = partner(&["list"]).success();
    for word in ["保险渠道", "等级", "PKCS7", "100005"] {
        assert!(listed.contains(word), "{listed}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&partner(&["list", "--json"]).success()).unwrap();
    let channel = &json[0]["channel"];
    assert_eq!(channel["ownKey"], true);
    assert!(!channel.to_string().contains("PRIVATE KEY"));
}
