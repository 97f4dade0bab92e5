//! The kit against a good hospital, and against hospitals each of which has one defect: the case
//! made for it must find it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use banyan_client::{HttpClient, HttpSettings};
use banyan_protocol::ambient::{Clock as _, SystemClock, SystemRandomness};
use banyan_protocol::envelope::{
    Dialect, Envelope, Environment, Manner, Outcome as Begins, Sealing, Secret,
};
use banyan_protocol::result_code::ResultCode;
use banyan_sandbox::{Debt, HospitalSetup, SimulatedHospital};
use serde_json::{Value, json};

use crate::{CaseResult, Outcome, Report, Target, hospital, html, terminal};

const ORG: &str = "H35019900009";
const SECRET: &str = "0a1B2c3D4e5F6a7B8c9D0e1F2a3B4c5D";

fn target(url: &str) -> Target {
    Target::new(
        url.parse().unwrap(),
        ("A9", SECRET),
        ORG,
        Arc::new(SystemClock),
        Arc::new(SystemRandomness),
    )
    .unwrap()
}

fn failures(report: &Report) -> Vec<&CaseResult> {
    let failed = report
        .cases
        .iter()
        .filter(|case| case.outcome == Outcome::Failed);
    failed.collect()
}

#[tokio::test]
async fn the_sandboxs_hospital_passes() {
    let http = HttpClient::new(&HttpSettings::default()).unwrap();
    let setup = HospitalSetup {
        org_id: ORG.to_owned(),
        org_name: "榕城测试医院".to_owned(),
        app_id: "A9".to_owned(),
        secret: SECRET.to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        platform_url: "http://127.0.0.1:9".parse().unwrap(),
        ledger_file: None,
    };
    let clock = Arc::new(SystemClock);
    let simulated = SimulatedHospital::start(setup, clock, http).await.unwrap();
    let known = simulated.owe(None, Debt::new("诊查费", 100, 1_736_505_201_000).unwrap());
    let mut base = simulated.callback_url().clone();
    base.set_path("");
    let mut told = 0;
    let report = hospital(&target(base.as_str()), Some(&known), |_| told += 1)
        .await
        .unwrap();
    assert!(failures(&report).is_empty(), "{}", terminal(&report));
    assert!(
        report.passed() && report.count(Outcome::Skipped) == 0,
        "{}",
        terminal(&report)
    );
    assert_eq!(told, report.cases.len());
    // A notice that came again counted once.
    assert!(simulated.received().iter().all(|told| told.effects <= 1));
    simulated.stop().await;
}

#[tokio::test]
async fn nobody_there_is_no_report() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    assert!(hospital(&target(&url), None, |_| {}).await.is_err());
}

/// What a hospital does wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    NeverVerifies,
    VerifiesOnlyByDecrypting,
    TakesEveryTimestamp,
    KnowsOnlyParam,
    AnswersForUnknownItems,
    AnswersForOthers,
    AnswersUnsealed,
    SignsWithoutOutcome,
    SecondsInsteadOfMilliseconds,
    StateOutsideTheDictionary,
    DoublesNotices,
    FailsOnRepetition,
    Crashes,
    ShowsItsInsides,
    AnswersGet,
    NeedsEveryMember,
    NoRequiredMembers,
    /// Reads one request after the other, so that half a request blocks all others.
    OneAtATime,
    /// Answers a body of any size by closing, and then nothing any more.
    DiesOfGarbage,
}

struct Hospital {
    defect: Defect,
    secret: Secret,
    seen: Mutex<HashMap<String, u32>>,
    turn: tokio::sync::Mutex<()>,
    dead: AtomicBool,
}

/// What stands before the handler: a lock that is held while a body comes in, and death.
async fn gate(State(hospital): State<Arc<Hospital>>, request: Request, next: Next) -> Response {
    if hospital.dead.load(Ordering::SeqCst) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let _turn = match hospital.defect {
        Defect::OneAtATime => Some(hospital.turn.lock().await),
        _ => None,
    };
    next.run(request).await
}

