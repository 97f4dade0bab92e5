//! Refreshing a citizen's list: each hospital is asked how its unpaid records stand (ORG_001), and
//! what it said, or that it said nothing, is told in plain words.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::Response;
use banyan_store::db::StoreError;
use banyan_store::ids::PartnerId;
use banyan_store::overdue::items::{self, UncheckedItem};
use futures_util::StreamExt as _;
use futures_util::stream;
use subtle::ConstantTimeEq as _;

use super::LIST_PATH;
use super::frame::lead_to;
use super::guest::{Guest, Purpose};
use super::list::value;
use super::posted::Posted;
use super::problem::Problem;
use super::visits::Doing;
use crate::app::App;
use crate::overdue::list::hospital_name;
use crate::overdue::settlement::Settled;
use crate::work::reconcile;

/// A record that was asked about within this is not asked about again: refreshing again and again
/// must not become a burden for hospitals.
const FRESH_MS: i64 = 60_000;
/// More than nearly anybody has unpaid; it bounds what one click can cost.
const MOST_ITEMS: i64 = 20;
/// Hospitals asked at once.
const AT_ONCE: usize = 8;
/// No question is begun after this: nobody waits on a page for ever.
const PATIENCE: Duration = Duration::from_secs(8);

/// What asking one hospital came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Some of its records changed.
    Changed,
    /// None did.
    Unchanged,
    /// It did not answer, or not about all of them.
    Unanswered,
    /// It can't be asked.
    Unable,
}

/// What the list says of a refresh.
pub(super) struct Said {
    /// Which hospital; empty where it is about all of them.
    pub(super) hospital: String,
    /// In plain words.
    pub(super) words: &'static str,
    /// Whether it went as hoped.
    pub(super) well: bool,
}

/// Asks the hospitals and leads back to the list.
pub(super) async fn handle(
    State(app): State<App>,
    guest: Guest,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.confirm(&app, &guest, Purpose::Refresh, "")?;
    if !app
        .visits
        .allow(guest.visitor.person, Doing::Refresh, app.now_ms())
    {
        return Err(Problem::TooOften);
    }
    let before_ms = app.now_ms() - FRESH_MS;
    let person = &guest.visitor.person;
    // One more than is asked about tells whether some are left.
    let mut unpaid = items::unchecked_of_person(&app.db, person, before_ms, MOST_ITEMS + 1).await?;
    let most = usize::try_from(MOST_ITEMS).unwrap_or(usize::MAX);
    let left_over = unpaid.len() > most;
    unpaid.truncate(most);
    let outcomes = ask_all(&app, unpaid).await?;
    let told = written(&outcomes, left_over);
    let code = guest.code(&app, Purpose::RefreshOutcome, &told);
    Ok(lead_to(&format!(
        "{LIST_PATH}?refreshed={told}&code={code}"
    )))
}

async fn ask_all(
    app: &App,
    unpaid: Vec<UncheckedItem>,
) -> Result<Vec<(PartnerId, Outcome)>, StoreError> {
    let mut by_hospital: Vec<(PartnerId, Vec<UncheckedItem>)> = Vec::new();
    for item in unpaid {
        match by_hospital.iter_mut().find(|(of, _)| *of == item.partner) {
            Some((_, items)) => items.push(item),
            None => by_hospital.push((item.partner, vec![item])),
        }
    }
    let began = Instant::now();
    let mut outcomes: Vec<(PartnerId, Outcome)> = Vec::new();
    let mut asking = stream::iter(by_hospital)
        .map(|(hospital, items)| async move {
            Ok::<_, StoreError>((hospital, ask(app, hospital, &items, began).await?))
        })
        .buffer_unordered(AT_ONCE);
    while let Some(outcome) = asking.next().await {
        outcomes.push(outcome?);
    }
    outcomes.sort_by_key(|(hospital, _)| *hospital);
    Ok(outcomes)
}

/// Asks one hospital about its records, one after the other, until it fails to answer.
async fn ask(
    app: &App,
    hospital: PartnerId,
    items: &[UncheckedItem],
    began: Instant,
) -> Result<Outcome, StoreError> {
    let partner = app.directory.by_id(hospital);
    let Some(partner) =
        partner.filter(|partner| partner.active && partner.settlement_url.is_some())
    else {
        return Ok(Outcome::Unable);
    };
    let mut outcome = Outcome::Unchanged;
    for item in items {
        if began.elapsed() > PATIENCE {
            return Ok(Outcome::Unanswered);
        }
        match reconcile::ask(app, &partner, item).await? {
            Ok(Settled::Changed(_) | Settled::ChangedMeanwhile) => outcome = Outcome::Changed,
            Ok(Settled::Unchanged) => {}
            Err(fault) => {
                tracing::info!(partner = &*partner.app_id, %fault, "a refresh was not answered");
                return Ok(Outcome::Unanswered);
            }
        }
    }
    Ok(outcome)
}

/// What a refresh came to, for the query of the list: `12c-13u` is hospital 12 changed, hospital
/// 13 unchanged; `more` at the end says that some records are left.
fn written(outcomes: &[(PartnerId, Outcome)], left_over: bool) -> String {
    let mut parts: Vec<String> = outcomes
        .iter()
        .map(|(hospital, outcome)| format!("{hospital}{}", outcome.letter()))
        .collect();
    if left_over {
        parts.push("more".to_owned());
    }
    if parts.is_empty() {
        parts.push("none".to_owned());
    }
    parts.join("-")
}

/// What the list is to say of a refresh: only what this session's own refresh came to, whatever
/// somebody may have put into a link.
pub(super) fn said(app: &App, guest: &Guest, query: &str) -> Vec<Said> {
    let Some((told, code)) = value(query, "refreshed").zip(value(query, "code")) else {
        return Vec::new();
    };
    let wanted = guest.code(app, Purpose::RefreshOutcome, told);
    if !bool::from(code.as_bytes().ct_eq(wanted.as_bytes())) {
        return Vec::new();
    }
    told.split('-')
        .filter_map(|part| said_of(app, part))
        .collect()
}

fn said_of(app: &App, part: &str) -> Option<Said> {
    let general = |words, well| Said {
        hospital: String::new(),
        words,
        well,
    };
    match part {
        "none" => Some(general("一分钟内刚核实过，没有需要再次核实的记录。", true)),
        "more" => Some(general(
            "还有一些记录本次没有核实到，请过一分钟再点一次。",
            false,
        )),
        _ => {
            let (number, letter) = part.split_at_checked(part.len().checked_sub(1)?)?;
            let outcome = Outcome::ALL
                .into_iter()
                .find(|outcome| outcome.letter() == letter)?;
            Some(Said {
                hospital: hospital_name(app, PartnerId(number.parse().ok()?)),
                words: outcome.words(),
                well: matches!(outcome, Outcome::Changed | Outcome::Unchanged),
            })
        }
    }
}

impl Outcome {
    const ALL: [Self; 4] = [
        Self::Changed,
        Self::Unchanged,
        Self::Unanswered,
        Self::Unable,
    ];

    const fn letter(self) -> &'static str {
        match self {
            Self::Changed => "c",
            Self::Unchanged => "u",
            Self::Unanswered => "n",
            Self::Unable => "x",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Changed => "已核实，名单已更新。",
            Self::Unchanged => "已核实，医院答复仍未结清，名单没有变化。",
            Self::Unanswered => "医院暂时没有答复，名单可能不是最新。请稍后再试，或联系医院。",
            Self::Unable => "暂不支持在线核实，请联系医院。",
        }
    }
}
