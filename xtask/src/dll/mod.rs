//! `cargo xtask dll`: NationECCode.dll for Windows, 64 and 32 bit, built on Debian and checked there.
//!
//! `build` makes it, `check` looks at what came out, `wine` lets Windows programs use it.

mod build;
mod check;
mod wine;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

use crate::interrupt;
use crate::workspace::shown;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this one; both where it is not given
    #[arg(long, value_enum)]
    arch: Option<Arch>,
    /// Where the folders `x86_64` and `i686` go
    #[arg(long, value_name = "DIR", default_value = "target/dll/out")]
    out: PathBuf,
    /// Try the 64-bit DLL under wine
    #[arg(long)]
    test: bool,
    /// Try the 32-bit DLL under wine, in an i386 Debian of its own (root, 1.1 GB)
    #[arg(long)]
    test_32: bool,
}

/// What Windows calls x64 and x86.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Arch {
    #[value(name = "x86_64")]
    X64,
    #[value(name = "i686")]
    X86,
}

impl Arch {
    fn name(self) -> &'static str {
        match self {
            Arch::X64 => "x86_64",
            Arch::X86 => "i686",
        }
    }

    /// One of MinGW's programs for it.
    fn tool(self, name: &str) -> String {
        format!("{}-w64-mingw32-{name}", self.name())
    }
}

/// What lies beside the DLL for whoever links against it.
const INCLUDES: &str = "crates/nation_ec_code/include";

pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    interrupt::watch()?;
    let wanted = |arch| match options.arch {
        Some(only) => only == arch,
        // A test of one needs only that one.
        None if options.test != options.test_32 => options.test == (arch == Arch::X64),
        None => true,
    };
    let out = root.join(&options.out);
    for arch in [Arch::X64, Arch::X86]
        .into_iter()
        .filter(|arch| wanted(*arch))
    {
        let built = build::dll(root, arch)?;
        let folder = out.join(arch.name());
        fs::create_dir_all(&folder)?;
        let dll = folder.join("NationECCode.dll");
        fs::copy(&built, &dll).with_context(|| format!("{} can't be copied", built.display()))?;
        fs::copy(
            root.join(INCLUDES).join("NationECCode.h"),
            folder.join("NationECCode.h"),
        )?;
        build::import_library(root, arch, &folder)?;
        println!("xtask dll: {}: {}", dll.display(), check::all(&dll, arch)?);
    }
    if options.test {
        wine::try_64(root, &out.join(Arch::X64.name()))?;
    }
    if options.test_32 {
        wine::try_32(root, &out.join(Arch::X86.name()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs it to its end; a failure is an error.
fn must(command: &mut Command) -> Result<()> {
    let status = interrupt::run(command)?;
    if !status.success() {
        bail!("`{}`: {status}", shown(command));
    }
    Ok(())
}

/// What it prints; a failure is an error.
fn printed(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("`{}` can't be started", shown(command)))?;
    if !output.status.success() {
        bail!("`{}`: {}", shown(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
