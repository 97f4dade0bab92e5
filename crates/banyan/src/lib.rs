//! The province in one process: what `banyan sandbox` starts, and what stories are told on.

pub mod province;
