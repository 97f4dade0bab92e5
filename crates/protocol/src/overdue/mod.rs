//! 诊疗失信: the messages of the overdue registry (access guide 4.3 and 4.4).
//!
//! A hospital reports what was not paid (ORG_MDL_001), anybody who treats asks before treating
//! (ORG_MDL_002), the hospital says when a debt was settled, revoked or given a name
//! (ORG_MDL_003), a citizen is led to his own list (ORG_MDL_004), and a hospital that missed a
//! callback asks for the outcome (ORG_MDL_005). The other way round the platform asks a hospital
//! about one debt (ORG_001) and tells it what became of a batch (ORG_002).

pub mod org_001;
pub mod org_002;
pub mod org_mdl_001;
pub mod org_mdl_002;
pub mod org_mdl_003;
pub mod org_mdl_004;
pub mod org_mdl_005;

use serde_json::Value;

use crate::wire::{ExtData, FieldFault, OrEmpty, Private, Text};
use crate::{dictionaries::ItemState, message};

/// 单次上传总项目数限制 100 条 (access guide 4.3.1.1 and 4.3.3.1).
pub const MAX_ITEMS_PER_CALL: usize = 100;

/// 机构的国家统一编码.
pub type OrgId = Text<12>;
/// 机构名称.
pub type OrgName = Text<40>;
/// 请求批次号.
pub type OrgRequestId = Text<40>;
/// 机构跟踪号.
pub type OrgTraceId = Text<40>;
/// 平台跟踪号.
pub type TraceId = Text<40>;
/// 证件号码.
pub type IdNo = Private<Text<18>>;
/// 用户姓名.
pub type UserName = Private<Text<20>>;
/// 电子健康卡主索引 id.
pub type EhealthCardId = Private<Text<64>>;
/// 手机号码.
pub type MobilePhone = Private<Text<11>>;

message! {
    /// What became of one person's items: a row of the result lists of ORG_MDL_005 and ORG_002.
    pub struct PersonResult {
        /// 身份证号
        /// 非实名患者为空字符串。
        idNo: OrEmpty<IdNo>,
        /// 用户姓名
        /// 非实名患者为空字符串。
        userName: OrEmpty<UserName>,
        /// 用户待缴费列表
        itemList: Vec<ItemResult>,
    }
}

message! {
    /// What became of one item.
    pub struct ItemResult {
        /// 机构跟踪号
        /// 院内唯一标识该缴费记录值。
        orgTraceId: OrgTraceId,
        /// 平台跟踪号
        /// 平台与之对应的该条记录唯一值。
        traceId: TraceId,
        /// 状态
        /// 该条记录当前的状态。
        state: ItemState,
    }
}

/// 未通过的条目及原因: what `errors` in the 扩展参数 of ORG_002 and ORG_MDL_005 says, by 机构跟踪号.
///
/// The guide leaves extData to the parties: a list of objects that name an item and say why, in
/// whatever member they do.
#[must_use]
pub fn judged_bad(ext_data: &ExtData) -> Vec<(String, String)> {
    let errors = ext_data.0.get("errors").and_then(Value::as_array);
    errors
        .into_iter()
        .flatten()
        .filter_map(|row| {
            let org_trace_id = row.get("orgTraceId")?.as_str()?;
            let reason = ["reason", "msg", "message", "error"]
                .iter()
                .find_map(|member| row.get(member)?.as_str())
                .unwrap_or("平台未说明原因");
            Some((org_trace_id.to_owned(), reason.to_owned()))
        })
        .collect()
}

/// Refuses the item at `path` where the call already held as many as it may.
fn within_limit(count_before: usize, path: impl FnOnce() -> String) -> Result<(), FieldFault> {
    if count_before < MAX_ITEMS_PER_CALL {
        return Ok(());
    }
    Err(FieldFault::new(
        path(),
        format!("单次最多 {MAX_ITEMS_PER_CALL} 条，超过的请分批次调用"),
    ))
}
