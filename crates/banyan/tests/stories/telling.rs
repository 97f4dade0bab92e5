//! How a story begins, what it can look at, and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use banyan::province::{Plan, Province};
use banyan_platform::admin::{Desk, NewPartner};
use banyan_platform::app::{App, Setup};
use banyan_platform::settings::Settings;
use banyan_platform::web::{Extras, Server};
use banyan_protocol::ambient::World;
use banyan_protocol::ambient::{Clock, SharedRandomness, SystemRandomness};
use banyan_protocol::wire::{LocalTime, Scalar as _};
use banyan_sandbox::{Citizen, Debt, Received, SimulatedHospital};
use banyan_store::db::Db;
use banyan_store::partners::Kind;
use banyan_store::testing::TestDb;
pub(crate) use banyan_store::testing::number;
use banyan_store::vault::MasterKey;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::partners_voice::Voice;

pub(crate) use banyan_protocol::ambient::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// Stands still but for a millisecond at each look, so that no two messages are signed alike.
#[derive(Debug, Clone)]
pub(crate) struct StoryClock(Arc<AtomicI64>);

impl Clock for StoryClock {
    fn now_ms(&self) -> i64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

impl StoryClock {
    /// Every story begins on a Monday at ten in the morning.
    pub(crate) fn new() -> Self {
        let start = LocalTime::parse("2026-03-02 10:00:00").expect("a time");
        Self(Arc::new(AtomicI64::new(start.epoch_ms())))
    }

    pub(crate) fn advance_ms(&self, by_ms: i64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// What it shows, without a tick.
    pub(crate) fn shows_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Moves on to this moment; never back.
    pub(crate) fn reach_ms(&self, moment_ms: i64) {
        self.0.fetch_max(moment_ms, Ordering::SeqCst);
    }
}

/// A province, its clock, and its folder.
pub(crate) struct Story {
    pub(crate) province: Province,
    pub(crate) clock: StoryClock,
    pub(crate) folder: TempDir,
}

impl std::ops::Deref for Story {
    type Target = Province;

    fn deref(&self) -> &Province {
        &self.province
    }
}

pub(crate) fn system_randomness() -> SharedRandomness {
    Arc::new(SystemRandomness)
}

impl Story {
    pub(crate) async fn begin(db: &TestDb) -> Self {
        Self::begin_with(db, |_| {}).await
    }

    pub(crate) async fn begin_with(db: &TestDb, adjust: fn(&mut Settings)) -> Self {
        crate::privacy::listen();
        let folder = tempfile::tempdir().expect("a folder");
        Self::start(db, folder, StoryClock::new(), adjust).await
    }

    /// The same province stopped and started again with other settings.
    pub(crate) async fn again_with(self, db: &TestDb, adjust: fn(&mut Settings)) -> Self {
        self.province.stop().await;
        Self::start(db, self.folder, self.clock, adjust).await
    }

    async fn start(
        db: &TestDb,
        folder: TempDir,
        clock: StoryClock,
        adjust: fn(&mut Settings),
    ) -> Self {
        let world = World {
            clock: Arc::new(clock.clone()),
            random: system_randomness(),
        };
        let plan = Plan {
            database_url: Some(db.url.clone()),
            works_by_itself: false,
            adjust,
            ..Plan::in_folder(folder.path(), world)
        };
        let province = Province::start(plan).await.expect("the province starts");
        Self {
            province,
            clock,
            folder,
        }
    }

    pub(crate) async fn end(self) {
        self.province.stop().await;
    }

    pub(crate) fn hospital(&self, place: usize) -> &Arc<SimulatedHospital> {
        &self.hospitals[place]
    }

    pub(crate) fn platform(&self) -> SocketAddr {
        let url: url::Url = self.description.platform.parse().expect("a URL");
        url.socket_addrs(|| None).expect("an address")[0]
    }

    /// A hospital's own voice, for what its simulation would never say.
    pub(crate) fn voice(&self, place: usize) -> Voice {
        let access = &self.description.hospitals[place];
        self.voice_of(&access.app_id, &access.secret)
    }

    pub(crate) fn mzt_voice(&self) -> Voice {
        let access = &self.description.mzt;
        self.voice_of(&access.app_id, &access.secret)
    }

    pub(crate) fn voice_of(&self, app_id: &str, secret: &str) -> Voice {
        Voice {
            app_id: app_id.to_owned(),
            secret: secret.to_owned(),
            platform: self.platform(),
            clock: Arc::new(self.clock.clone()),
        }
    }

    pub(crate) fn desk(&self) -> Desk {
        desk(&self.app)
    }

