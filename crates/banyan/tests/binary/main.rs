//! The binary itself, as people and machines meet it: started, called, killed, started again.
//!
//! Every test runs the real `banyan` in a folder of its own, on ports that the system chose, and
//! ends it by its id however the test ends. Nothing here reaches into the process: what is
//! checked came over HTTP, out of a command, or lies in the database afterwards.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "these are tests and their scaffold: they fail by panicking, and say why"
)]

mod appeals;
mod commands;
mod conformance;
mod crash;
mod disk;
mod disk_full;
mod doctor;
mod edge;
mod examples;
mod foreign;
mod insurers;
mod listener;
mod load;
mod nodes;
mod partner;
mod persons;
mod place;
mod process;
mod sandbox;
mod settings;
mod stopping;
mod supplement;
mod tls;

use std::time::{Duration, Instant};

/// Longer than anything here takes on a slow machine under load.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks again and again until there is an answer.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// Some number below `bound`, another one in every run.
fn random_below(bound: u64) -> u64 {
    let mut bytes = [0; 8];
    banyan_protocol::ambient::Randomness::fill(
        &banyan_protocol::ambient::SystemRandomness,
        &mut bytes,
    );
    u64::from_le_bytes(bytes) % bound
}
