//! What the tests of the library share: a credential centre of the smallest kind, with faults by path,
//! a terminal beside it, and a folder with settings.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "these are tests and their scaffold: they fail by panicking"
)]

pub mod centre;
pub mod certificates;
pub mod programs;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

pub const APP_ID: &str = "H35020312345";
pub const SECRET: &str = "the-secret-of-a-kiosk-in-tests";

/// A folder with `NationECCode.toml`.
pub struct Desk {
    pub folder: TempDir,
}

impl Desk {
    /// With these lines behind appId and secret.
    pub fn with(more: &str) -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        desk.set(more);
        desk
    }

    pub fn set(&self, more: &str) {
        let text = format!("app_id = \"{APP_ID}\"\nsecret = \"{SECRET}\"\n{more}");
        fs::write(self.file(), text).unwrap();
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("NationECCode.toml")
    }
}

/// A question of ec.query with the caller's own code.
pub const QUERY: &str = r#"{"data":{"operatorId":"008","operatorName":"TEST","officeId":"01","officeName":"内科","orgId":"1234567","businessType":"01101","deviceType":""},"orgId":"1234567","transType":"ec.query","extra":"{\"qrCode\":\"EC0123\"}"}"#;
