//! 更新医疗欠费数据 (ORG_MDL_003), access guide 4.3.3.

use super::{
    EhealthCardId, IdNo, OrgId, OrgRequestId, OrgTraceId, TraceId, UserName, within_limit,
};
use crate::dictionaries::{IdType, ItemState, Receipt};
use crate::message;
use crate::wire::{ExtData, FieldFault, Text, WebAddress};

message! {
    /// 请求: items of one person that were settled, revoked, or given a name. Access guide 4.3.3.2.
    pub struct UpdateRequest {
        /// 机构 id, 国家编码
        orgId: OrgId,
        /// 身份证号
        /// 实名患者必填且平台强校验；非实名患者可为空。
        idNo: Option<IdNo>,
        /// 证件类型
        /// 实名患者必填；非实名患者可为空。
        idType: Option<IdType>,
        /// 用户姓名
        /// 实名患者必填；非实名患者可为空。
        userName: Option<UserName>,
        /// 电子健康卡主索引 id
        /// 实名患者必填且平台强校验；非实名患者可为空。
        ehealthCardId: Option<EhealthCardId>,
        /// 回调通知地址
        /// 更新后，平台异步推送更新结果（ORG_002）；主机须已登记。
        notifyUrl: WebAddress,
        /// 请求批次号
        /// 标识一次请求，用于后续查询，唯一值；同号同内容重发不会重复计入。
        orgRequestId: OrgRequestId,
        /// 更新缴费列表
        itemList: Vec<ItemUpdate>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// 更新缴费列表的一行.
    pub struct ItemUpdate {
        /// 机构跟踪号
        /// 院内唯一标识该缴费记录值。
        orgTraceId: OrgTraceId,
        /// 平台跟踪号
        /// 平台与之对应的该条记录唯一值。
        traceId: TraceId,
        /// 状态
        /// 1 已缴清、2 撤销；0 仅用于非实名转实名（3.1.10）。
        state: ItemState,
    }
}

message! {
    /// 响应: the update was kept; what becomes of it is told by ORG_002. Access guide 4.3.3.3.
    pub struct UpdateReply {
        /// 更新状态
        /// 仅代表平台端接收了更新的数据。
        state: Receipt,
        /// 描述
        msg: Option<Text<100>>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

impl UpdateRequest {
    /// What the field table can't say: at least one item and at most 100.
    ///
    /// # Errors
    /// The first place that is wrong.
    pub fn check(&self) -> Result<(), FieldFault> {
        if self.itemList.is_empty() {
            return Err(FieldFault::new("itemList", "至少应有一条"));
        }
        for item in 0..self.itemList.len() {
            within_limit(item, || format!("itemList[{item}]"))?;
        }
        Ok(())
    }
}
