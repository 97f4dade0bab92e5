//! 申诉 by a citizen: what he writes is parsed, sealed and kept, and a job is left to ask the
//! hospital. Whoever writes it does not wait for the hospital.

use banyan_protocol::ambient::DAY_MS;
use banyan_store::db::StoreError;
use banyan_store::ids::{AppealId, ItemId, JobId};
use banyan_store::overdue::appeals::{self, Appeal, Bounds, Filed, NewAppeal, Progress, Reason};
use banyan_store::overdue::links::Visitor;
use banyan_store::overdue::own;
use banyan_store::queue::{self, JobKind, NewJob};
use banyan_store::vault::{Place, Vault};

use super::list::hospital_name;
use crate::app::App;

/// The longest explanation, in Unicode characters.
pub const MOST_TEXT: usize = 500;
/// The longest phone number, in characters.
pub const MOST_CONTACT: usize = 20;
/// More open appeals than anybody needs; each makes work for an operator.
const MOST_OPEN: i64 = 10;
/// Appeals in a day, however they ended.
const MOST_A_DAY: i64 = 20;

/// What a citizen writes, checked.
pub struct Plea {
    reason: Reason,
    text: String,
    contact: String,
}

/// What is wrong with what a citizen wrote, for each field, in Chinese.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PleaFaults {
    /// The reason.
    pub reason: Option<&'static str>,
    /// The explanation.
    pub text: Option<&'static str>,
    /// The phone number.
    pub contact: Option<&'static str>,
}

/// An appeal as its own citizen, or an operator, reads it.
pub struct OpenedAppeal {
    /// The appeal.
    pub appeal: Appeal,
    /// What he wrote.
    pub text: String,
    /// How he can be reached.
    pub contact: String,
    /// What he is answered.
    pub answer: Option<String>,
    /// Its progress.
    pub steps: Vec<Progress>,
}

/// An appeal with the names of what it is about.
pub struct NamedAppeal {
    /// The appeal.
    pub appeal: Appeal,
    /// Whose record it is about.
    pub hospital: String,
    /// 项目名称; `None` where the record is no longer his.
    pub item_name: Option<String>,
}

impl Plea {
    /// Checks what a form carried.
    ///
    /// # Errors
    /// What is wrong, field by field.
    pub fn parse(reason: &str, text: &str, contact: &str) -> Result<Self, PleaFaults> {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let (text, contact) = (text.trim(), contact.trim());
        let parsed = Reason::from_text(reason);
        let faults = PleaFaults {
            reason: parsed.is_none().then_some("请选择申诉原因"),
            text: text_fault(text, parsed),
            contact: contact_fault(contact),
        };
        match parsed {
            Some(reason) if faults == PleaFaults::default() => Ok(Self {
                reason,
                text: text.to_owned(),
                contact: contact.to_owned(),
            }),
            _ => Err(faults),
        }
    }
}

fn text_fault(text: &str, reason: Option<Reason>) -> Option<&'static str> {
    if text.chars().count() > MOST_TEXT {
        return Some("说明最多 500 字，请删减后再提交");
    }
    if text
        .chars()
        .any(|letter| letter.is_control() && letter != '\n')
    {
        return Some("说明中有无法识别的字符，请修改后再提交");
    }
    if text.is_empty() && reason == Some(Reason::Other) {
        return Some("选择“其他”时，请写明情况");
    }
    None
}

/// A mobile number, or a landline with its area code.
fn contact_fault(contact: &str) -> Option<&'static str> {
    if contact.is_empty() {
        return Some("请填写联系电话，便于核实情况");
    }
    let digits = contact.chars().filter(char::is_ascii_digit).count();
    let phone = contact
        .chars()
        .all(|letter| letter.is_ascii_digit() || "-+ ".contains(letter));
    let fits = phone && contact.chars().count() <= MOST_CONTACT && (7..=15).contains(&digits);
    (!fits).then_some("请填写手机号码，或带区号的固定电话，例如 0591-87654321")
}

/// Files an appeal against one of the visitor's own records and leaves a job to ask the hospital.
///
/// # Errors
/// Any [`StoreError`].
pub async fn file(
    app: &App,
    visitor: &Visitor,
    item: ItemId,
    plea: &Plea,
) -> Result<(AppealId, Filed), StoreError> {
    let ids = app.ids.take(2).await?;
    let new = NewAppeal {
        id: AppealId(ids.start),
        item,
        person: visitor.person,
        reason: plea.reason,
        text_sealed: app.vault.seal(Place::AppealText, plea.text.as_bytes()),
        contact_sealed: app
            .vault
            .seal(Place::AppealContact, plea.contact.as_bytes()),
    };
    let (id, now_ms) = (new.id, app.now_ms());
    let bounds = Bounds {
        open: MOST_OPEN,
        filed: MOST_A_DAY,
        since_ms: now_ms - DAY_MS,
    };
    let filed = app
        .db
        .write(move |tx| -> Result<Filed, StoreError> {
            let filed = appeals::file(tx, &new, bounds, now_ms)?;
            if let Filed::New(partner) = filed {
                let job = NewJob {
                    id: JobId(ids.start + 1),
                    kind: JobKind::Appeal,
                    lane: partner.0,
                    subject: id.0,
                    due_ms: now_ms,
                };
                queue::leave(tx, &job, now_ms)?;
            }
            Ok(filed)
        })
        .await?;
    if let Filed::New(_) = filed {
        app.wake(JobKind::Appeal);
    }
    Ok((id, filed))
}

