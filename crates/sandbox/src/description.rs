//! `sandbox.json`: where everything of a sandbox is, for other programs and for people.
//!
//! The file appears when all of it answers, complete or not at all, and only its owner may read
//! it, because it holds every secret of the sandbox.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use banyan_protocol::ambient::Randomness;
use serde::{Deserialize, Serialize};

use crate::Citizen;

/// The whole of `sandbox.json`. `Debug` shows addresses and counts alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxDescription {
    /// Where the platform answers.
    pub platform: String,
    /// Where the edge answers; empty where none runs.
    pub edge: String,
    /// Always `test`.
    pub environment: String,
    /// The hospitals.
    pub hospitals: Vec<HospitalAccess>,
    /// 闽政通.
    pub mzt: MztAccess,
    /// Where 闽政通 shows what it was told; also the base address of the telling. Beside its
    /// registration, which stays the same from start to start.
    #[serde(default)]
    pub mzt_url: String,
    /// The 医保业务综合服务终端 of the window.
    #[serde(default)]
    pub terminal: TerminalAccess,
    /// The insurers' channels.
    pub insurers: Vec<InsurerAccess>,
    /// The citizens.
    pub citizens: Vec<Citizen>,
    /// The operators' console. Tools of others read this file and look for the member, so it stays
    /// whether or not there is one.
    pub console: ConsoleAccess,
    /// What the HIS shows the edge; empty where none runs.
    pub edge_api_key: String,
}

/// A hospital's registration.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HospitalAccess {
    /// 机构 id.
    pub org_id: String,
    /// 机构名称.
    pub org_name: String,
    /// 应用 ID.
    pub app_id: String,
    /// 密钥.
    pub secret: String,
    /// Where it answers ORG_002.
    pub callback_url: String,
}

/// The registration of 闽政通.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MztAccess {
    /// 应用 ID.
    pub app_id: String,
    /// 密钥.
    pub secret: String,
}

/// The simulated terminal: its registration at the credential centre, and where a HIS's library
/// asks it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct TerminalAccess {
    /// 应用 ID.
    pub app_id: String,
    /// 密钥.
    pub secret: String,
    /// Where it answers.
    pub url: String,
}

/// An insurer's registration at the 统一对外接口.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsurerAccess {
    /// 应用 ID.
    pub chs_fjs_appid: String,
    /// 密钥.
    pub chs_fjs_appsecret: String,
    /// 安全级别, 1 to 4.
    pub level: u8,
    /// The services that it may name.
    #[serde(rename = "serviceIds")]
    pub service_ids: Vec<String>,
}

/// How to enter the console.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ConsoleAccess {
    /// Where it is.
    pub url: String,
    /// The operator's name.
    pub username: String,
    /// The operator's password.
    pub password: String,
}

/// Why a description could not be written or read. It repeats nothing of the content.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// The file system refused.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file does not describe a sandbox.
    #[error("{} does not describe a sandbox (line {line}, column {column})", .path.display())]
    NotADescription {
        /// Which file.
        path: PathBuf,
        /// Where it goes wrong.
        line: usize,
        /// Where it goes wrong.
        column: usize,
    },
}

impl SandboxDescription {
    /// Its name in a data directory.
    pub const FILE_NAME: &'static str = "sandbox.json";

    /// Writes `sandbox.json` into this folder, whole or not at all.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, DescriptionError> {
        let path = folder.join(Self::FILE_NAME);
        let json = serde_json::to_vec_pretty(self).map_err(|error| at(&path, error.into()))?;
        write_whole(&path, &json).map_err(|source| at(&path, source))?;
        Ok(path)
    }

    /// Reads the `sandbox.json` of this folder.
    ///
    /// # Errors
    /// Where there is none, or it is none.
    pub fn read(folder: &Path) -> Result<Self, DescriptionError> {
        let path = folder.join(Self::FILE_NAME);
        let json = fs::read(&path).map_err(|source| at(&path, source))?;
        serde_json::from_slice(&json).map_err(|error| DescriptionError::NotADescription {
            path,
            line: error.line(),
            column: error.column(),
        })
    }
}

fn at(path: &Path, source: io::Error) -> DescriptionError {
    DescriptionError::File {
        path: path.to_owned(),
        source,
    }
}

/// Writes a file that only its owner may read, whole or not at all: into a file beside it, which
/// then takes its name.
///
/// # Errors
/// Where the file system refuses.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    // One that was left by a crash may have other permissions.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = owners(OpenOptions::new().write(true).create_new(true)).open(&beside)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    drop(file);
    let named = written.and_then(|()| fs::rename(&beside, path));
    if named.is_err() {
        // What can't be finished should not lie about; the first error is the one that tells.
        let _ = fs::remove_file(&beside);
    }
    named?;
    sync_folder(path)
}

