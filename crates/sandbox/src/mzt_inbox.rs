//! 闽政通 as a receiver: it takes what it is told (催缴提醒 above all), keeps the last of it, and
//! shows it on a page of its own. A real channel would push each reminder to the citizen's phone.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use banyan_protocol::ambient::SharedClock;
use banyan_protocol::dictionaries::NotifyType;
use banyan_protocol::overdue::org_002::NotifyRequest;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{self, LocalTime, Scalar as _};
use bytes::Bytes;
use tokio::sync::watch;
use url::Url;

use crate::Account;
use crate::http_server::{Answering, HttpServer, Reply};
use banyan_protocol::envelope::{Environment, Refusal, open_call};

/// Listens for what the platform tells 闽政通.
#[derive(Debug)]
pub struct MztInbox {
    server: HttpServer,
    url: Url,
    desk: Arc<Desk>,
}

/// One notice, however often it came. `Debug` shows nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Arrived {
    /// `extData.notifyId`.
    pub notify_id: String,
    /// When it came first.
    pub first_ms: i64,
    /// What it said then.
    pub request: NotifyRequest,
    /// How often it came.
    pub count: u32,
}

struct Desk {
    account: Account,
    clock: SharedClock,
    away: AtomicBool,
    arrived: Mutex<VecDeque<Arrived>>,
    changed: watch::Sender<()>,
}

/// A sandbox runs for days; of a page nobody reads more.
const MOST_KEPT: usize = 500;
const CALLBACK_PATH: &str = "/umdl/callback";

impl MztInbox {
    /// Listens; port 0 takes a free one.
    ///
    /// # Errors
    /// Where it can't listen there.
    pub async fn start(
        listen: SocketAddr,
        account: Account,
        clock: SharedClock,
    ) -> io::Result<Self> {
        let desk = Arc::new(Desk {
            account,
            clock,
            away: AtomicBool::new(false),
            arrived: Mutex::default(),
            changed: watch::Sender::new(()),
        });
        let server = HttpServer::start(listen, Arc::clone(&desk)).await?;
        let url = server.url("/").map_err(io::Error::other)?;
        Ok(Self { server, url, desk })
    }

    /// Its page, and the base address of what it is told.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Lets it answer everything with 503, or not any longer.
    pub fn set_away(&self, away: bool) {
        self.desk.away.store(away, Ordering::SeqCst);
    }

    /// What arrived, oldest first; the last few hundred.
    #[must_use]
    pub fn arrived(&self) -> Vec<Arrived> {
        self.desk.arrived().iter().cloned().collect()
    }

