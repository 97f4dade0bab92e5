//! The edge as its parts share it, and the server around it.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{File, TryLockError};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use banyan_client::ClientSetupError;
use banyan_protocol::ambient::{SharedClock, SharedRandomness, World};
use banyan_protocol::catalogue::Interface;
use banyan_protocol::envelope::Account;
use banyan_protocol::wire::{Scalar as _, WebAddress};
use banyan_store::db::StoreError;
use banyan_store::private_file;
use banyan_store::vault::{MasterKey, Vault};
use banyan_web::{Serving, ServingError};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::api;
use crate::his::His;
use crate::line::Line;
use crate::outbox::Outbox;
use crate::outbox::forming::{Latest, Sender};
use crate::outbox::taking::{Moment, TakenRows};
use crate::rows::Row;
use crate::sending::{LONGEST_FOLLOW_UP_MS, LONGEST_WAIT_MS, Worker};
use crate::settings::{BadSetting, Checked, Settings};

/// An edge; clones are the same one.
#[derive(Clone)]
pub struct Edge(Arc<Parts>);

/// What an [`Edge`] is made of.
pub struct Parts {
    pub(crate) settings: Settings,
    pub(crate) checked: Checked,
    /// The platform's calls are opened under one of these.
    pub(crate) accounts: Vec<Account>,
    pub(crate) sender: Sender,
    pub(crate) outbox: Outbox,
    pub(crate) line: Line,
    pub(crate) his: His,
    pub(crate) clock: SharedClock,
    pub(crate) random: SharedRandomness,
    /// Rung when there is something to send.
    pub(crate) bell: Notify,
    /// When another edge of this hospital was noticed last, and looked for last; 0 is never.
    pub(crate) twin_seen_ms: AtomicI64,
    pub(crate) twin_sought_ms: AtomicI64,
    /// When it was last asked, whatever the answer; 0 is never.
    pub(crate) twin_asked_ms: AtomicI64,
    /// Whether what the HIS said last could not be kept: the disk is full, mostly.
    pub(crate) cannot_write: AtomicBool,
    /// When the HIS called last; 0 is never.
    pub(crate) his_called_ms: AtomicI64,
    recent: Mutex<VecDeque<Recent>>,
    /// What keeps dropped files from being taken, in Chinese.
    drop_trouble: Mutex<Option<String>>,
    /// Held for as long as the edge lives: a second one on the same folder is refused.
    _lock: File,
}

/// A call that was made or answered, without anybody's identity.
#[derive(Debug, Clone)]
pub(crate) struct Recent {
    pub(crate) at_ms: i64,
    pub(crate) interface: Interface,
    pub(crate) outcome: String,
    pub(crate) millis: i64,
}

const RECENT_KEPT: usize = 50;

