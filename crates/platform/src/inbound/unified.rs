//! Messages of the 统一对外接口: the same way in as every other, in its own envelope.
//!
//! A channel is known by its appid. Before anything is opened, the appsecret and the token are looked
//! at as its level asks; then come signature, replay guard, grant, rate and room, which are those of
//! [`super`]. Refusals have the shape of answers, and go back as answers do: under the secret that opened
//! the message, in its manner. What did not open shows neither, so it is answered without an envelope.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use banyan_protocol::ambient::Randomness;
use banyan_protocol::catalogue::{Interface, Route};
use banyan_protocol::crypto::sm3;
use banyan_protocol::dictionaries::SignType;
use banyan_protocol::envelope::fjs::{self, Level, Told, answer, call, member};
use banyan_protocol::envelope::{Envelope, EnvelopeFault, Environment, Secret};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::FieldFault;
use banyan_store::supplement::tokens;
use bytes::Bytes;
use subtle::ConstantTimeEq as _;

use super::call::Beside;
use super::name::Name;
use super::{Passing, Reply, advise, journal_refusal, keep_dialect, pass, told};
use crate::app::App;
use crate::directory::{InsurerChannel, Partner};
use crate::refusal::Refusal;
use crate::token::Token;

/// Answers a message at `/fjs/api`. Never fails: whatever goes wrong becomes a refusal.
pub async fn receive(app: &App, body: Bytes) -> Reply {
    let began = Instant::now();
    let now_ms = app.now_ms();
    let entered = match enter(app, &body, now_ms).await {
        Ok(entered) => entered,
        Err(refusal) => return unknown(app, refusal),
    };
    let Entered {
        caller,
        funid,
        door,
    } = entered;
    let interface = funid.as_deref().ok().and_then(Interface::at_funid);
    let (heard, authentic, done) = match door {
        Door::Shut { refusal, heard } => {
            if let Some(interface) = interface {
                advise(&caller.partner, interface, &refusal, now_ms);
            }
            (heard, None, Err(refusal))
        }
        Door::Open(heard) => {
            let call = &heard.call;
            if call.signature.is_some() {
                keep_dialect(app, &caller.partner, call.manner.dialect, now_ms).await;
            }
            let done = match (&funid, &call.business) {
                (Err(fault), _) | (_, Err(fault)) => Err(fault.clone().into()),
                (_, Ok(None)) => Err(Refusal::field(member::ENCDATA, "不可缺少")),
                (Ok(_), Ok(Some(business))) => match interface {
                    None => Err(unknown_funid(app)),
                    Some(interface) => {
                        let passing = Passing {
                            signature: call.signature,
                            timestamp_ms: call.timestamp_ms,
                            business: Some(business),
                            beside: Beside::default(),
                        };
                        pass(app, interface, &caller.partner, passing, now_ms).await
                    }
                },
            };
            let authentic = interface.map(|interface| (interface, call.signature));
            (Some(heard), authentic, done)
        }
    };
    let spoken_of = interface.map_or(Name::UNKNOWN, Name::from);
    let done = done.map_err(|refusal| told(app, refusal, spoken_of, Some(&caller.partner)));
    let reply = caller.answer(app, heard, &done).await;
    if let (Err(refusal), Some((interface, signature))) = (&done, authentic) {
        journal_refusal(app, interface, &caller.partner, refusal, now_ms, signature).await;
    }
    let code = done
        .as_ref()
        .map_or_else(|refusal| refusal.code, |_| ResultCode::Success);
    match interface {
        Some(interface) => app.meters.request(
            &caller.partner.memory.meters,
            &caller.partner.app_id,
            interface,
            code,
            began.elapsed(),
        ),
        None => app.meters.stranger(code),
    }
    reply
}

/// A refusal in the shape of an answer, for somebody we do not know or before there was anything to
/// open.
#[must_use]
pub fn unsigned_refusal(refusal: &Refusal, now_ms: i64) -> String {
    Told {
        code: refusal.code.code(),
        message: &refusal.message,
        data: None,
        timestamp_ms: now_ms,
    }
    .bare()
}

/// Somebody we know by his appid, and what he sent.
struct Entered {
    caller: Caller,
    funid: Result<String, FieldFault>,
    door: Door,
}

/// Whether a message is let in.
enum Door {
    /// It is: its maker is entitled, and it opened.
    Open(Heard),
    /// It is not.
    Shut {
        refusal: Refusal,
        /// What could be opened nevertheless, so that its maker can read why.
        heard: Option<Heard>,
    },
}

/// A message that opened, and the secret under which it did.
struct Heard {
    secret: Arc<Secret>,
    call: fjs::OpenedCall,
}

