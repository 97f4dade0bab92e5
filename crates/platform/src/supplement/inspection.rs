//! What an operator looks up in the ledgers: everything that was said of one record, and the
//! deductibles that are left to somebody.
//!
//! Each look is in the operators' audit before anything is shown. Numbers and names are masked
//! unless the operator says why they are needed; the reason then stands in the audit too.

use banyan_store::db::StoreError;
use banyan_store::ids::PartnerId;
use banyan_store::partners::Kind;
use banyan_store::supplement::claims::Left;
use banyan_store::supplement::{Named, Version, cases, claims, medicine_box, payments};

use super::export::pseudonym;
use super::ledgers::{Identity, Ledger};
use crate::admin::{AdminError, Desk};

/// Which record. A channel has at most one for each key, and several channels may have one each.
#[derive(Clone, PartialEq, Eq)]
pub enum RecordKey {
    /// 理赔信息, by 服务 id (empty where none was sent) and 案件号.
    Claim {
        /// 服务 id.
        service_id: String,
        /// 案件号.
        case_no: String,
    },
    /// An invoice of a historical case.
    Case {
        /// 服务 id.
        service_id: String,
        /// 案件号.
        case_no: String,
        /// 发票号.
        invoice_num: String,
    },
    /// 现金支付, by 支付流水号.
    Payment {
        /// 第三方平台支付流水号.
        hi_pay_no: String,
    },
    /// 小药箱, by 服务 id and 证件号码.
    Order {
        /// 服务 id.
        service_id: String,
        /// 证件号码.
        cert_no: String,
    },
}

/// How much of persons is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identities {
    /// Names but for the last character, numbers but for their ends.
    Masked,
    /// Everything.
    Shown {
        /// Why the operator needs it.
        reason: String,
    },
}

/// What one channel said of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The channel's appid.
    pub app_id: String,
    /// The insurer's name.
    pub name: String,
    /// What it said, from first to last.
    pub times: Vec<SaidOnce>,
}

/// What a channel said of a record at one time; `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct SaidOnce {
    /// Which version it made, from 1.
    pub version: i64,
    /// When it came.
    pub at_ms: i64,
    /// The fields that it said otherwise than the version before, all where there was none; `None`
    /// for one that was not sent any more.
    pub fields: Vec<(&'static str, Option<String>)>,
}

/// Longer than any reason need be.
const MOST_REASON_CHARS: usize = 200;

impl Desk {
    /// Everything that was said of a record, by each channel that has one, or by the one channel
    /// that is asked about.
    ///
    /// # Errors
    /// [`AdminError::Input`] where there is no such channel, or a reason is none.
    pub async fn ledger_history(
        &self,
        key: &RecordKey,
        channel: Option<&str>,
        identities: &Identities,
    ) -> Result<Vec<Said>, AdminError> {
        let shown = match identities {
            Identities::Masked => "masked".to_owned(),
            Identities::Shown { reason } => format!("with identities: {}", reason_of(reason)?),
        };
        let insurers = self.partners().await?.into_iter();
        let mut insurers: Vec<_> = insurers
            .filter(|partner| partner.profile.kind == Kind::Insurer)
            .filter(|partner| channel.is_none_or(|app_id| partner.profile.app_id == app_id))
            .collect();
        if let (Some(_), true) = (channel, insurers.is_empty()) {
            return Err(AdminError::Input("没有这个保险渠道".to_owned()));
        }
        insurers.sort_by_key(|partner| partner.id.0);
        let ledger = key.ledger();
        let mut said = Vec::new();
        for partner in insurers {
            let versions = self.versions(key, partner.id).await?;
            if versions.is_empty() {
                continue;
            }
            said.push(Said {
                app_id: partner.profile.app_id,
                name: partner.profile.name,
                times: times(ledger, &versions, identities),
            });
        }
        let target = key.target(self);
        let count: usize = said.iter().map(|said| said.times.len()).sum();
        let detail = format!("{shown}; {count} versions");
        self.note("ledger.history", &target, detail).await?;
        Ok(said)
    }