/// Takes one of the visitor's own appeals back; gives whether it was open.
///
/// # Errors
/// Any [`StoreError`].
pub async fn withdraw(app: &App, visitor: &Visitor, id: AppealId) -> Result<bool, StoreError> {
    let (person, now_ms) = (visitor.person, app.now_ms());
    app.db
        .write(move |tx| appeals::withdraw(tx, id, &person, now_ms))
        .await
}

/// One of the visitor's own appeals; `None` where it is not his.
///
/// # Errors
/// Any [`StoreError`].
pub async fn own_appeal(
    app: &App,
    visitor: &Visitor,
    id: AppealId,
) -> Result<Option<OpenedAppeal>, StoreError> {
    let Some(appeal) = appeals::one_of_person(&app.db, &visitor.person, id).await? else {
        return Ok(None);
    };
    let steps = appeals::steps(&app.db, id).await?;
    open(&app.vault, appeal, steps).map(Some)
}

/// A page of the visitor's own appeals, the latest first, and whether there are more; pages count
/// from 1.
///
/// # Errors
/// Any [`StoreError`].
pub async fn own_appeals(
    app: &App,
    visitor: &Visitor,
    page: i64,
    page_size: i64,
) -> Result<(Vec<NamedAppeal>, bool), StoreError> {
    let skip = (page - 1) * page_size;
    // One more than is shown tells whether there are more.
    let mut found = appeals::of_person(&app.db, &visitor.person, skip, page_size + 1).await?;
    let most = usize::try_from(page_size).unwrap_or(usize::MAX);
    let more = found.len() > most;
    found.truncate(most);
    let mut named = Vec::with_capacity(found.len());
    for appeal in found {
        // A record that was reported anew may be somebody else's by now.
        let item = own::one(&app.db, &visitor.person, appeal.item).await?;
        named.push(NamedAppeal {
            hospital: hospital_name(app, appeal.partner),
            item_name: item.map(|item| item.item_name),
            appeal,
        });
    }
    Ok((named, more))
}

/// Opens what an appeal keeps sealed.
///
/// # Errors
/// [`StoreError::Corrupt`] where it can't be opened.
pub fn open(
    vault: &Vault,
    appeal: Appeal,
    steps: Vec<Progress>,
) -> Result<OpenedAppeal, StoreError> {
    let read = |place: Place, sealed: &[u8]| {
        String::from_utf8(vault.open(place, sealed)?)
            .map_err(|_| StoreError::Corrupt(format!("{place:?} of appeal {}", appeal.id)))
    };
    Ok(OpenedAppeal {
        text: read(Place::AppealText, &appeal.text_sealed)?,
        contact: read(Place::AppealContact, &appeal.contact_sealed)?,
        answer: appeal
            .answer_sealed
            .as_deref()
            .map(|sealed| read(Place::AppealAnswer, sealed))
            .transpose()?,
        steps,
        appeal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(reason: &str, text: &str, contact: &str) -> PleaFaults {
        Plea::parse(reason, text, contact).map_or_else(|faults| faults, |_| PleaFaults::default())
    }

    #[test]
    fn a_plea_says_why_and_how_to_be_reached() {
        for contact in ["13800000000", "0591-87654321", "+86 138 0000 0000"] {
            assert_eq!(
                faults("paid", "", contact),
                PleaFaults::default(),
                "{contact}"
            );
        }
        for contact in [
            "",
            "12345",
            "1380000000a",
            "１３８００００００００",
            "1234567890123456",
        ] {
            assert!(faults("paid", "", contact).contact.is_some(), "{contact}");
        }
        assert!(faults("", "", "13800000000").reason.is_some());
        assert!(faults("open", "", "13800000000").reason.is_some());
    }

    #[test]
    fn an_explanation_has_its_length_and_letters() {
        let phone = "13800000000";
        assert!(faults("other", " \r\n ", phone).text.is_some());
        assert!(faults("paid", "有\u{0}字", phone).text.is_some());
        assert!(faults("paid", &"𠮷".repeat(501), phone).text.is_some());
        assert_eq!(
            faults("paid", &"𠮷".repeat(500), phone),
            PleaFaults::default()
        );
        let plea = Plea::parse("other", "一\r\n二\r三", phone).ok().unwrap();
        assert_eq!(plea.text, "一\n二\n三");
    }
}
