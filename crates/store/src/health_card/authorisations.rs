//! 授权: what a hospital asked for by ORG_EHC_001, and how it stands. From `ing` it moves once and
//! never back.

use crate::db::{Db, Row, StoreError, Tx};
use crate::ids::{AuthorisationId, HealthCardPersonId, PartnerId};

/// An authorisation as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorisation {
    /// Its id.
    pub id: AuthorisationId,
    /// Who asked for it.
    pub partner: PartnerId,
    /// 外部授权流水号.
    pub out_auth_no: String,
    /// How it stands.
    pub state: State,
    /// How many claims were wrong.
    pub tries: u32,
    /// Until when it can be given.
    pub expires_ms: i64,
}

/// How an authorisation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nobody has authorised yet.
    Ing,
    /// This person has.
    Succ(HealthCardPersonId),
    /// It came to nothing, for this reason (Chinese, without personal data).
    Fail(String),
    /// The citizen did not want to.
    Cancel,
}

/// An authorisation about to be kept.
#[derive(Debug, Clone)]
pub struct NewAuthorisation {
    /// Its id.
    pub id: AuthorisationId,
    /// Who asks for it.
    pub partner: PartnerId,
    /// 外部授权流水号.
    pub out_auth_no: String,
    /// The code of its link's token.
    pub token: [u8; 32],
    /// When it was asked for.
    pub created_ms: i64,
    /// Until when it can be given.
    pub expires_ms: i64,
}

/// What asking came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It is new and was kept.
    New,
    /// The same number was asked for before and is still open; nothing was changed.
    Again(Authorisation),
    /// The same number was asked for before and is over.
    Over,
}

/// The reason of those that nobody gave in time.
pub const EXPIRED: &str = "授权链接已过期，患者未在有效期内完成授权";

/// Keeps an authorisation once, however often it is asked for.
///
/// # Errors
/// Any [`StoreError`].
pub fn ask(tx: &mut Tx<'_>, new: &NewAuthorisation) -> Result<Asked, StoreError> {
    let inserted = tx.execute(
        "INSERT INTO ehc_authorisation (id, partner_id, out_auth_no, token, state, person_id, \
         reason, tries, created_ms, expires_ms, ended_ms) \
         VALUES ($1, $2, $3, $4, 'ing', NULL, NULL, 0, $5, $6, NULL) \
         ON CONFLICT (partner_id, out_auth_no) DO NOTHING",
        &[
            new.id.into(),
            new.partner.into(),
            (&new.out_auth_no).into(),
            (&new.token).into(),
            new.created_ms.into(),
            new.expires_ms.into(),
        ],
    )?;
    if inserted > 0 {
        return Ok(Asked::New);
    }
    let kept = tx.query_opt(
        BY_NUMBER,
        &[new.partner.into(), (&new.out_auth_no).into()],
        read,
    )?;
    Ok(match kept {
        Some(kept) if kept.is_open(new.created_ms) => Asked::Again(kept),
        _ => Asked::Over,
    })
}

/// A partner's authorisation under its own number.
///
/// # Errors
/// Any [`StoreError`].
pub async fn by_number(
    db: &Db,
    partner: PartnerId,
    out_auth_no: &str,
) -> Result<Option<Authorisation>, StoreError> {
    db.query_opt(BY_NUMBER, &[partner.into(), out_auth_no.into()], read)
        .await
}

/// The authorisation whose link carries the token with this code.
///
/// # Errors
/// Any [`StoreError`].
pub async fn by_token(db: &Db, token: &[u8; 32]) -> Result<Option<Authorisation>, StoreError> {
    db.query_opt(
        "SELECT id, partner_id, out_auth_no, state, person_id, reason, tries, expires_ms \
         FROM ehc_authorisation WHERE token = $1",
        &[token.into()],
        read,
    )
    .await
}

/// Whether an authorisation is open; if it is, nobody else counts or ends it before this
/// transaction does.
///
/// # Errors
/// Any [`StoreError`].
pub fn hold_open(tx: &mut Tx<'_>, id: AuthorisationId, now_ms: i64) -> Result<bool, StoreError> {
    let held = tx.execute(
        "UPDATE ehc_authorisation SET tries = tries \
         WHERE id = $1 AND state = 'ing' AND expires_ms > $2",
        &[id.into(), now_ms.into()],
    )?;
    Ok(held > 0)
}

