//! 医保电子凭证: the credential centre.
//!
//! What enters: a code that a scanner read (`ec.query`, `cn.nhsa.qrcode.get`), a number that stands
//! for a face which a terminal recognised (`cn.nhsa.auth.check`), or a name whose password an
//! institution needs (`cn.nhsa.ec.pwd`); and what terminals tell ([`terminal`]).
//!
//! What is kept: who holds a credential, how his password stands, which numbers an institution has
//! used. Codes ([`code`]) and tokens ([`token`]) are kept nowhere: they say, sealed or under a keyed
//! code, whose they are and until when. A photograph is looked at for its form and forgotten.
//!
//! What leaves: the person's identity with a token for what follows, to the one institution that he
//! showed his code to; or that he has entered his password himself, on his own page or at the
//! terminal ([`password`]). The institution never sees it.

pub mod cn_nhsa_auth_check;
pub mod cn_nhsa_ec_pwd;
pub mod cn_nhsa_qrcode_get;
pub mod code;
pub mod ec_query;
pub mod holder;
pub mod own;
pub mod password;
pub mod shown;
pub mod terminal;
pub mod token;

use banyan_protocol::credential::CentreCode;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{FieldFault, Message};

use crate::inbound::call::Call;
use crate::refusal::Refusal;

/// Refuses in the words of 7.1.
#[must_use]
pub fn refuse(code: CentreCode) -> Refusal {
    refuse_saying(code, code.label())
}

/// Refuses with a code of 7.1, and says more than its own words do.
#[must_use]
pub fn refuse_saying(code: CentreCode, message: impl Into<String>) -> Refusal {
    Refusal::caller(ResultCode::Centre(code), message)
}

/// Reads a message of the centre; what is wrong has the code that 7.1 has for it.
pub(crate) fn read<M: Message>(json: &str) -> Result<M, Refusal> {
    banyan_protocol::wire::read(json).map_err(|fault| misread(&fault))
}

fn misread(fault: &FieldFault) -> Refusal {
    let code = match &*fault.path {
        "orgId" if fault.absent => CentreCode::OrgMissing,
        "orgId" => CentreCode::OrgMalformed,
        "businessType" => CentreCode::BadBusinessType,
        _ => CentreCode::BadRequest,
    };
    let said = match code {
        CentreCode::BadRequest => fault.to_string(),
        other => format!("{}（{fault}）", other.label()),
    };
    refuse_saying(code, said)
}

/// Refuses data of another institution than the message's own, which is the caller's.
pub(crate) fn same_institution(call: &Call<'_>, org_id: &str) -> Result<(), Refusal> {
    if call.beside.org_id == org_id {
        return Ok(());
    }
    Err(refuse_saying(
        CentreCode::OrgMismatch,
        "data.orgId 与报文头的 orgId 不一致",
    ))
}

#[cfg(test)]
mod tests {
    use banyan_protocol::credential::ec_query::DecodeRequest;

    use super::*;

    #[test]
    fn what_is_wrong_has_the_code_that_the_standard_has_for_it() {
        let rest = r#""operatorId":"1","operatorName":"A","officeId":"1","officeName":"A""#;
        for (members, code) in [
            (r#""businessType":"01101""#, CentreCode::OrgMissing),
            (
                r#""orgId":"","businessType":"01101""#,
                CentreCode::OrgMissing,
            ),
            (
                r#""orgId":"1","businessType":"99999""#,
                CentreCode::BadBusinessType,
            ),
            (r#""orgId":"1""#, CentreCode::BadBusinessType),
            (
                r#""orgId":"1","businessType":"01101","photoData":"照"#,
                CentreCode::BadRequest,
            ),
        ] {
            let json = format!("{{{rest},{members}}}");
            let refused = read::<DecodeRequest>(&json).unwrap_err();
            assert_eq!(refused.code, ResultCode::Centre(code), "{members}");
        }
        let long = "1".repeat(41);
        for (org_id, code) in [
            (&*long, CentreCode::OrgMalformed),
            (r"H1\n", CentreCode::OrgMalformed),
            (" ", CentreCode::OrgMissing),
        ] {
            let json = format!(r#"{{"orgId":"{org_id}"}}"#);
            let refused = read::<DecodeRequest>(&json).unwrap_err();
            assert_eq!(refused.code, ResultCode::Centre(code), "{org_id}");
        }
        let null = read::<DecodeRequest>(r#"{"orgId":null}"#).unwrap_err();
        assert_eq!(null.code, ResultCode::Centre(CentreCode::OrgMissing));
    }
}
