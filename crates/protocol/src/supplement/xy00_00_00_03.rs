//! 历史案件迁移与小药箱数据同步 (XY00.00.00.03), 统一对外接口 3.6 and 3.7: two messages under one code, told
//! apart by their `topic`.

use super::said::Spoken as _;
use super::{CaseNo, CertNo, Faults, MAX_ROWS_PER_CALL, PersonName, Said, ServiceId};
use crate::dictionaries::{OrderStatus, Topic};
use crate::message;
use crate::wire::{self, Field, FieldFault, Message as _, Text};

/// 请求, of either topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MigrationRequest {
    /// hmbExtInfo.
    Cases(CasesRequest),
    /// hmbYyxInfo.
    MedicineBox(MedicineBoxRequest),
}

/// 发票号.
pub type InvoiceNum = Text<64>;

message! {
    /// 请求 (hmbExtInfo): historical cases. Section 3.6.
    pub struct CasesRequest {
        /// 业务类型
        /// hmbExtInfo：历史案件迁移。
        topic: Topic,
        /// 数据集合
        /// topic 为 hmbExtInfo 时；最多 500 条，一条有误则全部不收。
        hmbList: Vec<HistoricalCase>,
    }
}

message! {
    /// 请求 (hmbYyxInfo): medicine-box orders. Section 3.7.
    pub struct MedicineBoxRequest {
        /// 业务类型
        /// hmbYyxInfo：小药箱数据同步。
        topic: Topic,
        /// 数据集合
        /// topic 为 hmbYyxInfo 时；最多 500 条，一条有误则全部不收。
        hmbList: Vec<MedicineBoxOrder>,
    }
}

message! {
    /// The one member by which the two are told apart; everything else is passed over.
    struct TopicOnly {
        /// 业务类型
        topic: Text<40>,
    }
}

/// Why a message of this code can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRead {
    /// A member is not as it should be.
    Fault(FieldFault),
    /// The topic is none that we know.
    UnknownTopic,
}

impl MigrationRequest {
    /// The members of both topics, as the interface documents show them.
    pub const FIELDS: &'static [Field] = &[
        CasesRequest::FIELDS[0],
        CasesRequest::FIELDS[1],
        MedicineBoxRequest::FIELDS[1],
    ];

    /// Reads the message of whichever topic it names.
    ///
    /// # Errors
    /// See [`NotRead`].
    pub fn read(json: &str) -> Result<Self, NotRead> {
        let named: TopicOnly = wire::read(json).map_err(NotRead::Fault)?;
        match Topic::from_code(named.topic.as_str()) {
            Some(Topic::HmbExtInfo) => wire::read(json).map(Self::Cases),
            Some(Topic::HmbYyxInfo) => wire::read(json).map(Self::MedicineBox),
            None => return Err(NotRead::UnknownTopic),
        }
        .map_err(NotRead::Fault)
    }

    /// What the field table can't say and no channel may ignore: there are rows, and not too many.
    ///
    /// # Errors
    /// The first place that is wrong.
    pub fn check(&self) -> Result<(), FieldFault> {
        let rows = match self {
            Self::Cases(request) => request.hmbList.len(),
            Self::MedicineBox(request) => request.hmbList.len(),
        };
        if rows == 0 {
            return Err(FieldFault::new("hmbList", "至少应有一条"));
        }
        if rows > MAX_ROWS_PER_CALL {
            return Err(FieldFault::new(
                format!("hmbList[{MAX_ROWS_PER_CALL}]"),
                format!("单次最多 {MAX_ROWS_PER_CALL} 条，实际 {rows} 条，超过的请分次调用"),
            ));
        }
        Ok(())
    }

    /// What is off, for the channel's validation to decide.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        if let Self::Cases(request) = self {
            for (row, case) in request.hmbList.iter().enumerate() {
                case.look(&format!("hmbList[{row}]."), &mut faults);
            }
        }
        faults
    }
}