/// Counts a wrong claim; with `most` of them the authorisation fails for this reason. Gives how
/// many are left, `None` where the authorisation is over.
///
/// # Errors
/// Any [`StoreError`].
pub fn count_try(
    tx: &mut Tx<'_>,
    id: AuthorisationId,
    most: u32,
    reason: &str,
    now_ms: i64,
) -> Result<Option<u32>, StoreError> {
    let tries = tx.query_opt(
        "UPDATE ehc_authorisation SET tries = tries + 1 \
         WHERE id = $1 AND state = 'ing' AND expires_ms > $2 RETURNING tries",
        &[id.into(), now_ms.into()],
        |row| row.get::<i64>(0),
    )?;
    let Some(tries) = tries else { return Ok(None) };
    let left = most.saturating_sub(u32::try_from(tries).unwrap_or(u32::MAX));
    if left == 0 {
        end(tx, id, &State::Fail(reason.to_owned()), now_ms)?;
    }
    Ok(Some(left))
}

/// Ends an open authorisation; `false` where it is over already.
///
/// # Errors
/// Any [`StoreError`].
pub fn end(
    tx: &mut Tx<'_>,
    id: AuthorisationId,
    state: &State,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let (person, reason) = match state {
        State::Succ(person) => (Some(*person), None),
        State::Fail(reason) => (None, Some(reason.as_str())),
        State::Ing | State::Cancel => (None, None),
    };
    let ended = tx.execute(
        "UPDATE ehc_authorisation SET state = $2, person_id = $3, reason = $4, ended_ms = $5 \
         WHERE id = $1 AND state = 'ing' AND expires_ms > $5",
        &[
            id.into(),
            state.as_text().into(),
            person.into(),
            reason.into(),
            now_ms.into(),
        ],
    )?;
    Ok(ended > 0)
}

/// Ends at most `limit` that nobody gave in time.
///
/// # Errors
/// Any [`StoreError`].
pub fn expire(tx: &mut Tx<'_>, now_ms: i64, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "UPDATE ehc_authorisation SET state = 'fail', reason = $3, ended_ms = expires_ms \
         WHERE id IN (SELECT id FROM ehc_authorisation WHERE state = 'ing' AND expires_ms <= $1 \
         ORDER BY expires_ms LIMIT $2) AND state = 'ing'",
        &[now_ms.into(), limit.into(), EXPIRED.into()],
    )
}

/// Removes at most `limit` that ended before `before_ms`.
///
/// # Errors
/// Any [`StoreError`].
pub fn prune(tx: &mut Tx<'_>, before_ms: i64, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM ehc_authorisation WHERE id IN (SELECT id FROM ehc_authorisation \
         WHERE state <> 'ing' AND ended_ms < $1 ORDER BY ended_ms LIMIT $2)",
        &[before_ms.into(), limit.into()],
    )
}

impl Authorisation {
    /// Whether it can still be given at this moment.
    #[must_use]
    pub fn is_open(&self, now_ms: i64) -> bool {
        self.state == State::Ing && now_ms < self.expires_ms
    }

    /// How it stands at this moment: one that nobody gave in time has failed, whether or not the
    /// clock's work has come by.
    #[must_use]
    pub fn state_at(&self, now_ms: i64) -> State {
        match &self.state {
            State::Ing if now_ms >= self.expires_ms => State::Fail(EXPIRED.to_owned()),
            state => state.clone(),
        }
    }
}

impl State {
    const fn as_text(&self) -> &'static str {
        match self {
            Self::Ing => "ing",
            Self::Succ(_) => "succ",
            Self::Fail(_) => "fail",
            Self::Cancel => "cancel",
        }
    }
}

const BY_NUMBER: &str = "SELECT id, partner_id, out_auth_no, state, person_id, reason, tries, \
     expires_ms FROM ehc_authorisation WHERE partner_id = $1 AND out_auth_no = $2";

