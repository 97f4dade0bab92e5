//! The replay guard (重放攻击拦截器): of N copies of a message exactly one passes.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError};

use banyan_protocol::crypto::sm3::Sm3Digest;

/// Signatures seen of one partner, by the timestamp of their message.
///
/// A signature needs remembering only while its timestamp is still fresh, so slices of time are
/// dropped whole. Memory is bounded: when the guard is full the oldest slice goes early, and
/// messages with timestamps that old are refused from then on rather than let through unchecked.
#[derive(Debug)]
pub struct ReplayGuard {
    freshness_ms: i64,
    capacity: usize,
    seen: Mutex<Seen>,
}

/// Why a message may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// Its timestamp is too far from the server's time; positive where it lies ahead.
    NotFresh {
        /// By how much the caller's clock differs, in milliseconds.
        skew_ms: i64,
    },
    /// So much came with later timestamps that the guard no longer knows about this one.
    TooManySince {
        /// Timestamps from here on are accepted.
        floor_ms: i64,
    },
    /// The same signature came before.
    SeenBefore,
}

#[derive(Debug, Default)]
struct Seen {
    slices: BTreeMap<i64, HashSet<u64, BuildHasherDefault<FirstBytes>>>,
    count: usize,
    /// Timestamps before this are no longer accepted.
    floor_ms: i64,
}

/// Long enough that there are few slices, short enough that dropping one forgets little.
const SLICE_MS: i64 = 5_000;

impl ReplayGuard {
    /// A guard that accepts timestamps within `freshness_ms` both ways and remembers at most
    /// `capacity` signatures.
    #[must_use]
    pub fn new(freshness_ms: i64, capacity: usize) -> Self {
        Self {
            freshness_ms,
            capacity: capacity.max(1),
            seen: Mutex::default(),
        }
    }

    /// Lets a message pass once. Unsigned messages (test environments) are only checked for
    /// freshness.
    ///
    /// # Errors
    /// Where it is not fresh or was seen before.
    pub fn pass(
        &self,
        signature: Option<&Sm3Digest>,
        timestamp_ms: i64,
        now_ms: i64,
    ) -> Result<(), Replay> {
        let skew_ms = timestamp_ms.saturating_sub(now_ms);
        if skew_ms.saturating_abs() > self.freshness_ms {
            return Err(Replay::NotFresh { skew_ms });
        }
        let Some(signature) = signature else {
            return Ok(());
        };
        // 8 bytes of a digest: two messages of a window share them by chance once in millions of
        // years of full load, and then one of them is asked to be sent again.
        let [a, b, c, d, e, f, g, h, ..] = *signature;
        let mark = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if timestamp_ms < seen.floor_ms {
            let floor_ms = seen.floor_ms;
            return Err(Replay::TooManySince { floor_ms });
        }
        seen.forget_before(now_ms - self.freshness_ms);
        if !seen
            .slices
            .entry(timestamp_ms.div_euclid(SLICE_MS))
            .or_default()
            .insert(mark)
        {
            return Err(Replay::SeenBefore);
        }
        seen.count += 1;
        if seen.count > self.capacity {
            seen.drop_oldest();
        }
        Ok(())
    }
}

impl Seen {
    fn forget_before(&mut self, oldest_fresh_ms: i64) {
        while let Some((&slice, _)) = self.slices.first_key_value() {
            if (slice + 1) * SLICE_MS > oldest_fresh_ms {
                break;
            }
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((slice, marks)) = self.slices.pop_first() {
            self.count -= marks.len();
            self.floor_ms = (slice + 1) * SLICE_MS;
        }
    }
}

/// The marks are bytes of a digest already; hashing them again would only cost time.
#[derive(Debug, Default, Clone, Copy)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, mark: u64) {
        self.0 = mark;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn signature(number: u64) -> Sm3Digest {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
        digest
    }

    #[test]
    fn of_many_copies_one_passes() {
        let guard = std::sync::Arc::new(ReplayGuard::new(600_000, 100));
        let threads: Vec<_> = (0..20)
            .map(|_| {
                let guard = guard.clone();
                std::thread::spawn(move || guard.pass(Some(&signature(1)), NOW_MS, NOW_MS).is_ok())
            })
            .collect();
        let passed = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .filter(|passed| *passed)
            .count();
        assert_eq!(passed, 1);
    }

    #[test]
    fn old_and_early_messages_are_refused_with_their_skew() {
        let guard = ReplayGuard::new(600_000, 100);
        for skew_ms in [-86_400_000, -600_001, 600_001, i64::MAX - NOW_MS] {
            assert_eq!(
                guard.pass(Some(&signature(1)), NOW_MS + skew_ms, NOW_MS),
                Err(Replay::NotFresh { skew_ms })
            );
        }
        assert_eq!(
            guard.pass(Some(&signature(1)), NOW_MS - 600_000, NOW_MS),
            Ok(())
        );
        assert_eq!(guard.pass(None, NOW_MS, NOW_MS), Ok(()));
        assert_eq!(guard.pass(None, NOW_MS, NOW_MS), Ok(()));
    }

    #[test]
    fn no_copy_passes_as_long_as_its_timestamp_is_fresh() {
        let guard = ReplayGuard::new(600_000, 1_000_000);
        let ahead_ms = NOW_MS + 600_000;
        assert_eq!(guard.pass(Some(&signature(1)), ahead_ms, NOW_MS), Ok(()));
        for later_ms in (0..=1_200_000).step_by(7_000) {
            assert_eq!(
                guard.pass(Some(&signature(1)), ahead_ms, NOW_MS + later_ms),
                Err(Replay::SeenBefore),
            );
        }
        assert!(matches!(
            guard.pass(Some(&signature(1)), ahead_ms, NOW_MS + 1_200_001),
            Err(Replay::NotFresh { .. })
        ));
    }

    #[test]
    fn a_full_guard_forgets_the_oldest_and_refuses_them() {
        let guard = ReplayGuard::new(600_000, 1_000);
        for number in 0..10_000_u64 {
            let at_ms = NOW_MS + i64::try_from(number).unwrap() * 10;
            assert_eq!(guard.pass(Some(&signature(number)), at_ms, at_ms), Ok(()));
        }
        assert!(guard.seen.lock().unwrap().count <= 1_000);
        let now_ms = NOW_MS + 100_000;
        assert!(matches!(
            guard.pass(Some(&signature(1)), NOW_MS + 10, now_ms),
            Err(Replay::TooManySince { .. })
        ));
        assert_eq!(
            guard.pass(Some(&signature(9_999)), NOW_MS + 99_990, now_ms),
            Err(Replay::SeenBefore)
        );
    }
}
