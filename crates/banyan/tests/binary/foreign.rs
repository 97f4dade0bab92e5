//! Hospitals that have nothing of ours: clients in other languages, written from chapter 4 of the
//! access guide, against the running sandbox.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::partner::items;
use crate::process::run;
use crate::sandbox::Sandbox;

#[test]
fn a_client_in_python_with_openssl() {
    if is_there("python3", "python3") && is_there("openssl", "openssl") && openssl_speaks_sm() {
        speaks("python3", "python", "sealed_call.py", 13);
    }
}

#[test]
fn a_client_in_node() {
    if is_there("node", "nodejs") {
        speaks("node", "node", "sealed_call.mjs", 27);
    }
}

/// The whole way of the standard: library, terminal, centre.
#[test]
fn a_his_in_python_loads_the_library() {
    if !is_there("python3", "python3") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path());
    // Cargo builds it beside the test programs.
    let beside = std::env::current_exe().unwrap();
    let library = beside.parent().unwrap().join("libNationECCode.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/binary/clients/his.py");
    let said = run(Command::new("python3")
        .args([&source, &library, &folder.path().join("sandbox.json")])
        .env("PYTHONIOENCODING", "utf-8"))
    .success();
    let got: Value = serde_json::from_str(&said).unwrap();
    let person = &sandbox.description["citizens"][0];
    for call in ["cpp", "java", "scanned", "face"] {
        let heard = &got[call];
        assert_eq!(heard["returned"], "0000", "{call}: {heard}");
        assert_eq!(heard["out"]["code"], 0, "{call}: {heard}");
        let told = &heard["out"]["data"];
        assert_eq!(
            (&told["idNo"], &told["userName"]),
            (&person["idNo"], &person["userName"]),
            "{call}"
        );
    }
    assert_eq!(got["password"]["out"]["data"]["pwdFlag"], "1", "{got}");
    for (call, code) in [("again", 500_014), ("elsewhere", 500_316)] {
        assert_eq!(got[call]["returned"], "0000", "{call}");
        assert_eq!(got[call]["out"]["code"], code, "{call}");
    }
    assert_eq!(sandbox.program.stop().code, Some(0));
}

/// Lets the client do its three calls, and looks at what it got.
fn speaks(interpreter: &str, name: &str, client: &str, citizen: usize) {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path());
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/binary/clients")
        .join(client);
    let said = run(Command::new(interpreter)
        .arg(source)
        .arg(folder.path().join("sandbox.json"))
        .env("PYTHONIOENCODING", "utf-8"))
    .success();
    let got: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(got["reported"]["state"], "success");
    let outcome = &got["outcome"];
    let person = &sandbox.description["citizens"][citizen];
    assert_eq!(
        outcome["reportResultList"][0]["userName"],
        person["userName"]
    );
    let (number, trace, state) = items(outcome).remove(0);
    assert_eq!((number, state), (format!("{name}-1-1"), "0".to_owned()));
    assert!(!trace.is_empty());
    assert_eq!(got["query"]["next"], "0");
    let item = &got["query"]["itemList"][0];
    assert_eq!(item["amount"], "1234.50");
    assert_eq!(item["itemName"], "住院费 & 药费=1");
    assert_eq!(sandbox.program.stop().code, Some(0));
}

/// Whether a program is installed. A build server has them all (it sets `CI`), elsewhere the test
/// is left out with a word about it.
fn is_there(program: &str, package: &str) -> bool {
    // Whatever it thinks of the argument, it started.
    let found = Command::new(program).arg("--version").output().is_ok();
    found
        || left_out(&format!(
            "{program} is not installed: apt-get install {package}"
        ))
}

/// OpenSSL before 3.0, and builds that leave the Chinese ciphers out, can't be used.
fn openssl_speaks_sm() -> bool {
    let mut command = Command::new("openssl");
    let able = run(command.args(["list", "-cipher-algorithms"]));
    able.out.contains("SM4-ECB") || left_out("this openssl has no SM4: apt-get install openssl")
}

fn left_out(why: &str) -> bool {
    assert!(
        std::env::var_os("CI").is_none(),
        "a build server must have it: {why}"
    );
    eprintln!("skipped: {why}");
    false
}