fn read(row: &Row<'_>) -> Result<Authorisation, StoreError> {
    let id: i64 = row.get(0)?;
    let corrupt = || StoreError::Corrupt(format!("authorisation {id} stands in no state"));
    let state = match &*row.get::<String>(3)? {
        "ing" => State::Ing,
        "succ" => {
            let person: Option<i64> = row.get(4)?;
            State::Succ(person.map(HealthCardPersonId).ok_or_else(corrupt)?)
        }
        "fail" => State::Fail(row.get::<Option<String>>(5)?.unwrap_or_default()),
        "cancel" => State::Cancel,
        _ => return Err(corrupt()),
    };
    Ok(Authorisation {
        id: AuthorisationId(id),
        partner: PartnerId(row.get(1)?),
        out_auth_no: row.get(2)?,
        state,
        tries: u32::try_from(row.get::<i64>(6)?).unwrap_or(u32::MAX),
        expires_ms: row.get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(id: i64, partner: i64, number: &str) -> NewAuthorisation {
        let mut token = [0; 32];
        token[..8].copy_from_slice(&id.to_be_bytes());
        NewAuthorisation {
            id: AuthorisationId(id),
            partner: PartnerId(partner),
            out_auth_no: number.to_owned(),
            token,
            created_ms: 100,
            expires_ms: 200,
        }
    }

    async fn ask_now(db: &Db, new: NewAuthorisation) -> Asked {
        db.write(move |tx| ask(tx, &new)).await.unwrap()
    }

    async fn end_at(db: &Db, id: i64, state: State, now_ms: i64) -> bool {
        db.write(move |tx| end(tx, AuthorisationId(id), &state, now_ms))
            .await
            .unwrap()
    }

    crate::on_both_engines! {
        async fn an_authorisation_moves_once(db: &TestDb) {
            assert_eq!(ask_now(db, new(1, 1, "a")).await, Asked::New);
            assert!(matches!(ask_now(db, new(2, 1, "a")).await, Asked::Again(kept) if kept.id.0 == 1));
            assert_eq!(ask_now(db, new(3, 2, "a")).await, Asked::New, "numbers are each partner's own");
            assert!(end_at(db, 1, State::Succ(HealthCardPersonId(7)), 150).await);
            assert!(!end_at(db, 1, State::Cancel, 151).await);
            assert_eq!(ask_now(db, new(4, 1, "a")).await, Asked::Over);
            let kept = by_number(db, PartnerId(1), "a").await.unwrap().unwrap();
            assert_eq!(kept.state_at(999), State::Succ(HealthCardPersonId(7)));
            assert!(by_number(db, PartnerId(3), "a").await.unwrap().is_none());
        }

        async fn what_nobody_gives_in_time_fails(db: &TestDb) {
            for id in 1..=3 {
                ask_now(db, new(id, 1, &id.to_string())).await;
            }
            assert!(!end_at(db, 1, State::Cancel, 200).await, "it is over at its last moment");
            let kept = by_token(db, &new(1, 1, "1").token).await.unwrap().unwrap();
            assert_eq!((kept.state.clone(), kept.state_at(200)), (State::Ing, State::Fail(EXPIRED.to_owned())));
            let expire = |limit| async move { db.write(move |tx| expire(tx, 200, limit)).await.map_err(|e: StoreError| e).unwrap() };
            assert_eq!((expire(2).await, expire(2).await, expire(2).await), (2, 1, 0));
            let prune = |before| async move { db.write(move |tx| prune(tx, before, 10)).await.map_err(|e: StoreError| e).unwrap() };
            assert_eq!((prune(200).await, prune(201).await), (0, 3));
        }

        async fn the_fifth_wrong_claim_is_the_last(db: &TestDb) {
            ask_now(db, new(1, 1, "a")).await;
            let try_now = || async { db.write(|tx| count_try(tx, AuthorisationId(1), 5, "核对失败", 150)).await.map_err(|e: StoreError| e).unwrap() };
            for left in (0..5).rev() {
                assert_eq!(try_now().await, Some(left));
            }
            assert_eq!(try_now().await, None);
            let kept = by_number(db, PartnerId(1), "a").await.unwrap().unwrap();
            assert_eq!(kept.state, State::Fail("核对失败".to_owned()));
        }
    }
}