/// Why an edge does not start.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// A setting can't be.
    #[error(transparent)]
    Setting(#[from] BadSetting),
    /// The folder or the key in it can't be used.
    #[error("数据目录 {}：{reason}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why, in Chinese.
        reason: String,
    },
    /// The outbox can't be opened.
    #[error("打开前置机数据库：{0}")]
    Store(#[from] StoreError),
    /// The line can't be set up.
    #[error("准备与平台的连接：{0}")]
    Line(#[from] ClientSetupError),
    /// The address can't be listened on.
    #[error(transparent)]
    Serving(#[from] ServingError),
}

impl Edge {
    /// Opens the records and prepares the line; `public_url` is how the platform reaches the edge.
    ///
    /// # Errors
    /// See [`EdgeError`].
    pub async fn open(
        settings: Settings,
        world: World,
        public_url: &str,
    ) -> Result<Self, EdgeError> {
        let checked = settings.check()?;
        let lock = lock(&settings.data_dir)?;
        let master = master_key(&settings, &world.random)?;
        let vault = Vault::new(&master, world.random.clone());
        let outbox = Outbox::open(&settings.data_dir, vault).await?;
        let base = settings.public_url.as_deref().unwrap_or(public_url);
        let path = Interface::Org002.path().unwrap_or_default();
        let notify_url = format!("{}{path}", base.trim_end_matches('/'));
        let notify_url = WebAddress::parse(&notify_url).map_err(|invalid| BadSetting {
            key: "public_url",
            reason: invalid.0,
        })?;
        if is_loopback(notify_url.url()) && !is_loopback(&checked.platform) {
            return Err(EdgeError::Setting(BadSetting {
                key: "public_url",
                reason: format!(
                    "平台要以它回调本院，而 {} 只有本机能到达；请填平台可达的前置机地址",
                    notify_url.url().origin().ascii_serialization()
                ),
            }));
        }
        let accounts = checked
            .secrets
            .iter()
            .map(|secret| Account {
                app_id: settings.app_id.clone(),
                secret: secret.clone(),
            })
            .collect();
        let secret = checked.secrets.first().cloned().ok_or(BadSetting {
            key: "secret",
            reason: "不可为空".to_owned(),
        })?;
        let line = Line::new(
            &settings,
            checked.platform.clone(),
            secret,
            world.clock.clone(),
        )?;
        let edge = Self(Arc::new(Parts {
            sender: Sender {
                org_id: checked.org_id.clone(),
                org_name: checked.org_name.clone(),
                notify_url,
            },
            accounts,
            outbox,
            line,
            his: His::new(&settings, &checked)?,
            clock: world.clock,
            random: world.random,
            bell: Notify::new(),
            twin_seen_ms: AtomicI64::new(0),
            twin_sought_ms: AtomicI64::new(0),
            twin_asked_ms: AtomicI64::new(0),
            cannot_write: AtomicBool::new(false),
            his_called_ms: AtomicI64::new(0),
            recent: Mutex::default(),
            drop_trouble: Mutex::default(),
            checked,
            settings,
            _lock: lock,
        }));
        edge.mind_the_clock().await?;
        Ok(edge)
    }

    /// What waits for longer than anything may is pulled forward: the clock was set back.
    pub(crate) async fn mind_the_clock(&self) -> Result<(), StoreError> {
        let now_ms = self.now_ms();
        let latest = Latest {
            night_ms: self.checked.window.next_ms(now_ms),
            retry_ms: now_ms + LONGEST_WAIT_MS,
            question_ms: now_ms + LONGEST_FOLLOW_UP_MS,
        };
        self.outbox.pull_forward(latest).await
    }

    /// Keeps what the HIS says, and has it sent when it is due.
    pub(crate) async fn take_rows(
        &self,
        rows: Vec<Row>,
        moment: Moment,
    ) -> Result<TakenRows, StoreError> {
        let taken = self.outbox.take(rows, moment).await;
        self.cannot_write.store(taken.is_err(), Ordering::Relaxed);
        self.bell.notify_one();
        taken
    }

    /// The present moment in milliseconds since the epoch.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Remembers a call for the status page.
    pub(crate) fn note_call(&self, interface: Interface, began_ms: i64, outcome: String) {
        let mut recent = self.recent_now();
        if recent.len() == RECENT_KEPT {
            recent.pop_front();
        }
        recent.push_back(Recent {
            at_ms: began_ms,
            interface,
            outcome,
            millis: self.now_ms() - began_ms,
        });
    }

    /// The last calls, the latest first.
    pub(crate) fn recent(&self) -> Vec<Recent> {
        self.recent_now().iter().rev().cloned().collect()
    }

    fn recent_now(&self) -> MutexGuard<'_, VecDeque<Recent>> {
        self.0.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what keeps dropped files from being taken, or that nothing does.
    pub(crate) fn note_drop(&self, trouble: Option<String>) {
        *self.drop_now() = trouble;
    }

    /// What keeps dropped files from being taken.
    pub(crate) fn drop_trouble(&self) -> Option<String> {
        self.drop_now().clone()
    }

    fn drop_now(&self) -> MutexGuard<'_, Option<String>> {
        let known = self.0.drop_trouble.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note_his(&self) {
        self.his_called_ms.store(self.now_ms(), Ordering::Relaxed);
    }
}

/// An edge that serves.
pub struct EdgeServer {
    edge: Edge,
    serving: Serving,
    worker: Arc<tokio::sync::Mutex<Worker>>,
    working: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl EdgeServer {
    /// Serves on a socket that listens already. Where it does not work by itself, a story says
    /// when ([`EdgeServer::settle`]).
    ///
    /// # Errors
    /// See [`EdgeError`].
    pub async fn start(
        edge: Edge,
        listener: TcpListener,
        works_by_itself: bool,
    ) -> Result<Self, EdgeError> {
        let settings = &edge.settings;
        let routes = api::routes(&edge);
        let serving =
            Serving::start(routes, listener, settings.listen, settings.tls.as_ref()).await?;
        let (stop, stopped) = watch::channel(false);
        let worker = Arc::new(tokio::sync::Mutex::new(Worker::new(edge.clone())));
        let by_itself = Arc::clone(&worker);
        let working = tokio::spawn(async move {
            if works_by_itself {
                by_itself.lock().await.run(stopped).await;
            }
        });
        Ok(Self {
            edge,
            serving,
            worker,
            working,
            stop,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// Where it answers ORG_002.
    #[must_use]
    pub fn callback_url(&self) -> &url::Url {
        self.edge.sender.notify_url.url()
    }

    /// Does all work that is due; of an edge that does not work by itself.
    ///
    /// # Errors
    /// Where the outbox fails.
    pub async fn settle(&self) -> Result<(), StoreError> {
        self.worker.lock().await.settle().await
    }

    /// Answers what came in, finishes what is under way, and closes.
    pub async fn stop(self) {
        self.serving.stop().await;
        self.stop.send_replace(true);
        if let Err(error) = self.working.await {
            tracing::error!(%error, "the sender ended badly");
        }
        self.edge.outbox.db.close().await;
    }
}

impl std::ops::Deref for Edge {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge")
            .field("org_id", &self.settings.org_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for EdgeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeServer")
            .field("edge", &self.edge)
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn lock(folder: &Path) -> Result<File, EdgeError> {
    let failed = |reason: String| EdgeError::Folder {
        folder: folder.to_owned(),
        reason,
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
    let lock = File::create(folder.join("edge.lock")).map_err(|error| failed(error.to_string()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(failed(
            "另一台前置机正在使用该目录；同一目录只能运行一台".to_owned(),
        )),
        Err(TryLockError::Error(error)) => Err(failed(error.to_string())),
    }
}

/// The folder's key; made at the first start where the settings name none.
fn master_key(settings: &Settings, random: &SharedRandomness) -> Result<MasterKey, EdgeError> {
    let own = settings.data_dir.join("edge.key");
    let path = settings.master_key_file.as_ref().unwrap_or(&own);
    let failed = |reason: String| EdgeError::Folder {
        folder: path.clone(),
        reason,
    };
    if settings.master_key_file.is_none() && !own.exists() {
        // With records but no key, a new key would make them unreadable for ever.
        if settings.data_dir.join(crate::outbox::FILE_NAME).exists() {
            return Err(failed(
                "密钥文件不见了，已有数据无法解读；请从备份恢复该文件".to_owned(),
            ));
        }
    }
    let made = || MasterKey::generate(random);
    let text = if settings.master_key_file.is_some() {
        std::fs::read_to_string(path)
    } else {
        private_file::read_or_make(path, made)
    };
    let text = text.map_err(|error| failed(error.to_string()))?;
    MasterKey::parse(&text).map_err(|_| failed("应为 64 位十六进制数字".to_owned()))
}