    /// Waits until what arrived is as wanted; `false` where it is not in time.
    pub async fn wait_for(
        &self,
        mut wanted: impl FnMut(&[Arrived]) -> bool,
        timeout: Duration,
    ) -> bool {
        let mut changed = self.desk.changed.subscribe();
        let waiting = async {
            while !wanted(&self.arrived()) {
                if changed.changed().await.is_err() {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(timeout, waiting)
            .await
            .unwrap_or(false)
    }

    /// Lets the answers under way end, then closes.
    pub async fn stop(&self) {
        self.server.stop().await;
    }
}

impl Arrived {
    /// A member of extData as text; empty where there is none.
    #[must_use]
    pub fn ext(&self, member: &str) -> String {
        let data = self.request.extData.as_ref();
        match data.and_then(|data| data.0.get(member)) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}

impl Desk {
    fn arrived(&self) -> MutexGuard<'_, VecDeque<Arrived>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, body: &[u8]) -> Result<String, Refusal> {
        let now_ms = self.clock.now_ms();
        let mine = |app_id: &str| (app_id == self.account.app_id).then_some(&self.account);
        let call = open_call(body, mine, Environment::Test, now_ms)?;
        let request = match wire::read::<NotifyRequest>(&call.business) {
            Ok(request) => request,
            Err(fault) => {
                let refusal = Refusal::new(ResultCode::BadParameter, fault.to_string());
                return Ok(call.refused(&refusal, now_ms));
            }
        };
        self.note(Arrived {
            notify_id: String::new(),
            first_ms: now_ms,
            request,
            count: 1,
        });
        Ok(call.success(r#"{"state":"success"}"#, now_ms))
    }

    fn note(&self, mut new: Arrived) {
        new.notify_id = new.ext("notifyId");
        {
            let mut arrived = self.arrived();
            let again = arrived
                .iter_mut()
                .find(|known| known.notify_id == new.notify_id);
            match again {
                Some(known) => known.count += 1,
                None => {
                    if arrived.len() == MOST_KEPT {
                        arrived.pop_front();
                    }
                    arrived.push_back(new);
                }
            }
        }
        self.changed.send_replace(());
    }

    fn page(&self) -> String {
        let mut rows = String::new();
        for one in self.arrived().iter().rev() {
            let time = LocalTime::from_epoch_ms(one.first_ms);
            let cells = [
                time.render().into_owned(),
                kind(one.request.notifyType).to_owned(),
                masked_name(&one.ext("userName")),
                masked_number(&one.ext("idNo")),
                said(one),
                one.count.to_string(),
            ];
            rows.push_str("<tr>");
            for cell in cells {
                // Writing into a String does not fail.
                let _ = write!(rows, "<td>{}</td>", escaped(&cell));
            }
            rows.push_str("</tr>");
        }
        if rows.is_empty() {
            rows.push_str("<tr><td colspan=\"6\">还没有收到通知</td></tr>");
        }
        format!(
            "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>闽政通（沙箱）</title>\
             <style>body{{font-family:sans-serif;margin:1.5rem}}table{{border-collapse:collapse}}\
             th,td{{border:1px solid #999;padding:.4rem .6rem;text-align:left}}</style></head>\
             <body><h1>闽政通（沙箱）收到的通知</h1>\
             <p>姓名与证件号码已部分隐藏。刷新本页可看到新的通知。</p>\
             <table><thead><tr><th>收到时间</th><th>类型</th><th>姓名</th><th>证件号码</th>\
             <th>内容</th><th>次数</th></tr></thead><tbody>{rows}</tbody></table></body></html>"
        )
    }
}

impl Answering for Desk {
    async fn answer(&self, path: &str, body: Bytes) -> Reply {
        if self.away.load(Ordering::SeqCst) {
            return Reply::Http {
                status: 503,
                body: "away".to_owned(),
            };
        }
        match path {
            "/" => Reply::Page(self.page()),
            CALLBACK_PATH => Reply::ok(
                self.take(&body)
                    .unwrap_or_else(|refusal| refusal.unsigned()),
            ),
            _ => {
                let refusal =
                    Refusal::new(ResultCode::UnknownPath, ResultCode::UnknownPath.label());
                Reply::Http {
                    status: 404,
                    body: refusal.unsigned(),
                }
            }
        }
    }
}

const fn kind(notify_type: NotifyType) -> &'static str {
    match notify_type {
        NotifyType::Remind => "欠费提醒",
        NotifyType::Correct => "更正回执",
        NotifyType::Report => "上报回调",
        NotifyType::Update => "更新回调",
    }
}

fn said(one: &Arrived) -> String {
    match one.request.notifyType {
        NotifyType::Remind => format!(
            "您在 {} 家医院有 {} 笔欠费，共 {} 元，最早产生于 {}",
            one.ext("orgCount"),
            one.ext("itemCount"),
            one.ext("totalAmount"),
            one.ext("oldestTime")
        ),
        NotifyType::Correct => format!(
            "{} 上报的一笔 {} 元欠费已于 {} 撤销",
            one.ext("sourceOrgName"),
            one.ext("amount"),
            one.ext("revokedTime")
        ),
        NotifyType::Report | NotifyType::Update => String::new(),
    }
}

/// All but the last character hidden.
fn masked_name(name: &str) -> String {
    let count = name.chars().count();
    let letters = name.chars().enumerate();
    letters
        .map(|(place, letter)| if place + 1 == count { letter } else { '＊' })
        .collect()
}

/// All but the last two characters hidden.
fn masked_number(number: &str) -> String {
    let count = number.chars().count();
    let digits = number.chars().enumerate();
    digits
        .map(|(place, digit)| if place + 2 >= count { digit } else { '*' })
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

impl fmt::Debug for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arrived({}, {} times)", self.notify_id, self.count)
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use banyan_client::CallFault;
    use banyan_protocol::dictionaries::Receipt;
    use banyan_protocol::wire::ExtData;
    use serde_json::json;

    use super::*;
    use crate::testing::{account, clock, http, loopback, notification, notify};

    fn reminder(notify_id: &str, name: &str) -> NotifyRequest {
        let ext = json!({
            "notifyId": notify_id, "idType": "01", "idNo": "359999199001010011",
            "userName": name, "itemCount": 3, "totalAmount": "12.50", "orgCount": 2,
            "oldestTime": "2026-03-01 09:30:00",
        });
        NotifyRequest {
            notifyType: NotifyType::Remind,
            reportResultList: Vec::new(),
            extData: ext.as_object().cloned().map(ExtData),
            ..notification(notify_id, "", &[])
        }
    }

    async fn page(inbox: &MztInbox) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let address = inbox.url().socket_addrs(|| None).unwrap()[0];
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let ask = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(ask).await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        page
    }

    #[tokio::test]
    async fn what_arrives_is_kept_once_and_shown_without_who_it_is() {
        let inbox = MztInbox::start(loopback(), account("mzt"), clock())
            .await
            .unwrap();
        assert!(page(&inbox).await.contains("还没有收到通知"));
        let http = http(Duration::from_secs(2));
        let url = inbox.url().join("umdl/callback").unwrap();
        for (id, name) in [("n1", "陈建国"), ("n1", "陈建国"), ("n2", "<b>&")] {
            let reply = notify(&http, &url, &account("mzt"), &reminder(id, name)).await;
            assert_eq!(reply.unwrap().state, Receipt::Success);
        }
        let arrived = inbox.arrived();
        let counts: Vec<_> = arrived
            .iter()
            .map(|one| (&*one.notify_id, one.count))
            .collect();
        assert_eq!(counts, [("n1", 2), ("n2", 1)]);
        let page = page(&inbox).await;
        assert!(
            page.contains("text/html") && page.contains("＊＊国"),
            "{page}"
        );
        assert!(page.contains("您在 2 家医院有 3 笔欠费，共 12.50 元"));
        for hidden in ["陈建国", "359999199001010011", "<b>"] {
            assert!(!page.contains(hidden) && !format!("{arrived:?}").contains(hidden));
        }

        let stranger = notify(&http, &url, &account("other"), &reminder("n3", "某")).await;
        assert!(matches!(stranger, Err(CallFault::Refused { code, .. }) if code == "000001"));
        inbox.set_away(true);
        let away = notify(&http, &url, &account("mzt"), &reminder("n3", "某")).await;
        assert!(away.is_err() && inbox.arrived().len() == 2);
        inbox.set_away(false);
        for n in 0..MOST_KEPT {
            inbox.desk.note(Arrived {
                notify_id: String::new(),
                first_ms: 0,
                request: reminder(&format!("m{n}"), "某"),
                count: 1,
            });
        }
        assert_eq!(inbox.arrived().len(), MOST_KEPT);
        inbox.stop().await;
    }
}
