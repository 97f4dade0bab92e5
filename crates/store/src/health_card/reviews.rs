//! Claims that contradict what is registered: never merged in silence, kept once, decided by
//! people.

use serde::{Deserialize, Serialize};

use super::names::folded;
use super::persons::{self, Identity};
use super::{insured, register};
use crate::db::{Db, Row, StoreError, Tx};
use crate::ids::{HealthCardPersonId, ReviewId};
use crate::vault::{Place, Vault};

/// Somebody who claims a new name each time must not fill the table: more than these are only
/// refused.
const MOST_OPEN: i64 = 20;

/// What contradicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Another name for the same identity.
    Name,
    /// A number of the insured that leads to somebody else.
    Number,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has decided.
    Open,
    /// What is registered stays.
    Kept,
    /// The claim was right.
    Taken,
}

/// A claim, with what it contradicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Its id.
    pub id: ReviewId,
    /// What contradicts.
    pub kind: Kind,
    /// The registered person: of [`Kind::Number`] the one to whom the number leads.
    pub person: HealthCardPersonId,
    /// Who claimed: a partner's appId, `import`, `h5`.
    pub source: String,
    /// What became of it.
    pub state: State,
    /// When it was claimed first.
    pub first_ms: i64,
    /// When it was claimed last.
    pub last_ms: i64,
    /// How often.
    pub times: i64,
}

/// What was claimed, as it is kept sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// Who the claim says it is.
    #[serde(rename = "p")]
    pub identity: Identity,
    /// 人员编号; of [`Kind::Number`] only.
    #[serde(rename = "n", skip_serializing_if = "Option::is_none", default)]
    pub psn_no: Option<String>,
}

/// A contradiction about to be kept.
#[derive(Debug)]
pub struct Contradiction<'a> {
    /// The id that it gets if it is new.
    pub id: ReviewId,
    /// What contradicts.
    pub kind: Kind,
    /// The registered person.
    pub person: HealthCardPersonId,
    /// What was claimed.
    pub claimed: &'a Claimed,
    /// Who claimed.
    pub source: &'a str,
}

/// Keeps a contradiction, or counts it where it was kept before.
///
/// # Errors
/// Any [`StoreError`].
pub fn keep(
    tx: &mut Tx<'_>,
    vault: &Vault,
    contradiction: &Contradiction<'_>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let claimed = contradiction.claimed;
    let code = match contradiction.kind {
        Kind::Name => folded(&claimed.identity.user_name),
        Kind::Number => format!(
            "{}\n{}",
            claimed.psn_no.as_deref().unwrap_or_default(),
            claimed.identity.index(vault).text()
        ),
    };
    let code = vault.content_code(format!("{}\n{code}", contradiction.kind.as_text()).as_bytes());
    let counted = tx.execute(
        // A claim that was taken once and contradicts again is a new question.
        "UPDATE name_review SET times = times + 1, last_ms = $3, \
         state = CASE WHEN state = 'taken' THEN 'open' ELSE state END \
         WHERE person_id = $1 AND claim_code = $2",
        &[contradiction.person.into(), (&code).into(), now_ms.into()],
    )?;
    if counted > 0 {
        return Ok(());
    }
    let open = tx.query_opt(
        "SELECT COUNT(*) FROM name_review WHERE person_id = $1 AND state = 'open' AND source = $2",
        &[contradiction.person.into(), contradiction.source.into()],
        |row| row.get::<i64>(0),
    )?;
    if open.unwrap_or_default() >= MOST_OPEN {
        return Ok(());
    }
    let sealed = vault.seal(
        Place::ReviewClaim,
        serde_json::json!(claimed).to_string().as_bytes(),
    );
    tx.execute(
        "INSERT INTO name_review (id, kind, person_id, claim_code, claimed_sealed, source, state, \
         first_ms, last_ms, times, decided_by, decided_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $7, 1, NULL, NULL) \
         ON CONFLICT (person_id, claim_code) DO UPDATE \
         SET times = name_review.times + 1, last_ms = excluded.last_ms",
        &[
            contradiction.id.into(),
            contradiction.kind.as_text().into(),
            contradiction.person.into(),
            (&code).into(),
            sealed.into(),
            contradiction.source.into(),
            now_ms.into(),
        ],
    )?;
    Ok(())
}

/// The reviews that wait, oldest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn open(db: &Db, limit: i64) -> Result<Vec<Review>, StoreError> {
    db.query(
        "SELECT id, kind, person_id, source, state, first_ms, last_ms, times FROM name_review \
         WHERE state = 'open' ORDER BY id LIMIT $1",
        &[limit.into()],
        read,
    )
    .await
}

