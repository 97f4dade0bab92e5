//! 院内医疗欠费结算结果查询 (ORG_001), access guide 4.4.1: the platform asks, the hospital answers.

use super::{OrgId, OrgTraceId, TraceId};
use crate::dictionaries::ItemState;
use crate::message;
use crate::wire::ExtData;

message! {
    /// 请求: about which item. Access guide 4.4.1.2.
    pub struct SettlementRequest {
        /// 机构 id, 国家编码
        orgId: OrgId,
        /// 机构跟踪号
        /// 院内唯一标识该缴费记录值。
        orgTraceId: OrgTraceId,
        /// 平台跟踪号
        /// 平台与之对应的该条记录唯一值。
        traceId: Option<TraceId>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// 响应: how it stands at the hospital. Access guide 4.4.1.3.
    pub struct SettlementReply {
        /// 状态
        state: ItemState,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}
