//! The calling side of a simulated partner.

use std::fmt;
use std::sync::Arc;

use banyan_client::{CallFault, Credentials, HostGuard, HttpClient, call_typed};
use banyan_protocol::ambient::SharedClock;
use banyan_protocol::catalogue::{Interface, Route};
use banyan_protocol::envelope::{AcceptedReplies, Manner};
use banyan_protocol::wire::{FieldFault, Message};
use url::Url;

use crate::Account;

/// Why a simulated partner did not get what it wanted. Neither form shows content of a message.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartnerFault {
    /// The call brought no usable answer.
    #[error(transparent)]
    Call(#[from] CallFault),
    /// What was to be said does not fit its message.
    #[error("{} does not fit the message", .0.path)]
    Unfit(FieldFault),
    /// The ledger has no such item.
    #[error("the ledger has no item {0}")]
    UnknownItem(String),
    /// The platform has not told its number for the item yet, without which it can't be updated.
    #[error("the platform has not told its traceId for {0} yet")]
    NoTraceId(String),
    /// The interface is not called at a path of the platform.
    #[error("{0} is not called at a path of its own")]
    NoPath(&'static str),
}

impl From<FieldFault> for PartnerFault {
    fn from(fault: FieldFault) -> Self {
        Self::Unfit(fault)
    }
}

impl PartnerFault {
    /// Whether the same may succeed later without anybody changing it.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Call(fault) if fault.is_retryable())
    }

    /// One word for the log.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Call(fault) => fault.kind(),
            Self::Unfit(_) => "unfit",
            Self::UnknownItem(_) => "unknown_item",
            Self::NoTraceId(_) => "no_trace_id",
            Self::NoPath(_) => "no_path",
        }
    }
}

impl fmt::Debug for PartnerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartnerFault({}: {self})", self.kind())
    }
}

/// Calls the platform as one partner.
#[derive(Debug)]
pub(crate) struct PlatformCaller {
    http: HttpClient,
    platform: Url,
    credentials: Credentials,
    clock: SharedClock,
}

impl PlatformCaller {
    pub(crate) fn new(
        account: &Account,
        platform: Url,
        clock: SharedClock,
        http: HttpClient,
    ) -> Self {
        Self {
            http,
            platform,
            credentials: Credentials {
                app_id: account.app_id.as_str().into(),
                secret: Arc::new(account.secret.clone()),
                // The platform always seals what it answers to a sealed call.
                accepted: AcceptedReplies {
                    plain_and_bare: false,
                },
                manner: Manner::SEALED,
            },
            clock,
        }
    }

    pub(crate) async fn call<Request: Message, Reply: Message>(
        &self,
        interface: Interface,
        request: &Request,
    ) -> Result<Reply, PartnerFault> {
        let Route::Path(path) = interface.spec().route else {
            return Err(PartnerFault::NoPath(interface.code()));
        };
        let mut url = self.platform.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        let reply = call_typed(
            &self.http,
            &url,
            // Whoever starts a sandbox says where its platform is.
            &HostGuard::Anywhere,
            &self.credentials,
            &*self.clock,
            request,
        );
        Ok(reply.await?)
    }
}
