//! Settings that can't be, and help: said in Chinese, with the place of the fault.

use std::collections::BTreeSet;

use crate::place::{Place, banyan};
use crate::process::run;

#[test]
fn a_fault_in_the_file_is_named_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    for (text, line, word) in [
        ("lisen = \"127.0.0.1:1\"\n", "第 1 行", "lisen"),
        (
            "\n[inbound]\nmax_body_bytes = \"many\"\n",
            "第 3 行",
            "max_body_bytes",
        ),
        ("[overdue]\nreconcile_at = \"25:00\"\n", "第 2 行", "25:00"),
        ("listen = \n", "第 1 行", "listen"),
    ] {
        std::fs::write(folder.path().join("my.toml"), text).unwrap();
        // The same before and after the name of the command that stands below.
        for arguments in [
            &["serve", "--config", "my.toml"] as &[&str],
            &["migrate", "--config", "my.toml"],
            &["audit", "verify", "--config", "my.toml"],
            &["partner", "list", "--config", "my.toml"],
            &["callback", "resend", "--id", "1", "--config", "my.toml"],
        ] {
            let said = run(banyan(folder.path()).args(arguments)).failure();
            for part in ["my.toml", line, word] {
                assert!(said.contains(part), "{arguments:?}: {said}");
            }
        }
    }
    let said = run(banyan(folder.path()).args(["serve", "--config", "absent.toml"])).failure();
    assert!(said.contains("absent.toml"), "{said}");
    // The file of this folder is read without being named.
    std::fs::write(folder.path().join("banyan.toml"), "maintenance = 3\n").unwrap();
    let said = run(banyan(folder.path()).args(["serve"])).failure();
    assert!(
        said.contains("banyan.toml") && said.contains("第 1 行"),
        "{said}"
    );
}

#[test]
fn a_fault_in_the_environment_is_named_with_its_variable() {
    let place = Place::sqlite();
    for (name, value) in [
        ("BANYAN_INBOUND_TIMEOUT_MS", "soon"),
        ("BANYAN_ENVIRONMENT", "staging"),
        ("BANYAN_LISTEN", "here"),
    ] {
        let said = run(place.banyan(&["serve"]).env(name, value)).failure();
        assert!(said.contains(name), "{said}");
    }
    let said = run(place
        .banyan(&["serve"])
        .env("BANYAN_SWITCHED_OFF", "[\"ORG_X\"]"))
    .failure();
    assert!(said.contains("ORG_X"), "{said}");
    let said = run(place
        .banyan(&["serve"])
        .env("BANYAN_DATABASE_URL", "mysql://x"))
    .failure();
    assert!(said.contains("数据库"), "{said}");
}

#[test]
fn a_master_key_is_needed_and_only_the_right_one_is_taken() {
    let place = Place::sqlite();
    let keyless = |arguments: &[&str]| {
        let mut command = place.banyan(arguments);
        command.env_remove("BANYAN_MASTER_KEY");
        command
    };
    let said = run(&mut keyless(&["serve"])).failure();
    for word in [
        "主密钥",
        "master_key_file",
        "BANYAN_MASTER_KEY",
        "openssl rand -hex 32",
    ] {
        assert!(said.contains(word), "{said}");
    }
    let said = run(keyless(&["partner", "list"]).env("BANYAN_MASTER_KEY", "short")).failure();
    assert!(
        said.contains("64 位十六进制") && !said.contains("short"),
        "{said}"
    );

    place.add_hospital("H35019950001");
    let other = "0a".repeat(32);
    for arguments in [&["serve"] as &[&str], &["partner", "list"]] {
        let said = run(place.banyan(arguments).env("BANYAN_MASTER_KEY", &other)).failure();
        assert!(
            said.contains("master key") || said.contains("主密钥"),
            "{said}"
        );
        assert!(!said.contains(&other), "{said}");
    }
    // From a file, which the settings name.
    let path = place.path().join("master.key");
    std::fs::write(&path, format!("{other}\n")).unwrap();
    let said = run(keyless(&["partner", "list"]).env("BANYAN_MASTER_KEY_FILE", &path)).failure();
    assert!(
        said.contains("master key") || said.contains("主密钥"),
        "{said}"
    );
    std::fs::remove_file(&path).unwrap();
    let said = run(keyless(&["serve"]).env("BANYAN_MASTER_KEY_FILE", &path)).failure();
    assert!(said.contains("master.key"), "{said}");
}

#[test]
fn a_busy_port_is_said_with_what_to_do() {
    let place = Place::sqlite();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = run(place.banyan(&["serve"]).env("BANYAN_LISTEN", &address)).failure();
    for word in [&*address, "占用", "listen"] {
        assert!(said.contains(word), "{said}");
    }
}

/// Every command has help, found from the first by the names that it lists.
#[test]
fn every_command_helps_in_chinese() {
    let folder = tempfile::tempdir().unwrap();
    let mut waiting = vec![Vec::<String>::new()];
    let mut seen = BTreeSet::new();
    while let Some(command) = waiting.pop() {
        let help = run(banyan(folder.path()).args(&command).arg("--help")).success();
        let about = help.lines().next().unwrap_or_default();
        assert!(is_chinese(about), "{command:?}: {about}");
        for option in described(&help) {
            let standard = ["--help", "--version"]
                .iter()
                .any(|name| option.contains(name));
            assert!(standard || is_chinese(&option), "{command:?}: {option}");
        }
        for name in commands_listed(&help) {
            let mut below = command.clone();
            below.push(name);
            waiting.push(below);
        }
        seen.insert(command.join(" "));
    }
    for command in [
        "audit verify",
        "bench",
        "call",
        "callback resend",
        "interface",
        "migrate",
        "partner add",
        "partner list",
        "partner revoke",
        "partner rotate",
        "sandbox",
        "serve",
    ] {
        assert!(seen.contains(command), "{command} is missing: {seen:?}");
    }
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// The options, each with the lines that describe it.
fn described(help: &str) -> Vec<String> {
    let mut options: Vec<String> = Vec::new();
    let body = help
        .split_once("Options:")
        .or_else(|| help.split_once("选项"));
    for line in body.map_or("", |(_, options)| options).lines() {
        if line.trim_start().starts_with('-') {
            options.push(String::new());
        }
        if let Some(option) = options.last_mut() {
            option.push_str(line);
        }
    }
    options
}

fn commands_listed(help: &str) -> Vec<String> {
    let body = help
        .split_once("Commands:\n")
        .or_else(|| help.split_once("命令：\n"));
    let lines = body.map_or("", |(_, rest)| rest).lines();
    let names = lines.take_while(|line| !line.is_empty());
    names
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}
