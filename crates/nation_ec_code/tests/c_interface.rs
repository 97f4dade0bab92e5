//! The library as a C program loads it: real memory, real pages, real threads.
#![expect(
    clippy::unwrap_used,
    reason = "these are tests and their scaffold: they fail by panicking"
)]

mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use NationECCode::charset::Charset;
use serde_json::Value;
use tempfile::TempDir;

use support::centre::Centre;
use support::programs::{command, compile, library, printed, source};
use support::{Desk, QUERY};

const FLAGS: [&str; 2] = ["-pthread", "-ldl"];

struct Caller {
    program: PathBuf,
    _folder: TempDir,
}

impl Caller {
    fn new(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let flags = [more, &FLAGS].concat();
        let program = compile("gcc", "tests/c/caller.c", &flags, folder.path());
        Self {
            program,
            _folder: folder,
        }
    }

    fn run(&self, desk: &Desk, words: &[&str]) -> String {
        let output = command(&self.program, desk)
            .arg(library())
            .args(words)
            .output()
            .unwrap();
        printed(&output)
    }

    /// The returned text and what OutData holds.
    fn one(&self, desk: &Desk, size: usize, url: &str, input: &[u8]) -> (String, String) {
        let mut started = command(&self.program, desk);
        started.arg(library()).args(["one", &size.to_string(), url]);
        let output = with_input(started, input);
        assert!(output.status.success(), "{output:?}");
        let text = Charset::Gb18030
            .decode(&output.stdout)
            .unwrap()
            .into_owned();
        let (returned, out) = text.split_once('\n').unwrap();
        (returned.to_owned(), out.trim_end().to_owned())
    }
}

