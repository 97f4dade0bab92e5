//! What operators do about persons: look at one, and decide about claims that contradict a
//! registration. Each act stands in the audit; nothing is shown that need not be seen.

use banyan_store::db::{StoreError, Tx};
use banyan_store::health_card::persons;
use banyan_store::health_card::reviews::{self, Decided, Kind, Review};
use banyan_store::ids::ReviewId;
use banyan_store::journal::{self, OperatorAct};
use banyan_store::vault::CardIndex;

use super::card::Card;
use super::identity::contrasted;
use crate::admin::{AdminError, Desk};
use crate::health_card::import::Counts;
use crate::masking::masked_number;

/// A review as an operator sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownReview {
    /// The review.
    pub review: Review,
    /// 卡号 of the registered person, by which his papers are found.
    pub card_no: String,
    /// What is registered, shown as far as it differs: a name, or whose the number is.
    pub registered: String,
    /// What was claimed, likewise.
    pub claimed: String,
}

/// More than anybody reads at once.
const MOST_SHOWN: i64 = 200;

impl Desk {
    /// The reviews that wait, oldest first.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn open_reviews(&self) -> Result<Vec<ShownReview>, AdminError> {
        let open = reviews::open(&self.db, MOST_SHOWN).await?;
        let act = self
            .act("person.reviews", "all", format!("{} shown", open.len()))
            .await?;
        let vault = self.vault.clone();
        let shown = self
            .db
            .write(move |tx| -> Result<_, StoreError> {
                let mut shown = Vec::with_capacity(open.len());
                for review in &open {
                    shown.extend(show(tx, &vault, review)?);
                }
                journal::note_operator(tx, &act)?;
                Ok(shown)
            })
            .await?;
        Ok(shown)
    }

    /// Decides a review: what is registered stays.
    ///
    /// # Errors
    /// [`AdminError::Input`] where it is not open.
    pub async fn keep_registered(&self, id: ReviewId) -> Result<(), AdminError> {
        let actor = self.actor.clone();
        self.decide("person.keep", id, move |tx, act| {
            reviews::keep_registered(tx, id, &actor, act.at_ms)
        })
        .await
    }

    /// Decides a review: the claim is right. The person gets the claimed name, or the number leads
    /// to the claimant.
    ///
    /// # Errors
    /// [`AdminError::Input`] where it is not open, or the claimant is not registered.
    pub async fn take_claim(&self, id: ReviewId) -> Result<(), AdminError> {
        let (actor, vault) = (self.actor.clone(), self.vault.clone());
        self.decide("person.rename", id, move |tx, act| {
            reviews::take_claim(tx, &vault, id, &actor, act.at_ms)
        })
        .await
    }

    /// The card under this index, masked.
    ///
    /// # Errors
    /// [`AdminError::Input`] where the index is none or nobody's.
    pub async fn person(&self, card_index: &str) -> Result<Card, AdminError> {
        let index = CardIndex::parse(card_index.trim())
            .ok_or_else(|| AdminError::Input("主索引应为 64 位十六进制数字".to_owned()))?;
        let person = persons::by_index(&self.db, &self.vault, &index)
            .await?
            .ok_or_else(|| AdminError::Input("没有人登记在这个主索引下".to_owned()))?;
        let target = format!("person {}", person.id);
        self.note("person.show", &target, String::new()).await?;
        Ok(Card::of(&person))
    }

    /// Notes that a file was imported, and what it came to.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn note_import(&self, file: &str, counts: Counts) -> Result<(), AdminError> {
        let detail = format!(
            "{} records: {} new, {} completed, {} known, {} names and {} numbers contradict, {} bad",
            counts.total(),
            counts.new,
            counts.completed,
            counts.known,
            counts.names,
            counts.numbers,
            counts.bad
        );
        self.note("person.import", file, detail).await
    }

    async fn decide(
        &self,
        action: &'static str,
        id: ReviewId,
        mut decide: impl FnMut(&mut Tx<'_>, &OperatorAct) -> Result<Decided, StoreError>
        + Send
        + 'static,
    ) -> Result<(), AdminError> {
        let act = self
            .act(action, &format!("review {id}"), String::new())
            .await?;
        let decided = self
            .db
            .write(move |tx| -> Result<Decided, StoreError> {
                let decided = decide(tx, &act)?;
                if decided == Decided::Done {
                    journal::note_operator(tx, &act)?;
                }
                Ok(decided)
            })
            .await?;
        let refused = match decided {
            Decided::Done => return Ok(()),
            Decided::NotOpen => {
                "没有这条待核实记录，或已处理：请用 banyan person reviews list 查看"
            }
            Decided::ClaimantUnknown => "申报者尚未登记，人员编号无从改归：请先登记该人员",
        };
        Err(AdminError::Input(refused.to_owned()))
    }
}

fn show(
    tx: &mut Tx<'_>,
    vault: &banyan_store::vault::Vault,
    review: &Review,
) -> Result<Option<ShownReview>, StoreError> {
    let (Some((_, claimed)), Some(person)) = (
        reviews::by_id(tx, vault, review.id)?,
        persons::in_tx(tx, vault, review.person)?,
    ) else {
        return Ok(None);
    };
    let (registered, claimed) = match review.kind {
        Kind::Name => contrasted(&person.identity.user_name, &claimed.identity.user_name),
        Kind::Number => (
            masked_number(&person.identity.id_no),
            masked_number(&claimed.identity.id_no),
        ),
    };
    Ok(Some(ShownReview {
        review: review.clone(),
        card_no: person.card_no(),
        registered,
        claimed,
    }))
}

impl std::fmt::Debug for ShownReview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ShownReview({})", self.review.id)
    }
}
