//! What the tests of this crate share: a platform of the smallest kind, and calls of a platform.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use banyan_client::{CallFault, Credentials, HostGuard, HttpClient, HttpSettings, call_typed};
use banyan_protocol::ambient::{SeededRandomness, SharedClock, SharedRandomness, SystemClock};
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::{ItemState, Next, NotifyType, Receipt};
use banyan_protocol::envelope::{AcceptedReplies, Manner};
use banyan_protocol::overdue::org_002::{NotifyReply, NotifyRequest};
use banyan_protocol::overdue::org_mdl_001::{ReportReply, ReportRequest};
use banyan_protocol::overdue::org_mdl_002::QueryReply;
use banyan_protocol::overdue::org_mdl_003::{UpdateReply, UpdateRequest};
use banyan_protocol::overdue::org_mdl_004::EntryLinkReply;
use banyan_protocol::overdue::org_mdl_005::{ResultReply, ResultRequest};
use banyan_protocol::overdue::{ItemResult, PersonResult};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{self, ExtData, OrEmpty, Private, Scalar as _, Text};
use banyan_store::vault::{MasterKey, Vault};
use bytes::Bytes;
use tokio::sync::watch;
use url::Url;

use crate::http_server::{Answering, HttpServer, Reply};
use crate::{Account, Citizen, HospitalSetup, MztChannel, MztSetup, SimulatedHospital, citizens};
use banyan_protocol::envelope::{Environment, Refusal, open_call};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

pub(crate) fn clock() -> SharedClock {
    Arc::new(SystemClock)
}

pub(crate) fn http(call_timeout: Duration) -> HttpClient {
    HttpClient::new(&HttpSettings {
        call_timeout,
        ..HttpSettings::default()
    })
    .unwrap()
}

pub(crate) fn vault() -> Vault {
    let random: SharedRandomness = Arc::new(SeededRandomness::new(1));
    Vault::new(
        &MasterKey::parse(&MasterKey::generate(&random)).unwrap(),
        random,
    )
}

pub(crate) fn citizens(count: usize) -> Vec<Citizen> {
    let vault = vault();
    let seeds = citizens::generate(count, 1).into_iter();
    seeds.map(|seed| seed.with_index(&vault)).collect()
}

pub(crate) fn secret_of(app_id: &str) -> String {
    format!("the-secret-of-{app_id}")
}

pub(crate) fn account(app_id: &str) -> Account {
    Account::new(app_id, &secret_of(app_id)).unwrap()
}

pub(crate) fn mzt_at(platform: &Url, http: HttpClient) -> MztChannel {
    let setup = MztSetup {
        app_id: "mzt".to_owned(),
        secret: secret_of("mzt"),
        platform_url: platform.clone(),
    };
    MztChannel::new(&setup, clock(), http).unwrap()
}

pub(crate) async fn hospital_at(
    platform: &Url,
    app_id: &str,
    ledger_file: Option<PathBuf>,
    http: HttpClient,
) -> SimulatedHospital {
    let setup = HospitalSetup {
        org_id: "H35010000001".to_owned(),
        org_name: "榕树医院".to_owned(),
        app_id: app_id.to_owned(),
        secret: secret_of(app_id),
        listen: loopback(),
        platform_url: platform.clone(),
        ledger_file,
    };
    SimulatedHospital::start(setup, clock(), http)
        .await
        .unwrap()
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::parse(text).unwrap()
}

