//! ORG_MDL_002, sealed, over HTTP, beside an echo of the same sizes on the same server.

use anyhow::{Result, anyhow, ensure};
use banyan_platform::app::App;
use banyan_protocol::dictionaries::Next;
use banyan_protocol::envelope::{AcceptedReplies, Answer, Sealing, Secret, open_reply};
use banyan_protocol::overdue::org_mdl_002::QueryReply;
use banyan_protocol::wire;
use serde_json::json;

use super::Options;
use super::beside_echo::{self, Measured};
use super::people::{ITEM_NAME, People, Person};
use super::place::Place;
use super::platform::{Hospital, Platform};
use super::table::{Figure, Table, Target};
use super::wire_load::{self, Prepared};

/// Hospitals whose records are there; the first of them asks.
const HOSPITALS: usize = 20;
const PATH: &str = "/qmdl/queryOverdueData";

/// Measures at the wanted number of records.
pub(super) fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let asked = Asked::start(options, options.items)?;
    let figures = beside_echo::measure(options, &asked.platform, &asked.query())?;
    let want = if options.database_url.is_none() {
        0.40
    } else {
        0.25
    };
    figures.show::<Query<'_>>(table, Some(Target::RatioAtLeast(want)), "");
    Ok(())
}

/// Measures at two numbers of records in turns and compares the slowest replies.
pub(super) fn compare(options: &Options, few: u64, many: u64, table: &mut Table) -> Result<()> {
    // The many first: the few are measured as soon as they are there.
    let large = Asked::start(options, many)?;
    let small = Asked::start(options, few)?;
    let [small, large] = beside_echo::measure_in_turns(
        options,
        [
            (&small.platform, &small.query()),
            (&large.platform, &large.query()),
        ],
    )?;
    small.show::<Query<'_>>(table, None, &format!("（{few} 条）"));
    large.show::<Query<'_>>(table, None, &format!("（{many} 条）"));
    table.add(
        Figure::new(
            format!("查询 p99，{many} 条比 {few} 条"),
            "毫秒",
            large.p99_ms(),
        )
        .ratio(large.p99_against(&small))
        .target(Target::RatioAtMost(1.3)),
    );
    Ok(())
}

/// A platform with so many records, that may be asked.
struct Asked {
    people: People,
    platform: Platform,
    /// Outlives the platform, whose records it keeps.
    _place: Place,
}

impl Asked {
    fn start(options: &Options, items: u64) -> Result<Self> {
        let place = Place::new(options)?;
        let people = People::of(items);
        let platform = Platform::start(&place, HOSPITALS, Some(people), beside_echo::routes())?;
        Ok(Self {
            people,
            platform,
            _place: place,
        })
    }

    fn query(&self) -> Query<'_> {
        Query {
            people: self.people,
            app: &self.platform.app,
            asker: &self.platform.hospitals[0],
        }
    }
}

struct Query<'a> {
    people: People,
    app: &'a App,
    asker: &'a Hospital,
}

impl Measured for Query<'_> {
    const NAME: &'static str = "查询 ORG_MDL_002";
    const SUCCESS: &'static str = "\"respCode\":\"000000\"";

    fn request(&self, number: u64, now_ms: i64, path: Option<&str>) -> Prepared {
        let (person, turn) = self.people.asked(number);
        let id_no = Person::of(person).id_no;
        let business = business(person, &self.app.vault.ehealth_card_id("01", &id_no));
        // The same person again, never in the same millisecond: no two signatures are equal.
        let sent_ms = now_ms + i64::try_from(turn).unwrap_or(0);
        let body = Sealing::call(&self.asker.app_id, sent_ms, &business).seal(&self.asker.secret);
        Prepared {
            bytes: wire_load::request(path.unwrap_or(PATH), &body),
            subject: person,
        }
    }

    fn check(&self, person: u64, body: &[u8]) -> Result<()> {
        let reply = opened(body, &self.asker.secret)?;
        let mut found: Vec<_> = reply
            .itemList
            .iter()
            .map(|item| item.amount.fen())
            .collect();
        let mut owed = self.people.owed(person);
        found.sort_unstable();
        owed.sort_unstable();
        let next = if owed.is_empty() { Next::Yes } else { Next::No };
        ensure!(
            found == owed && reply.next == next,
            "应为 {owed:?}，得到 {found:?}"
        );
        Ok(())
    }
}

fn opened(body: &[u8], secret: &Secret) -> Result<QueryReply> {
    let accepted = AcceptedReplies {
        plain_and_bare: false,
    };
    match open_reply(body, secret, accepted)? {
        Answer::Done(json) => wire::read(&json).map_err(|fault| anyhow!("{fault}")),
        Answer::Refused { code, message } => Err(anyhow!("{code} {message}")),
    }
}

/// The business JSON of a query about this person.
pub(super) fn business(person: u64, ehealth_card_id: &str) -> String {
    let person = Person::of(person);
    json!({
        "businessType": "01101",
        "idNo": person.id_no,
        "idType": "01",
        "userName": person.name,
        "ehealthCardId": ehealth_card_id,
    })
    .to_string()
}

/// The business JSON of an answer about somebody who owes once.
pub(super) fn typical_answer() -> String {
    json!({
        "next": "0",
        "itemList": [{
            "orgId": "H35019990001",
            "orgName": "压测医院001",
            "itemName": ITEM_NAME,
            "amount": "123.45",
            "actualTime": "2023-11-14 22:13:20",
            "state": "0",
        }],
    })
    .to_string()
}
