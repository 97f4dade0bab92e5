//! What cases teach the registry of past illnesses, for their own services: as they come, as they
//! change, and again when the table of diagnoses was replaced.

use super::Named;
use super::cases::LEDGER;
use super::past_illness::{INSERT, Origin, end, hold_denials, order, row};
use super::pruning::Gone;
use crate::db::{StoreError, Tx, Val};

/// What a case says of somebody's illnesses.
#[derive(Debug)]
pub struct Learnt {
    /// Whose.
    pub named: Named,
    /// The service that may know.
    pub service_id: String,
    /// Which.
    pub categories: Vec<String>,
}

/// Adds what cases say, each by its id, except what an operator denied; gives how many entries. The
/// transaction has held the denials ([`hold_denials`]) since its beginning.
pub(super) fn learn(
    tx: &mut Tx<'_>,
    cases: &[(i64, &Learnt)],
    origin: Origin<'_>,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let said = said(cases);
    if said.is_empty() {
        return Ok(0);
    }
    let questions: Vec<Vec<Val<'_>>> = said
        .iter()
        .map(|(_, learnt, category)| {
            vec![
                learnt.named.key().into(),
                (*category).into(),
                (&learnt.service_id).into(),
            ]
        })
        .collect();
    let denied = tx.query_each(
        "SELECT 1 FROM past_illness_denied \
         WHERE person = $1 AND category = $2 AND (service_id = '' OR service_id = $3) LIMIT 1",
        &questions,
        |_| Ok(()),
    )?;
    let said: Vec<_> = said
        .into_iter()
        .zip(denied)
        .filter_map(|(said, denied)| denied.is_none().then_some(said))
        .collect();
    insert(tx, said, origin, now_ms)
}

/// Adds what cases say, whatever anybody denied: for the benchmark's yardstick.
pub(super) fn learn_blindly(
    tx: &mut Tx<'_>,
    cases: &[(i64, &Learnt)],
    origin: Origin<'_>,
    now_ms: i64,
) -> Result<(), StoreError> {
    insert(tx, said(cases), origin, now_ms)?;
    Ok(())
}

/// What cases say, category by category.
fn said<'a>(cases: &[(i64, &'a Learnt)]) -> Vec<(i64, &'a Learnt, &'a str)> {
    cases
        .iter()
        .flat_map(|(id, learnt)| {
            let categories = learnt.categories.iter();
            categories.map(move |category| (*id, *learnt, category.as_str()))
        })
        .collect()
}

fn insert(
    tx: &mut Tx<'_>,
    said: Vec<(i64, &Learnt, &str)>,
    origin: Origin<'_>,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let mut rows: Vec<Vec<Val<'_>>> = said
        .into_iter()
        .map(|(id, learnt, category)| {
            let service = &learnt.service_id;
            row(&learnt.named, service, category, id, origin, now_ms)
        })
        .collect();
    // Two batches about the same persons wait for one another in one order.
    rows.sort_by(|one, other| order(one).cmp(&order(other)));
    tx.insert_rows(&INSERT, &rows)
}

/// Ends what a case said of somebody.
pub(super) fn end_case(
    tx: &mut Tx<'_>,
    person: &[u8; 16],
    case_id: i64,
    by_whom: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let which = [person.into(), case_id.into()];
    end(tx, "person = $1 AND case_id = $2", &which, by_whom, now_ms)?;
    Ok(())
}

/// Removes what cases said that are no more.
pub(super) fn forget_cases(tx: &mut Tx<'_>, gone: &[Gone]) -> Result<(), StoreError> {
    let which: Vec<Vec<Val<'_>>> = gone
        .iter()
        .map(|gone| vec![(&gone.person).into(), gone.id.into()])
        .collect();
    tx.execute_each(
        "DELETE FROM past_illness WHERE person = $1 AND case_id = $2",
        &which,
    )?;
    Ok(())
}

/// A case that is read again.
#[derive(Debug)]
pub struct Again {
    /// Its id.
    pub case_id: i64,
    /// The version that was read.
    pub version: i64,
    /// What it says by the present table.
    pub learnt: Learnt,
    /// Its channel, as the registry names it.
    pub by_whom: String,
}

/// What reading cases again came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Derived {
    /// Entries added.
    pub added: u64,
    /// Entries that ended.
    pub ended: u64,
}

