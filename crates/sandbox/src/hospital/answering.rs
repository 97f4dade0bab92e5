//! What a hospital answers the platform (ORG_001, ORG_002), and the faults in doing so.

use std::sync::{Mutex, MutexGuard, PoisonError};

use banyan_protocol::ambient::SharedClock;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::crypto::sm3;
use banyan_protocol::dictionaries::{NotifyType, Receipt};
use banyan_protocol::envelope::{Manner, PlainMember};
use banyan_protocol::overdue::OrgId;
use banyan_protocol::overdue::org_001::{SettlementReply, SettlementRequest};
use banyan_protocol::overdue::org_002::{NotifyReply, NotifyRequest};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{self, ExtData};
use bytes::Bytes;

use super::ledger::Ledger;
use super::received::ReceivedLog;
use crate::Account;
use crate::faults::{Fault, FaultSwitch};
use crate::http_server::{Answering, Reply};
use banyan_protocol::envelope::{Environment, OpenedCall, Refusal, open_call};

/// The hospital's side of the line that others call.
pub(super) struct Desk {
    pub(super) org_id: OrgId,
    pub(super) account: Account,
    pub(super) clock: SharedClock,
    pub(super) ledger: Mutex<Ledger>,
    pub(super) received: ReceivedLog,
    pub(super) faults: FaultSwitch,
}

impl Answering for Desk {
    async fn answer(&self, path: &str, body: Bytes) -> Reply {
        let interface = [Interface::Org001, Interface::Org002]
            .into_iter()
            .find(|interface| interface.path() == Some(path));
        let Some(interface) = interface else {
            let refusal = Refusal::new(ResultCode::UnknownPath, ResultCode::UnknownPath.label());
            return Reply::Http {
                status: 404,
                body: refusal.unsigned(),
            };
        };
        let (fault, switched) = self.faults.play();
        let now_ms = self.clock.now_ms();
        // The guide's plain examples name no appId; such a caller means us.
        let mine = |app_id: &str| {
            (app_id.is_empty() || app_id == self.account.app_id).then_some(&self.account)
        };
        let call = open_call(&body, mine, Environment::Test, now_ms);
        let answer = call
            .as_ref()
            .map_err(Refusal::unsigned)
            .map(|call| (call, self.business(interface, call, fault)));
        match fault {
            Fault::Hang => {
                switched.await;
                return Reply::Close;
            }
            Fault::CloseConnection => return Reply::Close,
            Fault::Status(status) => {
                return Reply::Http {
                    status,
                    body: "a gateway's own page".to_owned(),
                };
            }
            Fault::Garbage => return Reply::ok("<html>维护中</html>".to_owned()),
            Fault::Delay(by) => tokio::time::sleep(by).await,
            Fault::None
            | Fault::WrongSignature
            | Fault::PlainEnvelope
            | Fault::BareObject
            | Fault::Refuse
            | Fault::FailState => {}
        }
        Reply::ok(match answer {
            Err(unsigned) => unsigned,
            Ok((call, Err(refusal))) => call.refused(&refusal, now_ms),
            Ok((call, Ok(business))) => seal(call, &business, fault, now_ms),
        })
    }
}

/// A well-meant answer, as the fault lets it out.
fn seal(call: &OpenedCall<'_>, business: &str, fault: Fault, now_ms: i64) -> String {
    match fault {
        Fault::WrongSignature => match call.account.forging() {
            Some(forging) => call.success_as(&forging, Manner::SEALED, business, now_ms),
            None => String::new(),
        },
        Fault::PlainEnvelope => {
            let manner = Manner {
                plain_member: PlainMember::Param,
                ..Manner::PLAIN
            };
            call.success_as(call.account, manner, business, now_ms)
        }
        Fault::BareObject => business.to_owned(),
        _ => call.success(business, now_ms),
    }
}

impl Desk {
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The business JSON of the answer.
    fn business(
        &self,
        interface: Interface,
        call: &OpenedCall<'_>,
        fault: Fault,
    ) -> Result<String, Refusal> {
        let done = match interface {
            Interface::Org001 => self.settlement(&call.business)?,
            _ => self.notified(&call.business, fault)?,
        };
        match fault {
            Fault::Refuse => Err(Refusal::new(
                ResultCode::SystemError,
                ResultCode::SystemError.label(),
            )),
            Fault::FailState => Ok(r#"{"state":"fail","msg":"院内处理失败"}"#.to_owned()),
            _ => Ok(done),
        }
    }

    /// ORG_001: how the debt stands here.
    fn settlement(&self, business: &str) -> Result<String, Refusal> {
        let request: SettlementRequest = wire::read(business).map_err(unfit)?;
        self.is_for_us(&request.orgId)?;
        let ledger = self.ledger();
        let entry = ledger
            .get(request.orgTraceId.as_str())
            .map_err(|_| Refusal::new(ResultCode::BadParameter, "orgTraceId：院内没有这条记录"))?;
        Ok(wire::write(&SettlementReply {
            state: entry.local_state,
            extData: None,
        }))
    }

    /// ORG_002: what became of a batch.
    fn notified(&self, business: &str, fault: Fault) -> Result<String, Refusal> {
        let request: NotifyRequest = wire::read(business).map_err(unfit)?;
        self.is_for_us(&request.orgId)?;
        let notify_id = notify_id(request.extData.as_ref())
            .unwrap_or_else(|| hex::encode(sm3::digest(business.as_bytes())));
        if request.notifyType == NotifyType::Correct {
            let org_id = self.org_id.as_str();
            tracing::info!(org_id, notify_id, "was told that a debt was revoked");
        }
        {
            // Held over both, so that who sees the notification finds its effect in the ledger.
            let mut ledger = self.ledger();
            if self
                .received
                .take(notify_id, request.clone(), fault.takes_effect())
            {
                let lists = [&request.reportResultList, &request.updateResultList];
                ledger.confirm(lists.into_iter().flatten(), request.extData.as_ref());
            }
        }
        self.received.ring();
        Ok(wire::write(&NotifyReply {
            state: Receipt::Success,
            msg: None,
            extData: None,
        }))
    }

    fn is_for_us(&self, org_id: &OrgId) -> Result<(), Refusal> {
        if *org_id == self.org_id {
            Ok(())
        } else {
            Err(Refusal::new(ResultCode::BadParameter, "orgId：不是本机构"))
        }
    }
}

fn unfit(fault: wire::FieldFault) -> Refusal {
    Refusal::new(ResultCode::BadParameter, fault.to_string())
}

fn notify_id(ext_data: Option<&ExtData>) -> Option<String> {
    let id = ext_data?.0.get("notifyId")?.as_str()?;
    (!id.is_empty()).then(|| id.to_owned())
}
