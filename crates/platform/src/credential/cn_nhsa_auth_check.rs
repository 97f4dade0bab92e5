//! 刷脸授权获取医保身份接口 (cn.nhsa.auth.check): who is behind the number that the terminal gave for a
//! face?

use banyan_protocol::credential::CentreCode;
use banyan_protocol::credential::cn_nhsa_auth_check::{FaceReply, FaceRequest};
use banyan_protocol::credential::ec_query::PersonReply;
use banyan_store::credential::{biz_nos, faces};
use banyan_store::db::StoreError;
use banyan_store::ids::HealthCardPersonId;
use banyan_store::journal;

use super::{cn_nhsa_qrcode_get, holder, refuse, same_institution, terminal};
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;

/// Answers cn.nhsa.auth.check.
///
/// # Errors
/// 500037 where the number is not known, 500008 where it is another institution's, 500051 where it
/// is over or was told, 500014 where outBizNo was used before.
pub async fn handle(call: &Call<'_>, request: FaceRequest) -> Result<FaceReply, Refusal> {
    same_institution(call, request.orgId.as_str())?;
    let app = call.app;
    let auth_no = terminal::auth_no_code(app, request.authNo.expose().as_str());
    let person = recognised(call, auth_no).await?;
    let holder = holder::by_id(app, person).await?;
    let told = holder::told(app, &holder, call.partner.id, call.now_ms)?;
    let entry = call
        .entry(About {
            person: Some(holder.person.identity.person_code(&app.vault)),
            purpose: Some(request.businessType.code().to_owned()),
            subject: Some(request.outBizNo.as_str().to_owned()),
        })
        .await?;
    let (partner, now_ms) = (call.partner.id, call.now_ms);
    let out_biz_no = request.outBizNo.clone();
    let done = app
        .db
        .write(move |tx| -> Result<Done, StoreError> {
            if !faces::use_up(tx, &auth_no, now_ms)? {
                return Ok(Done::Told);
            }
            if !biz_nos::use_up(tx, partner, out_biz_no.as_str(), now_ms)? {
                // Given back: the mistake was in the number, not in the face.
                faces::give_back(tx, &auth_no)?;
                return Ok(Done::NumberUsed);
            }
            journal::append(tx, std::slice::from_ref(&entry))?;
            Ok(Done::Now)
        })
        .await?;
    match done {
        Done::Now => Ok(reply(request, told)),
        Done::Told => Err(refuse(CentreCode::BizOver)),
        Done::NumberUsed => Err(cn_nhsa_qrcode_get::used()),
    }
}

#[derive(Debug, Clone, Copy)]
enum Done {
    Now,
    Told,
    NumberUsed,
}

/// Whose face the number stands for.
async fn recognised(call: &Call<'_>, auth_no: [u8; 32]) -> Result<HealthCardPersonId, Refusal> {
    let face = faces::by_code(&call.app.db, &auth_no).await?;
    let face = face.ok_or_else(|| refuse(CentreCode::BadAuthNo))?;
    if face.partner != call.partner.id {
        return Err(refuse(CentreCode::BadGrantCode));
    }
    if face.used_ms.is_some() || face.expires_ms <= call.now_ms {
        return Err(refuse(CentreCode::BizOver));
    }
    Ok(face.person)
}

fn reply(request: FaceRequest, told: PersonReply) -> FaceReply {
    FaceReply {
        authNo: request.authNo,
        idNo: told.idNo,
        idType: told.idType,
        userName: told.userName,
        ecToken: told.ecToken,
        insuOrg: told.insuOrg,
        ecIndexNo: told.ecIndexNo,
        gender: told.gender,
        birthday: told.birthday,
        nationality: told.nationality,
        email: told.email,
        extra: told.extra,
    }
}
