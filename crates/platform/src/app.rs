//! The platform as its parts share it.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use banyan_client::{HttpClient, HttpSettings};
use banyan_protocol::ambient::World;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::envelope::Environment;
use banyan_store::db::{Db, DbSettings, StoreError};
use banyan_store::ids::{Ids, NodeId};
use banyan_store::queue::JobKind;
use banyan_store::spool::Spool;
use banyan_store::vault::{MasterKey, Vault};
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, Semaphore};

use crate::credential::shown::ShownCodes;
use crate::directory::{Directory, Rules};
use crate::h5::visits::Visits;
use crate::journal::JournalBehind;
use crate::metrics::Meters;
use crate::overdue::fresh::Fresh;
use crate::settings::{DatabaseUrl, Settings};
use crate::supplement::icd10::IllnessMap;
use crate::work::ledgers;

/// A platform, opened. Clones are the same one.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// As it was set.
    pub settings: Settings,
    /// Test or production.
    pub environment: Environment,
    /// Interfaces that answer 404404.
    pub switched_off: Vec<Interface>,
    /// How entry links begin.
    pub public_url: String,
    /// Time and randomness.
    pub world: World,
    /// The records.
    pub db: Db,
    /// What is sealed.
    pub vault: Vault,
    /// Ids of new records.
    pub ids: Ids,
    /// Ids of new persons.
    pub person_ids: Ids,
    /// Who this process is among those that share the database.
    pub node: NodeId,
    /// The partners.
    pub directory: Directory,
    /// Entries of reads.
    pub journal: JournalBehind,
    /// Which diagnoses mean which category of past illnesses.
    pub illnesses: IllnessMap,
    /// Calls to hospitals.
    pub http: HttpClient,
    /// What Prometheus reads.
    pub meters: Meters,
    /// How often visitors of the pages did what costs others work.
    pub visits: Visits,
    /// Batches of the overdue registry that were taken in a moment ago.
    pub fresh: Fresh,
    /// QR codes that were shown and still live.
    pub shown_codes: ShownCodes,
    /// Calls that may wait for a password at once.
    pub waiting: Semaphore,
    /// Digests of passwords that are made at once.
    pub hashing: Semaphore,
    passwords: Notify,
    judging: Notify,
    callbacks: Notify,
    appeals: Notify,
    heartbeats: Mutex<HashMap<&'static str, Heartbeat>>,
    stopping: AtomicBool,
    /// Held as long as this platform lives.
    _lock: Option<File>,
}

/// Codes live a minute: more than a province shows in one, at about 40 bytes each.
const MOST_SHOWN_CODES: usize = 2_000_000;
/// Each takes 19 MB on purpose, and a core for tens of milliseconds.
const MOST_HASHING: usize = 2;

/// When a part of the worker last looked around, and how long it may take until it does again.
#[derive(Debug, Clone, Copy)]
struct Heartbeat {
    at: Instant,
    within: Duration,
}

/// What a database says to another master key than its own.
pub const OTHER_KEY: &str = "主密钥与该数据库不符：请使用建库时的主密钥";

/// An entry link is the public address, a path and a token, and at most 200 characters long.
const MOST_PUBLIC_URL: usize = 140;

/// What differs between a platform that serves a province and one in a sandbox.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// How entry links begin where the settings do not say: the address listened on.
    pub public_url: String,
    /// Whether partners may be called on any loopback port.
    pub loopback_hosts: bool,
}

/// Why a platform does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database.
    #[error("数据库：{0}")]
    Store(#[from] StoreError),
    /// A setting that can't be.
    #[error("{0}")]
    Setting(String),
}

