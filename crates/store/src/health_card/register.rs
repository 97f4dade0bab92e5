//! Registering: the one way by which persons come in, whoever claims them: a hospital, a citizen
//! at his page, an operator's file.
//!
//! A claim either makes a person, or is about one who is registered already. It never changes a
//! registered name and never leads a number to another person: such a claim is refused, kept for
//! review, and changes nothing else. What was unknown (phone, sex, birthday) it may complete, unless
//! nobody vouches for it: whoever comes with nothing but a link could else make somebody's card his
//! own by being the first to name a phone.

use std::collections::BTreeMap;

use super::insured;
use super::names::same_name;
use super::persons::{self, Identity, Person};
use super::reviews::{self, Claimed, Contradiction, Kind};
use crate::db::{ColumnType, Insert, StoreError, Tx};
use crate::ids::{HealthCardPersonId, ReviewId};
use crate::vault::{CardCode, InsuredCode, Vault};

/// Who somebody is said to be, ready to be registered: sealed and coded outside the transaction.
#[derive(Debug, Clone)]
pub struct Claim {
    id: HealthCardPersonId,
    code: CardCode,
    sealed: Vec<u8>,
    number: Option<InsuredCode>,
    claimed: Claimed,
}

/// What a claim came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// The person is new and was registered.
    New(HealthCardPersonId),
    /// The person was registered already, and the claim adds nothing.
    Known(HealthCardPersonId),
    /// The person was registered already; the claim added what was unknown of him, or his number
    /// (which another node may have added at the very moment).
    Completed(HealthCardPersonId),
    /// This person is registered under another name.
    NameContradicts(HealthCardPersonId),
    /// The number leads to this other person.
    NumberContradicts(HealthCardPersonId),
}

impl Registered {
    /// Whom the claim met.
    #[must_use]
    pub const fn person(self) -> HealthCardPersonId {
        match self {
            Self::New(id)
            | Self::Known(id)
            | Self::Completed(id)
            | Self::NameContradicts(id)
            | Self::NumberContradicts(id) => id,
        }
    }
}

impl Claim {
    /// Prepares a claim; `id` is the one that the person gets if he is new.
    #[must_use]
    pub fn new(
        vault: &Vault,
        id: HealthCardPersonId,
        identity: Identity,
        psn_no: Option<String>,
    ) -> Self {
        Self {
            id,
            code: code_of(vault, &identity),
            sealed: identity.seal(vault),
            number: psn_no.as_deref().map(|number| vault.insured_code(number)),
            claimed: Claimed { identity, psn_no },
        }
    }
}

/// Registers whom one claim names; `source` says who claims.
///
/// # Errors
/// Any [`StoreError`].
pub fn register(
    tx: &mut Tx<'_>,
    vault: &Vault,
    claim: &Claim,
    source: &str,
    now_ms: i64,
) -> Result<Registered, StoreError> {
    register_all(tx, vault, std::slice::from_ref(claim), source, now_ms)?
        .pop()
        .ok_or_else(|| StoreError::Corrupt("a claim came to nothing".to_owned()))
}

/// Registers whom these claims name, in their order: a later one meets what an earlier one made.
///
/// # Errors
/// Any [`StoreError`].
pub fn register_all(
    tx: &mut Tx<'_>,
    vault: &Vault,
    claims: &[Claim],
    source: &str,
    now_ms: i64,
) -> Result<Vec<Registered>, StoreError> {
    for _ in 0..ROUNDS {
        let register = Register::look_up(tx, vault, claims)?;
        let judged = register.judge();
        if insert_persons(tx, &judged.persons, now_ms)? {
            return judged.finish(tx, vault, source, now_ms);
        }
        // Another node registered some of them at this very moment; now they can be seen.
    }
    Err(StoreError::Busy)
}

pub(super) fn code_of(vault: &Vault, identity: &Identity) -> CardCode {
    vault.card_code(&identity.index(vault))
}

/// Whoever is missed in the first round is found in the second.
const ROUNDS: u32 = 3;

/// What is known of everybody whom the claims name.
struct Register<'a> {
    claims: &'a [Claim],
    persons: BTreeMap<CardCode, Option<Person>>,
    numbers: BTreeMap<InsuredCode, Option<HealthCardPersonId>>,
}

