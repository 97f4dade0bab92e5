//! A place to run a platform in: a folder, a database, a master key.

use std::path::Path;
use std::process::Command;

use banyan_protocol::ambient::{SharedRandomness, SystemRandomness};
use banyan_sandbox::Citizen;
use banyan_store::db::{Db, DbSettings, Engine, StoreError};
use banyan_store::testing::{self, TestDb};
use banyan_store::vault::{MasterKey, Vault};
use serde_json::Value;
use tempfile::TempDir;

use crate::partner::Partner;
use crate::process::{Program, run};

/// A folder with a database that is its own, gone when this is dropped.
pub(crate) struct Place {
    folder: TempDir,
    /// The database.
    pub(crate) url: String,
    master_key: String,
    postgres: Option<TestDb>,
}

/// A `banyan serve` that is ready.
pub(crate) struct Server {
    pub(crate) program: Program,
    /// How it is called: scheme, address and port.
    pub(crate) url: String,
}

impl Place {
    /// On embedded SQLite.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("banyan.db").display());
        Self::of(folder, url, None)
    }

    /// On the PostgreSQL of the tests; `None` where it is to be left out.
    pub(crate) async fn postgres() -> Option<Self> {
        if std::env::var("BANYAN_TEST_POSTGRES").is_ok_and(|url| url == "skip") {
            eprintln!("PostgreSQL is skipped: BANYAN_TEST_POSTGRES=skip");
            return None;
        }
        let database = testing::open_unmigrated(Engine::Postgres, |_| {}).await;
        // Only the programs use it.
        database.db.close().await;
        let folder = tempfile::tempdir().unwrap();
        Some(Self::of(folder, database.url.clone(), Some(database)))
    }

    fn of(folder: TempDir, url: String, postgres: Option<TestDb>) -> Self {
        Self {
            folder,
            url,
            master_key: MasterKey::generate(&random()),
            postgres,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The keys that the platform uses here.
    pub(crate) fn vault(&self) -> Vault {
        Vault::new(&MasterKey::parse(&self.master_key).unwrap(), random())
    }

    /// `banyan` with settings for this place in the environment.
    pub(crate) fn banyan(&self, arguments: &[&str]) -> Command {
        let mut command = banyan(self.path());
        command
            .args(arguments)
            .env("BANYAN_LISTEN", "127.0.0.1:0")
            .env("BANYAN_DATABASE_URL", &self.url)
            .env("BANYAN_MASTER_KEY", &self.master_key);
        command
    }

    /// Starts `banyan serve` and waits until it is ready.
    pub(crate) fn serve(&self) -> Server {
        Server::start(&mut self.banyan(&["serve"]))
    }

    /// Registers a hospital that may be called back on any port of this machine.
    pub(crate) fn add_hospital(&self, org_id: &str) -> Partner {
        let out = run(&mut self.banyan(&[
            "partner",
            "add",
            "--org-id",
            org_id,
            "--name",
            "崩溃测试医院",
            "--host",
            "loopback",
            "--rate",
            "100000",
        ]))
        .success();
        Partner::new(
            org_id,
            after(&out, "appId：").unwrap(),
            after(&out, "密钥：").unwrap(),
        )
    }

    /// Gives these people health cards, as an operator does.
    pub(crate) fn register(&self, citizens: &[Citizen]) {
        let mut file = "idType,idNo,userName,mobilePhone,psnNo\n".to_owned();
        for citizen in citizens {
            let members = [
                &citizen.id_type,
                &citizen.id_no,
                &citizen.user_name,
                &citizen.mobile_phone,
                &citizen.psn_no,
            ];
            file += &members.map(String::as_str).join(",");
            file += "\n";
        }
        std::fs::write(self.path().join("citizens.csv"), file).unwrap();
        let said = run(&mut self.banyan(&["person", "import", "citizens.csv"])).success();
        let all = format!("新登记 {}", citizens.len());
        assert!(said.contains(&all), "{said}");
    }

    /// Does something with the database while no transaction of ours is open; closed afterwards, so
    /// that a crash finds the platform alone with it.
    pub(crate) async fn with_db<T>(
        &self,
        act: impl AsyncFnOnce(&Db) -> Result<T, StoreError>,
    ) -> T {
        let mut settings = DbSettings::new(&*self.url);
        settings.pg_write_connections = 1;
        settings.pg_read_connections = 1;
        let db = Db::open(&settings).await.unwrap();
        let done = act(&db).await;
        db.close().await;
        done.unwrap()
    }

    pub(crate) async fn execute(&self, sql: &'static str) -> u64 {
        self.with_db(async |db| db.write(move |tx| tx.execute(sql, &[])).await)
            .await
    }

    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        self.with_db(async |db| db.query_opt(sql, &[], |row| row.get::<i64>(0)).await)
            .await
            .unwrap()
    }

    /// Lets the leases of a dead process run out, which by the wall clock takes up to ten minutes
    /// where others may share the database; on SQLite, the next start takes everything over.
    pub(crate) async fn let_leases_run_out(&self) {
        if self.postgres.is_none() {
            return;
        }
        self.execute("UPDATE lane_lease SET held_until_ms = 0")
            .await;
        self.execute("UPDATE schedule SET held_until_ms = 0").await;
    }

    /// Makes the sealing of the journal due now.
    pub(crate) async fn let_journal_be_sealed(&self) {
        self.execute("UPDATE schedule SET next_ms = 0 WHERE name = 'seal_journal'")
            .await;
    }
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut program = Program::start(command);
        let url = program.wait_for(|_, log| log.lines().find_map(ready));
        Self { program, url }
    }
}

/// `banyan` in this folder, with nothing of our environment but the way to other programs.
pub(crate) fn banyan(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_banyan"));
    command
        .current_dir(folder)
        .env_clear()
        .env("USER", "tester");
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// What follows this mark on its line.
pub(crate) fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.split_once(mark))?.1;
    Some(line.trim())
}

/// The address in the log line that says that the platform is ready.
fn ready(line: &str) -> Option<String> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let fields = &entry["fields"];
    (fields["message"] == "ready").then(|| {
        let part = |name: &str| fields[name].as_str().unwrap().to_owned();
        format!("{}://{}", part("scheme"), part("address"))
    })
}

fn random() -> SharedRandomness {
    std::sync::Arc::new(SystemRandomness)
}
