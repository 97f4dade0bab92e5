//! The catalogue is complete: whatever is available has a fixture that its messages read and
//! write, refuses what was tampered with, and is not for whoever was not granted it.
//!
//! An interface that becomes available without a fixture and a place in the two `match`es below
//! fails here.

use banyan_protocol::catalogue::{Availability, Direction, Interface, Route};
use banyan_protocol::credential::cn_nhsa_auth_check::{FaceReply, FaceRequest};
use banyan_protocol::credential::cn_nhsa_ec_pwd::{PasswordReply, PasswordRequest};
use banyan_protocol::credential::cn_nhsa_qrcode_get::TerminalDecodeRequest;
use banyan_protocol::credential::ec_query::{DecodeRequest, PersonReply};
use banyan_protocol::health_card::{org_ehc_001, org_ehc_002, org_ehc_003, org_ehc_004};
use banyan_protocol::overdue::{
    org_001, org_002, org_mdl_001, org_mdl_002, org_mdl_003, org_mdl_004, org_mdl_005,
};
use banyan_protocol::supplement::ci00_02_00_07::CashPaymentRequest;
use banyan_protocol::supplement::ci00_03_00_01::{PastIllnessReply, PastIllnessRequest};
use banyan_protocol::supplement::ci00_03_00_03::ClaimsRequest;
use banyan_protocol::supplement::xy00_00_00_03::CasesRequest;
use banyan_protocol::wire::{self, Field, Message};
use banyan_sandbox::Fault;
use banyan_store::on_both_engines;
use serde_json::Value;

use crate::partners_voice::path;
use crate::telling::{DAY_MS, Story, new_hospital, until_number};

/// Those of the provincial envelope; the same is told of insurers' in `supplement::door`, and of
/// the credential centre's in `credential::door`.
fn available(direction: Direction) -> impl Iterator<Item = Interface> {
    Interface::ALL.into_iter().filter(move |interface| {
        let spec = interface.spec();
        let has_path = matches!(spec.route, Route::Path(_));
        spec.availability == Availability::Available && spec.direction == direction && has_path
    })
}

