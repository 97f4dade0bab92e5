//! 刷脸授权获取医保身份接口 (cn.nhsa.auth.check), standard 5.5.

use super::dictionaries::{BusinessType, CertType};
use super::{
    AuthNo, Birthday, Blank, EcToken, OfficeId, OfficeName, OperatorId, OperatorName, OrgId,
    OutBizNo, Photo, Reserved,
};
use crate::message;
use crate::wire::{Private, Text};

message! {
    /// 请求: whose face a terminal recognised. Section 5.5.3.
    pub struct FaceRequest {
        /// 机构 ID
        /// 医保定点机构代码。
        orgId: OrgId,
        /// 定点医药机构本次业务流水号
        /// 不可重复，每次请求都需要唯一。
        outBizNo: OutBizNo,
        /// 实人认证业务流水号
        /// 医保综合服务终端返回的授权码。
        authNo: AuthNo,
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
        /// 人脸照片
        /// base64 字符串，100k 以下；不留存。
        photoData: Photo,
        /// 扩展参数
        /// 预留。
        extData: Reserved,
    }
}

message! {
    /// 响应: the person whose face it was. Section 5.5.4.
    pub struct FaceReply {
        /// 实人认证业务流水号
        authNo: AuthNo,
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
