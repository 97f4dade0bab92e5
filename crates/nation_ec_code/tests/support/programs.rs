//! Programs in C, built against the library's own header when a test runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::Desk;

/// The library as other programs load it.
pub fn library() -> PathBuf {
    // Beside the test programs, where cargo builds it before them.
    let folder = std::env::current_exe().unwrap();
    let library = folder.parent().unwrap().join("libNationECCode.so");
    assert!(library.is_file(), "{} is not built", library.display());
    library
}

pub fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Builds a program of C or C++ into the folder.
pub fn compile(compiler: &str, file: &str, flags: &[&str], into: &Path) -> PathBuf {
    let program = into.join(Path::new(file).file_stem().unwrap());
    let output = Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-O1", "-g"])
        .arg("-I")
        .arg(source("include"))
        .arg(source(file))
        .arg("-o")
        .arg(&program)
        .args(flags)
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler} {file}: {said}");
    program
}

/// A program that finds the desk's settings.
pub fn command(program: &Path, desk: &Desk) -> Command {
    let mut command = Command::new(program);
    command
        .env("NATIONECCODE_CONFIG", desk.file())
        .stdin(Stdio::null());
    command
}

/// What it printed; the test fails where it failed.
pub fn printed(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    // Programs print what the library gave them, which is GB18030 where it is not ASCII.
    let printed = encoding_rs::GB18030.decode(&output.stdout).0.into_owned();
    assert!(
        output.status.success(),
        "{}: {said}{printed}",
        output.status
    );
    printed
}
