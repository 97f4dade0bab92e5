//! The envelopes that business messages travel in. No I/O: bytes in, bytes out.
//!
//! This is the envelope of the access guide, chapter 4.1; that of the 统一对外接口 is in [`fjs`], that of the
//! credential centre in [`hsecfc`]. How each of their ambiguities is read stands in
//! `docs/decisions.md`.

mod answering;
pub mod fjs;
pub mod hsecfc;
mod open;
mod reply;
mod seal;
mod secret;
mod signing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
mod wire_form;

pub use answering::{Account, BadAccount, OpenedCall, Refusal, open_call};
pub use open::{EnvelopeFault, Opened};
pub use reply::{AcceptedReplies, Answer, ReplyFault, open_reply, signed_time_ms};
pub use seal::{Outcome, Sealing};
pub use secret::{Secret, SecretTooShort};
pub use signing::{Dialect, Empties, Manner, PlainMember, Protection, SignedAs};
pub use wire_form::Envelope;

/// The value of `X-Api-Sign-Version` (access guide 4.1.4.1, step 7).
pub const SIGN_VERSION: &str = "2.0.0";
/// The name of the header that carries [`SIGN_VERSION`].
pub const SIGN_VERSION_HEADER: &str = "x-api-sign-version";
/// 接口版本: what we write into `version` when we call.
pub const INTERFACE_VERSION: &str = "1.0.0";
/// The `Content-Type` of every message.
pub const CONTENT_TYPE: &str = "application/json; charset=utf-8";

/// Whether plaintext messages are allowed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// 测试环境: plain and unsigned messages are accepted beside sealed ones.
    Test,
    /// 正式环境: only SM4 and SM3.
    Production,
}