message! {
    /// 数据集合 (hmbYyxInfo) 的一行: one order of a medicine box.
    pub struct MedicineBoxOrder {
        /// 姓名
        psnName: PersonName,
        /// 证件号
        certno: CertNo,
        /// 服务 id
        /// 如 100005【惠厦保 2023】、100002【惠厦保 2022】、100007【惠厦保 2024】，传编码。
        serviceId: ServiceId,
        /// 订单状态
        status: OrderStatus,
    }
}

impl MedicineBoxOrder {
    /// The text of a member as it was said; `None` where it was missing.
    #[must_use]
    pub fn said(&self, member: &str) -> Option<&str> {
        match member {
            "psnName" => self.psnName.spoken(),
            "certno" => self.certno.spoken(),
            "serviceId" => self.serviceId.spoken(),
            "status" => Some(self.status.code()),
            _ => None,
        }
    }
}

message! {
    /// 数据集合 (hmbExtInfo) 的一行: one invoice of one historical case.
    pub struct HistoricalCase {
        /// 报案时间
        reportTime: Said<40>,
        /// 申请方式
        applyMethod: Said<40>,
        /// 案件号
        caseNo: CaseNo,
        /// 结案时间
        closeTime: Said<40>,
        /// 被保险人姓名
        insuredName: PersonName,
        /// 被保险人证件类型
        insuredCertType: Said<40>,
        /// 被保险人证件号码
        insuredCertno: CertNo,
        /// 被保险人性别
        insuredSex: Said<40>,
        /// 当次就诊主诊断名称
        mainDiagName: Said<200>,
        /// 当次就诊主诊断编码
        mainDiagCode: Said<200>,
        /// 既往症名称
        previousIllnessName: Said<200>,
        /// 既往症编码
        previousIllnessCode: Said<200>,
        /// 发票号
        /// 与服务 id、案件号一起标识一条记录。
        invoiceNum: InvoiceNum,
        /// 发票合计金额
        invoiceAmt: Said<40>,
        /// 医保支付金额
        socialPayAmt: Said<40>,
        /// 医保范围内自付金额
        scopeInSelfAmt: Said<40>,
        /// 医保范围外自费金额
        scopeOutSelfAmt: Said<40>,
        /// 医保范围内除外金额
        scopeInExceptAmt: Said<40>,
        /// 医保范围外除外金额
        scopeOutExceptAmt: Said<40>,
        /// 合理金额 1
        reasonableAmtOne: Said<40>,
        /// 赔付比例 1
        compenRatioOne: Said<40>,
        /// 赔付金额 1
        compenAmtOne: Said<40>,
        /// 合理金额 2
        reasonableAmtTwo: Said<40>,
        /// 赔付比例 2
        compenRatioTwo: Said<40>,
        /// 赔付金额 2
        compenAmtTwo: Said<40>,
        /// 合理金额 3
        reasonableAmtThree: Said<40>,
        /// 赔付比例 3
        compenRatioThree: Said<40>,
        /// 赔付金额 3
        compenAmtThree: Said<40>,
        /// 合理金额 4
        reasonableAmtFour: Said<40>,
        /// 赔付比例 4
        compenRatioFour: Said<40>,
        /// 赔付金额 4
        compenAmtFour: Said<40>,
        /// 合理金额 5
        reasonableAmtFive: Said<40>,
        /// 赔付比例 5
        compenRatioFive: Said<40>,
        /// 赔付金额 5
        compenAmtFive: Said<40>,
        /// 合理金额 6
        reasonableAmtSix: Said<40>,
        /// 赔付比例 6
        compenRatioSix: Said<40>,
        /// 赔付金额 6
        compenAmtSix: Said<40>,
        /// 合理金额 7
        reasonableAmtSeven: Said<40>,
        /// 赔付比例 7
        compenRatioSeven: Said<40>,
        /// 赔付金额 7
        compenAmtSeven: Said<40>,
        /// 案件状态
        /// 文档如此拼写。
        caseStaus: Said<40>,
        /// 理赔结论
        claimConclus: Said<200>,
        /// 拒赔/不予受理原因
        reason: Said<1000>,
        /// 赔付金额
        compenAmt: Said<40>,
        /// 支付时间
        payTime: Said<40>,
        /// 就诊医院名称
        fixmedinsName: Said<200>,
        /// 出院时间
        dischargeTime: Said<40>,
        /// 特药商品名 1
        speciDrugNameOne: Said<200>,
        /// 特药单价 1
        speciDrugPriceOne: Said<40>,
        /// 特药数量 1
        speciDrugNumOne: Said<40>,
        /// 特药商品名 2
        speciDrugNameTwo: Said<200>,
        /// 特药单价 2
        speciDrugPriceTwo: Said<40>,
        /// 特药数量 2
        speciDrugNumTwo: Said<40>,
        /// 特药商品名 3
        speciDrugNameThree: Said<200>,
        /// 特药单价 3
        speciDrugPriceThree: Said<40>,
        /// 特药数量 3
        speciDrugNumThree: Said<40>,
        /// 特药商品名 4
        speciDrugNameFour: Said<200>,
        /// 特药单价 4
        speciDrugPriceFour: Said<40>,
        /// 特药数量 4
        speciDrugNumFour: Said<40>,
        /// 特药商品名 5
        speciDrugNameFive: Said<200>,
        /// 特药单价 5
        speciDrugPriceFive: Said<40>,
        /// 特药数量 5
        speciDrugNumFive: Said<40>,
        /// 服务 id
        /// 如 100005【惠厦保 2023】、100002【惠厦保 2022】、100007【惠厦保 2024】，传编码。
        serviceId: ServiceId,
    }
}

