//! What happens by the clock, once for the province however many nodes there are.

use banyan_protocol::ambient::{DAY_MS, HOUR_MS, SECOND_MS};
use banyan_protocol::wire::LocalTime;
use banyan_store::chain;
use banyan_store::credential::{biz_nos, faces, requests};
use banyan_store::db::StoreError;
use banyan_store::health_card::{authorisations, codes, reviews};
use banyan_store::ids::JobId;
use banyan_store::journal::{JOURNAL, OPERATOR_AUDIT};
use banyan_store::overdue::{appeals, batches, corrections, links};
use banyan_store::queue::{self, JobKind, NewJob};
use banyan_store::schedule;
use banyan_store::supplement::tokens;

use super::{ledgers, reminding};
use crate::app::App;
use crate::settings::TimeOfDay;

/// A node that dies in the middle gives its work free after this.
const LEASE_MS: i64 = 10 * 60 * SECOND_MS;
/// Entries that a block of the chain holds at most.
const BLOCK: usize = 2_000;
/// Blocks closed in one run: 10,000 messages a second, and the next run is near.
const BLOCKS: u32 = 50;
/// When work that failed is tried again.
const AGAIN_MS: i64 = 60 * SECOND_MS;
/// Rows removed in one transaction: short, so that messages are not kept waiting.
pub(super) const CHUNK: i64 = 1_000;
/// Chunks in one run: the rest waits for the next, so that a run ends.
pub(super) const CHUNKS: u32 = 500;

/// How long after its end a used QR code is remembered: far longer than clocks differ.
const CODE_MEMORY_MS: i64 = HOUR_MS;

#[derive(Debug, Clone, Copy)]
enum Scheduled {
    SealJournal,
    Expire,
    Retain,
    Reconcile,
    Remind,
    Derive,
}

impl Scheduled {
    const ALL: [Self; 6] = [
        Self::SealJournal,
        Self::Expire,
        Self::Retain,
        Self::Reconcile,
        Self::Remind,
        Self::Derive,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::SealJournal => "seal_journal",
            Self::Expire => "expire_links",
            Self::Retain => "retention",
            Self::Reconcile => "reconcile",
            Self::Remind => "remind",
            Self::Derive => "derive_illnesses",
        }
    }

    /// When it is due next after this moment.
    fn next_ms(self, app: &App, after_ms: i64) -> i64 {
        match self {
            Self::SealJournal => after_ms + 10 * SECOND_MS,
            Self::Expire => after_ms + 5 * 60 * SECOND_MS,
            Self::Retain => after_ms + HOUR_MS,
            Self::Derive => after_ms + 60 * SECOND_MS,
            Self::Reconcile => {
                let TimeOfDay { hour, minute } = app.settings.overdue.reconcile_at;
                LocalTime::next_daily_ms(after_ms, hour.into(), minute.into())
            }
            Self::Remind => {
                let settings = &app.settings.overdue.reminders;
                let TimeOfDay { hour, minute } = settings.at;
                match i64::from(settings.look_every_minutes) {
                    0 => LocalTime::next_daily_ms(after_ms, hour.into(), minute.into()),
                    minutes => after_ms + minutes * 60 * SECOND_MS,
                }
            }
        }
    }
}

