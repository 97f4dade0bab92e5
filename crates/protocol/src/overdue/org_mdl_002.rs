//! 查询医疗欠费状况 (ORG_MDL_002), access guide 4.3.2.

use super::{EhealthCardId, IdNo, OrgId, OrgName, UserName};
use crate::dictionaries::{BusinessType, IdType, ItemState, Next};
use crate::message;
use crate::wire::{Amount, ExtData, LocalTime, Text};

message! {
    /// 请求: who asks about whom, and for what. Access guide 4.3.2.2.
    pub struct QueryRequest {
        /// 机构 id, 国家编码
        /// 空时查全部机构的待缴费数据。
        orgId: Option<OrgId>,
        /// 查询业务类型
        businessType: BusinessType,
        /// 身份证号
        idNo: IdNo,
        /// 证件类型
        idType: IdType,
        /// 用户姓名
        userName: UserName,
        /// 电子健康卡主索引 id
        /// 闽政通渠道非必填；门户渠道必填。
        ehealthCardId: Option<EhealthCardId>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// 响应: whether he may be treated first and pay later, and what is unpaid. Access guide 4.3.2.3.
    pub struct QueryReply {
        /// 是否享受先诊后付
        next: Next,
        /// 待缴费列表
        itemList: Vec<OverdueItem>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// 待缴费列表的一行.
    pub struct OverdueItem {
        /// 机构 id, 国家编码
        orgId: OrgId,
        /// 机构名称
        orgName: OrgName,
        /// 项目名称
        itemName: Text<40>,
        /// 金额
        /// 人民币元，两位小数。
        amount: Amount,
        /// 产生时间
        actualTime: LocalTime,
        /// 状态
        state: ItemState,
    }
}
