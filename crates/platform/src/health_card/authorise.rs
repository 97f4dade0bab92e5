//! What the page behind an authorisation's link does: the citizen says who he is, and authorises
//! the hospital or does not.
//!
//! - Whoever holds the link sees which hospital asks, and nothing of anybody.
//! - He says name, papers, number and phone. Somebody who is not registered is registered by that
//!   (注册、领卡). Of somebody who is, the name must agree and the phone; what does not agree is
//!   refused without saying which of them, and five such claims end the authorisation. A
//!   contradicting name also goes to review. Of whom no phone is known, nobody can prove to be him
//!   here: else the first who names one would be him. Where somebody vouches for him (闽政通, the
//!   hospital's window, an operator's file) he can give it.
//! - A claim that registers somebody counts too, so that no link registers a crowd.
//! - A right claim gives a proof, which the page carries to its next step: only whoever made the
//!   claim can authorise as that person, even if several follow one link.
//! - The hospital learns of it when it asks (ORG_EHC_002), which the journal notes.

use banyan_protocol::crypto::base64;
use banyan_protocol::wire::FieldFault;
use banyan_store::db::StoreError;
use banyan_store::health_card::authorisations::{self, Authorisation, State};
use banyan_store::health_card::persons::{self, Identity};
use banyan_store::health_card::{Claim, Registered, register};
use banyan_store::ids::{AuthorisationId, HealthCardPersonId, PartnerId};
use banyan_store::vault::Place;

use super::AUTHORISATION_PATH;
use super::card::Card;
use super::identity::{Stated, checked_phone};
use crate::app::App;
use crate::living_code::qr_svg;
use crate::token::Token;

/// An authorisation as its page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// Who asks,
    pub partner: PartnerId,
    /// by the name that citizens read.
    pub hospital: String,
    /// How it stands.
    pub state: State,
    /// Until when it can be given.
    pub expires_ms: i64,
}

/// What saying who one is came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is right; the page shows the card and asks whether to authorise.
    Right {
        /// What [`confirm`] wants to see.
        proof: String,
        /// The card.
        card: Card,
        /// Whether the card was taken just now.
        is_new: bool,
    },
    /// Something can't be, as it was written; this does not count.
    Malformed(FieldFault),
    /// It does not agree with what is registered.
    Wrong {
        /// How many claims are left.
        tries_left: u32,
    },
    /// The authorisation is over.
    Over(State),
}

/// What authorising came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmed {
    /// The hospital may have the index.
    Done,
    /// The proof is not one of this authorisation's.
    NotProved,
    /// The authorisation is over.
    Over(State),
}

/// How an authorisation stands that ended by wrong claims.
const TOO_MANY: &str = "患者填写的信息多次与登记不一致";

/// The authorisation that this token opens; `None` where there is none.
///
/// # Errors
/// Any [`StoreError`].
pub async fn of_token(app: &App, token: &str) -> Result<Option<Asking>, StoreError> {
    let Some(found) = find(app, token).await? else {
        return Ok(None);
    };
    let hospital = app.directory.by_id(found.partner);
    Ok(Some(Asking {
        partner: found.partner,
        hospital: hospital.map_or_else(String::new, |hospital| hospital.name.clone()),
        state: found.state_at(app.now_ms()),
        expires_ms: found.expires_ms,
    }))
}

/// The citizen says who he is; a phone must be among it. `None` where there is no such
/// authorisation.
///
/// # Errors
/// Any [`StoreError`].
pub async fn claim(
    app: &App,
    token: &str,
    stated: &Stated<'_>,
) -> Result<Option<Claimed>, StoreError> {
    let Some(found) = find(app, token).await? else {
        return Ok(None);
    };
    let now_ms = app.now_ms();
    if !found.is_open(now_ms) {
        return Ok(Some(Claimed::Over(found.state_at(now_ms))));
    }
    let checked = checked_phone(stated.mobile_phone.trim()).and_then(|_| stated.check());
    let identity = match checked {
        Ok(identity) => identity,
        Err(fault) => return Ok(Some(Claimed::Malformed(fault))),
    };
    let phone = identity.mobile_phone.clone();
    let id = HealthCardPersonId(app.person_ids.next().await?);
    let identity = Identity {
        by_himself: true,
        ..identity
    };
    let claim = Claim::new(&app.vault, id, identity, None);
    let (vault, most) = (
        app.vault.clone(),
        app.settings.health_card.authorisation_tries,
    );
    let authorisation = found.id;
    let judged = app
        .db
        .write(move |tx| -> Result<Judged, StoreError> {
            if !authorisations::hold_open(tx, authorisation, now_ms)? {
                return Ok(Judged {
                    right: None,
                    is_new: false,
                    left: None,
                });
            }
            let registered = register(tx, &vault, &claim, "h5", now_ms)?;
            let (person, is_new) = match registered {
                Registered::New(id) => (Some(id), true),
                Registered::Known(id) | Registered::Completed(id) => (Some(id), false),
                Registered::NameContradicts(_) | Registered::NumberContradicts(_) => (None, false),
            };
            let person = match person {
                Some(id) => persons::in_tx(tx, &vault, id)?,
                None => None,
            };
            let right = person.filter(|person| person.identity.mobile_phone == phone);
            // The last try may still be the one that registers.
            let most = if is_new { most.saturating_add(1) } else { most };
            let left = if right.is_none() || is_new {
                authorisations::count_try(tx, authorisation, most, TOO_MANY, now_ms)?
            } else {
                Some(most)
            };
            Ok(Judged {
                right,
                is_new,
                left,
            })
        })
        .await?;
    Ok(Some(match judged {
        Judged {
            right: Some(person),
            is_new,
            left: Some(1..),
        } => Claimed::Right {
            proof: prove(app, authorisation, person.id),
            card: Card::of(&person),
            is_new,
        },
        Judged {
            left: Some(tries_left),
            ..
        } => Claimed::Wrong { tries_left },
        Judged { left: None, .. } => Claimed::Over(current(app, token).await?),
    }))
}