/// Does what is due now. What fails is tried again soon, and keeps nothing else from its turn.
pub(super) async fn run_due(app: &App) -> Result<(), StoreError> {
    let mut failed = None;
    for work in Scheduled::ALL {
        if app.is_stopping() {
            break;
        }
        if let Err(error) = run_if_due(app, work).await {
            tracing::warn!(%error, work = work.name(), "scheduled work failed");
            failed = Some(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn run_if_due(app: &App, work: Scheduled) -> Result<(), StoreError> {
    let (now_ms, node) = (app.now_ms(), app.node);
    // Looking costs nothing; taking is a write.
    if !schedule::may_be_due(&app.db, work.name(), now_ms).await? {
        return Ok(());
    }
    let first_ms = work.next_ms(app, now_ms);
    let taken = app
        .db
        .write(move |tx| {
            let until_ms = now_ms + LEASE_MS;
            schedule::take(tx, work.name(), node, now_ms, until_ms, first_ms)
        })
        .await?;
    if !taken {
        return Ok(());
    }
    let done = match work {
        Scheduled::SealJournal => seal(app).await,
        Scheduled::Expire => expire(app).await,
        Scheduled::Retain => retain(app).await,
        Scheduled::Reconcile => leave_reconciliations(app).await,
        Scheduled::Remind => reminding::walk(app).await,
        Scheduled::Derive => ledgers::derive(app).await,
    };
    let next_ms = match &done {
        // It was broken off and is to be gone on with.
        Ok(()) if app.is_stopping() => app.now_ms() + AGAIN_MS,
        Ok(()) => work.next_ms(app, app.now_ms()),
        Err(_) => app.now_ms() + AGAIN_MS,
    };
    app.db
        .write(move |tx| schedule::put_back(tx, work.name(), node, next_ms))
        .await?;
    done
}

async fn seal(app: &App) -> Result<(), StoreError> {
    for chain in [&JOURNAL, &OPERATOR_AUDIT] {
        in_pieces(app, BLOCKS, || async {
            let (now_ms, vault) = (app.now_ms(), app.vault.clone());
            let sealed = app
                .db
                .write(move |tx| chain::seal_next(tx, chain, &vault, now_ms, BLOCK))
                .await?;
            Ok(sealed == BLOCK)
        })
        .await?;
    }
    Ok(())
}

/// Does a piece of work again and again while there is more, at most so often in one run; the rest
/// waits for the next. A platform that is to stop waits for the piece under way and no longer.
pub(super) async fn in_pieces<Piece>(
    app: &App,
    most: u32,
    mut piece: impl FnMut() -> Piece,
) -> Result<(), StoreError>
where
    Piece: Future<Output = Result<bool, StoreError>>,
{
    for _ in 0..most {
        if app.is_stopping() || !piece().await? {
            break;
        }
    }
    Ok(())
}

/// Notes where the chains end, outside the database: what is cut off later shows against it.
async fn note_heads(app: &App) -> Result<(), StoreError> {
    for chain in [&JOURNAL, &OPERATOR_AUDIT] {
        if let Some((number, digest)) = chain::head(&app.db, chain).await? {
            let digest = hex::encode(digest);
            tracing::info!(chain = chain.name, number, digest, "the chain ends here");
        }
    }
    Ok(())
}

async fn expire(app: &App) -> Result<(), StoreError> {
    let now_ms = app.now_ms();
    // Kept for another life of a token, so that a code that comes a second time still ends its own.
    let tokens_before_ms = now_ms - app.settings.supplement.token_ttl_ms;
    in_pieces(app, CHUNKS, || async {
        let gone = app
            .db
            .write(move |tx| -> Result<u64, StoreError> {
                Ok(links::expire(tx, now_ms, CHUNK)?
                    + authorisations::expire(tx, now_ms, CHUNK)?
                    + codes::forget(tx, now_ms - CODE_MEMORY_MS, CHUNK)?
                    + tokens::expire(tx, tokens_before_ms, CHUNK)?
                    + faces::prune(tx, now_ms - CODE_MEMORY_MS, CHUNK)?
                    + requests::prune(tx, now_ms - CODE_MEMORY_MS, CHUNK)?)
            })
            .await?;
        Ok(gone > 0)
    })
    .await
}

async fn retain(app: &App) -> Result<(), StoreError> {
    note_heads(app).await?;
    let now_ms = app.now_ms();
    let kept = &app.settings.retention;
    let before = |days: u32| now_ms - i64::from(days) * DAY_MS;
    let biz_nos_ms = before(app.settings.credential.biz_no_days);
    let (batches_ms, jobs_ms, journal_ms, authorisations_ms, appeals_ms) = (
        before(kept.batch_days),
        before(kept.callback_days),
        before(kept.journal_days),
        before(kept.authorisation_days),
        before(kept.appeal_days),
    );
    in_pieces(app, CHUNKS, || async {
        let gone = app
            .db
            .write(move |tx| -> Result<u64, StoreError> {
                Ok(batches::prune(tx, batches_ms, CHUNK)?
                    + corrections::prune(tx, jobs_ms, CHUNK)?
                    + queue::prune(tx, jobs_ms, CHUNK)?
                    + authorisations::prune(tx, authorisations_ms, CHUNK)?
                    + reviews::prune(tx, authorisations_ms, CHUNK)?
                    + appeals::prune(tx, appeals_ms, CHUNK)?
                    + biz_nos::prune(tx, biz_nos_ms, CHUNK)?)
            })
            .await?;
        Ok(gone > 0)
    })
    .await?;
    in_pieces(app, CHUNKS, || {
        app.db
            .write(move |tx| chain::prune_oldest(tx, &JOURNAL, journal_ms, now_ms))
    })
    .await?;
    ledgers::retain(app).await
}

/// Leaves a job for each hospital, so that each is asked at its own pace.
async fn leave_reconciliations(app: &App) -> Result<(), StoreError> {
    let hospitals: Vec<_> = app
        .directory
        .hospitals()
        .into_iter()
        .filter(|hospital| hospital.settlement_url.is_some())
        .map(|hospital| hospital.id)
        .collect();
    let ids = app.ids.take(hospitals.len()).await?;
    let now_ms = app.now_ms();
    app.db
        .write(move |tx| {
            for (hospital, id) in hospitals.iter().zip(ids.clone()) {
                let job = NewJob {
                    id: JobId(id),
                    kind: JobKind::Reconcile,
                    lane: hospital.0,
                    subject: hospital.0,
                    due_ms: now_ms,
                };
                queue::leave(tx, &job, now_ms)?;
            }
            Ok::<_, StoreError>(())
        })
        .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use banyan_protocol::ambient::{SharedRandomness, SystemClock, SystemRandomness, World};
    use banyan_store::vault::MasterKey;

    use super::*;
    use crate::admin::Desk;
    use crate::app::Setup;
    use crate::settings::{DatabaseUrl, Settings};

    banyan_store::on_both_engines! {
        async fn a_platform_that_is_to_stop_waits_for_the_piece_under_way(db: &TestDb) {
            let random: SharedRandomness = Arc::new(SystemRandomness);
            let master = MasterKey::parse(&MasterKey::generate(&random)).unwrap();
            let world = World { clock: Arc::new(SystemClock), random };
            let settings = Settings { database_url: DatabaseUrl(db.url.clone()), ..Settings::default() };
            let app = App::open(settings, &master, world, Setup::default()).await.unwrap();
            let mut pieces = 0;
            let done = in_pieces(&app, CHUNKS, || {
                pieces += 1;
                if pieces == 3 {
                    app.stop_soon();
                }
                async { Ok(true) }
            });
            done.await.unwrap();
            assert_eq!(pieces, 3);

            // Nothing is begun either, however much of it there is.
            Desk::of(&app, "test").note("partner.doctor", "x", String::new()).await.unwrap();
            seal(&app).await.unwrap();
            assert_eq!(chain::head(&app.db, &OPERATOR_AUDIT).await.unwrap(), None);
            app.close().await;
        }
    }
}
