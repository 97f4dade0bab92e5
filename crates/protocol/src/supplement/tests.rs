//! The document's own examples, letter for letter.

use super::ci00_03_00_01::PastIllnessRequest;
use super::ci00_03_00_03::ClaimsRequest;
use super::xy00_00_00_03::MigrationRequest;
use crate::wire;

fn inner(printed: &str) -> Result<String, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Data {
        data: Box<serde_json::value::RawValue>,
    }
    serde_json::from_str::<Data>(printed).map(|data| data.data.get().to_owned())
}

#[test]
fn the_past_illness_example_names_no_service() {
    let printed = include_str!("../../../../fixtures/printed/ci00_03_00_01.request.json");
    let request: PastIllnessRequest = wire::read(&inner(printed).unwrap()).unwrap();
    assert_eq!(request.serviceId, None);
}

#[test]
fn the_claims_example_is_read_and_what_is_off_in_it_is_named() {
    let printed = include_str!("../../../../fixtures/printed/ci00_03_00_03.request.json");
    let request: ClaimsRequest = wire::read(&inner(printed).unwrap()).unwrap();
    assert_eq!(request.check(), Ok(()));
    let faults = request.faults();
    let paths: Vec<&str> = faults.named.iter().map(|fault| &*fault.path).collect();
    assert_eq!(
        paths,
        [
            "claimsInfo[0].closeTime",
            "claimsInfo[0].year",
            "claimsInfo[0].claimTotal",
            "claimsInfo[0].invoiceTotal",
            "claimsInfo[1].closeTime",
            "claimsInfo[1].year",
            "claimsInfo[1].claimTotal",
            "claimsInfo[1].invoiceTotal",
        ]
    );
}

#[test]
fn the_case_example_is_sound_once_its_missing_comma_is_back() {
    let printed = include_str!("../../../../fixtures/printed/xy00_00_00_03.as_printed.json");
    assert!(inner(printed).is_err());
    let fault = wire::read::<super::xy00_00_00_03::CasesRequest>(printed).unwrap_err();
    assert!(!fault.expected.is_empty());
    let restored = include_str!("../../../../fixtures/printed/xy00_00_00_03.request.json");
    assert_eq!(
        printed.replace("\"speciDrugNumFour\": \"\"", "\"speciDrugNumFour\": \"\","),
        restored
    );
    let request = MigrationRequest::read(&inner(restored).unwrap()).unwrap();
    assert_eq!(request.check(), Ok(()));
    assert_eq!(request.faults().count, 0);
    let MigrationRequest::Cases(cases) = request else {
        panic!("the example is of hmbExtInfo")
    };
    assert_eq!(cases.hmbList[0].payTime.text(), Some(""));
    assert_eq!(cases.hmbList[0].compenRatioSeven.filled(), None);
}

#[test]
fn both_spellings_name_the_first_duty() {
    let claim = |members: &str| {
        format!(r#"{{"claimsInfo":[{{"caseNo":"1","certno":"1","psnName":"甲"{members}}}]}}"#)
    };
    for (members, expected) in [
        ("", None),
        (r#","dut0LeaDed":"1.5""#, Some("1.5")),
        (r#","dutOLeaDed":"2""#, Some("2")),
        (r#","dut0LeaDed":"3","dutOLeaDed":"3""#, Some("3")),
    ] {
        let request: ClaimsRequest = wire::read(&claim(members)).unwrap();
        assert_eq!(request.check(), Ok(()));
        assert_eq!(request.claimsInfo[0].duty_one_left(), expected);
    }
    let both: ClaimsRequest = wire::read(&claim(r#","dut0LeaDed":"3","dutOLeaDed":"4""#)).unwrap();
    assert_eq!(both.check().unwrap_err().path, "claimsInfo[0].dutOLeaDed");
}

#[test]
fn numbers_are_no_strings_and_the_first_is_named() {
    let fault = wire::read::<ClaimsRequest>(
        r#"{"claimsInfo":[{"caseNo":"1","certno":"1","psnName":"甲","claimTotal":12}]}"#,
    )
    .unwrap_err();
    assert_eq!(fault.path, "claimsInfo[0].claimTotal");
}

#[test]
fn nothing_of_a_person_shows() {
    let printed = include_str!("../../../../fixtures/printed/xy00_00_00_03.request.json");
    let request = MigrationRequest::read(&inner(printed).unwrap()).unwrap();
    let shown = format!("{request:?}");
    for private in ["insuredName", "insuredCertno", "claimConclus"] {
        assert!(!shown.contains(&format!("\"{private}\"")), "{shown}");
    }
}