impl App {
    /// Opens the database (bringing its schema up to date), checks the master key and reads the
    /// partners.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(
        settings: Settings,
        master_key: &MasterKey,
        world: World,
        setup: Setup,
    ) -> Result<Self, OpenError> {
        settings.check().map_err(OpenError::Setting)?;
        let public_url = settings
            .public_url
            .clone()
            .unwrap_or(setup.public_url)
            .trim_end_matches('/')
            .to_owned();
        if public_url.len() > MOST_PUBLIC_URL {
            return Err(OpenError::Setting(format!(
                "public_url：最多 {MOST_PUBLIC_URL} 个字符，否则入口链接超过接口规定的 200 个字符"
            )));
        }
        let map_file = settings.supplement.illness_map_file.as_deref();
        let illnesses = IllnessMap::load(map_file)
            .map_err(|fault| OpenError::Setting(format!("supplement.illness_map_file：{fault}")))?;
        let lock = lock_alone(&settings.database_url)?;
        let mut db_settings = DbSettings::new(&*settings.database_url.0);
        db_settings.pg_write_connections = settings.database_write_connections;
        db_settings.pg_read_connections = settings.database_read_connections;
        let db = Db::open(&db_settings).await?;
        for name in db.migrate().await? {
            tracing::info!(migration = name, "applied");
        }
        let spool = Spool::open(&settings.database_url.0, db.clone()).await?;
        let vault = Vault::new(master_key, world.random.clone());
        vault.check(&db).await.map_err(|error| match error {
            StoreError::Corrupt(_) => OpenError::Setting(OTHER_KEY.to_owned()),
            other => other.into(),
        })?;
        let now_ms = world.clock.now_ms();
        let rules = Rules {
            loopback_hosts: setup.loopback_hosts,
            freshness_ms: settings.inbound.freshness_ms,
            replay_capacity: settings.inbound.replay_capacity,
        };
        let directory = Directory::open(db.clone(), vault.clone(), rules, now_ms).await?;
        let outbound = &settings.outbound;
        let http = HttpClient::new(&HttpSettings {
            connect_timeout: Duration::from_millis(outbound.connect_timeout_ms),
            call_timeout: Duration::from_millis(outbound.call_timeout_ms),
            extra_ca_file: outbound.extra_ca_file.clone(),
            ..HttpSettings::default()
        })
        .map_err(|error| OpenError::Setting(error.to_string()))?;
        let switched_off = settings
            .switched_off
            .iter()
            .map(|code| {
                Interface::from_code(code).ok_or_else(|| {
                    OpenError::Setting(format!(
                        "switched_off：没有接口 {code}，请用 banyan interface 查看接口目录"
                    ))
                })
            })
            .collect::<Result<_, _>>()?;
        let mut node = [0; 8];
        world.random.fill(&mut node);
        let app = Self(Arc::new(Parts {
            environment: settings.environment.environment(),
            switched_off,
            public_url,
            ids: Ids::new(db.clone()),
            person_ids: Ids::of_persons(db.clone()),
            // Positive and never 0, which stands for nobody.
            node: NodeId(i64::from_le_bytes(node) & i64::MAX | 1),
            journal: JournalBehind::start(spool),
            meters: Meters::new().map_err(OpenError::Setting)?,
            fresh: Fresh::default(),
            shown_codes: ShownCodes::new(MOST_SHOWN_CODES),
            waiting: Semaphore::new(settings.credential.max_waiting),
            hashing: Semaphore::new(MOST_HASHING),
            passwords: Notify::new(),
            judging: Notify::new(),
            callbacks: Notify::new(),
            appeals: Notify::new(),
            visits: Visits::default(),
            heartbeats: Mutex::default(),
            stopping: AtomicBool::new(false),
            _lock: lock,
            settings,
            world,
            db,
            vault,
            directory,
            illnesses,
            http,
        }));
        ledgers::begin_derivation(&app).await?;
        Ok(app)
    }

    /// What time it is.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.world.clock.now_ms()
    }

    /// Says that there is work of this kind, so that nobody waits for the next round.
    pub fn wake(&self, kind: JobKind) {
        match kind {
            JobKind::Judge => self.judging.notify_one(),
            JobKind::Appeal => self.appeals.notify_one(),
            JobKind::Callback | JobKind::Reminder | JobKind::Correction => {
                self.callbacks.notify_one();
            }
            // Nobody waits for these; the next round is soon enough.
            JobKind::Reconcile | JobKind::Revocation => {}
        }
    }

    /// Waits until somebody says that there is work of this kind.
    pub async fn woken(&self, kind: JobKind) {
        match kind {
            JobKind::Judge => self.judging.notified().await,
            JobKind::Appeal => self.appeals.notified().await,
            JobKind::Callback | JobKind::Reminder | JobKind::Correction => {
                self.callbacks.notified().await;
            }
            JobKind::Reconcile | JobKind::Revocation => std::future::pending().await,
        }
    }

    /// Says that a password was entered, or that its holder did not want to.
    pub fn wake_password_waiters(&self) {
        self.passwords.notify_waiters();
    }

    /// Ends when the next password is entered on this node.
    pub fn password_entered(&self) -> Notified<'_> {
        self.passwords.notified()
    }

    /// Notes that a part of the worker looked around and will do so again within this time.
    pub fn beat(&self, part: &'static str, within: Duration) {
        let at = Instant::now();
        self.heartbeats
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(part, Heartbeat { at, within });
    }

    /// The part of the worker that has not been seen for too long; `"all"` where none ever was.
    #[must_use]
    pub fn worker_missing(&self) -> Option<&'static str> {
        let heartbeats = self
            .heartbeats
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if heartbeats.is_empty() {
            return Some("all");
        }
        heartbeats
            .iter()
            .find(|(_, beat)| beat.at.elapsed() > beat.within)
            .map(|(part, _)| *part)
    }

    /// Whether work is to be left where it is as soon as it can be.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Has work left where it is as soon as it can be.
    pub fn stop_soon(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Finishes what was accepted and closes the database.
    pub async fn close(&self) {
        self.journal.close().await;
        self.db.close().await;
    }
}

/// One platform works on an SQLite file at a time: leases of another are taken for leftovers.
/// Commands that only change partners may come in beside it.
fn lock_alone(url: &DatabaseUrl) -> Result<Option<File>, OpenError> {
    let Some(path) = url.0.strip_prefix("sqlite:") else {
        return Ok(None);
    };
    let failed = |error: &dyn std::fmt::Display| {
        OpenError::Setting(format!("无法锁定 {path}.lock：{error}"))
    };
    let lock = File::create(format!("{path}.lock")).map_err(|error| failed(&error))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Setting(format!(
            "{path} 正被另一个平台进程使用：请先停止它，或换一个数据库"
        ))),
        Err(TryLockError::Error(error)) => Err(failed(&error)),
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
