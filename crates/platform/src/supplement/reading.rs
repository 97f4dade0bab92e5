//! What a historical case says of illnesses: of one that comes in, and of one that was kept.

use banyan_store::supplement::content::Content;
use banyan_store::supplement::learning::Learnt;
use banyan_store::supplement::{Named, cases};
use banyan_store::vault::Vault;

use super::icd10::IllnessMap;

/// What a case means by this table.
pub(crate) fn learnt(vault: &Vault, map: &IllnessMap, content: &Content) -> Learnt {
    let said = |field| content.get(cases::FIELDS, field).unwrap_or_default();
    Learnt {
        named: Named::new(vault, said("insuredCertno"), said("insuredName")),
        service_id: said("serviceId").to_owned(),
        categories: map.of_case(
            said("mainDiagCode"),
            said("previousIllnessCode"),
            said("previousIllnessName"),
        ),
    }
}
