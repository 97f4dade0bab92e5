//! The envelopes that business messages travel in. No I/O: bytes in, bytes out.
//!
//! This is the envelope of the access guide, chapter 4.1; that of the 统一对外接口 is in [`fjs`], that of
//! the 医保电子凭证 in [`centre`]. How each of their ambiguities is read stands in `docs/decisions.md`.

mod answering;
pub mod centre;
pub mod fjs;
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

use centre::{Charset, Received};

use crate::crypto::base64;
use crate::crypto::sm3::Sm3Digest;

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

/// What tells a message's signature from any other, whichever envelope it came in, as the journal
/// has it. `None` where the bytes are no message, or one without a signature. Nothing is verified.
#[must_use]
pub fn signature_of(message: &[u8]) -> Option<Sm3Digest> {
    let text = Charset::Utf8
        .decode(message)
        .or_else(|_| Charset::Gb18030.decode(message))
        .ok()?;
    let text = text.trim_start_matches('\u{feff}');
    let envelope = Envelope::parse(text.as_bytes()).ok()?;
    let beside_the_others = envelope
        .get("sign")
        .or_else(|| envelope.get(fjs::member::SIGN));
    let stated = match beside_the_others {
        Some(stated) => stated.to_owned(),
        None => Received::parse(text).ok()?.extra.sign?,
    };
    let bytes = hex::decode(&stated)
        .ok()
        .or_else(|| base64::decode(&stated).ok())?;
    Some(signing::told_apart(&bytes))
}

/// Whether plaintext messages are allowed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// 测试环境: plain and unsigned messages are accepted beside sealed ones.
    Test,
    /// 正式环境: only SM4 and SM3.
    Production,
}
