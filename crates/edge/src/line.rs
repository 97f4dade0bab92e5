//! The line to the platform: sealed calls, the clock corrected by what the platform's says, and
//! what the last calls tell about who is at fault.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use banyan_client::{
    Blame, CallFault, CentreCaller, ClientSetupError, ConnectFault, Credentials, HostGuard,
    HttpClient, HttpSettings, call_centre, open_answer,
};
use banyan_protocol::ambient::SharedClock;
use banyan_protocol::catalogue::{Interface, Route};
use banyan_protocol::envelope::centre::{self, Request};
use banyan_protocol::envelope::{AcceptedReplies, Answer, Manner, Sealing, Secret, signed_time_ms};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{self, FieldFault, Message};
use bytes::Bytes;
use serde_json::{Map, Value};
use url::Url;

use crate::settings::Settings;

/// The line to the platform.
pub(crate) struct Line {
    http: HttpClient,
    /// For calls that wait until a person has entered his password.
    patient: HttpClient,
    platform: Url,
    credentials: Credentials,
    clock: SharedClock,
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
    /// By how much the platform's clock is ahead of ours, as its last signed answer said; `None`
    /// where none was heard that its signature vouches for.
    pub(crate) skew_ms: Option<i64>,
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
    /// What our messages say of the hospital is not what the platform has registered: 机构 id,
    /// 机构名称 or 回调通知地址.
    Registration(String),
}

