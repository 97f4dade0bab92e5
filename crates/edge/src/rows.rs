//! What a HIS hands over, one row for each item: by HTTP as members of `items`, or as lines of a
//! dropped file.
//!
//! Rows keep the wire's own names and types, so that reading one is checking it; what the messages
//! of the guide ask for besides (batches, callback address, orgId) is the edge's to add.

use banyan_protocol::dictionaries::{FeeType, IdType, MedType, UserType};
use banyan_protocol::overdue::org_mdl_001::UnsettledPerson;
use banyan_protocol::overdue::{EhealthCardId, IdNo, MobilePhone, OrgTraceId, TraceId, UserName};
use banyan_protocol::wire::{Amount, Field, FieldFault, LocalTime, Message as _, Text};
use banyan_protocol::{dictionary, message};

/// One thing that the HIS wants done about one item. `Debug` shows nobody's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// It was not paid.
    Report(DebtRow),
    /// It was paid since.
    Settle(ChangeRow),
    /// It was reported by mistake.
    Revoke(ChangeRow),
    /// Its patient was nameless and has a name now (3.1.10).
    RealName(NameRow),
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is kept.
    New,
    /// It was kept before; nothing changes.
    Repeated,
    /// It is not kept, and this is what is wrong with it.
    Refused(FieldFault),
}

dictionary! {
    /// 操作
    /// Which kind of [`Row`] a line of a file is.
    pub enum Action {
        /// 上报
        Report = "report" | "上报",
        /// 结清
        Settle = "settle" | "结清",
        /// 撤销
        Revoke = "revoke" | "撤销",
        /// 转实名
        RealName = "realname" | "转实名",
    }
}

message! {
    /// 上报医疗欠费: an unpaid item with its person. Access guide 4.3.1.2.
    pub struct DebtRow {
        /// 身份证号
        /// 实名患者必填；非实名患者可为空。
        idNo: Option<IdNo>,
        /// 证件类型
        /// 实名患者必填；非实名患者可为空。
        idType: Option<IdType>,
        /// 用户姓名
        /// 实名患者必填；非实名患者可为空。
        userName: Option<UserName>,
        /// 电子健康卡主索引 id
        /// 前置机已留存该患者的主索引时可省略；没有主索引的，平台按非实名登记。
        ehealthCardId: Option<EhealthCardId>,
        /// 手机号码
        /// 选填。
        mobilePhone: Option<MobilePhone>,
        /// 用户类别
        userType: UserType,
        /// 机构跟踪号
        /// 院内唯一标识该缴费记录值，不重复；同号同内容再次提交不会重复计入。
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
    /// 结清、撤销: an item that was reported and is no longer owed. Access guide 4.3.3.2.
    pub struct ChangeRow {
        /// 机构跟踪号
        /// 上报时的机构跟踪号。
        orgTraceId: OrgTraceId,
        /// 平台跟踪号
        /// 选填；经前置机上报的，前置机自行对应。
        traceId: Option<TraceId>,
    }
}

message! {
    /// 非实名转实名: an item that was reported without a name. Access guide 3.1.10 and 4.3.3.2.
    pub struct NameRow {
        /// 机构跟踪号
        /// 上报时的机构跟踪号。
        orgTraceId: OrgTraceId,
        /// 平台跟踪号
        /// 选填；经前置机上报的，前置机自行对应。
        traceId: Option<TraceId>,
        /// 身份证号
        idNo: IdNo,
        /// 证件类型
        idType: IdType,
        /// 用户姓名
        userName: UserName,
        /// 电子健康卡主索引 id
        /// 选填；留存过该患者主索引的，前置机自行补上。
        ehealthCardId: Option<EhealthCardId>,
        /// 手机号码
        /// 选填。
        mobilePhone: Option<MobilePhone>,
    }
}

impl Row {
    /// Which kind of row it is.
    #[must_use]
    pub const fn action(&self) -> Action {
        match self {
            Self::Report(_) => Action::Report,
            Self::Settle(_) => Action::Settle,
            Self::Revoke(_) => Action::Revoke,
            Self::RealName(_) => Action::RealName,
        }
    }

    /// The item that it is about.
    #[must_use]
    pub const fn org_trace_id(&self) -> &OrgTraceId {
        match self {
            Self::Report(row) => &row.orgTraceId,
            Self::Settle(row) | Self::Revoke(row) => &row.orgTraceId,
            Self::RealName(row) => &row.orgTraceId,
        }
    }
}

impl Action {
    /// The members of its rows.
    #[must_use]
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Self::Report => DebtRow::FIELDS,
            Self::Settle | Self::Revoke => ChangeRow::FIELDS,
            Self::RealName => NameRow::FIELDS,
        }
    }
}

impl NameRow {
    /// The debt with this name.
    pub(crate) fn of(&self, debt: &DebtRow) -> DebtRow {
        DebtRow {
            idNo: Some(self.idNo.clone()),
            idType: Some(self.idType),
            userName: Some(self.userName.clone()),
            ehealthCardId: self.ehealthCardId.clone(),
            mobilePhone: self.mobilePhone.clone().or(debt.mobilePhone.clone()),
            ..debt.clone()
        }
    }
}

/// The rows of a person with items, as the guide has them (4.3.1.2).
pub(crate) fn of_person(person: UnsettledPerson) -> impl Iterator<Item = DebtRow> {
    let items = person.itemList.clone();
    items.into_iter().map(move |item| DebtRow {
        idNo: person.idNo.clone(),
        idType: person.idType,
        userName: person.userName.clone(),
        ehealthCardId: person.ehealthCardId.clone(),
        mobilePhone: person.mobilePhone.clone(),
        userType: person.userType,
        orgTraceId: item.orgTraceId,
        medType: item.medType,
        feeType: item.feeType,
        itemName: item.itemName,
        amount: item.amount,
        actualTime: item.actualTime,
    })
}

#[cfg(test)]
mod tests {
    use banyan_protocol::wire;

    use super::*;

    #[test]
    fn a_row_is_checked_by_reading_it() {
        let row = r#"{"userType":"01","orgTraceId":"T1","medType":"11","feeType":"01",
            "itemName":"挂号费","amount":"12.5","actualTime":"2025-01-10 18:33:21"}"#;
        let row: DebtRow = wire::read(row).unwrap();
        assert_eq!(row.amount.fen(), 1250);
        let fault = wire::read::<ChangeRow>(r#"{"traceId":"P1"}"#).unwrap_err();
        assert_eq!((&*fault.path, &*fault.expected), ("orgTraceId", "不可缺少"));
        let row = Row::Report(row);
        assert_eq!(row.action(), Action::Report);
        assert_eq!(row.org_trace_id().as_str(), "T1");
    }

    #[test]
    fn an_action_is_said_in_either_language() {
        for (action, label) in Action::ENTRIES.iter().map(|entry| (entry.code, entry.name)) {
            assert_eq!(Action::from_code(action), Action::from_code(label));
        }
    }
}
