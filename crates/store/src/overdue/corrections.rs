//! 更正回执: who was shown a debt that was then revoked, and is to be told.
//!
//! A revocation keeps the record as it stood, for the record may be reported anew before everybody
//! was told. Whom to tell is found a little later, when what was asked before is in the journal.

use crate::db::{Db, Row, StoreError, Tx};
use crate::ids::{ItemId, JobId, PartnerId};
use crate::overdue::items::{Cause, Change};
use crate::queue::{self, JobKind, NewJob};
use crate::vault::PersonCode;

/// A real-name record that was revoked, as it stood then.
#[derive(Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Its id: that of the change.
    pub id: i64,
    /// Which record.
    pub item: ItemId,
    /// Which hospital had reported it.
    pub partner: PartnerId,
    /// Whose it was.
    pub person: PersonCode,
    /// Who that is, sealed as in the record.
    pub person_sealed: Vec<u8>,
    /// 金额 in fen.
    pub amount_fen: i64,
    /// Since when others could see it.
    pub since_ms: i64,
    /// When it was revoked.
    pub revoked_ms: i64,
}

impl Revocation {
    /// Until when somebody who asked may have been shown the debt.
    #[must_use]
    pub const fn seen_until_ms(&self) -> i64 {
        self.revoked_ms + SEEN_MS
    }
}

/// Somebody who was shown a debt, and when last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// Who.
    pub partner: PartnerId,
    /// When.
    pub asked_ms: i64,
}

/// A correction about to be left.
#[derive(Debug, Clone, Copy)]
pub struct NewCorrection {
    /// Its id.
    pub id: i64,
    /// The job that tells it.
    pub job: JobId,
    /// Whom it is for.
    pub asker: Asker,
}

/// How long after a revocation the askers are looked for at the earliest: what was asked before is
/// noted by then, in the journal or where entries wait for it. Other nodes write theirs into the
/// journal within a fifth of a second, so this is ample.
const NOTED_MS: i64 = 10_000;

/// Whoever asked so much later counts as having been shown the debt: between the moment that a
/// revocation bears and its commit there is work to do, and the clocks of two nodes may differ.
const SEEN_MS: i64 = 5_000;

/// Notes that a record was revoked by this change, and leaves the job (with the id `job`) that
/// finds whom to tell. Nothing for an anonymous record, which nobody but its hospital ever saw.
/// Gives whether it was noted.
///
/// # Errors
/// Any [`StoreError`].
pub fn note_revoked(
    tx: &mut Tx<'_>,
    change: &Change,
    job: JobId,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let partner = tx.query_opt(
        "INSERT INTO overdue_revocation (id, item_id, partner_id, person, person_sealed, \
         amount_fen, since_ms, revoked_ms) \
         SELECT CAST($1 AS BIGINT), i.id, i.partner_id, i.person, i.person_sealed, i.amount_fen, \
         COALESCE((SELECT MAX(c.at_ms) FROM overdue_change c WHERE c.item_id = i.id \
           AND c.cause IN ($4, $5)), i.created_ms), CAST($2 AS BIGINT) \
         FROM overdue_item i WHERE i.id = $3 AND i.real_name = 1 AND i.person IS NOT NULL \
         AND i.person_sealed IS NOT NULL RETURNING partner_id",
        &[
            change.id.into(),
            now_ms.into(),
            change.item.into(),
            Cause::ReportedAnew.as_text().into(),
            Cause::RealName.as_text().into(),
        ],
        |row| row.get::<i64>(0),
    )?;
    let Some(lane) = partner else {
        return Ok(false);
    };
    let job = NewJob {
        id: job,
        kind: JobKind::Revocation,
        lane,
        subject: change.id,
        due_ms: now_ms + NOTED_MS,
    };
    queue::leave(tx, &job, now_ms)?;
    Ok(true)
}

/// A revocation.
///
/// # Errors
/// Any [`StoreError`].
pub async fn revocation(db: &Db, id: i64) -> Result<Option<Revocation>, StoreError> {
    db.query_opt(
        "SELECT id, item_id, partner_id, person, person_sealed, amount_fen, since_ms, revoked_ms \
         FROM overdue_revocation WHERE id = $1",
        &[id.into()],
        read_revocation,
    )
    .await
}

/// Who was shown the record since `from_ms`, by this interface code and with the result
/// `success`; never its own hospital. A question that named another hospital than `org_id` did not
/// show it.
///
/// # Errors
/// Any [`StoreError`].
pub async fn askers(
    db: &Db,
    revocation: &Revocation,
    code: &str,
    success: &str,
    org_id: &str,
    from_ms: i64,
) -> Result<Vec<Asker>, StoreError> {
    db.query(
        "SELECT partner_id, MAX(at_ms) FROM journal \
         WHERE person = $1 AND at_ms >= $2 AND at_ms <= $3 AND direction = 0 \
         AND interface = $4 AND result = $5 AND (subject IS NULL OR subject = $6) \
         AND partner_id <> $7 GROUP BY partner_id ORDER BY partner_id",
        &[
            (&revocation.person.0).into(),
            from_ms.max(revocation.since_ms).into(),
            revocation.seen_until_ms().into(),
            code.into(),
            success.into(),
            org_id.into(),
            revocation.partner.into(),
        ],
        |row| {
            Ok(Asker {
                partner: PartnerId(row.get(0)?),
                asked_ms: row.get(1)?,
            })
        },
    )
    .await
}

