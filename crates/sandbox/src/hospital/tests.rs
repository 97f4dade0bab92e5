//! The hospital's story, over real sockets.

use std::fs;

use banyan_client::CallFault;
use banyan_protocol::dictionaries::Receipt;
use banyan_protocol::envelope::{EnvelopeFault, ReplyFault};
use banyan_protocol::overdue::org_001::{SettlementReply, SettlementRequest};
use banyan_protocol::overdue::org_mdl_001::{ReportReply, ReportRequest};
use banyan_protocol::overdue::org_mdl_003::UpdateRequest;
use banyan_protocol::wire::{self, Scalar as _, Text};

use super::*;
use crate::testing::{
    FakePlatform, account, ask, citizens, hospital_at, http, notification, notify,
};

const PATIENCE: Duration = Duration::from_secs(10);
/// Of calls of which one is meant to time out; long enough for the others on a busy machine.
const SHORT: Duration = Duration::from_secs(1);

fn debt(fen: i64) -> Debt {
    Debt::new("诊查费", fen, 1_736_505_201_000).unwrap()
}

fn question(org_trace_id: &str) -> SettlementRequest {
    SettlementRequest {
        orgId: Text::parse("H35010000001").unwrap(),
        orgTraceId: Text::parse(org_trace_id).unwrap(),
        traceId: None,
        extData: None,
    }
}

