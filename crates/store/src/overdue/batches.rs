//! 批次: what a hospital sent in one call, and what became of it.

use crate::db::{Db, Row, StoreError, Tx, Val};
use crate::ids::{BatchId, PartnerId};

/// A batch about to be kept.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// As it will be found again; not judged yet.
    pub batch: Batch,
    /// The keyed code of its content, by which a repetition is told from another content.
    pub content_code: [u8; 32],
    /// The business message, sealed.
    pub content: Vec<u8>,
    /// When it came.
    pub received_ms: i64,
}

/// Which interface brought the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchKind {
    /// ORG_MDL_001
    Report,
    /// ORG_MDL_003
    Update,
}

/// What keeping a batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is new and was kept.
    New,
    /// The same content was kept before under this number; nothing was changed.
    Again,
    /// Another content was kept before under this number; nothing was changed.
    OtherContent,
}

/// A batch as it is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// Who sent it.
    pub partner: PartnerId,
    /// 请求批次号.
    pub org_request_id: String,
    /// Report or update.
    pub kind: BatchKind,
    /// 回调通知地址.
    pub notify_url: String,
    /// What judging came to, as JSON of the room's own making; `None` until judged.
    pub outcome: Option<String>,
}

/// Keeps a batch once, however often it is sent.
///
/// # Errors
/// Any [`StoreError`].
pub fn keep(tx: &mut Tx<'_>, new: &NewBatch) -> Result<Kept, StoreError> {
    let batch = &new.batch;
    let inserted = tx.execute(
        "INSERT INTO overdue_batch (id, partner_id, org_request_id, kind, content_code, notify_url, \
         state, content, outcome, received_ms, judged_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7, NULL, $8, NULL) \
         ON CONFLICT (partner_id, org_request_id) DO NOTHING",
        &[
            batch.id.into(),
            batch.partner.into(),
            (&batch.org_request_id).into(),
            batch.kind.as_number().into(),
            (&new.content_code).into(),
            (&batch.notify_url).into(),
            (&new.content).into(),
            new.received_ms.into(),
        ],
    )?;
    if inserted > 0 {
        return Ok(Kept::New);
    }
    let same = tx.query_opt(
        "SELECT kind, content_code FROM overdue_batch WHERE partner_id = $1 AND org_request_id = $2",
        &[batch.partner.into(), (&batch.org_request_id).into()],
        |row| {
            Ok(row.get::<i64>(0)? == batch.kind.as_number()
                && row.get::<[u8; 32]>(1)? == new.content_code)
        },
    )?;
    Ok(match same {
        Some(true) => Kept::Again,
        _ => Kept::OtherContent,
    })
}

/// Marks batches as judged, each once; `false` where somebody else judged one of them meanwhile,
/// and then the transaction is to be given up.
///
/// # Errors
/// Any [`StoreError`].
pub fn take_for_judging(tx: &mut Tx<'_>, ids: &[BatchId], now_ms: i64) -> Result<bool, StoreError> {
    let sets: Vec<Vec<Val<'_>>> = ids
        .iter()
        .map(|id| vec![(*id).into(), now_ms.into()])
        .collect();
    let taken = tx.execute_each(
        "UPDATE overdue_batch SET state = 1, judged_ms = $2 WHERE id = $1 AND state = 0",
        &sets,
    )?;
    Ok(taken == ids.len() as u64)
}

/// The sealed contents of batches that wait to be judged, in their order; `None` for one that was
/// judged already.
///
/// # Errors
/// Any [`StoreError`].
pub async fn waiting_contents(
    db: &Db,
    ids: &[BatchId],
) -> Result<Vec<Option<(Batch, Vec<u8>)>>, StoreError> {
    let sets: Vec<Vec<Val<'_>>> = ids.iter().map(|id| vec![(*id).into()]).collect();
    db.query_each(
        "SELECT id, partner_id, org_request_id, kind, notify_url, outcome, content \
         FROM overdue_batch WHERE id = $1 AND state = 0",
        &sets,
        |row| {
            let content: Option<Vec<u8>> = row.get(6)?;
            let content = content
                .ok_or_else(|| StoreError::Corrupt("a batch has lost its content".to_owned()))?;
            Ok((read_batch(row)?, content))
        },
    )
    .await
}

/// Keeps what judging came to; the contents have done their duty and go.
///
/// # Errors
/// Any [`StoreError`].
pub fn keep_outcomes(tx: &mut Tx<'_>, outcomes: &[(BatchId, String)]) -> Result<(), StoreError> {
    let sets: Vec<Vec<Val<'_>>> = outcomes
        .iter()
        .map(|(id, outcome)| vec![(*id).into(), outcome.into()])
        .collect();
    tx.execute_each(
        "UPDATE overdue_batch SET outcome = $2, content = NULL WHERE id = $1",
        &sets,
    )?;
    Ok(())
}

/// The batch with this 请求批次号 of this partner.
///
/// # Errors
/// Any [`StoreError`].
pub async fn by_request_id(
    db: &Db,
    partner: PartnerId,
    org_request_id: &str,
) -> Result<Option<Batch>, StoreError> {
    db.query_opt(
        "SELECT id, partner_id, org_request_id, kind, notify_url, outcome \
         FROM overdue_batch WHERE partner_id = $1 AND org_request_id = $2",
        &[partner.into(), org_request_id.into()],
        read_batch,
    )
    .await
}

/// The batch with this id.
///
/// # Errors
/// Any [`StoreError`].
pub async fn by_id(db: &Db, id: BatchId) -> Result<Option<Batch>, StoreError> {
    db.query_opt(
        "SELECT id, partner_id, org_request_id, kind, notify_url, outcome \
         FROM overdue_batch WHERE id = $1",
        &[id.into()],
        read_batch,
    )
    .await
}

/// Removes at most `limit` judged batches that came before `before_ms` and whose callback was
/// delivered; gives how many. Their records stay. A callback that waits and one that was given up
/// are looked for by the index of each; both at once would read every job there is.
///
/// # Errors
/// Any [`StoreError`].
pub fn prune(tx: &mut Tx<'_>, before_ms: i64, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM overdue_batch WHERE id IN (SELECT id FROM overdue_batch b \
         WHERE received_ms < $1 AND state = 1 AND NOT EXISTS (SELECT 1 FROM job j \
         WHERE j.kind = $3 AND j.lane = b.partner_id AND j.state = 0 AND j.subject = b.id) \
         AND NOT EXISTS (SELECT 1 FROM job j \
         WHERE j.kind = $3 AND j.lane = b.partner_id AND j.state = 2 AND j.subject = b.id) \
         ORDER BY received_ms LIMIT $2)",
        &[
            before_ms.into(),
            limit.into(),
            crate::queue::JobKind::Callback.as_number().into(),
        ],
    )
}

impl BatchKind {
    const fn as_number(self) -> i64 {
        match self {
            Self::Report => 0,
            Self::Update => 1,
        }
    }

    fn from_number(number: i64) -> Result<Self, StoreError> {
        match number {
            0 => Ok(Self::Report),
            1 => Ok(Self::Update),
            other => Err(StoreError::Corrupt(format!(
                "overdue_batch.kind is {other}"
            ))),
        }
    }
}

fn read_batch(row: &Row<'_>) -> Result<Batch, StoreError> {
    Ok(Batch {
        id: BatchId(row.get(0)?),
        partner: PartnerId(row.get(1)?),
        org_request_id: row.get(2)?,
        kind: BatchKind::from_number(row.get(3)?)?,
        notify_url: row.get(4)?,
        outcome: row.get(5)?,
    })
}
