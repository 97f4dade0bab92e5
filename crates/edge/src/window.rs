//! 欠费数据上传时间 (access guide 1.2.5): at night, each hospital at a minute of its own.

use banyan_protocol::crypto::sm3;
use banyan_protocol::wire::LocalTime;

use crate::settings::{BadSetting, Sending};

/// When this hospital begins to send what waits for the night.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    hour: i64,
    minute: i64,
}

/// The last part of the window nobody begins in, so that whoever begins last is done in it.
const LAST_PART: i64 = 4;

impl Window {
    /// The minute that this orgId falls on: in the first three quarters of the window.
    pub(crate) fn parse(sending: &Sending, org_id: &str) -> Result<Self, BadSetting> {
        let from = minute_of("sending.window_from", &sending.window_from)?;
        let until = minute_of("sending.window_until", &sending.window_until)?;
        let length = (until - from).rem_euclid(DAY_MINUTES);
        if length == 0 {
            return Err(BadSetting {
                key: "sending.window_until",
                reason: "须晚于 sending.window_from".to_owned(),
            });
        }
        let digest = sm3::digest(org_id.as_bytes());
        let number = i64::from(u32::from_be_bytes([
            digest[0], digest[1], digest[2], digest[3],
        ]));
        let begins = (length - length / LAST_PART).max(1);
        let minute = (from + number % begins) % DAY_MINUTES;
        Ok(Self {
            hour: minute / 60,
            minute: minute % 60,
        })
    }

    /// When it begins next after this moment.
    pub(crate) const fn next_ms(&self, after_ms: i64) -> i64 {
        LocalTime::next_daily_ms(after_ms, self.hour, self.minute)
    }
}

const DAY_MINUTES: i64 = 24 * 60;

fn minute_of(key: &'static str, text: &str) -> Result<i64, BadSetting> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let hour: i64 = hour.parse().ok().filter(|hour| (0..24).contains(hour))?;
        let minute: i64 = minute
            .parse()
            .ok()
            .filter(|minute| (0..60).contains(minute))?;
        Some(hour * 60 + minute)
    });
    parsed.ok_or_else(|| BadSetting {
        key,
        reason: "应为 HH:MM，例如 02:00".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: &str, until: &str, org_id: &str) -> Result<Window, BadSetting> {
        let sending = Sending {
            window_from: from.to_owned(),
            window_until: until.to_owned(),
            ..Sending::default()
        };
        Window::parse(&sending, org_id)
    }

    #[test]
    fn hospitals_spread_over_the_first_three_quarters_of_the_night() {
        let minutes: std::collections::BTreeSet<i64> = (0..200)
            .map(|n| window("02:00", "06:00", &format!("H{n}")).unwrap())
            .map(|window| window.hour * 60 + window.minute)
            .collect();
        assert!(minutes.iter().all(|minute| (120..300).contains(minute)));
        assert!(minutes.len() > 80, "{} minutes", minutes.len());
        assert_eq!(
            window("02:00", "06:00", "H1"),
            window("02:00", "06:00", "H1")
        );
    }

    #[test]
    fn a_window_may_pass_midnight_and_must_be_one() {
        for n in 0..50 {
            let window = window("23:00", "01:00", &format!("H{n}")).unwrap();
            assert!(window.hour == 23 || window.hour == 0, "{window:?}");
        }
        assert_eq!(
            window("02:00", "02:00", "H").unwrap_err().key,
            "sending.window_until"
        );
        assert_eq!(
            window("25:00", "02:00", "H").unwrap_err().key,
            "sending.window_from"
        );
    }

    #[test]
    fn the_next_night_is_the_one_after_now() {
        // 2026-03-01 12:00:00 and 2026-03-02 02:00:00 in China.
        let noon = 1_772_337_600_000;
        let window = Window { hour: 2, minute: 0 };
        let next = window.next_ms(noon);
        assert_eq!(next - noon, 14 * 3_600_000);
        assert_eq!(window.next_ms(next), next + 86_400_000);
        assert_eq!(window.next_ms(next - 1), next);
    }
}
