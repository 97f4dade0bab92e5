//! A citizen's own card, where his session vouches for who he is: seeing it, and taking one.
//!
//! Number and name come from the session, which 闽政通 or a hospital opened for him, or a claim on
//! the page of an authorisation; he cannot say them anew. A card is shown only where the registered
//! name is the session's too.

use banyan_protocol::wire::FieldFault;
use banyan_store::db::StoreError;
use banyan_store::health_card::names::same_name;
use banyan_store::health_card::{Claim, Registered, persons, register};
use banyan_store::ids::HealthCardPersonId;

use super::card::Card;
use super::identity::{Stated, checked_phone};
use crate::app::App;

/// How somebody stands with his card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holding {
    /// He has one.
    Card(Card),
    /// He has none yet.
    NotRegistered,
    /// Under his number somebody of another name is registered.
    NameDiffers,
}

/// What taking a card came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// He has one now, or had one already.
    Done,
    /// Something can't be, as it was written or as his session has it.
    Malformed(FieldFault),
    /// Under his number somebody of another name is registered; people will decide.
    NameDiffers,
}

/// The card of whoever has this number and name.
///
/// # Errors
/// Any [`StoreError`].
pub async fn holding(app: &App, stated: &Stated<'_>) -> Result<Holding, StoreError> {
    let index = app.vault.card_index(stated.id_type, stated.id_no);
    let person = persons::by_index(&app.db, &app.vault, &index).await?;
    Ok(match person {
        None => Holding::NotRegistered,
        Some(person) if same_name(&person.identity.user_name, stated.user_name) => {
            Holding::Card(Card::of(&person))
        }
        Some(_) => Holding::NameDiffers,
    })
}

/// He takes a card; his phone must be among what is stated.
///
/// # Errors
/// Any [`StoreError`].
pub async fn take(app: &App, stated: &Stated<'_>) -> Result<Taken, StoreError> {
    let checked = checked_phone(stated.mobile_phone.trim()).and_then(|_| stated.check());
    let identity = match checked {
        Ok(identity) => identity,
        Err(fault) => return Ok(Taken::Malformed(fault)),
    };
    let id = HealthCardPersonId(app.person_ids.next().await?);
    let claim = Claim::new(&app.vault, id, identity, None);
    let (vault, now_ms) = (app.vault.clone(), app.now_ms());
    let registered = app
        .db
        .write(move |tx| register(tx, &vault, &claim, "h5", now_ms))
        .await?;
    Ok(match registered {
        Registered::New(_) | Registered::Known(_) | Registered::Completed(_) => Taken::Done,
        Registered::NameContradicts(_) | Registered::NumberContradicts(_) => Taken::NameDiffers,
    })
}
