//! What is said on the wire, and nothing that touches a wire.
//!
//! This crate knows the interfaces of the three specifications ([`catalogue`]), their messages
//! (a folder for each room, a file for each interface code), the dictionaries, the result codes,
//! and the envelopes that messages travel in. It does no I/O and starts no tasks; time and
//! randomness come in through [`ambient`].

pub mod ambient;
pub mod catalogue;
pub mod credential;
pub mod crypto;
pub mod dictionaries;
pub mod envelope;
pub mod health_card;
pub mod overdue;
pub mod result_code;
pub mod supplement;
pub mod wire;
