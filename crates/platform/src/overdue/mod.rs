//! 诊疗失信人员信息管理系统: the overdue registry.
//!
//! What enters: hospitals report what was not paid (ORG_MDL_001) and later say that it was
//! settled, withdrawn or now has a name (ORG_MDL_003). A report is kept whole and answered at
//! once; nothing is decided while the hospital waits.
//!
//! What is kept: a worker judges each item of a batch ([`judge`]): real-name persons are checked
//! against the health-card index, anonymous ones stay with their own hospital, emergencies are
//! outside the scheme, and an item that was reported before is the same item. The records, the
//! batch's outcome and the callback that will tell it commit together.
//!
//! What leaves: the callback ORG_002 ([`notice`]), the answer at the registration window whether
//! somebody may be treated first ([`policy`], ORG_MDL_002), the link to a citizen's own list
//! (ORG_MDL_004), now and then a word through 闽政通 to who owes ([`reminder`]), one to whoever was
//! shown a debt that was then revoked ([`correction`]), the outcome of a batch for whoever missed the callback (ORG_MDL_005), and by
//! night a question to each hospital about some of its unpaid items ([`settlement`], ORG_001), so
//! that a settlement that was never reported does not stand against a citizen for ever.
//!
//! A citizen may contest a record ([`appeal`]): the hospital is asked at once behind the page, an
//! operator decides, and an appeal that is right revokes the record.
//!
//! States move from unpaid to paid or revoked and never back, except that a revoked item may be
//! reported anew.

pub mod appeal;
pub mod correction;
pub mod fresh;
pub mod judge;
pub mod list;
mod message;
pub mod notice;
pub mod org_mdl_001;
pub mod org_mdl_002;
pub mod org_mdl_003;
pub mod org_mdl_004;
pub mod org_mdl_005;
mod outcome;
mod person;
pub mod policy;
pub mod reminder;
mod results;
pub mod settlement;
mod take_in;
pub mod visitor;

use banyan_protocol::dictionaries::ItemState;
use banyan_store::overdue::items::State;

/// The state as the wire has it.
const fn on_wire(state: State) -> ItemState {
    match state {
        State::Unpaid => ItemState::Unpaid,
        State::Paid => ItemState::Paid,
        State::Revoked => ItemState::Revoked,
    }
}

/// The state as it is kept.
const fn from_wire(state: ItemState) -> State {
    match state {
        ItemState::Unpaid => State::Unpaid,
        ItemState::Paid => State::Paid,
        ItemState::Revoked => State::Revoked,
    }
}
