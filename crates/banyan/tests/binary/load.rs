//! Hospitals that report and settle without pause, whatever becomes of the platform, and remember
//! what they were promised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use banyan_protocol::catalogue::Interface;
use banyan_sandbox::Citizen;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::listener::Listener;
use crate::partner::{Partner, items};
use crate::place::Place;
use crate::{PATIENCE, eventually, random_below};

/// Items in each report.
const ITEMS: usize = 5;
/// Of these the first ones are settled, where a report is followed by a settlement.
const SETTLED: usize = 2;
const CITIZENS: usize = 12;

/// The hospitals' side of the story.
pub(crate) struct Load {
    hospitals: Vec<Partner>,
    citizens: Vec<Citizen>,
    pub(crate) listener: Listener,
    platform: watch::Sender<Option<String>>,
    stop: watch::Sender<bool>,
    acknowledged: watch::Sender<usize>,
    sent: Mutex<BTreeMap<String, Sent>>,
}

/// A batch that was sent at least once.
#[derive(Clone)]
struct Sent {
    hospital: usize,
    citizen: usize,
    items: Vec<String>,
    settles: bool,
    acknowledged: bool,
}

impl Load {
    /// Registers hospitals at this place and listens for their callbacks.
    pub(crate) async fn at(place: &Place, hospitals: usize) -> Arc<Self> {
        let hospitals: Vec<Partner> = (0..hospitals)
            .map(|number| place.add_hospital(&format!("H35019910{number:03}")))
            .collect();
        let vault = place.vault();
        let seed = i64::try_from(random_below(1 << 40)).unwrap();
        let citizens = banyan_sandbox::citizens::generate(CITIZENS, seed);
        let citizens: Vec<_> = citizens
            .into_iter()
            .map(|seed| seed.with_index(&vault))
            .collect();
        place.register(&citizens);
        Arc::new(Self {
            listener: Listener::start(&hospitals).await,
            hospitals,
            citizens,
            platform: watch::Sender::new(None),
            stop: watch::Sender::new(false),
            acknowledged: watch::Sender::new(0),
            sent: Mutex::default(),
        })
    }

