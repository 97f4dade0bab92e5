//! `banyan appeal`: an operator lists, opens and decides what citizens contest.

use banyan_store::ids::{AppealId, BatchId, PartnerId};
use banyan_store::overdue::appeals::{self, Bounds, Filed, NewAppeal, Reason};
use banyan_store::overdue::items;
use banyan_store::testing::debt;
use banyan_store::vault::{PersonCode, Place as Sealed};

use crate::place::Place;
use crate::process::run;

/// A record of hospital 1 with an open appeal against it, as the platform keeps them.
async fn contest(place: &Place, number: i64) {
    let vault = place.vault();
    let person = PersonCode([9; 32]);
    let item = debt(number, person);
    let appeal = NewAppeal {
        id: AppealId(number + 100),
        item: item.id,
        person,
        reason: Reason::NotMe,
        text_sealed: vault.seal(Sealed::AppealText, "那天我在外地\u{1b}[31m".as_bytes()),
        contact_sealed: vault.seal(Sealed::AppealContact, b"0591-87654321"),
    };
    let bounds = Bounds {
        open: 9,
        filed: 9,
        since_ms: 0,
    };
    let filed = place
        .with_db(async |db| {
            db.write(move |tx| {
                items::insert(tx, &[&item], BatchId(1), 1)?;
                appeals::file(tx, &appeal, bounds, 1_772_416_800_000)
            })
            .await
        })
        .await;
    assert_eq!(filed, Filed::New(PartnerId(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appeals_are_listed_opened_and_decided() {
    let place = Place::sqlite();
    run(&mut place.banyan(&["migrate"])).success();
    let none = run(&mut place.banyan(&["appeal", "list"])).success();
    assert!(none.contains("没有待处理的申诉"), "{none}");
    contest(&place, 1).await;
    contest(&place, 2).await;

    let list = run(&mut place.banyan(&["appeal", "list"])).success();
    assert!(
        list.contains("101  待处理  2026-03-02 10:00:00  记录 1  不是本人"),
        "{list}"
    );
    assert!(
        !list.contains("0591") && !list.contains("外地"),
        "the list shows nobody"
    );
    let shown = run(&mut place.banyan(&["appeal", "show", "101"])).success();
    assert!(
        shown.contains("说明：那天我在外地\u{fffd}[31m") && shown.contains("0591-87654321"),
        "{shown}"
    );
    let again = run(&mut place.banyan(&["appeal", "show", "101"])).success();
    assert!(
        again.contains("患者提交") && again.matches("工作人员查看").count() == 1,
        "{again}"
    );

    let upheld =
        run(&mut place.banyan(&["appeal", "uphold", "101", "--answer", "已核实，记录撤销"]))
            .success();
    assert!(upheld.contains("成立"), "{upheld}");
    run(&mut place.banyan(&["appeal", "reject", "102", "--answer", "金额无误"])).success();
    for (arguments, said) in [
        (
            &["appeal", "reject", "101", "--answer", "再议"][..],
            "已结束",
        ),
        (&["appeal", "show", "7"], "没有这个申诉"),
        (&["appeal", "uphold", "102", "--answer", " "], "请写明答复"),
    ] {
        let refused = run(&mut place.banyan(arguments));
        assert!(
            refused.code == Some(1) && refused.err.contains(said),
            "{}",
            refused.err
        );
    }
    let ended = run(&mut place.banyan(&["appeal", "list", "--ended"])).success();
    assert!(
        ended.contains("101  成立") && ended.contains("102  不成立"),
        "{ended}"
    );
    assert_eq!(
        place
            .number("SELECT state FROM overdue_item WHERE id = 1")
            .await,
        2
    );
    assert_eq!(
        place
            .number("SELECT state FROM overdue_item WHERE id = 2")
            .await,
        0
    );
    assert_eq!(place.number("SELECT COUNT(*) FROM operator_audit WHERE actor = 'tester' AND action LIKE 'appeal.%'").await, 4);
}
