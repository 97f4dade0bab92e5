//! From an interface to its handler: an exhaustive `match`, so that an interface without a handler
//! does not compile.

use std::future::ready;

use banyan_protocol::catalogue::Interface;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{self, Message};
use futures_util::future::BoxFuture;

use super::call::Call;
use crate::credential;
use crate::health_card;
use crate::overdue;
use crate::refusal::Refusal;
use crate::supplement;

/// A room's work in a box: a macro, for each has a type of its own.
macro_rules! room {
    ($told:ident($work:expr)) => {
        Box::pin(async move { $told($work.await) })
    };
}

/// Has the room answer; gives the business JSON of the reply.
///
/// Each room's work has a place of its own on the heap: in one future together they would be as large
/// as the largest, and every call is moved about a few times before it runs.
pub(super) fn dispatch<'a>(
    call: &'a Call<'_>,
    json: &'a str,
) -> BoxFuture<'a, Result<String, Refusal>> {
    match call.interface {
        Interface::OrgMdl001 => room!(written(overdue::org_mdl_001::handle(call, read(json)?))),
        Interface::OrgMdl002 => room!(written(overdue::org_mdl_002::handle(call, read(json)?))),
        Interface::OrgMdl003 => room!(written(overdue::org_mdl_003::handle(call, read(json)?))),
        Interface::OrgMdl004 => room!(written(overdue::org_mdl_004::handle(call, read(json)?))),
        Interface::OrgMdl005 => room!(written(overdue::org_mdl_005::handle(call, read(json)?))),
        // Hospitals answer these; nobody calls them here.
        Interface::Org001 | Interface::Org002 => {
            let code = ResultCode::UnknownPath;
            Box::pin(ready(Err(Refusal::caller(code, code.label()))))
        }
        Interface::OrgEhc001 => room!(written(health_card::org_ehc_001::handle(call, read(json)?))),
        Interface::OrgEhc002 => room!(written(health_card::org_ehc_002::handle(call, read(json)?))),
        Interface::OrgEhc003 => room!(written(health_card::org_ehc_003::handle(call, read(json)?))),
        Interface::OrgEhc004 => room!(written(health_card::org_ehc_004::handle(call, read(json)?))),
        Interface::Ci00030001 => room!(written(supplement::ci00_03_00_01::handle(
            call,
            read(json)?
        ))),
        Interface::Ci00030003 => room!(taken(supplement::ci00_03_00_03::handle(call, read(json)?))),
        Interface::Ci00020007 => room!(taken(supplement::ci00_02_00_07::handle(call, read(json)?))),
        // Which of two messages it is, its topic says.
        Interface::Xy00000003 => room!(taken(supplement::xy00_00_00_03::handle(call, json))),
        Interface::EcQuery => room!(written(credential::ec_query::handle(
            call,
            credential::read(json)?
        ))),
        Interface::QrcodeGet => room!(written(credential::cn_nhsa_qrcode_get::handle(
            call,
            credential::read(json)?
        ))),
        Interface::AuthCheck => room!(written(credential::cn_nhsa_auth_check::handle(
            call,
            credential::read(json)?
        ))),
        Interface::EcPwd => room!(written(credential::cn_nhsa_ec_pwd::handle(
            call,
            credential::read(json)?
        ))),
    }
}

fn read<M: Message>(json: &str) -> Result<M, Refusal> {
    Ok(wire::read(json)?)
}

fn written<M: Message>(reply: Result<M, Refusal>) -> Result<String, Refusal> {
    reply.map(|message| wire::write(&message))
}

/// A reply whose table lists no members.
fn taken(reply: Result<(), Refusal>) -> Result<String, Refusal> {
    reply.map(|()| "{}".to_owned())
}
