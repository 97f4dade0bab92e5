//! A database of its own for each test story, told on both engines.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "this is a test's scaffold: it fails by panicking, and says why"
)]
