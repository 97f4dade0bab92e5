//! `cargo xtask`: the developer's errands, one file for each.
//!
//! `test` runs every test on both engines, `gen` writes what can be generated, `tidy` checks the
//! code's manners, `ci` is what the build server asks for after the tests, and `dll` makes the
//! NationECCode library for Windows.

mod apt;
mod ci;
mod dll;
mod generate;
mod interfaces;
mod interrupt;
mod postgres;
mod settings;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            interrupt::exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let root = workspace::root()?;
    match cli.errand {
        Errand::Test(options) => test::run(&root, &options),
        Errand::Gen(options) => generate::run(&root, &options),
        Errand::Tidy => tidy::run(&root),
        Errand::Ci => ci::run(&root),
        Errand::Dll(options) => dll::run(&root, &options),
    }
}

/// The developer's errands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    errand: Errand,
}

#[derive(Subcommand)]
enum Errand {
    /// Run every test, with a throwaway PostgreSQL beside SQLite
    Test(test::Options),
    /// Write the generated files
    Gen(generate::Options),
    /// Check the code's manners
    Tidy,
    /// What the build server checks after the tests: fmt, clippy, gen --check, tidy, deny
    Ci,
    /// Build NationECCode.dll with MinGW, check it, and try it under wine
    Dll(dll::Options),
}
