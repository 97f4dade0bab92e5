//! Calls through the library's safe side, against a centre and a terminal on loopback.
#![expect(
    clippy::unwrap_used,
    reason = "these are tests and their scaffold: they fail by panicking"
)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use NationECCode::call::{Outcome, trans};
use NationECCode::charset::Charset;
use NationECCode::settings::Settings;
use NationECCode::state::Ready;
use banyan_protocol::ambient::SystemClock;
use serde_json::{Value, json};

use support::centre::Centre;
use support::certificates::Authority;
use support::{APP_ID, QUERY, SECRET};

fn ready(more: &str) -> Ready {
    let text = format!("app_id = \"{APP_ID}\"\nsecret = \"{SECRET}\"\n{more}");
    Ready::new(Settings::parse(&text, Path::new(".")).unwrap())
}

fn call(ready: &Ready, url: &str, text: &str) -> Outcome {
    let charset = ready.settings.room.charset;
    trans(ready, &SystemClock, url.as_bytes(), &charset.encode(text))
}

/// What a program reads: the returned text, and OutData.
fn read(outcome: &Outcome) -> (String, Value) {
    let returned = match &outcome.returned {
        Ok(()) => "0000".to_owned(),
        Err(fault) => fault.to_string(),
    };
    let text = Charset::Gb18030.decode(&outcome.output).unwrap();
    (returned, serde_json::from_str(&text).unwrap())
}

#[test]
fn a_reply_comes_back_verified_and_without_its_signature() {
    let centre = Centre::start();
    for fault in ["ok", "utf8"] {
        let (returned, out) = read(&call(&ready(""), &centre.at(fault), QUERY));
        assert_eq!(returned, "0000");
        assert_eq!(
            (&out["code"], &out["orgId"]),
            (&json!(0), &json!("1234567"))
        );
        assert_eq!(out["data"]["userName"], "张三");
        assert_eq!(out["data"]["qrCode"], "EC0123");
        assert_eq!(out["data"]["officeName"], "内科");
        assert!(out.get("extra").is_none() && out.get("cause").is_none());
    }
    // The very example of annex A: no transType, no orgId at the top.
    let text = r#"{"data":{"businessType":"01101","orgId":"35020311234","officeName":"消化内科"},"extra":{"qrCode":"E"}}"#;
    let (returned, out) = read(&call(&ready(""), &centre.at("ok"), text));
    assert_eq!((&*returned, &out["orgId"]), ("0000", &json!("35020311234")));
    assert_eq!(out["data"]["transType"], "ec.query");
}

