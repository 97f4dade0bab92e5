//! The whole province: the platform and its simulated partners, over real sockets.
//!
//! Everything that a second start needs is in the folder: the master key, the database, what each
//! hospital thinks it is owed. Ports may differ from start to start; the partners' addresses at
//! the platform follow them.

mod hospitals;
mod mzt;
mod partners;
mod window;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use banyan_client::{HttpClient, HttpSettings};
use banyan_edge::EdgeServer;
use banyan_platform::admin::Desk;
use banyan_platform::app::{App, Setup};
use banyan_platform::health_card::identity::Stated;
use banyan_platform::settings::{DatabaseUrl, EnvironmentSetting, Settings};
use banyan_platform::web::{Extras, Server};
use banyan_platform::work::Worker;
use banyan_protocol::ambient::World;
use banyan_sandbox::{
    Account, Citizen, ConsoleAccess, MztChannel, MztInbox, Pace, SandboxDescription, SimulatedHis,
    SimulatedHospital, SimulatedInsurer, SimulatedTerminal, TerminalAccess, Traffic, citizens,
};
use banyan_store::health_card::{Claim, Registered, register_all};
use banyan_store::ids::HealthCardPersonId;
use banyan_store::partners::Kind;
use banyan_store::private_file;
use banyan_store::vault::MasterKey;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use hospitals::Hospitals;
use mzt::Mzt;
use partners::{live_secret, origin};
pub use window::PASSWORD;
use window::Window;

/// How a province is to be started.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where everything is kept.
    pub folder: PathBuf,
    /// Where the platform listens.
    pub listen: SocketAddr,
    /// Whether an edge stands before the first hospital; a simulated one speaks for itself.
    pub with_edge: bool,
    /// Where the first hospital, or its edge, listens.
    pub edge_listen: SocketAddr,
    /// The database; SQLite in the folder where absent.
    pub database_url: Option<String>,
    /// Time and randomness.
    pub world: World,
    /// Whether the worker runs by itself; a story may prefer to say when.
    pub works_by_itself: bool,
    /// Changes to the settings of a sandbox.
    pub adjust: fn(&mut Settings),
}

/// A province that runs.
#[derive(Debug)]
pub struct Province {
    /// The platform.
    pub app: App,
    /// Its hospitals that speak for themselves.
    pub hospitals: Vec<Arc<SimulatedHospital>>,
    /// The edge of the first hospital, where it has one.
    pub edge: Option<EdgeServer>,
    /// The HIS behind it.
    pub his: Option<Arc<SimulatedHis>>,
    /// 闽政通.
    pub mzt: Arc<MztChannel>,
    /// Where 闽政通 is told whom to remind.
    pub mzt_inbox: MztInbox,
    /// The terminal at the window of the first hospital.
    pub terminal: SimulatedTerminal,
    /// Two hundred people whom nobody is.
    pub citizens: Arc<[Citizen]>,
    /// What other programs need to know.
    pub description: SandboxDescription,
    server: Server,
    world: World,
    traffic: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

/// The hospitals of the sandbox: 机构 id (H, the province's 350199 that no district has, a running
/// number) and name.
pub const HOSPITALS: [(&str, &str); 3] = [
    ("H35019900001", "榕城第一医院（沙箱）"),
    ("H35019900002", "鹭岛中医院（沙箱）"),
    ("H35019900003", "武夷妇幼保健院（沙箱）"),
];
/// The insurers of the sandbox: name, 安全等级, and the services that it may name.
const INSURERS: [(&str, u8, &[&str]); 2] = [
    ("惠闽宝（沙箱，等级 1）", 1, &["100002", "100005"]),
    ("惠厦保（沙箱，等级 4）", 4, &["100002", "100005", "100007"]),
];
const CITIZENS: usize = 200;
/// The same people in every sandbox; their index ids differ with the master key.
const CITIZENS_SEED: i64 = 20_251_121;

impl Plan {
    /// A province in this folder, on free ports, on embedded SQLite.
    #[must_use]
    pub fn in_folder(folder: &Path, world: World) -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            folder: folder.to_owned(),
            listen: free,
            with_edge: false,
            edge_listen: free,
            database_url: None,
            world,
            works_by_itself: true,
            adjust: |_| {},
        }
    }
}

