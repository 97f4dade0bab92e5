//! A gentle traffic between partners and platform, so that a sandbox is never empty.
//!
//! One message at a time, about two a second in all, drawn from the randomness that it is given:
//! queries at register windows, a few debts reported, some paid, a few revoked, anonymous ones
//! given a name, entry links and queries by 闽政通; now and then an insurer's look-up, seldom a few
//! of its cases. It is bounded: each hospital keeps at most so
//! many open debts, and then only settles. When the platform is away it waits, longer each time
//! up to a limit, sends again what was swallowed, and goes on.

use std::sync::Arc;
use std::time::Duration;

use banyan_client::CallFault;
use banyan_protocol::ambient::{SharedClock, SharedRandomness};
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::{FeeType, ItemState, MedType, UserType};
use tokio::sync::watch;

use crate::http_server::stops;
use crate::{
    Citizen, Debt, LedgerEntry, MztChannel, PartnerFault, SimulatedHis, SimulatedHospital,
    SimulatedInsurer,
};

/// Of so many messages one is an insurer's.
const INSURER_ONE_IN: u32 = 12;
/// Cases that an insurer has to hand over.
const MOST_CASES: u32 = 2_000;

/// Who talks, about whom, and how fast.
#[derive(Debug)]
pub struct Traffic {
    /// The hospitals that speak to the platform themselves.
    pub hospitals: Vec<Arc<SimulatedHospital>>,
    /// The HIS of the one that has an edge.
    pub his: Option<Arc<SimulatedHis>>,
    /// 闽政通.
    pub mzt: Arc<MztChannel>,
    /// Insurers of supplementary schemes.
    pub insurers: Vec<Arc<SimulatedInsurer>>,
    /// The patients.
    pub citizens: Arc<[Citizen]>,
    /// When debts arise.
    pub clock: SharedClock,
    /// What is drawn from.
    pub random: SharedRandomness,
    /// How fast, and how much.
    pub pace: Pace,
}

/// How fast, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The mean time between two messages; each is between half and one and a half of it.
    pub interval: Duration,
    /// How long to wait when the platform is found away; doubled each time.
    pub first_pause: Duration,
    /// How long to wait at most.
    pub longest_pause: Duration,
    /// How many debts of a hospital are open at most.
    pub max_open: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(500),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
            max_open: 60,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrafficSummary {
    /// Messages that the platform answered well.
    pub answered: u64,
    /// Messages that it refused, or that could not be made.
    pub refused: u64,
    /// Times that it was away.
    pub pauses: u64,
}

/// One message that was tried, with what led to it.
struct Tried {
    from: String,
    interface: Interface,
    messages: u64,
    outcome: Result<(), PartnerFault>,
}

impl Traffic {
    /// Talks until `stop` becomes true or its sender is gone.
    pub async fn run(self, stop: watch::Receiver<bool>) -> TrafficSummary {
        let mut stopping = std::pin::pin!(stops(stop));
        let mut summary = TrafficSummary::default();
        let mut away = 0_u32;
        loop {
            let pause = if away == 0 {
                self.between_messages()
            } else {
                let times = 2_u32.saturating_pow(away - 1);
                let pause = self.pace.first_pause.saturating_mul(times);
                pause.min(self.pace.longest_pause)
            };
            // A message under way when the traffic stops is given up: its hospital is stopping.
            let tried = tokio::select! {
                () = stopping.as_mut() => return summary,
                tried = async {
                    tokio::time::sleep(pause).await;
                    self.step().await
                } => tried,
            };
            let Some(Tried {
                from,
                interface,
                messages,
                outcome,
            }) = tried
            else {
                continue;
            };
            let code = interface.code();
            match outcome {
                Ok(()) => {
                    tracing::info!(from, code, "traffic");
                    summary.answered += messages;
                    away = 0;
                }
                Err(fault) if fault.is_retryable() => {
                    tracing::warn!(from, code, kind = fault.kind(), %fault, "traffic pauses");
                    summary.pauses += 1;
                    away = away.saturating_add(1);
                }
                Err(fault) => {
                    tracing::warn!(from, code, kind = fault.kind(), %fault, "traffic is refused");
                    summary.refused += 1;
                    away = 0;
                }
            }
        }
    }

