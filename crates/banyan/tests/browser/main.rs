//! The citizens' pages in a real browser: a headless Chromium of a phone's size, with JavaScript
//! and without, light and dark, normal and large type, every page with hostile names in it.
//!
//! It needs `chromium` and `chromedriver`; `BANYAN_TEST_BROWSER=skip` leaves it out. Screenshots
//! are left in `target/screenshots`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a story that can't go on fails, and says where"
)]

mod browser;
mod card;
mod credential;
mod edge_pages;
mod flow;
mod html;
mod looks;
mod place;
mod tour;
