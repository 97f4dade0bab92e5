//! The line to the platform: sealed calls, the clock corrected by what the platform's says, and
//! what the last calls tell about who is at fault.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use banyan_client::{
    Blame, CallFault, ClientSetupError, Credentials, HostGuard, HttpClient, HttpSettings,
    open_answer,
};
use banyan_protocol::ambient::SharedClock;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::envelope::{AcceptedReplies, Answer, Manner, Sealing, Secret, signed_time_ms};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{self, Message};
use bytes::Bytes;
use url::Url;

use crate::settings::Settings;

/// The line to the platform.
pub(crate) struct Line {
    http: HttpClient,
    platform: Url,
    credentials: Credentials,
    clock: SharedClock,
    /// By how much the platform's clock is ahead of ours, as its last signed answer said.
    skew_ms: AtomicI64,
    record: Mutex<Record>,
    pause_ms: i64,
}

/// What the last calls told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    /// When the platform last answered, with whatever.
    pub(crate) answered_ms: Option<i64>,
    /// When a call last failed, and at what; cleared by the next answer that does not.
    pub(crate) trouble: Option<(Trouble, i64)>,
    /// How many calls in a row brought no answer.
    pub(crate) failures: u32,
    /// Until when the platform counts as away.
    away_until_ms: i64,
}

/// Who or what a failed call points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Our clock is off by so much that the platform refuses.
    Clock,
    /// The platform is not reached.
    Network(String),
    /// appId or secret are not those that the platform has.
    Key,
    /// The platform answers, but can't do its work.
    Platform(String),
    /// This hospital is not granted an interface.
    Grant,
}

/// After so many calls in a row without an answer the platform counts as away.
const AWAY_AFTER: u32 = 3;
/// A difference of clocks that is no network's delay.
const SKEW_MATTERS_MS: i64 = 30_000;

impl Line {
    pub(crate) fn new(
        settings: &Settings,
        platform: Url,
        secret: Secret,
        clock: SharedClock,
    ) -> Result<Self, ClientSetupError> {
        let sending = &settings.sending;
        let http = HttpClient::new(&HttpSettings {
            connect_timeout: Duration::from_millis(sending.connect_timeout_ms),
            call_timeout: Duration::from_millis(sending.call_timeout_ms),
            extra_ca_file: sending.extra_ca_file.clone(),
            idle_per_host: sending.parallel.max(4),
            ..HttpSettings::default()
        })?;
        Ok(Self {
            http,
            platform,
            credentials: Credentials {
                app_id: settings.app_id.as_str().into(),
                secret: Arc::new(secret),
                // The platform seals what it answers to a sealed call.
                accepted: AcceptedReplies {
                    plain_and_bare: false,
                },
                manner: Manner::SEALED,
            },
            clock,
            skew_ms: AtomicI64::new(0),
            record: Mutex::default(),
            pause_ms: settings.away.pause_ms,
        })
    }

    /// Sends business JSON and gives the answer's. A refusal is `CallFault::Refused`.
    pub(crate) async fn call(
        &self,
        interface: Interface,
        business: &str,
    ) -> Result<String, CallFault> {
        let before_ms = self.skew_ms();
        let mut outcome = self.call_once(interface, business).await;
        // The refusal told the platform's time: said with that, the same call is fresh.
        if refused_with(&outcome, ResultCode::Replay)
            && (self.skew_ms() - before_ms).abs() >= SKEW_MATTERS_MS
        {
            outcome = self.call_once(interface, business).await;
        }
        self.note(&outcome);
        outcome
    }

    /// The same with messages.
    pub(crate) async fn call_typed<Request: Message, Reply: Message>(
        &self,
        interface: Interface,
        request: &Request,
    ) -> Result<Reply, CallFault> {
        let business = self.call(interface, &wire::write(request)).await?;
        wire::read(&business).map_err(CallFault::BadReply)
    }

    /// Whether the platform failed so often that nobody should wait for it now.
    pub(crate) fn is_away(&self) -> bool {
        let now_ms = self.clock.now_ms();
        let until_ms = self.record_now().away_until_ms;
        // A clock that was set back must not keep the line down.
        now_ms < until_ms && until_ms - now_ms <= self.pause_ms
    }