/// The citizen authorises the hospital, as the person whom he proved to be. `None` where there is
/// no such authorisation.
///
/// # Errors
/// Any [`StoreError`].
pub async fn confirm(app: &App, token: &str, proof: &str) -> Result<Option<Confirmed>, StoreError> {
    let Some(found) = find(app, token).await? else {
        return Ok(None);
    };
    let Some(person) = proved(app, found.id, proof) else {
        return Ok(Some(Confirmed::NotProved));
    };
    Ok(Some(
        match end(app, token, &found, State::Succ(person)).await? {
            None => Confirmed::Done,
            // Pressed twice is pressed once.
            Some(State::Succ(as_whom)) if as_whom == person => Confirmed::Done,
            Some(state) => Confirmed::Over(state),
        },
    ))
}

/// The citizen does not want to. Gives how the authorisation stands; `None` where there is none.
///
/// # Errors
/// Any [`StoreError`].
pub async fn cancel(app: &App, token: &str) -> Result<Option<State>, StoreError> {
    let Some(found) = find(app, token).await? else {
        return Ok(None);
    };
    let over = end(app, token, &found, State::Cancel).await?;
    Ok(Some(over.unwrap_or(State::Cancel)))
}

/// The link of this token as a QR code, for a hospital's screen; `None` where it is no token.
#[must_use]
pub fn authorisation_qr_svg(app: &App, token: &str) -> Option<String> {
    qr_svg(&link(app, &Token::parse(token)?))
}

/// The link that carries this token.
pub(super) fn link(app: &App, token: &Token) -> String {
    format!("{}{AUTHORISATION_PATH}/{}", app.public_url, token.text())
}

struct Judged {
    right: Option<persons::Person>,
    is_new: bool,
    left: Option<u32>,
}

async fn find(app: &App, token: &str) -> Result<Option<Authorisation>, StoreError> {
    match Token::parse(token) {
        Some(token) => authorisations::by_token(&app.db, &token.code(&app.vault).0).await,
        None => Ok(None),
    }
}

async fn current(app: &App, token: &str) -> Result<State, StoreError> {
    find(app, token)
        .await?
        .map(|found| found.state_at(app.now_ms()))
        .ok_or_else(|| StoreError::Corrupt("an authorisation has vanished".to_owned()))
}

/// Ends an authorisation; gives how it stands where somebody was faster.
async fn end(
    app: &App,
    token: &str,
    found: &Authorisation,
    state: State,
) -> Result<Option<State>, StoreError> {
    let (id, now_ms) = (found.id, app.now_ms());
    let ended = app
        .db
        .write(move |tx| authorisations::end(tx, id, &state, now_ms))
        .await?;
    if ended {
        return Ok(None);
    }
    current(app, token).await.map(Some)
}

fn prove(app: &App, authorisation: AuthorisationId, person: HealthCardPersonId) -> String {
    let plain = [authorisation.0.to_be_bytes(), person.0.to_be_bytes()].concat();
    base64::encode(&app.vault.seal(Place::AuthorisationProof, &plain))
}

fn proved(app: &App, authorisation: AuthorisationId, proof: &str) -> Option<HealthCardPersonId> {
    let sealed = base64::decode(proof).ok()?;
    let plain = app.vault.open(Place::AuthorisationProof, &sealed).ok()?;
    let (of, person) = plain.split_first_chunk::<8>()?;
    let person = person.first_chunk::<8>()?;
    (i64::from_be_bytes(*of) == authorisation.0)
        .then(|| HealthCardPersonId(i64::from_be_bytes(*person)))
}