#[test]
fn letters_on_which_editions_of_gb18030_disagree_arrive_signed() {
    let centre = Centre::start();
    let ready = ready("encoding = \"utf-8\"\noutput_size = 4096");
    let name = "\u{E81E}\u{E5E5}𠮷乗";
    for data in [
        format!(r#"{{"orgId":"1","officeName":"{name}"}}"#),
        Value::from(format!(r#"{{"orgId":"1","officeName":"{name}"}}"#)).to_string(),
    ] {
        let text = format!(r#"{{"data":{data},"extra":{{"qrCode":"E"}}}}"#);
        let outcome = call(&ready, &centre.at("utf8"), &text);
        let out: Value = serde_json::from_slice(&outcome.output).unwrap();
        assert!(outcome.returned.is_ok(), "{out}");
        assert_eq!(out["data"]["officeName"], name);
    }
}

#[test]
fn a_refusal_of_the_centre_is_no_fault_of_the_call() {
    let centre = Centre::start();
    let (returned, out) = read(&call(&ready(""), &centre.at("refuse"), QUERY));
    assert_eq!((&*returned, &out["code"]), ("0000", &json!(500_049)));
    assert_eq!(out["message"], "电子凭证二维码无效");
    assert_eq!(out["cause"], out["message"], "annex A reads it there");
    let outcome = call(&ready(""), &centre.at("longrefusal"), QUERY);
    assert!(outcome.output.len() > 2000 && outcome.output.len() < 2048);
    assert_eq!(read(&outcome).1["code"], 500_049);
}

#[test]
fn what_can_not_be_believed_gets_a_reason_in_both_places() {
    let centre = Centre::start();
    let ready = ready("[centre]\nanswer_timeout_ms = 300");
    for (fault, starts, says) in [
        ("forged", "500036 ", "签名不符"),
        ("old", "500036 ", "校准本机时钟"),
        ("others", "500036 ", "不是给本机构的"),
        ("unsigned", "500012 ", "app_id"),
        ("unsigned0", "500036 ", "没有签名"),
        ("garbage", "500033 ", "不是电子凭证中心"),
        ("huge", "500033 ", "过长"),
        ("long", "-1 ", "output_size"),
        ("slow", "-3 ", "300 毫秒内没有应答"),
        ("hangup", "500033 ", "中心"),
        ("redirect", "-5 ", "302"),
        ("missing", "-5 ", "404"),
        ("busy", "-6 ", "429"),
        ("broken", "500033 ", "503"),
    ] {
        let (returned, out) = read(&call(&ready, &centre.at(fault), QUERY));
        assert!(returned.starts_with(starts), "{fault}: {returned}");
        assert!(returned.contains(says), "{fault}: {returned}");
        let code = starts.trim().parse::<i64>().unwrap();
        assert_eq!(out["code"], code, "{fault}");
        assert_eq!(
            format!("{code} {}", out["message"].as_str().unwrap()),
            returned
        );
        assert_eq!(out["orgId"], "1234567");
    }
}

#[test]
fn an_address_that_leads_nowhere_is_told() {
    for (url, starts) in [
        ("", "-5 "),
        ("ftp://centre/", "-5 "),
        ("https://", "-5 "),
        ("localhost:8080/x", "-5 "),
        ("http://no-such-host.invalid/x", "-5 "),
        ("http://127.0.0.1:1/x", "500033 "),
    ] {
        let (returned, _) = read(&call(&ready(""), url, QUERY));
        assert!(returned.starts_with(starts), "{url}: {returned}");
    }
}

#[test]
fn only_the_named_authority_is_trusted_and_only_while_it_holds() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let folder = tempfile::tempdir().unwrap();
    let file = ours.file(folder.path());
    let trusting = ready(&format!("[centre]\nca_file = '{}'", file.display()));
    let centre = Centre::start_tls(ours.server("localhost", false));
    for _ in 0..3 {
        assert_eq!(read(&call(&trusting, &centre.at("ok"), QUERY)).0, "0000");
    }
    assert_eq!(centre.connections(), 1, "one handshake for all calls");
    let (returned, _) = read(&call(&ready(""), &centre.at("ok"), QUERY));
    assert!(returned.contains("ca_file"), "{returned}");
    for (server, says) in [
        (ours.server("localhost", true), "过期"),
        (other.server("localhost", false), "签发机构未知"),
        (ours.server("another.host", false), "主机名不符"),
    ] {
        let centre = Centre::start_tls(server);
        let (returned, _) = read(&call(&trusting, &centre.at("ok"), QUERY));
        assert!(
            returned.starts_with("500033 ") && returned.contains(says),
            "{returned}"
        );
        assert_eq!(centre.calls(), 0, "nothing was said to it");
    }
}

#[test]
fn the_terminal_s_scanner_is_asked_where_the_caller_has_no_code() {
    let centre = Centre::start();
    let with = |fault: &str| {
        let url = format!("{}/{fault}", centre.base());
        let terminal = format!("[terminal]\nurl = \"{url}\"\ntimeout_ms = 300");
        ready(&format!("[code]\nsource = \"terminal\"\n{terminal}"))
    };
    for (trans_type, extra) in [
        ("ec.query", ""),
        ("cn.nhsa.qrcode.get", r#","extra":"{\"qrCode\":\"\"}""#),
    ] {
        let text = format!(
            r#"{{"transType":"{trans_type}","data":{{"orgId":"1","businessType":"01301"}}{extra}}}"#
        );
        let (returned, out) = read(&call(&with("ok"), &centre.at("ok"), &text));
        assert_eq!(returned, "0000");
        assert_eq!(out["data"]["qrCode"], "EC-FROM-TERMINAL");
    }
    assert_eq!(
        centre.asked()[0],
        (
            "scan".to_owned(),
            json!({ "orgId": "1", "businessType": "01301" })
        )
    );
    let (_, out) = read(&call(&with("nodevice"), &centre.at("ok"), QUERY));
    assert_eq!(
        out["data"]["qrCode"], "EC0123",
        "the caller's own comes first"
    );

    let text = r#"{"data":{"orgId":"1"}}"#;
    for (fault, starts) in [
        ("nodevice", "-1 终端没有这个设备"),
        ("cancelled", "-1 终端上的操作已取消"),
        ("late", "-3 终端上的操作超时"),
        ("torn", "500049 终端扫到的二维码不完整"),
        ("half", "500049 扫到的二维码不完整"),
        ("slow", "-3 终端在 300 毫秒内没有应答"),
        ("odd", "-1 终端应答不合约定"),
    ] {
        let (returned, _) = read(&call(&with(fault), &centre.at("ok"), text));
        assert!(returned.starts_with(starts), "{fault}: {returned}");
    }
    let (returned, _) = read(&call(&ready(""), &centre.at("ok"), text));
    assert!(returned.starts_with("-2 没有二维码"), "{returned}");
}

#[test]
fn a_face_fills_in_what_is_missing_and_nothing_else() {
    let centre = Centre::start();
    let ready = ready(&format!("[terminal]\nurl = \"{}/ok\"", centre.base()));
    let ask = |members: &str| {
        let text = format!(
            r#"{{"transType":"cn.nhsa.auth.check","orgId":"1","data":{{"orgId":"1"{members}}}}}"#
        );
        let (returned, out) = read(&call(&ready, &centre.at("ok"), &text));
        assert_eq!(returned, "0000");
        (out["data"]["authNo"].clone(), out["data"]["photo"].clone())
    };
    assert_eq!(ask(""), (json!("A1"), json!(8)));
    assert_eq!(
        ask(r#","authNo":"","photoData":"xy""#),
        (json!("A1"), json!(2))
    );
    assert_eq!(ask(r#","authNo":"B2""#), (json!("B2"), json!(null)));
    let photo = format!(r#","authNo":"B2","photoData":"{}""#, "x".repeat(100 * 1024));
    assert_eq!(ask(&photo).1, json!(100 * 1024));
}

#[test]
fn a_password_is_typed_while_the_centre_waits() {
    let centre = Centre::start();
    let with = |pad: &str| {
        let url = format!("{}/{pad}", centre.base());
        ready(&format!(
            "[centre]\nanswer_timeout_ms = 100\npassword_timeout_ms = 20000\n[terminal]\n\
             url = \"{url}\"\nkeypad = true\ntimeout_ms = 20000"
        ))
    };
    let text = r#"{"transType":"cn.nhsa.ec.pwd","orgId":"1","data":{"orgId":"1","idType":"01",
        "idNo":"359999199001010011","userName":"张三","businessType":"01301","ecToken":"T"}}"#;
    // The centre answers only once the keypad was reached, so the two must run side by side.
    let (returned, _) = read(&call(&with("ok"), &centre.at("typed"), text));
    assert_eq!(returned, "0000");
    let keypad = centre
        .asked()
        .into_iter()
        .find(|(what, _)| what == "keypad");
    assert_eq!(
        keypad.unwrap().1,
        json!({ "orgId": "1", "businessType": "01301", "idType": "01",
            "idNo": "359999199001010011", "userName": "张三", "ecToken": "T" })
    );
    // Bad news of one side ends the other at once.
    let started = Instant::now();
    let (returned, _) = read(&call(&with("cancelled"), &centre.at("slow"), text));
    assert!(returned.starts_with("-1 终端上的操作已取消"), "{returned}");
    let absent = ready("[terminal]\nurl = \"http://127.0.0.1:1\"\nkeypad = true");
    let (returned, _) = read(&call(&absent, &centre.at("slow"), text));
    assert!(returned.starts_with("500033 终端拒绝连接"), "{returned}");
    let (_, out) = read(&call(&with("slow"), &centre.at("refuse"), text));
    assert_eq!(out["code"], 500_049);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn nothing_of_a_person_reaches_the_log() {
    let centre = Centre::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ec.log");
    // The log is written where the C interface ends, so this goes through it.
    let desk = support::Desk::with(&format!("[log]\nfile = '{}'", file.display()));
    let caller = support::programs::compile(
        "gcc",
        "tests/c/caller.c",
        &["-pthread", "-ldl"],
        folder.path(),
    );
    let text = QUERY.replace("TEST", "李四");
    for fault in ["ok", "refuse", "unsigned", "forged"] {
        let mut child = support::programs::command(&caller, &desk)
            .arg(support::programs::library())
            .args(["one", "2048", &centre.at(fault)])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, &Charset::Gb18030.encode(&text)).unwrap();
        drop(stdin);
        assert!(child.wait_with_output().unwrap().status.success());
    }
    let log = std::fs::read_to_string(&file).unwrap();
    let ends: Vec<_> = log
        .lines()
        .map(|line| line.split("return=").nth(1).unwrap())
        .collect();
    assert_eq!(&ends[..3], ["0000", "0000", "500012"]);
    assert!(ends[3].starts_with("500036 ") && log.contains("ec.query code=500049 total="));
    for hidden in ["张三", "李四", "EC0123", "359999", SECRET, APP_ID] {
        assert!(!log.contains(hidden), "{hidden} in {log}");
    }
}

#[test]
fn settings_that_change_hold_from_the_next_call_on() {
    let desk = support::Desk::with("");
    // This program's other tests give their settings as text, so the variable is this test's own.
    let ask = || {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "settings_as_a_child_reads_them", "--ignored"])
            .env("NATIONECCODE_CONFIG", desk.file())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).contains("1 passed")
    };
    assert!(ask());
}

#[test]
#[ignore = "run by the test above, in a process of its own with the variable set"]
fn settings_as_a_child_reads_them() {
    let file = std::env::var_os("NATIONECCODE_CONFIG").unwrap();
    let first = NationECCode::state::current().unwrap();
    assert_eq!(first.settings.room.size, 2048);
    assert!(Arc::ptr_eq(
        &first,
        &NationECCode::state::current().unwrap()
    ));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}output_size = 4096\n")).unwrap();
    assert_eq!(
        NationECCode::state::current().unwrap().settings.room.size,
        4096
    );
    std::fs::write(&file, format!("{text}output_size = 1\n")).unwrap();
    let told = NationECCode::state::current().unwrap_err().to_string();
    assert!(told.contains("第 3 行：output_size"), "{told}");
    std::fs::write(&file, text).unwrap();
    assert_eq!(
        NationECCode::state::current().unwrap().settings.room.size,
        2048
    );
}