    /// What the last calls told.
    pub(crate) fn record(&self) -> Record {
        self.record_now().clone()
    }

    /// By how many milliseconds the platform's clock is ahead of ours.
    pub(crate) fn skew_ms(&self) -> i64 {
        self.skew_ms.load(Ordering::Relaxed)
    }

    async fn call_once(&self, interface: Interface, business: &str) -> Result<String, CallFault> {
        let credentials = &self.credentials;
        let sent_ms = self.clock.now_ms();
        let sealing = Sealing::call(
            &credentials.app_id,
            sent_ms + self.correction_ms(),
            business,
        );
        let sealed = Bytes::from(sealing.seal(&credentials.secret));
        // Whoever sets an edge up says where its platform is.
        let reply = self
            .http
            .post(&self.url(interface), sealed, &HostGuard::Anywhere)
            .await?;
        if let Some(signed_ms) = signed_time_ms(&reply.body, &credentials.secret) {
            let between_ms = sent_ms + (self.clock.now_ms() - sent_ms) / 2;
            self.skew_ms
                .store(signed_ms - between_ms, Ordering::Relaxed);
        }
        match open_answer(&reply, credentials)? {
            Answer::Done(business) => Ok(business),
            Answer::Refused { code, message } => Err(CallFault::Refused { code, message }),
        }
    }

    /// What is added to our own time in messages: nothing, unless our clock is plainly off.
    fn correction_ms(&self) -> i64 {
        let skew_ms = self.skew_ms();
        if skew_ms.abs() >= SKEW_MATTERS_MS {
            skew_ms
        } else {
            0
        }
    }

    fn url(&self, interface: Interface) -> Url {
        let mut url = self.platform.clone();
        if let Some(path) = interface.path() {
            let base = url.path().trim_end_matches('/').to_owned();
            url.set_path(&format!("{base}{path}"));
        }
        url
    }

    fn note(&self, outcome: &Result<String, CallFault>) {
        let now_ms = self.clock.now_ms();
        let mut record = self.record_now();
        let trouble = outcome.as_ref().err().and_then(Trouble::of);
        let unanswered = outcome
            .as_ref()
            .is_err_and(|fault| fault.is_retryable() || fault.blame() == Blame::Line);
        if unanswered {
            record.failures = record.failures.saturating_add(1);
            if record.failures >= AWAY_AFTER {
                record.away_until_ms = now_ms + self.pause_ms;
            }
        } else {
            record.failures = 0;
            record.away_until_ms = 0;
            record.answered_ms = Some(now_ms);
        }
        record.trouble = trouble.map(|trouble| (trouble, now_ms));
    }

    fn record_now(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused_with(outcome: &Result<String, CallFault>, code: ResultCode) -> bool {
    matches!(outcome, Err(CallFault::Refused { code: said, .. }) if said == code.code())
}

impl Trouble {
    /// What a fault points at; `None` where it is about the message's content alone.
    fn of(fault: &CallFault) -> Option<Self> {
        let text = || fault.to_string();
        Some(match fault {
            CallFault::Refused { code, .. } => match ResultCode::from_code(code)? {
                ResultCode::Replay => Self::Clock,
                ResultCode::UnknownApp
                | ResultCode::AppNotFound
                | ResultCode::CipherFailure
                | ResultCode::BadSignature => Self::Key,
                ResultCode::NotGranted | ResultCode::SwitchedOff => Self::Grant,
                ResultCode::Success
                | ResultCode::BadParameter
                | ResultCode::BadRequest
                | ResultCode::UnknownPath => return None,
                code => Self::Platform(format!("{} {}", code.code(), code.label())),
            },
            CallFault::Connect(_)
            | CallFault::Timeout
            | CallFault::Http(_)
            | CallFault::Tls(_)
            | CallFault::Forbidden(_) => Self::Network(text()),
            CallFault::Status { .. }
            | CallFault::TooLarge
            | CallFault::NotOpened(_)
            | CallFault::BadReply(_) => Self::Platform(text()),
        })
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line")
            .field("platform", &self.platform.as_str())
            .finish_non_exhaustive()
    }
}
