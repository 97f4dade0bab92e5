//! 电子健康卡: the messages of the health-card system (access guide 4.5).
//!
//! A hospital that does not know a patient's index yet has three ways to it: a self-paying patient
//! follows a link that the hospital asked for (ORG_EHC_001) while it asks how that went
//! (ORG_EHC_002), or shows his QR code, which it has verified (ORG_EHC_003); an insured one is
//! found by his number at the insurance (ORG_EHC_004).

pub mod org_ehc_001;
pub mod org_ehc_002;
pub mod org_ehc_003;
pub mod org_ehc_004;

pub use crate::overdue::{EhealthCardId, IdNo, MobilePhone, OrgId, UserName};

use crate::wire::{Private, Text};

/// 外部授权流水号.
pub type OutAuthNo = Text<32>;
/// 卡号.
pub type CardNo = Private<Text<12>>;
/// 出生日期, `yyyyMMdd`.
pub type Birthday = Private<Text<8>>;
/// 人员编号 at the insurance.
pub type PsnNo = Private<Text<30>>;