/// Only its owner may read what is made so.
pub(crate) fn owners(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// A new name survives a power failure only when its folder is on the disk too; elsewhere than
/// on Unix a folder can't be opened.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => {
            let folder = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            };
            File::open(folder)?.sync_all()
        }
        _ => Ok(()),
    }
}

/// A new secret: 32 characters, URL-safe, six unpredictable bits each, so that the 16 that become
/// the SM4 key hold 96.
#[must_use]
pub fn random_secret(random: &dyn Randomness) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 64)]))
        .collect()
}

impl fmt::Debug for SandboxDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxDescription")
            .field("platform", &self.platform)
            .field("edge", &self.edge)
            .field("hospitals", &self.hospitals)
            .field("insurers", &self.insurers)
            .field("citizens", &self.citizens.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HospitalAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HospitalAccess")
            .field("org_id", &self.org_id)
            .field("app_id", &self.app_id)
            .field("callback_url", &self.callback_url)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MztAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MztAccess")
            .field("app_id", &self.app_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TerminalAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TerminalAccess")
            .field("app_id", &self.app_id)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for InsurerAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InsurerAccess")
            .field("chs_fjs_appid", &self.chs_fjs_appid)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ConsoleAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleAccess")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use banyan_protocol::ambient::SystemRandomness;

    use super::*;
    use crate::testing::citizens;

    fn description() -> SandboxDescription {
        SandboxDescription {
            platform: "http://127.0.0.1:8080".to_owned(),
            edge: String::new(),
            environment: "test".to_owned(),
            hospitals: vec![HospitalAccess {
                org_id: "H35010000001".to_owned(),
                org_name: "榕树医院".to_owned(),
                app_id: "hospital-1".to_owned(),
                secret: "hospital-secret-1".to_owned(),
                callback_url: "http://127.0.0.1:9001/umdl/callback".to_owned(),
            }],
            mzt: MztAccess {
                app_id: "mzt".to_owned(),
                secret: "mzt-secret-mzt-secret".to_owned(),
            },
            mzt_url: "http://127.0.0.1:9002/".to_owned(),
            terminal: TerminalAccess {
                app_id: "terminal".to_owned(),
                secret: "terminal-secret-terminal".to_owned(),
                url: "http://127.0.0.1:9003/".to_owned(),
            },
            insurers: vec![InsurerAccess {
                chs_fjs_appid: "hmb".to_owned(),
                chs_fjs_appsecret: "insurer-secret-insurer".to_owned(),
                level: 4,
                service_ids: vec!["hmb2025".to_owned()],
            }],
            citizens: citizens(3),
            console: ConsoleAccess::default(),
            edge_api_key: String::new(),
        }
    }

    #[test]
    fn the_members_are_those_of_the_contract() {
        let json = serde_json::to_value(description()).unwrap();
        let keys = |value: &serde_json::Value| {
            let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys.join(" ")
        };
        assert_eq!(
            keys(&json),
            "citizens console edge edgeApiKey environment hospitals insurers mzt mztUrl platform terminal"
        );
        for (part, expected) in [
            (
                &json["hospitals"][0],
                "appId callbackUrl orgId orgName secret",
            ),
            (&json["mzt"], "appId secret"),
            (
                &json["insurers"][0],
                "chs_fjs_appid chs_fjs_appsecret level serviceIds",
            ),
            (
                &json["citizens"][0],
                "ecQrCode ehealthCardId idNo idType mobilePhone psnNo userName",
            ),
            (&json["console"], "password url username"),
        ] {
            assert_eq!(keys(part), expected);
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_only_its_owner_may() {
        let folder = tempfile::tempdir().unwrap();
        let mut wanted = description();
        wanted.write(folder.path()).unwrap();
        wanted.edge = "http://127.0.0.1:8081".to_owned();
        // A crash left this behind, readable by all.
        fs::write(folder.path().join("sandbox.json.tmp"), "half").unwrap();
        let path = wanted.write(folder.path()).unwrap();
        assert!(SandboxDescription::read(folder.path()).unwrap() == wanted);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn what_is_no_description_is_refused_without_repeating_it() {
        let folder = tempfile::tempdir().unwrap();
        let absent = SandboxDescription::read(folder.path()).unwrap_err();
        assert!(matches!(absent, DescriptionError::File { .. }));
        fs::write(
            folder.path().join("sandbox.json"),
            r#"{"platform":["s3cret"]}"#,
        )
        .unwrap();
        let refused = SandboxDescription::read(folder.path()).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("s3cret"));
    }

    #[test]
    fn no_secret_shows() {
        let description = description();
        let shown = format!(
            "{description:#?} {:?} {:?}",
            description.mzt, description.console
        );
        assert!(!shown.contains("secret-"), "{shown}");
        assert!(!shown.contains(&description.citizens[0].user_name));
    }

    #[test]
    fn secrets_are_long_and_each_is_new() {
        let [one, other] = [(); 2].map(|()| random_secret(&SystemRandomness));
        assert!(one.len() == 32 && one != other);
    }
}
