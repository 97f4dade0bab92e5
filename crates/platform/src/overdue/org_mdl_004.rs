//! 获取医疗欠费名单应用入口链接 (ORG_MDL_004): a link that opens once.

use banyan_protocol::overdue::org_mdl_004::{EntryLinkReply, EntryLinkRequest};
use banyan_protocol::wire::Scalar;
use banyan_store::db::StoreError;
use banyan_store::journal;
use banyan_store::overdue::links;

use super::visitor::{Known, visitor};
use crate::inbound::call::{About, Call, exposed};
use crate::refusal::Refusal;

/// Entry links are this path and a token.
const ENTRY_PATH: &str = "/h5/in";

/// Answers ORG_MDL_004.
///
/// # Errors
/// 000105 where a member is wrong.
pub async fn handle(call: &Call<'_>, request: EntryLinkRequest) -> Result<EntryLinkReply, Refusal> {
    let app = call.app;
    match &request.orgId {
        Some(org_id) if call.partner.org_id.is_some() => call.own_org_id(org_id.as_str())?,
        None if call.partner.org_id.is_some() => {
            return Err(Refusal::field("orgId", "不可缺少（闽政通渠道除外）"));
        }
        // 闽政通 is no hospital; whatever stands there names none of its own.
        _ => {}
    }
    let person = call.person(
        request.idType.code(),
        request.idNo.expose().as_str(),
        exposed(request.ehealthCardId.as_ref()),
    )?;
    let known = Known {
        id_type: request.idType.code().to_owned(),
        id_no: request.idNo.expose().as_str().to_owned(),
        user_name: request.userName.expose().as_str().to_owned(),
    };
    let visitor = visitor(app, call.partner.id, known);
    let token = crate::token::Token::generate(&*app.world.random);
    let code = token.code(&app.vault);
    let entry = call
        .entry(About {
            person: Some(person),
            ..About::default()
        })
        .await?;
    let (now_ms, expires_ms) = (call.now_ms, call.now_ms + app.settings.overdue.link_ttl_ms);
    app.db
        .write(move |tx| -> Result<(), StoreError> {
            links::add(tx, code, &visitor, now_ms, expires_ms)?;
            journal::append(tx, std::slice::from_ref(&entry))
        })
        .await?;
    let url = format!("{}{}/{}", app.public_url, ENTRY_PATH, token.text());
    Ok(EntryLinkReply {
        mdrUrl: Scalar::parse(&url)
            .map_err(|_| Refusal::ours("an entry link does not fit in 200 characters"))?,
        extData: None,
    })
}
