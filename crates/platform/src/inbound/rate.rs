//! How many calls a partner may make.

/// A token bucket: so many calls a second, and as many saved up while it was quiet.
#[derive(Debug)]
pub struct TokenBucket {
    per_second: u32,
    /// In thousandths of a call, so that whole milliseconds add whole numbers.
    saved: i64,
    filled_ms: i64,
}

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub const fn new(per_second: u32) -> Self {
        Self {
            per_second,
            saved: per_second as i64 * 1000,
            filled_ms: 0,
        }
    }

    /// Changes the rate; what was saved stays within the new bound.
    pub fn set_rate(&mut self, per_second: u32) {
        self.per_second = per_second;
        self.saved = self.saved.min(self.capacity());
    }

    /// Takes one call, if there is one.
    pub fn take(&mut self, now_ms: i64) -> bool {
        let enough = self.has_some(now_ms);
        if enough {
            self.saved -= 1000;
        }
        enough
    }

    /// Whether there is a call to take.
    pub fn has_some(&mut self, now_ms: i64) -> bool {
        // A clock that goes back adds nothing.
        let passed_ms = (now_ms - self.filled_ms).clamp(0, 1000);
        self.saved = (self.saved + passed_ms * i64::from(self.per_second)).min(self.capacity());
        self.filled_ms = now_ms;
        self.saved >= 1000
    }

    fn capacity(&self) -> i64 {
        i64::from(self.per_second) * 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_gives_as_many_calls_as_the_rate() {
        let mut bucket = TokenBucket::new(3);
        let taken =
            |bucket: &mut TokenBucket, now_ms| (0..10).filter(|_| bucket.take(now_ms)).count();
        assert_eq!(taken(&mut bucket, 1_000), 3);
        assert_eq!(taken(&mut bucket, 1_333), 0);
        assert_eq!(taken(&mut bucket, 1_334), 1);
        assert_eq!(
            taken(&mut bucket, 9_000),
            3,
            "no more is saved than a second's"
        );
        assert_eq!(
            taken(&mut bucket, 500),
            0,
            "a clock that goes back gives nothing"
        );
        bucket.set_rate(0);
        assert_eq!(taken(&mut bucket, 99_000), 0);
    }
}