impl HistoricalCase {
    /// The text of a member as it was said; `None` where it was missing.
    #[must_use]
    pub fn said(&self, member: &str) -> Option<&str> {
        match member {
            "reportTime" => self.reportTime.spoken(),
            "applyMethod" => self.applyMethod.spoken(),
            "caseNo" => self.caseNo.spoken(),
            "closeTime" => self.closeTime.spoken(),
            "insuredName" => self.insuredName.spoken(),
            "insuredCertType" => self.insuredCertType.spoken(),
            "insuredCertno" => self.insuredCertno.spoken(),
            "insuredSex" => self.insuredSex.spoken(),
            "mainDiagName" => self.mainDiagName.spoken(),
            "mainDiagCode" => self.mainDiagCode.spoken(),
            "previousIllnessName" => self.previousIllnessName.spoken(),
            "previousIllnessCode" => self.previousIllnessCode.spoken(),
            "invoiceNum" => self.invoiceNum.spoken(),
            "invoiceAmt" => self.invoiceAmt.spoken(),
            "socialPayAmt" => self.socialPayAmt.spoken(),
            "scopeInSelfAmt" => self.scopeInSelfAmt.spoken(),
            "scopeOutSelfAmt" => self.scopeOutSelfAmt.spoken(),
            "scopeInExceptAmt" => self.scopeInExceptAmt.spoken(),
            "scopeOutExceptAmt" => self.scopeOutExceptAmt.spoken(),
            "reasonableAmtOne" => self.reasonableAmtOne.spoken(),
            "compenRatioOne" => self.compenRatioOne.spoken(),
            "compenAmtOne" => self.compenAmtOne.spoken(),
            "reasonableAmtTwo" => self.reasonableAmtTwo.spoken(),
            "compenRatioTwo" => self.compenRatioTwo.spoken(),
            "compenAmtTwo" => self.compenAmtTwo.spoken(),
            "reasonableAmtThree" => self.reasonableAmtThree.spoken(),
            "compenRatioThree" => self.compenRatioThree.spoken(),
            "compenAmtThree" => self.compenAmtThree.spoken(),
            "reasonableAmtFour" => self.reasonableAmtFour.spoken(),
            "compenRatioFour" => self.compenRatioFour.spoken(),
            "compenAmtFour" => self.compenAmtFour.spoken(),
            "reasonableAmtFive" => self.reasonableAmtFive.spoken(),
            "compenRatioFive" => self.compenRatioFive.spoken(),
            "compenAmtFive" => self.compenAmtFive.spoken(),
            "reasonableAmtSix" => self.reasonableAmtSix.spoken(),
            "compenRatioSix" => self.compenRatioSix.spoken(),
            "compenAmtSix" => self.compenAmtSix.spoken(),
            "reasonableAmtSeven" => self.reasonableAmtSeven.spoken(),
            "compenRatioSeven" => self.compenRatioSeven.spoken(),
            "compenAmtSeven" => self.compenAmtSeven.spoken(),
            "caseStaus" => self.caseStaus.spoken(),
            "claimConclus" => self.claimConclus.spoken(),
            "reason" => self.reason.spoken(),
            "compenAmt" => self.compenAmt.spoken(),
            "payTime" => self.payTime.spoken(),
            "fixmedinsName" => self.fixmedinsName.spoken(),
            "dischargeTime" => self.dischargeTime.spoken(),
            "speciDrugNameOne" => self.speciDrugNameOne.spoken(),
            "speciDrugPriceOne" => self.speciDrugPriceOne.spoken(),
            "speciDrugNumOne" => self.speciDrugNumOne.spoken(),
            "speciDrugNameTwo" => self.speciDrugNameTwo.spoken(),
            "speciDrugPriceTwo" => self.speciDrugPriceTwo.spoken(),
            "speciDrugNumTwo" => self.speciDrugNumTwo.spoken(),
            "speciDrugNameThree" => self.speciDrugNameThree.spoken(),
            "speciDrugPriceThree" => self.speciDrugPriceThree.spoken(),
            "speciDrugNumThree" => self.speciDrugNumThree.spoken(),
            "speciDrugNameFour" => self.speciDrugNameFour.spoken(),
            "speciDrugPriceFour" => self.speciDrugPriceFour.spoken(),
            "speciDrugNumFour" => self.speciDrugNumFour.spoken(),
            "speciDrugNameFive" => self.speciDrugNameFive.spoken(),
            "speciDrugPriceFive" => self.speciDrugPriceFive.spoken(),
            "speciDrugNumFive" => self.speciDrugNumFive.spoken(),
            "serviceId" => self.serviceId.spoken(),
            _ => None,
        }
    }

