//! NationECCode, the dynamic library of the credential standard (国家医保电子凭证业务标准动态库交互规范):
//! what HIS and kiosk programs load to turn a code, a face or a password into an insured person.
//!
//! What enters: an address, a JSON text in the caller's charset, a buffer without a length. What
//! leaves: the centre's reply in that buffer and the text `0000`, or a reason in both.
//!
//! ```text
//! NationEcTrans ─▶ edge ─▶ message ─▶ device ─▶ http ─▶ reply ─▶ output ─▶ edge ─▶ OutData, "0000"
//!   raw pointers   │       JSON       code,     sealed    verified    bounded
//!                  └ state: settings, read anew when their file changes; one HTTP agent for them
//! ```
//!
//! Invariants:
//! - Raw pointers live in [`edge`] and `place` alone; everything else is safe code over slices.
//! - Not a byte of `InData` is read past the end of its JSON object, not a byte of `OutData` written
//!   past the configured size, and what is written there ends in NUL, whatever happens.
//! - Nothing unwinds into the caller.
//! - When a call returns, no thread of ours is left, so the library can be unloaded at any time.
//! - Neither log nor texts name a person, a code, a token or a secret.
//!
//! How to use it stands in `docs/nation-ec-code.zh-CN.md`.

// The standard's name of the library.
#![allow(non_snake_case)]

pub mod call;
pub mod charset;
mod device;
pub mod edge;
pub mod fault;
mod http;
mod log;
mod message;
pub mod output;
mod place;
pub mod scan;
pub mod settings;
pub mod state;
mod texts;

pub use edge::NationEcTrans;
