//! The operator's commands: what they print, and the status that they end with.

use banyan_client::HttpSettings;
use banyan_protocol::catalogue::{Availability, Interface};
use banyan_protocol::wire::{Field, Kind};
use banyan_sandbox::citizens;
use serde_json::{Value, json};

use crate::eventually;
use crate::listener::Listener;
use crate::partner::Partner;
use crate::place::{Place, after, banyan};
use crate::process::run;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partners_are_added_listed_rotated_and_revoked() {
    let place = Place::sqlite();
    assert!(
        run(&mut place.banyan(&["partner", "list"]))
            .success()
            .contains("尚未登记")
    );
    let added = run(&mut place.banyan(&[
        "partner",
        "add",
        "--org-id",
        "H35019960001",
        "--name",
        "榕树医院",
        "--base-url",
        "http://127.0.0.1:9/his",
        "--grant",
        "ORG_MDL_005",
        "--rate",
        "1000",
    ]));
    assert!(added.err.contains("不会再次显示"), "{}", added.err);
    let out = added.success();
    let (app_id, old) = (
        after(&out, "appId：").unwrap(),
        after(&out, "密钥：").unwrap(),
    );
    assert!(old.len() >= 16);

    let listed = run(&mut place.banyan(&["partner", "list"])).success();
    for word in [
        app_id,
        "H35019960001",
        "医疗机构",
        "启用",
        "榕树医院",
        "http://127.0.0.1:9/his",
    ] {
        assert!(listed.contains(word), "{listed}");
    }
    assert!(!listed.contains(old), "a secret is shown once");
    let json = run(&mut place.banyan(&["partner", "list", "--json"])).success();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["grants"], json!(["ORG_MDL_005"]));
    assert!(!json.to_string().contains(old));

    for (arguments, word) in [
        (&["--name", "无号医院"] as &[&str], "orgId"),
        (
            &["--name", "榕树医院", "--org-id", "H35019960001"],
            "已登记",
        ),
        (&["--name", "榕", "--org-id", "H3501996000123"], "orgId"),
        (
            &["--name", "榕", "--org-id", "H1", "--grant", "ORG_X"],
            "ORG_X",
        ),
        (
            &["--name", "榕", "--org-id", "H1", "--base-url", "ftp://a"],
            "--base-url",
        ),
        (&["--name", "榕", "--org-id", "H1", "--host", "a b"], "主机"),
        (
            &["--name", "渠道", "--kind", "mzt", "--org-id", "H1"],
            "orgId",
        ),
        (
            &["--name", "榕", "--org-id", "H1", "--corrections", "on"],
            "--base-url",
        ),
    ] {
        let mut command = place.banyan(&["partner", "add"]);
        let said = run(command.args(arguments)).failure();
        assert!(said.contains(word), "{said}");
    }

    // Corrections are wished, and then no more.
    assert_eq!(json[0]["corrections"], false);
    for (switch, shown) in [("on", true), ("off", false)] {
        let address = ["--base-url", "http://127.0.0.1:8999"];
        let mut set = place.banyan(&["partner", "set", app_id, "--corrections", switch]);
        run(set.args(address)).success();
        let listed = run(&mut place.banyan(&["partner", "list"])).success();
        assert_eq!(listed.contains("更正回执"), shown, "{listed}");
    }

    // Whatever can be set is shown, and can be taken away again.
    let set = |more: &[&str]| run(place.banyan(&["partner", "set", app_id]).args(more));
    let host = ["--host", "10.1.2.3", "--institution", "H35010000009"];
    let plain = ["--plain-replies", "true"];
    set(&[&host[..], &plain].concat()).success();
    let listed = run(&mut place.banyan(&["partner", "list"])).success();
    for word in ["10.1.2.3", "H35010000009", "接受明文应答", "ORG_MDL_005"] {
        assert!(listed.contains(word), "{listed}");
    }
    let first = || {
        let json = run(&mut place.banyan(&["partner", "list", "--json"])).success();
        let json: Value = serde_json::from_str(&json).unwrap();
        json[0].clone()
    };
    let row = first();
    assert_eq!(row["hosts"], json!(["10.1.2.3"]));
    assert_eq!(row["institutions"], json!(["H35010000009"]));
    assert_eq!(
        (&row["plainReplies"], &row["channel"]),
        (&json!(true), &Value::Null)
    );
    set(&["--no-hosts", "--no-institutions", "--no-base-url"]).success();
    let row = first();
    assert_eq!(
        (&row["hosts"], &row["institutions"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(
        (&row["baseUrl"], &row["grants"]),
        (&Value::Null, &json!(["ORG_MDL_005"]))
    );
    let both = set(&["--no-hosts", "--host", "10.1.2.3"]);
    assert_eq!(both.code, Some(2));
    assert!(both.err.contains("--no-hosts"), "{}", both.err);

    // While a platform runs, it learns of changes by itself.
    let server = place.serve();
    let as_old = Partner::new("H35019960001", app_id, old);
    let about = json!({ "orgId": "H35019960001", "orgRequestId": "none" });
    let code = async |partner: &Partner, interface| {
        let answered = partner.call(&server.url, interface, &about).await;
        answered.unwrap().unwrap_err().0
    };
    assert_eq!(code(&as_old, Interface::OrgMdl005).await, "000105");
    assert_eq!(code(&as_old, Interface::OrgMdl001).await, "-4");
    let rotate = ["partner", "rotate", app_id, "--overlap-hours", "1"];
    let out = run(&mut place.banyan(&rotate)).success();
    let as_new = Partner::new("H35019960001", app_id, after(&out, "密钥：").unwrap());
    eventually("both secrets live", async || {
        let new = as_new.call(&server.url, Interface::OrgMdl005, &about).await;
        matches!(new, Ok(Err((code, _))) if code == "000105").then_some(())
    })
    .await;
    assert_eq!(code(&as_old, Interface::OrgMdl005).await, "000105");
    let out = run(&mut place.banyan(&["partner", "rotate", app_id, "--overlap-hours", "0"]));
    let newest = after(&out.out, "密钥：").unwrap().to_owned();
    assert!(out.err.contains("0 小时"), "{}", out.err);
    eventually("the old ones have ended", async || {
        let old = [&as_old, &as_new].map(|one| one.call(&server.url, Interface::OrgMdl005, &about));
        let [old, new] = old;
        let refused = |answer: Result<_, _>| {
            matches!(answer, Ok(Err((code, _))) if ["000101", "000102"].contains(&String::as_str(&code)))
        };
        (refused(old.await) && refused(new.await)).then_some(())
    })
    .await;
    let newest = Partner::new("H35019960001", app_id, &newest);
    assert_eq!(code(&newest, Interface::OrgMdl005).await, "000105");

    for (arguments, said, expected) in [
        (
            &["partner", "revoke", app_id] as &[&str],
            "已停用",
            "000001",
        ),
        (
            &["partner", "revoke", app_id, "--restore"],
            "已恢复",
            "000105",
        ),
    ] {
        assert!(run(&mut place.banyan(arguments)).success().contains(said));
        eventually(said, async || {
            (code(&newest, Interface::OrgMdl005).await == expected).then_some(())
        })
        .await;
    }
    for arguments in [
        ["partner", "rotate", "nobody"],
        ["partner", "revoke", "nobody"],
    ] {
        let said = run(&mut place.banyan(&arguments)).failure();
        assert!(said.contains("没有这个接入方"), "{said}");
    }
    assert_eq!(server.program.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_are_applied_once() {
    for place in [Some(Place::sqlite()), Place::postgres().await]
        .into_iter()
        .flatten()
    {
        let said = run(&mut place.banyan(&["migrate"])).success();
        assert!(
            said.contains("已应用") && said.contains("partner"),
            "{said}"
        );
        let said = run(&mut place.banyan(&["migrate"])).success();
        assert!(said.contains("已是最新"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_finds_what_was_changed_afterwards() {
    for place in [Some(Place::sqlite()), Place::postgres().await]
        .into_iter()
        .flatten()
    {
        let hospital = place.add_hospital("H35019970001");
        let server = place.serve();
        let about = json!({ "orgId": hospital.org_id, "orgRequestId": "none" });
        for _ in 0..3 {
            let answered = hospital
                .call(&server.url, Interface::OrgMdl005, &about)
                .await;
            answered.unwrap().unwrap_err();
        }
        eventually("the journal is sealed", async || {
            place.let_journal_be_sealed().await;
            let unsealed = "SELECT COUNT(*) FROM journal WHERE block IS NULL";
            let blocks = "SELECT COUNT(*) FROM chain_block WHERE chain LIKE '%'";
            let sealed = place.number(unsealed).await == 0 && place.number(blocks).await >= 2;
            sealed.then_some(())
        })
        .await;
        assert_eq!(server.program.stop().code, Some(0));
        let verify = || run(&mut place.banyan(&["audit", "verify"]));
        let said = verify().success();
        assert_eq!(said.matches("完整").count(), 2, "{said}");

        for (change, back, chain) in [
            (
                "UPDATE journal SET result = '000000' WHERE result = '000105'",
                "UPDATE journal SET result = '000105' WHERE result = '000000'",
                "报文日志：区块 1",
            ),
            (
                "UPDATE operator_audit SET actor = 'nobody'",
                "UPDATE operator_audit SET actor = 'tester'",
                "操作审计：区块 1",
            ),
            (
                "UPDATE chain_block SET entries = entries + 1",
                "UPDATE chain_block SET entries = entries - 1",
                "报文日志：区块 1",
            ),
        ] {
            assert!(place.execute(change).await > 0);
            let broken = verify();
            assert_eq!(broken.code, Some(1), "{}", broken.out);
            assert!(broken.out.contains(chain), "{}", broken.out);
            assert!(broken.out.contains("不符"), "{}", broken.out);
            place.execute(back).await;
        }
        verify().success();
        place.execute("DELETE FROM journal WHERE block = 1").await;
        assert_eq!(
            verify().code,
            Some(1),
            "entries that were taken out are missed"
        );
    }
}

#[test]
fn the_catalogue_is_listed_and_each_interface_shown_with_all_its_fields() {
    let folder = tempfile::tempdir().unwrap();
    let list = run(banyan(folder.path()).arg("interface")).success();
    assert_eq!(list.lines().count(), Interface::ALL.len());
    for interface in Interface::ALL {
        let spec = interface.spec();
        let line = list
            .lines()
            .find(|line| line.starts_with(spec.code))
            .unwrap();
        assert!(line.contains(spec.name), "{line}");
        let shown = run(banyan(folder.path()).args(["interface", spec.code])).success();
        assert!(
            shown.contains(spec.name) && shown.contains(spec.source.section),
            "{shown}"
        );
        if spec.availability == Availability::NotYet {
            assert!(shown.contains("404404"), "{shown}");
            continue;
        }
        let (request, reply) = shown.split_once("\n应答\n").unwrap();
        shows_all(request, spec.request);
        shows_all(reply, spec.reply);
    }
    let shown = run(banyan(folder.path()).args(["interface", "ORG_MDL_001"])).success();
    for word in [
        "/umdl/reportOverdueData",
        "unsettleList",
        "41 定点药店购药",
        "11 普通门诊",
        "必填",
    ] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let said = run(banyan(folder.path()).args(["interface", "ORG_X"])).failure();
    assert!(said.contains("ORG_X"), "{said}");
}

fn shows_all(shown: &str, fields: &[Field]) {
    for field in fields {
        let line = format!("{}  {}  ", field.code, field.name);
        assert!(shown.contains(&line), "{line}: {shown}");
        match field.kind {
            Kind::List { fields } => shows_all(shown, fields),
            Kind::Dictionary { entries, .. } => {
                for entry in entries {
                    assert!(
                        shown.contains(&format!("{} {}", entry.code, entry.name)),
                        "{shown}"
                    );
                }
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_are_sent_again_when_asked() {
    let place = Place::sqlite();
    let hospital = place.add_hospital("H35019980001");
    let listener = Listener::start(std::slice::from_ref(&hospital)).await;
    let server = place.serve();
    let citizen = citizens::generate(1, 9)
        .remove(0)
        .with_index(&place.vault());
    place.register(std::slice::from_ref(&citizen));
    let report = hospital.report("R1", &listener.url, &citizen, &["R1-1".to_owned()]);
    let hospital = Partner::with(
        &hospital.org_id,
        &hospital.app_id,
        &hospital.secret,
        &HttpSettings::default(),
    );
    hospital
        .ask(&server.url, Interface::OrgMdl001, &report)
        .await;
    let delivered = async |times: usize| {
        eventually("the callback comes", async || {
            let notices = listener.about(&hospital, "R1");
            let (id, told) = notices.first()?;
            (told.len() == times).then(|| (id.clone(), told.clone()))
        })
        .await
    };
    let (id, _) = delivered(1).await;
    // Only what has ended is sent again.
    let ended = "SELECT COUNT(*) FROM job WHERE state = 1";
    let wait_until_ended = async || {
        eventually("the job has ended", async || {
            (place.number(ended).await == 1).then_some(())
        })
        .await;
    };
    wait_until_ended().await;
    let said = run(&mut place.banyan(&["callback", "resend", "--id", &id])).success();
    assert!(said.contains("已安排重发 1 条"), "{said}");
    delivered(2).await;
    wait_until_ended().await;
    let window = |from: &'static str, to: &'static str| {
        let mut command = place.banyan(&["callback", "resend", "--app-id", &hospital.app_id]);
        command.args(["--from", from, "--to", to]);
        command
    };
    // What was delivered is left alone unless that is asked for.
    let mut whole = window("2000-01-01 00:00:00", "2099-01-01 00:00:00");
    assert!(run(&mut whole).success().contains("0 条"));
    let said = run(whole.arg("--delivered")).success();
    assert!(said.contains("已安排重发 1 条"), "{said}");
    let (_, told) = delivered(3).await;
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    let said = run(&mut window("2000-01-01 00:00:00", "2000-01-02 00:00:00")).success();
    assert!(said.contains("0 条"), "{said}");
    let said = run(&mut place.banyan(&["callback", "resend", "--id", "1"])).success();
    assert!(said.contains("0 条"), "{said}");
    let nobody = [
        "--app-id",
        "nobody",
        "--from",
        "2000-01-01 00:00:00",
        "--to",
        "2001-01-01 00:00:00",
    ];
    let said = run(place.banyan(&["callback", "resend"]).args(nobody)).failure();
    assert!(said.contains("没有这个接入方"), "{said}");
    // What is malformed on the command line is a fault of usage: status 2.
    let wrong = run(&mut window("yesterday", "2099-01-01 00:00:00"));
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
    assert_eq!(server.program.stop().code, Some(0));
}
