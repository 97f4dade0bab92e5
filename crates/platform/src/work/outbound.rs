//! Calling a hospital: sealed, guarded, measured, journaled.

use std::time::Instant;

use banyan_client::{CallFault, call_typed};
use banyan_protocol::catalogue::Interface;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::Message;
use banyan_store::db::StoreError;
use banyan_store::journal::{Direction, Entry};
use banyan_store::vault::PersonCode;
use url::Url;

use crate::app::App;
use crate::directory::Partner;

/// What the journal is told of a call beside its outcome.
#[derive(Default)]
pub(super) struct About {
    pub(super) person: Option<PersonCode>,
    pub(super) purpose: Option<String>,
    pub(super) subject: Option<String>,
}

/// Calls a hospital. The answer, or why there is none.
///
/// # Errors
/// A [`CallFault`].
pub(super) async fn call<Request: Message, Reply: Message>(
    app: &App,
    partner: &Partner,
    interface: Interface,
    url: &Url,
    request: &Request,
) -> Result<Reply, CallFault> {
    let began = Instant::now();
    let done = match partner.credentials(app.now_ms()) {
        Some(credentials) => {
            let clock = &*app.world.clock;
            call_typed(
                &app.http,
                url,
                &partner.guard(),
                &credentials,
                clock,
                request,
            )
            .await
        }
        None => Err(CallFault::NoSecret),
    };
    let outcome = match &done {
        Ok(_) => "ok",
        Err(fault) => fault.kind(),
    };
    app.meters
        .outbound(interface, &partner.app_id, outcome, began.elapsed());
    done
}

/// What the journal keeps as the outcome of a call that failed: the partner's code where it refused,
/// else the kind of fault. A code that no specification has stays out, for it could be any text.
pub(super) fn result_of(fault: &CallFault) -> &'static str {
    match fault {
        CallFault::Refused { code, .. } => {
            ResultCode::from_code(code).map_or(fault.kind(), ResultCode::code)
        }
        other => other.kind(),
    }
}

/// The journal's entry of a call that was made, or would have been.
///
/// # Errors
/// Where no id can be had.
pub(super) async fn entry(
    app: &App,
    partner: &Partner,
    interface: Interface,
    result: &str,
    about: About,
) -> Result<Entry, StoreError> {
    Ok(Entry {
        id: app.ids.next().await?,
        at_ms: app.now_ms(),
        partner: partner.id,
        interface: interface.code().into(),
        direction: Direction::Sent,
        result: result.to_owned().into(),
        person: about.person,
        purpose: about.purpose,
        subject: about.subject,
        digest: None,
    })
}
