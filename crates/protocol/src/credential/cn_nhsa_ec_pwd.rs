//! 医保电子凭证密码核验接口 (cn.nhsa.ec.pwd), standard 5.6.

use super::dictionaries::{BusinessType, CertType, MdtrtCertType, PwdFlag};
use super::{DeviceType, EcToken, OfficeId, OfficeName, OperatorId, OperatorName, OrgId, Reserved};
use crate::message;
use crate::wire::{Private, Text};

message! {
    /// 请求: whose password is to be asked for, and what for. Section 5.6.3.
    pub struct PasswordRequest {
        /// 机构 ID
        /// 医保定点机构代码。
        orgId: OrgId,
        /// 人员证件号码
        idNo: Private<Text<30>>,
        /// 人员证件类型
        idType: CertType,
        /// 人员姓名
        userName: Private<Text<50>>,
        /// 办理业务类型
        businessType: BusinessType,
        /// 身份核验令牌
        /// 若采用二维码解析用户身份，则须传递。
        ecToken: Option<Private<Text<50>>>,
        /// 收款员编号
        operatorId: OperatorId,
        /// 收款员姓名
        operatorName: OperatorName,
        /// 医保科室编号
        officeId: OfficeId,
        /// 科室名称
        officeName: OfficeName,
        /// 就诊凭证类型
        mdtrtCertType: MdtrtCertType,
        /// 设备类型
        /// 刷脸终端设为 FaceTerminal，其它情况不用设置。
        deviceType: Option<DeviceType>,
        /// 扩展参数
        /// 预留；表中记为必填，但没有内容可填，所以不传也接受。
        extData: Reserved,
    }
}

message! {
    /// 响应: that the person has entered his password. Section 5.6.4.
    pub struct PasswordReply {
        /// 密码核验结果
        pwdFlag: PwdFlag,
        /// 身份核验令牌
        ecToken: EcToken,
        /// 扩展参数
        /// 预留字段。
        extra: Reserved,
    }
}
