//! 催缴提醒: a citizen is reminded through 闽政通 of what he owes (guide 3.1.1, 3.1.8), in all
//! hospitals together and without a word about what it was for.
//!
//! Who is to be reminded is looked at once a day ([`is_due`]), what he is told when it is sent: who
//! has paid in the meantime is not reminded.

use banyan_protocol::ambient::DAY_MS;
use banyan_protocol::dictionaries::NotifyType;
use banyan_protocol::wire::{LocalTime, Scalar as _, yuan};
use banyan_store::db::StoreError;
use banyan_store::overdue::reminders::{self, Debtor, Debts};
use banyan_store::queue::Job;
use banyan_store::vault::Place;
use serde_json::{Map, json};

use super::notice::{self, Notice, OnceTaken, Turn};
use super::person::Identity;
use crate::app::App;
use crate::directory::Partner;
use crate::settings::Reminders;

/// A reminder that is not taken is given up before this.
const MOST_PATIENCE_MS: i64 = 10 * DAY_MS;

/// Whether somebody who owes is to be reminded now.
#[must_use]
pub fn is_due(settings: &Reminders, debtor: &Debtor, now_ms: i64) -> bool {
    let Some(last) = &debtor.last else {
        return is_old_enough(settings, &debtor.debts, now_ms);
    };
    // By the calendar: a reminder that took a while to arrive does not move the next by a day.
    let rested = last.told_ms.is_none_or(|told_ms| {
        LocalTime::day_number(now_ms)
            >= LocalTime::day_number(told_ms) + i64::from(settings.every_days)
    });
    let enough = last.unchanged && last.times >= i64::from(settings.max_times);
    // One that waits for longer stands in the lane of a channel that was switched off.
    let waits = last.waits && now_ms - last.made_ms <= MOST_PATIENCE_MS;
    !waits && rested && !enough && is_old_enough(settings, &debtor.debts, now_ms)
}

fn is_old_enough(settings: &Reminders, debts: &Debts, now_ms: i64) -> bool {
    debts.since_ms <= now_ms - i64::from(settings.first_after_days) * DAY_MS
}

/// Until when it is quiet; `None` where it is not.
#[must_use]
pub fn quiet_until_ms(settings: &Reminders, now_ms: i64) -> Option<i64> {
    let (from, until) = (
        settings.quiet_from.minutes(),
        settings.quiet_until.minutes(),
    );
    let minute = LocalTime::minute_of_day(now_ms);
    let is_quiet = if from <= until {
        (from..until).contains(&minute)
    } else {
        minute >= from || minute < until
    };
    is_quiet.then(|| {
        let end = settings.quiet_until;
        LocalTime::next_daily_ms(now_ms, end.hour.into(), end.minute.into())
    })
}

/// The reminder of a person, from what he owes now.
pub(super) async fn of_person(app: &App, partner: &Partner, job: &Job) -> Result<Turn, StoreError> {
    let (settings, now_ms) = (&app.settings.overdue.reminders, app.now_ms());
    if !settings.enabled {
        return Ok(Turn::NotNeeded);
    }
    if let Some(due_ms) = quiet_until_ms(settings, now_ms) {
        return Ok(Turn::NotBefore { due_ms });
    }
    let Some((person, debts, sealed)) = reminders::owed(&app.db, job.subject, job.id).await? else {
        return Ok(Turn::NotNeeded);
    };
    if !is_old_enough(settings, &debts, now_ms) {
        return Ok(Turn::NotNeeded);
    }
    let identity = Identity::open(&app.vault, Place::ItemPerson, &sealed)?;
    let oldest = LocalTime::from_epoch_ms(debts.oldest_ms);
    let ext = [
        ("idType", json!(identity.id_type)),
        ("idNo", json!(identity.id_no)),
        ("userName", json!(identity.user_name)),
        ("itemCount", json!(debts.items)),
        ("totalAmount", json!(yuan(debts.amount_fen))),
        ("orgCount", json!(debts.hospitals)),
        ("oldestTime", json!(oldest.render())),
    ];
    let ext = ext.map(|(name, value)| (name.to_owned(), value));
    Ok(Turn::Send(Box::new(Notice {
        url: partner.notice_url.clone(),
        subject: None,
        person: Some(person),
        request: notice::request(partner, NotifyType::Remind, job.id, Map::from_iter(ext))?,
        once_taken: OnceTaken::Reminded(job.subject, debts),
    })))
}

