//! Records of Banyan, on SQLite and PostgreSQL.
//!
//! SQL lives here and nowhere else. [`db`] is the thin layer that one SQL text runs through on
//! either engine; the other modules are the records: who the partners are, what the rooms keep,
//! the journal and its hash chain, and the queue of work to be done later. This crate knows typed
//! ids and plain values, not wire messages. What must not be read by whoever holds the database
//! alone goes through the [`vault`].

pub mod chain;
pub mod credential;
pub mod db;
pub mod health_card;
pub mod ids;
pub mod imports;
pub mod journal;
pub mod overdue;
pub mod partners;
pub mod private_file;
pub mod queue;
pub mod schedule;
pub mod spool;
pub mod supplement;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod vault;
