//! Calls over real sockets on loopback, against small servers.

mod exchange;
mod guard;
mod limits;
mod pool;
mod retry;
mod server;
mod threads;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use banyan_protocol::ambient::ManualClock;
use banyan_protocol::envelope::{
    AcceptedReplies, Answer, Dialect, Envelope, Environment, Manner, Outcome, Sealing, Secret,
};
use banyan_protocol::overdue::org_001::{SettlementReply, SettlementRequest};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire;

use crate::{
    AllowedHosts, CallFault, Credentials, HostGuard, HttpClient, HttpSettings, call, call_typed,
};
use server::Server;

const SECRET: &str = "0123456789abcdef-and-more";
const NOW_MS: i64 = 1_736_505_201_000;
const QUESTION: &str = r#"{"orgId":"H35000000001","orgTraceId":"T1"}"#;

fn secret() -> Secret {
    Secret::parse(SECRET).unwrap()
}

/// Of a partner whose answers must be sealed.
fn credentials() -> Credentials {
    Credentials {
        app_id: Arc::from("province"),
        secret: Arc::new(secret()),
        accepted: AcceptedReplies {
            plain_and_bare: false,
        },
        manner: Manner::SEALED,
    }
}

fn clock() -> ManualClock {
    ManualClock::at(NOW_MS)
}

fn listed(entries: &str) -> HostGuard {
    HostGuard::Listed(Arc::new(
        AllowedHosts::parse(entries.split_whitespace()).unwrap(),
    ))
}

/// Patient enough for a loaded machine, impatient enough that a hanging test ends.
fn settings() -> HttpSettings {
    HttpSettings {
        connect_timeout: Duration::from_secs(5),
        call_timeout: Duration::from_secs(10),
        ..HttpSettings::default()
    }
}

fn client() -> HttpClient {
    HttpClient::new(&settings()).unwrap()
}

fn question() -> SettlementRequest {
    wire::read(QUESTION).unwrap()
}

async fn ask(http: &HttpClient, server: &Server) -> Result<Answer, CallFault> {
    ask_as(http, server, &credentials()).await
}

async fn ask_as(
    http: &HttpClient,
    server: &Server,
    credentials: &Credentials,
) -> Result<Answer, CallFault> {
    let guard = listed("loopback");
    call(
        http,
        &server.url("/qmdl/getOverdueResult"),
        &guard,
        credentials,
        &clock(),
        QUESTION,
    )
    .await
}

async fn ask_typed(http: &HttpClient, server: &Server) -> Result<SettlementReply, CallFault> {
    let url = server.url("/qmdl/getOverdueResult");
    let guard = listed("loopback");
    call_typed(http, &url, &guard, &credentials(), &clock(), &question()).await
}

/// What a partner sees when it opens our message.
fn opened(body: &[u8]) -> String {
    let envelope = Envelope::parse(body).unwrap();
    let opened = envelope.open(&secret(), Environment::Production, Dialect::default());
    opened.unwrap().business.unwrap()
}

fn sealed_answer(code: ResultCode, message: &str, business: Option<&str>) -> String {
    Sealing {
        outcome: Some(Outcome { code, message }),
        business,
        ..Sealing::call("province", NOW_MS, "")
    }
    .seal(&secret())
}

fn settled() -> String {
    sealed_answer(ResultCode::Success, "成功", Some(r#"{"state":"1"}"#))
}