    /// Each member as the table describes it.
    fn look(&self, place: &str, faults: &mut Faults) {
        faults.time(place, "reportTime", &self.reportTime);
        faults.there(place, "applyMethod", &self.applyMethod);
        faults.time(place, "closeTime", &self.closeTime);
        faults.there(place, "insuredCertType", &self.insuredCertType);
        faults.there(place, "insuredSex", &self.insuredSex);
        faults.there(place, "mainDiagName", &self.mainDiagName);
        faults.there(place, "mainDiagCode", &self.mainDiagCode);
        faults.there(place, "previousIllnessName", &self.previousIllnessName);
        faults.there(place, "previousIllnessCode", &self.previousIllnessCode);
        faults.amount(place, "invoiceAmt", &self.invoiceAmt);
        faults.amount(place, "socialPayAmt", &self.socialPayAmt);
        faults.amount(place, "scopeInSelfAmt", &self.scopeInSelfAmt);
        faults.amount(place, "scopeOutSelfAmt", &self.scopeOutSelfAmt);
        faults.amount(place, "scopeInExceptAmt", &self.scopeInExceptAmt);
        faults.amount(place, "scopeOutExceptAmt", &self.scopeOutExceptAmt);
        faults.amount(place, "reasonableAmtOne", &self.reasonableAmtOne);
        faults.there(place, "compenRatioOne", &self.compenRatioOne);
        faults.amount(place, "compenAmtOne", &self.compenAmtOne);
        faults.amount(place, "reasonableAmtTwo", &self.reasonableAmtTwo);
        faults.there(place, "compenRatioTwo", &self.compenRatioTwo);
        faults.amount(place, "compenAmtTwo", &self.compenAmtTwo);
        faults.amount(place, "reasonableAmtThree", &self.reasonableAmtThree);
        faults.there(place, "compenRatioThree", &self.compenRatioThree);
        faults.amount(place, "compenAmtThree", &self.compenAmtThree);
        faults.amount(place, "reasonableAmtFour", &self.reasonableAmtFour);
        faults.there(place, "compenRatioFour", &self.compenRatioFour);
        faults.amount(place, "compenAmtFour", &self.compenAmtFour);
        faults.amount(place, "reasonableAmtFive", &self.reasonableAmtFive);
        faults.there(place, "compenRatioFive", &self.compenRatioFive);
        faults.amount(place, "compenAmtFive", &self.compenAmtFive);
        faults.amount(place, "reasonableAmtSix", &self.reasonableAmtSix);
        faults.there(place, "compenRatioSix", &self.compenRatioSix);
        faults.amount(place, "compenAmtSix", &self.compenAmtSix);
        faults.amount(place, "reasonableAmtSeven", &self.reasonableAmtSeven);
        faults.there(place, "compenRatioSeven", &self.compenRatioSeven);
        faults.amount(place, "compenAmtSeven", &self.compenAmtSeven);
        faults.there(place, "caseStaus", &self.caseStaus);
        faults.there(place, "claimConclus", &self.claimConclus);
        faults.there(place, "reason", &self.reason);
        faults.amount(place, "compenAmt", &self.compenAmt);
        faults.time(place, "payTime", &self.payTime);
        faults.there(place, "fixmedinsName", &self.fixmedinsName);
        faults.time(place, "dischargeTime", &self.dischargeTime);
        faults.there(place, "speciDrugNameOne", &self.speciDrugNameOne);
        faults.amount(place, "speciDrugPriceOne", &self.speciDrugPriceOne);
        faults.there(place, "speciDrugNumOne", &self.speciDrugNumOne);
        faults.there(place, "speciDrugNameTwo", &self.speciDrugNameTwo);
        faults.amount(place, "speciDrugPriceTwo", &self.speciDrugPriceTwo);
        faults.there(place, "speciDrugNumTwo", &self.speciDrugNumTwo);
        faults.there(place, "speciDrugNameThree", &self.speciDrugNameThree);
        faults.amount(place, "speciDrugPriceThree", &self.speciDrugPriceThree);
        faults.there(place, "speciDrugNumThree", &self.speciDrugNumThree);
        faults.there(place, "speciDrugNameFour", &self.speciDrugNameFour);
        faults.amount(place, "speciDrugPriceFour", &self.speciDrugPriceFour);
        faults.there(place, "speciDrugNumFour", &self.speciDrugNumFour);
        faults.there(place, "speciDrugNameFive", &self.speciDrugNameFive);
        faults.amount(place, "speciDrugPriceFive", &self.speciDrugPriceFive);
        faults.there(place, "speciDrugNumFive", &self.speciDrugNumFive);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_decides_wherever_it_stands() {
        let order = r#"{"psnName":"甲","certno":"1","serviceId":"100005","status":"1"}"#;
        let read = |json: &str| MigrationRequest::read(json);
        for json in [
            format!(r#"{{"topic":"hmbYyxInfo","hmbList":[{order}]}}"#),
            format!(r#"{{"hmbList":[{order}],"topic":"hmbYyxInfo"}}"#),
        ] {
            assert!(matches!(read(&json), Ok(MigrationRequest::MedicineBox(_))));
        }
        assert_eq!(
            read(r#"{"topic":"hmbOther","hmbList":[]}"#),
            Err(NotRead::UnknownTopic)
        );
        let fault = read(&format!(r#"{{"topic":"hmbExtInfo","hmbList":[{order}]}}"#));
        let Err(NotRead::Fault(fault)) = fault else {
            panic!("an order is no case")
        };
        assert!(fault.path.starts_with("hmbList[0]."), "{fault}");
        let refunded = order.replace("\"1\"}", "\"3\"}");
        let Err(NotRead::Fault(fault)) = read(&format!(
            r#"{{"topic":"hmbYyxInfo","hmbList":[{order},{refunded}]}}"#
        )) else {
            panic!("3 is no status")
        };
        assert_eq!(fault.path, "hmbList[1].status");
    }
}
