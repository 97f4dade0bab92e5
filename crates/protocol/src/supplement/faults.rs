//! What is off in a message that was nevertheless read.

use crate::wire::{FieldFault, LocalTime, Scalar as _};

use super::{Said, fen};

/// How many faults of one message are named; how many there were is counted.
pub const MOST_NAMED: usize = 20;

/// What is off in a message, in the order of its members. The values themselves are not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// The first of them.
    pub named: Vec<FieldFault>,
    /// How many there are.
    pub count: usize,
}

impl Faults {
    /// The first one, for a channel that is held to the letter.
    #[must_use]
    pub fn first(self) -> Option<FieldFault> {
        self.named.into_iter().next()
    }

    pub(super) fn note(&mut self, path: impl FnOnce() -> String, expected: &str) {
        self.count += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(FieldFault::new(path(), expected));
        }
    }

    /// What must be there; it may be empty.
    pub(super) fn there<const MAX: usize>(&mut self, place: &str, name: &str, said: &Said<MAX>) {
        if said.text().is_none() {
            self.note(|| format!("{place}{name}"), "不可缺少");
        }
    }

    /// What must be there and, where it is not empty, be an amount in yuan.
    pub(super) fn amount<const MAX: usize>(&mut self, place: &str, name: &str, said: &Said<MAX>) {
        self.there(place, name, said);
        if said.filled().is_some_and(|text| fen(text).is_none()) {
            self.note(
                || format!("{place}{name}"),
                "应为人民币元，最多两位小数，例如 12.50",
            );
        }
    }

    /// What must be there and, where it is not empty, be a moment or a day.
    pub(super) fn time<const MAX: usize>(&mut self, place: &str, name: &str, said: &Said<MAX>) {
        self.there(place, name, said);
        if said.filled().is_some_and(|text| moment_ms(text).is_none()) {
            self.note(
                || format!("{place}{name}"),
                "应为时间 yyyy-MM-dd HH:mm:ss（或日期 yyyy-MM-dd）",
            );
        }
    }

    /// What must be there and, where it is not empty, be a year.
    pub(super) fn year<const MAX: usize>(&mut self, place: &str, name: &str, said: &Said<MAX>) {
        self.there(place, name, said);
        let is_year = |text: &str| text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
        if said.filled().is_some_and(|text| !is_year(text)) {
            self.note(|| format!("{place}{name}"), "应为四位年份，例如 2025");
        }
    }
}

/// The moment that a text names, in milliseconds since the epoch; a day means its beginning.
#[must_use]
pub fn moment_ms(text: &str) -> Option<i64> {
    let whole = match text.len() {
        10 => format!("{text} 00:00:00"),
        _ => text.to_owned(),
    };
    LocalTime::parse(&whole).ok().map(LocalTime::epoch_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_faults_are_counted_and_the_first_are_named() {
        let mut faults = Faults::default();
        for _ in 0..100 {
            faults.amount("a.", "b", &Said::<20>::new("x"));
        }
        assert_eq!((faults.count, faults.named.len()), (100, MOST_NAMED));
        assert_eq!(faults.first().map(|fault| fault.path), Some("a.b".into()));
    }

    #[test]
    fn days_and_moments_are_times() {
        let mut faults = Faults::default();
        for text in ["2025-01-10 18:33:21", "2025-01-10", ""] {
            faults.time("", "t", &Said::<40>::new(text));
        }
        assert_eq!(faults.count, 0);
        faults.time("", "t", &Said::<40>::new("closeTime3"));
        faults.time("", "t", &Said::<40>::default());
        assert_eq!(faults.count, 2);
    }
}
