//! Time and randomness, handed in as arguments.
//!
//! Nothing of Banyan reads the machine's clock or its random source except through these two
//! traits, so that a test moves time by hand and repeats every random choice from a seed.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A second, in the clock's milliseconds.
pub const SECOND_MS: i64 = 1_000;
/// A minute.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// An hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// A day of 24 hours.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// Where the time comes from: milliseconds since the Unix epoch.
pub trait Clock: Debug + Send + Sync {
    /// The present moment in milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;
}

/// Where unpredictable bytes come from.
pub trait Randomness: Debug + Send + Sync {
    /// Fills the buffer with unpredictable bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// An array of unpredictable bytes.
    fn array<const N: usize>(&self) -> [u8; N]
    where
        Self: Sized,
    {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// A clock as it is passed around.
pub type SharedClock = Arc<dyn Clock>;
/// A random source as it is passed around.
pub type SharedRandomness = Arc<dyn Randomness>;

/// Time and randomness together, as they are handed to a whole program.
#[derive(Debug, Clone)]
pub struct World {
    /// What time it is.
    pub clock: SharedClock,
    /// Where unpredictable bytes come from.
    pub random: SharedRandomness,
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now_ms(&self) -> i64 {
        // A clock before 1970 is a broken clock: 0 makes every freshness check say so.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            })
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `now_ms`.
    #[must_use]
    pub fn at(now_ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now_ms)))
    }

    /// Moves the clock by so many milliseconds, back where negative.
    pub fn advance_ms(&self, by_ms: i64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    #[expect(
        clippy::disallowed_methods,
        clippy::expect_used,
        reason = "the one place that asks the system; without its random source nothing here is safe to do, so to stop is right"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// Repeatable bytes from a seed, for tests and for synthetic data. Never for secrets.
#[derive(Debug, Clone, Default)]
pub struct SeededRandomness(Arc<AtomicI64>);

impl SeededRandomness {
    /// The sequence that belongs to this seed.
    #[must_use]
    pub fn new(seed: i64) -> Self {
        Self(Arc::new(AtomicI64::new(seed)))
    }

    /// The next number of the sequence (SplitMix64).
    #[must_use]
    pub fn next_u64(&self) -> u64 {
        const STEP: i64 = 0x9E37_79B9_7F4A_7C15_u64.cast_signed();
        let mut z = self
            .0
            .fetch_add(STEP, Ordering::SeqCst)
            .wrapping_add(STEP)
            .cast_unsigned();
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 where the bound is 0.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            0
        } else {
            self.next_u64() % bound
        }
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(word) {
                *to = from;
            }
        }
    }
}
