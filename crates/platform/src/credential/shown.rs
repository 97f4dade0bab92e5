//! Which institution a living code was shown to first: whoever photographs it can't use it
//! elsewhere, and the institution itself may ask again when an answer got lost.
//!
//! It is remembered while the code lives, a minute, in this node's memory and no longer; another
//! node would take the code from another institution within that minute, which is said in
//! `docs/decisions.md`.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use banyan_store::ids::PartnerId;

/// Codes that were shown and still live.
#[derive(Debug)]
pub struct ShownCodes {
    capacity: usize,
    /// By the slice of time in which they end.
    slices: Mutex<BTreeMap<i64, HashMap<u64, PartnerId>>>,
}

/// Whether a code may be used by whoever shows it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// By him first, or by him again.
    Here,
    /// Somebody else had it before.
    Elsewhere,
    /// More are shown than can be remembered.
    TooMany,
}

/// Long enough that there are few slices, short enough that memory is given back soon.
const SLICE_MS: i64 = 10_000;

impl ShownCodes {
    /// Remembers at most this many at once.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            slices: Mutex::default(),
        }
    }

    /// Shows a code.
    pub fn show(&self, id: &[u8; 32], to: PartnerId, expires_ms: i64, now_ms: i64) -> Shown {
        // 8 bytes of a keyed code: two of those that live at once share them by chance once in
        // millions of years of full load, and then one of them is to be drawn anew.
        let [a, b, c, d, e, f, g, h, ..] = *id;
        let mark = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let mut slices = self.slices.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((&slice, _)) = slices.first_key_value() {
            if (slice + 1) * SLICE_MS > now_ms {
                break;
            }
            slices.pop_first();
        }
        let count: usize = slices.values().map(HashMap::len).sum();
        let slice = slices.entry(expires_ms.div_euclid(SLICE_MS)).or_default();
        match slice.entry(mark) {
            Entry::Occupied(first) if *first.get() == to => Shown::Here,
            Entry::Occupied(_) => Shown::Elsewhere,
            Entry::Vacant(_) if count >= self.capacity => Shown::TooMany,
            Entry::Vacant(place) => {
                place.insert(to);
                Shown::Here
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: PartnerId = PartnerId(1);
    const OTHER: PartnerId = PartnerId(2);

    #[test]
    fn the_first_keeps_it_while_it_lives() {
        let shown = ShownCodes::new(2);
        let (a, b, c) = ([1; 32], [2; 32], [3; 32]);
        assert_eq!(shown.show(&a, ONE, 60_000, 1), Shown::Here);
        assert_eq!(shown.show(&a, ONE, 60_000, 2), Shown::Here);
        assert_eq!(shown.show(&a, OTHER, 60_000, 2), Shown::Elsewhere);
        assert_eq!(shown.show(&b, OTHER, 61_000, 2), Shown::Here);
        assert_eq!(shown.show(&c, ONE, 62_000, 2), Shown::TooMany);
        assert_eq!(shown.show(&c, ONE, 130_000, 70_000), Shown::Here);
        assert_eq!(
            shown.slices.lock().unwrap().len(),
            1,
            "the others are forgotten"
        );
    }
}
