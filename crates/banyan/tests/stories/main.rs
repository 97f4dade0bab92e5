//! The stories: what the guide promises, told over real sockets and real encrypted messages, each
//! on SQLite and on PostgreSQL.
//!
//! A story's clock moves when the story says so, and its work is done when the story asks for it,
//! so nothing here waits for real time except where a hospital is meant to hang.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a story that can't go on fails, and says where"
)]

mod anonymous;
mod appeals;
mod bad_bytes;
mod bad_input;
mod callbacks;
mod catalogue;
mod corrections;
mod credential;
mod debt;
mod dialects;
mod doctor_page;
mod edge;
mod entry_link;
mod hardening;
mod health_card;
mod health_card_pages;
mod health_card_persons;
mod keys;
mod nightly;
mod own_page;
mod partners_voice;
mod privacy;
mod reminders;
mod repetition;
mod resending;
mod results;
mod scanner;
mod supplement;
mod telling;
mod two_nodes;
mod updates;
mod visit;
