//! Sealed calls over HTTP(S), for everything of Banyan that calls somebody: the platform that
//! calls hospitals, the simulated hospitals, the command line.
//!
//! What enters: the business JSON of an interface, the address to call, our credentials, and a
//! [`HostGuard`] that says which hosts may be called. What leaves: the partner's answer, opened
//! and verified, or a [`CallFault`] that says who erred and whether to try again.
//!
//! ```text
//! call ─▶ seal ─▶ HttpClient::post ─▶ guard: host listed? ─▶ resolve ─▶ guard: every address? ─▶ send ─▶ open
//! ```
//!
//! Invariants:
//! - A connection goes to an address that this very call's guard has permitted. There is no second
//!   resolution after the check, and connections are pooled by host *and* address, so a warm
//!   connection serves a call only where a cold one would have been allowed.
//! - No redirect is followed, no proxy is asked, no reply outgrows its limit, no call outlasts its
//!   timeout.
//! - A request that may have reached the other side is never sent again by this crate itself;
//!   [`call_with_retry`] does so only where its caller asks for it.
//! - No fault shows the content of a message, a person's data or a secret, in `Display` or `Debug`.

mod address;
mod allowed_hosts;
pub mod blocking;
mod call;
mod centre;
mod connect;
mod fault;
mod http;
mod resolve;
mod retry;
#[cfg(test)]
mod tests;

pub use address::SpecialAddress;
pub use allowed_hosts::{AllowedHosts, BadHostEntry, HostGuard, HostRefused};
pub use call::{Credentials, call, call_typed, open_answer};
pub use centre::{CentreCaller, call_centre};
pub use fault::{Blame, CallFault, ConnectFault};
pub use http::{ClientSetupError, HttpClient, HttpReply, HttpSettings, Oddity};
pub use retry::{Retry, RetryPolicy, call_typed_with_retry, call_with_retry};