/// Makes the registry say of these cases what they say by the present table. What both tables say
/// stays as it stood, with the version that said so first; what operators imported is none of it,
/// and what they denied stays away. A case that changed since it was read is left alone: it was
/// learnt by the present table then.
///
/// # Errors
/// Any [`StoreError`].
pub fn derive_again(
    tx: &mut Tx<'_>,
    cases: &[Again],
    map_version: &str,
    now_ms: i64,
) -> Result<Derived, StoreError> {
    hold_denials(tx)?;
    let mut derived = Derived::default();
    let differing = differing(tx, cases)?;
    for case in unchanged_since(tx, &differing)? {
        let stands = standing(tx, case)?;
        let wanted = &case.learnt.categories;
        let person = case.learnt.named.key();
        for category in stands.iter().filter(|one| !wanted.contains(one)) {
            let which = [
                Val::from(&person),
                (&case.learnt.service_id).into(),
                category.into(),
                case.case_id.into(),
            ];
            let ended_by = format!("map {map_version}");
            let one = "person = $1 AND service_id = $2 AND category = $3 AND case_id = $4";
            derived.ended += end(tx, one, &which, &ended_by, now_ms)?;
        }
        let missing = Learnt {
            named: case.learnt.named,
            service_id: case.learnt.service_id.clone(),
            categories: wanted
                .iter()
                .filter(|one| !stands.contains(one))
                .cloned()
                .collect(),
        };
        let origin = Origin {
            by_whom: &case.by_whom,
            map_version,
        };
        derived.added += learn(tx, &[(case.case_id, &missing)], origin, now_ms)?;
    }
    Ok(derived)
}

/// The cases of which the registry says something else than they do, by two statements for all of
/// them: nearly all say what they said.
fn differing<'a>(tx: &mut Tx<'_>, cases: &'a [Again]) -> Result<Vec<&'a Again>, StoreError> {
    let whole: Vec<Vec<Val<'_>>> = cases
        .iter()
        .map(|case| {
            let learnt = &case.learnt;
            vec![
                learnt.named.key().into(),
                (&learnt.service_id).into(),
                case.case_id.into(),
            ]
        })
        .collect();
    let counted = tx.query_each(
        "SELECT COUNT(*) FROM past_illness WHERE person = $1 AND service_id = $2 AND case_id = $3",
        &whole,
        |row| row.get::<i64>(0),
    )?;
    let wanted: Vec<Vec<Val<'_>>> = cases
        .iter()
        .flat_map(|case| {
            let learnt = &case.learnt;
            learnt.categories.iter().map(move |category| {
                vec![
                    learnt.named.key().into(),
                    (&learnt.service_id).into(),
                    category.into(),
                    learnt.named.name.0.into(),
                    case.case_id.into(),
                ]
            })
        })
        .collect();
    let found = tx.query_each(
        "SELECT 1 FROM past_illness WHERE person = $1 AND service_id = $2 AND category = $3 \
         AND name = $4 AND case_id = $5",
        &wanted,
        |_| Ok(()),
    )?;
    let mut found = found.iter();
    let mut differing = Vec::new();
    for (case, counted) in cases.iter().zip(counted) {
        let categories = case.learnt.categories.len();
        let present = found.by_ref().take(categories);
        let present = present.filter(|one| one.is_some()).count();
        let counted = usize::try_from(counted.unwrap_or(0)).unwrap_or(usize::MAX);
        if present < categories || counted > present {
            differing.push(case);
        }
    }
    Ok(differing)
}

/// Those that are still as they were read; nobody changes them any more until the end of the
/// transaction.
fn unchanged_since<'a>(tx: &mut Tx<'_>, cases: &[&'a Again]) -> Result<Vec<&'a Again>, StoreError> {
    let ids: Vec<Vec<Val<'_>>> = cases.iter().map(|case| vec![case.case_id.into()]).collect();
    tx.execute_each(&LEDGER.lock(), &ids)?;
    let versions = tx.query_each(
        "SELECT version FROM supplement_case WHERE id = $1",
        &ids,
        |row| row.get::<i64>(0),
    )?;
    let cases = cases.iter().copied().zip(versions);
    let same = cases.filter(|(case, version)| *version == Some(case.version));
    Ok(same.map(|(case, _)| case).collect())
}

/// The categories that a case stands for now.
fn standing(tx: &mut Tx<'_>, case: &Again) -> Result<Vec<String>, StoreError> {
    tx.query(
        "SELECT category FROM past_illness \
         WHERE person = $1 AND service_id = $2 AND case_id = $3 ORDER BY category",
        &[
            case.learnt.named.key().into(),
            (&case.learnt.service_id).into(),
            case.case_id.into(),
        ],
        |row| row.get(0),
    )
}
