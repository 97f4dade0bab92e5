//! What can go wrong on this side of the centre, in codes of the standard's own table (7.1).

use std::borrow::Cow;
use std::fmt;

/// 返回码 that the library itself gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// 未知异常: a device, a full buffer, a fault of ours.
    Unknown,
    /// 请求参数异常: what the caller gave can't be sent.
    Parameter,
    /// 服务端请求超时
    Timeout,
    /// 权限校验异常
    NotAllowed,
    /// 无效的请求地址
    Address,
    /// 触发限流
    RateLimited,
    /// 请求缺少关键性配置: the settings file is missing or wrong.
    Settings,
    /// 请求国家电子凭证出错: the centre can't be reached or answers what is no reply.
    Centre,
    /// 签名出错
    Signature,
    /// 电子凭证二维码无效: the scanner gave half a code, or none.
    TornCode,
    /// What the centre itself said, unsigned.
    Centres(i64),
}

impl Code {
    /// As in the table.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Unknown => -1,
            Self::Parameter => -2,
            Self::Timeout => -3,
            Self::NotAllowed => -4,
            Self::Address => -5,
            Self::RateLimited => -6,
            Self::Settings => 500_032,
            Self::Centre => 500_033,
            Self::Signature => 500_036,
            Self::TornCode => 500_049,
            Self::Centres(code) => code,
        }
    }
}

/// Why a call did not get a verified reply: a code, and in Chinese what to do about it.
///
/// The text names no person, no code and no secret: it is returned, written and logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    code: Code,
    text: Cow<'static, str>,
}

impl Fault {
    /// With this text.
    #[must_use]
    pub fn new(code: Code, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    /// What a panic becomes.
    #[must_use]
    pub const fn unexpected() -> Self {
        Self {
            code: Code::Unknown,
            text: Cow::Borrowed("动态库内部错误，请联系供应商"),
        }
    }

    /// Its code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Its text without the code.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The code and the text, as it is returned to the caller.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.number(), self.text)
    }
}
