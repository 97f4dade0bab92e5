//! 终端医保电子凭证码解码接口 (cn.nhsa.qrcode.get), standard 5.4. The reply is that of 5.3.

use super::dictionaries::BusinessType;
use super::{OfficeId, OfficeName, OperatorId, OperatorName, OrgId, OutBizNo, Photo, Reserved};
use crate::message;

message! {
    /// 请求: what a code is used for that the terminal's own scanner read. Section 5.4.3.
    pub struct TerminalDecodeRequest {
        /// 机构 ID
        /// 医保定点机构代码。
        orgId: OrgId,
        /// 定点医药机构本次业务流水号
        /// 不可重复，每次请求都需要唯一。
        outBizNo: OutBizNo,
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
        photoData: Option<Photo>,
        /// 扩展参数
        /// 预留。
        extData: Reserved,
    }
}
