//! 密码核验: institutions that wait until somebody has entered his password.

use crate::db::{Db, Row, StoreError, Tx};
use crate::ids::{HealthCardPersonId, PartnerId, PasswordRequestId};

/// An institution that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: PasswordRequestId,
    /// Whose password it waits for.
    pub person: HealthCardPersonId,
    /// Which institution.
    pub partner: PartnerId,
    /// 办理业务类型, as on the wire.
    pub business_type: String,
    /// 科室名称.
    pub office: String,
    /// Until when it waits.
    pub expires_ms: i64,
}

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing was entered yet.
    Open,
    /// The password was right.
    Right,
    /// It was wrong.
    Wrong,
    /// It was wrong too often, here or elsewhere.
    Locked,
    /// The person did not want to.
    Declined,
    /// The institution waits no longer.
    Over,
}

impl State {
    const fn as_text(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Locked => "locked",
            Self::Declined => "declined",
            Self::Over => "over",
        }
    }

    fn from_text(text: &str) -> Result<Self, StoreError> {
        [
            Self::Open,
            Self::Right,
            Self::Wrong,
            Self::Locked,
            Self::Declined,
            Self::Over,
        ]
        .into_iter()
        .find(|state| state.as_text() == text)
        .ok_or_else(|| StoreError::Corrupt(format!("credential_password_request.state is {text}")))
    }
}

/// Keeps that an institution waits; `false` where so many wait for this person already.
///
/// # Errors
/// Any [`StoreError`].
pub fn add(tx: &mut Tx<'_>, request: &Request, most: i64, now_ms: i64) -> Result<bool, StoreError> {
    let open = tx.query_opt(
        "SELECT COUNT(*) FROM credential_password_request \
         WHERE person_id = $1 AND state = 'open' AND expires_ms > $2",
        &[request.person.into(), now_ms.into()],
        |row| row.get::<i64>(0),
    )?;
    if open.unwrap_or_default() >= most {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO credential_password_request (id, person_id, partner_id, business_type, \
         office, state, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, 'open', $6, $7)",
        &[
            request.id.into(),
            request.person.into(),
            request.partner.into(),
            (&request.business_type).into(),
            (&request.office).into(),
            now_ms.into(),
            request.expires_ms.into(),
        ],
    )?;
    Ok(true)
}

/// How a request stands.
///
/// # Errors
/// Any [`StoreError`]; also where there is none of this id.
pub async fn state(db: &Db, id: PasswordRequestId) -> Result<State, StoreError> {
    let text = db
        .query_opt(
            "SELECT state FROM credential_password_request WHERE id = $1",
            &[id.into()],
            |row| row.get::<String>(0),
        )
        .await?;
    let text = text.ok_or_else(|| StoreError::Corrupt(format!("no password request {id}")))?;
    State::from_text(&text)
}

/// Who waits for this person's password now, the oldest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn open_of(
    db: &Db,
    person: HealthCardPersonId,
    now_ms: i64,
) -> Result<Vec<Request>, StoreError> {
    db.query(
        "SELECT id, person_id, partner_id, business_type, office, expires_ms \
         FROM credential_password_request \
         WHERE person_id = $1 AND state = 'open' AND expires_ms > $2 ORDER BY id",
        &[person.into(), now_ms.into()],
        read,
    )
    .await
}

/// Moves an open request on; `false` where it is over.
///
/// # Errors
/// Any [`StoreError`].
pub fn end(
    tx: &mut Tx<'_>,
    id: PasswordRequestId,
    person: HealthCardPersonId,
    state: State,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let ended = tx.execute(
        "UPDATE credential_password_request SET state = $3 \
         WHERE id = $1 AND person_id = $2 AND state = 'open' AND expires_ms > $4",
        &[
            id.into(),
            person.into(),
            state.as_text().into(),
            now_ms.into(),
        ],
    )?;
    Ok(ended > 0)
}

/// Says that an institution waits no longer, if it still did.
///
/// # Errors
/// Any [`StoreError`].
pub fn give_up(tx: &mut Tx<'_>, id: PasswordRequestId) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE credential_password_request SET state = 'over' WHERE id = $1 AND state = 'open'",
        &[id.into()],
    )?;
    Ok(())
}

/// Tells everybody who waits for this person that his password is locked.
///
/// # Errors
/// Any [`StoreError`].
pub fn lock(tx: &mut Tx<'_>, person: HealthCardPersonId) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE credential_password_request SET state = 'locked' \
         WHERE person_id = $1 AND state = 'open'",
        &[person.into()],
    )?;
    Ok(())
}

/// Forgets at most `limit` that were over before `before_ms`.
///
/// # Errors
/// Any [`StoreError`].
pub fn prune(tx: &mut Tx<'_>, before_ms: i64, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM credential_password_request WHERE id IN \
         (SELECT id FROM credential_password_request WHERE expires_ms < $1 \
         ORDER BY expires_ms LIMIT $2)",
        &[before_ms.into(), limit.into()],
    )
}

fn read(row: &Row<'_>) -> Result<Request, StoreError> {
    Ok(Request {
        id: PasswordRequestId(row.get(0)?),
        person: HealthCardPersonId(row.get(1)?),
        partner: PartnerId(row.get(2)?),
        business_type: row.get(3)?,
        office: row.get(4)?,
        expires_ms: row.get(5)?,
    })
}
