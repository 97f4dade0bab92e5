//! People and their records, worked out from a number: the same in every run, and what a query
//! must answer is known without asking.

use anyhow::{Result, ensure};
use banyan_platform::app::App;
use banyan_store::db::StoreError;
use banyan_store::health_card::persons::Identity;
use banyan_store::health_card::{Claim, Registered, register_all};
use banyan_store::ids::{HealthCardPersonId, ItemId, PartnerId};
use banyan_store::overdue::items::{Content, Item, Owner, State};
use banyan_store::vault::{Place, Vault};

/// The records that a province begins with. Each person has four, far from one another in the
/// table; three persons in four owe something, one in eight owes twice; and a tenth as many people
/// again have no record at all.
#[derive(Debug, Clone, Copy)]
pub(super) struct People {
    persons: u64,
}

/// Records of each person.
const EACH: u64 = 4;

/// The n-th of so many, visited once each and in no order.
pub(super) const fn scattered(n: u64, all: u64) -> u64 {
    /// A prime larger than any number of persons here: steps of it visit every person once.
    const STEP: u64 = 982_451_653;
    (n % all) * (STEP % all) % all
}

/// A person.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// 证件号码; the type is always 01.
    pub(super) id_no: String,
    /// 姓名.
    pub(super) name: &'static str,
    /// 手机号码.
    pub(super) mobile: String,
}

impl People {
    pub(super) fn of(items: u64) -> Self {
        Self {
            persons: (items / EACH).max(1),
        }
    }

    /// How many records they have.
    pub(super) const fn items(self) -> u64 {
        self.persons * EACH
    }

    /// Whom the n-th query is about: everybody once, scattered, before anybody comes twice; and
    /// how many times everybody has come before.
    pub(super) const fn asked(self, n: u64) -> (u64, u64) {
        let all = self.persons + self.persons / 10;
        (scattered(n, all), n / all)
    }

    /// What a person owes, in fen, in no order.
    pub(super) fn owed(self, person: u64) -> Vec<i64> {
        if person >= self.persons {
            return Vec::new();
        }
        (0..EACH)
            .filter(|turn| state(person, *turn) == State::Unpaid)
            .map(|turn| amount_fen(person, turn))
            .collect()
    }

    /// The n-th record.
    pub(super) fn item(self, n: u64, id: i64, vault: &Vault, hospitals: &[PartnerId]) -> Item {
        let person = scattered(n, self.persons);
        let turn = n / self.persons;
        let place = usize::try_from(n).unwrap_or(0) % hospitals.len().max(1);
        Item {
            id: ItemId(id),
            partner: hospitals.get(place).copied().unwrap_or(PartnerId(0)),
            org_trace_id: format!("bench-{n:012}"),
            owner: owner(&Person::of(person), vault),
            content: content(n, amount_fen(person, turn)),
            state: state(person, turn),
        }
    }
}

impl Person {
    /// The person with this number. Nobody is born in district 359999.
    pub(super) fn of(number: u64) -> Self {
        let (sequence, day) = (number % 999 + 1, number / 999);
        let (day, month, year) = (day % 28 + 1, day / 28 % 12 + 1, 1940 + day / 336 % 80);
        let body = format!("359999{year}{month:02}{day:02}{sequence:03}");
        // GB 11643: weights 2^(17-i) modulo 11.
        let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        let sum: u32 = body
            .bytes()
            .zip(weights)
            .map(|(digit, weight)| u32::from(digit - b'0') * weight)
            .sum();
        let check = match (12 - sum % 11) % 11 {
            10 => 'X',
            check => char::from_digit(check, 10).unwrap_or('0'),
        };
        let name = usize::try_from(number).unwrap_or(0) % NAMES.len();
        Self {
            id_no: format!("{body}{check}"),
            name: NAMES[name],
            mobile: format!("154{:08}", number % 100_000_000),
        }
    }

    /// 人员编号 of the person with this number.
    pub(super) fn psn_no(number: u64) -> String {
        format!("359999{number:014}")
    }

