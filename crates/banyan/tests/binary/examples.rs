//! The client examples in `examples/`: each holds its envelope against the shared vectors, and
//! speaks with the running sandbox.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::process::run;
use crate::sandbox::Sandbox;

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn vectors(file: &str) -> PathBuf {
    root().join("fixtures/vectors").join(file)
}

#[test]
fn python() {
    // The one in the path may lack the library that Debian's own has.
    let with_library = ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let tried = Command::new(python)
            .args(["-c", "import cryptography"])
            .output();
        tried.is_ok_and(|tried| tried.status.success())
    });
    let Some(python) = with_library else {
        return left_out("python3-cryptography");
    };
    let example = || {
        let mut command = Command::new(python);
        command
            .arg(root().join("examples/python/banyan_client.py"))
            .env("PYTHONIOENCODING", "utf-8");
        command
    };
    checks(example().arg("--vectors").arg(vectors("envelope.json")));
    tours(&mut example(), 31);
}

#[test]
fn node() {
    if Command::new("node").arg("--version").output().is_err() {
        return left_out("nodejs");
    }
    let example = || {
        let mut command = Command::new("node");
        command.arg(root().join("examples/node/banyan_client.mjs"));
        command
    };
    checks(example().arg("--vectors").arg(vectors("envelope.json")));
    let told = tours(&mut example(), 32);
    // This one also answers the platform's callback.
    assert_eq!(told["notice"]["notifyType"], "REPORT");
    assert_eq!(
        told["notice"]["reportResultList"][0]["itemList"][0]["state"],
        "0"
    );
}

/// A Java that compiles and BouncyCastle are too heavy to be asked of every build server, so this
/// one is left out without complaint where they are missing.
#[test]
fn java() {
    const LIBRARY: &str = "/usr/share/java/bcprov.jar";
    let compiles = Command::new("javac").arg("-version").output().is_ok();
    if !compiles || !Path::new(LIBRARY).exists() {
        eprintln!("skipped: apt-get install default-jdk-headless libbcprov-java");
        return;
    }
    let example = || {
        let mut command = Command::new("java");
        command
            .args(["-cp", LIBRARY])
            .arg(root().join("examples/java/BanyanClient.java"));
        command
    };
    checks(example().arg("--vectors").arg(vectors("envelope.tsv")));
    asks(&mut example());
}

/// Go and Debian's package of its library are as heavy.
#[test]
fn go() {
    const LIBRARIES: &str = "/usr/share/gocode";
    let library = Path::new(LIBRARIES).join("src/github.com/tjfoc/gmsm");
    if Command::new("go").arg("version").output().is_err() || !library.exists() {
        eprintln!("skipped: apt-get install golang-go golang-github-tjfoc-gmsm-dev");
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let example = |what: &str| {
        let mut command = Command::new("go");
        command
            .args([what, "."])
            .current_dir(root().join("examples/go"))
            .env("GO111MODULE", "off")
            .env("GOPATH", LIBRARIES)
            .env("GOCACHE", cache.path());
        command
    };
    run(&mut example("test")).success();
    asks(&mut example("run"));
}

/// Lets the example ask about a person; it gets the platform, the appId, a path and the business
/// JSON, and the secret from the environment.
fn asks(example: &mut Command) {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let hospital = &sandbox.description["hospitals"][1];
    let mut query = sandbox.description["citizens"][33].clone();
    query["businessType"] = json!("01101");
    let said = run(example
        .arg(text(&sandbox.description["platform"]))
        .args([
            text(&hospital["appId"]),
            "/qmdl/queryOverdueData".to_owned(),
            query.to_string(),
        ])
        .env("BANYAN_SECRET", text(&hospital["secret"])))
    .success();
    let reply: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(reply["next"], "1");
    assert_eq!(sandbox.program.stop().code, Some(0));
}

fn checks(example: &mut Command) {
    let said: Value = serde_json::from_str(&run(example).success()).unwrap();
    assert!(said["checked"].as_u64().unwrap() >= 8, "{said}");
}

/// Lets the example report a debt and ask about the person; gives what it was told.
fn tours(example: &mut Command, citizen: usize) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path());
    let said = run(example
        .arg(folder.path().join("sandbox.json"))
        .arg(citizen.to_string()))
    .success();
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["reported"]["state"], "success");
    assert!(told["query"]["itemList"].is_array(), "{told}");
    assert_eq!(sandbox.program.stop().code, Some(0));
    told
}

/// A build server has it (it sets `CI`), elsewhere the test is left out with a word about it.
fn left_out(package: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "a build server must have {package}"
    );
    eprintln!("skipped: apt-get install {package}");
}
