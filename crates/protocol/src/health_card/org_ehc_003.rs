//! 电子健康卡验码 (ORG_EHC_003), access guide 4.5.3.

use super::{Birthday, CardNo, EhealthCardId, IdNo, MobilePhone, OrgId, UserName};
use crate::dictionaries::{CardType, IdType, Sex};
use crate::message;
use crate::wire::{ExtData, Private, Text};

message! {
    /// 请求: the text of the QR code that the patient shows. Access guide 4.5.3.2.
    pub struct VerifyRequest {
        /// 机构 id, 国家编码
        orgId: OrgId,
        /// 码值
        /// 患者出示的电子健康码，短时有效，只能核验一次。
        ehealthCode: Private<Text<128>>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// 响应: whose card it is. Access guide 4.5.3.3.
    pub struct VerifyReply {
        /// 健康卡 ID
        ehealthCardId: EhealthCardId,
        /// 卡号
        cardNo: CardNo,
        /// 卡类型
        cardType: CardType,
        /// 证件号
        idNo: IdNo,
        /// 证件类型
        idType: IdType,
        /// 姓名
        userName: UserName,
        /// 性别
        userSex: Option<Sex>,
        /// 出生日期
        /// yyyyMMdd
        birthday: Option<Birthday>,
        /// 手机号
        mobilePhone: Option<MobilePhone>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}