fn with_input(mut command: Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn gb(text: &str) -> Vec<u8> {
    Charset::Gb18030.encode(text)
}

#[test]
fn no_byte_beside_the_buffers_is_touched() {
    let centre = Centre::start();
    let caller = Caller::new(&["-fsanitize=address,undefined", "-fno-sanitize-recover"]);
    let desk = Desk::with("");
    // The page behind the closing brace can't be read: no NUL is needed there.
    let (returned, out) = caller.one(&desk, 2048, &centre.at("ok"), &gb(QUERY));
    assert_eq!(returned, "0000");
    assert!(out.contains("张三") && out.contains("\"officeName\":\"内科\""));

    let photo = format!(
        r#"{{"transType":"cn.nhsa.auth.check","orgId":"1","data":{{"authNo":"A","photoData":"{}"}}}}"#,
        "x".repeat(100 * 1024)
    );
    let (returned, out) = caller.one(&desk, 2048, &centre.at("ok"), &gb(&photo));
    assert!(
        returned == "0000" && out.contains("\"photo\":102400"),
        "{returned} {out}"
    );

    // The smallest buffers, under settings that say so, with replies that do not fit.
    desk.set("output_size = 512");
    for (fault, code) in [
        ("long", "-1"),
        ("longrefusal", "500049"),
        ("garbage", "500033"),
    ] {
        let (_, out) = caller.one(&desk, 512, &centre.at(fault), &gb(QUERY));
        let read: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(read["code"].to_string(), code, "{out}");
    }
    // Nothing can be known of the buffer where the settings can't be read.
    desk.set("output_size = 99999999\nx = 1");
    let (returned, out) = caller.one(&desk, 512, &centre.at("ok"), &gb(QUERY));
    assert!(returned.starts_with("500032 设置文件"), "{returned}");
    assert!(out.contains("第 3 行"), "{out}");

    desk.set("");
    for (input, says) in [
        (&b"{\"data\":{\"orgId\":\"1\"\0"[..], "不是完整的 JSON"),
        (b"\0", "不是完整的 JSON"),
        (b"{\0\"\0", "UTF-16"),
        (b"<xml/>", "第 1 字节"),
        (b"{\"a\":\"\xE5\x86\x85\"}", "encoding = \"utf-8\""),
    ] {
        let (returned, out) = caller.one(&desk, 2048, &centre.at("ok"), input);
        assert!(
            returned.starts_with("-2 ") && returned.contains(says),
            "{returned}"
        );
        assert!(out.contains("\"code\":-2"));
    }
    assert_eq!(caller.run(&desk, &["nulls", &centre.at("ok")]), "ok\n");
}

#[test]
fn sixteen_threads_call_at_once_and_get_their_own_answers() {
    let centre = Centre::start();
    let caller = Caller::new(&[]);
    let desk = Desk::with("");
    let calls = if at_length() { "1000" } else { "300" };
    assert_eq!(
        caller.run(&desk, &["threads", "16", calls, &centre.at("ok")]),
        "ok\n"
    );
    assert!(centre.connections() <= 64, "{}", centre.connections());
}

#[test]
fn the_library_can_be_unloaded_after_any_call() {
    let centre = Centre::start();
    let desk = Desk::with("");
    let said = Caller::new(&[]).run(&desk, &["reload", "50", &centre.at("ok")]);
    assert!(said.starts_with("ok, "), "{said}");
    println!("{said}");
}

#[test]
fn memory_does_not_grow() {
    let centre = Centre::start();
    let desk = Desk::with("");
    let calls = if at_length() { "100000" } else { "20000" };
    let said = Caller::new(&[]).run(&desk, &["memory", calls, &centre.at("ok")]);
    println!("{said}");
    let grew: i64 = said
        .strip_prefix("ok, grew by ")
        .and_then(|rest| rest.split(' ').next()?.parse().ok())
        .unwrap();
    // A leak of 16 bytes a call would show over 20,000 calls.
    assert!(grew < 256, "{said}");
}

#[test]
fn valgrind_finds_nothing_to_say() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("left out: valgrind is not installed");
        return;
    }
    let centre = Centre::start();
    let desk = Desk::with("");
    let caller = Caller::new(&[]);
    for words in [
        vec!["nulls".to_owned(), centre.at("ok")],
        vec![
            "threads".to_owned(),
            "4".to_owned(),
            "10".to_owned(),
            centre.at("ok"),
        ],
        vec![
            "threads".to_owned(),
            "1".to_owned(),
            "1".to_owned(),
            centre.at("ok"),
        ],
    ] {
        let output = command(Path::new("valgrind"), &desk)
            .args(["-q", "--error-exitcode=9", "--leak-check=full"])
            .args([
                "--errors-for-leak-kinds=definite",
                "--show-leak-kinds=definite",
            ])
            .arg(&caller.program)
            .arg(library())
            .args(&words)
            .output()
            .unwrap();
        assert!(printed(&output).starts_with("ok"));
    }
}

#[test]
fn compilers_of_c_and_cpp_take_the_header() {
    let folder = tempfile::tempdir().unwrap();
    for (compiler, standard, file) in [
        ("gcc", "-std=c89", "uses_header.c"),
        ("gcc", "-std=c17", "uses_header.c"),
        ("g++", "-std=c++98", "uses_header.cpp"),
        ("g++", "-std=c++20", "uses_header.cpp"),
    ] {
        let text = "#include \"NationECCode.h\"\n\
                    static NationEcTransFunction kept = NationEcTrans;\n\
                    int main(void) { char out[NATION_EC_DEFAULT_OUTPUT_SIZE];\n\
                    return kept(0, 0, out) == 0; }\n";
        let source = folder.path().join(file);
        std::fs::write(&source, text).unwrap();
        let output = Command::new(compiler)
            .args([standard, "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
            .arg(self::source("include"))
            .arg(&source)
            .arg(library())
            .arg("-o")
            .arg(folder.path().join("program"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{compiler} {standard}: {said}");
    }
}

/// Whether the whole counts are wished: 16,000 calls at once, 100,000 in a row. A quarter of them says
/// nearly as much in a quarter of the time.
fn at_length() -> bool {
    std::env::var_os("BANYAN_TEST_LONG").is_some()
}
