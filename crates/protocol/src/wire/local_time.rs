//! Points in time as the guide writes them.

use std::borrow::Cow;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::message::Kind;
use super::scalar::{Invalid, Scalar};
use crate::ambient::DAY_MS;

/// `yyyy-MM-dd HH:mm:ss` in China Standard Time (Asia/Shanghai), kept as epoch milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalTime {
    epoch_ms: i64,
}

/// China has had one fixed offset since 1991; earlier summer times never reach these messages.
const OFFSET_MS: i64 = 8 * 3_600_000;

impl LocalTime {
    /// The moment that lies so many milliseconds after the epoch; parts of a second are dropped.
    #[must_use]
    pub const fn from_epoch_ms(epoch_ms: i64) -> Self {
        Self {
            epoch_ms: epoch_ms - epoch_ms.rem_euclid(1000),
        }
    }

    /// Milliseconds since the Unix epoch, a whole number of seconds.
    #[must_use]
    pub const fn epoch_ms(self) -> i64 {
        self.epoch_ms
    }

    /// The moment at which `hour:minute` comes next after `after_ms`, in China Standard Time.
    #[must_use]
    pub const fn next_daily_ms(after_ms: i64, hour: i64, minute: i64) -> i64 {
        let local_midnight =
            after_ms + OFFSET_MS - (after_ms + OFFSET_MS).rem_euclid(DAY_MS) - OFFSET_MS;
        let today = local_midnight + (hour * 60 + minute) * 60_000;
        if today > after_ms {
            today
        } else {
            today + DAY_MS
        }
    }

    /// The number of the calendar day in China Standard Time in which a moment lies.
    #[must_use]
    pub const fn day_number(epoch_ms: i64) -> i64 {
        (epoch_ms + OFFSET_MS).div_euclid(86_400_000)
    }

    /// The minutes since midnight in China Standard Time.
    #[must_use]
    pub const fn minute_of_day(epoch_ms: i64) -> i64 {
        (epoch_ms + OFFSET_MS).rem_euclid(86_400_000) / 60_000
    }

    fn civil(self) -> Option<DateTime> {
        let local = jiff::Timestamp::from_millisecond(self.epoch_ms + OFFSET_MS).ok()?;
        Some(TimeZone::UTC.to_datetime(local))
    }
}

impl Scalar for LocalTime {
    const KIND: Kind = Kind::LocalTime;

    fn parse(text: &str) -> Result<Self, Invalid> {
        let expected =
            || Invalid::new("应为存在的时间，格式 yyyy-MM-dd HH:mm:ss，例如 2025-01-10 18:33:21");
        let bytes = text.as_bytes();
        let separators = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
        if bytes.len() != 19 || separators.iter().any(|&(at, byte)| bytes[at] != byte) {
            return Err(expected());
        }
        let number = |from: usize, to: usize| -> Option<i16> {
            let part = bytes.get(from..to)?;
            part.iter().all(u8::is_ascii_digit).then(|| {
                part.iter()
                    .fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0'))
            })
        };
        let read = || -> Option<DateTime> {
            let small = |from, to| number(from, to).and_then(|n| i8::try_from(n).ok());
            DateTime::new(
                number(0, 4).filter(|year| *year >= 1900)?,
                small(5, 7)?,
                small(8, 10)?,
                small(11, 13)?,
                small(14, 16)?,
                small(17, 19)?,
                0,
            )
            .ok()
        };
        let civil = read().ok_or_else(expected)?;
        let utc = TimeZone::UTC.to_timestamp(civil).map_err(|_| expected())?;
        Ok(Self {
            epoch_ms: utc.as_millisecond() - OFFSET_MS,
        })
    }

    fn render(&self) -> Cow<'_, str> {
        Cow::Owned(self.civil().map_or_else(String::new, |civil| {
            civil.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_becomes_the_moment_and_back() {
        let time = LocalTime::parse("2025-01-10 18:33:21").unwrap();
        assert_eq!(time.epoch_ms(), 1_736_505_201_000);
        assert_eq!(time.render(), "2025-01-10 18:33:21");
        assert!(LocalTime::parse("2024-02-29 00:00:00").is_ok());
    }

    #[test]
    fn times_that_do_not_exist_are_refused() {
        for text in [
            "2025-02-29 00:00:00",
            "2025-13-01 00:00:00",
            "2025-01-32 00:00:00",
            "2025-01-01 24:00:00",
            "2025-01-01 23:59:60",
            "2025-01-01",
            "2025-01-01T00:00:00",
            "2025-1-1 0:00:00   ",
            "2025-01-10 18:33:2１",
            "0000-01-01 00:00:00",
            "",
        ] {
            assert!(LocalTime::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_china() {
        let ms = |text: &str| LocalTime::parse(text).unwrap().epoch_ms();
        let (last, first) = (ms("2025-01-10 23:59:59"), ms("2025-01-11 00:00:00"));
        assert_eq!(LocalTime::minute_of_day(last), 24 * 60 - 1);
        assert_eq!(LocalTime::minute_of_day(first), 0);
        assert_eq!(
            LocalTime::day_number(first),
            LocalTime::day_number(last) + 1
        );
    }

    #[test]
    fn the_next_two_o_clock() {
        let ms = |text: &str| LocalTime::parse(text).unwrap().epoch_ms();
        for (after, next) in [
            ("2025-01-10 01:59:59", "2025-01-10 02:00:00"),
            ("2025-01-10 02:00:00", "2025-01-11 02:00:00"),
            ("2025-01-10 23:00:00", "2025-01-11 02:00:00"),
        ] {
            assert_eq!(LocalTime::next_daily_ms(ms(after), 2, 0), ms(next));
        }
    }
}
