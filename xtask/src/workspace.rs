//! Where the workspace is, and which cargo to call in it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The workspace's root, looked for from the current folder upwards, so that a moved clone needs
/// no rebuild and a worktree checks itself.
pub(crate) fn root() -> Result<PathBuf> {
    let here = env::current_dir().context("the current folder can't be read")?;
    here.ancestors()
        .find(|folder| folder.join("Cargo.toml").is_file() && folder.join("xtask").is_dir())
        .map(Path::to_path_buf)
        .with_context(|| {
            format!(
                "{} is not inside the workspace: run `cargo xtask` from there",
                here.display()
            )
        })
}

/// The cargo that runs us, so that a `+toolchain` holds for what we run in turn.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// The command as one would type it, for messages.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
