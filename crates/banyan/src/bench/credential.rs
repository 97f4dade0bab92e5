//! ec.query, signed, in GB18030, over HTTP, with a register of holders; beside an echo of the same
//! sizes on the same server.

use anyhow::{Result, anyhow, ensure};
use banyan_platform::app::App;
use banyan_platform::credential::code;
use banyan_platform::health_card::identity::Stated;
use banyan_protocol::envelope::centre::{Charset, PATH, Request, open_reply};
use banyan_store::credential::holders;
use banyan_store::db::StoreError;
use banyan_store::health_card::{Claim, Registered, register_all};
use banyan_store::ids::HealthCardPersonId;
use serde_json::{Value, json};

use super::Options;
use super::beside_echo::{self, Measured};
use super::people::{Person, scattered};
use super::place::Place;
use super::platform::{Hospital, Platform};
use super::table::{Table, Target};
use super::wire_load::{self, Prepared};
use crate::terminal;

/// Persons in a transaction.
const CHUNK: usize = 5_000;

pub(super) fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let place = Place::new(options)?;
    let platform = Platform::start(&place, 1, None, beside_echo::routes())?;
    let persons = platform.block_on(load(&platform.app, options.items))?;
    let decoding = Decoding {
        app: &platform.app,
        window: &platform.hospitals[0],
        persons: &persons,
    };
    let figures = beside_echo::measure(options, &platform, &decoding)?;
    figures.show::<Decoding<'_>>(table, Some(Target::RatioAtLeast(0.40)), "");
    let holders = persons.len();
    table.note(format!("参保人 {holders} 人，GB18030，每次一个新码"));
    Ok(())
}

struct Decoding<'a> {
    app: &'a App,
    window: &'a Hospital,
    persons: &'a [HealthCardPersonId],
}

impl Measured for Decoding<'_> {
    const NAME: &'static str = "电子凭证解码 ec.query";
    const SUCCESS: &'static str = "\"code\":0,";

    fn request(&self, number: u64, now_ms: i64, path: Option<&str>) -> Prepared {
        let all = self.persons.len() as u64;
        let person = scattered(number, all);
        let message = self.message(person, number, now_ms);
        let path = path.unwrap_or(PATH);
        Prepared {
            // An unfit request is refused, and ends the run.
            bytes: message.map_or_else(Vec::new, |signed| {
                wire_load::request_in(path, Charset::Gb18030, &signed)
            }),
            subject: person,
        }
    }

    fn check(&self, person: u64, body: &[u8]) -> Result<()> {
        let text = Charset::Gb18030.decode(body)?;
        let reply = open_reply(&text, &self.window.app_id, &self.window.secret)?;
        let told: Value = serde_json::from_str(reply.data.as_deref().unwrap_or_default())?;
        let who = Person::of(person);
        ensure!(
            told["idNo"] == who.id_no && told["userName"] == who.name,
            "解码结果有误"
        );
        Ok(())
    }
}

impl Decoding<'_> {
    /// The signed request about this person.
    fn message(&self, person: u64, number: u64, now_ms: i64) -> Option<String> {
        let Self { app, window, .. } = self;
        let id = self.persons.get(usize::try_from(person).ok()?)?;
        let data = json!({
            // Another collector each time, so that no two signatures are equal.
            "operatorId": format!("{number:08}"), "operatorName": "收款员", "officeId": "01", "officeName": "内科",
            "orgId": window.org_id, "businessType": "01101", "deviceType": "",
        });
        let code = code::new_text(app, *id);
        let request = Request::new(&window.org_id, "ec.query", &data.to_string(), Some(&code));
        let signed = request.ok()?.seal(&window.app_id, &window.secret, now_ms);
        Some(signed)
    }
}

/// Registers so many persons and gives each a credential.
async fn load(app: &App, persons: u64) -> Result<Vec<HealthCardPersonId>> {
    let bar = terminal::progress(persons, "登记参保人");
    let all: Vec<u64> = (0..persons).collect();
    let mut registered = Vec::with_capacity(all.len());
    for chunk in all.chunks(CHUNK) {
        let ids = app.person_ids.take(chunk.len()).await?;
        let claims = chunk
            .iter()
            .zip(ids)
            .map(|(person, id)| {
                let who = Person::of(*person);
                let stated = Stated {
                    id_type: "01",
                    id_no: &who.id_no,
                    user_name: who.name,
                    ..Stated::default()
                };
                let identity = stated.check().map_err(|fault| anyhow!("{fault}"))?;
                Ok(Claim::new(
                    &app.vault,
                    HealthCardPersonId(id),
                    identity,
                    None,
                ))
            })
            .collect::<Result<Vec<_>>>()?;
        let (vault, now_ms) = (app.vault.clone(), app.now_ms());
        let found = app
            .db
            .write(move |tx| -> Result<_, StoreError> {
                let found = register_all(tx, &vault, &claims, "bench", now_ms)?;
                for one in &found {
                    holders::open(tx, one.person(), "350100", None, now_ms)?;
                }
                Ok(found)
            })
            .await?;
        registered.extend(found.into_iter().map(Registered::person));
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(registered)
}
