//! 理赔信息接收 (CI00.03.00.03), 统一对外接口 3.4.

use super::said::Spoken as _;
use super::{CaseNo, CertNo, Faults, MAX_ROWS_PER_CALL, PersonName, Said, ServiceId};
use crate::message;
use crate::wire::FieldFault;

message! {
    /// 请求: claims that were settled. Section 3.4.
    pub struct ClaimsRequest {
        /// 理赔信息 list
        /// 单次最多 500 条。
        claimsInfo: Vec<Claim>,
    }
}

message! {
    /// 理赔信息 list 的一行: one claim.
    pub struct Claim {
        /// 案件号
        caseNo: CaseNo,
        /// 证件类型
        certType: Said<40>,
        /// 证件号码
        certno: CertNo,
        /// 姓名
        psnName: PersonName,
        /// 结案时间
        closeTime: Said<40>,
        /// 报销年度
        year: Said<20>,
        /// 理赔总金额
        claimTotal: Said<40>,
        /// 发票总金额
        invoiceTotal: Said<40>,
        /// 服务 id
        /// 修订版 1.2 起增加，可不传；与渠道、案件号一起标识一条理赔。
        serviceId: Option<ServiceId>,
        /// 责任 1 剩余免赔额
        /// 修订版 1.2 起增加。
        dut0LeaDed: OptionalAmount,
        /// 责任 1 剩余免赔额
        /// dut0LeaDed 的另一种写法（字母 O），与其同义，只用其一。
        dutOLeaDed: OptionalAmount,
        /// 责任 2 剩余免赔额
        /// 修订版 1.2 起增加。
        dutTLeaDed: OptionalAmount,
        /// 责任 4 剩余免赔额
        /// 修订版 1.2 起增加。
        dutFLeaDed: OptionalAmount,
    }
}

/// An amount that revision 1.2 added, so that it may be missing.
pub type OptionalAmount = Option<crate::wire::Private<crate::wire::Text<40>>>;

impl ClaimsRequest {
    /// What the field table can't say and no channel may ignore.
    ///
    /// # Errors
    /// The first place that is wrong.
    pub fn check(&self) -> Result<(), FieldFault> {
        if self.claimsInfo.len() > MAX_ROWS_PER_CALL {
            return Err(FieldFault::new(
                format!("claimsInfo[{MAX_ROWS_PER_CALL}]"),
                format!("单次最多 {MAX_ROWS_PER_CALL} 条，超过的请分次调用"),
            ));
        }
        for (row, claim) in self.claimsInfo.iter().enumerate() {
            if let (Some(zero), Some(letter)) = (&claim.dut0LeaDed, &claim.dutOLeaDed)
                && zero != letter
            {
                return Err(FieldFault::new(
                    format!("claimsInfo[{row}].dutOLeaDed"),
                    "与 dut0LeaDed 同指责任 1，两者不一致",
                ));
            }
        }
        Ok(())
    }

    /// What is off, for the channel's validation to decide.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        for (row, claim) in self.claimsInfo.iter().enumerate() {
            let place = &*format!("claimsInfo[{row}].");
            faults.there(place, "certType", &claim.certType);
            faults.time(place, "closeTime", &claim.closeTime);
            faults.year(place, "year", &claim.year);
            faults.amount(place, "claimTotal", &claim.claimTotal);
            faults.amount(place, "invoiceTotal", &claim.invoiceTotal);
            for (name, amount) in [
                ("dut0LeaDed", &claim.dut0LeaDed),
                ("dutOLeaDed", &claim.dutOLeaDed),
                ("dutTLeaDed", &claim.dutTLeaDed),
                ("dutFLeaDed", &claim.dutFLeaDed),
            ] {
                let text = amount.as_ref().map(|amount| amount.expose().as_str());
                faults.amount(place, name, &Said::<40>::new(text.unwrap_or_default()));
            }
        }
        faults
    }
}

impl Claim {
    /// The text of a member as it was said; `None` where it was missing.
    #[must_use]
    pub fn said(&self, member: &str) -> Option<&str> {
        match member {
            "caseNo" => self.caseNo.spoken(),
            "certType" => self.certType.spoken(),
            "certno" => self.certno.spoken(),
            "psnName" => self.psnName.spoken(),
            "closeTime" => self.closeTime.spoken(),
            "year" => self.year.spoken(),
            "claimTotal" => self.claimTotal.spoken(),
            "invoiceTotal" => self.invoiceTotal.spoken(),
            "serviceId" => self.serviceId.spoken(),
            "dut0LeaDed" => self.duty_one_left(),
            "dutTLeaDed" => self.dutTLeaDed.spoken(),
            "dutFLeaDed" => self.dutFLeaDed.spoken(),
            _ => None,
        }
    }

    /// 责任 1 剩余免赔额, under whichever of its two names it came.
    #[must_use]
    pub fn duty_one_left(&self) -> Option<&str> {
        let either = self.dut0LeaDed.as_ref().or(self.dutOLeaDed.as_ref());
        either.map(|amount| amount.expose().as_str())
    }
}