    fn between_messages(&self) -> Duration {
        let half = self.pace.interval / 2;
        half + self
            .pace
            .interval
            .mul_f64(f64::from(self.below_u32(1000)) / 1000.0)
    }

    /// One message; `None` where there is nobody to talk or to talk about.
    async fn step(&self) -> Option<Tried> {
        let unsent = self.hospitals.iter().find(|one| one.unsent_count() > 0);
        if let Some(hospital) = unsent {
            let outcome = hospital.resend().await.map(|_| ());
            // Either of the two; the log tells writes from reads by it.
            return Some(tried(hospital, Interface::OrgMdl001, outcome));
        }
        let others = u32::try_from(self.hospitals.len()).unwrap_or(u32::MAX);
        if let Some(his) = &self.his
            && self.below_u32(others.saturating_add(1)) == 0
        {
            return Some(self.through_the_edge(his).await);
        }
        if let Some(insurer) = self.pick(&self.insurers)
            && self.below_u32(INSURER_ONE_IN) == 0
        {
            return Some(self.insure(insurer).await);
        }
        let hospital = self.pick(&self.hospitals)?;
        let citizen = self.pick(&self.citizens)?;
        let is_full = hospital.entries_where(is_unpaid).len() >= self.pace.max_open;
        match self.below_u32(100) {
            0..=29 => Some(self.query(hospital, citizen).await),
            30..=39 => Some(Tried {
                from: "mzt".to_owned(),
                interface: Interface::OrgMdl002,
                messages: 1,
                outcome: self.mzt.query(citizen).await.map(|_| ()),
            }),
            40..=49 => Some(Tried {
                from: "mzt".to_owned(),
                interface: Interface::OrgMdl004,
                messages: 1,
                outcome: self.mzt.entry_link(citizen).await.map(|_| ()),
            }),
            50..=69 if !is_full => Some(self.report(hospital, citizen).await),
            50..=84 => Some(self.settle(hospital, citizen).await),
            85..=89 => Some(self.revoke(hospital, citizen).await),
            90..=94 => Some(self.make_real_name(hospital, citizen).await),
            _ => Some(self.ask_for_results(hospital, citizen).await),
        }
    }

    /// The edge keeps what it can't send: so this hospital never waits for the platform.
    async fn through_the_edge(&self, his: &SimulatedHis) -> Tried {
        let citizen = self.pick(&self.citizens);
        let draw = self.below_u32(10);
        let (interface, outcome) = match (draw, citizen) {
            (0..=4, Some(citizen)) => (Interface::OrgMdl002, his.query(citizen).await.map(|_| ())),
            (5..=7, _) if his.open_count() < self.pace.max_open => {
                let citizen = citizen.filter(|_| self.below_u32(5) > 0);
                let outcome = match self.debt() {
                    Ok(debt) => his.report(citizen, &debt).await.map(|_| ()),
                    Err(fault) => Err(fault),
                };
                (Interface::OrgMdl001, outcome)
            }
            _ => (Interface::OrgMdl003, his.settle_oldest().await.map(|_| ())),
        };
        Tried {
            from: his.org_id().to_owned(),
            interface,
            messages: 1,
            outcome,
        }
    }

    /// Cases have numbers of a bounded range and are the same for the same number, so that they come
    /// to an end.
    async fn insure(&self, insurer: &SimulatedInsurer) -> Tried {
        let citizen = self.pick(&self.citizens);
        let (interface, outcome) = match citizen {
            Some(citizen) if self.below_u32(8) > 0 => {
                let outcome = insurer.look_up(citizen).await.map(|_| ());
                (Interface::Ci00030001, outcome)
            }
            _ => {
                let first = usize::try_from(self.below_u32(MOST_CASES)).unwrap_or(0);
                let count = 1 + usize::try_from(self.below_u32(5)).unwrap_or(0);
                let numbers = first..first + count;
                let outcome = insurer.hand_over_cases(numbers, &self.citizens).await;
                (Interface::Xy00000003, outcome)
            }
        };
        Tried {
            from: insurer.app_id().to_owned(),
            interface,
            messages: 1,
            outcome,
        }
    }

    async fn query(&self, hospital: &SimulatedHospital, citizen: &Citizen) -> Tried {
        let only_here = self.below_u32(4) == 0;
        let outcome = hospital.query(citizen, only_here).await.map(|_| ());
        tried(hospital, Interface::OrgMdl002, outcome)
    }