/// The example of an interface: `{"request": .., "reply": ..}`.
fn fixture(interface: Interface) -> Value {
    let folder = interface.spec().room.folder();
    let name = interface.code().to_lowercase().replace('.', "_");
    let path = format!(
        "{}/../../fixtures/{folder}/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{} has no fixture at {path}: {error}", interface.code()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The message reads, and writes what it read, every member of it one that its table knows.
fn round_trip<M: Message>(interface: Interface, example: &Value) {
    let code = interface.code();
    let message: M =
        wire::read(&example.to_string()).unwrap_or_else(|fault| panic!("{code}: {fault}"));
    let written: Value = serde_json::from_str(&wire::write(&message)).expect("JSON");
    assert_eq!(&written, example, "{code}");
    let known: Vec<&str> = M::FIELDS.iter().map(|field| field.code).collect();
    for member in example.as_object().expect("an object").keys() {
        assert!(
            known.contains(&member.as_str()),
            "{code}: {member} is in no table"
        );
    }
    // Whatever is required is missed, under its own name.
    for Field { code: member, .. } in M::FIELDS.iter().filter(|field| field.required) {
        let mut without = example.clone();
        without.as_object_mut().expect("an object").remove(*member);
        let Err(fault) = wire::read::<M>(&without.to_string()) else {
            panic!("{code}: {member} is not missed");
        };
        assert_eq!(fault.path, *member, "{code}");
    }
}

fn round_trips<Request: Message, Reply: Message>(interface: Interface) {
    let example = fixture(interface);
    round_trip::<Request>(interface, &example["request"]);
    round_trip::<Reply>(interface, &example["reply"]);
}

/// A message whose members may be missing, as insurers leave them out: what is off in it is the room's
/// matter. Its reply lists no members.
fn said_as_written<Request: Message>(interface: Interface) {
    let example = fixture(interface);
    let code = interface.code();
    let request = &example["request"];
    let message: Request =
        wire::read(&request.to_string()).unwrap_or_else(|fault| panic!("{code}: {fault}"));
    let written: Value = serde_json::from_str(&wire::write(&message)).expect("JSON");
    assert_eq!(&written, request, "{code}");
    assert_eq!(example["reply"], serde_json::json!({}), "{code}");
}

#[test]
fn every_available_interface_has_a_fixture_that_round_trips() {
    for interface in Interface::ALL {
        match interface {
            Interface::OrgMdl001 => {
                round_trips::<org_mdl_001::ReportRequest, org_mdl_001::ReportReply>(interface)
            }
            Interface::OrgMdl002 => {
                round_trips::<org_mdl_002::QueryRequest, org_mdl_002::QueryReply>(interface)
            }
            Interface::OrgMdl003 => {
                round_trips::<org_mdl_003::UpdateRequest, org_mdl_003::UpdateReply>(interface)
            }
            Interface::OrgMdl004 => {
                round_trips::<org_mdl_004::EntryLinkRequest, org_mdl_004::EntryLinkReply>(interface)
            }
            Interface::OrgMdl005 => {
                round_trips::<org_mdl_005::ResultRequest, org_mdl_005::ResultReply>(interface)
            }
            Interface::Org001 => {
                round_trips::<org_001::SettlementRequest, org_001::SettlementReply>(interface)
            }
            Interface::Org002 => {
                round_trips::<org_002::NotifyRequest, org_002::NotifyReply>(interface)
            }
            Interface::OrgEhc001 => {
                round_trips::<org_ehc_001::AuthUrlRequest, org_ehc_001::AuthUrlReply>(interface)
            }
            Interface::OrgEhc002 => round_trips::<
                org_ehc_002::AuthResultRequest,
                org_ehc_002::AuthResultReply,
            >(interface),
            Interface::OrgEhc003 => {
                round_trips::<org_ehc_003::VerifyRequest, org_ehc_003::VerifyReply>(interface)
            }
            Interface::OrgEhc004 => {
                round_trips::<org_ehc_004::InsuredRequest, org_ehc_004::InsuredReply>(interface)
            }
            Interface::Ci00030001 => {
                round_trips::<PastIllnessRequest, PastIllnessReply>(interface);
            }
            Interface::Ci00030003 => said_as_written::<ClaimsRequest>(interface),
            Interface::Ci00020007 => said_as_written::<CashPaymentRequest>(interface),
            Interface::Xy00000003 => said_as_written::<CasesRequest>(interface),
            Interface::EcQuery => round_trips::<DecodeRequest, PersonReply>(interface),
            Interface::QrcodeGet => round_trips::<TerminalDecodeRequest, PersonReply>(interface),
            Interface::AuthCheck => round_trips::<FaceRequest, FaceReply>(interface),
            Interface::EcPwd => round_trips::<PasswordRequest, PasswordReply>(interface),
        }
    }
}

#[test]
fn no_fixture_is_left_over() {
    for folder in ["overdue", "health_card", "supplement", "credential"] {
        let folder = format!("{}/../../fixtures/{folder}", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(folder).expect("the folder of the fixtures") {
            let name = file
                .expect("a file")
                .file_name()
                .into_string()
                .expect("a name");
            let code = name
                .strip_suffix(".json")
                .unwrap_or_else(|| panic!("{name}"));
            let interface = Interface::from_code(&code.replace('_', "."))
                .or_else(|| Interface::from_code(code))
                .unwrap_or_else(|| panic!("{name} is of no interface"));
            assert_eq!(
                interface.spec().availability,
                Availability::Available,
                "{name}"
            );
        }
    }
}

on_both_engines! {
    async fn a_tampered_message_is_refused_everywhere(db: &TestDb) {
        let story = Story::begin(db).await;
        let voice = story.voice(0);
        for interface in available(Direction::ToPlatform) {
            let business = fixture(interface)["request"].to_string();
            let good: Value = serde_json::from_str(&voice.seal(&business)).unwrap();
            let text = good["encryptData"].as_str().unwrap();
            for place in [0, text.len() / 2, text.len() - 5] {
                let other = if text.as_bytes()[place] == b'A' { "B" } else { "A" };
                let mut tampered = good.clone();
                let mut data = text.to_owned();
                data.replace_range(place..=place, other);
                tampered["encryptData"] = Value::String(data);
                let heard = voice.post(path(interface), tampered.to_string().as_bytes()).await;
                assert!(["000101", "000102"].contains(&&*heard.code), "{}: {}", interface.code(), heard.code);
                heard.refused(&heard.code, "");
            }
            let mut late = good.clone();
            late["version"] = Value::String("1.0.1".to_owned());
            voice.post(path(interface), late.to_string().as_bytes()).await.refused("000102", "");
            // The same message untouched is no longer about its envelope.
            let heard = voice.post(path(interface), good.to_string().as_bytes()).await;
            assert!(["000000", "000105"].contains(&&*heard.code), "{}: {}", interface.code(), heard.message);
        }
        story.end().await;
    }

    async fn a_message_of_one_interface_is_not_another_s(db: &TestDb) {
        // Paths are not signed, so a message posted elsewhere opens there; it is not what is
        // wanted there, and nothing comes of it.
        let story = Story::begin(db).await;
        let voice = story.voice(0);
        let query = fixture(Interface::OrgMdl005)["request"].to_string();
        voice.post(path(Interface::OrgMdl001), voice.seal(&query).as_bytes()).await.refused("000105", "orgName");
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_batch").await, 0);
        story.end().await;
    }

    async fn nobody_calls_what_was_not_granted(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut nothing = new_hospital("H35019900008");
        nothing.grants = Some(Vec::new());
        let voice = story.add_partner(nothing).await;
        for interface in available(Direction::ToPlatform) {
            let heard = voice.say(interface, &fixture(interface)["request"]).await;
            heard.refused("-4", "");
            assert!(heard.message.contains(interface.code()), "{}", heard.message);
        }
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_batch").await, 0);
        story.end().await;
    }

    async fn a_tampered_answer_of_a_hospital_is_not_believed(db: &TestDb) {
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        let citizen = &story.citizens[0];
        for interface in available(Direction::ToHospital) {
            match interface {
                Interface::Org001 => {
                    let (paid, _) = story.owe(0, Some(citizen), 100).await;
                    hospital.pay_locally(&paid).unwrap();
                    hospital.set_fault(Fault::WrongSignature);
                    story.after(DAY_MS).await;
                    assert!(hospital.faults_played() >= 1);
                    assert_eq!(story.mzt.query(citizen).await.unwrap().next.code(), "0");
                    until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_001' AND result <> '1'", 1).await;
                }
                Interface::Org002 => {
                    hospital.set_fault(Fault::WrongSignature);
                    let number = hospital.owe(Some(citizen), story.debt("诊查费", 1));
                    hospital.report(&[&number]).await.unwrap();
                    story.settle().await;
                    assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 2 AND state = 0").await, 1);
                }
                later => panic!("{} needs a story of its tampered answer", later.code()),
            }
            hospital.set_fault(Fault::None);
        }
        story.end().await;
    }
}
