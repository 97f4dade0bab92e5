//! The platform's part, played towards a hospital's ORG_001 and ORG_002.

mod notices;
mod security;
mod settlement;
mod transport;

use std::time::Duration;

use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::{ItemState, Receipt};
use banyan_protocol::overdue::org_001::SettlementReply;
use banyan_protocol::overdue::org_002::NotifyReply;
use banyan_protocol::wire::{self, Message};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::ground::path;
use crate::heard::{Checked, Fault, Heard, ensure, failed, skipped};
use crate::report::{CaseResult, Report, Side};
use crate::run::Run;
use crate::{BadTarget, Target};

const ASK: Interface = Interface::Org001;
const TELL: Interface = Interface::Org002;
/// A synthetic person: no district has this number.
const PERSON: (&str, &str) = ("359999199001010017", "测试甲");

/// Tests a hospital. `known` is the 机构跟踪号 of an item that the hospital's own test environment
/// has, without which nobody can tell whether it answers for its items.
///
/// # Errors
/// Where nobody is there.
pub async fn hospital(
    target: &Target,
    known: Option<&str>,
    mut tell: impl FnMut(&CaseResult) + Send,
) -> Result<Report, BadTarget> {
    let mut run = Run::begin(Side::Hospital, target, &mut tell).await?;
    let play = Play { target, known };
    settlement::play(&mut run, &play).await;
    notices::play(&mut run, &play).await;
    security::play(&mut run, &play).await;
    transport::play(&mut run, &play).await;
    Ok(run.end())
}

const JSON: &str = "application/json; charset=utf-8";
const NO_KNOWN: &str = "没有给出院内已有的记录：请用 --known 机构跟踪号";

struct Play<'a> {
    target: &'a Target,
    known: Option<&'a str>,
}

impl Play<'_> {
    fn question(&self, org_trace_id: &str) -> Value {
        json!({"orgId": self.target.org_id, "orgTraceId": org_trace_id})
    }

    fn notice(&self, kind: &str, notify_id: &str) -> Value {
        let item = json!({
            "orgTraceId": self.target.number("none"), "traceId": "900000000000001", "state": "0",
        });
        let list = json!([{"idNo": PERSON.0, "userName": PERSON.1, "itemList": [item]}]);
        let (report, update) = if kind == "UPDATE" {
            (json!([]), list)
        } else {
            (list, json!([]))
        };
        json!({
            "orgId": self.target.org_id, "orgName": "一致性测试", "notifyType": kind,
            "reportResultList": report, "updateResultList": update,
            "extData": {"notifyId": notify_id, "orgRequestId": "conformance"},
        })
    }

    fn read<Reply: Message>(&self, heard: &Heard) -> Result<Reply, Fault> {
        let business = heard.done(&self.target.secret)?;
        match wire::read(&business.to_string()) {
            Ok(reply) => Ok(reply),
            Err(fault) => failed(format!("应答的业务数据有误：{fault}")),
        }
    }

    fn settlement(&self, heard: &Heard) -> Result<ItemState, Fault> {
        Ok(self.read::<SettlementReply>(heard)?.state)
    }

    fn receipt(&self, heard: &Heard) -> Checked {
        let reply: NotifyReply = self.read(heard)?;
        ensure(reply.state == Receipt::Success, "应答复 state=success")
    }

    /// A refusal, or a receipt that says `fail`.
    fn not_taken(&self, heard: &Heard) -> Checked {
        match self.read::<NotifyReply>(heard) {
            Ok(reply) => ensure(
                reply.state != Receipt::Success,
                "应拒绝，却答复 state=success",
            ),
            Err(_) => heard.refused(),
        }
    }

    async fn state_of_known(&self, as_data: bool) -> Result<ItemState, Fault> {
        let Some(known) = self.known else {
            return skipped(NO_KNOWN);
        };
        let question = self.question(known).to_string();
        let message = if as_data {
            self.target.seal_as_data(&question)
        } else {
            self.target.seal(&question)
        };
        self.settlement(&self.target.post(path(ASK), message).await?)
    }

    /// An answer that must be a success: to the question about a known item, or else to a notice.
    async fn any_success(&self) -> Result<(Heard, Value), Fault> {
        let heard = match self.known {
            Some(known) => self.target.ask(ASK, &self.question(known)).await?,
            None => {
                let notice = self.notice("REPORT", &self.target.number("N"));
                self.target.ask(TELL, &notice).await?
            }
        };
        let business = heard.done(&self.target.secret)?;
        Ok((heard, business))
    }

    /// Whether both interfaces refuse what is made of a good message's business JSON.
    async fn both_refuse(&self, make: impl Fn(&str) -> String) -> Checked {
        let notice = self.notice("REPORT", &self.target.number("N"));
        let question = self.question(self.known.unwrap_or("T1"));
        for (interface, business) in [(TELL, notice), (ASK, question)] {
            let message = make(&business.to_string());
            self.target
                .post(path(interface), message)
                .await?
                .refused()?;
        }
        Ok(())
    }

    async fn still_answers(&self) -> Checked {
        self.any_success().await.map(|_| ())
    }

    fn envelope_is_whole(&self, heard: &Heard) -> Checked {
        let envelope = heard.envelope()?;
        for name in [
            "appId",
            "version",
            "timestamp",
            "encryptType",
            "signType",
            "sign",
            "encryptData",
            "respMsg",
        ] {
            ensure(
                envelope.get(name).is_some_and(Value::is_string),
                format!("应答缺少 {name}，或不是字符串"),
            )?;
        }
        ensure(
            envelope["appId"] == json!(self.target.app_id),
            "应答的 appId 与请求不同",
        )?;
        let time = envelope["timestamp"]
            .as_str()
            .and_then(|text| text.parse::<i64>().ok());
        let Some(time_ms) = time else {
            return failed("应答的 timestamp 不是毫秒时间戳");
        };
        let skew_ms = time_ms.abs_diff(self.target.clock.now_ms());
        ensure(
            skew_ms <= 600_000,
            format!(
                "应答的 timestamp 与本机相差 {} 秒：请校准时钟，并确认单位是毫秒",
                skew_ms / 1000
            ),
        )
    }

    /// Sends half a request and waits; meanwhile another must be answered.
    async fn stalled(&self) -> Checked {
        let url = &self.target.url;
        let (Some(host), Some(port), "http") =
            (url.host_str(), url.port_or_known_default(), url.scheme())
        else {
            return skipped("只在 http 地址上测试");
        };
        let connecting = tokio::net::TcpStream::connect((host.trim_matches(['[', ']']), port));
        let Ok(mut stream) = connecting.await else {
            return failed("连接不上");
        };
        let at = self.target.at(path(TELL));
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: {JSON}\r\nContent-Length: 500\r\n\r\n{{",
            at.path()
        );
        if stream.write_all(head.as_bytes()).await.is_err() {
            return failed("连接中断");
        }
        let answered = self.still_answers().await;
        // Whatever it says to the half, it must not be a success.
        let mut said = [0; 16];
        let waiting = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut said));
        let early = matches!(waiting.await, Ok(Ok(length)) if said.get(..length).is_some_and(|said| said.ends_with(b" 200")));
        answered?;
        ensure(!early, "请求还没有收完就答复了成功")
    }
}