/// Leaves corrections of a revocation, each partner's once however often this is done.
///
/// # Errors
/// Any [`StoreError`].
pub fn leave(
    tx: &mut Tx<'_>,
    revocation: i64,
    corrections: &[NewCorrection],
    now_ms: i64,
) -> Result<(), StoreError> {
    for new in corrections {
        let kept = tx.execute(
            "INSERT INTO overdue_correction (id, revocation_id, partner_id, asked_ms, told_ms) \
             VALUES ($1, $2, $3, $4, NULL) ON CONFLICT (revocation_id, partner_id) DO NOTHING",
            &[
                new.id.into(),
                revocation.into(),
                new.asker.partner.into(),
                new.asker.asked_ms.into(),
            ],
        )?;
        if kept == 0 {
            continue;
        }
        let job = NewJob {
            id: new.job,
            kind: JobKind::Correction,
            lane: new.asker.partner.0,
            subject: new.id,
            due_ms: now_ms,
        };
        queue::leave(tx, &job, now_ms)?;
    }
    Ok(())
}

/// What a correction is about, and when its partner had asked; `None` where it is gone.
///
/// # Errors
/// Any [`StoreError`].
pub async fn correction(db: &Db, id: i64) -> Result<Option<(Revocation, i64)>, StoreError> {
    db.query_opt(
        "SELECT r.id, r.item_id, r.partner_id, r.person, r.person_sealed, r.amount_fen, \
         r.since_ms, r.revoked_ms, c.asked_ms \
         FROM overdue_correction c JOIN overdue_revocation r ON r.id = c.revocation_id \
         WHERE c.id = $1",
        &[id.into()],
        |row| Ok((read_revocation(row)?, row.get(8)?)),
    )
    .await
}

/// Notes that a correction was taken.
///
/// # Errors
/// Any [`StoreError`].
pub fn note_told(tx: &mut Tx<'_>, correction: i64, now_ms: i64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE overdue_correction SET told_ms = $2 WHERE id = $1",
        &[correction.into(), now_ms.into()],
    )?;
    Ok(())
}

/// Removes at most `limit` corrections and as many revocations from before `before_ms` of which
/// nothing waits or was given up (each of the two has its index); gives how many.
///
/// # Errors
/// Any [`StoreError`].
pub fn prune(tx: &mut Tx<'_>, before_ms: i64, limit: i64) -> Result<u64, StoreError> {
    let corrections = tx.execute(
        "DELETE FROM overdue_correction WHERE id IN (SELECT c.id FROM overdue_revocation r \
         JOIN overdue_correction c ON c.revocation_id = r.id WHERE r.revoked_ms < $1 \
         AND NOT EXISTS (SELECT 1 FROM job j WHERE j.kind = $3 AND j.lane = c.partner_id \
         AND j.state = 0 AND j.subject = c.id) \
         AND NOT EXISTS (SELECT 1 FROM job j WHERE j.kind = $3 AND j.lane = c.partner_id \
         AND j.state = 2 AND j.subject = c.id) ORDER BY r.revoked_ms LIMIT $2)",
        &[
            before_ms.into(),
            limit.into(),
            JobKind::Correction.as_number().into(),
        ],
    )?;
    let revocations = tx.execute(
        "DELETE FROM overdue_revocation WHERE id IN (SELECT r.id FROM overdue_revocation r \
         WHERE r.revoked_ms < $1 \
         AND NOT EXISTS (SELECT 1 FROM overdue_correction c WHERE c.revocation_id = r.id) \
         AND NOT EXISTS (SELECT 1 FROM job j WHERE j.kind = $3 AND j.lane = r.partner_id \
         AND j.state = 0 AND j.subject = r.id) \
         AND NOT EXISTS (SELECT 1 FROM job j WHERE j.kind = $3 AND j.lane = r.partner_id \
         AND j.state = 2 AND j.subject = r.id) ORDER BY r.revoked_ms LIMIT $2)",
        &[
            before_ms.into(),
            limit.into(),
            JobKind::Revocation.as_number().into(),
        ],
    )?;
    Ok(corrections + revocations)
}

fn read_revocation(row: &Row<'_>) -> Result<Revocation, StoreError> {
    Ok(Revocation {
        id: row.get(0)?,
        item: ItemId(row.get(1)?),
        partner: PartnerId(row.get(2)?),
        person: PersonCode(row.get(3)?),
        person_sealed: row.get(4)?,
        amount_fen: row.get(5)?,
        since_ms: row.get(6)?,
        revoked_ms: row.get(7)?,
    })
}

impl std::fmt::Debug for Revocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Revocation({} of item {})", self.id, self.item)
    }
}

#[cfg(test)]
mod tests;
