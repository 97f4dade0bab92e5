//! Where a measurement keeps its records: a fresh place each time, gone afterwards.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use banyan_store::vault::MasterKey;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use super::Options;
use crate::commands::real_world;

/// A fresh database and its master key.
pub(super) struct Place {
    /// As the settings name it.
    pub(super) url: String,
    /// 64 hexadecimal digits.
    pub(super) master_key: String,
    folder: TempDir,
    database: Option<Database>,
}

/// A database of our own on somebody's server.
struct Database {
    server: String,
    name: String,
}

impl Place {
    pub(super) fn new(options: &Options) -> Result<Self> {
        let folder = match &options.data_dir {
            Some(above) => {
                std::fs::create_dir_all(above)
                    .with_context(|| format!("建立目录 {}", above.display()))?;
                tempfile::Builder::new()
                    .prefix("banyan-bench-")
                    .tempdir_in(above)
            }
            None => tempfile::Builder::new().prefix("banyan-bench-").tempdir(),
        }
        .context("建立临时目录")?;
        let random = real_world().random;
        let (url, database) = match &options.database_url {
            None => (sqlite_url(folder.path()), None),
            Some(server) => {
                let mut mark = [0; 4];
                random.fill(&mut mark);
                let mark = u32::from_le_bytes(mark);
                let name = format!("banyan_bench_{}_{mark:08x}", std::process::id());
                let mut url = url::Url::parse(server).context("--database-url 不是 URL")?;
                url.set_path(&name);
                let database = Database {
                    server: server.clone(),
                    name,
                };
                database.command("CREATE DATABASE")?;
                (url.to_string(), Some(database))
            }
        };
        Ok(Self {
            url,
            master_key: MasterKey::generate(&random),
            folder,
            database,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A copy of the SQLite file in a folder beside; PostgreSQL stays where it is.
    pub(super) fn copy_to(&self, folder: &Path) -> Result<String> {
        if self.database.is_some() {
            return Ok(self.url.clone());
        }
        std::fs::create_dir_all(folder)?;
        let file: PathBuf = folder.join(FILE);
        std::fs::copy(self.folder.path().join(FILE), file).context("复制数据目录")?;
        Ok(sqlite_url(folder))
    }

    /// Statements that stand in no transaction of ours, on PostgreSQL; `false` on SQLite.
    pub(super) async fn on_postgres(&self, sql: &str) -> Result<bool> {
        if self.database.is_none() {
            return Ok(false);
        }
        batch_execute(&self.url, sql).await?;
        Ok(true)
    }
}

const FILE: &str = "banyan.db";

fn sqlite_url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join(FILE).display())
}

impl Database {
    fn command(&self, verb: &str) -> Result<()> {
        let sql = format!("{verb} {}", self.name);
        Runtime::new()?.block_on(batch_execute(&self.server, &sql))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Err(error) = self.command("DROP DATABASE IF EXISTS") {
            crate::terminal::complain(&error.context(format!("删除数据库 {}", self.name)));
        }
    }
}

async fn batch_execute(url: &str, sql: &str) -> Result<()> {
    let (client, driver) = tokio_postgres::connect(url, NoTls)
        .await
        .context("连接 PostgreSQL")?;
    let driver = tokio::spawn(driver);
    let done = client.batch_execute(sql).await;
    drop(client);
    let _ended = driver.await;
    done.with_context(|| sql.to_owned())
}
