//! 查询医保患者主索引 (ORG_EHC_004), access guide 4.5.4.

use super::{Birthday, CardNo, EhealthCardId, IdNo, MobilePhone, OrgId, PsnNo, UserName};
use crate::dictionaries::{CardType, IdType, MediumType, Sex};
use crate::message;
use crate::wire::{ExtData, Text};

message! {
    /// 请求: an insured patient, as his card or credential names him. Access guide 4.5.4.2.
    pub struct InsuredRequest {
        /// 机构 id, 国家编码
        orgId: OrgId,
        /// 类型
        /// 也可写作 1、2。
        r#type: MediumType,
        /// 人员编号
        psnNo: PsnNo,
        /// 卡号
        cardNo: Option<CardNo>,
        /// 证件号
        idNo: IdNo,
        /// 证件类型
        idType: IdType,
        /// 姓名
        userName: UserName,
        /// 参保区划
        /// 异地参保需要传，如 510300。
        insuplcAdmdvs: Option<Text<10>>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// 响应: whose card it is. Access guide 4.5.4.3.
    pub struct InsuredReply {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;

    #[test]
    fn both_spellings_of_the_type_are_read_and_one_is_written() {
        for (spelling, medium) in [
            ("1", MediumType::Credential),
            ("01", MediumType::Credential),
            ("2", MediumType::Card),
            ("02", MediumType::Card),
        ] {
            let json = format!(
                r#"{{"orgId":"H1","type":"{spelling}","psnNo":"1","idNo":"1","idType":"03","userName":"A"}}"#
            );
            let request: InsuredRequest = wire::read(&json).unwrap();
            assert_eq!(request.r#type, medium);
            let written = wire::write(&request);
            assert!(
                written.contains(&format!(r#""type":"{}""#, medium.code())),
                "{written}"
            );
        }
        let fault = wire::read::<InsuredRequest>(r#"{"type":"3"}"#).unwrap_err();
        assert_eq!(fault.path, "type");
    }
}
