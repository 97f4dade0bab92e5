//! A simulated hospital: its ledger of debts, its server, and its calls.
//!
//! What enters: debts of citizens or of patients without a name ([`SimulatedHospital::owe`]),
//! the platform's question how one of them stands (ORG_001), and its notices of what became of a
//! batch (ORG_002).
//!
//! What is kept: a ledger that says of each debt how it stands here and what the platform has
//! confirmed, in memory and, if wished, in a JSON Lines file, so that a hospital that was
//! restarted still answers for what it reported; the notices, each once with its count; the
//! messages that the line swallowed, until [`SimulatedHospital::resend`].
//!
//! What leaves: reports (ORG_MDL_001), updates when a patient paid, when a debt was a mistake or
//! got a name (ORG_MDL_003), queries (ORG_MDL_002), entry links (ORG_MDL_004), and questions
//! about batches (ORG_MDL_005). Batches are named so that no start ever uses a name again.
//!
//! A real hospital's truth is its own ledger: `pay_locally` and `revoke_locally` change it and
//! tell nobody, which is what ORG_001 is for; `pay` and `revoke` tell the platform too.

mod answering;
mod calling;
mod ledger;
mod ledger_file;
mod received;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use banyan_client::HttpClient;
use banyan_protocol::ambient::SharedClock;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::ItemState;
use banyan_protocol::overdue::{OrgId, OrgName};
use banyan_protocol::wire::{FieldFault, WebAddress};
use url::Url;

pub use self::ledger::{Debt, LedgerEntry};
pub use self::ledger_file::LedgerError;
pub use self::received::Received;

use self::answering::Desk;
use self::calling::Outgoing;
use self::ledger::Ledger;
use self::received::ReceivedLog;
use crate::caller::PlatformCaller;
use crate::citizens::scalar;
use crate::faults::{Fault, FaultSwitch};
use crate::http_server::HttpServer;
use crate::{Account, BadAccount, Citizen, PartnerFault};

/// What a hospital is registered as, and where it is. `Debug` does not show the secret.
#[derive(Clone)]
pub struct HospitalSetup {
    /// 机构 id.
    pub org_id: String,
    /// 机构名称.
    pub org_name: String,
    /// 应用 ID.
    pub app_id: String,
    /// 密钥.
    pub secret: String,
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the platform is.
    pub platform_url: Url,
    /// Where the ledger is kept beside the memory.
    pub ledger_file: Option<PathBuf>,
}