/// What the claims come to, and what is to be written for it.
#[derive(Default)]
struct Judged<'a> {
    outcomes: Vec<(Registered, &'a Claim)>,
    /// In the order of their codes: neighbours on the index are written together.
    persons: BTreeMap<CardCode, &'a Claim>,
    numbers: BTreeMap<InsuredCode, (HealthCardPersonId, usize)>,
    completed: BTreeMap<HealthCardPersonId, Person>,
}

impl<'a> Register<'a> {
    fn look_up(tx: &mut Tx<'_>, vault: &Vault, claims: &'a [Claim]) -> Result<Self, StoreError> {
        // Numbers first: the person to whom one leads was kept before it, so whoever sees the
        // number sees the person too, also while another node writes both.
        let mut numbers: BTreeMap<_, _> = claims
            .iter()
            .filter_map(|claim| Some((claim.number?, None)))
            .collect();
        let codes: Vec<_> = numbers.keys().copied().collect();
        for (place, found) in numbers.values_mut().zip(insured::owners(tx, &codes)?) {
            *place = found;
        }
        let mut persons: BTreeMap<_, _> = claims.iter().map(|claim| (claim.code, None)).collect();
        let codes: Vec<_> = persons.keys().copied().collect();
        for (place, found) in persons
            .values_mut()
            .zip(persons::by_codes(tx, vault, &codes)?)
        {
            *place = found;
        }
        Ok(Self {
            claims,
            persons,
            numbers,
        })
    }

    fn judge(mut self) -> Judged<'a> {
        let mut judged = Judged::default();
        for claim in self.claims {
            let outcome = self.judge_one(claim, &mut judged);
            judged.outcomes.push((outcome, claim));
        }
        judged
    }

    fn judge_one(&mut self, claim: &'a Claim, judged: &mut Judged<'a>) -> Registered {
        let identity = &claim.claimed.identity;
        let leads_to = claim
            .number
            .and_then(|number| self.numbers.get(&number).copied().flatten());
        let place = self.persons.entry(claim.code).or_default();
        // One that this very call inserted in an earlier round is new all the same.
        let is_new = place.as_ref().is_none_or(|person| person.id == claim.id);
        let person = match (place, leads_to) {
            (Some(person), _) => person,
            (None, Some(other)) => return Registered::NumberContradicts(other),
            (place @ None, None) => {
                judged.persons.insert(claim.code, claim);
                place.insert(Person {
                    id: claim.id,
                    identity: identity.clone(),
                })
            }
        };
        let id = person.id;
        if !same_name(&person.identity.user_name, &identity.user_name) {
            return Registered::NameContradicts(id);
        }
        if let Some(other) = leads_to.filter(|other| *other != id) {
            return Registered::NumberContradicts(other);
        }
        let mut added = complete(&mut person.identity, identity);
        if added {
            judged.completed.insert(id, person.clone());
        }
        if let (Some(number), None) = (claim.number, leads_to) {
            self.numbers.insert(number, Some(id));
            judged.numbers.insert(number, (id, judged.outcomes.len()));
            added = true;
        }
        match (is_new, added) {
            (true, _) => Registered::New(id),
            (false, true) => Registered::Completed(id),
            (false, false) => Registered::Known(id),
        }
    }
}

impl Judged<'_> {
    /// Writes everything but the persons.
    fn finish(
        mut self,
        tx: &mut Tx<'_>,
        vault: &Vault,
        source: &str,
        now_ms: i64,
    ) -> Result<Vec<Registered>, StoreError> {
        for (id, known) in &self.completed {
            persons::change(tx, vault, *id, now_ms, |identity| {
                complete(identity, &known.identity);
            })?;
        }
        if !insert_numbers(tx, &self.numbers, now_ms)? {
            // Another node has taken some of them at this very moment.
            let numbers: Vec<_> = self.numbers.keys().copied().collect();
            let owners = insured::owners(tx, &numbers)?;
            for ((mine, place), owner) in self.numbers.values().zip(owners) {
                if let (Some(owner), Some((outcome, _))) = (owner, self.outcomes.get_mut(*place))
                    && owner != *mine
                {
                    *outcome = Registered::NumberContradicts(owner);
                }
            }
        }
        for (outcome, claim) in &self.outcomes {
            let (kind, person) = match outcome {
                Registered::NameContradicts(person) => (Kind::Name, *person),
                Registered::NumberContradicts(person) => (Kind::Number, *person),
                _ => continue,
            };
            let contradiction = Contradiction {
                // Persons and reviews share a sequence: a claim makes one or the other.
                id: ReviewId(claim.id.0),
                kind,
                person,
                claimed: &claim.claimed,
                source,
            };
            reviews::keep(tx, vault, &contradiction, now_ms)?;
        }
        Ok(self
            .outcomes
            .into_iter()
            .map(|(outcome, _)| outcome)
            .collect())
    }
}