/// An ORG_002 about one batch with these items of one nameless person.
pub(crate) fn notification(
    notify_id: &str,
    batch: &str,
    items: &[(&str, ItemState)],
) -> NotifyRequest {
    let marks = serde_json::json!({ "notifyId": notify_id, "orgRequestId": batch });
    NotifyRequest {
        orgId: text("H35010000001"),
        orgName: text("榕树医院"),
        notifyType: NotifyType::Report,
        reportResultList: vec![PersonResult {
            idNo: OrEmpty(None),
            userName: OrEmpty(None),
            itemList: items
                .iter()
                .map(|(org_trace_id, state)| ItemResult {
                    orgTraceId: text(org_trace_id),
                    traceId: text(&format!("P{org_trace_id}")),
                    state: *state,
                })
                .collect(),
        }],
        updateResultList: Vec::new(),
        extData: Some(ExtData(marks.as_object().unwrap().clone())),
    }
}

/// Calls a hospital as a platform does that takes plain and bare answers too.
pub(crate) async fn ask<Request: wire::Message, Answer: wire::Message>(
    http: &HttpClient,
    url: &Url,
    account: &Account,
    plain_and_bare: bool,
    request: &Request,
) -> Result<Answer, CallFault> {
    let credentials = Credentials {
        app_id: account.app_id.as_str().into(),
        secret: Arc::new(account.secret.clone()),
        accepted: AcceptedReplies { plain_and_bare },
        manner: Manner::SEALED,
    };
    call_typed(
        http,
        url,
        &HostGuard::Anywhere,
        &credentials,
        &SystemClock,
        request,
    )
    .await
}

pub(crate) async fn notify(
    http: &HttpClient,
    url: &Url,
    account: &Account,
    request: &NotifyRequest,
) -> Result<NotifyReply, CallFault> {
    ask(http, url, account, false, request).await
}

/// Takes everything, judges it good, calls back at once, and remembers what it heard.
pub(crate) struct FakePlatform {
    server: HttpServer,
    desk: Arc<FakeDesk>,
}

struct FakeDesk {
    accounts: HashMap<String, Account>,
    http: HttpClient,
    away: AtomicBool,
    turned_away: watch::Sender<usize>,
    heard: Mutex<Vec<(Interface, String)>>,
    heard_count: watch::Sender<usize>,
    batches: Mutex<HashMap<String, Vec<PersonResult>>>,
}

