//! Where the server's programs are.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::install;

/// Names the folder outright, for a PostgreSQL that stands elsewhere.
const OVERRIDE: &str = "BANYAN_PG_BIN";

/// Where Debian and Ubuntu keep one folder a version, off the PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A folder that holds both `initdb` and `postgres`.
#[derive(Debug)]
pub(crate) struct Binaries {
    folder: PathBuf,
    version: String,
}

impl Binaries {
    /// Finds the programs, or installs them where that is allowed.
    pub(crate) fn find_or_install() -> Result<Binaries> {
        if let Some(found) = Binaries::find()? {
            return Ok(found);
        }
        install::install()?;
        match Binaries::find()? {
            Some(found) => Ok(found),
            None => bail!("the package `postgresql` was installed, yet {DEBIAN} has no server"),
        }
    }

    pub(crate) fn find() -> Result<Option<Binaries>> {
        if let Some(folder) = env::var_os(OVERRIDE) {
            let folder = PathBuf::from(folder);
            return match Binaries::at(&folder) {
                Some(found) => Ok(Some(found)),
                None => bail!(
                    "{OVERRIDE} says {}, which has no working `initdb` and `postgres`",
                    folder.display()
                ),
            };
        }
        let path = env::var_os("PATH").unwrap_or_default();
        Ok(debian_folders(Path::new(DEBIAN))
            .into_iter()
            .chain(env::split_paths(&path))
            .find_map(|folder| Binaries::at(&folder))
            .or_else(|| Binaries::at(&pg_config()?)))
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Takes a folder whose server starts far enough to tell its version: a package removed but
    /// for its folder, or one for another machine, is passed over.
    fn at(folder: &Path) -> Option<Binaries> {
        if !folder.join("initdb").is_file() || !folder.join("postgres").is_file() {
            return None;
        }
        let told = Command::new(folder.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        let version = String::from_utf8(told.stdout).ok()?;
        // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
        let version = version.split_whitespace().nth(2)?.to_owned();
        Some(Binaries {
            folder: folder.to_path_buf(),
            version,
        })
    }
}

impl fmt::Display for Binaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL {}", self.version)
    }
}

/// `/usr/lib/postgresql/*/bin`, newest first; by number, because "9.6" is older than "15".
fn debian_folders(base: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(Vec<u32>, PathBuf)> = std::fs::read_dir(base)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry
                .file_name()
                .to_str()?
                .split('.')
                .map(|part| part.parse().ok())
                .collect::<Option<Vec<u32>>>()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, folder)| folder).collect()
}

fn pg_config() -> Option<PathBuf> {
    let told = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = String::from_utf8(told.stdout).ok()?;
    Some(PathBuf::from(folder.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_version_comes_first_by_number() {
        let base = tempfile::tempdir().unwrap();
        for name in ["9.6", "15", "9.10", "common"] {
            std::fs::create_dir(base.path().join(name)).unwrap();
        }
        let names: Vec<_> = debian_folders(base.path())
            .iter()
            .map(|folder| folder.strip_prefix(base.path()).unwrap().to_owned())
            .collect();
        assert_eq!(names, ["15/bin", "9.10/bin", "9.6/bin"].map(PathBuf::from));
    }

    #[test]
    fn a_folder_without_a_server_is_passed_over() {
        let base = tempfile::tempdir().unwrap();
        assert!(Binaries::at(base.path()).is_none());
        std::fs::write(base.path().join("initdb"), "").unwrap();
        std::fs::write(base.path().join("postgres"), "not a program").unwrap();
        assert!(Binaries::at(base.path()).is_none());
    }
}
