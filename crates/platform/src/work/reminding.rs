//! Looking who is to be reminded of what he owes: a walk over all debtors, once a day.

use banyan_protocol::ambient::{DAY_MS, HOUR_MS};
use banyan_store::db::StoreError;
use banyan_store::ids::JobId;
use banyan_store::overdue::reminders::{self, Debtor, NewReminder};
use banyan_store::queue::JobKind;

use crate::app::App;
use crate::overdue::reminder::is_due;

/// Records in a piece of the walk, whatever their state: so much is read at once, and so many
/// reminders are left in one transaction at the most.
const PIECE: i64 = 1_000;
/// A walk that was broken off longer ago than this is begun anew: the next day's would be due.
const STALE_MS: i64 = 20 * HOUR_MS;

/// Leaves a reminder for everybody who is to have one. Where it is broken off it goes on later
/// where it stood; nobody is reminded twice, whoever walks beside it.
///
/// # Errors
/// Any [`StoreError`].
pub(super) async fn walk(app: &App) -> Result<(), StoreError> {
    let settings = &app.settings.overdue.reminders;
    let channel = settings
        .enabled
        .then(|| app.directory.reminding_channel())
        .flatten()
        .map(|channel| channel.id);
    // Without a channel what is kept of earlier reminders still comes to its end.
    if channel.is_none() && !reminders::any(&app.db).await? {
        return Ok(());
    }
    let begun_ms = app.now_ms();
    let forget_ms = begun_ms - i64::from(app.settings.retention.callback_days) * DAY_MS;
    let mut walk = app
        .db
        .write(move |tx| reminders::begin(tx, begun_ms, begun_ms - STALE_MS))
        .await?;
    let mut left = 0;
    while !app.is_stopping() {
        let now_ms = app.now_ms();
        let piece = reminders::next_piece(&app.db, &walk, PIECE).await?;
        let due: Vec<&Debtor> = piece
            .debtors
            .iter()
            .filter(|debtor| channel.is_some() && is_due(settings, debtor, now_ms))
            .collect();
        let mut ids = app.ids.take(due.len() * 2).await?;
        let new: Vec<NewReminder> = due
            .into_iter()
            .filter_map(|debtor| {
                let fresh = ids.next()?;
                Some(NewReminder {
                    id: debtor.last.map_or(fresh, |last| last.id),
                    job: JobId(ids.next()?),
                    person: debtor.person,
                })
            })
            .collect();
        let count = new.len();
        let moved = app
            .db
            .write(move |tx| reminders::leave(tx, &walk, &piece, &new, channel, forget_ms, now_ms))
            .await?;
        if moved && count > 0 {
            left += count;
            app.wake(JobKind::Reminder);
        }
        match reminders::under_way(&app.db).await? {
            Some(next) => walk = next,
            None => break,
        }
    }
    tracing::info!(reminders = left, "walked over all debtors");
    Ok(())
}