impl FakePlatform {
    pub(crate) async fn start() -> Self {
        let accounts = ["mzt", "H1", "H2"];
        let desk = Arc::new(FakeDesk {
            accounts: accounts.map(|id| (id.to_owned(), account(id))).into(),
            http: http(Duration::from_secs(2)),
            away: AtomicBool::new(false),
            turned_away: watch::Sender::new(0),
            heard: Mutex::default(),
            heard_count: watch::Sender::new(0),
            batches: Mutex::default(),
        });
        let server = HttpServer::start(loopback(), Arc::clone(&desk)).await;
        Self {
            server: server.unwrap(),
            desk,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) fn url(&self) -> Url {
        self.server.url("/").unwrap()
    }

    pub(crate) async fn stop(&self) {
        self.server.stop().await;
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.desk.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn heard(&self) -> Vec<(Interface, String)> {
        self.desk.heard.lock().unwrap().clone()
    }

    pub(crate) fn heard_count(&self) -> usize {
        self.heard().len()
    }

    pub(crate) fn heard_of(&self, interface: Interface) -> usize {
        let heard = self.heard();
        heard.iter().filter(|(code, _)| *code == interface).count()
    }

    pub(crate) async fn wait_for_heard(&self, count: usize) {
        wait_for(&self.desk.heard_count, count).await;
    }

    pub(crate) async fn wait_for_turned_away(&self, count: usize) {
        wait_for(&self.desk.turned_away, count).await;
    }
}

async fn wait_for(counter: &watch::Sender<usize>, count: usize) {
    let mut counter = counter.subscribe();
    let waiting = counter.wait_for(|counted| *counted >= count);
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap()
        .unwrap();
}

impl Answering for FakeDesk {
    async fn answer(&self, path: &str, body: Bytes) -> Reply {
        if self.away.load(Ordering::SeqCst) {
            self.turned_away.send_modify(|count| *count += 1);
            return Reply::Http {
                status: 503,
                body: "away".to_owned(),
            };
        }
        let now_ms = clock().now_ms();
        let Some(interface) = Interface::at_platform_path(path) else {
            let refusal = Refusal::new(ResultCode::UnknownPath, "");
            return Reply::Http {
                status: 404,
                body: refusal.unsigned(),
            };
        };
        let opened = open_call(
            &body,
            |app_id| self.accounts.get(app_id),
            Environment::Test,
            now_ms,
        );
        let call = match opened {
            Ok(call) => call,
            Err(refusal) => return Reply::ok(refusal.unsigned()),
        };
        let business = call.business.clone();
        self.heard
            .lock()
            .unwrap()
            .push((interface, business.clone()));
        self.heard_count.send_modify(|count| *count += 1);
        Reply::ok(match self.business(interface, &business, call.account) {
            Ok(answer) => call.success(&answer, now_ms),
            Err(fault) => {
                let refusal = Refusal::new(ResultCode::BadParameter, fault.to_string());
                call.refused(&refusal, now_ms)
            }
        })
    }
}

impl FakeDesk {
    fn business(
        &self,
        interface: Interface,
        json: &str,
        account: &Account,
    ) -> Result<String, wire::FieldFault> {
        Ok(match interface {
            Interface::OrgMdl001 => {
                let request: ReportRequest = wire::read(json)?;
                request.check()?;
                let persons = request.persons().iter();
                let items = persons.flat_map(|person| &person.itemList);
                let items: Vec<_> = items
                    .map(|item| (item.orgTraceId.as_str(), ItemState::Unpaid))
                    .collect();
                self.call_back(
                    account,
                    request.notifyUrl.url(),
                    &request.orgRequestId,
                    &items,
                );
                wire::write(&ReportReply {
                    state: Receipt::Success,
                    msg: None,
                    extData: None,
                })
            }
            Interface::OrgMdl002 => wire::write(&QueryReply {
                next: Next::Yes,
                itemList: Vec::new(),
                extData: None,
            }),
            Interface::OrgMdl003 => {
                let request: UpdateRequest = wire::read(json)?;
                request.check()?;
                let items = request.itemList.iter();
                let items: Vec<_> = items
                    .map(|item| (item.orgTraceId.as_str(), item.state))
                    .collect();
                self.call_back(
                    account,
                    request.notifyUrl.url(),
                    &request.orgRequestId,
                    &items,
                );
                wire::write(&UpdateReply {
                    state: Receipt::Success,
                    msg: None,
                    extData: None,
                })
            }
            Interface::OrgMdl004 => wire::write(&EntryLinkReply {
                mdrUrl: Private::new(text("http://127.0.0.1/h5/enter?t=1")),
                extData: None,
            }),
            _ => {
                let request: ResultRequest = wire::read(json)?;
                let batches = self.batches.lock().unwrap();
                let results = batches.get(request.orgRequestId.as_str());
                wire::write(&ResultReply {
                    orgId: request.orgId,
                    orgName: text("榕树医院"),
                    reportResultList: results
                        .ok_or_else(|| wire::FieldFault::new("orgRequestId", "没有这个批次"))?
                        .clone(),
                    extData: None,
                })
            }
        })
    }

    fn call_back(
        &self,
        account: &Account,
        url: &Url,
        batch: &Text<40>,
        items: &[(&str, ItemState)],
    ) {
        let notify_id = format!("n-{}", batch.as_str());
        let request = notification(&notify_id, batch.as_str(), items);
        let results = request.reportResultList.clone();
        let mut batches = self.batches.lock().unwrap();
        batches.insert(batch.as_str().to_owned(), results);
        let (http, url, account) = (self.http.clone(), url.clone(), account.clone());
        tokio::spawn(async move {
            // A hospital that stopped meanwhile does not get it.
            let _ = notify(&http, &url, &account, &request).await;
        });
    }
}
