//! What the ledgers keep, and what they do with what comes again.

use super::super::ledger::What::{Changed, New, Overtaken, Same};
use super::super::{What, claims, medicine_box, payments};
use super::*;
use crate::testing::number;

fn whats(kept: &[Kept]) -> Vec<What> {
    kept.iter().map(|kept| kept.what).collect()
}

fn claim(case_no: &str, year: &str, claim_fen: Option<i64>, left_one_fen: i64) -> claims::Claim {
    let (total, left) = (format!("{claim_fen:?}"), left_one_fen.to_string());
    claims::Claim {
        service_id: SERVICE.to_owned(),
        case_no: case_no.to_owned(),
        named: Named::new(&vault(), "350429198202075037", "张三"),
        year: year.to_owned(),
        claim_fen,
        invoice_fen: Some(20_000),
        left: claims::Left {
            one_fen: Some(left_one_fen),
            two_fen: None,
            four_fen: Some(0),
        },
        content: Content::of(claims::FIELDS, |field| match field {
            "caseNo" => Some(case_no),
            "year" => Some(year),
            "claimTotal" => Some(&total),
            "dut0LeaDed" => Some(&left),
            _ => None,
        }),
    }
}

async fn keep_claims(db: &Db, first_id: i64, claims: &[claims::Claim], now_ms: i64) -> Vec<Kept> {
    let ids = first_id..first_id + claims.len() as i64;
    let ready = claims::ready(&vault(), PartnerId(1), now_ms, ids, claims).unwrap();
    db.write(move |tx| claims::keep(tx, &ready, now_ms))
        .await
        .map_err(|error: StoreError| error)
        .unwrap()
}

async fn history_of(db: &Db, partner: i64, case_no: &str) -> Vec<(i64, i64, Option<String>)> {
    let versions = cases::history(db, &vault(), PartnerId(partner), SERVICE, case_no, "1")
        .await
        .unwrap();
    versions
        .into_iter()
        .map(|version| {
            let diagnosis = version.content.get(cases::FIELDS, "mainDiagName");
            (version.version, version.at_ms, diagnosis.map(str::to_owned))
        })
        .collect()
}

