//! What a 医保业务综合服务终端 tells the centre. The standard leaves it to another one (its
//! chapter 2); these two messages are Banyan's own, in the envelope of the standard.

use super::dictionaries::CertType;
use super::{AuthNo, OrgId};
use crate::message;
use crate::wire::{Private, Text};

/// A message of a terminal, by its transType.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalMessage {
    /// A face was recognised.
    Face,
    /// A password was entered on the keypad.
    Password,
}

impl TerminalMessage {
    /// The message of this transType.
    #[must_use]
    pub fn from_trans_type(text: &str) -> Option<Self> {
        [Self::Face, Self::Password]
            .into_iter()
            .find(|message| message.trans_type() == text)
    }

    /// Its transType.
    #[must_use]
    pub const fn trans_type(self) -> &'static str {
        match self {
            Self::Face => "terminal.face",
            Self::Password => "terminal.pwd",
        }
    }
}

message! {
    /// 刷脸: at this institution's terminal this person's face was recognised.
    pub struct RecognisedRequest {
        /// 机构 ID
        orgId: OrgId,
        /// 证件类型
        idType: CertType,
        /// 证件号码
        idNo: Private<Text<30>>,
        /// 姓名
        userName: Private<Text<50>>,
    }
}

message! {
    /// 刷脸的应答: by what number the institution has the person.
    pub struct RecognisedReply {
        /// 实人认证业务流水号
        /// 短时有效，只能用一次。
        authNo: AuthNo,
    }
}

message! {
    /// 密码键盘: what a person whose password an institution waits for has typed.
    pub struct TypedRequest {
        /// 机构 ID
        orgId: OrgId,
        /// 证件类型
        idType: CertType,
        /// 证件号码
        idNo: Private<Text<30>>,
        /// 姓名
        userName: Private<Text<50>>,
        /// 密码
        /// SM4-GCM（密钥为终端密钥前 16 字节，附加数据为 orgId|timestamp）后的 base64。
        password: Private<Text<200>>,
    }
}

message! {
    /// 密码键盘的应答.
    pub struct TypedReply {
        /// 密码核验结果
        pwdFlag: super::dictionaries::PwdFlag,
    }
}
