//! 授权码模式 of the 统一对外接口: a signed question gives a code for one use within a minute, code and appsecret
//! give a token for two hours.
//!
//! Codes and tokens are kept in the database by their keyed codes, so that a code of one node is
//! used up at all of them. A code that comes a second time was copied by somebody: the token that
//! it gave ends.

use banyan_protocol::envelope::fjs::{Level, Told, answer, call, member};
use banyan_protocol::envelope::{Envelope, EnvelopeFault, Environment};
use banyan_protocol::result_code::ResultCode;
use banyan_store::db::StoreError;
use banyan_store::supplement::tokens::{self, Redeemed};
use serde_json::{Value, json};

use super::unified::{Caller, unknown};
use super::{Reply, fresh_once, within_rate};
use crate::app::App;
use crate::refusal::Refusal;
use crate::token::Token;

/// Answers `/fjs/oauth/code`: appid, timestamp, sign.
pub async fn code(app: &App, body: &[u8]) -> Reply {
    answered(app, give_code(app, body).await)
}

/// Answers `/fjs/oauth/token`: appid, appsecret, code.
pub async fn token(app: &App, body: &[u8]) -> Reply {
    answered(app, give_token(app, body).await)
}

async fn give_code(app: &App, body: &[u8]) -> Result<Value, Refusal> {
    let now_ms = app.now_ms();
    let envelope = Envelope::parse(body)?;
    let caller = Caller::recognise(app, &envelope, now_ms).await?;
    in_use(app, &caller)?;
    let (signature, timestamp_ms) = verified(&caller, &envelope, now_ms)?;
    fresh_once(&caller.partner, Some(&signature), timestamp_ms, now_ms)?;
    within_rate(&caller.partner, now_ms)?;
    let code = Token::generate(&*app.world.random);
    let (kept, partner) = (code.code(&app.vault), caller.partner.id);
    let ttl_ms = app.settings.supplement.code_ttl_ms;
    app.db
        .write(move |tx| tokens::issue_code(tx, kept, partner, now_ms, now_ms + ttl_ms))
        .await?;
    Ok(json!({ "code": code.text(), "expires_in": ttl_ms / 1000 }))
}

/// The signature under any of the channel's live secrets.
fn verified(
    caller: &Caller,
    envelope: &Envelope<'_>,
    now_ms: i64,
) -> Result<([u8; 32], i64), Refusal> {
    caller.may_be_wrong(now_ms)?;
    let signer = &caller.channel.speech.signer;
    for secret in caller.partner.secrets(now_ms) {
        match call::verify_bare(envelope, signer, secret, caller.partner.dialect()) {
            Ok(verified) => return Ok(verified),
            Err(EnvelopeFault::BadSignature) => {}
            Err(malformed) => return Err(malformed.into()),
        }
    }
    caller.was_wrong(now_ms);
    Err(EnvelopeFault::BadSignature.into())
}

async fn give_token(app: &App, body: &[u8]) -> Result<Value, Refusal> {
    let now_ms = app.now_ms();
    let envelope = Envelope::parse(body)?;
    let caller = Caller::recognise(app, &envelope, now_ms).await?;
    in_use(app, &caller)?;
    caller.right_secret(envelope.required(member::APPSECRET)?, now_ms)?;
    within_rate(&caller.partner, now_ms)?;
    let shown = envelope.required("code")?;
    let refused = |expected: &str| {
        caller.was_wrong(now_ms);
        Refusal::caller(
            ResultCode::AuthSubsystemError,
            format!("code：{expected}，请重新获取授权码"),
        )
    };
    let code = Token::parse(shown).ok_or_else(|| refused("授权码无效"))?;
    let token = Token::generate(&*app.world.random);
    let (used, kept) = (code.code(&app.vault), token.code(&app.vault));
    let partner = caller.partner.id;
    let ttl_ms = app.settings.supplement.token_ttl_ms;
    let redeemed = app
        .db
        .write(move |tx| -> Result<Redeemed, StoreError> {
            tokens::redeem(tx, used, partner, kept, now_ms, now_ms + ttl_ms)
        })
        .await?;
    match redeemed {
        Redeemed::Done => Ok(json!({ member::TOKEN: token.text(), "expires_in": ttl_ms / 1000 })),
        Redeemed::Unknown => Err(refused("授权码无效")),
        Redeemed::Expired => Err(refused("授权码已过期")),
        Redeemed::UsedBefore => {
            let partner = &*caller.partner.app_id;
            tracing::warn!(
                partner,
                "an authorization code was used twice; its token ended"
            );
            Err(refused("授权码已使用过，由它取得的令牌已作废"))
        }
    }
}

/// Whether anybody gets codes and tokens at all, and this channel in particular.
fn in_use(app: &App, caller: &Caller) -> Result<(), Refusal> {
    if app.settings.maintenance {
        let code = ResultCode::Maintenance;
        return Err(Refusal::caller(code, code.label()));
    }
    if caller.channel.speech.level >= Level::Token {
        return Ok(());
    }
    let hint = match app.environment {
        Environment::Test => "该渠道的安全等级为 1，不需要令牌",
        Environment::Production => "该渠道不可使用令牌",
    };
    Err(Refusal::caller(ResultCode::NotGranted, hint))
}

fn answered(app: &App, done: Result<Value, Refusal>) -> Reply {
    match done {
        Ok(data) => Reply {
            status: 200,
            body: Told {
                code: answer::DONE,
                message: "请求成功",
                data: Some(&data.to_string()),
                timestamp_ms: app.now_ms(),
            }
            .bare(),
        },
        Err(refusal) => unknown(app, refusal),
    }
}
