//! 获取医疗欠费名单应用入口链接 (ORG_MDL_004), access guide 4.3.4.

use super::{EhealthCardId, IdNo, OrgId, UserName};
use crate::dictionaries::IdType;
use crate::message;
use crate::wire::{ExtData, Private, Text};

message! {
    /// 请求: whose list is to be opened. Access guide 4.3.4.2.
    pub struct EntryLinkRequest {
        /// 机构 id, 国家编码
        /// 闽政通渠道非必填。
        orgId: Option<OrgId>,
        /// 身份证号
        idNo: IdNo,
        /// 证件类型
        idType: IdType,
        /// 用户姓名
        userName: UserName,
        /// 电子健康卡主索引 id
        /// 闽政通渠道非必填。
        ehealthCardId: Option<EhealthCardId>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// 响应: a link that opens once. Access guide 4.3.4.3.
    pub struct EntryLinkReply {
        /// 应用入口链接
        /// 一次性使用，短时有效。
        mdrUrl: Private<Text<200>>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}
