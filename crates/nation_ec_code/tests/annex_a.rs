//! Both programs of the standard's annex A, as printed, on Linux. `windows.rs` has the one in C++ where
//! it belongs.

mod support;

use std::path::Path;
use std::process::Command;

use NationECCode::charset::Charset;

use support::Desk;
use support::centre::Centre;
use support::programs::{command, compile, library, source};

const JNA: &str = "/usr/share/java/jna.jar";

/// Neither program brings a code along: a terminal has the scanner.
fn desk(centre: &Centre) -> Desk {
    Desk::with(&format!(
        "[code]\nsource = \"terminal\"\n[terminal]\nurl = \"{}/ok\"",
        centre.base()
    ))
}

#[test]
fn the_program_in_cpp_runs() {
    let centre = Centre::start();
    let desk = desk(&centre);
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "-I",
        &source("tests/annex_a/linux").display().to_string(),
        // The program itself is written in UTF-8 here and, as on a Chinese Windows, runs in GB18030.
        "-fexec-charset=GB18030",
        "-Wno-unused-variable",
        "-Wno-unused-but-set-variable",
        "-ldl",
    ];
    let program = compile("g++", "tests/annex_a/annex_a.cpp", &flags, folder.path());
    let output = command(&program, &desk)
        .env("NATION_EC_LIBRARY", library())
        .arg(centre.at("ok"))
        .output()
        .unwrap();
    let said = Charset::Gb18030.decode(&output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let (returned, out) = said.split_once('\n').unwrap();
    assert_eq!(returned, "0000");
    assert!(
        out.contains("\"userName\":\"张三\"") && out.contains("消化内科"),
        "{out}"
    );
    assert!(out.contains("EC-FROM-TERMINAL"));
}

#[test]
fn the_program_in_java_runs() {
    let has_java = Command::new("javac").arg("-version").output().is_ok();
    if !has_java || !Path::new(JNA).exists() {
        println!("left out: default-jdk-headless or libjna-java is not installed");
        return;
    }
    let centre = Centre::start();
    let desk = desk(&centre);
    let folder = tempfile::tempdir().unwrap();
    let compiled = Command::new("javac")
        .args(["-encoding", "UTF-8", "-cp", JNA, "-d"])
        .arg(folder.path())
        .arg(source("tests/annex_a/com/ylzinfo/EcDll.java"))
        .arg(source("tests/annex_a/com/ylzinfo/Main.java"))
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{compiled:?}");
    let class_path = format!("{JNA}:{}", folder.path().display());
    let folder_of_library = library().parent().unwrap().display().to_string();
    let output = command(Path::new("java"), &desk)
        .args([
            "-Xmx64m",
            "-Dfile.encoding=UTF-8",
            "-Dstdout.encoding=UTF-8",
        ])
        .arg(format!("-Djna.library.path={folder_of_library}"))
        .args(["-cp", &class_path, "com.ylzinfo.Main", &centre.at("ok")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let (out, returned) = said.trim_end().split_once('\n').unwrap();
    assert_eq!(returned, "0000");
    assert!(
        out.contains("\"userName\":\"张三\"") && out.contains("35020319001"),
        "{out}"
    );
}
