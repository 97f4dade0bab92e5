//! How the DLL is built.
//!
//! The Windows targets that reach back to Windows 7 come with no standard library, so it is built
//! from its sources: Debian packages a Rust that has them (`rust-web-src`). Its cargo, rustc and
//! target folder are kept apart from the developer's.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::{Arch, must, printed};
use crate::apt;

/// Debian's, not the developer's.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";

const PACKAGES: [&str; 6] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "gcc-mingw-w64-x86-64",
    "gcc-mingw-w64-i686",
    "libc6-dev",
];

pub(crate) fn dll(root: &Path, arch: Arch) -> Result<PathBuf> {
    let library = standard_library()?;
    // The `pc` targets ask for a DLL that came with Windows 10 (and that wine 8 lacks).
    let target = format!("{}-win7-windows-gnu", arch.name());
    let folder = root.join("target/dll");
    let startup = folder.join("rtstartup").join(&target);
    std::fs::create_dir_all(&startup)?;
    if arch == Arch::X86 {
        // What 32-bit programs unwind by is not built along with the library.
        for name in ["rsbegin", "rsend"] {
            must(
                Command::new(RUSTC)
                    .env("RUSTC_BOOTSTRAP", "1")
                    .args(["--target", &target, "--emit=obj", "-o"])
                    .arg(startup.join(format!("{name}.o")))
                    .arg(library.join("rtstartup").join(format!("{name}.rs"))),
            )?;
        }
    }
    let variable = target.to_uppercase().replace('-', "_");
    let mut cargo = Command::new(CARGO);
    cargo
        .current_dir(root)
        .env("RUSTC", RUSTC)
        // Building the standard library is not stable yet; nothing else here is unstable.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", &folder)
        .env(format!("CARGO_TARGET_{variable}_LINKER"), arch.tool("gcc"))
        .env(
            format!("CARGO_TARGET_{variable}_RUSTFLAGS"),
            format!("-Lnative={}", startup.display()),
        );
    // They would win over ours, or bring the developer's compiler back.
    for other in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
        "CARGO",
    ] {
        cargo.env_remove(other);
    }
    // As a cdylib alone: beside an rlib there is no optimisation across crates, and the DLL is
    // three times the size.
    cargo
        .args(["rustc", "--profile", "dll", "--locked"])
        .args(["-Zbuild-std=std,panic_unwind", "--target", &target])
        .args(["--package", "banyan-nation-ec-code", "--lib"])
        .args(["--crate-type", "cdylib"]);
    must(&mut cargo)?;
    Ok(folder.join(target).join("dll/NationECCode.dll"))
}

/// An import library for those who link instead of loading; the linker's own lacks the decoration
/// that 32-bit compilers look for.
pub(crate) fn import_library(root: &Path, arch: Arch, into: &Path) -> Result<()> {
    let definitions = into.join("NationECCode.def");
    let include = root.join(super::INCLUDES);
    let name = match arch {
        Arch::X64 => "NationECCode.def",
        Arch::X86 => "NationECCode.x86.def",
    };
    std::fs::copy(include.join(name), &definitions)?;
    let mut dlltool = Command::new(arch.tool("dlltool"));
    dlltool.arg("-d").arg(&definitions).arg("-l");
    dlltool.arg(into.join("NationECCode.lib"));
    if arch == Arch::X86 {
        // The compiler asks for `_NationEcTrans@12`, the DLL exports `NationEcTrans`.
        dlltool.arg("--kill-at");
    }
    must(&mut dlltool)
}

/// The sources of the standard library, installed where they are missing.
fn standard_library() -> Result<PathBuf> {
    let find = || -> Option<PathBuf> {
        let sysroot = printed(Command::new(RUSTC).args(["--print", "sysroot"])).ok()?;
        let library = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library");
        let complete = library.join("rtstartup").is_dir()
            && [Arch::X64, Arch::X86]
                .iter()
                .all(|arch| apt::starts(&arch.tool("gcc")))
            && apt::starts(CARGO);
        complete.then_some(library)
    };
    if let Some(library) = find() {
        return Ok(library);
    }
    apt::install(&PACKAGES, "the DLL");
    match find() {
        Some(library) => Ok(library),
        None => bail!("without {} the DLL can't be built", PACKAGES.join(" ")),
    }
}
