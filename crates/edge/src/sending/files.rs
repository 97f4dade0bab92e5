//! Looking into the drop folder.

use crate::edge::Edge;

pub(super) struct Drop;

impl Drop {
    pub(super) fn new(_edge: &Edge) -> Self {
        Self
    }

    pub(super) async fn look(&mut self, _edge: &Edge, _now_ms: i64) -> bool {
        false
    }
}
