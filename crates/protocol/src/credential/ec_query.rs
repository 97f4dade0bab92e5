//! 电子凭证二维码解码接口 (ec.query), standard 5.3.

use super::dictionaries::{BusinessType, CertType};
use super::{
    Birthday, Blank, DeviceType, EcToken, OfficeId, OfficeName, OperatorId, OperatorName, OrgId,
    Photo, Reserved,
};
use crate::message;
use crate::wire::{Private, Text};

message! {
    /// 请求: what a scanned code is used for. The code itself stands in `extra.qrCode` of the message.
    /// Section 5.3.3.
    pub struct DecodeRequest {
        /// 机构 ID
        /// 医保定点机构代码。
        orgId: OrgId,
        /// 用码业务类型
        businessType: BusinessType,
        /// 收款员编号
        operatorId: OperatorId,
        /// 收款员姓名
        operatorName: OperatorName,
        /// 医保科室编号
        officeId: OfficeId,
        /// 科室名称
        officeName: OfficeName,
        /// 设备类型
        /// 自助机设为 SelfService，其它情况不用设置。
        deviceType: Option<DeviceType>,
        /// 人脸照片
        /// base64 字符串，100k 以下；不留存。
        photoData: Option<Photo>,
    }
}

message! {
    /// 响应: the person behind a code. Sections 5.3.4 and 5.4.4.
    pub struct PersonReply {
        /// 参保人身份证
        idNo: Private<Text<64>>,
        /// 证件类型
        idType: CertType,
        /// 参保人姓名
        userName: Private<Text<64>>,
        /// 令牌
        /// 用于业务处理验证，过期失效。
        ecToken: EcToken,
        /// 参保地区编码
        insuOrg: Text<6>,
        /// 电子凭证索引号
        ecIndexNo: Blank<Text<32>>,
        /// 性别
        gender: Blank<Text<2>>,
        /// 出生日期
        /// yyyy-MM-dd
        birthday: Blank<Birthday>,
        /// 国籍
        nationality: Blank<Text<32>>,
        /// 电子邮箱
        email: Blank<Text<32>>,
        /// 扩展参数
        /// 预留字段。
        extra: Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;

    /// Section 5.3.5, as printed.
    #[test]
    fn the_standard_s_own_examples() {
        let request = r#"{
            "operatorId": "008",
            "operatorName": "TEST",
            "officeId": "01",
            "officeName": "内科",
            "orgId": "1234567",
            "businessType": "01101",
            "deviceType": ""
        }"#;
        let request: DecodeRequest = wire::read(request).unwrap();
        assert_eq!(request.businessType, BusinessType::HospitalRegistration);
        assert_eq!(request.deviceType, None);
        let printed = concat!(
            r#"{"idNo":"533222199909090123","idType":"01","userName":"张三","#,
            r#""ecToken":"ADBHJRS5I01E0F3438C00000B959FA88","insuOrg":"430000","ecIndexNo":"","#,
            r#""gender":"","birthday":"","nationality":"","email":"","extra":""}"#
        );
        let reply: PersonReply = wire::read(printed).unwrap();
        assert_eq!(wire::write(&reply), printed);
    }

    #[test]
    fn what_is_missing_is_named() {
        let fault = wire::read::<DecodeRequest>(r#"{"orgId":"1"}"#).unwrap_err();
        assert_eq!(fault.path, "businessType");
    }
}
