//! What no type of a setting says: bounds beyond which nothing works, or data is lost.

use std::fmt::Display;

use banyan_protocol::credential::dictionaries::BusinessType;

use super::{
    Credential, HealthCard, Inbound, JOURNAL_READ_BACK_DAYS, Outbound, Overdue, Retention,
    Settings, Supplement,
};

impl Settings {
    /// Holds every setting against its bounds.
    ///
    /// # Errors
    /// The setting that can't be, in Chinese.
    pub fn check(&self) -> Result<(), String> {
        at_least(
            "database_write_connections",
            self.database_write_connections,
            1,
        )?;
        at_least(
            "database_read_connections",
            self.database_read_connections,
            1,
        )?;
        self.inbound.check()?;
        self.overdue.check()?;
        self.health_card.check()?;
        self.supplement.check()?;
        self.credential.check()?;
        self.outbound.check()?;
        self.retention.check()
    }
}

/// Refuses what is set below the least that it can be.
fn at_least<T: PartialOrd + Display>(name: &str, set: T, least: T) -> Result<(), String> {
    if set < least {
        return Err(format!("{name}：不得小于 {least}"));
    }
    Ok(())
}

impl Inbound {
    fn check(&self) -> Result<(), String> {
        at_least("inbound.max_body_bytes", self.max_body_bytes, 1)?;
        at_least(
            "inbound.max_insurer_body_bytes",
            self.max_insurer_body_bytes,
            1,
        )?;
        at_least("inbound.timeout_ms", self.timeout_ms, 1)?;
        at_least("inbound.freshness_ms", self.freshness_ms, 1)?;
        at_least("inbound.replay_capacity", self.replay_capacity, 1)?;
        at_least("inbound.max_concurrent", self.max_concurrent, 1)
    }
}

impl Overdue {
    fn check(&self) -> Result<(), String> {
        let reminders = &self.reminders;
        at_least("overdue.link_ttl_ms", self.link_ttl_ms, 1)?;
        at_least("overdue.session_ttl_ms", self.session_ttl_ms, 1)?;
        at_least("overdue.reminders.every_days", reminders.every_days, 1)?;
        at_least("overdue.reminders.max_times", reminders.max_times, 1)?;
        at_least("overdue.next.max_amount_fen", self.next.max_amount_fen, 0)
    }
}

impl HealthCard {
    fn check(&self) -> Result<(), String> {
        at_least(
            "health_card.authorisation_ttl_ms",
            self.authorisation_ttl_ms,
            1,
        )?;
        at_least(
            "health_card.authorisation_tries",
            self.authorisation_tries,
            1,
        )?;
        at_least("health_card.code_ttl_ms", self.code_ttl_ms, 1)?;
        // A token is 43 characters long.
        let path = self.wx_mini_path.as_ref();
        let path = path.map(|path| path.replace("{token}", &"0".repeat(43)));
        for (name, text, most) in [
            ("wx_mini_app_id", self.wx_mini_app_id.as_deref(), 40),
            ("wx_mini_path", path.as_deref(), 300),
        ] {
            let fits = |text: &str| !text.trim().is_empty() && text.chars().count() <= most;
            if text.is_some_and(|text| !fits(text)) {
                return Err(format!("health_card.{name}：须为 1 至 {most} 个字符"));
            }
        }
        Ok(())
    }
}

impl Supplement {
    fn check(&self) -> Result<(), String> {
        at_least("supplement.code_ttl_ms", self.code_ttl_ms, 1)?;
        at_least("supplement.token_ttl_ms", self.token_ttl_ms, 1)
    }
}

impl Credential {
    fn check(&self) -> Result<(), String> {
        at_least("credential.code_ttl_ms", self.code_ttl_ms, 1)?;
        at_least("credential.token_ttl_ms", self.token_ttl_ms, 1)?;
        at_least("credential.face_ttl_ms", self.face_ttl_ms, 1)?;
        at_least("credential.password_wait_ms", self.password_wait_ms, 1)?;
        at_least("credential.max_waiting", self.max_waiting, 1)?;
        // Without a day nothing would be remembered, and a number could be used again at once.
        at_least("credential.biz_no_days", self.biz_no_days, 1)?;
        let unknown = |code: &&String| BusinessType::from_code(code).is_none();
        match self.password_free.iter().find(unknown) {
            Some(code) => Err(format!("credential.password_free：没有用码业务类型 {code}")),
            None => Ok(()),
        }
    }
}

impl Outbound {
    fn check(&self) -> Result<(), String> {
        at_least("outbound.connect_timeout_ms", self.connect_timeout_ms, 1)?;
        at_least("outbound.call_timeout_ms", self.call_timeout_ms, 1)?;
        at_least("outbound.per_hospital", self.per_hospital, 1)?;
        at_least("outbound.healthy_hospitals", self.healthy_hospitals, 1)?;
        at_least("outbound.failing_hospitals", self.failing_hospitals, 1)
    }
}

impl Retention {
    /// Zero days would remove at the next hour what has just ended, which nobody means who writes it.
    fn check(&self) -> Result<(), String> {
        at_least("retention.batch_days", self.batch_days, 1)?;
        at_least("retention.callback_days", self.callback_days, 1)?;
        at_least(
            "retention.journal_days",
            self.journal_days,
            JOURNAL_READ_BACK_DAYS,
        )?;
        at_least("retention.authorisation_days", self.authorisation_days, 1)?;
        at_least("retention.appeal_days", self.appeal_days, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_lose_data_is_refused_with_its_least() {
        Settings::default().check().unwrap();
        let refused = |set: fn(&mut Settings)| {
            let mut settings = Settings::default();
            set(&mut settings);
            settings.check().unwrap_err()
        };
        for (set, said) in [
            (
                (|settings| settings.retention.journal_days = 89) as fn(&mut Settings),
                "retention.journal_days：不得小于 90",
            ),
            (
                |settings| settings.retention.batch_days = 0,
                "retention.batch_days：不得小于 1",
            ),
            (
                |settings| settings.retention.callback_days = 0,
                "retention.callback_days：不得小于 1",
            ),
            (
                |settings| settings.retention.authorisation_days = 0,
                "retention.authorisation_days：不得小于 1",
            ),
            (
                |settings| settings.retention.appeal_days = 0,
                "retention.appeal_days：不得小于 1",
            ),
            (
                |settings| settings.credential.biz_no_days = 0,
                "credential.biz_no_days：不得小于 1",
            ),
            (
                |settings| settings.overdue.next.max_amount_fen = -1,
                "overdue.next.max_amount_fen：不得小于 0",
            ),
        ] {
            assert_eq!(refused(set), said);
        }
    }
}
