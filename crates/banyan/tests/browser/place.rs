//! A province on SQLite for a browser to visit, whose names are as hostile as the messages let
//! them be.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use banyan::province::{Plan, Province};
use banyan_platform::admin::{Desk, Edit};
use banyan_platform::health_card::identity::Stated;
use banyan_platform::health_card::own;
use banyan_platform::settings::Settings;
use banyan_protocol::ambient::World;
use banyan_protocol::ambient::{Clock, SystemRandomness};
use banyan_protocol::catalogue::Interface;
use banyan_protocol::health_card::org_ehc_001::{AuthUrlReply, AuthUrlRequest};
use banyan_protocol::health_card::org_ehc_002::{AuthResultReply, AuthResultRequest};
use banyan_protocol::wire::{LocalTime, Scalar};
use banyan_sandbox::{Citizen, Debt};
use tempfile::TempDir;

/// Item names, as long as the guide lets them be (40 characters).
pub(crate) const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "\u{202e}诊查费 gnp.exe 😀𠮷𠮷",
    "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
    "'); DROP TABLE x; -- &amp; &lt;b&gt;",
];

/// A province that stands still but for what the story does.
pub(crate) struct Place {
    pub(crate) province: Province,
    clock: Arc<Ticking>,
    _folder: TempDir,
}

/// Begins on a Monday at ten in the morning and moves on by a millisecond at each look.
#[derive(Debug)]
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now_ms(&self) -> i64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

impl Place {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With an edge before the first hospital.
    pub(crate) async fn start_with_edge() -> Self {
        Self::start_as(|_| {}, true).await
    }

    pub(crate) async fn start_with(adjust: fn(&mut Settings)) -> Self {
        Self::start_as(adjust, false).await
    }

    async fn start_as(adjust: fn(&mut Settings), with_edge: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = LocalTime::parse("2026-03-02 10:00:00").unwrap().epoch_ms();
        let clock = Arc::new(Ticking(AtomicI64::new(start)));
        let world = World {
            clock: clock.clone(),
            random: Arc::new(SystemRandomness),
        };
        let plan = Plan {
            works_by_itself: false,
            with_edge,
            adjust,
            ..Plan::in_folder(folder.path(), world)
        };
        Self {
            province: Province::start(plan).await.unwrap(),
            clock,
            _folder: folder,
        }
    }

    pub(crate) async fn end(self) {
        self.province.stop().await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.province.description.platform)
    }

    pub(crate) fn advance_ms(&self, by_ms: i64) {
        self.clock.0.fetch_add(by_ms, Ordering::SeqCst);
    }

    pub(crate) async fn settle(&self) {
        self.province.settle().await.unwrap();
    }

    pub(crate) fn desk(&self) -> Desk {
        Desk::of(&self.province.app, "story")
    }

    /// Reports a debt of so many days ago; gives its orgTraceId and traceId.
    pub(crate) async fn owe(
        &self,
        hospital: usize,
        citizen: &Citizen,
        name: &str,
        fen: i64,
        days: i64,
    ) -> (String, String) {
        let hospital = &self.province.hospitals[hospital];
        let at_ms = self.clock.now_ms() - days * 86_400_000;
        let number = hospital.owe(Some(citizen), Debt::new(name, fen, at_ms).unwrap());
        hospital.report(&[&number]).await.unwrap();
        self.settle().await;
        let trace_id = hospital.entry(&number).unwrap().trace_id.unwrap();
        (number, trace_id)
    }

    /// A link for this citizen.
    pub(crate) async fn link(&self, citizen: &Citizen) -> String {
        let reply = self.province.mzt.entry_link(citizen).await.unwrap();
        reply.mdrUrl.expose().as_str().to_owned()
    }

    /// The link by which the first hospital asks for an authorisation under this number.
    pub(crate) async fn authorisation(&self, number: &str) -> String {
        let hospital = &self.province.hospitals[0];
        let request = AuthUrlRequest {
            outAuthNo: Scalar::parse(number).unwrap(),
            orgId: Scalar::parse(hospital.org_id()).unwrap(),
            extData: None,
        };
        let reply: AuthUrlReply = hospital.call(Interface::OrgEhc001, &request).await.unwrap();
        reply.authUrl.expose().as_str().to_owned()
    }

    /// How the hospital hears that it stands.
    pub(crate) async fn authorised(&self, number: &str) -> &'static str {
        let hospital = &self.province.hospitals[0];
        let request = AuthResultRequest {
            outAuthNo: Scalar::parse(number).unwrap(),
            orgId: Scalar::parse(hospital.org_id()).unwrap(),
            extData: None,
        };
        let reply: AuthResultReply = hospital.call(Interface::OrgEhc002, &request).await.unwrap();
        reply.authStatus.code()
    }

    /// Somebody of this number, whom nobody has registered, with a name that means harm.
    pub(crate) fn stranger(&self, id_no: &str) -> Citizen {
        Citizen {
            id_no: id_no.to_owned(),
            user_name: "\u{202e}<img src=x>😀𠮷".to_owned(),
            ehealth_card_id: self.province.app.vault.ehealth_card_id("01", id_no),
            ..self.province.citizens[0].clone()
        }
    }

    /// Somebody whose name and whose hospitals' names mean harm; his unpaid records' traceIds.
    pub(crate) async fn hostile(&self) -> (Citizen, Vec<String>) {
        let citizen = self.stranger("359999198503120027");
        let stated = Stated {
            id_type: &citizen.id_type,
            id_no: &citizen.id_no,
            user_name: &citizen.user_name,
            mobile_phone: &citizen.mobile_phone,
            ..Stated::default()
        };
        let taken = own::take(&self.province.app, &stated).await.unwrap();
        assert_eq!(taken, own::Taken::Done);
        for (place, name) in [
            (0, "<b>榕城</b>\"第一'医院&amp;\u{202e}😀"),
            (1, "HHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHH"),
        ] {
            let edit = Edit {
                name: Some(name.to_owned()),
                ..Edit::default()
            };
            let app_id = self.province.hospitals[place].app_id();
            self.desk().edit(app_id, edit).await.unwrap();
        }
        let app = &self.province.app;
        app.directory.renew(app.now_ms()).await.unwrap();
        let mut unpaid = Vec::new();
        for (place, name) in HOSTILE.into_iter().enumerate() {
            let fen = 999_999_999 - i64::try_from(place).unwrap() * 77_777_777;
            unpaid.push(self.owe(place % 2, &citizen, name, fen, 3).await.1);
            let (paid, _) = self.owe(place % 2, &citizen, name, 100, 9).await;
            self.province.hospitals[place % 2].pay(&paid).await.unwrap();
        }
        self.settle().await;
        self.province.hospitals[0]
            .query(&citizen, false)
            .await
            .unwrap();
        (citizen, unpaid)
    }
}