/// Why a hospital does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It can't listen there.
    #[error("the hospital can't listen at {listen}: {source}")]
    Listen {
        /// Where.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Its name, its id or its own address does not fit the messages.
    #[error("the hospital can't be named in messages: {0}")]
    Unfit(#[from] FieldFault),
    /// Its secret is none.
    #[error(transparent)]
    Account(#[from] BadAccount),
    /// Its ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A hospital at work, until it is stopped or dropped.
pub struct SimulatedHospital {
    org_id: OrgId,
    org_name: OrgName,
    callback: WebAddress,
    settlement: Url,
    desk: Arc<Desk>,
    server: HttpServer,
    caller: PlatformCaller,
    unsent: Mutex<VecDeque<Outgoing>>,
}

impl SimulatedHospital {
    /// Opens its ledger and listens.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(
        setup: HospitalSetup,
        clock: SharedClock,
        http: HttpClient,
    ) -> Result<Self, StartError> {
        let account = Account::new(&setup.app_id, &setup.secret)?;
        let ledger = Ledger::open(setup.ledger_file.as_deref(), clock.now_ms())?;
        let platform = setup.platform_url;
        let caller = PlatformCaller::new(&account, platform, Arc::clone(&clock), http);
        let org_id: OrgId = scalar("orgId", &setup.org_id)?;
        let desk = Arc::new(Desk {
            org_id: org_id.clone(),
            account,
            clock,
            ledger: Mutex::new(ledger),
            received: ReceivedLog::new(),
            faults: FaultSwitch::new(),
        });
        let listen = setup.listen;
        let unheard = |source| StartError::Listen { listen, source };
        let server = HttpServer::start(listen, Arc::clone(&desk))
            .await
            .map_err(unheard)?;
        let at = |interface: Interface| server.url(interface.path().unwrap_or_default());
        let no_url = |error| unheard(io::Error::other(error));
        let callback = at(Interface::Org002).map_err(no_url)?;
        Ok(Self {
            org_name: scalar("orgName", &setup.org_name)?,
            org_id,
            callback: scalar("notifyUrl", callback.as_str())?,
            settlement: at(Interface::Org001).map_err(no_url)?,
            desk,
            server,
            caller,
            unsent: Mutex::default(),
        })
    }

    /// Lets the answers under way end, then closes; calls that it makes itself still work.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// 机构 id.
    #[must_use]
    pub fn org_id(&self) -> &str {
        self.org_id.as_str()
    }

    /// 应用 ID.
    #[must_use]
    pub fn app_id(&self) -> &str {
        &self.desk.account.app_id
    }

    /// Where it answers ORG_002.
    #[must_use]
    pub const fn callback_url(&self) -> &Url {
        self.callback.url()
    }

    /// Where it answers ORG_001.
    #[must_use]
    pub const fn settlement_url(&self) -> &Url {
        &self.settlement
    }

    /// Lets its server misbehave from now on, or behave again with [`Fault::None`].
    pub fn set_fault(&self, fault: Fault) {
        self.desk.faults.set(fault);
    }

    /// How often the present fault was played.
    #[must_use]
    pub fn faults_played(&self) -> u64 {
        self.desk.faults.played()
    }

    /// Waits until the present fault was played so often; `false` where it was not in time.
    pub async fn wait_for_faults(&self, count: u64, timeout: Duration) -> bool {
        self.desk.faults.wait_for_played(count, timeout).await
    }

    /// What the platform has told by ORG_002, oldest first; the last few thousand.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.desk.received.all()
    }

    /// Waits until what was received is as wanted; `false` where it is not in time. The ledger
    /// has changed by then.
    pub async fn wait_for(
        &self,
        wanted: impl FnMut(&[Received]) -> bool,
        timeout: Duration,
    ) -> bool {
        self.desk.received.wait_for(wanted, timeout).await
    }

    /// Writes down a debt; gives its 机构跟踪号.
    #[must_use]
    pub fn owe(&self, citizen: Option<&Citizen>, debt: Debt) -> String {
        self.ledger().owe(citizen.cloned(), debt)
    }

    /// The entry as it stands.
    #[must_use]
    pub fn entry(&self, org_trace_id: &str) -> Option<LedgerEntry> {
        self.ledger().get(org_trace_id).ok().cloned()
    }

    /// The 机构跟踪号 of every entry of this kind, oldest first.
    #[must_use]
    pub fn entries_where(&self, wanted: impl Fn(&LedgerEntry) -> bool) -> Vec<String> {
        let ledger = self.ledger();
        let entries = ledger.entries().iter().filter(|entry| wanted(entry));
        entries.map(|entry| entry.org_trace_id.clone()).collect()
    }

    /// The patient pays, and nobody is told.
    ///
    /// # Errors
    /// Where the ledger has no such item.
    pub fn pay_locally(&self, org_trace_id: &str) -> Result<(), PartnerFault> {
        self.set_local_state(org_trace_id, ItemState::Paid)
    }

    /// The debt turns out to be a mistake, and nobody is told.
    ///
    /// # Errors
    /// Where the ledger has no such item.
    pub fn revoke_locally(&self, org_trace_id: &str) -> Result<(), PartnerFault> {
        self.set_local_state(org_trace_id, ItemState::Revoked)
    }

    /// A revoked debt is one after all, to be reported anew.
    ///
    /// # Errors
    /// Where the ledger has no such item.
    pub fn reopen_locally(&self, org_trace_id: &str) -> Result<(), PartnerFault> {
        self.set_local_state(org_trace_id, ItemState::Unpaid)
    }

    fn set_local_state(&self, org_trace_id: &str, state: ItemState) -> Result<(), PartnerFault> {
        self.ledger()
            .change(org_trace_id, |entry| entry.local_state = state)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.desk.ledger()
    }

    fn unsent(&self) -> MutexGuard<'_, VecDeque<Outgoing>> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SimulatedHospital {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedHospital")
            .field("org_id", &self.org_id)
            .field("callback", &self.callback.url().as_str())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HospitalSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HospitalSetup")
            .field("org_id", &self.org_id)
            .field("app_id", &self.app_id)
            .field("listen", &self.listen)
            .field("platform_url", &self.platform_url.as_str())
            .finish_non_exhaustive()
    }
}