    async fn report(&self, hospital: &SimulatedHospital, citizen: &Citizen) -> Tried {
        // One in five patients gives no name; most of those do later.
        let citizen = (self.below_u32(5) > 0).then_some(citizen);
        let outcome = async {
            let mut new = Vec::new();
            for _ in 0..=self.below_u32(3) {
                new.push(hospital.owe(citizen, self.debt()?));
            }
            hospital.report(&new).await.map(|_| ())
        };
        tried(hospital, Interface::OrgMdl001, outcome.await)
    }

    async fn settle(&self, hospital: &SimulatedHospital, citizen: &Citizen) -> Tried {
        let open = hospital.entries_where(LedgerEntry::is_open);
        let Some(item) = self.pick(&open) else {
            return self.query(hospital, citizen).await;
        };
        let outcome = hospital.pay(item).await.map(|_| ());
        tried(hospital, Interface::OrgMdl003, outcome)
    }

    async fn revoke(&self, hospital: &SimulatedHospital, citizen: &Citizen) -> Tried {
        let open = hospital.entries_where(LedgerEntry::is_open);
        let Some(item) = self.pick(&open) else {
            return self.query(hospital, citizen).await;
        };
        // A mistake comes to light where it is held against somebody, at whichever window that is.
        let owner = hospital.entry(item).and_then(|entry| entry.citizen);
        let asked_at = self.pick(&self.hospitals);
        let outcome = async {
            if let (Some(owner), Some(window)) = (&owner, asked_at) {
                window.query(owner, false).await?;
            }
            hospital.revoke(item).await.map(|_| ())
        };
        Tried {
            messages: if owner.is_some() { 2 } else { 1 },
            ..tried(hospital, Interface::OrgMdl003, outcome.await)
        }
    }

    async fn make_real_name(&self, hospital: &SimulatedHospital, citizen: &Citizen) -> Tried {
        let nameless = hospital.entries_where(|entry| entry.is_open() && entry.citizen.is_none());
        let Some(item) = self.pick(&nameless) else {
            return self.query(hospital, citizen).await;
        };
        let outcome = hospital.make_real_name(item, citizen).await.map(|_| ());
        tried(hospital, Interface::OrgMdl003, outcome)
    }

    /// About a batch whose callback has not come. Where the platform knows nothing of it, because
    /// an earlier start ended before it was sent, its debt is reported, or told of, anew.
    async fn ask_for_results(&self, hospital: &SimulatedHospital, citizen: &Citizen) -> Tried {
        let waiting = hospital.entries_where(|entry| {
            entry.org_request_id.is_some()
                && entry.errors.is_empty()
                && entry.confirmed_state != Some(entry.local_state)
        });
        let entry = self.pick(&waiting).and_then(|item| hospital.entry(item));
        let Some((entry, batch)) = entry.and_then(|entry| {
            let batch = entry.org_request_id.clone()?;
            Some((entry, batch))
        }) else {
            return self.query(hospital, citizen).await;
        };
        match hospital.results(&batch).await {
            Err(PartnerFault::Call(CallFault::Refused { .. })) if is_unheard_of(&entry) => {
                let outcome = hospital.report(&[&entry.org_trace_id]).await.map(|_| ());
                tried(hospital, Interface::OrgMdl001, outcome)
            }
            Err(PartnerFault::Call(CallFault::Refused { .. })) if entry.trace_id.is_some() => {
                let outcome = hospital.tell(&entry.org_trace_id).await.map(|_| ());
                tried(hospital, Interface::OrgMdl003, outcome)
            }
            asked => tried(hospital, Interface::OrgMdl005, asked.map(|_| ())),
        }
    }

