//! A call that was let through, as rooms see it.

use std::sync::Arc;

use banyan_protocol::catalogue::Interface;
use banyan_protocol::crypto::sm3::Sm3Digest;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::Private;
use banyan_store::journal::{Direction, Entry};
use banyan_store::partners::Kind;
use banyan_store::vault::{CardIndex, PersonCode};

use crate::app::App;
use crate::directory::Partner;
use crate::refusal::Refusal;

/// A call that was let through.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The platform.
    pub app: &'a App,
    /// Who calls.
    pub partner: &'a Arc<Partner>,
    /// What is called.
    pub interface: Interface,
    /// When the call came.
    pub now_ms: i64,
    /// When its message was made: its signed time, or else when it came.
    pub said_ms: i64,
    /// What tells the message's signature from any other; `None` where it has none.
    pub signature: Option<Sm3Digest>,
    /// What came beside it.
    pub beside: Beside<'a>,
}

/// What a message of the credential centre says beside its data; empty in the other envelopes.
#[derive(Clone, Copy, Default)]
pub struct Beside<'a> {
    /// 机构 ID of the message, which is the caller's own.
    pub org_id: &'a str,
    /// 码值 that a scanner read.
    pub qr_code: Option<&'a str>,
}

/// What a call is about, for the journal.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// About whom, where it is about one person.
    pub person: Option<PersonCode>,
    /// What for.
    pub purpose: Option<String>,
    /// About what.
    pub subject: Option<String>,
}

impl Call<'_> {
    /// The journal's entry of this call, once it is done.
    ///
    /// # Errors
    /// Where no id can be had.
    pub async fn entry(&self, about: About) -> Result<Entry, Refusal> {
        Ok(Entry {
            id: self.app.ids.next().await?,
            at_ms: self.now_ms,
            partner: self.partner.id,
            interface: self.interface.code().into(),
            direction: Direction::Received,
            result: ResultCode::Success.code().into(),
            person: about.person,
            purpose: about.purpose,
            subject: about.subject,
            digest: self.signature,
        })
    }

    /// Journals a read behind.
    ///
    /// # Errors
    /// Where the journal is closed: what can't be written down is not answered.
    pub async fn journal_read(&self, about: About) -> Result<(), Refusal> {
        let entry = self.entry(about).await?;
        Ok(self.app.journal.leave(entry).await?)
    }

    /// Refuses an orgId that is not the caller's own.
    ///
    /// # Errors
    /// 000105 at `orgId`.
    pub fn own_org_id(&self, org_id: &str) -> Result<(), Refusal> {
        if self.partner.kind == Kind::Hospital && self.partner.org_id.as_deref() == Some(org_id) {
            return Ok(());
        }
        Err(Refusal::field("orgId", "与调用方登记的机构不一致"))
    }

    /// The code of the person whom an identity names, and a check of the index that came with it.
    ///
    /// # Errors
    /// 000105 at `ehealthCardId` where it is missing though this caller must give it, or belongs
    /// to somebody else.
    pub fn person(
        &self,
        id_type: &str,
        id_no: &str,
        ehealth_card_id: Option<&str>,
    ) -> Result<PersonCode, Refusal> {
        match ehealth_card_id {
            Some(index) => {
                let own = self.app.vault.card_index(id_type, id_no);
                if CardIndex::parse(index) != Some(own) {
                    return Err(Refusal::field("ehealthCardId", "与证件信息不符"));
                }
            }
            None if self.partner.kind == Kind::Mzt => {}
            None => {
                return Err(Refusal::field(
                    "ehealthCardId",
                    "不可缺少（闽政通渠道除外）",
                ));
            }
        }
        Ok(self.app.vault.person_code(id_type, id_no))
    }
}

impl std::fmt::Debug for Beside<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Beside")
            .field("org_id", &self.org_id)
            .finish_non_exhaustive()
    }
}

/// The text inside an optional private value.
pub fn exposed<T: AsRef<str>>(value: Option<&Private<T>>) -> Option<&str> {
    value.map(|value| value.expose().as_ref())
}
