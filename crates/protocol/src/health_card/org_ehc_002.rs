//! 查询电子健康卡授权结果 (ORG_EHC_002), access guide 4.5.2.

use super::{Birthday, CardNo, EhealthCardId, IdNo, MobilePhone, OrgId, OutAuthNo, UserName};
use crate::dictionaries::{AuthStatus, CardType, IdType, Sex};
use crate::message;
use crate::wire::{ExtData, OrEmpty};

message! {
    /// 请求: which authorisation. Access guide 4.5.2.2.
    pub struct AuthResultRequest {
        /// 外部授权流水号
        /// 生成授权链接时的入参。
        outAuthNo: OutAuthNo,
        /// 机构 id, 国家编码
        orgId: OrgId,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// 响应: how it stands, and whose card it is once it succeeded. Access guide 4.5.2.3.
    pub struct AuthResultReply {
        /// 电子健康卡主索引 id
        /// 授权成功前为空字符串，以下各必填项同。
        ehealthCardId: OrEmpty<EhealthCardId>,
        /// 授权状态
        authStatus: AuthStatus,
        /// 卡号
        cardNo: OrEmpty<CardNo>,
        /// 卡类型
        cardType: OrEmpty<CardType>,
        /// 证件号
        idNo: OrEmpty<IdNo>,
        /// 证件类型
        idType: OrEmpty<IdType>,
        /// 姓名
        userName: OrEmpty<UserName>,
        /// 性别
        userSex: Option<Sex>,
        /// 出生日期
        /// yyyyMMdd
        birthday: Option<Birthday>,
        /// 手机号
        mobilePhone: Option<MobilePhone>,
        /// 扩展参数
        /// reason：授权失败或取消的原因。
        extData: Option<ExtData>,
    }
}