#[cfg(test)]
mod tests {
    use banyan_store::overdue::reminders::Last;
    use banyan_store::vault::PersonCode;

    use super::*;
    use crate::settings::TimeOfDay;

    fn ms(text: &str) -> i64 {
        LocalTime::parse(text).unwrap().epoch_ms()
    }

    fn debtor(since: &str, last: Option<Last>) -> Debtor {
        Debtor {
            person: PersonCode([1; 32]),
            debts: Debts {
                items: 1,
                amount_fen: 100,
                hospitals: 1,
                oldest_ms: 0,
                since_ms: ms(since),
                newest_ms: ms(since),
            },
            last,
        }
    }

    fn told(at: &str, times: i64) -> Last {
        Last {
            id: 1,
            waits: false,
            made_ms: ms(at),
            told_ms: Some(ms(at)),
            times,
            unchanged: true,
        }
    }

    #[test]
    fn the_night_is_quiet() {
        let settings = Reminders::default();
        for (now, until) in [
            ("2026-03-02 20:59:59", None),
            ("2026-03-02 21:00:00", Some("2026-03-03 09:00:00")),
            ("2026-03-03 00:00:00", Some("2026-03-03 09:00:00")),
            ("2026-03-03 08:59:59", Some("2026-03-03 09:00:00")),
            ("2026-03-03 09:00:00", None),
        ] {
            assert_eq!(quiet_until_ms(&settings, ms(now)), until.map(ms), "{now}");
        }
        let noon = TimeOfDay {
            hour: 12,
            minute: 30,
        };
        let at_noon = Reminders {
            quiet_from: TimeOfDay {
                hour: 12,
                minute: 0,
            },
            quiet_until: noon,
            ..Reminders::default()
        };
        let end = Some(ms("2026-03-02 12:30:00"));
        assert_eq!(quiet_until_ms(&at_noon, ms("2026-03-02 12:10:00")), end);
        assert_eq!(quiet_until_ms(&at_noon, ms("2026-03-02 23:00:00")), None);
        let never = Reminders {
            quiet_from: noon,
            ..at_noon
        };
        assert_eq!(quiet_until_ms(&never, ms("2026-03-02 12:30:00")), None);
    }

    #[test]
    fn nobody_is_reminded_too_soon_too_often_or_twice_at_once() {
        let settings = Reminders::default();
        let due = |debtor: &Debtor, now: &str| is_due(&settings, debtor, ms(now));
        let new = debtor("2026-03-02 10:00:00", None);
        assert!(!due(&new, "2026-03-05 09:59:59"));
        assert!(due(&new, "2026-03-05 10:00:00"));

        let since = "2026-02-01 10:00:00";
        let again = debtor(since, Some(told("2026-03-02 10:07:00", 1)));
        assert!(!due(&again, "2026-03-08 23:59:59"));
        assert!(due(&again, "2026-03-09 10:00:00"), "the same weekday again");
        let enough = debtor(since, Some(told("2026-03-02 10:07:00", 10)));
        assert!(!due(&enough, "2027-03-02 10:00:00"));
        let changed = Last {
            unchanged: false,
            ..told("2026-03-02 10:07:00", 10)
        };
        assert!(due(&debtor(since, Some(changed)), "2026-03-09 10:00:00"));
        assert!(!due(&debtor(since, Some(changed)), "2026-03-08 10:00:00"));
        let waiting = Last {
            waits: true,
            made_ms: ms("2026-03-02 10:00:00"),
            ..told("2026-01-02 10:07:00", 1)
        };
        assert!(!due(&debtor(since, Some(waiting)), "2026-03-12 10:00:00"));
        assert!(
            due(&debtor(since, Some(waiting)), "2026-03-13 10:00:00"),
            "its channel is gone"
        );
    }
}
