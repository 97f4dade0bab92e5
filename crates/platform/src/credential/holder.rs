//! Holders of a credential: who is named by a message, and what an institution is told of him.

use banyan_protocol::credential::dictionaries::CertType;
use banyan_protocol::credential::ec_query::PersonReply;
use banyan_protocol::credential::{Blank, CentreCode, EcToken, Reserved};
use banyan_protocol::dictionaries::IdType;
use banyan_protocol::wire::{Private, Scalar, Text};
use banyan_store::credential::holders::{self, Holder};
use banyan_store::db::StoreError;
use banyan_store::health_card::names::same_name;
use banyan_store::ids::{HealthCardPersonId, PartnerId};

use super::{refuse, token};
use crate::app::App;
use crate::refusal::Refusal;

/// The holder with this id.
///
/// # Errors
/// 500001 where there is none.
pub(super) async fn by_id(app: &App, id: HealthCardPersonId) -> Result<Holder, Refusal> {
    let holder = holders::by_id(&app.db, &app.vault, id).await?;
    holder.ok_or_else(|| refuse(CentreCode::NoCredential))
}

/// The holder whom a message names.
///
/// # Errors
/// 500001 where there is none, 500028 where his name is another.
pub(super) async fn named(
    app: &App,
    cert_type: CertType,
    id_no: &str,
    user_name: &str,
) -> Result<Holder, Refusal> {
    for id_type in cert_type.id_types() {
        let index = app.vault.card_index(id_type.code(), id_no);
        let Some(holder) = holders::by_index(&app.db, &app.vault, &index).await? else {
            continue;
        };
        if same_name(&holder.person.identity.user_name, user_name) {
            return Ok(holder);
        }
        return Err(refuse(CentreCode::RealNameFailed));
    }
    Err(refuse(CentreCode::NoCredential))
}

/// What an institution is told of a holder.
///
/// # Errors
/// 500054 where his place of insurance is not known.
pub(super) fn told(
    app: &App,
    holder: &Holder,
    to: PartnerId,
    now_ms: i64,
) -> Result<PersonReply, Refusal> {
    let (identity, id) = (&holder.person.identity, holder.person.id);
    let id_type = IdType::from_code(&identity.id_type)
        .ok_or_else(|| StoreError::Corrupt(format!("person {id}: idType")))?;
    Ok(PersonReply {
        idNo: kept(id, "idNo", &identity.id_no)?,
        idType: CertType::of(id_type),
        userName: kept(id, "userName", &identity.user_name)?,
        ecToken: new_token(app, id, to, now_ms)?,
        insuOrg: Text::parse(&holder.insu_org).map_err(|_| refuse(CentreCode::NoInsuOrg))?,
        ecIndexNo: Blank(Text::parse(&index_no(app, id)).ok()),
        gender: Blank(
            identity
                .user_sex
                .as_deref()
                .and_then(|sex| Text::parse(sex).ok()),
        ),
        birthday: Blank(identity.birthday.as_deref().and_then(dashed)),
        nationality: Blank(None),
        email: Blank(None),
        extra: Reserved,
    })
}

/// A token for what the institution does next.
pub(super) fn new_token(
    app: &App,
    person: HealthCardPersonId,
    to: PartnerId,
    now_ms: i64,
) -> Result<EcToken, Refusal> {
    token::issue(app, person, to, now_ms)
        .ok_or_else(|| Refusal::ours(format!("no token has room for person {person}")))
}

/// 电子凭证索引号: 32 hexadecimal digits that nobody can work out from the identity.
fn index_no(app: &App, person: HealthCardPersonId) -> String {
    let code = app
        .vault
        .credential_code("index", &[&person.0.to_be_bytes()]);
    hex::encode_upper(&code[..16])
}

/// `yyyyMMdd` as `yyyy-MM-dd`.
fn dashed(birthday: &str) -> Option<Private<Text<10>>> {
    let (year, rest) = birthday.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    let text = Text::parse(&format!("{year}-{month}-{day}")).ok()?;
    Some(Private::new(text))
}

fn kept<T: Scalar>(
    person: HealthCardPersonId,
    what: &str,
    text: &str,
) -> Result<Private<T>, StoreError> {
    T::parse(text)
        .map(Private::new)
        .map_err(|_| StoreError::Corrupt(format!("person {person}: {what}")))
}
