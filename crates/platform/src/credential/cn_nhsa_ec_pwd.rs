//! 医保电子凭证密码核验接口 (cn.nhsa.ec.pwd): has the person entered his password himself?
//!
//! The institution's call waits while he does, on his own page or at the terminal: bounded in time,
//! in number, and for each person. Whoever hangs up waits no longer.

use std::time::Duration;

use banyan_protocol::credential::CentreCode;
use banyan_protocol::credential::Reserved;
use banyan_protocol::credential::cn_nhsa_ec_pwd::{PasswordReply, PasswordRequest};
use banyan_protocol::credential::dictionaries::PwdFlag;
use banyan_store::credential::holders::Holder;
use banyan_store::credential::requests::{self, Request, State};
use banyan_store::ids::PasswordRequestId;
use tokio::time::Instant;

use super::token::{self, NotTaken};
use super::{holder, password, refuse, refuse_saying, same_institution};
use crate::app::App;
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;

/// Institutions that may wait for one person at once.
const MOST_OF_ONE: i64 = 3;
/// How often it is looked whether another node has the answer.
const LOOK_AGAIN: Duration = Duration::from_millis(400);

/// Answers cn.nhsa.ec.pwd.
///
/// # Errors
/// 500320 where the business needs none, 500001 and 500028 where nobody of that name holds a
/// credential, 501001 where the token is not his, 500042 where he has no password, 500079 where it
/// is locked, 500004 where it was wrong, 500022 where he did not want to, 500319 where too many
/// wait for him, -3 where he entered nothing in time, -6 where too many wait at all.
pub async fn handle(call: &Call<'_>, request: PasswordRequest) -> Result<PasswordReply, Refusal> {
    same_institution(call, request.orgId.as_str())?;
    let app = call.app;
    let settings = &app.settings.credential;
    let business = request.businessType.code();
    if settings.password_free.iter().any(|free| free == business) {
        return Err(refuse(CentreCode::NoPasswordNeeded));
    }
    let (id_no, name) = (request.idNo.expose(), request.userName.expose());
    let holder = holder::named(app, request.idType, id_no.as_str(), name.as_str()).await?;
    if let Some(shown) = &request.ecToken {
        own_token(call, &holder, shown.expose().as_str())?;
    }
    if let Some(until_ms) = holder.password.locked_until(call.now_ms) {
        return Err(locked(until_ms));
    }
    if holder.password.sealed.is_none() {
        return Err(refuse(CentreCode::NoPassword));
    }
    let about = About {
        person: Some(holder.person.identity.person_code(&app.vault)),
        purpose: Some(business.to_owned()),
        subject: None,
    };
    let state = wait(call, &holder, &request).await?;
    match state {
        State::Right => {}
        State::Wrong => return Err(refuse(CentreCode::WrongPassword)),
        State::Locked => return Err(refuse(CentreCode::Locked)),
        State::Declined => {
            return Err(refuse_saying(
                CentreCode::UserNotGranted,
                "参保人选择了不核验密码",
            ));
        }
        State::Open | State::Over => {
            return Err(refuse_saying(
                CentreCode::Timeout,
                "参保人未在规定时间内输入密码，请请其打开医保电子凭证页面后重试",
            ));
        }
    }
    call.journal_read(about).await?;
    Ok(PasswordReply {
        pwdFlag: PwdFlag::Valid,
        ecToken: holder::new_token(app, holder.person.id, call.partner.id, app.now_ms())?,
        extra: Reserved,
    })
}

pub(super) fn locked(until_ms: i64) -> Refusal {
    let until = banyan_protocol::wire::LocalTime::from_epoch_ms(until_ms);
    let until = banyan_protocol::wire::Scalar::render(&until).into_owned();
    refuse_saying(
        CentreCode::Locked,
        format!("{}（{until} 解锁）", CentreCode::Locked.label()),
    )
}

/// Refuses a token that is not this holder's.
fn own_token(call: &Call<'_>, holder: &Holder, shown: &str) -> Result<(), Refusal> {
    let saying = match token::read(call.app, call.partner.id, shown, call.now_ms) {
        Ok(person) if person == holder.person.id => return Ok(()),
        Ok(_) => "ecToken 属于另一位参保人",
        Err(NotTaken::Over) => "ecToken 已过期，请重新扫码",
        Err(NotTaken::NotOurs) => "ecToken 无效：应为本机构解码所得",
    };
    Err(refuse_saying(CentreCode::TokenOver, saying))
}

/// Waits until it is settled, or for as long as it may.
async fn wait(
    call: &Call<'_>,
    holder: &Holder,
    request: &PasswordRequest,
) -> Result<State, Refusal> {
    let app = call.app;
    let Ok(_place) = app.waiting.try_acquire() else {
        return Err(refuse(CentreCode::RateLimited));
    };
    let patience_ms = app.settings.credential.password_wait_ms;
    let asked = Request {
        id: PasswordRequestId(app.ids.next().await?),
        person: holder.person.id,
        partner: call.partner.id,
        business_type: request.businessType.code().to_owned(),
        office: request.officeName.as_str().to_owned(),
        expires_ms: call.now_ms + patience_ms,
    };
    let (id, now_ms) = (asked.id, call.now_ms);
    let added = app
        .db
        .write(move |tx| requests::add(tx, &asked, MOST_OF_ONE, now_ms))
        .await?;
    if !added {
        return Err(refuse(CentreCode::PasswordCallFailed));
    }
    let mut hanging_up = HangingUp {
        app: app.clone(),
        id: Some(id),
    };
    let end = Instant::now() + Duration::from_millis(patience_ms.unsigned_abs());
    loop {
        // Listening begins before looking, so that nothing falls between the two.
        let entered = app.password_entered();
        tokio::pin!(entered);
        entered.as_mut().enable();
        let state = requests::state(&app.db, id).await?;
        if state != State::Open {
            hanging_up.id = None;
            return Ok(state);
        }
        if Instant::now() >= end || app.is_stopping() {
            return Ok(State::Over);
        }
        tokio::select! {
            () = entered => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

/// Says that an institution waits no longer, however its call ends: its own time, ours, or because
/// it hung up.
struct HangingUp {
    app: App,
    id: Option<PasswordRequestId>,
}

impl Drop for HangingUp {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let app = self.app.clone();
        tokio::spawn(async move {
            if let Err(error) = app.db.write(move |tx| requests::give_up(tx, id)).await {
                // It ends by itself when its time is over.
                tracing::warn!(%error, "a password request was not given up");
            }
        });
    }
}

/// What entering a password comes to for whoever learns it at once: a terminal.
pub(super) fn settled(entered: password::Entered) -> Result<PwdFlag, Refusal> {
    match entered {
        password::Entered::Right => Ok(PwdFlag::Valid),
        password::Entered::Wrong { left } => Err(refuse_saying(
            CentreCode::WrongPassword,
            format!("{}，还可输入 {left} 次", CentreCode::WrongPassword.label()),
        )),
        password::Entered::Locked { until_ms } => Err(locked(until_ms)),
        password::Entered::Over => Err(refuse(CentreCode::BizOver)),
        password::Entered::NotSet => Err(refuse(CentreCode::NoPassword)),
    }
}