    /// Adds a partner beside the sandbox's own; gives its voice.
    pub(crate) async fn add_partner(&self, new: NewPartner) -> Voice {
        let issued = self.desk().add_partner(new).await.expect("it is added");
        self.renew().await;
        self.voice_of(&issued.app_id, &issued.secret)
    }

    /// Has the platform see what operators changed, as it does each second by itself.
    pub(crate) async fn renew(&self) {
        let now_ms = self.clock.now_ms();
        self.app.directory.renew(now_ms).await.expect("it is read");
    }

    /// Does all work that is due.
    pub(crate) async fn settle(&self) {
        self.province.settle().await.expect("the work is done");
    }

    /// Lets time pass, then does all work that is due.
    pub(crate) async fn after(&self, by_ms: i64) {
        self.clock.advance_ms(by_ms);
        self.settle().await;
    }

    /// An outpatient's debt of yesterday.
    pub(crate) fn debt(&self, name: &str, fen: i64) -> Debt {
        Debt::new(name, fen, self.clock.now_ms() - DAY_MS).expect("a debt")
    }

    /// Reports a debt, has it judged and told; gives its orgTraceId and traceId.
    pub(crate) async fn owe(
        &self,
        place: usize,
        citizen: Option<&Citizen>,
        fen: i64,
    ) -> (String, String) {
        let hospital = self.hospital(place);
        let number = hospital.owe(citizen, self.debt("诊查费", fen));
        hospital.report(&[&number]).await.expect("it is taken");
        self.settle().await;
        let entry = hospital.entry(&number).expect("it is in the ledger");
        let trace_id = entry
            .trace_id
            .unwrap_or_else(|| panic!("{:?}", entry.errors));
        (number, trace_id)
    }