    /// The deductibles that are left to somebody on a service in a year, as [`claims::left`] reads them;
    /// `None` where there is no claim.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn deductibles_left(
        &self,
        cert_no: &str,
        service_id: &str,
        year: &str,
    ) -> Result<Option<Left>, AdminError> {
        let named = Named::new(&self.vault, cert_no, "");
        let left = claims::left(&self.db, &named.person, service_id, year).await?;
        let target = pseudonym(&self.vault, cert_no);
        let detail = format!("service {service_id}, year {year}");
        self.note("ledger.left", &target, detail).await?;
        Ok(left)
    }

    async fn versions(
        &self,
        key: &RecordKey,
        partner: PartnerId,
    ) -> Result<Vec<Version>, StoreError> {
        let (db, vault) = (&self.db, &self.vault);
        match key {
            RecordKey::Claim {
                service_id,
                case_no,
            } => claims::history(db, vault, partner, service_id, case_no).await,
            RecordKey::Case {
                service_id,
                case_no,
                invoice_num,
            } => cases::history(db, vault, partner, service_id, case_no, invoice_num).await,
            RecordKey::Payment { hi_pay_no } => {
                payments::history(db, vault, partner, hi_pay_no).await
            }
            RecordKey::Order {
                service_id,
                cert_no,
            } => {
                let person = Named::new(vault, cert_no, "").person;
                medicine_box::history(db, vault, partner, service_id, &person).await
            }
        }
    }
}

impl RecordKey {
    const fn ledger(&self) -> Ledger {
        match self {
            Self::Claim { .. } => Ledger::Claims,
            Self::Case { .. } => Ledger::Cases,
            Self::Payment { .. } => Ledger::Payments,
            Self::Order { .. } => Ledger::MedicineBox,
        }
    }

    /// As the audit names it: persons by the code that exports show.
    fn target(&self, desk: &Desk) -> String {
        let ledger = self.ledger().name();
        match self {
            Self::Claim {
                service_id,
                case_no,
            } => format!("{ledger} {service_id}/{case_no}"),
            Self::Case {
                service_id,
                case_no,
                invoice_num,
            } => format!("{ledger} {service_id}/{case_no}/{invoice_num}"),
            Self::Payment { hi_pay_no } => format!("{ledger} {hi_pay_no}"),
            Self::Order {
                service_id,
                cert_no,
            } => {
                let person = pseudonym(&desk.vault, cert_no);
                format!("{ledger} {service_id}/{person}")
            }
        }
    }
}

fn reason_of(reason: &str) -> Result<&str, AdminError> {
    let reason = reason.trim();
    let length = reason.chars().count();
    if (1..=MOST_REASON_CHARS).contains(&length) && !reason.contains(char::is_control) {
        return Ok(reason);
    }
    Err(AdminError::Input(format!(
        "查看身份信息须说明事由（--reason，至多 {MOST_REASON_CHARS} 字，不含换行）"
    )))
}

/// From the newest first, as the store gives them, to what each changed.
fn times(ledger: Ledger, versions: &[Version], identities: &Identities) -> Vec<SaidOnce> {
    let mut times = Vec::with_capacity(versions.len());
    let mut before: Option<&Version> = None;
    for version in versions.iter().rev() {
        let mut fields = Vec::new();
        for (place, field) in ledger.fields().iter().enumerate() {
            let text = version.content.at(place);
            let same = before.map_or(text.is_none(), |before| before.content.at(place) == text);
            if same {
                continue;
            }
            let shown = text.map(|text| match (Identity::of(field), identities) {
                (Some(identity), Identities::Masked) => identity.masked(text),
                _ => text.to_owned(),
            });
            fields.push((*field, shown));
        }
        times.push(SaidOnce {
            version: version.version,
            at_ms: version.at_ms,
            fields,
        });
        before = Some(version);
    }
    times
}

/// Names the ledger: a key may hold a person's number.
impl std::fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecordKey({})", self.ledger().name())
    }
}

impl std::fmt::Debug for SaidOnce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SaidOnce({}, ***)", self.version)
    }
}
