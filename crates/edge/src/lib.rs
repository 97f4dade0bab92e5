//! The hospital's gateway (前置机).

pub mod files;
pub mod rows;