    /// A number from the database.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        number(&self.app.db, sql).await
    }
}

/// Changes the database behind the platform's back.
pub(crate) async fn meddle(db: &Db, sql: &'static str) -> u64 {
    db.write(move |tx| tx.execute(sql, &[]))
        .await
        .expect("it is changed")
}

/// Longer than anything takes that is done behind, in real time, on a slow machine under load.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a number of the database is as large as wanted: for what is written behind.
pub(crate) async fn until_number(db: &Db, sql: &'static str, wanted: i64) {
    eventually(sql, async || number(db, sql).await >= wanted).await;
}

/// Looks again and again until something that is done behind has been done.
pub(crate) async fn eventually(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !done().await {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn desk(app: &App) -> Desk {
    Desk::of(app, "story")
}

/// A hospital about to be registered, with the usual grants.
pub(crate) fn new_hospital(org_id: &str) -> NewPartner {
    NewPartner {
        kind: Kind::Hospital,
        org_id: Some(org_id.to_owned()),
        name: "榕树医院".to_owned(),
        base_url: None,
        hosts: Vec::new(),
        grants: None,
        rate_per_second: 100_000,
        plain_replies: false,
        corrections: false,
        institutions: Vec::new(),
    }
}

/// A platform as a province runs it, not a sandbox: only registered hosts are called.
pub(crate) struct Platform {
    pub(crate) server: Server,
    pub(crate) app: App,
    pub(crate) clock: StoryClock,
}

impl Platform {
    pub(crate) async fn open(db: &TestDb, adjust: fn(&mut Settings)) -> Self {
        crate::privacy::listen();
        let random = system_randomness();
        let master = MasterKey::parse(&MasterKey::generate(&random)).expect("a key");
        let clock = StoryClock::new();
        let world = World {
            clock: Arc::new(clock.clone()),
            random,
        };
        let mut settings = Settings {
            database_url: banyan_platform::settings::DatabaseUrl(db.url.clone()),
            ..Settings::default()
        };
        adjust(&mut settings);
        let app = App::open(settings, &master, world, Setup::default())
            .await
            .expect("it opens");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let extras = Extras {
            worker: false,
            ..Extras::default()
        };
        let server = Server::start_with(app.clone(), listener, extras)
            .await
            .expect("it serves");
        Self { server, app, clock }
    }

    pub(crate) async fn add_partner(&self, new: NewPartner) -> Voice {
        let issued = desk(&self.app).add_partner(new).await.expect("it is added");
        let now_ms = self.clock.now_ms();
        self.app.directory.renew(now_ms).await.expect("it is read");
        Voice {
            app_id: issued.app_id,
            secret: issued.secret,
            platform: self.server.address(),
            clock: Arc::new(self.clock.clone()),
        }
    }

    pub(crate) async fn end(self) {
        self.server.stop().await;
    }
}

/// Another platform on the story's database, with its clock: a second node.
pub(crate) async fn second_node(story: &Story, db: &TestDb) -> App {
    let key = std::fs::read_to_string(story.folder.path().join("master.key")).expect("a key");
    let world = World {
        clock: Arc::new(story.clock.clone()),
        random: system_randomness(),
    };
    let mut settings = story.app.settings.clone();
    settings.database_url = banyan_platform::settings::DatabaseUrl(db.url.clone());
    let setup = Setup {
        loopback_hosts: true,
        ..Setup::default()
    };
    let key = MasterKey::parse(&key).expect("a key");
    App::open(settings, &key, world, setup)
        .await
        .expect("it opens")
}

/// A person as a report carries him.
pub(crate) fn person(citizen: &Citizen) -> Value {
    json!({
        "idNo": citizen.id_no,
        "idType": citizen.id_type,
        "userName": citizen.user_name,
        "ehealthCardId": citizen.ehealth_card_id,
        "mobilePhone": citizen.mobile_phone,
        "userType": "01",
    })
}

/// An item as a report carries it.
pub(crate) fn item(number: &str, amount: &str) -> Value {
    json!({
        "orgTraceId": number,
        "medType": "11",
        "feeType": "01",
        "itemName": "诊查费",
        "amount": amount,
        "actualTime": "2026-03-01 09:30:00",
    })
}

/// ORG_MDL_001 with the items of one person.
pub(crate) fn report(
    hospital: &SimulatedHospital,
    batch: &str,
    mut person: Value,
    items: &[Value],
) -> Value {
    person["itemList"] = json!(items);
    json!({
        "orgId": hospital.org_id(),
        "orgName": "榕树医院",
        "notifyUrl": hospital.callback_url().as_str(),
        "orgRequestId": batch,
        "unsettleList": [person],
    })
}

/// ORG_MDL_003 with the items `(orgTraceId, traceId, state)` of one person.
pub(crate) fn update(
    hospital: &SimulatedHospital,
    batch: &str,
    citizen: Option<&Citizen>,
    items: &[(&str, &str, &str)],
) -> Value {
    let items: Vec<Value> = items
        .iter()
        .map(|(number, trace_id, state)| {
            json!({"orgTraceId": number, "traceId": trace_id, "state": state})
        })
        .collect();
    let mut message = json!({
        "orgId": hospital.org_id(),
        "notifyUrl": hospital.callback_url().as_str(),
        "orgRequestId": batch,
        "itemList": items,
    });
    if let Some(citizen) = citizen {
        message["idNo"] = json!(citizen.id_no);
        message["idType"] = json!(citizen.id_type);
        message["userName"] = json!(citizen.user_name);
        message["ehealthCardId"] = json!(citizen.ehealth_card_id);
    }
    message
}

/// ORG_MDL_002 about a citizen at every hospital.
pub(crate) fn query(citizen: &Citizen) -> Value {
    json!({
        "businessType": "01101",
        "idNo": citizen.id_no,
        "idType": citizen.id_type,
        "userName": citizen.user_name,
        "ehealthCardId": citizen.ehealth_card_id,
    })
}

/// What a hospital was told of this batch: each notice once, however often it came.
pub(crate) fn told_of(hospital: &SimulatedHospital, batch: &str) -> Vec<Received> {
    let mut told = hospital.received();
    told.retain(|told| ext(told, "orgRequestId") == json!(batch));
    told
}

/// A member of a notice's extData.
pub(crate) fn ext(told: &Received, member: &str) -> Value {
    let data = told.request.extData.as_ref();
    data.and_then(|data| data.0.get(member))
        .cloned()
        .unwrap_or_default()
}

/// The reason that a notice gives for leaving out this item.
pub(crate) fn reason(told: &Received, org_trace_id: &str) -> String {
    let errors = ext(told, "errors");
    let rows = errors.as_array().cloned().unwrap_or_default();
    rows.iter()
        .find(|row| row["orgTraceId"] == json!(org_trace_id))
        .and_then(|row| row["reason"].as_str().map(str::to_owned))
        .unwrap_or_else(|| panic!("{org_trace_id} is not among the errors: {errors}"))
}

/// The items of a notice, whoever's they are: `(orgTraceId, traceId, state)`.
pub(crate) fn items_of(told: &Received) -> Vec<(String, String, String)> {
    let request = &told.request;
    let persons = request.reportResultList.iter();
    let items = persons
        .chain(&request.updateResultList)
        .flat_map(|person| &person.itemList);
    items
        .map(|item| {
            (
                item.orgTraceId.as_str().to_owned(),
                item.traceId.as_str().to_owned(),
                item.state.code().to_owned(),
            )
        })
        .collect()
}
