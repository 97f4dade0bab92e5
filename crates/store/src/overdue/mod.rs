//! 诊疗失信: the records of the overdue registry.
//!
//! A batch comes in as it was sent ([`batches`]) and waits, sealed, to be judged; judging turns it
//! into records ([`items`]), each tied to a person only by a keyed code; citizens come in by links
//! that open once ([`links`]), see what is said of them ([`own`]) and may contest it ([`appeals`]). Who owes is reminded now and then ([`reminders`]), and who was shown
//! a debt that is then revoked is told ([`corrections`]).

pub mod appeals;
pub mod batches;
pub mod corrections;
pub mod items;
pub mod links;
pub mod own;
pub mod reminders;