/// Starts a hospital with this defect, tests it, and gives the ids of the cases that failed.
async fn failed_of(defect: Defect) -> Vec<String> {
    let hospital_of = Arc::new(Hospital {
        defect,
        secret: Secret::parse(SECRET).unwrap(),
        seen: Mutex::default(),
        turn: tokio::sync::Mutex::default(),
        dead: AtomicBool::default(),
    });
    let router = Router::new()
        .fallback(any(answer))
        .layer(axum::extract::DefaultBodyLimit::max(1 << 20))
        .layer(axum::middleware::from_fn_with_state(
            hospital_of.clone(),
            gate,
        ))
        .with_state(hospital_of);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let target = target(&url).with_patience(std::time::Duration::from_secs(2));
    let report = hospital(&target, Some("KNOWN"), |_| {}).await.unwrap();
    serving.abort();
    let shown = terminal(&report) + &html(&report) + &serde_json::to_string(&report).unwrap();
    assert!(!shown.contains(&SECRET[..16]), "{shown}");
    failures(&report)
        .iter()
        .map(|case| case.id.to_owned())
        .collect()
}

async fn answer(
    State(hospital): State<Arc<Hospital>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> (StatusCode, String) {
    let defect = hospital.defect;
    if method != Method::POST {
        let status = if defect == Defect::AnswersGet {
            StatusCode::OK
        } else {
            StatusCode::METHOD_NOT_ALLOWED
        };
        return (
            status,
            r#"{"respCode":"000000","respMsg":"成功"}"#.to_owned(),
        );
    }
    match hospital.business(uri.path(), &body) {
        Ok((business, manner)) => (StatusCode::OK, hospital.seal(&business, manner)),
        Err(code) if defect == Defect::DiesOfGarbage && code == "000105" => {
            hospital.dead.store(true, Ordering::SeqCst);
            (
                StatusCode::OK,
                json!({"respCode": code, "respMsg": "拒绝"}).to_string(),
            )
        }
        Err(_) if defect == Defect::Crashes => {
            (StatusCode::INTERNAL_SERVER_ERROR, "error".to_owned())
        }
        Err(code) => {
            let inside = if defect == Defect::ShowsItsInsides {
                "java.lang.NullPointerException"
            } else {
                "拒绝"
            };
            (
                StatusCode::OK,
                json!({"respCode": code, "respMsg": inside}).to_string(),
            )
        }
    }
}

type Answered = Result<(Value, Manner), &'static str>;

impl Hospital {
    fn business(&self, path: &str, body: &[u8]) -> Answered {
        let defect = self.defect;
        let envelope = Envelope::parse(body).map_err(|_| "000105")?;
        if envelope.get("appId") != Some("A9") && defect != Defect::NeverVerifies {
            return Err("000001");
        }
        let opened = envelope.open(&self.secret, Environment::Production, Dialect::default());
        let (business, manner) = match (opened, defect) {
            (Ok(opened), Defect::KnowsOnlyParam) if opened.manner.dialect != Dialect::default() => {
                return Err("000102");
            }
            (Ok(opened), _) => (opened.business.ok_or("000105")?, opened.manner),
            (Err(_), Defect::NeverVerifies | Defect::VerifiesOnlyByDecrypting) => {
                let text = envelope.get("encryptData").ok_or("000105")?;
                let bytes = banyan_protocol::crypto::base64::decode(text).map_err(|_| "000101")?;
                let plain = self
                    .secret
                    .cipher()
                    .decrypt_ecb(bytes)
                    .map_err(|_| "000101")?;
                (
                    String::from_utf8(plain).map_err(|_| "000101")?,
                    Manner::SEALED,
                )
            }
            (Err(_), _) => return Err("000102"),
        };
        let time_ms: i64 = envelope
            .get("timestamp")
            .and_then(|text| text.parse().ok())
            .ok_or("000105")?;
        let old = time_ms.abs_diff(SystemClock.now_ms()) > 600_000;
        if old && !matches!(defect, Defect::TakesEveryTimestamp | Defect::NeverVerifies) {
            return Err("010010");
        }
        let message: Value = serde_json::from_str(&business).map_err(|_| "000105")?;
        if message["orgId"] != json!(ORG) && defect != Defect::AnswersForOthers {
            return Err("000105");
        }
        if defect == Defect::NeedsEveryMember
            && message.get("traceId").is_none()
            && path.ends_with("Result")
        {
            return Err("000105");
        }
        let answer = if path.ends_with("getOverdueResult") {
            self.settlement(&message)?
        } else {
            self.notice(&message)?
        };
        Ok((answer, manner))
    }

    fn settlement(&self, message: &Value) -> Result<Value, &'static str> {
        let defect = self.defect;
        let known = match message["orgTraceId"].as_str() {
            Some(number) => number == "KNOWN" || defect == Defect::AnswersForUnknownItems,
            None => defect == Defect::NoRequiredMembers,
        };
        if !known {
            return Err("000105");
        }
        let doubled = defect == Defect::DoublesNotices
            && self.seen.lock().unwrap().values().any(|count| *count > 1);
        let state = match defect {
            Defect::StateOutsideTheDictionary => "欠费",
            _ if doubled => "1",
            _ => "0",
        };
        Ok(json!({"state": state}))
    }

    fn notice(&self, message: &Value) -> Result<Value, &'static str> {
        if message["notifyType"].as_str().is_none() && self.defect != Defect::NoRequiredMembers {
            return Err("000105");
        }
        let id = message["extData"]["notifyId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let mut seen = self.seen.lock().unwrap();
        let count = seen.entry(id).or_default();
        *count += 1;
        let fails = self.defect == Defect::FailsOnRepetition && *count > 1;
        Ok(json!({"state": if fails { "fail" } else { "success" }}))
    }

    fn seal(&self, business: &Value, manner: Manner) -> String {
        let now_ms = SystemClock.now_ms();
        let business = business.to_string();
        let outcome = Begins {
            code: ResultCode::Success,
            message: "成功",
        };
        let sealing = Sealing {
            outcome: Some(outcome),
            manner,
            ..Sealing::call("A9", now_ms, &business)
        };
        match self.defect {
            Defect::AnswersUnsealed => business,
            Defect::SecondsInsteadOfMilliseconds => Sealing {
                timestamp_ms: now_ms / 1000,
                ..sealing
            }
            .seal(&self.secret),
            Defect::SignsWithoutOutcome => {
                let without = Sealing {
                    outcome: None,
                    ..sealing
                };
                let mut members: Value = serde_json::from_str(&without.seal(&self.secret)).unwrap();
                members["respCode"] = json!("000000");
                members["respMsg"] = json!("成功");
                members.to_string()
            }
            _ => sealing.seal(&self.secret),
        }
    }
}

