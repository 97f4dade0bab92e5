//! 签名医生: finds out how a message that does not open was made, and says what its maker has to
//! change.
//!
//! What enters: a captured request or reply, raw HTTP or the body alone, and the secret. What
//! leaves: a [`Diagnosis`]: which reading of the guide makes sense of it, each difference from the
//! guide's own reading with what to change, and the first byte at which the signed strings part.
//!
//! ```text
//! captured ─▶ envelope (what is there) ─▶ opening (SM4) ─▶ search (SM3) ─▶ diagnosis ─▶ render
//! ```
//!
//! Invariants:
//! - No I/O, no clock, no log. Nothing that is given out holds the secret; what a message says of
//!   a person is masked unless it was asked for.
//! - What is found has the fewest deviations there are, in a fixed order, so that the same message
//!   gets the same answer; and the search is bounded, whatever was captured.
//! - A message that is [`Verdict::Correct`] is one that the platform opens.

mod captured;
mod code;
mod deviation;
mod diagnosis;
mod envelope;
mod json;
mod mask;
mod opening;
mod recipe;
mod render;
mod search;
mod stated;
#[cfg(test)]
mod tests;
mod text;

pub use code::Language;
pub use diagnosis::{Diagnosis, Difference, Line, Place, Question, Verdict, examine};
pub use render::{headline, render};
