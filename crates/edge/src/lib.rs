//! The hospital's gateway (前置机): plain JSON in, everything else done, nothing lost when the line
//! is down.
//!
//! ```text
//! HIS ──plain JSON, files──▶ api, files ─▶ outbox ─▶ sending ══sealed══▶ platform
//!                                            ▲                              │
//!                                          doors ◀══ORG_001, ORG_002════════┘
//! ```
//!
//! What enters: what the HIS says of debts ([`rows`]), its questions about patients, and the
//! platform's own calls. What leaves: sealed messages, and answers in plain JSON.
//!
//! Invariants:
//! - What was answered with success is on the disk, synced.
//! - What is to be sent is never a list of its own: it is the difference between what the HIS said
//!   last of a debt and what the last message carried. A message goes out byte for byte the same
//!   until the platform has said what became of it.
//! - Identities are sealed at rest; no log line, status page or error carries one.
//! - A query waits for nobody: while the platform is away, the hospital's own rule answers.

mod api;
mod doors;
mod edge;
pub mod files;
mod health;
mod his;
mod line;
mod outbox;
mod pages;
pub mod rows;
mod sending;
pub mod settings;
mod window;

pub use edge::{Edge, EdgeError, EdgeServer};
