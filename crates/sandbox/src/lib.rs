//! The province's partners, simulated: good enough to develop against, to test with, and to
//! measure with.
//!
//! A [`SimulatedHospital`] keeps a ledger of what its patients owe, reports it to the platform,
//! and answers when the platform asks or tells; [`MztChannel`] is 闽政通 as a caller and
//! [`MztInbox`] 闽政通 as whom citizens are reminded through; [`citizens`]
//! are people whom nobody is. A [`SimulatedTerminal`] has the scanner, camera and keypad that the
//! NationECCode library asks. [`Traffic`] keeps them busy for the `sandbox` command. A [`Fault`]
//! lets a hospital misbehave, a [`LineProxy`] or a [`MessageLine`] the line to it, and a [`CallbackReceiver`] stands
//! in for hundreds of hospitals that only acknowledge. [`SandboxDescription`] tells other
//! programs where all of this is.
//!
//! Invariants:
//! - This crate never looks into the platform: it speaks the wire as any partner does, and keeps
//!   working against another maker's platform.
//! - Everything listens where it is told to; what can choose for itself chooses loopback.
//! - Everything stops: what is started here has a `stop`, and ends at the latest when dropped.
//! - `Debug` and the log show no person and no secret.

mod caller;
pub mod citizens;
mod description;
mod faults;
mod his;
mod hospital;
mod http_server;
mod insurer;
mod line_proxy;
mod message_line;
mod mzt;
mod mzt_inbox;
mod receiver;
mod terminal;
#[cfg(test)]
mod testing;
mod traffic;

pub use banyan_protocol::envelope::{Account, BadAccount};
pub use caller::PartnerFault;
pub use citizens::{Citizen, CitizenSeed};
pub use description::{
    ConsoleAccess, DescriptionError, HospitalAccess, InsurerAccess, MztAccess, SandboxDescription,
    TerminalAccess, random_secret, write_whole,
};
pub use faults::Fault;
pub use his::SimulatedHis;
pub use hospital::{
    Debt, HospitalSetup, LedgerEntry, LedgerError, Received, SimulatedHospital, StartError,
};
pub use insurer::{Migrated, SimulatedInsurer};
pub use line_proxy::{LineMode, LineProxy};
pub use message_line::{LineCounts, LinePlan, MessageLine};
pub use mzt::{MztChannel, MztSetup};
pub use mzt_inbox::{Arrived, MztInbox};
pub use receiver::{CallbackReceiver, Told};
pub use terminal::{NextCode, SimulatedTerminal, TerminalSetup};
pub use traffic::{Pace, Traffic, TrafficSummary};
