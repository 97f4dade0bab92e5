//! The hospital's gateway (前置机).

pub mod rows;