#[tokio::test]
async fn a_debt_is_reported_confirmed_paid_and_named() {
    let platform = FakePlatform::start().await;
    let hospital = hospital_at(&platform.url(), "H1", None, http(PATIENCE)).await;
    let people = citizens(2);
    let first = hospital.owe(Some(&people[0]), debt(1250));
    let nameless = hospital.owe(None, debt(300));
    let other_nameless = hospital.owe(None, debt(301));
    let second = hospital.owe(Some(&people[0]), debt(100));
    let too_early = hospital.pay(&first).await.unwrap_err();
    assert_eq!(too_early, PartnerFault::NoTraceId(first.clone()));
    hospital.reopen_locally(&first).unwrap();

    let items = [&first, &nameless, &other_nameless, &second];
    let reply = hospital.report(&items).await.unwrap();
    assert_eq!(reply.state, Receipt::Success);
    let (interface, json) = platform.heard().remove(0);
    assert_eq!(interface, Interface::OrgMdl001);
    let heard: ReportRequest = wire::read(&json).unwrap();
    let rows = heard.persons().iter().map(|row| row.itemList.len());
    let rows: Vec<usize> = rows.collect();
    assert_eq!(
        rows,
        [2, 1, 1],
        "one row a person, one for each without a name"
    );
    assert_eq!(
        heard.persons()[0].idNo.as_ref().unwrap().expose().as_str(),
        people[0].id_no
    );
    assert_eq!(heard.notifyUrl.url(), hospital.callback_url());

    let told = |count: usize| move |received: &[Received]| received.len() >= count;
    assert!(hospital.wait_for(told(1), PATIENCE).await);
    let entry = hospital.entry(&first).unwrap();
    assert_eq!(entry.trace_id, Some(format!("P{first}")));
    assert!(entry.is_open());

    hospital.pay(&first).await.unwrap();
    assert!(hospital.wait_for(told(2), PATIENCE).await);
    let entry = hospital.entry(&first).unwrap();
    assert_eq!(entry.confirmed_state, Some(ItemState::Paid));

    hospital
        .make_real_name(&nameless, &people[1])
        .await
        .unwrap();
    assert!(hospital.wait_for(told(3), PATIENCE).await);
    let update: UpdateRequest = wire::read(&platform.heard().pop().unwrap().1).unwrap();
    assert_eq!(update.itemList[0].state, ItemState::Unpaid);
    let card = update.ehealthCardId.unwrap();
    assert_eq!(card.expose().as_str(), people[1].ehealth_card_id);

    hospital.revoke(&second).await.unwrap();
    assert!(hospital.wait_for(told(4), PATIENCE).await);
    assert!(!hospital.wait_for(told(5), Duration::from_millis(10)).await);
    let received = hospital.received();
    assert!(
        received
            .iter()
            .all(|told| (told.count, told.effects) == (1, 1))
    );

    let batch = heard.orgRequestId.as_str();
    let results = hospital.results(batch).await.unwrap();
    assert_eq!(results.reportResultList[0].itemList.len(), 4);
    hospital.query(&people[0], true).await.unwrap();
    hospital.entry_link(&people[0]).await.unwrap();
    let strange = hospital.results("no such batch").await.unwrap_err();
    assert!(matches!(
        strange,
        PartnerFault::Call(CallFault::Refused { .. })
    ));
    hospital.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn what_the_line_swallowed_is_the_same_batch_when_it_is_sent_again() {
    let platform = FakePlatform::start().await;
    let hospital = hospital_at(&platform.url(), "H1", None, http(PATIENCE)).await;
    let item = hospital.owe(None, debt(1));
    platform.set_away(true);
    let fault = hospital.report(&[&item]).await.unwrap_err();
    assert_eq!(fault, PartnerFault::Call(CallFault::Status { status: 503 }));
    assert!(hospital.resend().await.is_err());
    assert_eq!(hospital.unsent_count(), 1);
    let batch = hospital.entry(&item).unwrap().org_request_id.unwrap();

    platform.set_away(false);
    assert!(hospital.resend().await.unwrap());
    assert!(!hospital.resend().await.unwrap());
    let (_, json) = platform.heard().remove(0);
    let heard: ReportRequest = wire::read(&json).unwrap();
    assert_eq!(heard.orgRequestId.as_str(), batch);
    let refused: Result<ReportReply, _> = hospital.call(Interface::EcQuery, &heard).await;
    assert_eq!(refused.unwrap_err(), PartnerFault::NoPath("ec.query"));
}

#[tokio::test]
async fn a_notification_has_one_effect_however_often_it_comes() {
    let platform = FakePlatform::start().await;
    let hospital = hospital_at(&platform.url(), "H1", None, http(PATIENCE)).await;
    let item = hospital.owe(None, debt(1));
    let http = http(PATIENCE);
    let (url, us) = (hospital.callback_url(), account("H1"));
    let request = notification("n1", "b1", &[(&item, ItemState::Unpaid)]);
    for _ in 0..3 {
        notify(&http, url, &us, &request).await.unwrap();
    }
    let mut contradicting = notification("n1", "b1", &[(&item, ItemState::Paid)]);
    notify(&http, url, &us, &contradicting).await.unwrap();
    let received = hospital.received();
    assert_eq!(received.len(), 1);
    assert_eq!(
        (
            received[0].count,
            received[0].effects,
            received[0].contradictions
        ),
        (4, 1, 1)
    );
    let entry = hospital.entry(&item).unwrap();
    assert_eq!(entry.confirmed_state, Some(ItemState::Unpaid));

    // Without a notifyId the content itself tells notifications apart.
    contradicting.extData = None;
    notify(&http, url, &us, &contradicting).await.unwrap();
    assert_eq!(hospital.received().len(), 2);

    let errors = serde_json::json!({
        "notifyId": "n3", "errors": [{ "orgTraceId": item, "reason": "急诊不在范围内" }],
    });
    let mut judged_bad = notification("n3", "b3", &[]);
    judged_bad.extData = Some(wire::ExtData(errors.as_object().unwrap().clone()));
    notify(&http, url, &us, &judged_bad).await.unwrap();
    let entry = hospital.entry(&item).unwrap();
    assert_eq!(entry.errors, ["急诊不在范围内"]);
    assert!(!format!("{entry:?}").contains("急诊"));
}

#[tokio::test]
async fn the_platform_is_told_how_a_debt_stands_and_strangers_are_not() {
    let platform = FakePlatform::start().await;
    let hospital = hospital_at(&platform.url(), "H1", None, http(PATIENCE)).await;
    let item = hospital.owe(None, debt(1));
    let http = http(PATIENCE);
    let url = hospital.settlement_url();
    let asked = async |account: &Account, item: &str| {
        let reply: Result<SettlementReply, _> =
            ask(&http, url, account, false, &question(item)).await;
        reply.map(|reply| reply.state)
    };
    assert_eq!(asked(&account("H1"), &item).await, Ok(ItemState::Unpaid));
    hospital.pay_locally(&item).unwrap();
    assert_eq!(asked(&account("H1"), &item).await, Ok(ItemState::Paid));

    let code = |reply: Result<ItemState, CallFault>| match reply {
        Err(CallFault::Refused { code, .. }) => code,
        other => format!("{other:?}"),
    };
    assert_eq!(code(asked(&account("H1"), "unheard of").await), "000105");
    assert_eq!(code(asked(&account("H2"), &item).await), "000001");
    let forging = account("H1").forging().unwrap();
    assert_eq!(code(asked(&forging, &item).await), "000102");

    let elsewhere = url.join("/elsewhere").unwrap();
    let reply: Result<SettlementReply, _> =
        ask(&http, &elsewhere, &account("H1"), false, &question(&item)).await;
    assert!(matches!(reply, Err(CallFault::Refused { code, .. }) if code == "-5"));
}

#[tokio::test]
async fn every_fault_looks_to_the_caller_like_what_it_is() {
    let platform = FakePlatform::start().await;
    let hospital = hospital_at(&platform.url(), "H1", None, http(PATIENCE)).await;
    let item = hospital.owe(None, debt(1));
    let http = http(SHORT);
    let us = account("H1");
    // Of an ORG_001: what a platform sees that takes sealed answers alone, and one that does not.
    let seen = async |strict: bool| -> Result<ItemState, CallFault> {
        let reply: Result<SettlementReply, _> = ask(
            &http,
            hospital.settlement_url(),
            &us,
            !strict,
            &question(&item),
        )
        .await;
        reply.map(|reply| reply.state)
    };
    let unpaid = Ok(ItemState::Unpaid);
    hospital.set_fault(Fault::Hang);
    assert_eq!(seen(true).await, Err(CallFault::Timeout));
    hospital.set_fault(Fault::Delay(Duration::from_millis(20)));
    assert_eq!(seen(true).await, unpaid);
    hospital.set_fault(Fault::Status(502));
    assert_eq!(seen(true).await, Err(CallFault::Status { status: 502 }));
    hospital.set_fault(Fault::Garbage);
    let fault = seen(false).await.unwrap_err();
    assert!(matches!(
        fault,
        CallFault::NotOpened(ReplyFault::NoEnvelope(_))
    ));
    hospital.set_fault(Fault::WrongSignature);
    let forged = CallFault::NotOpened(ReplyFault::NotOpened(EnvelopeFault::BadSignature));
    assert_eq!(seen(false).await, Err(forged));
    hospital.set_fault(Fault::PlainEnvelope);
    assert_eq!(seen(false).await, unpaid);
    let fault = seen(true).await.unwrap_err();
    assert!(matches!(
        fault,
        CallFault::NotOpened(ReplyFault::NotOpened(_))
    ));
    hospital.set_fault(Fault::BareObject);
    assert_eq!(seen(false).await, unpaid);
    let fault = CallFault::NotOpened(ReplyFault::NotSealed);
    assert_eq!(seen(true).await, Err(fault));
    hospital.set_fault(Fault::Refuse);
    let fault = seen(true).await.unwrap_err();
    assert!(matches!(fault, CallFault::Refused { code, .. } if code == "000002"));
    hospital.set_fault(Fault::FailState);
    let fault = seen(true).await.unwrap_err();
    assert!(matches!(fault, CallFault::BadReply(_)));
    hospital.set_fault(Fault::CloseConnection);
    let fault = seen(true).await.unwrap_err();
    assert!(matches!(fault, CallFault::Http(_)));
    assert!(hospital.wait_for_faults(1, PATIENCE).await);
    hospital.set_fault(Fault::None);
    assert_eq!(seen(true).await, unpaid);
    assert_eq!(hospital.faults_played(), 0);
}

#[tokio::test]
async fn a_fault_says_whether_the_ledger_learnt_something() {
    let platform = FakePlatform::start().await;
    let hospital = hospital_at(&platform.url(), "H1", None, http(PATIENCE)).await;
    let item = hospital.owe(None, debt(1));
    let http = http(SHORT);
    let request = notification("n1", "b1", &[(&item, ItemState::Unpaid)]);
    let us = account("H1");
    let notified = async || notify(&http, hospital.callback_url(), &us, &request).await;
    for fault in [Fault::Status(500), Fault::Refuse, Fault::FailState] {
        hospital.set_fault(fault);
        let reply = notified().await;
        assert!(reply.is_err() || reply.is_ok_and(|reply| reply.state == Receipt::Fail));
        assert_eq!(hospital.entry(&item).unwrap().trace_id, None);
    }
    hospital.set_fault(Fault::Hang);
    assert_eq!(notified().await.unwrap_err(), CallFault::Timeout);
    assert!(hospital.entry(&item).unwrap().trace_id.is_some());
    hospital.set_fault(Fault::None);
    assert_eq!(notified().await.unwrap().state, Receipt::Success);
    let received = hospital.received();
    assert_eq!((received[0].count, received[0].effects), (5, 1));
}

#[tokio::test]
async fn a_second_start_answers_for_the_first_and_names_nothing_twice() {
    let platform = FakePlatform::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.jsonl");
    let start =
        async || hospital_at(&platform.url(), "H1", Some(file.clone()), http(PATIENCE)).await;
    let hospital = start().await;
    let citizen = citizens(1).remove(0);
    let item = hospital.owe(Some(&citizen), debt(1250));
    hospital.report(&[&item]).await.unwrap();
    assert!(hospital.wait_for(|told| !told.is_empty(), PATIENCE).await);
    hospital.pay_locally(&item).unwrap();
    let before = hospital.entry(&item).unwrap();
    hospital.stop().await;
    drop(hospital);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Killed while it wrote.
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str(r#"{"kind":"item","orgTr"#);
    fs::write(&file, &text).unwrap();

    let hospital = start().await;
    assert_eq!(hospital.entry(&item), Some(before));
    let reply: SettlementReply = ask(
        &http(PATIENCE),
        hospital.settlement_url(),
        &account("H1"),
        false,
        &question(&item),
    )
    .await
    .unwrap();
    assert_eq!(reply.state, ItemState::Paid);
    let lines = fs::read_to_string(&file).unwrap().lines().count();
    assert_eq!(lines, 2, "the start and the item, written anew");
    let new = hospital.owe(None, debt(1));
    assert_ne!(new, item);
    drop(hospital);

    fs::write(&file, "{}\n").unwrap();
    let bad = Ledger::open(Some(&file), 0).err().unwrap();
    assert!(matches!(bad, LedgerError::BadLine { line: 1, .. }), "{bad}");
}

#[test]
fn no_two_starts_give_the_same_name_even_when_the_clock_stands() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.jsonl");
    for file in [None, Some(file.as_path())] {
        let [one, other] = [(); 2].map(|()| Ledger::open(file, 7).unwrap().new_name('R'));
        assert_ne!(one, other);
        assert!(one.len() <= 40);
    }
}

#[tokio::test]
async fn what_can_t_start_says_why() {
    let platform = FakePlatform::start().await;
    let setup = HospitalSetup {
        org_id: "H35010000001".to_owned(),
        org_name: "榕树医院".to_owned(),
        app_id: "H1".to_owned(),
        secret: "short".to_owned(),
        listen: platform.address(),
        platform_url: platform.url(),
        ledger_file: None,
    };
    let start = async |setup: &HospitalSetup| {
        let clock = crate::testing::clock();
        SimulatedHospital::start(setup.clone(), clock, http(PATIENCE))
            .await
            .unwrap_err()
    };
    assert!(!format!("{setup:?}").contains("short"));
    assert!(matches!(start(&setup).await, StartError::Account(_)));
    let mut setup = setup;
    setup.secret = "long enough for a key".to_owned();
    assert!(matches!(start(&setup).await, StartError::Listen { .. }));
    setup.org_id = "longer than twelve".to_owned();
    assert!(matches!(start(&setup).await, StartError::Unfit(_)));
}