/// Takes over what was unknown; what is known stays. A claim for which nobody vouches adds nothing;
/// one for which somebody does vouches for what he had said himself, his name.
fn complete(known: &mut Identity, claimed: &Identity) -> bool {
    if claimed.by_himself {
        return false;
    }
    let mut added = std::mem::take(&mut known.by_himself);
    for (known, claimed) in [
        (&mut known.user_sex, &claimed.user_sex),
        (&mut known.birthday, &claimed.birthday),
        (&mut known.mobile_phone, &claimed.mobile_phone),
    ] {
        if known.is_none() && claimed.is_some() {
            known.clone_from(claimed);
            added = true;
        }
    }
    added
}

/// `false` where some of them were there already.
fn insert_persons(
    tx: &mut Tx<'_>,
    persons: &BTreeMap<CardCode, &Claim>,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let rows: Vec<_> = persons
        .values()
        .map(|claim| {
            vec![
                claim.id.into(),
                (&claim.code.0).into(),
                (&claim.sealed).into(),
                now_ms.into(),
                now_ms.into(),
            ]
        })
        .collect();
    let insert = Insert {
        table: "person",
        columns: &[
            ("id", ColumnType::I64),
            ("card_code", ColumnType::Blob),
            ("sealed", ColumnType::Blob),
            ("created_ms", ColumnType::I64),
            ("changed_ms", ColumnType::I64),
        ],
        tail: "ON CONFLICT (card_code) DO NOTHING",
    };
    Ok(tx.insert_rows(&insert, &rows)? == rows.len() as u64)
}