async fn enter(app: &App, body: &Bytes, now_ms: i64) -> Result<Entered, Refusal> {
    let envelope = Envelope::parse(body)?;
    let caller = Caller::recognise(app, &envelope, now_ms).await?;
    let door = match caller.entitled(app, &envelope, now_ms).await {
        Ok(()) => {
            let opened = if caller.is_slow() {
                caller.open_aside(app, body.clone(), now_ms).await
            } else {
                caller.open(&envelope, &*app.world.random, now_ms)
            };
            opened.map_or_else(
                |refusal| Door::Shut {
                    refusal,
                    heard: None,
                },
                Door::Open,
            )
        }
        Err(refusal) => Door::Shut {
            refusal,
            heard: caller.overhear(&envelope, &*app.world.random, now_ms),
        },
    };
    let funid = envelope.required(member::FUNID).map(str::to_owned);
    Ok(Entered {
        caller,
        funid,
        door,
    })
}

/// A channel that calls.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) partner: Arc<Partner>,
    pub(super) channel: Arc<InsurerChannel>,
}

impl Caller {
    /// The channel whose appid the message names.
    pub(super) async fn recognise(
        app: &App,
        envelope: &Envelope<'_>,
        now_ms: i64,
    ) -> Result<Self, Refusal> {
        let app_id = envelope.required(member::APPID)?;
        let unknown = || Refusal::caller(ResultCode::UnknownApp, "渠道 id（chs_fjs_appid）无效");
        let partner = app
            .directory
            .by_app_id(app_id, now_ms)
            .await?
            .filter(|partner| partner.active)
            .ok_or_else(unknown)?;
        let channel = partner.channel.clone().ok_or_else(unknown)?;
        if partner.secrets(now_ms).next().is_none() {
            let fault = format!("partner {app_id} has no live secret");
            return Err(Refusal::ours(fault));
        }
        if channel.speech.level == Level::Secret && app.environment == Environment::Production {
            return Err(Refusal::caller(
                ResultCode::NotGranted,
                "该渠道的安全等级为 1（明文），仅测试环境可用，请联系平台调整",
            ));
        }
        Ok(Self { partner, channel })
    }

    /// Looks at what the channel's level asks for before anything is opened.
    async fn entitled(
        &self,
        app: &App,
        envelope: &Envelope<'_>,
        now_ms: i64,
    ) -> Result<(), Refusal> {
        self.show_secret(envelope, now_ms)?;
        self.show_token(app, envelope, now_ms).await
    }

    /// Looks at the appsecret: below level 3 it must be there, and anywhere it must be right.
    fn show_secret(&self, envelope: &Envelope<'_>, now_ms: i64) -> Result<(), Refusal> {
        let signed = self.channel.speech.level >= Level::Signed;
        if signed && envelope.get(member::APPSECRET).is_none_or(str::is_empty) {
            return Ok(());
        }
        self.right_secret(envelope.required(member::APPSECRET)?, now_ms)
    }

    /// Whether this is one of the channel's live secrets.
    pub(super) fn right_secret(&self, shown: &str, now_ms: i64) -> Result<(), Refusal> {
        self.may_be_wrong(now_ms)?;
        // Compared by digest, so that the time it takes says nothing of the secret.
        let shown = sm3::digest(shown.as_bytes());
        let right = self.partner.secrets(now_ms).any(|secret| {
            let own = sm3::digest(secret.expose().as_bytes());
            own.ct_eq(&shown).into()
        });
        if right {
            return Ok(());
        }
        self.was_wrong(now_ms);
        Err(Refusal::caller(
            ResultCode::AuthSubsystemError,
            "chs_fjs_appsecret：渠道私钥不正确",
        ))
    }

    /// Looks at the token, from level 2 on.
    async fn show_token(
        &self,
        app: &App,
        envelope: &Envelope<'_>,
        now_ms: i64,
    ) -> Result<(), Refusal> {
        if self.channel.speech.level < Level::Token {
            return Ok(());
        }
        self.may_be_wrong(now_ms)?;
        let shown = envelope
            .required(member::TOKEN)
            .inspect_err(|_| self.was_wrong(now_ms))?;
        let holds = match Token::parse(shown) {
            None => false,
            Some(token) => {
                tokens::check(&app.db, token.code(&app.vault), self.partner.id, now_ms).await?
            }
        };
        if holds {
            return Ok(());
        }
        self.was_wrong(now_ms);
        Err(Refusal::caller(
            ResultCode::AuthSubsystemError,
            "chs_fjs_token：令牌无效或已过期，请以 /fjs/oauth/code、/fjs/oauth/token 重新获取",
        ))
    }

    /// Refuses whoever was wrong too often within a second, before anything is looked up for him.
    pub(super) fn may_be_wrong(&self, now_ms: i64) -> Result<(), Refusal> {
        let tries = &self.partner.memory.wrong_tries;
        let mut tries = tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.has_some(now_ms) {
            return Ok(());
        }
        Err(Refusal::caller(
            ResultCode::RateLimited,
            "认证失败次数过多，请稍后再试",
        ))
    }

    pub(super) fn was_wrong(&self, now_ms: i64) {
        let tries = &self.partner.memory.wrong_tries;
        let mut tries = tries.lock().unwrap_or_else(PoisonError::into_inner);
        let _counted = tries.take(now_ms);
    }

