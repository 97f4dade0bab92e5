//! 生成电子健康卡授权链接 (ORG_EHC_001): a link by which a patient registers, takes his card and
//! authorises the hospital that asked for it.
//!
//! The same number asked for again gives the same link as long as it is open; once it is over,
//! the hospital must take another number.

use banyan_protocol::health_card::org_ehc_001::{AuthUrlReply, AuthUrlRequest};
use banyan_protocol::wire::{ExtData, OrEmpty, Private, Scalar, Text};
use banyan_store::db::StoreError;
use banyan_store::health_card::authorisations::{self, Asked, NewAuthorisation};
use banyan_store::ids::AuthorisationId;
use banyan_store::journal;
use serde_json::json;

use super::authorise::link;
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;
use crate::token::Token;

/// Answers ORG_EHC_001.
///
/// # Errors
/// 000105 where a member is wrong, or the number was used for an authorisation that is over.
pub async fn handle(call: &Call<'_>, request: AuthUrlRequest) -> Result<AuthUrlReply, Refusal> {
    let app = call.app;
    call.own_org_id(request.orgId.as_str())?;
    let (partner, number) = (call.partner.id, request.outAuthNo.as_str());
    let token_of =
        |id: AuthorisationId| Token::of(app.vault.authorisation_token(id.0, partner.0, number));
    let id = AuthorisationId(app.ids.next().await?);
    let expires_ms = call.now_ms + app.settings.health_card.authorisation_ttl_ms;
    let new = NewAuthorisation {
        id,
        partner,
        out_auth_no: number.to_owned(),
        token: token_of(id).code(&app.vault).0,
        created_ms: call.now_ms,
        expires_ms,
    };
    let entry = call
        .entry(About {
            subject: Some(number.to_owned()),
            ..About::default()
        })
        .await?;
    let asked = app
        .db
        .write(move |tx| -> Result<Asked, StoreError> {
            let asked = authorisations::ask(tx, &new)?;
            if asked != Asked::Over {
                journal::append(tx, std::slice::from_ref(&entry))?;
            }
            Ok(asked)
        })
        .await?;
    let (id, expires_ms) = match asked {
        Asked::New => (id, expires_ms),
        Asked::Again(kept) => (kept.id, kept.expires_ms),
        Asked::Over => {
            return Err(Refusal::field(
                "outAuthNo",
                "该授权流水号对应的授权已结束或已过期，请更换流水号重新申请",
            ));
        }
    };
    reply(call, &token_of(id), expires_ms - call.now_ms)
}

fn reply(call: &Call<'_>, token: &Token, lasts_ms: i64) -> Result<AuthUrlReply, Refusal> {
    let app = call.app;
    let settings = &app.settings.health_card;
    let link = link(app, token);
    let too_long = |what: &str| Refusal::ours(format!("{what} does not fit its member"));
    let minutes = (lasts_ms / 60_000).max(1);
    let wx_path = settings
        .wx_mini_path
        .as_deref()
        .map(|path| path.replace("{token}", &token.text()));
    Ok(AuthUrlReply {
        authUrl: Scalar::parse(&link).map_err(|_| too_long("an authorisation's link"))?,
        wxMiniAppId: OrEmpty(optional(settings.wx_mini_app_id.as_deref(), &too_long)?),
        wxMiniPath: OrEmpty(optional(wx_path.as_deref(), &too_long)?.map(Private::new)),
        remark: Text::truncated(&format!("授权链接 {minutes} 分钟内有效")),
        extData: json!({ "authQrUrl": format!("{link}/qr.svg") })
            .as_object()
            .cloned()
            .map(ExtData),
    })
}

fn optional<const MAX: usize>(
    text: Option<&str>,
    too_long: &impl Fn(&str) -> Refusal,
) -> Result<Option<Text<MAX>>, Refusal> {
    text.map(|text| Text::parse(text).map_err(|_| too_long("health_card.wx_mini_*")))
        .transpose()
}