#[tokio::test]
async fn a_hospital_without_defect_passes() {
    assert_eq!(failed_of(Defect::None).await, Vec::<String>::new());
}

#[tokio::test]
async fn every_defect_is_found_by_the_case_made_for_it() {
    for (defect, finding) in [
        (Defect::NeverVerifies, "H-SEC-01"),
        (Defect::NeverVerifies, "H-SEC-04"),
        (Defect::VerifiesOnlyByDecrypting, "H-SEC-07"),
        (Defect::TakesEveryTimestamp, "H-SEC-08"),
        (Defect::KnowsOnlyParam, "H-ORG001-02"),
        (Defect::KnowsOnlyParam, "H-ORG002-03"),
        (Defect::AnswersForUnknownItems, "H-ORG001-03"),
        (Defect::AnswersForOthers, "H-ORG001-06"),
        (Defect::AnswersForOthers, "H-ORG002-08"),
        (Defect::AnswersUnsealed, "H-ORG001-01"),
        (Defect::SignsWithoutOutcome, "H-ORG001-01"),
        (Defect::SecondsInsteadOfMilliseconds, "H-ORG001-04"),
        (Defect::StateOutsideTheDictionary, "H-ORG001-01"),
        (Defect::DoublesNotices, "H-ORG002-02"),
        (Defect::FailsOnRepetition, "H-ORG002-02"),
        (Defect::Crashes, "H-HTTP-01"),
        (Defect::ShowsItsInsides, "H-SEC-01"),
        (Defect::AnswersGet, "H-HTTP-06"),
        (Defect::NeedsEveryMember, "H-ORG001-01"),
        (Defect::NoRequiredMembers, "H-ORG002-06"),
        (Defect::NoRequiredMembers, "H-ORG001-07"),
        (Defect::OneAtATime, "H-HTTP-09"),
        (Defect::DiesOfGarbage, "H-HTTP-10"),
    ] {
        let failed = failed_of(defect).await;
        assert!(
            failed.iter().any(|id| id == finding),
            "{defect:?}: {failed:?}"
        );
    }
}

#[test]
fn a_report_shows_what_the_other_side_said_as_text() {
    let report = Report {
        side: crate::Side::Hospital,
        url: "http://a/?<script>".to_owned(),
        org_id: "<b>".to_owned(),
        began_ms: 0,
        cases: vec![CaseResult {
            id: "H-X",
            title: "t",
            why: "w",
            section: "4",
            mend: "m",
            outcome: Outcome::Failed,
            seen: Some("<script>alert(1)</script>".to_owned()),
            took_ms: 1,
        }],
    };
    let page = html(&report);
    assert!(!page.contains("<script>") && !page.contains("<b>") && page.contains("&lt;script&gt;"));
    assert!(!report.passed() && terminal(&report).contains("不合格"));
}
