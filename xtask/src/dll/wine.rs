//! Windows programs that use the DLL, under wine: the tests of the library's `windows.rs`, which bring
//! their own centre on loopback.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::{Arch, must};
use crate::apt::{answers, install, starts};
use crate::workspace::cargo;

/// Where the DLL is that is tried.
const DLL_FOLDER: &str = "BANYAN_TEST_DLL";
/// For which compiler of MinGW.
const ARCH: &str = "BANYAN_TEST_DLL_ARCH";
/// An i386 Debian with wine, entered by chroot; without it wine runs as it is.
const WINE_ROOT: &str = "BANYAN_TEST_WINE_ROOT";

pub(crate) fn try_64(root: &Path, folder: &Path) -> Result<()> {
    bring(&[
        ("wine", "wine"),
        ("/usr/lib/wine/wine64", "wine64"),
        ("x86_64-w64-mingw32-g++", "g++-mingw-w64-x86-64"),
    ])?;
    try_it(root, folder, Arch::X64, None)
}

/// Debian's 64-bit and 32-bit packages of wine do not go together on every release, so the 32-bit one
/// lives in a Debian of its own. It stays in `target` for the next time.
pub(crate) fn try_32(root: &Path, folder: &Path) -> Result<()> {
    bring(&[
        ("debootstrap", "debootstrap"),
        ("i686-w64-mingw32-g++", "g++-mingw-w64-i686"),
    ])?;
    let debian = root.join("target/wine32");
    if !debian.join("usr/bin/wine").exists() {
        fs::create_dir_all(&debian)?;
        if !debian.join("usr/bin/apt-get").exists() {
            must(
                Command::new("debootstrap")
                    .args(["--arch=i386", "--variant=minbase", "bookworm"])
                    .arg(&debian),
            )?;
        }
        // Whatever this machine installs from, its guest does too, and from nowhere twice.
        fs::write(debian.join("etc/apt/sources.list"), "")?;
        let here = Path::new("/etc/apt/sources.list");
        if here.is_file() {
            fs::copy(here, debian.join("etc/apt/sources.list"))?;
        }
        for file in ["etc/apt/apt.conf.d", "etc/apt/sources.list.d"] {
            let from = Path::new("/").join(file);
            if from.is_dir() {
                must(
                    Command::new("cp")
                        .args(["-rT", "--dereference"])
                        .arg(from)
                        .arg(debian.join(file)),
                )?;
            }
        }
        fs::write(debian.join("etc/hosts"), "127.0.0.1 localhost\n")?;
        fs::copy("/etc/resolv.conf", debian.join("etc/resolv.conf"))?;
        let script = "export DEBIAN_FRONTEND=noninteractive; apt-get update || true; \
                      apt-get install -y --no-install-recommends wine wine32";
        must(
            Command::new("chroot")
                .arg(&debian)
                .args(["sh", "-euc", script]),
        )?;
    }
    try_it(root, folder, Arch::X86, Some(&debian))
}

fn try_it(root: &Path, folder: &Path, arch: Arch, wine_root: Option<&Path>) -> Result<()> {
    let mut tests = cargo(root);
    tests
        .args([
            "test",
            "--package",
            "banyan-nation-ec-code",
            "--test",
            "windows",
        ])
        .args(["--", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DLL_FOLDER, folder)
        .env(ARCH, arch.name());
    if let Some(wine_root) = wine_root {
        tests.env(WINE_ROOT, wine_root);
    }
    must(&mut tests)
}

fn bring(programs: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| !starts(program) && !answers(Command::new("which").arg(program)))
        .map(|(_, package)| *package)
        .collect();
    if install(&missing, "the DLL's tests under wine") {
        Ok(())
    } else {
        bail!("without {} the DLL can't be tried", missing.join(" "))
    }
}