/// A review with what was claimed.
///
/// # Errors
/// Any [`StoreError`].
pub fn by_id(
    tx: &mut Tx<'_>,
    vault: &Vault,
    id: ReviewId,
) -> Result<Option<(Review, Claimed)>, StoreError> {
    tx.query_opt(
        "SELECT id, kind, person_id, source, state, first_ms, last_ms, times, claimed_sealed \
         FROM name_review WHERE id = $1",
        &[id.into()],
        |row| {
            let plain = vault.open(Place::ReviewClaim, &row.get::<Vec<u8>>(8)?)?;
            let claimed = serde_json::from_slice(&plain)
                .map_err(|_| StoreError::Corrupt(format!("review {id} is no claim")))?;
            Ok((read(row)?, claimed))
        },
    )
}

/// What deciding came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// It is decided.
    Done,
    /// There is no such review, or it was decided before.
    NotOpen,
    /// The number can't lead to whom the claim names, because nobody is registered as such.
    ClaimantUnknown,
}

/// Removes at most `limit` reviews that were decided before `before_ms`: they name somebody, and the
/// operators' audit has what was decided.
///
/// # Errors
/// Any [`StoreError`].
pub fn prune(tx: &mut Tx<'_>, before_ms: i64, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM name_review WHERE id IN (SELECT id FROM name_review \
         WHERE state <> 'open' AND decided_ms < $1 ORDER BY decided_ms LIMIT $2)",
        &[before_ms.into(), limit.into()],
    )
}

/// Keeps what is registered.
///
/// # Errors
/// Any [`StoreError`].
pub fn keep_registered(
    tx: &mut Tx<'_>,
    id: ReviewId,
    by: &str,
    now_ms: i64,
) -> Result<Decided, StoreError> {
    decide(tx, id, State::Kept, by, now_ms)
}

/// Takes the claim: the person gets the claimed name, or the number leads to the claimant.
///
/// # Errors
/// Any [`StoreError`].
pub fn take_claim(
    tx: &mut Tx<'_>,
    vault: &Vault,
    id: ReviewId,
    by: &str,
    now_ms: i64,
) -> Result<Decided, StoreError> {
    let Some((review, claimed)) = by_id(tx, vault, id)? else {
        return Ok(Decided::NotOpen);
    };
    if review.state != State::Open {
        return Ok(Decided::NotOpen);
    }
    match review.kind {
        Kind::Name => {
            let name = claimed.identity.user_name;
            persons::change(tx, vault, review.person, now_ms, |identity| {
                identity.user_name = name;
                identity.by_himself = false;
            })?;
        }
        Kind::Number => {
            let code = register::code_of(vault, &claimed.identity);
            let Some(Some(claimant)) = persons::by_codes(tx, vault, &[code])?.pop() else {
                return Ok(Decided::ClaimantUnknown);
            };
            let number = vault.insured_code(claimed.psn_no.as_deref().unwrap_or_default());
            insured::lead_to(tx, &number, claimant.id, now_ms)?;
        }
    }
    decide(tx, id, State::Taken, by, now_ms)
}

fn decide(
    tx: &mut Tx<'_>,
    id: ReviewId,
    state: State,
    by: &str,
    now_ms: i64,
) -> Result<Decided, StoreError> {
    let decided = tx.execute(
        "UPDATE name_review SET state = $2, decided_by = $3, decided_ms = $4 \
         WHERE id = $1 AND state = 'open'",
        &[id.into(), state.as_text().into(), by.into(), now_ms.into()],
    )?;
    Ok(if decided > 0 {
        Decided::Done
    } else {
        Decided::NotOpen
    })
}

impl Kind {
    const fn as_text(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Number => "number",
        }
    }
}

impl State {
    const fn as_text(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Kept => "kept",
            Self::Taken => "taken",
        }
    }
}

fn read(row: &Row<'_>) -> Result<Review, StoreError> {
    let corrupt = |what: &str| StoreError::Corrupt(format!("name_review.{what}"));
    Ok(Review {
        id: ReviewId(row.get(0)?),
        kind: match &*row.get::<String>(1)? {
            "name" => Kind::Name,
            "number" => Kind::Number,
            _ => return Err(corrupt("kind")),
        },
        person: HealthCardPersonId(row.get(2)?),
        source: row.get(3)?,
        state: match &*row.get::<String>(4)? {
            "open" => State::Open,
            "kept" => State::Kept,
            "taken" => State::Taken,
            _ => return Err(corrupt("state")),
        },
        first_ms: row.get(5)?,
        last_ms: row.get(6)?,
        times: row.get(7)?,
    })
}

impl std::fmt::Debug for Claimed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Claimed(***)")
    }
}