/// Longer than the centre lets a person look for his telephone.
const A_PERSON: Duration = Duration::from_secs(90);
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
        let usual = HttpSettings {
            connect_timeout: Duration::from_millis(sending.connect_timeout_ms),
            call_timeout: Duration::from_millis(sending.call_timeout_ms),
            extra_ca_file: sending.extra_ca_file.clone(),
            idle_per_host: sending.parallel.max(4),
            ..HttpSettings::default()
        };
        let patient = HttpSettings {
            call_timeout: usual.call_timeout.max(A_PERSON),
            ..usual.clone()
        };
        Ok(Self {
            http: HttpClient::new(&usual)?,
            patient: HttpClient::new(&patient)?,
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
        self.begin();
        let mut outcome = self.call_once(interface, business).await;
        // The refusal told the platform's time, or the line had doubled the message: said once more
        // with the right time, the same call is fresh.
        if refused_with(&outcome, ResultCode::Replay) {
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

    /// Whether the platform failed so often that nobody should wait for it now. After a pause one
    /// call finds out whether it is back, while the others go on without it.
    pub(crate) fn is_away(&self) -> bool {
        let left_ms = self.record_now().away_until_ms - self.clock.now_ms();
        // A clock that was set back must not keep the line down.
        (1..=self.pause_ms).contains(&left_ms)
    }

    /// Something that a call showed beyond its own answer.
    pub(crate) fn note_trouble(&self, trouble: Trouble) {
        let now_ms = self.clock.now_ms();
        self.record_now().trouble = Some((trouble, now_ms));
    }

    /// What the last calls told.
    pub(crate) fn record(&self) -> Record {
        self.record_now().clone()
    }

    /// By how many milliseconds the platform's clock is ahead of ours, as far as that is known.
    pub(crate) fn skew_ms(&self) -> i64 {
        self.record_now().skew_ms.unwrap_or(0)
    }

    async fn call_once(&self, interface: Interface, business: &str) -> Result<String, CallFault> {
        if interface.spec().route == Route::TransType {
            return self.call_centre_once(interface, business).await;
        }
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
            self.record_now().skew_ms = Some(signed_ms - between_ms);
        }
        match open_answer(&reply, credentials)? {
            Answer::Done(business) => Ok(business),
            Answer::Refused { code, message } => Err(CallFault::Refused { code, message }),
        }
    }

    /// The same in the envelope of the credential centre. What was scanned stands beside the other
    /// parameters as `qrCode`.
    async fn call_centre_once(
        &self,
        interface: Interface,
        business: &str,
    ) -> Result<String, CallFault> {
        let unfit = |why: &str| CallFault::BadReply(FieldFault::new("", why));
        let mut members: Map<String, Value> =
            serde_json::from_str(business).map_err(|_| unfit("请求体应为 JSON 对象"))?;
        let qr_code = members.remove("qrCode");
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let (qr_code, org_id) = (text(qr_code.as_ref()), text(members.get("orgId")));
        let request = Request::new(
            &org_id.unwrap_or_default(),
            interface.code(),
            &Value::Object(members).to_string(),
            qr_code.as_deref(),
        )
        .map_err(|_| unfit("请求体应为 JSON 对象"))?;
        let caller = CentreCaller {
            app_id: &self.credentials.app_id,
            secret: &self.credentials.secret,
            now_ms: self.clock.now_ms() + self.correction_ms(),
        };
        let mut url = self.platform.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{}", centre::PATH));
        let guard = HostGuard::Anywhere;
        match call_centre(&self.patient, &url, &guard, caller, &request).await? {
            Answer::Done(data) => Ok(data),
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

    /// Of a platform that was away this call finds out; nobody else waits meanwhile.
    fn begin(&self) {
        let now_ms = self.clock.now_ms();
        let mut record = self.record_now();
        if record.failures >= AWAY_AFTER {
            record.away_until_ms = now_ms + self.pause_ms;
        }
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
        let text = || in_chinese(fault);
        Some(match fault {
            CallFault::Refused { code, .. } => match ResultCode::from_code(code) {
                Some(ResultCode::Replay) => Self::Clock,
                Some(
                    ResultCode::UnknownApp
                    | ResultCode::AppNotFound
                    | ResultCode::CipherFailure
                    | ResultCode::BadSignature,
                ) => Self::Key,
                Some(ResultCode::NotGranted | ResultCode::SwitchedOff) => Self::Grant,
                Some(ResultCode::Success | ResultCode::BadParameter | ResultCode::BadRequest) => {
                    return None;
                }
                Some(_) | None => Self::Platform(text()),
            },
            CallFault::NoSecret => Self::Key,
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

/// What a fault means to a hospital engineer. A refusal's own words are left out: they may repeat
/// what the message said of somebody.
pub(crate) fn in_chinese(fault: &CallFault) -> String {
    match fault {
        CallFault::Forbidden(_) => "平台地址不允许访问，请核对配置 platform_url".to_owned(),
        CallFault::NoSecret => "没有可用的密钥，请核对配置 secret".to_owned(),
        CallFault::Connect(ConnectFault::Unresolved { host, .. }) => {
            format!("平台域名 {host} 无法解析，请核对 platform_url 与院内 DNS")
        }
        CallFault::Connect(_) => "连接不上平台，请核对 platform_url、专线与防火墙".to_owned(),
        CallFault::Tls(_) => {
            "与平台的 TLS 握手失败：证书过期、主机名不符或不受信任（私有 CA 见配置 sending.extra_ca_file）".to_owned()
        }
        CallFault::Timeout => "平台未在规定时间内应答".to_owned(),
        CallFault::Status { status } => format!("平台或途中网关返回 HTTP {status}"),
        CallFault::TooLarge => "平台的应答过长".to_owned(),
        CallFault::Http(_) => "与平台的连接中断".to_owned(),
        CallFault::NotOpened(_) => {
            "平台的应答解不开：请核对 secret 是否与平台一致，或途中网关改写了应答".to_owned()
        }
        CallFault::Refused { code, .. } => match ResultCode::from_code(code) {
            Some(known) => format!("平台拒绝：{code} {}", known.label()),
            None => "平台拒绝，响应码不在规范之内".to_owned(),
        },
        CallFault::BadReply(_) => "平台的应答与接口规范不符".to_owned(),
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line")
            .field("platform", &self.platform.as_str())
            .finish_non_exhaustive()
    }
}
