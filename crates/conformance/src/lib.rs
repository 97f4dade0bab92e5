//! 一致性测试: drives a partner's own implementation through good, bad, repeated and hostile
//! cases, and says what failed, why it matters, where the guide says so, and how to mend it.
//!
//! What enters: where the other side is, and the credentials that the two share. What leaves: a
//! [`Report`], which can be read at a terminal ([`terminal`]), by a tool (it serializes), or in a
//! browser ([`html`]).
//!
//! [`hospital`] acts as the platform towards a hospital's ORG_001 and ORG_002; [`platform`] acts as
//! a hospital towards a platform's ORG_MDL and ORG_EHC interfaces.
//!
//! Invariants:
//! - Every case has a stable id; a case that can't be judged is skipped with its reason, never
//!   passed.
//! - Nobody real is ever named: persons are synthetic, unless the caller gives one of his own test
//!   environment.
//! - Nothing here shows the secret.

mod ground;
mod heard;
mod hospital;
mod platform;
mod report;
mod run;
#[cfg(test)]
mod tests;

pub use ground::{BadTarget, Target};
pub use hospital::hospital;
pub use platform::{Person, PlatformOptions, platform};
pub use report::{CaseResult, Outcome, Report, Side, html, terminal};
