//! What goes in comes out.

use crate::db::{ColumnType, Insert, StoreError, Val};
use crate::on_both_engines;

use super::{count, notes, number, numbers};

on_both_engines! { @tell_unmigrated
    async fn values_come_back_as_they_went_in(db: &TestDb) {
        notes(db).await;
        // U+20BB7 takes four bytes in UTF-8.
        let bodies = [None, Some(""), Some("𠮷野家 榕 'x' $1"), Some("a\"b\\c\n")];
        let seals: [Option<&[u8]>; 4] = [None, Some(&[]), Some(&[0, 255, 7]), Some(&[1; 32])];
        let marks = [None, Some(0), Some(i64::MIN), Some(i64::MAX)];
        db.write(move |tx| {
            for id in 0..4 {
                tx.execute(
                    "INSERT INTO notes (id, body, seal, mark) VALUES ($1, $2, $3, $4)",
                    &[(id as i64).into(), bodies[id].into(), seals[id].into(), marks[id].into()],
                )?;
            }
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
        for id in 0..4 {
            let found = db
                .query_opt(
                    "SELECT body, seal, mark FROM notes WHERE id = $1",
                    &[(id as i64).into()],
                    |row| Ok((
                        row.get::<Option<String>>(0)?,
                        row.get::<Option<Vec<u8>>>(1)?,
                        row.get::<Option<i64>>(2)?,
                    )),
                )
                .await
                .unwrap()
                .unwrap();
            assert_eq!(found.0.as_deref(), bodies[id]);
            assert_eq!(found.1.as_deref(), seals[id]);
            assert_eq!(found.2, marks[id]);
        }
        let seal: Option<[u8; 32]> = db
            .query_opt("SELECT seal FROM notes WHERE id = 3", &[], |row| row.get(0))
            .await
            .unwrap();
        assert_eq!(seal, Some([1; 32]));
        let truth: Vec<bool> = db
            .query("SELECT mark FROM notes WHERE mark IS NOT NULL ORDER BY id", &[], |row| row.get(0))
            .await
            .unwrap();
        assert_eq!(truth, [false, true, true]);
    }

    /// SQLite takes `$2` for a name and would number it by its first appearance.
    async fn parameters_may_stand_in_any_order_and_repeat(db: &TestDb) {
        notes(db).await;
        db.write(|tx| {
            tx.execute(
                "INSERT INTO notes (mark, id, body) VALUES ($2, $1, $3)",
                &[1.into(), 2.into(), "three".into()],
            )
        })
        .await
        .unwrap();
        let found = db
            .query_opt(
                "SELECT mark FROM notes WHERE body = $2 AND id = $1 AND (id = $1 OR body = $2)",
                &[1.into(), "three".into()],
                number,
            )
            .await
            .unwrap();
        assert_eq!(found, Some(2));
    }

    async fn a_wrong_number_of_parameters_is_refused(db: &TestDb) {
        notes(db).await;
        for params in [&[][..], &[1.into(), 2.into()]] {
            let refused = db.query_opt("SELECT id FROM notes WHERE id = $1", params, number).await;
            assert!(matches!(refused, Err(StoreError::Sql(_))), "{refused:?}");
        }
    }

    async fn text_with_u_0000_is_refused_by_both(db: &TestDb) {
        notes(db).await;
        let sql = "INSERT INTO notes (id, body) VALUES (1, $1)";
        let refused = db.write(move |tx| tx.execute(sql, &["a\0b".into()])).await;
        assert_eq!(refused, Err(StoreError::nul()));
        let insert = Insert { table: "notes", columns: &[("id", ColumnType::I64), ("body", ColumnType::Text)], tail: "" };
        let refused = db.write(move |tx| tx.insert_rows(&insert, &[vec![1.into(), "a\0b".into()]])).await;
        assert_eq!(refused, Err(StoreError::nul()));
    }

    async fn a_value_of_another_kind_is_corrupt_and_not_told(db: &TestDb) {
        notes(db).await;
        db.write(|tx| tx.execute("INSERT INTO notes (id, body) VALUES (1, '林小榕')", &[])).await.unwrap();
        for wrong in [
            db.query_opt("SELECT body FROM notes", &[], number).await.map(drop),
            db.query_opt("SELECT mark FROM notes", &[], number).await.map(drop),
            db.query_opt("SELECT id FROM notes", &[], |row| row.get::<String>(0)).await.map(drop),
            db.query_opt("SELECT id FROM notes", &[], |row| row.get::<i64>(1)).await.map(drop),
        ] {
            let Err(StoreError::Corrupt(told)) = wrong else { panic!("{wrong:?}") };
            assert!(!told.contains('林'), "{told}");
        }
    }

    async fn a_failed_statement_does_not_tell_its_values(db: &TestDb) {
        notes(db).await;
        super::add(db, 1, "350102199001011234").await.unwrap();
        let conflict = super::add(db, 2, "350102199001011234").await.unwrap_err();
        assert!(!format!("{conflict} {conflict:?}").contains("3501"), "{conflict:?}");
        let misfit = db
            .query_opt(
                "SELECT id FROM notes WHERE id = CAST($1 AS BIGINT) + CAST($2 AS BIGINT)",
                &["350102199001011234".into(), 1.into()],
                number,
            )
            .await;
        if let Err(misfit) = misfit {
            assert!(!format!("{misfit} {misfit:?}").contains("3501"), "{misfit:?}");
        }
        let text = format!("{:?}", Val::from("350102199001011234"));
        assert_eq!(text, "Text(18 bytes)");
    }

    async fn query_each_answers_in_order_with_the_misses(db: &TestDb) {
        notes(db).await;
        let (found, none) = db
            .write(|tx| {
                tx.execute_each(
                    "INSERT INTO notes (id, mark) VALUES ($1, CAST($1 AS BIGINT) * 10)",
                    &numbers(0..600).into_iter().step_by(2).collect::<Vec<_>>(),
                )?;
                let sql = "SELECT mark FROM notes WHERE id = $1";
                Ok::<_, StoreError>((
                    tx.query_each(sql, &numbers(0..600), number)?,
                    tx.query_each(sql, &[], number)?,
                ))
            })
            .await
            .unwrap();
        let wanted: Vec<_> = (0..600).map(|id| (id % 2 == 0).then_some(id * 10)).collect();
        assert_eq!(found, wanted);
        assert!(none.is_empty());
    }

    /// Pipelined statements on one row end with the last one's value.
    async fn execute_each_keeps_the_order(db: &TestDb) {
        notes(db).await;
        let changed = db
            .write(|tx| {
                tx.execute("INSERT INTO notes (id, mark) VALUES (1, -1)", &[])?;
                // Each applies only on top of the one before.
                tx.execute_each(
                    "UPDATE notes SET mark = $1 WHERE id = 1 AND mark = $1 - 1",
                    &numbers(0..1_000),
                )
            })
            .await
            .unwrap();
        assert_eq!(changed, 1_000);
    }

    async fn a_thousand_rows_go_in_at_once_and_not_twice(db: &TestDb) {
        notes(db).await;
        let insert = |upto: i64| {
            let columns = &[
                ("id", ColumnType::I64),
                ("body", ColumnType::Text),
                ("seal", ColumnType::Blob),
            ];
            db.write(move |tx| {
                let rows: Vec<Vec<Val<'_>>> = (0..upto)
                    .map(|id| vec![
                        id.into(),
                        (id % 3 != 0).then(|| format!("第 {id} 条")).into(),
                        (id % 5 != 0).then(|| id.to_be_bytes().to_vec()).into(),
                    ])
                    .collect();
                let tail = "ON CONFLICT (id) DO NOTHING";
                tx.insert_rows(&Insert { table: "notes", columns, tail }, &rows)
            })
        };
        assert_eq!(insert(1_000).await, Ok(1_000));
        assert_eq!(insert(2_500).await, Ok(1_500));
        assert_eq!(insert(2_500).await, Ok(0));
        assert_eq!(insert(0).await, Ok(0));
        assert_eq!(count(db).await, 2_500);
        let row = db
            .query_opt("SELECT body, seal FROM notes WHERE id = $1", &[2_405.into()], |row| {
                Ok((row.get::<String>(0)?, row.get::<Option<Vec<u8>>>(1)?))
            })
            .await
            .unwrap();
        assert_eq!(row, Some(("第 2405 条".to_owned(), None)));
    }
}