    /// A debt of up to 300 yuan from the last day and a half, never an emergency, which the
    /// scheme leaves out.
    fn debt(&self) -> Result<Debt, PartnerFault> {
        const KINDS: [(MedType, FeeType, &str); 6] = [
            (MedType::GeneralOutpatient, FeeType::Outpatient, "诊查费"),
            (
                MedType::OutpatientRegistration,
                FeeType::Outpatient,
                "挂号费",
            ),
            (
                MedType::ChronicOutpatient,
                FeeType::Outpatient,
                "慢特病门诊药费",
            ),
            (MedType::OtherOutpatient, FeeType::Outpatient, "检验费"),
            (MedType::GeneralInpatient, FeeType::Inpatient, "住院床位费"),
            (MedType::OtherInpatient, FeeType::Inpatient, "住院护理费"),
        ];
        const DAY_AND_A_HALF_S: u32 = 129_600;
        let (med_type, fee_type, name) = self.pick(&KINDS).copied().unwrap_or(KINDS[0]);
        let age_ms = i64::from(self.below_u32(DAY_AND_A_HALF_S)) * 1000;
        let fen = i64::from(self.below_u32(30_000)) + 1;
        Ok(Debt {
            user_type: if self.below_u32(2) == 0 {
                UserType::SelfPaying
            } else {
                UserType::Insured
            },
            med_type,
            fee_type,
            ..Debt::new(name, fen, self.clock.now_ms() - age_ms)?
        })
    }

    fn pick<'a, T>(&self, list: &'a [T]) -> Option<&'a T> {
        let bound = u32::try_from(list.len()).unwrap_or(u32::MAX);
        list.get(usize::try_from(self.below_u32(bound)).unwrap_or(0))
    }

    /// A number below the bound; 0 for 0. Slightly uneven, which nobody notices here.
    fn below_u32(&self, bound: u32) -> u32 {
        let mut bytes = [0; 4];
        self.random.fill(&mut bytes);
        u32::from_le_bytes(bytes).checked_rem(bound).unwrap_or(0)
    }
}

fn tried(
    hospital: &SimulatedHospital,
    interface: Interface,
    outcome: Result<(), PartnerFault>,
) -> Tried {
    Tried {
        from: hospital.org_id().to_owned(),
        interface,
        messages: 1,
        outcome,
    }
}

/// Those that were judged bad are nobody's business any more.
fn is_unpaid(entry: &LedgerEntry) -> bool {
    entry.local_state == ItemState::Unpaid && entry.errors.is_empty()
}

/// Whether the platform has never said a word about it.
fn is_unheard_of(entry: &LedgerEntry) -> bool {
    entry.confirmed_state.is_none() && entry.local_state == ItemState::Unpaid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakePlatform, citizens, clock, hospital_at, http, mzt_at};
    use banyan_protocol::ambient::SeededRandomness;

    #[tokio::test]
    async fn traffic_is_varied_bounded_and_comes_back_when_the_platform_does() {
        let platform = FakePlatform::start().await;
        let http = http(Duration::from_secs(2));
        let mut hospitals = Vec::new();
        for app_id in ["H1", "H2"] {
            hospitals.push(Arc::new(
                hospital_at(&platform.url(), app_id, None, http.clone()).await,
            ));
        }
        let traffic = Traffic {
            hospitals: hospitals.clone(),
            his: None,
            mzt: Arc::new(mzt_at(&platform.url(), http)),
            insurers: Vec::new(),
            citizens: citizens(20).into(),
            clock: clock(),
            random: Arc::new(SeededRandomness::new(11)),
            pace: Pace {
                interval: Duration::from_millis(1),
                first_pause: Duration::from_millis(2),
                longest_pause: Duration::from_millis(10),
                max_open: 5,
            },
        };
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(traffic.run(stopped));

        platform.wait_for_heard(200).await;
        platform.set_away(true);
        platform.wait_for_turned_away(8).await;
        platform.set_away(false);
        let heard = platform.heard_count();
        platform.wait_for_heard(heard + 200).await;
        stop.send_replace(true);
        let summary = running.await.unwrap();

        assert!(summary.answered >= 398, "{summary:?}");
        assert!(summary.pauses >= 8, "{summary:?}");
        assert_eq!(summary.refused, 0, "{summary:?}");
        for interface in [
            Interface::OrgMdl001,
            Interface::OrgMdl002,
            Interface::OrgMdl003,
            Interface::OrgMdl004,
        ] {
            assert!(platform.heard_of(interface) > 0, "{}", interface.code());
        }
        for hospital in &hospitals {
            // A report that begins below the limit may go three beyond it.
            assert!(hospital.entries_where(is_unpaid).len() <= 5 + 3);
            let settled = hospital.entries_where(|entry| entry.local_state == ItemState::Paid);
            assert!(!settled.is_empty());
            hospital.stop().await;
        }
        platform.stop().await;
    }
}