    /// The person's claim to a health card.
    pub(super) fn claim(&self, app: &App, id: HealthCardPersonId, psn_no: Option<String>) -> Claim {
        let identity = Identity {
            id_type: "01".to_owned(),
            id_no: self.id_no.clone(),
            user_name: self.name.to_owned(),
            user_sex: None,
            birthday: None,
            mobile_phone: Some(self.mobile.clone()),
            by_himself: false,
        };
        Claim::new(&app.vault, id, identity, psn_no)
    }
}

/// Gives everybody his health card who has none yet.
pub(super) async fn register(app: &App, persons: &[Person]) -> Result<()> {
    for some in persons.chunks(REGISTERED_AT_ONCE) {
        let ids = app.person_ids.take(some.len()).await?;
        let claims: Vec<_> = some
            .iter()
            .zip(ids)
            .map(|(person, id)| person.claim(app, HealthCardPersonId(id), None))
            .collect();
        let (vault, now_ms) = (app.vault.clone(), app.now_ms());
        let outcomes = app
            .db
            .write(move |tx| -> Result<_, StoreError> {
                register_all(tx, &vault, &claims, "bench", now_ms)
            })
            .await?;
        let all = outcomes
            .iter()
            .all(|outcome| matches!(outcome, Registered::New(_) | Registered::Known(_)));
        ensure!(all, "登记人员有误");
    }
    Ok(())
}

const REGISTERED_AT_ONCE: usize = 4_000;

/// Whose a record is, sealed as the platform seals it.
pub(super) fn owner(person: &Person, vault: &Vault) -> Owner {
    let identity = serde_json::json!({
        "t": "01", "n": person.id_no, "u": person.name, "m": person.mobile,
    });
    Owner {
        person: Some(vault.person_code("01", &person.id_no)),
        sealed: Some(vault.seal(Place::ItemPerson, identity.to_string().as_bytes())),
        real_name: true,
    }
}

/// What a record is about.
pub(super) fn content(n: u64, amount_fen: i64) -> Content {
    Content {
        user_type: "02".to_owned(),
        med_type: "11".to_owned(),
        fee_type: "01".to_owned(),
        item_name: ITEM_NAME.to_owned(),
        amount_fen,
        // Some day of the last months of 2023.
        actual_ms: 1_700_000_000_000 - i64::try_from(n % 10_000_000).unwrap_or(0) * 1_000,
    }
}

const NAMES: [&str; 5] = ["陈榕生", "林秀英", "黄建国", "张芳", "欧阳思远"];

/// 项目名称 of every record here.
pub(super) const ITEM_NAME: &str = "门诊彩超检查费";

const fn state(person: u64, turn: u64) -> State {
    match (turn, person % 8) {
        (0, 2..=7) | (1, 3) => State::Unpaid,
        (3, _) => State::Revoked,
        _ => State::Paid,
    }
}

fn amount_fen(person: u64, turn: u64) -> i64 {
    i64::try_from(1_000 + (person * 7 + turn * 13) % 90_000).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_asked_about_once_before_anybody_comes_twice() {
        let people = People::of(4_000);
        let mut seen = vec![0; 1_100];
        for n in 0..2_200 {
            let (person, turn) = people.asked(n);
            seen[usize::try_from(person).unwrap()] += 1;
            assert_eq!(turn, n / 1_100);
        }
        assert!(seen.iter().all(|times| *times == 2));
    }

    #[test]
    fn three_in_four_owe_and_strangers_owe_nothing() {
        let people = People::of(4_000);
        let owing = (0..1_100).filter(|person| !people.owed(*person).is_empty());
        assert_eq!(owing.count(), 750);
        let numbers: std::collections::HashSet<_> =
            (0..5_000).map(|person| Person::of(person).id_no).collect();
        assert_eq!(numbers.len(), 5_000);
        assert!(numbers.iter().all(|number| number.len() == 18));
    }
}
