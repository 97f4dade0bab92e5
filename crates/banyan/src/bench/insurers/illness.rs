//! CI00.03.00.01, sealed, over HTTP, with a full registry of past illnesses; beside an echo of the
//! same sizes on the same server.

use anyhow::{Result, anyhow, ensure};
use banyan_platform::app::App;
use banyan_protocol::catalogue::Interface;
use banyan_store::supplement::{Named, past_illness};
use serde_json::json;

use super::super::beside_echo::{self, Measured};
use super::super::people::{Person, scattered};
use super::super::place::Place;
use super::super::platform::Platform;
use super::super::table::{Table, Target};
use super::super::wire_load::Prepared;
use super::super::{Options, cores};
use super::{Insurer, SERVICES};
use crate::terminal;

/// Rows in a transaction.
const CHUNK: usize = 20_000;
const CATEGORIES: [&str; 4] = ["恶性肿瘤", "高血压", "糖尿病", "脑卒中"];

pub(in super::super) fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let place = Place::new(options)?;
    let platform = Platform::start(&place, 0, None, beside_echo::routes())?;
    let insurer = platform.block_on(Insurer::register(&platform.app))?;
    platform.block_on(load(&place, &platform.app, options.items))?;
    let illness = Illness {
        insurer: &insurer,
        registered: options.items,
    };
    let figures = beside_echo::measure(options, &platform, &illness)?;
    figures.show::<Illness<'_>>(table, Some(Target::RatioAtLeast(0.40)), "");
    let registered = options.items;
    table.note(format!("既往症登记 {registered} 条，安全等级 4"));
    Ok(())
}

struct Illness<'a> {
    insurer: &'a Insurer,
    registered: u64,
}

impl Measured for Illness<'_> {
    const NAME: &'static str = "既往症查询 CI00.03.00.01";
    /// Level 4 says nothing more in the clear; samples are opened.
    const SUCCESS: &'static str = "\"chs_fjs_encdata\"";

    fn request(&self, number: u64, now_ms: i64, path: Option<&str>) -> Prepared {
        // One person in eleven is in no register.
        let all = self.registered + self.registered / 10;
        let person = scattered(number, all);
        // The same person again, never in the same millisecond: no two signatures are equal.
        let sent_ms = now_ms + i64::try_from(number / all).unwrap_or(0);
        let who = Person::of(person);
        let business = json!({
            "data": { "idcard": who.id_no, "name": who.name, "serviceId": SERVICES[0] }
        });
        let path = path.unwrap_or(super::PATH);
        let interface = Interface::Ci00030001;
        Prepared {
            bytes: self
                .insurer
                .request(path, interface, &business.to_string(), sent_ms),
            subject: person,
        }
    }

    fn check(&self, person: u64, body: &[u8]) -> Result<()> {
        let data = self.insurer.opened(body)?.data;
        let told: Vec<&str> = data["past_illness"]
            .as_array()
            .ok_or_else(|| anyhow!("应答没有 past_illness"))?
            .iter()
            .filter_map(|illness| illness["illness_name"].as_str())
            .collect();
        let (service, category) = entry(person);
        let may_know = service.is_empty() || service == SERVICES[0];
        let known = person < self.registered && may_know;
        let right = if known { vec![category] } else { Vec::new() };
        ensure!(told == right, "应为 {right:?}，得到 {told:?}");
        Ok(())
    }
}

/// What the registry has of a person: for which service, and what.
fn entry(person: u64) -> (&'static str, &'static str) {
    let service = match person % 3 {
        0 => "",
        1 => SERVICES[0],
        _ => SERVICES[1],
    };
    let category = usize::try_from(person / 3).unwrap_or(0) % CATEGORIES.len();
    (service, CATEGORIES[category])
}

/// One entry for each person, in the order of the key, so that it is filled and not shuffled.
async fn load(place: &Place, app: &App, persons: u64) -> Result<()> {
    let spinner = terminal::spinner("计算既往症登记");
    let vault = app.vault.clone();
    let sorted = tokio::task::spawn_blocking(move || {
        let parts = cores() as u64;
        let mut all: Vec<(Named, u64)> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..parts)
                .map(|part| {
                    let vault = &vault;
                    scope.spawn(move || {
                        (persons * part / parts..persons * (part + 1) / parts)
                            .map(|person| {
                                let who = Person::of(person);
                                (Named::new(vault, &who.id_no, who.name), person)
                            })
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            workers
                .into_iter()
                .flat_map(|worker| worker.join().unwrap_or_default())
                .collect()
        });
        all.sort_unstable_by_key(|(named, _)| named.person);
        all
    })
    .await?;
    spinner.finish_and_clear();
    let bar = terminal::progress(persons, "装入既往症登记");
    let origin = super::ORIGIN;
    let now_ms = app.now_ms();
    for chunk in sorted.chunks(CHUNK) {
        let chunk = chunk.to_vec();
        let count = chunk.len() as u64;
        app.db
            .write(move |tx| {
                let rows: Vec<_> = chunk
                    .iter()
                    .map(|(named, person)| {
                        let (service, category) = entry(*person);
                        past_illness::row(named, service, category, 0, origin, now_ms)
                    })
                    .collect();
                tx.insert_rows(&past_illness::INSERT, &rows)
            })
            .await?;
        bar.inc(count);
    }
    bar.finish_and_clear();
    // What PostgreSQL's own maintenance does sooner or later, done before the measurement.
    place.on_postgres("VACUUM ANALYZE past_illness").await?;
    let counted = past_illness::count(&app.db).await?;
    ensure!(
        i64::try_from(persons) == Ok(counted),
        "应有 {persons} 条既往症登记，实有 {counted}"
    );
    Ok(())
}
