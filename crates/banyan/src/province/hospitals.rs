//! The sandbox's hospitals: the first may stand behind an edge, the others speak for themselves.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use banyan_client::HttpClient;
use banyan_edge::settings::{Files, Hidden, Sending, Settings as EdgeSettings};
use banyan_edge::{Edge, EdgeServer};
use banyan_platform::admin::{Desk, Edit, usual_grants};
use banyan_protocol::ambient::World;
use banyan_protocol::wire::{Scalar as _, WebAddress};
use banyan_sandbox::{HospitalAccess, HospitalSetup, SimulatedHis, SimulatedHospital};
use banyan_store::partners::Kind;
use banyan_store::private_file;
use url::Url;

use super::partners::{live_secret, origin, partner};
use super::{HOSPITALS, Plan, window};

/// The place of the hospital that wishes to be told of debts that it was shown and that were
/// revoked.
const CORRECTED: usize = 1;

/// The hospitals, registered and listening.
#[derive(Default)]
pub(super) struct Hospitals {
    /// Those that speak for themselves.
    pub(super) hospitals: Vec<Arc<SimulatedHospital>>,
    pub(super) edge: Option<EdgeServer>,
    pub(super) his: Option<Arc<SimulatedHis>>,
    /// Empty where there is no edge.
    pub(super) edge_api_key: String,
    /// All of them, in the order of [`HOSPITALS`].
    pub(super) accesses: Vec<HospitalAccess>,
}

impl Hospitals {
    pub(super) async fn start(
        plan: &Plan,
        desk: &Desk,
        platform: &Url,
        http: &HttpClient,
    ) -> Result<Self> {
        let mut started = Self::default();
        for (place, (org_id, org_name)) in HOSPITALS.into_iter().enumerate() {
            let partner = partner(desk, Kind::Hospital, Some(org_id), org_name).await?;
            let setup = HospitalSetup {
                org_id: org_id.to_owned(),
                org_name: org_name.to_owned(),
                app_id: partner.profile.app_id.clone(),
                secret: live_secret(&partner)?,
                listen: match place {
                    0 => plan.edge_listen,
                    _ => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                },
                platform_url: platform.clone(),
                ledger_file: Some(
                    plan.folder
                        .join("hospitals")
                        .join(format!("{org_id}.jsonl")),
                ),
            };
            let callback_url = started
                .listen(plan, &setup, place, http)
                .await
                .with_context(|| occupied(&setup, place))?;
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
            started.accesses.push(HospitalAccess {
                org_id: setup.org_id,
                org_name: setup.org_name,
                app_id: setup.app_id,
                secret: setup.secret,
                callback_url: callback_url.to_string(),
            });
        }
        Ok(started)
    }

    /// Has a hospital listen, or its edge for it; gives the address of callbacks.
    async fn listen(
        &mut self,
        plan: &Plan,
        setup: &HospitalSetup,
        place: usize,
        http: &HttpClient,
    ) -> Result<Url> {
        let clock = plan.world.clock.clone();
        if place == 0 && plan.with_edge {
            self.edge_api_key = api_key(&plan.folder, &plan.world)?;
            let edge = start_edge(plan, setup, &self.edge_api_key).await?;
            let url = edge.callback_url().clone();
            let (key, http) = (&self.edge_api_key, http.clone());
            let his = SimulatedHis::new(&setup.org_id, url.clone(), key, clock, http);
            self.his = Some(Arc::new(his));
            self.edge = Some(edge);
            return Ok(url);
        }
        let hospital = SimulatedHospital::start(setup.clone(), clock, http.clone()).await?;
        let url = hospital.callback_url().clone();
        self.hospitals.push(Arc::new(hospital));
        Ok(url)
    }
}

fn occupied(setup: &HospitalSetup, place: usize) -> String {
    let option = match place {
        0 => "--edge-listen",
        _ => "--listen",
    };
    let HospitalSetup { org_id, listen, .. } = setup;
    format!(
        "启动模拟医院 {org_id}（{listen}；端口若被占用，请以 {option} 换一个，端口 0 表示任选）"
    )
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
