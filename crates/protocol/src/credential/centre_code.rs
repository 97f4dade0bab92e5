//! 返回码 (standard 7.1): how every answer of the centre begins.

use crate::dictionary;
use crate::result_code::ResultCode;

dictionary! {
    /// 返回值代码
    /// 标准动态库交互规范 7.1。
    pub enum CentreCode {
        /// 成功
        Success = "0",
        /// 未知异常
        Unknown = "-1",
        /// 请求参数异常
        BadRequest = "-2",
        /// 服务端请求超时
        Timeout = "-3",
        /// 权限校验异常
        NotGranted = "-4",
        /// 无效的请求地址
        UnknownPath = "-5",
        /// 触发限流
        RateLimited = "-6",
        /// 二维码 Token 失效
        TokenOver = "501001",
        /// 该电子凭证不存在
        NoCredential = "500001",
        /// 更新电子凭证出现异常
        UpdateFailed = "500002",
        /// 该电子凭证应用渠道未授权
        ChannelNotGranted = "500003",
        /// 电子凭证密码错误
        WrongPassword = "500004",
        /// 展码 id 失效或已过期
        CodeOver = "500005",
        /// 该电子凭证应用渠道授权记录不存在
        NoChannelGrant = "500006",
        /// 该应用渠道未授权
        AppNotGranted = "500007",
        /// 非法授权码
        BadGrantCode = "500008",
        /// 该授权记录已存在
        GrantExists = "500009",
        /// 该应用渠道不存在
        NoSuchApp = "500012",
        /// 该应用渠道未通过审核
        AppNotApproved = "500013",
        /// 非法经办流水号
        BadBizNo = "500014",
        /// 短信验证码错误
        WrongSmsCode = "500015",
        /// 未知交易
        UnknownTrade = "500021",
        /// 用户未授权或已过期，请重新进入
        UserNotGranted = "500022",
        /// 缓存已过期，请重新进入
        CacheOver = "500023",
        /// 需要生成的链接类型为不存在
        NoSuchLink = "500024",
        /// 获取手机号出错
        PhoneFailed = "500027",
        /// 获取实名信息出错
        RealNameFailed = "500028",
        /// 验证码已过期，请重新获取
        SmsCodeOver = "500030",
        /// 请求缺少关键性配置
        SettingMissing = "500032",
        /// 请求国家电子凭证出错
        NationFailed = "500033",
        /// 签名出错
        BadSignature = "500036",
        /// 非法实人认证流水号
        BadAuthNo = "500037",
        /// 该电子凭证应用渠道授权记录不存在
        NoChannelGrantRecord = "500040",
        /// 保存电子凭证数据失败
        SaveFailed = "500041",
        /// 电子凭证密码未设置
        NoPassword = "500042",
        /// 电子凭证二维码无效
        BadCode = "500049",
        /// 用户身份信息为空，查询人员基础 Id 失败
        NoIdentity = "500050",
        /// 业务流水已过期，请重新进行业务办理
        BizOver = "500051",
        /// 缺少请求地方服务配置
        LocalSettingMissing = "500053",
        /// 参保地为空
        NoInsuOrg = "500054",
        /// 解除应用渠道失败
        ReleaseFailed = "500056",
        /// 接入机构不存在
        NoSuchOrg = "500057",
        /// 接入机构审核未通过
        OrgNotApproved = "500058",
        /// 经办流水号对应授权渠道不一致
        BizOfAnother = "500059",
        /// code 不存在或已失效
        NoSuchCode = "500062",
        /// 输入密码错误次数已达 5 次，账户已锁定，24 小时后将自动解锁或前往重置密码后手动解锁
        Locked = "500079",
        /// 用码业务类型传输错误，请调整
        BadBusinessType = "500142",
        /// 请使用医保电子凭证二维码
        NotOurCode = "500159",
        /// 医保定点机构代码不允许为空
        OrgMissing = "500169",
        /// 医保定点机构代码不符合标准规范，请调整
        OrgMalformed = "500228",
        /// 医保定点机构代码传输错误，请调整
        OrgMismatch = "500316",
        /// 通知渠道为参保人发起密码核验认证服务失败，请重试或采用线下密码核验认证
        PasswordCallFailed = "500319",
        /// 该笔结算业务无需参保人输入密码，可直接办理
        NoPasswordNeeded = "500320",
        /// 通知渠道为参保人发起密码核验认证服务失败，该渠道暂不支持医保结算业务办理
        PasswordNotSupported = "500321",
    }
}

impl CentreCode {
    /// What the centre says where the common path says this.
    #[must_use]
    pub const fn of(result: ResultCode) -> Self {
        match result {
            ResultCode::Centre(code) => code,
            ResultCode::Success => Self::Success,
            ResultCode::UnknownApp | ResultCode::AppNotFound => Self::NoSuchApp,
            ResultCode::CipherFailure | ResultCode::BadSignature => Self::BadSignature,
            // A clock that is off is no wrong signature, and must not look like one.
            ResultCode::BadParameter | ResultCode::BadRequest | ResultCode::Replay => {
                Self::BadRequest
            }
            ResultCode::Timeout => Self::Timeout,
            ResultCode::NotGranted | ResultCode::SwitchedOff => Self::NotGranted,
            ResultCode::UnknownPath => Self::UnknownPath,
            ResultCode::RateLimited => Self::RateLimited,
            ResultCode::SystemError
            | ResultCode::Maintenance
            | ResultCode::ExternalFailure
            | ResultCode::UnknownSubsystemError
            | ResultCode::AuthSubsystemError
            | ResultCode::Fatal => Self::Unknown,
        }
    }
}
