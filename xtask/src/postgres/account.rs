//! Who runs the server: PostgreSQL refuses to run as root, and build servers like to be root.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use nix::unistd::{User, geteuid};

/// The account that owns the cluster; `None` is whoever runs us.
pub(crate) struct Account(Option<User>);

impl Account {
    pub(crate) fn choose() -> Result<Account> {
        if !geteuid().is_root() {
            return Ok(Account(None));
        }
        // `nobody` will do: the account owns one folder for as long as the tests run.
        for name in ["postgres", "nobody"] {
            if let Some(user) = User::from_name(name)? {
                return Ok(Account(Some(user)));
            }
        }
        Err(anyhow::anyhow!(
            "PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody`"
        ))
    }

    /// Gives it a folder that we made.
    pub(crate) fn own(&self, folder: &Path) -> Result<()> {
        if let Some(user) = &self.0 {
            std::os::unix::fs::chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                .with_context(|| format!("{} can't be given to {}", folder.display(), user.name))?;
        }
        Ok(())
    }

    /// A command that runs as this account, in a folder that it may enter.
    pub(crate) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder);
        // Neither the developer's PGPORT nor a Chinese message catalogue may shape the cluster.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C");
        if let Some(user) = &self.0 {
            // The standard library drops root's other groups along with the id.
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// Whether it can reach the folder when the folder's owner is someone else.
    pub(crate) fn can_reach(&self, folder: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt;
        self.0.is_none()
            || folder.ancestors().all(|parent| {
                parent
                    .metadata()
                    .is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
            })
    }
}