impl Province {
    /// Starts everything and, when every port answers, writes `sandbox.json`.
    ///
    /// # Errors
    /// Where the folder, a port or the database can't be had.
    pub async fn start(plan: Plan) -> Result<Self> {
        let folder = &plan.folder;
        std::fs::create_dir_all(folder.join("hospitals"))
            .with_context(|| format!("建立数据目录 {}", folder.display()))?;
        let master = master_key(folder, &plan.world)?;
        let listener = std::net::TcpListener::bind(plan.listen).with_context(|| {
            let listen = plan.listen;
            format!("监听 {listen}（端口若被占用，请以 --listen 换一个，端口 0 表示任选）")
        })?;
        remove_old_description(folder)?;
        let platform_url = format!("http://{}", listener.local_addr()?);
        let mut settings = Settings {
            listen: plan.listen,
            environment: EnvironmentSetting::Test,
            database_url: DatabaseUrl(
                plan.database_url
                    .clone()
                    .unwrap_or_else(|| format!("sqlite:{}", folder.join("banyan.db").display())),
            ),
            ..Settings::default()
        };
        (plan.adjust)(&mut settings);
        let setup = Setup {
            public_url: platform_url.clone(),
            loopback_hosts: true,
        };
        let app = App::open(settings, &master, plan.world.clone(), setup).await?;
        let desk = Desk::of(&app, "sandbox");
        let http = HttpClient::new(&HttpSettings::default())?;
        let platform: Url = platform_url.parse()?;
        let Hospitals {
            hospitals,
            edge,
            his,
            edge_api_key,
            accesses,
        } = Hospitals::start(&plan, &desk, &platform, &http).await?;
        let Mzt {
            channel: mzt,
            inbox: mzt_inbox,
            access: mzt_access,
        } = Mzt::start(&plan, &desk, &platform, http.clone()).await?;
        let mut insurers = Vec::new();
        for (name, level, service_ids) in INSURERS {
            insurers.push(partners::insurer(&desk, name, level, service_ids).await?);
        }
        app.directory.renew(app.now_ms()).await?;
        let mut citizens: Vec<Citizen> = citizens::generate(CITIZENS, CITIZENS_SEED)
            .into_iter()
            .map(|seed| seed.with_index(&app.vault))
            .collect();
        let persons = register(&app, &citizens).await?;
        window::give_credentials(&app, &mut citizens, &persons).await?;
        let citizens: Arc<[Citizen]> = citizens.into();
        let extras = Extras {
            worker: plan.works_by_itself,
            ..Extras::default()
        };
        let server = Server::start_with(app.clone(), listener, extras).await?;
        let registered =
            partners::partner(&desk, Kind::Terminal, None, window::TERMINAL_NAME).await?;
        app.directory.renew(app.now_ms()).await?;
        let at = Window {
            app: &app,
            terminal: Account::new(&registered.profile.app_id, &live_secret(&registered)?)?,
            platform_url: &platform_url,
            world: plan.world.clone(),
        };
        let holder = citizens
            .first()
            .zip(persons.first())
            .context("没有参保人")?;
        let terminal = at.start(holder, http).await?;
        if let Some(first) = accesses.first() {
            window::write_library_settings(folder, first, terminal.url())?;
        }
        let description = SandboxDescription {
            terminal: TerminalAccess {
                app_id: registered.profile.app_id.clone(),
                secret: live_secret(&registered)?,
                url: terminal.url().to_string(),
            },
            platform: platform_url.clone(),
            edge: accesses
                .first()
                .and_then(|access| access.callback_url.parse().ok())
                .map_or_else(String::new, |url: Url| origin(&url)),
            environment: "test".to_owned(),
            hospitals: accesses,
            mzt: mzt_access,
            mzt_url: mzt_inbox.url().to_string(),
            insurers,
            citizens: citizens.to_vec(),
            console: ConsoleAccess {
                url: String::new(),
                username: String::new(),
                password: String::new(),
            },
            edge_api_key,
        };
        // The last to be written: whoever finds it finds everything else.
        description.write(folder)?;
        Ok(Self {
            app,
            hospitals,
            edge,
            his,
            mzt,
            mzt_inbox,
            terminal,
            citizens,
            description,
            server,
            world: plan.world,
            traffic: None,
        })
    }

