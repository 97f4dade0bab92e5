//! 现金支付人员信息接受 (CI00.02.00.07), 统一对外接口 3.5.

use super::said::Spoken as _;
use super::{CertNo, Faults, PersonName, Said, ServiceId};
use crate::dictionaries::PayKind;
use crate::message;
use crate::wire::{Scalar as _, Text};

message! {
    /// 请求: who paid in cash. Section 3.5.
    pub struct CashPaymentRequest {
        /// 第三方平台支付流水号
        hi_pay_no: Text<128>,
        /// 实际支付时间
        hi_pay_date: Said<40>,
        /// 医保支付总金额
        medfee_sumamt: Said<40>,
        /// 结算方式
        /// 固定传 3。
        pay_kind: Said<20>,
        /// 姓名
        name: PersonName,
        /// 证件号
        idcard: CertNo,
        /// appid
        /// 须与渠道 id（chs_fjs_appid）一致。
        appid: Said<64>,
        /// 服务 id
        service_id: ServiceId,
        /// 机构编码
        org_code: Said<40>,
        /// 地市
        region: Said<40>,
    }
}

impl CashPaymentRequest {
    /// The text of a member as it was said; `None` where it was missing.
    #[must_use]
    pub fn said(&self, member: &str) -> Option<&str> {
        match member {
            "hi_pay_no" => self.hi_pay_no.spoken(),
            "hi_pay_date" => self.hi_pay_date.spoken(),
            "medfee_sumamt" => self.medfee_sumamt.spoken(),
            "pay_kind" => self.pay_kind.spoken(),
            "name" => self.name.spoken(),
            "idcard" => self.idcard.spoken(),
            "appid" => self.appid.spoken(),
            "service_id" => self.service_id.spoken(),
            "org_code" => self.org_code.spoken(),
            "region" => self.region.spoken(),
            _ => None,
        }
    }

    /// What is off, for the channel's validation to decide.
    #[must_use]
    pub fn faults(&self, app_id: &str) -> Faults {
        let mut faults = Faults::default();
        faults.time("", "hi_pay_date", &self.hi_pay_date);
        faults.amount("", "medfee_sumamt", &self.medfee_sumamt);
        let cash = self.pay_kind.text().map(PayKind::parse);
        if !matches!(cash, Some(Ok(_))) {
            faults.note(|| "pay_kind".to_owned(), "固定传 3");
        }
        if self.appid.text() != Some(app_id) {
            faults.note(|| "appid".to_owned(), "须与渠道 id（chs_fjs_appid）一致");
        }
        faults.there("", "org_code", &self.org_code);
        faults.there("", "region", &self.region);
        faults
    }
}
