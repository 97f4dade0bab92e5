//! 医保电子凭证: the messages of the credential centre (标准动态库交互规范).
//!
//! A HIS has the person behind a QR code (`ec.query`, `cn.nhsa.qrcode.get`) or behind a face that
//! a terminal recognised (`cn.nhsa.auth.check`), and a payment confirmed by the person's own
//! password (`cn.nhsa.ec.pwd`). What a terminal tells the centre is our own addition
//! ([`terminal`]).

pub mod centre_code;
pub mod cn_nhsa_auth_check;
pub mod cn_nhsa_ec_pwd;
pub mod cn_nhsa_qrcode_get;
pub mod dictionaries;
pub mod ec_query;
pub mod terminal;
mod words;

pub use centre_code::CentreCode;
pub use words::{Birthday, Blank, Photo, Reserved};

use crate::wire::{Private, Text};

/// 机构 ID: the code of a 医保定点机构.
pub type OrgId = Text<40>;
/// 定点医药机构本次业务流水号; used once.
pub type OutBizNo = Text<64>;
/// 实人认证业务流水号; only its holder knows it.
pub type AuthNo = Private<Text<64>>;
/// 收款员编号.
pub type OperatorId = Text<20>;
/// 收款员姓名.
pub type OperatorName = Private<Text<30>>;
/// 医保科室编号.
pub type OfficeId = Text<20>;
/// 科室名称.
pub type OfficeName = Text<30>;
/// 设备类型.
pub type DeviceType = Text<30>;
/// 令牌; only its holder knows it.
pub type EcToken = Private<Text<40>>;

/// Whether this can be a 医保定点机构代码: letters and digits, as many as its member takes. The
/// standard's own examples have 7, 8 and 11 digits, so no more is asked.
#[must_use]
pub fn is_institution_code(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
