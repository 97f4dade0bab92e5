//! The provincial platform.
//!
//! A message comes in through [`inbound`] (limits, envelope, replay guard, grant and rate), is
//! answered by its room (`overdue`, ...), and leaves sealed. What can wait is left as a job in the
//! same transaction as the state it belongs to, and done by [`work`]. [`web`] is the only place
//! that knows HTTP servers; rooms know typed messages and the store, nothing else, and never one
//! another.

pub mod admin;
pub mod app;
pub mod credential;
pub mod directory;
pub mod docs;
pub mod h5;
pub mod health_card;
pub mod importing;
pub mod inbound;
pub mod journal;
pub mod living_code;
pub mod masking;
pub mod metrics;
pub mod overdue;
pub mod refusal;
pub mod resident_number;
pub mod settings;
pub mod supplement;
pub mod token;
pub mod web;
pub mod work;
