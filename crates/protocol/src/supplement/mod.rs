//! 商业补充医疗保险: the messages of the supplementary-insurance exchange (统一对外接口, chapter 4).
//!
//! An insurer's channel asks which past illnesses a person is known to have (CI00.03.00.01), tells
//! of claims that it settled (CI00.03.00.03) and of persons who paid in cash (CI00.02.00.07), and
//! hands over historical cases and medicine-box orders, at most 500 at a time (XY00.00.00.03).
//!
//! The document's own examples carry dates that are none and leave out what its tables require, so
//! nearly every member is read as it was [`Said`]; what is off is looked up afterwards
//! ([`Faults`]), and the channel's validation decides whether it counts.

pub mod ci00_02_00_07;
pub mod ci00_03_00_01;
pub mod ci00_03_00_03;
mod faults;
mod money;
mod said;
#[cfg(test)]
mod tests;
pub mod xy00_00_00_03;

pub use faults::{Faults, MOST_NAMED, moment_ms};
pub use money::fen;
pub use said::Said;

use crate::wire::{Private, Text};

/// 服务 id, such as `100005`.
pub type ServiceId = Text<20>;
/// 案件号.
pub type CaseNo = Text<64>;
/// 证件号码. Longer than any number of 18, because the document gives no length.
pub type CertNo = Private<Text<40>>;
/// 姓名.
pub type PersonName = Private<Text<50>>;

/// 最多 500 条 (section 3.6); section 3.4 names no limit and gets the same.
pub const MAX_ROWS_PER_CALL: usize = 500;
