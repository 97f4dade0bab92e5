//! Not yet.
pub(crate) fn listen() {}
