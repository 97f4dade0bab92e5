//! 响应码 (access guide 4.2): how every answer on the wire begins.

use crate::credential::CentreCode;

/// The outcome of a call. The guide gives 000001 two meanings; Banyan uses it for the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResultCode {
    /// 成功
    Success,
    /// 请求应用非法，APPID 无效
    UnknownApp,
    /// 系统错误
    SystemError,
    /// 系统维护中，或灰度发布中，请等待恢复
    Maintenance,
    /// 外部接口存在问题，请联系管理员排查
    ExternalFailure,
    /// 系统接口加密失败
    CipherFailure,
    /// 核验签名参数失败，签名无效
    BadSignature,
    /// 参数校验不合法
    BadParameter,
    /// 重放攻击拦截器，请勿重复操作
    Replay,
    /// 业务子系统内未知错误
    UnknownSubsystemError,
    /// 请求参数异常
    BadRequest,
    /// 服务端子系统内超时
    Timeout,
    /// 权限校验异常
    NotGranted,
    /// 无效的请求地址
    UnknownPath,
    /// 业务子系统限流，并发数过大，触发限流
    RateLimited,
    /// 鉴权子系统出现错误或用户子系统内部错误
    AuthSubsystemError,
    /// 应用信息不存在
    AppNotFound,
    /// 程序存在致命性错误，请先停止使用，并联系系统管理员
    Fatal,
    /// 该功能未开放
    SwitchedOff,
    /// What only the credential centre says (标准动态库交互规范 7.1).
    Centre(CentreCode),
}

impl ResultCode {
    /// Every code of the guide.
    pub const ALL: [Self; 19] = [
        Self::Success,
        Self::UnknownApp,
        Self::SystemError,
        Self::Maintenance,
        Self::ExternalFailure,
        Self::CipherFailure,
        Self::BadSignature,
        Self::BadParameter,
        Self::Replay,
        Self::UnknownSubsystemError,
        Self::BadRequest,
        Self::Timeout,
        Self::NotGranted,
        Self::UnknownPath,
        Self::RateLimited,
        Self::AuthSubsystemError,
        Self::AppNotFound,
        Self::Fatal,
        Self::SwitchedOff,
    ];

    /// 编码, as on the wire.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Success => "000000",
            Self::UnknownApp => "000001",
            Self::SystemError => "000002",
            Self::Maintenance => "000003",
            Self::ExternalFailure => "000100",
            Self::CipherFailure => "000101",
            Self::BadSignature => "000102",
            Self::BadParameter => "000105",
            Self::Replay => "010010",
            Self::UnknownSubsystemError => "-1",
            Self::BadRequest => "-2",
            Self::Timeout => "-3",
            Self::NotGranted => "-4",
            Self::UnknownPath => "-5",
            Self::RateLimited => "-6",
            Self::AuthSubsystemError => "-7",
            Self::AppNotFound => "-8",
            Self::Fatal => "444444",
            Self::SwitchedOff => "404404",
            Self::Centre(code) => code.code(),
        }
    }

    /// 说明, in Chinese.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Success => "成功",
            Self::UnknownApp => "请求应用非法，APPID 无效",
            Self::SystemError => "系统错误",
            Self::Maintenance => "系统维护中，或灰度发布中，请等待恢复",
            Self::ExternalFailure => "外部接口存在问题，请联系管理员排查",
            Self::CipherFailure => "系统接口加密失败",
            Self::BadSignature => "核验签名参数失败，签名无效",
            Self::BadParameter => "参数校验不合法",
            Self::Replay => "重放攻击拦截器，请勿重复操作，谢谢您的配合！",
            Self::UnknownSubsystemError => "业务子系统内未知错误",
            Self::BadRequest => "请求参数异常",
            Self::Timeout => "服务端子系统内超时",
            Self::NotGranted => "权限校验异常",
            Self::UnknownPath => "无效的请求地址",
            Self::RateLimited => "业务子系统限流，并发数过大，触发限流",
            Self::AuthSubsystemError => "鉴权子系统出现错误或用户子系统内部错误",
            Self::AppNotFound => "应用信息不存在",
            Self::Fatal => "程序存在致命性错误，请先停止使用，并联系系统管理员！",
            Self::SwitchedOff => "该功能未开放",
            Self::Centre(code) => code.label(),
        }
    }

    /// The outcome with this code of the guide.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own_and_found_again() {
        for code in ResultCode::ALL {
            assert_eq!(ResultCode::from_code(code.code()), Some(code));
        }
    }
}