    /// Whether a message of this channel costs operations with a private key, a millisecond each.
    fn is_slow(&self) -> bool {
        let speech = &self.channel.speech;
        let encrypted = speech.level >= Level::Encrypted && speech.cipher.is_asymmetric();
        let signed = speech.level >= Level::Signed && speech.signer.code() == SignType::Rsa;
        encrypted || signed
    }

    /// Opens the message under the channel's secrets, newest first.
    fn open(
        &self,
        envelope: &Envelope<'_>,
        random: &dyn Randomness,
        now_ms: i64,
    ) -> Result<Heard, Refusal> {
        let speech = &self.channel.speech;
        let mut fault = None;
        for secret in self.partner.secrets(now_ms) {
            match call::open(envelope, speech, secret, self.partner.dialect(), random) {
                Ok(call) => {
                    let secret = secret.clone();
                    return Ok(Heard { secret, call });
                }
                Err(malformed @ EnvelopeFault::Malformed(_)) => return Err(malformed.into()),
                Err(EnvelopeFault::BadSignature) => fault = Some(EnvelopeFault::BadSignature),
                Err(other) => fault = fault.or(Some(other)),
            }
        }
        Err(fault.unwrap_or(EnvelopeFault::BadSignature).into())
    }

    /// [`Caller::open`] beside the runtime's threads: the envelope is read again there, which costs
    /// little beside an operation with a private key.
    async fn open_aside(&self, app: &App, body: Bytes, now_ms: i64) -> Result<Heard, Refusal> {
        let (caller, random) = (self.clone(), app.world.random.clone());
        aside(true, move || {
            let envelope = Envelope::parse(&body)?;
            caller.open(&envelope, &*random, now_ms)
        })
        .await?
    }

    /// [`Caller::open`] for somebody who is refused whatever he says, only to learn how to tell him.
    /// Anybody who knows an appid comes this far: it never costs an operation with a private key,
    /// and no more often than somebody may be wrong.
    fn overhear(
        &self,
        envelope: &Envelope<'_>,
        random: &dyn Randomness,
        now_ms: i64,
    ) -> Option<Heard> {
        if self.is_slow() || self.may_be_wrong(now_ms).is_err() {
            return None;
        }
        self.open(envelope, random, now_ms).ok()
    }

    /// Seals what goes back, under the secret and in the manner of what was heard; without an envelope
    /// where nothing was.
    async fn answer(
        &self,
        app: &App,
        heard: Option<Heard>,
        done: &Result<String, Refusal>,
    ) -> Reply {
        let (code, message, data, status) = match done {
            Ok(json) => (answer::DONE, "请求成功", Some(json.clone()), 200),
            Err(refusal) => {
                let status = refusal.http_status();
                (refusal.code.code(), &*refusal.message, None, status)
            }
        };
        let timestamp_ms = app.now_ms();
        let Some(Heard { secret, call }) = heard else {
            let told = Told {
                code,
                message,
                data: data.as_deref(),
                timestamp_ms,
            };
            let body = told.bare();
            return Reply { status, body };
        };
        let (code, message) = (code.to_owned(), message.to_owned());
        let (channel, random) = (self.channel.clone(), app.world.random.clone());
        let sealed = aside(self.is_slow(), move || {
            let told = Told {
                code: &code,
                message: &message,
                data: data.as_deref(),
                timestamp_ms,
            };
            told.seal(&channel.speech, &secret, call.manner, &*random)
        })
        .await;
        match sealed {
            Ok(Some(body)) => Reply { status, body },
            Ok(None) | Err(_) => {
                let partner = &*self.partner.app_id;
                tracing::error!(
                    partner,
                    "an answer could not be sealed under the channel's keys"
                );
                unknown(app, Refusal::ours("not sealed"))
            }
        }
    }
}

/// Runs what may take milliseconds of arithmetic beside the runtime's own threads.
async fn aside<T: Send + 'static>(
    is_slow: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    if !is_slow {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Refusal::ours(format!("a cipher ended badly: {error}")))
}

/// Answers somebody we can't seal for.
pub(super) fn unknown(app: &App, refusal: Refusal) -> Reply {
    app.meters.stranger(refusal.code);
    let refusal = told(app, refusal, Name::UNKNOWN, None);
    Reply {
        status: refusal.http_status(),
        body: unsigned_refusal(&refusal, app.now_ms()),
    }
}

/// Partners who only try something out are told what there is.
fn unknown_funid(app: &App) -> Refusal {
    let mut expected = "没有该服务编号".to_owned();
    if app.environment == Environment::Test {
        let known = Interface::ALL.into_iter().filter(|interface| {
            interface.spec().route == Route::Funid && !app.switched_off.contains(interface)
        });
        let known: Vec<&str> = known.map(Interface::code).collect();
        expected = format!("{expected}，应为下列之一：{}", known.join("、"));
    }
    Refusal::field(member::FUNID, expected)
}
