//! 查询上报/更新结果 (ORG_MDL_005), access guide 4.3.5.

use super::{OrgId, OrgName, OrgRequestId, PersonResult};
use crate::message;
use crate::wire::ExtData;

message! {
    /// 请求: which batch. Access guide 4.3.5.2.
    pub struct ResultRequest {
        /// 机构 id, 国家编码
        orgId: OrgId,
        /// 请求批次号
        /// 上报/更新时传的值。
        orgRequestId: OrgRequestId,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// 响应: the items that were taken, by person. Access guide 4.3.5.3.
    pub struct ResultReply {
        /// 机构 id, 国家编码
        orgId: OrgId,
        /// 机构名称
        orgName: OrgName,
        /// 上报结果
        reportResultList: Vec<PersonResult>,
        /// 扩展参数
        /// batchState：received 处理中、judged 已处理；errors：未通过的条目及原因。
        extData: Option<ExtData>,
    }
}