crate::on_both_engines! {
    async fn the_same_again_changes_nothing_and_other_content_is_the_next_version(db: &TestDb) {
        let first = [case("A", "1", "E1", "肺癌"), case("A", "2", "E1", "肺癌")];
        assert_eq!(whats(&keep(db, 1, 10, &first, 100).await), [New, New]);
        assert_eq!(whats(&keep(db, 1, 20, &first, 200).await), [Same, Same]);
        let second = [case("A", "2", "E1", "肺癌"), case("A", "1", "E1", "肺炎"), case("A", "3", "E1", "")];
        let kept = keep(db, 1, 30, &second, 300).await;
        assert_eq!(whats(&kept), [Same, Changed, New]);
        assert_eq!(kept.iter().map(|kept| kept.id).collect::<Vec<_>>(), [11, 10, 32], "a record keeps its id");
        assert_eq!(
            history_of(db, 1, "A").await,
            [(2, 300, Some("肺炎".to_owned())), (1, 100, Some("肺癌".to_owned()))]
        );
        assert_eq!(history_of(db, 1, "B").await, []);
    }

    async fn two_channels_that_use_one_case_number_have_a_record_each(db: &TestDb) {
        let (one, other) = ([case("A", "1", "E1", "肺癌")], [case("A", "1", "E2", "肺炎")]);
        assert_eq!(whats(&keep(db, 1, 10, &one, 100).await), [New]);
        assert_eq!(whats(&keep(db, 2, 20, &other, 200).await), [New]);
        assert_eq!(history_of(db, 1, "A").await, [(1, 100, Some("肺癌".to_owned()))]);
        assert_eq!(history_of(db, 2, "A").await, [(1, 200, Some("肺炎".to_owned()))]);
    }

    async fn of_two_with_one_key_in_a_batch_the_later_stands(db: &TestDb) {
        let batch = [case("A", "1", "E1", "肺癌"), case("B", "1", "E1", ""), case("A", "1", "E1", "肺炎"), case("B", "1", "E1", "")];
        let kept = keep(db, 1, 10, &batch, 100).await;
        assert_eq!(whats(&kept), [New, New, Changed, Same]);
        assert_eq!((kept[0].id, kept[2].id), (10, 10));
        let history = history_of(db, 1, "A").await;
        assert_eq!(history.iter().map(|version| version.2.clone().unwrap()).collect::<Vec<_>>(), ["肺炎", "肺癌"]);
        let known = super::super::past_illness::of(db, &batch[0].named, &[SERVICE]).await.unwrap();
        assert_eq!(known.categories, ["肺炎"], "what was said first in the batch does not count");
    }

    async fn of_twenty_copies_at_once_one_has_an_effect(db: &TestDb) {
        let batch: Vec<_> = (0..50).map(|n| case(&format!("c{}", n * 7 % 50), "1", &format!("E{n}"), "肺癌")).collect();
        let copies = (0..20).map(|copy| {
            let mut batch = batch.clone();
            // No two copies come in one order, as when a partner builds its batch anew.
            batch.rotate_left(copy);
            async move { keep(db, 1, 1_000 * (copy as i64 + 1), &batch, 100).await }
        });
        let kept = futures_util::future::join_all(copies).await;
        let new = kept.iter().flatten().filter(|kept| kept.what == New).count();
        let changed = kept.iter().flatten().filter(|kept| kept.what == Changed).count();
        assert_eq!((new, changed), (50, 0));
        assert_eq!(number(db, "SELECT COUNT(*) FROM supplement_case").await, 50);
        assert_eq!(number(db, "SELECT COUNT(*) FROM past_illness").await, 50);
        assert_eq!(number(db, "SELECT COUNT(*) FROM supplement_past").await, 0);
    }

    async fn changes_at_once_are_all_in_the_history(db: &TestDb) {
        keep(db, 1, 1, &[case("A", "1", "E1", "0")], 100).await;
        let changes = (1..=8).map(|n| async move {
            // All of them said in one moment, so that none is overtaken.
            keep_said(db, 1, 10 * n, &[case("A", "1", "E1", &n.to_string())], 100, 100 + n).await.unwrap()
        });
        let kept = futures_util::future::join_all(changes).await;
        assert!(kept.iter().flatten().all(|kept| kept.what == Changed && kept.id == 1));
        let mut said: Vec<_> = history_of(db, 1, "A").await.into_iter().map(|version| version.2.unwrap()).collect();
        said.sort();
        assert_eq!(said, ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
        assert_eq!(number(db, "SELECT version FROM supplement_case").await, 9);
        assert_eq!(number(db, "SELECT COUNT(*) FROM past_illness").await, 1, "the last word alone counts");
        assert_eq!(number(db, "SELECT COUNT(*) FROM past_illness_ended").await, 8);
    }

    async fn a_copy_of_an_older_message_undoes_nothing(db: &TestDb) {
        let (first, second) = ([case("A", "1", "E1", "肺癌")], [case("A", "1", "E1", "")]);
        let say = async |first_id, cases: &[Case], said_ms, now_ms| {
            whats(&keep_said(db, 1, first_id, cases, said_ms, now_ms).await.unwrap())
        };
        assert_eq!(say(10, &first, 100, 110).await, [New]);
        assert_eq!(say(20, &second, 200, 210).await, [Changed]);
        // At another node, or after a restart, nobody remembers that it was heard before.
        assert_eq!(say(30, &first, 100, 300).await, [Overtaken]);
        assert_eq!(say(40, &[second[0].clone(), first[0].clone()], 100, 310).await, [Same, Overtaken]);
        assert_eq!(history_of(db, 1, "A").await, [(2, 210, Some(String::new())), (1, 110, Some("肺癌".to_owned()))]);
        let known = super::super::past_illness::of(db, &first[0].named, &[SERVICE]).await.unwrap();
        assert_eq!(known.categories, [""; 0]);
        // Said anew it counts, and so does what was said in the same moment.
        assert_eq!(say(50, &first, 400, 410).await, [Changed]);
        assert_eq!(say(60, &second, 400, 420).await, [Changed]);
    }

    async fn what_was_kept_before_said_times_were_is_no_later_word(db: &TestDb) {
        keep(db, 1, 10, &[case("A", "1", "E1", "肺癌")], 100).await;
        let () = db.write(|tx| tx.execute("UPDATE supplement_case SET said_ms = 0", &[]).map(|_| ())).await.unwrap();
        assert_eq!(whats(&keep(db, 1, 20, &[case("A", "1", "E1", "")], 50).await), [Changed]);
    }

    async fn nothing_of_a_batch_stays_where_its_transaction_fails(db: &TestDb) {
        let ready = cases::ready(&vault(), PartnerId(1), 1, Origin { by_whom: "c", map_version: "1" }, 1..3, &[case("A", "1", "E1", "肺癌"), case("A", "2", "E1", "")]).unwrap();
        let failed: Result<(), StoreError> = db.write(move |tx| {
            cases::keep(tx, &ready, 1)?;
            Err(StoreError::Corrupt("the journal is full".to_owned()))
        }).await;
        assert!(failed.is_err());
        assert_eq!(number(db, "SELECT COUNT(*) FROM supplement_case").await, 0);
        assert_eq!(number(db, "SELECT COUNT(*) FROM past_illness").await, 0);
    }

    async fn whoever_holds_the_database_alone_reads_no_identity(db: &TestDb) {
        keep(db, 1, 1, &[case("A", "1", "350429198202075037", "肺癌")], 1).await;
        let (person, sealed): (Vec<u8>, Vec<u8>) = db
            .query_opt("SELECT person, sealed FROM supplement_case", &[], |row| Ok((row.get(0)?, row.get(1)?)))
            .await.unwrap().unwrap();
        for hidden in ["350429198202075037", "肺癌"] {
            for column in [&person, &sealed] {
                assert!(!column.windows(hidden.len()).any(|part| part == hidden.as_bytes()));
            }
        }
        let page = cases::page(db, &crate::vault::tests::vault(2), 0, 10).await;
        assert!(matches!(page, Err(StoreError::Corrupt(_))), "{page:?}");
    }

    async fn a_ledger_is_read_page_by_page(db: &TestDb) {
        let batch: Vec<_> = (0..5).map(|n| case(&format!("c{n}"), "1", "E1", "")).collect();
        keep(db, 1, 11, &batch, 100).await;
        let (mut after, mut seen) = (Some(0), Vec::new());
        while let Some(id) = after {
            let page = cases::page(db, &vault(), id, 2).await.unwrap();
            seen.extend(page.records.iter().map(|record| {
                assert_eq!((record.partner, record.version, record.created_ms), (PartnerId(1), 1, 100));
                assert_eq!(record.content.get(cases::FIELDS, "payTime"), Some(""), "an empty text is a value");
                assert_eq!(record.content.get(cases::FIELDS, "serviceId"), None, "an absent one is none");
                record.id
            }));
            after = page.next;
        }
        assert_eq!(seen, [11, 12, 13, 14, 15]);
    }

    async fn claims_say_what_deductible_is_left_and_add_up(db: &TestDb) {
        keep_claims(db, 1, &[claim("A", "2024", Some(100), 900), claim("B", "2024", None, 800), claim("C", "2025", Some(7), 2_000)], 10).await;
        let person = Named::new(&vault(), "350429198202075037", "").person;
        let left = async |year| claims::left(db, &person, SERVICE, year).await.unwrap().and_then(|left| left.one_fen);
        assert_eq!((left("2024").await, left("2025").await, left("2023").await), (Some(800), Some(2_000), None));
        // A correction stays in its claim's place: the newer claim's figures hold.
        let kept = keep_claims(db, 10, &[claim("A", "2024", Some(150), 900)], 20).await;
        assert_eq!(whats(&kept), [Changed]);
        assert_eq!(left("2024").await, Some(800));
        let kept = keep_claims(db, 15, &[claim("B", "2024", None, 700)], 20).await;
        assert_eq!(whats(&kept), [Changed]);
        assert_eq!(left("2024").await, Some(700));
        let totals = claims::totals(db).await.unwrap();
        assert_eq!(totals.len(), 2);
        assert_eq!((totals[0].claims, totals[0].claim_fen, totals[0].invoice_fen, totals[0].unreadable), (2, 150, 40_000, 1));
        assert_eq!((&*totals[1].year, totals[1].claim_fen), ("2025", 7));
        let history = claims::history(db, &vault(), PartnerId(1), SERVICE, "A").await.unwrap();
        assert_eq!(history.iter().map(|version| (version.version, version.at_ms)).collect::<Vec<_>>(), [(2, 20), (1, 10)]);
    }

    async fn a_claim_that_names_no_deductible_hides_none(db: &TestDb) {
        let mut without = claim("B", "2024", Some(100), 1);
        without.left = claims::Left::default();
        let mut partly = claim("C", "2024", Some(100), 1);
        partly.left = claims::Left { two_fen: Some(300), ..claims::Left::default() };
        keep_claims(db, 1, &[claim("A", "2024", Some(100), 900)], 10).await;
        keep_claims(db, 10, &[without], 20).await;
        keep_claims(db, 20, &[partly], 30).await;
        let person = Named::new(&vault(), "350429198202075037", "").person;
        let left = claims::left(db, &person, SERVICE, "2024").await.unwrap();
        assert_eq!(left, Some(claims::Left { one_fen: Some(900), two_fen: Some(300), four_fen: Some(0) }));
    }

    async fn cases_add_up_by_service_and_year(db: &TestDb) {
        let mut unreadable = case("B", "1", "E1", "");
        (unreadable.paid_fen, unreadable.year) = (None, String::new());
        keep(db, 1, 1, &[case("A", "1", "E1", ""), case("A", "2", "E1", ""), unreadable], 1).await;
        let totals = cases::totals(db).await.unwrap();
        let read: Vec<_> = totals.iter().map(|total| (&*total.year, total.cases, total.invoices, total.invoice_fen, total.paid_fen, total.unreadable)).collect();
        assert_eq!(read, [("", 1, 1, 10_000, 0, 1), ("2025", 1, 2, 20_000, 5_000, 0)]);
    }

    async fn a_payment_counts_once(db: &TestDb) {
        let payment = |amount: &'static str, fen| payments::Payment {
            hi_pay_no: "pay-1".to_owned(),
            named: Named::new(&vault(), "E1", "张三"),
            service_id: SERVICE.to_owned(),
            year: "2025".to_owned(),
            amount_fen: Some(fen),
            content: Content::of(payments::FIELDS, |field| (field == "medfee_sumamt").then_some(amount)),
        };
        let send = async |id, payment: payments::Payment| {
            let ready = payments::ready(&vault(), PartnerId(1), id, id..id + 1, &[payment]).unwrap();
            let kept = db.write(move |tx| payments::keep(tx, &ready, id)).await.map_err(|error: StoreError| error).unwrap();
            whats(&kept)
        };
        assert_eq!(send(1, payment("12.50", 1_250)).await, [New]);
        assert_eq!(send(2, payment("12.50", 1_250)).await, [Same]);
        assert_eq!(send(3, payment("12.60", 1_260)).await, [Changed]);
        let totals = payments::totals(db).await.unwrap();
        assert_eq!((totals.len(), totals[0].payments, totals[0].amount_fen, totals[0].unreadable), (1, 1, 1_260, 0));
        let history = payments::history(db, &vault(), PartnerId(1), "pay-1").await.unwrap();
        let said: Vec<_> = history.iter().map(|version| version.content.get(payments::FIELDS, "medfee_sumamt").unwrap()).collect();
        assert_eq!(said, ["12.60", "12.50"]);
        assert_eq!(payments::page(db, &vault(), 0, 10).await.unwrap().records.len(), 1);
    }

    async fn an_order_that_is_paid_back_is_no_longer_valid(db: &TestDb) {
        use medicine_box::State;
        let order = |cert_no: &str, state| medicine_box::Order {
            service_id: SERVICE.to_owned(),
            named: Named::new(&vault(), cert_no, "张三"),
            state,
            content: Content(vec![None, None, None, Some(format!("{state:?}"))]),
        };
        let send = async |id, orders: Vec<medicine_box::Order>| {
            let ready = medicine_box::ready(&vault(), PartnerId(1), id, id..id + 10, &orders).unwrap();
            let kept = db.write(move |tx| medicine_box::keep(tx, &ready, id)).await.map_err(|error: StoreError| error).unwrap();
            whats(&kept)
        };
        assert_eq!(send(10, vec![order("E1", State::Valid), order("E2", State::Valid), order("E3", State::Unknown)]).await, [New, New, New]);
        assert_eq!(send(20, vec![order("E1", State::Valid), order("e2 ", State::Refunded)]).await, [Same, Changed]);
        let person = |cert_no| Named::new(&vault(), cert_no, "").person;
        let state = async |cert_no| medicine_box::state_of(db, PartnerId(1), SERVICE, &person(cert_no)).await.unwrap();
        assert_eq!((state("E1").await, state("E2").await, state("E9").await), (Some((State::Valid, 10)), Some((State::Refunded, 20)), None));
        let totals = medicine_box::totals(db).await.unwrap();
        assert_eq!((totals[0].orders, totals[0].valid, totals[0].refunded), (3, 1, 1));
        let history = medicine_box::history(db, &vault(), PartnerId(1), SERVICE, &person("E2")).await.unwrap();
        assert_eq!(history.len(), 2);
        assert_eq!(medicine_box::page(db, &vault(), 0, 10).await.unwrap().records.len(), 3);
    }
}
