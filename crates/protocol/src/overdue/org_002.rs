//! 结果回调通知 (ORG_002), access guide 4.4.2: the platform tells, the hospital acknowledges.

use super::{OrgId, OrgName, PersonResult};
use crate::dictionaries::{NotifyType, Receipt};
use crate::message;
use crate::wire::{ExtData, Text};

message! {
    /// 请求: what became of a batch; in the same form a reminder (REMIND) or a correction (CORRECT). Access guide 4.4.2.2.
    pub struct NotifyRequest {
        /// 机构 id, 国家编码
        /// 闽政通渠道没有机构 id，固定为 MZT。
        orgId: OrgId,
        /// 机构名称
        orgName: OrgName,
        /// 通知类型
        notifyType: NotifyType,
        /// 上报结果
        /// 更新回调时为空列表。
        reportResultList: Vec<PersonResult>,
        /// 更新结果
        /// 上报回调时为空列表。
        updateResultList: Vec<PersonResult>,
        /// 扩展参数
        /// notifyId：通知的唯一编号，重发不变；orgRequestId：批次号；errors：未通过的条目及原因。
        /// REMIND：idType、idNo、userName、itemCount（笔数）、totalAmount（元）、orgCount（机构数）、oldestTime（最早产生时间）。
        /// CORRECT：idType、idNo、traceId、amount（元）、sourceOrgId、sourceOrgName（上报机构）、revokedTime（撤销时间）、askedTime（贵方最近查询时间）。
        extData: Option<ExtData>,
    }
}

message! {
    /// 响应: `success` ends the repetitions. Access guide 4.4.2.3.
    pub struct NotifyReply {
        /// 状态
        state: Receipt,
        /// 描述
        msg: Option<Text<100>>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}
