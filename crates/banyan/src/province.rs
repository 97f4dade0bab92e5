//! The whole province: the platform and its simulated partners, over real sockets.
//!
//! Everything that a second start needs is in the folder: the master key, the database, what each
//! hospital thinks it is owed. Ports may differ from start to start; the partners' addresses at
//! the platform follow them.

mod window;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use banyan_client::{HttpClient, HttpSettings};
use banyan_edge::settings::{Files, Hidden, Sending, Settings as EdgeSettings};
use banyan_edge::{Edge, EdgeServer};
use banyan_platform::admin::{Desk, Edit, NewPartner, usual_grants};
use banyan_platform::app::{App, Setup};
use banyan_platform::health_card::identity::Stated;
use banyan_platform::settings::{DatabaseUrl, EnvironmentSetting, Settings};
use banyan_platform::web::{Extras, Server};
use banyan_platform::work::Worker;
use banyan_protocol::ambient::World;
use banyan_protocol::dictionaries::{EncType, SignType};
use banyan_protocol::wire::{Scalar as _, WebAddress};
use banyan_sandbox::{
    Account, Citizen, ConsoleAccess, HospitalAccess, HospitalSetup, InsurerAccess, MztAccess,
    MztChannel, MztInbox, MztSetup, Pace, SandboxDescription, SimulatedHis, SimulatedHospital,
    SimulatedInsurer, SimulatedTerminal, TerminalAccess, Traffic, citizens,
};
use banyan_store::health_card::{Claim, Registered, register_all};
use banyan_store::ids::HealthCardPersonId;
use banyan_store::partners::{Kind, Partner};
use banyan_store::private_file;
use banyan_store::supplement::channels::{Channel, Keys};
use banyan_store::vault::MasterKey;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

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
/// The place of the hospital that wishes to be told of debts that it was shown and that were
/// revoked.
const CORRECTED: usize = 1;
/// The insurers of the sandbox: name, 安全等级, and the services that it may name.
const INSURERS: [(&str, u8, &[&str]); 2] = [
    ("惠闽宝（沙箱，等级 1）", 1, &["100002", "100005"]),
    ("惠厦保（沙箱，等级 4）", 4, &["100002", "100005", "100007"]),
];
const MZT_NAME: &str = "闽政通（沙箱）";
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
        let his_http = http.clone();
        let platform: Url = platform_url.parse()?;
        let mut hospitals = Vec::new();
        let mut accesses = Vec::new();
        let (mut edge, mut his, mut edge_api_key) = (None, None, String::new());
        for (place, (org_id, org_name)) in HOSPITALS.into_iter().enumerate() {
            let listen = if place == 0 {
                plan.edge_listen
            } else {
                SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
            };
            let partner = partner(&desk, Kind::Hospital, Some(org_id), org_name).await?;
            let setup = HospitalSetup {
                org_id: org_id.to_owned(),
                org_name: org_name.to_owned(),
                app_id: partner.profile.app_id.clone(),
                secret: live_secret(&partner)?,
                listen,
                platform_url: platform.clone(),
                ledger_file: Some(folder.join("hospitals").join(format!("{org_id}.jsonl"))),
            };
            let access = |callback_url: &Url| HospitalAccess {
                org_id: setup.org_id.clone(),
                org_name: setup.org_name.clone(),
                app_id: setup.app_id.clone(),
                secret: setup.secret.clone(),
                callback_url: callback_url.to_string(),
            };
            let occupied = || {
                let option = if place == 0 {
                    "--edge-listen"
                } else {
                    "--listen"
                };
                format!(
                    "启动模拟医院 {org_id}（{listen}；端口若被占用，请以 {option} 换一个，端口 0 表示任选）"
                )
            };
            let callback_url = if place == 0 && plan.with_edge {
                edge_api_key = api_key(folder, &plan.world)?;
                let started = start_edge(&plan, &setup, &edge_api_key)
                    .await
                    .with_context(occupied)?;
                let url = started.callback_url().clone();
                his = Some(Arc::new(SimulatedHis::new(
                    org_id,
                    url.clone(),
                    &edge_api_key,
                    plan.world.clock.clone(),
                    http.clone(),
                )));
                edge = Some(started);
                url
            } else {
                let hospital =
                    SimulatedHospital::start(setup.clone(), plan.world.clock.clone(), http.clone())
                        .await
                        .with_context(occupied)?;
                let url = hospital.callback_url().clone();
                hospitals.push(Arc::new(hospital));
                url
            };
            let base = WebAddress::parse(&origin(&callback_url))
                .map_err(|invalid| anyhow::anyhow!("{}", invalid.0))?;
            let is_new = partner.profile.base_url.is_none();
            let edit = Edit {
                base_url: Some(Some(base)),
                corrections: (is_new && place == CORRECTED).then_some(true),
                institutions: (place == 0)
                    .then(|| window::PRINTED_INSTITUTIONS.map(str::to_owned).to_vec()),
                grants: Some(usual_grants(Kind::Hospital)),
                ..Edit::default()
            };
            desk.edit(&setup.app_id, edit).await?;
            accesses.push(access(&callback_url));
        }
        let mzt_partner = partner(&desk, Kind::Mzt, None, MZT_NAME).await?;
        let mzt_setup = MztSetup {
            app_id: mzt_partner.profile.app_id.clone(),
            secret: live_secret(&mzt_partner)?,
            platform_url: platform,
        };
        let mzt = Arc::new(MztChannel::new(&mzt_setup, plan.world.clock.clone(), http)?);
        let account = Account::new(&mzt_setup.app_id, &mzt_setup.secret)?;
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mzt_inbox = MztInbox::start(free, account, plan.world.clock.clone())
            .await
            .context("启动模拟闽政通")?;
        let base = WebAddress::parse(&origin(mzt_inbox.url()))
            .map_err(|invalid| anyhow::anyhow!("{}", invalid.0))?;
        let edit = Edit {
            base_url: Some(Some(base)),
            ..Edit::default()
        };
        desk.edit(&mzt_setup.app_id, edit).await?;
        let mut insurers = Vec::new();
        for (name, level, service_ids) in INSURERS {
            insurers.push(insurer(&desk, name, level, service_ids).await?);
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
        let registered = partner(&desk, Kind::Terminal, None, window::TERMINAL_NAME).await?;
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
        let terminal = at.start(holder, his_http.clone()).await?;
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
            mzt: MztAccess {
                app_id: mzt_setup.app_id,
                secret: mzt_setup.secret,
            },
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

/// The edge of the sandbox's first hospital. It reports at once: whoever tries the sandbox by day
/// does not wait for the night.
async fn start_edge(plan: &Plan, hospital: &HospitalSetup, api_key: &str) -> Result<EdgeServer> {
    let listener = std::net::TcpListener::bind(plan.edge_listen)?;
    let settings = EdgeSettings {
        listen: plan.edge_listen,
        platform_url: hospital.platform_url.to_string(),
        environment: banyan_edge::settings::EnvironmentSetting::Test,
        org_id: hospital.org_id.clone(),
        org_name: hospital.org_name.clone(),
        app_id: hospital.app_id.clone(),
        secret: Hidden(hospital.secret.clone()),
        api_keys: vec![Hidden(api_key.to_owned())],
        data_dir: plan.folder.join("edge"),
        sending: Sending {
            at_once: true,
            follow_up_after_ms: 30_000,
            ..Sending::default()
        },
        files: Files {
            drop_dir: Some(plan.folder.join("edge").join("drop")),
            ..Files::default()
        },
        ..EdgeSettings::default()
    };
    let url = format!("http://{}", listener.local_addr()?);
    let edge = Edge::open(settings, plan.world.clone(), &url).await?;
    Ok(EdgeServer::start(edge, listener, plan.works_by_itself).await?)
}

/// What the HIS shows the edge; made at the first start.
fn api_key(folder: &Path, world: &World) -> Result<String> {
    let path = folder.join("edge.api-key");
    private_file::read_or_make(&path, || banyan_sandbox::random_secret(&*world.random))
        .with_context(|| path.display().to_string())
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

/// The sandbox's partner with this orgId (or of this kind, where it has none); added where it is
/// missing.
async fn partner(desk: &Desk, kind: Kind, org_id: Option<&str>, name: &str) -> Result<Partner> {
    for second_look in [false, true] {
        let found = desk.partners().await?.into_iter().find(|partner| {
            partner.profile.kind == kind && partner.profile.org_id.as_deref() == org_id
        });
        if let Some(partner) = found {
            return Ok(partner);
        }
        if !second_look {
            desk.add_partner(NewPartner {
                kind,
                org_id: org_id.map(str::to_owned),
                name: name.to_owned(),
                base_url: None,
                hosts: Vec::new(),
                grants: None,
                rate_per_second: 100_000,
                plain_replies: true,
                corrections: false,
                institutions: match kind {
                    // It stands at the first hospital, whichever of its codes is used there.
                    Kind::Terminal => std::iter::once(HOSPITALS[0].0)
                        .chain(window::PRINTED_INSTITUTIONS)
                        .map(str::to_owned)
                        .collect(),
                    Kind::Hospital | Kind::Mzt | Kind::Insurer => Vec::new(),
                },
            })
            .await?;
        }
    }
    anyhow::bail!("登记 {name} 失败")
}

/// The sandbox's insurer of this name; added where it is missing.
async fn insurer(
    desk: &Desk,
    name: &str,
    level: u8,
    service_ids: &[&str],
) -> Result<InsurerAccess> {
    for second_look in [false, true] {
        let found =
            desk.partners().await?.into_iter().find(|partner| {
                partner.profile.kind == Kind::Insurer && partner.profile.name == name
            });
        if let Some(partner) = found {
            let channel = desk.channel(&partner.profile.app_id).await?;
            return Ok(InsurerAccess {
                chs_fjs_appsecret: live_secret(&partner)?,
                chs_fjs_appid: partner.profile.app_id,
                level: channel.level,
                service_ids: channel.service_ids,
            });
        }
        if !second_look {
            let new = NewPartner {
                kind: Kind::Insurer,
                org_id: None,
                name: name.to_owned(),
                base_url: None,
                hosts: Vec::new(),
                grants: None,
                rate_per_second: 100_000,
                plain_replies: true,
                corrections: false,
                institutions: Vec::new(),
            };
            let channel = Channel {
                level,
                enc_type: EncType::Sm4.code().to_owned(),
                sign_type: SignType::Sm3.code().to_owned(),
                service_ids: service_ids.iter().map(|id| (*id).to_owned()).collect(),
                strict: false,
                keys: Keys::default(),
            };
            desk.add_insurer(new, channel).await?;
        }
    }
    anyhow::bail!("登记 {name} 失败")
}

fn live_secret(partner: &Partner) -> Result<String> {
    let secret = partner.secrets.first().context("接入方没有有效密钥")?;
    Ok(secret.text.clone())
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
