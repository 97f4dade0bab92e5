//! What a hospital was told by ORG_002, each notification once and with its count.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use banyan_protocol::overdue::org_002::NotifyRequest;
use tokio::sync::watch;
use tokio::time::Instant;

/// One notification, however often it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `extData.notifyId`; the SM3 of the content where the platform gave none.
    pub notify_id: String,
    /// What it said, at its first coming.
    pub request: NotifyRequest,
    /// How often it came.
    pub count: u32,
    /// How often it changed the ledger: never more than once.
    pub effects: u32,
    /// How often it came with another content than at first: a repetition tells how the records
    /// stand by then, so only where one of them changed meanwhile.
    pub contradictions: u32,
}

/// A sandbox runs for days: beyond this the oldest quarter is forgotten.
const MAX_KEPT: usize = 8192;

/// The list, and a bell that rings at each change of it.
#[derive(Debug)]
pub(super) struct ReceivedLog {
    kept: Mutex<Kept>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Kept {
    list: Vec<Received>,
    places: HashMap<String, usize>,
}

impl ReceivedLog {
    pub(super) fn new() -> Self {
        Self {
            kept: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }

    /// Counts a coming, and says whether the ledger should change: only the first time that it
    /// may.
    pub(super) fn take(&self, notify_id: String, request: NotifyRequest, may: bool) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.place_of(notify_id, request.clone());
        let Some(received) = kept.list.get_mut(place) else {
            return false;
        };
        received.count += 1;
        received.contradictions += u32::from(received.request != request);
        let takes_effect = may && received.effects == 0;
        received.effects += u32::from(takes_effect);
        takes_effect
    }

    /// Rings the bell: called when the ledger has changed too, so that whoever waits for a
    /// notification finds its effect.
    pub(super) fn ring(&self) {
        self.changed.send_replace(());
    }

    pub(super) fn all(&self) -> Vec<Received> {
        self.with(<[Received]>::to_vec)
    }

    pub(super) async fn wait_for(
        &self,
        mut wanted: impl FnMut(&[Received]) -> bool,
        timeout: Duration,
    ) -> bool {
        let deadline = Instant::now() + timeout;
        let mut changed = self.changed.subscribe();
        loop {
            if self.with(&mut wanted) {
                return true;
            }
            match tokio::time::timeout_at(deadline, changed.changed()).await {
                Ok(Ok(())) => {}
                _ => return false,
            }
        }
    }

    fn with<T>(&self, look: impl FnOnce(&[Received]) -> T) -> T {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        look(&kept.list)
    }
}

impl Kept {
    fn place_of(&mut self, notify_id: String, request: NotifyRequest) -> usize {
        if let Some(place) = self.places.get(&notify_id) {
            return *place;
        }
        if self.list.len() >= MAX_KEPT {
            self.list.drain(..MAX_KEPT / 4);
            let places = self.list.iter().enumerate();
            self.places = places
                .map(|(place, received)| (received.notify_id.clone(), place))
                .collect();
        }
        self.places.insert(notify_id.clone(), self.list.len());
        self.list.push(Received {
            notify_id,
            request,
            count: 0,
            effects: 0,
            contradictions: 0,
        });
        self.list.len() - 1
    }
}