    /// Keeps a gentle traffic going until the province stops.
    pub fn start_traffic(&mut self) {
        let (stop, stopped) = watch::channel(false);
        let traffic = Traffic {
            hospitals: self.hospitals.clone(),
            his: self.his.clone(),
            mzt: self.mzt.clone(),
            insurers: self.insurers(),
            citizens: self.citizens.clone(),
            clock: self.world.clock.clone(),
            random: self.world.random.clone(),
            pace: Pace::default(),
        };
        let task = tokio::spawn(async move {
            let summary = traffic.run(stopped).await;
            tracing::info!(?summary, "the traffic has ended");
        });
        self.traffic = Some((stop, task));
    }

    /// The insurers of the sandbox, ready to call.
    #[must_use]
    pub fn insurers(&self) -> Vec<Arc<SimulatedInsurer>> {
        let ready = |access| -> Result<_> {
            let http = HttpClient::new(&HttpSettings::default())?;
            let platform = self.description.platform.parse()?;
            let (clock, random) = (self.world.clock.clone(), self.world.random.clone());
            Ok(SimulatedInsurer::new(
                access, platform, clock, random, http,
            )?)
        };
        let insurers = self.description.insurers.iter().filter_map(|access| {
            let insurer = ready(access);
            let unready = |error| tracing::warn!(%error, "an insurer is left out");
            insurer.map_err(unready).ok().map(Arc::new)
        });
        insurers.collect()
    }

    /// Does all work that is due, for stories that say themselves when.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn settle(&self) -> Result<()> {
        Ok(Worker::new(self.app.clone()).settle().await?)
    }

    /// Stops everything, the callers first.
    pub async fn stop(mut self) {
        if let Some((stop, task)) = self.traffic.take() {
            stop.send_replace(true);
            // It may be in the middle of a call that nobody will answer any more.
            if tokio::time::timeout(Duration::from_secs(15), task)
                .await
                .is_err()
            {
                tracing::warn!("the traffic did not end in time");
            }
        }
        if let Some(edge) = self.edge.take() {
            edge.stop().await;
        }
        self.server.stop().await;
        for hospital in &self.hospitals {
            hospital.stop().await;
        }
        self.mzt_inbox.stop().await;
        self.terminal.stop().await;
    }
}

/// Gives every citizen his health card, and has his number at the insurance lead to him.
async fn register(app: &App, citizens: &[Citizen]) -> Result<Vec<HealthCardPersonId>> {
    let ids = app.person_ids.take(citizens.len()).await?;
    let claims = citizens
        .iter()
        .zip(ids)
        .map(|(citizen, id)| {
            let stated = Stated {
                id_type: &citizen.id_type,
                id_no: &citizen.id_no,
                user_name: &citizen.user_name,
                mobile_phone: &citizen.mobile_phone,
                ..Stated::default()
            };
            let identity = stated.check().map_err(|fault| anyhow::anyhow!("{fault}"))?;
            let psn_no = Some(citizen.psn_no.clone());
            Ok(Claim::new(
                &app.vault,
                HealthCardPersonId(id),
                identity,
                psn_no,
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    let (vault, now_ms) = (app.vault.clone(), app.now_ms());
    let registered = app
        .db
        .write(move |tx| register_all(tx, &vault, &claims, "sandbox", now_ms))
        .await?;
    Ok(registered.into_iter().map(Registered::person).collect())
}

/// Takes away what the last start wrote: its addresses are no longer true, and whoever waits for
/// the file waits for the new ones.
fn remove_old_description(folder: &Path) -> Result<()> {
    let path = folder.join(SandboxDescription::FILE_NAME);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("删除 {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The folder's master key; made at the first start.
fn master_key(folder: &Path, world: &World) -> Result<MasterKey> {
    let path = folder.join("master.key");
    let text = private_file::read_or_make(&path, || MasterKey::generate(&world.random))
        .with_context(|| path.display().to_string())?;
    MasterKey::parse(&text).with_context(|| path.display().to_string())
}