/// `false` where some of them were there already.
fn insert_numbers(
    tx: &mut Tx<'_>,
    numbers: &BTreeMap<InsuredCode, (HealthCardPersonId, usize)>,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let rows: Vec<_> = numbers
        .iter()
        .map(|(number, (person, _))| vec![(&number.0).into(), (*person).into(), now_ms.into()])
        .collect();
    let insert = Insert {
        table: "insured_number",
        columns: &[
            ("psn", ColumnType::Blob),
            ("person_id", ColumnType::I64),
            ("first_ms", ColumnType::I64),
        ],
        tail: "ON CONFLICT (psn) DO NOTHING",
    };
    Ok(tx.insert_rows(&insert, &rows)? == rows.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::health_card::{persons, reviews};
    use crate::vault::tests::vault;

    fn identity(id_no: &str, name: &str) -> Identity {
        Identity {
            id_type: "01".to_owned(),
            id_no: id_no.to_owned(),
            user_name: name.to_owned(),
            user_sex: None,
            birthday: None,
            mobile_phone: None,
            by_himself: false,
        }
    }

    fn claim(id: i64, id_no: &str, name: &str, number: Option<&str>) -> Claim {
        Claim::new(
            &vault(1),
            HealthCardPersonId(id),
            identity(id_no, name),
            number.map(str::to_owned),
        )
    }

    async fn take(db: &Db, claims: Vec<Claim>) -> Vec<Registered> {
        let vault = vault(1);
        db.write(move |tx| register_all(tx, &vault, &claims, "test", 100))
            .await
            .map_err(|error: StoreError| error)
            .unwrap()
    }

    async fn registered(db: &Db, id_no: &str) -> Option<Person> {
        let vault = vault(1);
        let index = vault.card_index("01", id_no);
        persons::by_index(db, &vault, &index).await.unwrap()
    }

    use Registered::{Completed, Known, NameContradicts, New, NumberContradicts};
    const ONE: HealthCardPersonId = HealthCardPersonId(1);

    crate::on_both_engines! {
        async fn a_person_is_registered_once(db: &TestDb) {
            let mut with_phone = identity("A", "张 三");
            with_phone.mobile_phone = Some("15400000001".to_owned());
            let with_phone = Claim::new(&vault(1), HealthCardPersonId(4), with_phone, None);
            let outcomes = take(db, vec![
                claim(1, "A", "张三", Some("n1")),
                claim(2, "a", "张三", Some("n1")),
                claim(3, "A", "李四", None),
                with_phone.clone(),
                claim(5, "B", "王五", Some("n1")),
                claim(6, "B", "王五", Some("n2")),
                claim(7, "A", "张三", Some("n2")),
            ]).await;
            let six = HealthCardPersonId(6);
            assert_eq!(outcomes, [New(ONE), Known(ONE), NameContradicts(ONE), Completed(ONE), NumberContradicts(ONE), New(six), NumberContradicts(six)]);
            assert_eq!(take(db, vec![with_phone]).await, [Known(ONE)]);
            assert_eq!(take(db, vec![claim(8, "A", "张三", Some("n3"))]).await, [Completed(ONE)]);
            let kept = registered(db, "A").await.unwrap();
            assert_eq!((&*kept.identity.user_name, kept.identity.mobile_phone.as_deref()), ("张三", Some("15400000001")));
            for number in ["n1", "n3"] {
                let found = insured::person(db, &vault(1), &vault(1).insured_code(number)).await.unwrap();
                assert_eq!(found.unwrap().id, ONE);
            }
            assert_eq!(persons::count(db).await.unwrap(), 2);
        }

        async fn two_nodes_register_the_same_people_at_once(db: &TestDb) {
            let batch = |first: i64| (0..50).map(|n| claim(first + n, &format!("P{n}"), "张三", Some(&format!("n{n}")))).collect::<Vec<_>>();
            let (one, other) = tokio::join!(take(db, batch(1_000)), take(db, batch(2_000)));
            let new = |outcomes: &[Registered]| outcomes.iter().filter(|outcome| matches!(outcome, New(_))).count();
            assert_eq!(new(&one) + new(&other), 50);
            // Who looked between the other's two writes saw the persons and not yet their numbers.
            assert!(one.iter().chain(&other).all(|outcome| matches!(outcome, New(_) | Known(_) | Completed(_))), "{one:?} {other:?}");
            assert_eq!(persons::count(db).await.unwrap(), 50);
        }

        async fn contradictions_wait_for_people(db: &TestDb) {
            take(db, vec![claim(1, "A", "张三", Some("n1")), claim(2, "B", "王五", None)]).await;
            for id in 10..13 {
                take(db, vec![claim(id, "A", "张叁", None)]).await;
            }
            take(db, vec![claim(20, "B", "王五", Some("n1"))]).await;
            let open = reviews::open(db, 10).await.unwrap();
            assert_eq!(open.len(), 2);
            assert_eq!((open[0].id.0, open[0].kind, open[0].times, &*open[0].source), (10, Kind::Name, 3, "test"));
            assert_eq!((open[1].kind, open[1].person), (Kind::Number, ONE));

            let take_claim = |id| async move {
                let vault = vault(1);
                db.write(move |tx| reviews::take_claim(tx, &vault, ReviewId(id), "op", 200)).await.map_err(|e: StoreError| e).unwrap()
            };
            assert_eq!(take_claim(10).await, reviews::Decided::Done);
            assert_eq!(take_claim(10).await, reviews::Decided::NotOpen);
            assert_eq!(registered(db, "A").await.unwrap().identity.user_name, "张叁");
            assert_eq!(take_claim(20).await, reviews::Decided::Done);
            let found = insured::person(db, &vault(1), &vault(1).insured_code("n1")).await.unwrap();
            assert_eq!(found.unwrap().id.0, 2);
            assert_eq!(reviews::open(db, 10).await.unwrap(), []);

            // The name that it had before contradicts now; an operator says that it stays so.
            assert_eq!(take(db, vec![claim(30, "A", "张三", None)]).await, [NameContradicts(ONE)]);
            let kept = db.write(|tx| reviews::keep_registered(tx, ReviewId(30), "op", 300)).await;
            assert_eq!(kept, Ok::<_, StoreError>(reviews::Decided::Done));
            for n in 0..40 {
                take(db, vec![claim(100 + n, "A", &format!("张三{n}"), None)]).await;
            }
            assert_eq!(reviews::open(db, 100).await.unwrap().len(), 20, "nobody fills the table");
        }
    }
}
