//! The commands, a file each: its options, then what it does.

pub(crate) mod appeal;
pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod call;
pub(crate) mod callback;
pub(crate) mod conformance;
pub(crate) mod credential;
pub(crate) mod doctor;
pub(crate) mod edge;
pub(crate) mod export;
pub(crate) mod illness;
pub(crate) mod insurer;
pub(crate) mod interface;
pub(crate) mod ledger;
pub(crate) mod listening;
pub(crate) mod migrate;
pub(crate) mod partner;
pub(crate) mod person;
pub(crate) mod sandbox;
pub(crate) mod serve;
pub(crate) mod table_file;

use std::future::Future;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use banyan_platform::admin::Desk;
use banyan_platform::app::OTHER_KEY;
use banyan_platform::settings::Settings;
use banyan_protocol::ambient::{SystemClock, SystemRandomness, World};
use banyan_store::db::{Db, DbSettings, StoreError};
use banyan_store::ids::Ids;
use banyan_store::vault::Vault;

use crate::config;

/// The machine's own time and randomness.
pub(crate) fn real_world() -> World {
    World {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandomness),
    }
}

/// Runs a command that waits for things.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("启动运行时")?
        .block_on(future)
}

/// A person's number from standard input, without the white space around it. Not an argument: those
/// stand in the shell's history and in the list of processes.
pub(crate) fn number_from_input() -> Result<String> {
    let mut number = String::new();
    std::io::stdin().read_line(&mut number)?;
    let number = number.trim();
    anyhow::ensure!(!number.is_empty(), "请由标准输入给出证件号码");
    Ok(number.to_owned())
}

/// The operator's desk over the database that the settings name, its schema up to date.
pub(crate) async fn desk(settings: &Settings) -> Result<Desk> {
    let master = config::master_key(settings)?;
    let world = real_world();
    let db = open(settings).await?;
    db.migrate().await.context("升级数据库结构")?;
    let vault = Vault::new(&master, world.random.clone());
    vault.check(&db).await.map_err(|error| match error {
        StoreError::Corrupt(_) => anyhow!(OTHER_KEY),
        other => other.into(),
    })?;
    let actor = ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_else(|| "unknown".to_owned());
    Ok(Desk {
        ids: Ids::new(db.clone()),
        db,
        vault,
        world,
        actor,
    })
}

/// Opens the database that the settings name.
pub(crate) async fn open(settings: &Settings) -> Result<Db> {
    Db::open(&DbSettings::new(&*settings.database_url.0))
        .await
        .with_context(|| format!("打开数据库 {}", settings.database_url))
}
