//! The four ledgers by name, and what their fields are.

use banyan_store::supplement::{cases, claims, medicine_box, payments};

use crate::masking::{masked_name, masked_number};

/// Which ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ledger {
    /// 理赔信息
    Claims,
    /// 历史案件
    Cases,
    /// 现金支付
    Payments,
    /// 小药箱
    MedicineBox,
}

/// How a field says who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// By name.
    Name,
    /// By number.
    Number,
}

impl Ledger {
    /// As operators call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::Cases => "cases",
            Self::Payments => "payments",
            Self::MedicineBox => "medicine-box",
        }
    }

    pub(super) const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Claims => claims::FIELDS,
            Self::Cases => cases::FIELDS,
            Self::Payments => payments::FIELDS,
            Self::MedicineBox => medicine_box::FIELDS,
        }
    }

    pub(super) const fn person_field(self) -> &'static str {
        match self {
            Self::Claims | Self::MedicineBox => "certno",
            Self::Cases => "insuredCertno",
            Self::Payments => "idcard",
        }
    }
}

impl Identity {
    /// How this field does; `None` where it says nothing of the kind.
    pub(super) fn of(field: &str) -> Option<Self> {
        match field {
            "psnName" | "insuredName" | "name" => Some(Self::Name),
            "certno" | "insuredCertno" | "idcard" => Some(Self::Number),
            _ => None,
        }
    }

    /// What is shown of it to somebody who need not see it whole.
    pub(super) fn masked(self, text: &str) -> String {
        match self {
            Self::Name => masked_name(text),
            Self::Number => masked_number(text),
        }
    }
}

/// Fields that hold yuan.
pub(super) fn is_amount(field: &str) -> bool {
    field.ends_with("Amt")
        || field.ends_with("LeaDed")
        || ["reasonableAmt", "compenAmt", "speciDrugPrice"]
            .iter()
            .any(|start| field.starts_with(start))
        || matches!(field, "claimTotal" | "invoiceTotal" | "medfee_sumamt")
}