    /// Starts so many callers for each hospital.
    pub(crate) fn start(self: &Arc<Self>, callers: usize) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for hospital in 0..self.hospitals.len() {
            for caller in 0..callers {
                tasks.spawn(self.clone().report_and_settle(hospital, caller));
            }
        }
        tasks
    }

    /// Where callers find the platform from now on; nowhere, where it is down.
    pub(crate) fn platform_is(&self, url: Option<&str>) {
        self.platform.send_replace(url.map(str::to_owned));
    }

    /// Waits until so many batches more were acknowledged.
    pub(crate) async fn wait_for_acknowledged(&self, more: usize) {
        let mut acknowledged = self.acknowledged.subscribe();
        let goal = *acknowledged.borrow_and_update() + more;
        let waiting = acknowledged.wait_for(|count| *count >= goal);
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .unwrap()
            .unwrap();
    }

    /// Lets each caller finish what it has begun, and waits for them.
    pub(crate) async fn end(&self, mut tasks: JoinSet<()>) {
        self.stop.send_replace(true);
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
    }

    async fn report_and_settle(self: Arc<Self>, hospital: usize, caller: usize) {
        let partner = &self.hospitals[hospital];
        for number in 0.. {
            if *self.stop.borrow() {
                return;
            }
            let batch = format!("{hospital}-{caller}-{number}");
            let citizen = (hospital + caller + number) % CITIZENS;
            let items: Vec<String> = (0..ITEMS).map(|item| format!("{batch}-{item}")).collect();
            let report =
                partner.report(&batch, &self.listener.url, &self.citizens[citizen], &items);
            let sent = Sent {
                hospital,
                citizen,
                items,
                settles: false,
                acknowledged: false,
            };
            self.send(&batch, Interface::OrgMdl001, &report, sent.clone())
                .await;
            if number % 3 == 0 {
                self.settle(partner, &batch, sent).await;
            }
        }
    }

    /// Sends a batch. Where the line breaks, an even hospital sends the same again until it is
    /// acknowledged, an odd one leaves it at that.
    async fn send(&self, batch: &str, interface: Interface, message: &Value, sent: Sent) {
        let persistent = sent.hospital.is_multiple_of(2);
        let partner = &self.hospitals[sent.hospital];
        self.sent.lock().unwrap().insert(batch.to_owned(), sent);
        loop {
            let Some(platform) = self.platform().await else {
                return;
            };
            match partner.call(&platform, interface, message).await {
                Ok(Ok(reply)) => {
                    assert_eq!(reply["state"], "success");
                    self.sent
                        .lock()
                        .unwrap()
                        .get_mut(batch)
                        .unwrap()
                        .acknowledged = true;
                    self.acknowledged.send_modify(|count| *count += 1);
                    return;
                }
                Ok(Err(refused)) => panic!("{batch}: {refused:?}"),
                Err(_) if persistent => {}
                Err(_) => return,
            }
        }
    }

    /// Settles the first items of a report as soon as it is judged.
    async fn settle(&self, partner: &Partner, batch: &str, report: Sent) {
        let Some(outcome) = self.judged_report(partner, batch).await else {
            return;
        };
        let citizen = &self.citizens[report.citizen];
        let settled: Vec<_> = items(&outcome).into_iter().take(SETTLED).collect();
        let updates: Vec<Value> = settled
            .iter()
            .map(|(number, trace, _)| json!({"orgTraceId": number, "traceId": trace, "state": "1"}))
            .collect();
        let number = format!("{batch}-paid");
        let update = json!({
            "orgId": partner.org_id, "orgRequestId": number, "notifyUrl": self.listener.url,
            "idNo": citizen.id_no, "idType": citizen.id_type, "userName": citizen.user_name,
            "ehealthCardId": citizen.ehealth_card_id, "itemList": updates,
        });
        let sent = Sent {
            items: settled.into_iter().map(|(number, ..)| number).collect(),
            settles: true,
            ..report
        };
        self.send(&number, Interface::OrgMdl003, &update, sent)
            .await;
    }

    /// Waits until a report is judged; `None` where the platform never got it, or it is time to
    /// end.
    async fn judged_report(&self, partner: &Partner, batch: &str) -> Option<Value> {
        let about = json!({ "orgId": partner.org_id, "orgRequestId": batch });
        let began = Instant::now();
        while !*self.stop.borrow() && began.elapsed() < PATIENCE {
            let platform = self.platform().await?;
            match partner.call(&platform, Interface::OrgMdl005, &about).await {
                // A report that was not acknowledged may not be there at all.
                Ok(Err((code, _))) if code == "000105" => return None,
                Ok(Err(refused)) => panic!("{batch}: {refused:?}"),
                Ok(Ok(reply)) if reply["extData"]["batchState"] == "judged" => return Some(reply),
                Ok(Ok(_)) | Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        assert!(*self.stop.borrow(), "{batch} is not judged");
        None
    }

    /// Where the platform is; waits as long as it is down, and `None` where it stays so.
    async fn platform(&self) -> Option<String> {
        let mut platform = self.platform.subscribe();
        let mut stop = self.stop.subscribe();
        tokio::select! {
            biased;
            up = platform.wait_for(Option::is_some) => up.unwrap().clone(),
            _ = stop.wait_for(|stop| *stop) => None,
        }
    }

    /// Holds what the platform knows, now that it is at rest, against what was promised:
    /// everything acknowledged is there, everything there is whole and once, and each batch was
    /// told of in one notice that never contradicted itself.
    pub(crate) async fn check(&self, platform: &str) -> Tally {
        let sent = self.sent.lock().unwrap().clone();
        let mut tally = Tally::default();
        let mut unpaid: BTreeMap<(usize, usize), BTreeSet<String>> = BTreeMap::new();
        let mut paid: BTreeSet<String> = BTreeSet::new();
        let mut known = Vec::new();
        for (batch, sent) in &sent {
            let partner = &self.hospitals[sent.hospital];
            if !self
                .is_known(platform, partner, batch, sent.acknowledged)
                .await
            {
                tally.unknown += 1;
                continue;
            }
            tally.known += 1;
            let outcome = eventually("the batch is judged", async || {
                partner.outcome(platform, batch).await
            })
            .await;
            let errors = &outcome["extData"]["errors"];
            assert!(errors.is_null(), "{batch}: {errors}");
            let numbers: Vec<String> = items(&outcome).into_iter().map(|item| item.0).collect();
            assert_eq!(numbers, sent.items, "{batch} is not whole");
            if sent.settles {
                paid.extend(numbers);
            } else {
                let of_person = unpaid.entry((sent.hospital, sent.citizen)).or_default();
                of_person.extend(numbers);
            }
            known.push((batch, sent, outcome));
        }
        for ((hospital, citizen), numbers) in &unpaid {
            let partner = &self.hospitals[*hospital];
            let query = partner.query(&self.citizens[*citizen]);
            let reply = partner.ask(platform, Interface::OrgMdl002, &query).await;
            let listed = reply["itemList"].as_array().unwrap().iter();
            let listed: Vec<&str> = listed
                .map(|item| item["itemName"].as_str().unwrap())
                .collect();
            let distinct: BTreeSet<&str> = listed.iter().copied().collect();
            assert_eq!(listed.len(), distinct.len(), "doubled: {listed:?}");
            let expected: BTreeSet<&str> = numbers.difference(&paid).map(String::as_str).collect();
            assert_eq!(distinct, expected);
            tally.items += listed.len();
        }
        for (batch, sent, outcome) in known {
            let partner = &self.hospitals[sent.hospital];
            let notices = eventually(&format!("the callback about {batch}"), async || {
                let notices = self.listener.about(partner, batch);
                (!notices.is_empty()).then_some(notices)
            })
            .await;
            assert_eq!(notices.len(), 1, "{batch} was told of under several ids");
            for notice in &notices[0].1 {
                check_notice(notice, sent, &outcome);
            }
            tally.repeated += notices[0].1.len() - 1;
        }
        tally
    }

    async fn is_known(&self, platform: &str, by: &Partner, batch: &str, promised: bool) -> bool {
        let about = json!({ "orgId": by.org_id, "orgRequestId": batch });
        let reply = by.call(platform, Interface::OrgMdl005, &about).await;
        match reply.unwrap() {
            Ok(_) => true,
            Err((code, message)) => {
                assert!(
                    !promised,
                    "{batch} was acknowledged and is lost: {code} {message}"
                );
                assert_eq!(code, "000105");
                false
            }
        }
    }

    /// Words that must not stand in any log.
    pub(crate) fn private_words(&self) -> Vec<String> {
        let secrets = self.hospitals.iter().map(|one| one.secret.clone());
        let people = self.citizens.iter();
        let people = people.flat_map(|one| [one.id_no.clone(), one.user_name.clone()]);
        secrets.chain(people).collect()
    }
}

/// What a check found.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Batches that the platform has.
    pub(crate) known: usize,
    /// Batches that it never got, and never acknowledged.
    pub(crate) unknown: usize,
    /// Items that are unpaid.
    pub(crate) items: usize,
    /// Callbacks that came more than once, and said the same.
    pub(crate) repeated: usize,
}

/// A notice names each item of its batch under the platform's own number. A state may be older
/// than the outcome asked for later, never another kind.
fn check_notice(notice: &Value, sent: &Sent, outcome: &Value) {
    let (told, empty, kind) = if sent.settles {
        ("updateResultList", "reportResultList", "UPDATE")
    } else {
        ("reportResultList", "updateResultList", "REPORT")
    };
    assert_eq!(notice["notifyType"], kind);
    assert_eq!(notice[empty], json!([]));
    let told = items(&json!({ "reportResultList": notice[told] }));
    let outcome = items(outcome);
    assert_eq!(told.len(), outcome.len(), "{notice}");
    for ((number, trace, state), (same, as_before, now)) in told.iter().zip(&outcome) {
        assert_eq!((number, trace), (same, as_before));
        assert!(
            state == now || (state == "0" && now == "1"),
            "{state} then {now}"
        );
    }
}
