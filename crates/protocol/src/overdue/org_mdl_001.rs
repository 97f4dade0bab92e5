//! 上报医疗欠费数据 (ORG_MDL_001), access guide 4.3.1.

use super::{
    EhealthCardId, IdNo, MobilePhone, OrgId, OrgName, OrgRequestId, OrgTraceId, UserName,
    within_limit,
};
use crate::dictionaries::{FeeType, IdType, MedType, Receipt, UserType};
use crate::message;
use crate::wire::{Amount, ExtData, FieldFault, LocalTime, Text, WebAddress};

message! {
    /// 请求: unpaid items by person, at most 100 items in all. Access guide 4.3.1.2.
    pub struct ReportRequest {
        /// 机构 id, 国家编码
        /// 机构的国家统一编码，须与调用方登记的机构一致。
        orgId: OrgId,
        /// 机构名称
        orgName: OrgName,
        /// 回调通知地址
        /// 平台异步回调该地址，告知处理结果（ORG_002）；主机须已登记。
        notifyUrl: WebAddress,
        /// 请求批次号
        /// 标识一次请求，用于后续查询，唯一值；同号同内容重发不会重复计入。
        orgRequestId: OrgRequestId,
        /// 待结算列表
        unsettleList: Option<Vec<UnsettledPerson>>,
        /// 扩展参数
        /// 非必要请勿使用。
        extData: Option<ExtData>,
    }
}

message! {
    /// 待结算列表的一行: one person with his items.
    pub struct UnsettledPerson {
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
        /// 手机号码
        /// 选填。
        mobilePhone: Option<MobilePhone>,
        /// 用户类别
        userType: UserType,
        /// 待缴费列表
        itemList: Vec<UnsettledItem>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// 待缴费列表的一行: one unpaid item.
    pub struct UnsettledItem {
        /// 机构跟踪号
        /// 院内唯一标识该缴费记录值，不重复。
        orgTraceId: OrgTraceId,
        /// 医疗类别
        medType: MedType,
        /// 费用类别
        feeType: FeeType,
        /// 项目名称
        itemName: Text<40>,
        /// 金额
        /// 人民币元，最多两位小数。
        amount: Amount,
        /// 产生时间
        /// 记录实际产生时间，建议取实际就诊的时间。
        actualTime: LocalTime,
    }
}

message! {
    /// 响应: the batch was kept; what becomes of it is told by ORG_002. Access guide 4.3.1.3.
    pub struct ReportReply {
        /// 上报状态
        /// 仅代表平台端接收了上报的数据。
        state: Receipt,
        /// 描述
        msg: Option<Text<100>>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

impl ReportRequest {
    /// What the field table can't say: each person has items, and all together at most 100.
    ///
    /// # Errors
    /// The first place that is wrong.
    pub fn check(&self) -> Result<(), FieldFault> {
        let mut count = 0;
        for (row, person) in self.persons().iter().enumerate() {
            if person.itemList.is_empty() {
                return Err(FieldFault::new(
                    format!("unsettleList[{row}].itemList"),
                    "至少应有一条",
                ));
            }
            for item in 0..person.itemList.len() {
                within_limit(count, || format!("unsettleList[{row}].itemList[{item}]"))?;
                count += 1;
            }
        }
        Ok(())
    }

    /// The persons; none where the list is absent.
    #[must_use]
    pub fn persons(&self) -> &[UnsettledPerson] {
        self.unsettleList.as_deref().unwrap_or_default()
    }
}
