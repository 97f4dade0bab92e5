//! A platform under measurement, on a runtime of its own, with hospitals that may call.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use axum::Router;
use banyan_platform::admin::{Desk, NewPartner};
use banyan_platform::app::{App, Setup};
use banyan_platform::settings::{DatabaseUrl, Settings};
use banyan_platform::web::{Extras, Server};
use banyan_protocol::envelope::Secret;
use banyan_store::db::{Db, DbSettings};
use banyan_store::ids::{Ids, PartnerId};
use banyan_store::partners::Kind;
use banyan_store::queue::{self, JobKind, LaneState};
use banyan_store::vault::{MasterKey, Vault};
use tokio::runtime::Runtime;

use super::cores;
use super::load;
use super::people::People;
use super::place::Place;
use crate::commands::real_world;

/// A platform that serves.
pub(super) struct Platform {
    runtime: Runtime,
    server: Option<Server>,
    /// The platform itself.
    pub(super) app: App,
    /// Its hospitals.
    pub(super) hospitals: Vec<Hospital>,
}

/// A hospital with what it needs to call.
#[derive(Debug, Clone)]
pub(super) struct Hospital {
    pub(super) id: PartnerId,
    pub(super) org_id: String,
    pub(super) name: String,
    pub(super) app_id: String,
    pub(super) secret: Arc<Secret>,
}

impl Platform {
    /// Makes the hospitals, loads everybody's records and serves.
    pub(super) fn start(
        place: &Place,
        hospitals: usize,
        people: Option<People>,
        routes: Router<App>,
    ) -> Result<Self> {
        let runtime = runtime("banyan-server", cores())?;
        let (hospitals, app, server) = runtime.block_on(async {
            let hospitals = prepare(place, hospitals, people).await?;
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let settings = Settings {
                listen: listener.local_addr()?,
                database_url: DatabaseUrl(place.url.clone()),
                ..Settings::default()
            };
            let setup = Setup {
                public_url: "http://127.0.0.1".to_owned(),
                loopback_hosts: true,
            };
            let master = MasterKey::parse(&place.master_key)?;
            let app = App::open(settings, &master, real_world(), setup).await?;
            let extras = Extras {
                routes,
                ..Extras::default()
            };
            let server = Server::start_with(app.clone(), listener, extras).await?;
            anyhow::Ok((hospitals, app, server))
        })?;
        Ok(Self {
            runtime,
            server: Some(server),
            app,
            hospitals,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server.as_ref().map_or_else(
            || SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            Server::address,
        )
    }

    /// Does something on the server's own runtime.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(super) fn handle(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }

    /// Holds these hospitals' callbacks back; `false` where a lane is in use at the moment, and
    /// then it is to be tried again.
    pub(super) async fn pause_callbacks(&self, hospitals: &[Hospital]) -> Result<bool> {
        let lanes: Vec<_> = hospitals.iter().map(|hospital| hospital.id.0).collect();
        let (node, now_ms) = (self.app.node, self.app.now_ms());
        let paused = LaneState {
            failures: 0,
            paused_until_ms: now_ms + 86_400_000,
        };
        let done = self.app.db.write(move |tx| {
            let mut all = true;
            for lane in &lanes {
                let kind = JobKind::Callback;
                // A lane that is paused already can't be leased.
                queue::lift_pause(tx, *lane)?;
                match queue::lease(tx, kind, *lane, node, now_ms, now_ms + 1, 0)? {
                    Some(_) => queue::release(tx, kind, *lane, node, paused)?,
                    None => all = false,
                }
            }
            Ok::<_, banyan_store::db::StoreError>(all)
        });
        Ok(done.await?)
    }

    /// Waits until every batch is judged.
    pub(super) async fn all_judged(&self) -> Result<()> {
        loop {
            let backlog = queue::backlog(&self.app.db, JobKind::Judge).await?;
            anyhow::ensure!(
                backlog.given_up == 0,
                "有 {} 个批次无法判定",
                backlog.given_up
            );
            if backlog.waiting == 0 {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }
}

/// A runtime with so many threads.
pub(super) fn runtime(name: &str, threads: usize) -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
        .context("启动运行时")
}

/// Makes the hospitals and loads everybody's records; leaves the database closed, its log empty.
pub(super) async fn prepare(
    place: &Place,
    hospitals: usize,
    people: Option<People>,
) -> Result<Vec<Hospital>> {
    let world = real_world();
    let db = Db::open(&DbSettings::new(&*place.url)).await?;
    db.migrate().await?;
    let master = MasterKey::parse(&place.master_key)?;
    let vault = Vault::new(&master, world.random.clone());
    vault.check(&db).await?;
    let now_ms = world.clock.now_ms();
    let desk = Desk {
        ids: Ids::new(db.clone()),
        db: db.clone(),
        vault: vault.clone(),
        world,
        actor: "bench".to_owned(),
    };
    let hospitals = hospitals_of(&desk, hospitals).await?;
    if let Some(people) = people {
        let partners: Vec<_> = hospitals.iter().map(|hospital| hospital.id).collect();
        load::load(place, &db, &vault, people, &partners, now_ms).await?;
    }
    db.close().await;
    Ok(hospitals)
}

async fn hospitals_of(desk: &Desk, count: usize) -> Result<Vec<Hospital>> {
    let mut hospitals = Vec::with_capacity(count);
    for place in 0..count {
        let org_id = format!("H3501999{place:04}");
        let name = format!("压测医院{place:03}");
        let issued = desk
            .add_partner(NewPartner {
                kind: Kind::Hospital,
                org_id: Some(org_id.clone()),
                name: name.clone(),
                base_url: None,
                hosts: Vec::new(),
                grants: None,
                // Rates are what is measured, not what is granted.
                rate_per_second: 1_000_000_000,
                plain_replies: false,
                corrections: false,
                institutions: Vec::new(),
            })
            .await?;
        hospitals.push(Hospital {
            id: PartnerId(0),
            org_id,
            name,
            secret: Arc::new(Secret::parse(&issued.secret)?),
            app_id: issued.app_id,
        });
    }
    let known = desk.partners().await?;
    for hospital in &mut hospitals {
        hospital.id = known
            .iter()
            .find(|partner| partner.profile.app_id == hospital.app_id)
            .map(|partner| partner.id)
            .ok_or_else(|| anyhow!("登记的医院不见了"))?;
    }
    Ok(hospitals)
}
