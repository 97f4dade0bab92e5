//! Batches that were taken in a moment ago.
//!
//! A batch is nearly always judged by the node that took it in, moments later. To read its content
//! back, open it and read the message once more would cost a tenth of all that it costs; so the
//! message stays at hand until it is judged. The content that is kept is the one that counts: what
//! is not at hand (another node's batches, those of before a restart, those for which there was no
//! room) is read from there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use banyan_store::ids::BatchId;
use banyan_store::overdue::batches::Batch;

use super::message::Message;

/// How much is held at the most, measured by the messages' text: some five hundred full batches.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// What a message costs besides its text.
const EACH_BYTES: usize = 1024;
/// What is not judged by then, another node judged, or nobody can for now.
const KEPT_MS: i64 = 60_000;

/// The batches at hand.
#[derive(Debug, Default)]
pub struct Fresh(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// In the order in which they came, as ids are given.
    batches: BTreeMap<BatchId, Place>,
    bytes: usize,
}

#[derive(Debug)]
struct Place {
    taken: Arc<TakenIn>,
    bytes: usize,
    since_ms: i64,
}

/// A batch with its message.
#[derive(Debug)]
pub(super) struct TakenIn {
    pub(super) batch: Batch,
    pub(super) message: Message,
}

impl Fresh {
    /// Holds a batch whose text is this long, if there is room: what waits longest is judged next,
    /// so nothing makes room for a newer one unless it has been held for too long.
    pub(super) fn hold(&self, taken: TakenIn, text_bytes: usize, now_ms: i64) {
        let bytes = text_bytes + EACH_BYTES;
        let mut held = self.lock();
        while let Some(oldest) = held.batches.first_entry()
            && oldest.get().is_old(now_ms)
        {
            let gone = oldest.remove();
            held.bytes -= gone.bytes;
        }
        if held.bytes + bytes > MOST_BYTES {
            return;
        }
        held.bytes += bytes;
        let place = Place {
            bytes,
            since_ms: now_ms,
            taken: Arc::new(taken),
        };
        held.batches.insert(place.taken.batch.id, place);
    }

    /// A batch, if it is at hand and was not taken in too long ago.
    pub(super) fn get(&self, id: BatchId, now_ms: i64) -> Option<Arc<TakenIn>> {
        let held = self.lock();
        let place = held.batches.get(&id)?;
        (!place.is_old(now_ms)).then(|| Arc::clone(&place.taken))
    }

    /// They were judged, or never kept.
    pub(super) fn let_go(&self, ids: impl IntoIterator<Item = BatchId>) {
        let mut held = self.lock();
        for id in ids {
            if let Some(place) = held.batches.remove(&id) {
                held.bytes -= place.bytes;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Every change is whole before anything could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    const fn is_old(&self, now_ms: i64) -> bool {
        self.since_ms + KEPT_MS <= now_ms
    }
}

#[cfg(test)]
mod tests {
    use banyan_protocol::wire;
    use banyan_store::ids::PartnerId;
    use banyan_store::overdue::batches::BatchKind;

    use super::*;

    fn batch(id: i64) -> TakenIn {
        let message =
            r#"{"orgId":"H1","orgName":"一院","notifyUrl":"http://127.0.0.1/","orgRequestId":"b"}"#;
        TakenIn {
            batch: Batch {
                id: BatchId(id),
                partner: PartnerId(1),
                org_request_id: "b".to_owned(),
                kind: BatchKind::Report,
                notify_url: String::new(),
                outcome: None,
            },
            message: Message::Report(wire::read(message).unwrap()),
        }
    }

    fn at_hand(fresh: &Fresh, now_ms: i64) -> Vec<i64> {
        let is_there = |id: &i64| fresh.get(BatchId(*id), now_ms).is_some();
        (1..10).filter(is_there).collect()
    }

    #[test]
    fn what_waits_longest_keeps_its_place_until_it_is_judged_or_old() {
        let fresh = Fresh::default();
        let third = MOST_BYTES / 3 - EACH_BYTES;
        for id in 1..=4 {
            fresh.hold(batch(id), third, id);
        }
        assert_eq!(at_hand(&fresh, 4), [1, 2, 3], "the fourth found no room");
        fresh.let_go([BatchId(2), BatchId(7)]);
        fresh.hold(batch(5), third, 5);
        assert_eq!(at_hand(&fresh, 5), [1, 3, 5]);
        assert_eq!(at_hand(&fresh, 1 + KEPT_MS), [3, 5], "the first is too old");
        fresh.hold(batch(6), third, 1 + KEPT_MS);
        assert_eq!(at_hand(&fresh, 1 + KEPT_MS), [3, 5, 6], "and makes room");
        fresh.hold(batch(6), third, 2 + KEPT_MS);
        fresh.let_go((1..10).map(BatchId));
        assert_eq!(fresh.lock().bytes, 0);
    }
}
