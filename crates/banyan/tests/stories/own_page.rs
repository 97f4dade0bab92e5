//! What a citizen can do on his own pages: see his list, have it refreshed, see who asked about
//! him, choose large type, and leave.

use banyan_sandbox::{Fault, SimulatedHospital};
use banyan_store::on_both_engines;

use crate::partners_voice::http;
use crate::telling::{MINUTE_MS, Story, meddle, person, report, until_number};
use crate::visit::{code_of, come_in, link};

/// Takes away a hospital's address, so that it can't be asked.
async fn hide(story: &Story, hospital: &SimulatedHospital) {
    let db = &story.app.db;
    let app_id = hospital.app_id().to_owned();
    db.write(move |tx| {
        tx.execute(
            "UPDATE partner SET base_url = NULL WHERE app_id = $1",
            &[(&app_id).into()],
        )?;
        tx.execute("UPDATE partner_revision SET revision = revision + 1", &[])
    })
    .await
    .unwrap();
    story.renew().await;
}

on_both_engines! {
    async fn the_list_says_what_is_owed_to_whom_and_how_it_stands(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        story.owe(0, Some(citizen), 123_450).await;
        story.owe(0, Some(citizen), 50).await;
        story.owe(1, Some(citizen), 1_250).await;
        let (paid, paid_trace) = story.owe(1, Some(citizen), 333).await;
        let (wrong, _) = story.owe(2, Some(citizen), 999).await;
        story.hospital(1).pay(&paid).await.unwrap();
        story.hospital(2).revoke(&wrong).await.unwrap();
        story.settle().await;
        let visit = come_in(&story, citizen).await;
        let html = visit.list().await;
        assert!(html.contains("1,247.50") && html.contains("共 3 项，涉及 2 家医院"), "{html}");
        assert!(html.contains("2 项，共 1,235.00 元"), "by hospital");
        for shown in ["1,234.50", "12.50", "3.33", "9.99", "未结清", "已缴清", "已撤销", "诊查费", "门诊费用",
            "2026年3月1日", "2026年3月2日", "榕城第一医院（沙箱）", "武夷妇幼保健院（沙箱）"] {
            assert!(html.contains(shown), "{shown}");
        }
        let order: Vec<_> = ["id=\"unpaid\"", "id=\"paid\"", "id=\"revoked\""].iter().map(|part| html.find(part).unwrap()).collect();
        assert!(order.is_sorted());
        let record = visit.page(&format!("/h5/overdue/item/{paid_trace}")).await;
        assert!(record.contains("医院登记为已缴清") && record.contains("医院上报") && !record.contains("提出申诉"));
        story.end().await;
    }

    async fn a_refresh_asks_the_hospitals_and_says_what_came_of_it(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (number, _) = story.owe(1, Some(citizen), 1_250).await;
        story.owe(0, Some(citizen), 700).await;
        story.owe(2, Some(citizen), 900).await;
        let visit = come_in(&story, citizen).await;
        let hospital = story.hospital(1);
        hide(&story, story.hospital(2)).await;

        // The hospital was paid, but its update never arrived.
        hospital.pay_locally(&number).unwrap();
        hospital.set_fault(Fault::Status(500));
        story.clock.advance_ms(2 * MINUTE_MS);
        let refreshed = visit.refresh().await;
        assert_eq!(refreshed.status, 303);
        let html = visit.page(refreshed.header("location").unwrap()).await;
        assert!(html.contains("鹭岛中医院（沙箱）</bdi></strong>：医院暂时没有答复"), "{html}");
        assert!(html.contains("榕城第一医院（沙箱）</bdi></strong>：已核实，医院答复仍未结清"));
        assert!(html.contains("武夷妇幼保健院（沙箱）</bdi></strong>：暂不支持在线核实"));
        assert_eq!(story.mzt.query(citizen).await.unwrap().next.code(), "0");

        hospital.set_fault(Fault::None);
        // Within a minute nobody is asked again but who can't be asked.
        let too_soon = visit.refresh().await;
        let html = visit.page(too_soon.header("location").unwrap()).await;
        assert!(!html.contains("医院暂时没有答复") && html.contains("暂不支持在线核实"), "{html}");
        story.clock.advance_ms(2 * MINUTE_MS);
        let changed = visit.refresh().await;
        let location = changed.header("location").unwrap().to_owned();
        let html = visit.page(&location).await;
        assert!(html.contains("鹭岛中医院（沙箱）</bdi></strong>：已核实，名单已更新"), "{html}");
        assert!(html.contains("已缴清") && html.contains("16.00"));
        assert_eq!(story.number("SELECT COUNT(*) FROM journal WHERE interface = 'ORG_001'").await, 4);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_change WHERE cause = 'reconciled'").await, 1);

        // What somebody wrote into a link himself is not said.
        let forged = visit.page(&location.replace("refreshed=", "refreshed=1c-")).await;
        assert!(!forged.contains("已核实"), "{forged}");
        let other = come_in(&story, citizen).await;
        assert!(!other.page(&location).await.contains("已核实"), "another session's refresh");
        story.end().await;
    }

    async fn refreshing_has_its_bounds(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let hospital = story.hospital(0);
        let numbers: Vec<_> = (0..25).map(|_| hospital.owe(Some(citizen), story.debt("诊查费", 100))).collect();
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        hospital.report(&numbers).await.unwrap();
        story.settle().await;
        let visit = come_in(&story, citizen).await;
        story.clock.advance_ms(2 * MINUTE_MS);
        let first = visit.refresh().await;
        let html = visit.page(first.header("location").unwrap()).await;
        assert!(html.contains("还有一些记录本次没有核实到"), "{html}");
        assert_eq!(story.number("SELECT COUNT(*) FROM journal WHERE interface = 'ORG_001'").await, 20);
        let second = visit.refresh().await;
        let html = visit.page(second.header("location").unwrap()).await;
        assert!(!html.contains("还有一些记录"), "{html}");
        assert_eq!(story.number("SELECT COUNT(*) FROM journal WHERE interface = 'ORG_001'").await, 25);
        let third = visit.refresh().await;
        assert!(visit.page(third.header("location").unwrap()).await.contains("一分钟内刚核实过"));
        for _ in 0..3 {
            assert_eq!(visit.refresh().await.status, 303);
        }
        let too_often = visit.refresh().await;
        assert_eq!(too_often.status, 429);
        assert!(too_often.text().contains("操作太频繁"));
        story.clock.advance_ms(10 * MINUTE_MS);
        assert_eq!(visit.refresh().await.status, 303);
        story.end().await;
    }

    async fn only_a_page_of_this_session_can_send_a_form(db: &TestDb) {
        let story = Story::begin(db).await;
        let (citizen, other) = (&story.citizens[0], &story.citizens[1]);
        let (_, trace_id) = story.owe(0, Some(citizen), 100).await;
        let visit = come_in(&story, citizen).await;
        let thief = come_in(&story, other).await;
        story.clock.advance_ms(2 * MINUTE_MS);
        let html = visit.list().await;
        let code = code_of(&html, "/h5/refresh");
        let appeal = format!("/h5/overdue/item/{trace_id}/appeal");
        let plea = [("reason", "paid"), ("contact", "13800000000")];
        for path in ["/h5/refresh", "/h5/leave", "/h5/size", &appeal] {
            let bare = visit.send(path, &plea).await;
            assert_eq!(bare.status, 403, "{path} without a code");
            assert!(bare.text().contains("这次操作没有生效") && bare.text().contains("<h1>"));
            let wrong = visit.send(path, &[("code", "AAAA"), plea[0], plea[1], ("size", "large")]).await;
            assert_eq!(wrong.status, 403, "{path} with a wrong code");
        }
        let elsewhere = visit.send("/h5/leave", &[("code", &code)]).await;
        assert_eq!(elsewhere.status, 403, "a code of another form");
        assert_eq!(thief.send("/h5/refresh", &[("code", &code)]).await.status, 403, "of another session");
        for header in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example"), ("origin", "http://127.0.0.1")] {
            let refused = visit.send_from("/h5/refresh", &[("code", &code)], &[header]).await;
            assert_eq!(refused.status, 403, "{header:?}");
        }
        assert_eq!(http(story.platform(), "POST", "/h5/refresh", &[], b"").await.status, 401);
        assert_eq!(story.number("SELECT COUNT(*) FROM journal WHERE interface = 'ORG_001'").await, 0);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_appeal").await, 0);
        let own = [("sec-fetch-site", "same-origin"), ("origin", "null")];
        assert_eq!(visit.send_from("/h5/refresh", &[("code", &code)], &own).await.status, 303);
        assert_eq!(visit.send_from("/h5/refresh", &[("code", &code)], &own[1..]).await.status, 303, "an older browser");
        let large = visit.send(&appeal, &[("text", &"字".repeat(20_000))]).await;
        assert_eq!(large.status, 413);
        story.end().await;
    }

    async fn he_sees_who_asked_about_him_and_what_for(db: &TestDb) {
        let story = Story::begin(db).await;
        let (citizen, other) = (&story.citizens[0], &story.citizens[1]);
        for _ in 0..32 {
            story.hospital(1).query(citizen, false).await.unwrap();
        }
        story.hospital(2).query(other, false).await.unwrap();
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_MDL_002'", 33).await;
        let visit = come_in(&story, citizen).await;
        let html = visit.page("/h5/overdue/looks").await;
        assert!(html.contains("鹭岛中医院（沙箱）") && html.contains("查询您是否有医疗欠费（挂号）"), "{html}");
        assert!(html.contains("闽政通（沙箱）") && html.contains("为您打开本名单"), "{html}");
        assert!(!html.contains("武夷妇幼保健院"), "who asked about somebody else");
        assert_eq!(html.matches("<p class=\"name\">").count(), 30);
        assert!(html.contains("/h5/overdue/looks?page=2"));
        let rest = visit.page("/h5/overdue/looks?page=2").await;
        assert_eq!(rest.matches("<p class=\"name\">").count(), 3);
        assert!(!rest.contains("page=3"));
        story.clock.advance_ms(91 * 1_440 * MINUTE_MS);
        let later = come_in(&story, citizen).await.page("/h5/overdue/looks").await;
        assert_eq!(later.matches("<p class=\"name\">").count(), 1, "only the look of just now");
        story.end().await;
    }

    async fn a_preview_does_not_use_a_link_up(db: &TestDb) {
        let story = Story::begin(db).await;
        let link = link(&story, &story.citizens[0]).await;
        let preview = http(story.platform(), "HEAD", &link, &[], b"").await;
        assert_eq!((preview.status, preview.header("set-cookie")), (200, None));
        assert_eq!(http(story.platform(), "GET", &link, &[], b"").await.status, 303);
        story.end().await;
    }

    async fn whoever_leaves_is_gone(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (visit, elsewhere) = (come_in(&story, citizen).await, come_in(&story, citizen).await);
        let left = visit.submit("/h5/overdue", "/h5/leave", &[]).await;
        assert_eq!(left.status, 200);
        assert!(left.header("set-cookie").unwrap().contains("Max-Age=0"));
        assert!(left.text().contains("您已退出"));
        assert_eq!(visit.get("/h5/overdue").await.status, 401, "whoever kept the cookie");
        assert_eq!(elsewhere.get("/h5/overdue").await.status, 200, "on another phone he is still in");
        story.end().await;
    }

    async fn large_type_stays_and_leads_nowhere_else(db: &TestDb) {
        let story = Story::begin(db).await;
        let visit = come_in(&story, &story.citizens[0]).await;
        let switched = visit.submit("/h5/overdue/looks", "/h5/size", &[("size", "large"), ("back", "/h5/overdue/looks")]).await;
        assert_eq!((switched.status, switched.header("location")), (303, Some("/h5/overdue/looks")));
        let cookie = switched.header("set-cookie").unwrap();
        assert!(cookie.contains("Max-Age=31536000") && cookie.contains("HttpOnly"));
        let both = format!("{}; {}", visit.cookie, cookie.split(';').next().unwrap());
        let large = http(story.platform(), "GET", "/h5/overdue", &[("cookie", &both)], b"").await.text();
        assert!(large.contains("class=\"large\"") && large.contains("标准字"));
        let problem = http(story.platform(), "GET", "/h5/nowhere", &[("cookie", &both)], b"").await;
        assert!(problem.status == 404 && problem.text().contains("class=\"large\""));
        for away in ["https://evil.example/", "//evil.example", "/h5/overdue//evil.example", "javascript:alert(1)"] {
            let led = visit.submit("/h5/overdue", "/h5/size", &[("size", "normal"), ("back", away)]).await;
            assert_eq!(led.header("location"), Some("/h5/overdue"), "{away}");
        }
        story.end().await;
    }

    async fn what_is_not_there_is_said_in_plain_words(db: &TestDb) {
        let story = Story::begin(db).await;
        let (citizen, other) = (&story.citizens[0], &story.citizens[1]);
        let (_, others) = story.owe(0, Some(other), 100).await;
        let visit = come_in(&story, citizen).await;
        for path in ["/h5", "/h5/", "/h5/nowhere", "/h5/overdue/item/1", "/h5/overdue/item/x", "/h5/overdue/item/+1",
            "/h5/overdue/appeals/1", "/h5/assets/h5.css", &format!("/h5/overdue/item/{others}"), &format!("/h5/overdue/item/{others}/appeal"),
            "/h5/overdue/item/99999999999999999999", "/h5/overdue/item/%ff"] {
            let reply = visit.get(path).await;
            assert_eq!(reply.status, 404, "{path}");
            let html = reply.text();
            assert!(html.starts_with("<!DOCTYPE html>") && html.contains("没有找到这个页面"), "{path}: {html}");
            assert!(reply.header("content-security-policy").unwrap().contains("default-src 'none'"));
        }
        let method = visit.get("/h5/refresh").await;
        assert!(method.status == 405 && method.text().contains("不能这样打开"));
        let html = visit.list().await;
        for kind in ["css", "js", "svg"] {
            let end = html.find(&format!(".{kind}\"")).unwrap();
            let start = html[..end].rfind('"').unwrap() + 1;
            let asset = visit.get(&format!("{}.{kind}", &html[start..end])).await;
            assert_eq!(asset.status, 200, "{kind}");
            assert!(asset.header("cache-control").unwrap().contains("immutable"));
        }
        story.end().await;
    }

    async fn what_fails_here_is_said_without_details(db: &TestDb) {
        let story = Story::begin(db).await;
        let visit = come_in(&story, &story.citizens[0]).await;
        let other = link(&story, &story.citizens[0]).await;
        meddle(&story.app.db, "ALTER TABLE citizen_session RENAME TO gone").await;
        let reply = visit.get("/h5/overdue").await;
        let html = reply.text();
        assert_eq!(reply.status, 503);
        assert!(html.contains("系统繁忙") && !html.contains("citizen_session"), "{html}");
        assert_eq!(http(story.platform(), "GET", &other, &[], b"").await.status, 503);
        assert!(http(story.platform(), "GET", "/metrics", &[], b"").await.text().contains("banyan_failures_total{what=\"page\"} 2"));
        meddle(&story.app.db, "ALTER TABLE gone RENAME TO citizen_session").await;
        assert_eq!(visit.get("/h5/overdue").await.status, 200);
        assert_eq!(http(story.platform(), "GET", &other, &[], b"").await.status, 303, "the link was not used up");
        story.end().await;
    }

    async fn five_hundred_records_still_fit(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let hospital = story.hospital(0);
        let name = "<&\"𠮷".repeat(10);
        for batch in 0..5 {
            let items: Vec<_> = (0..100).map(|number| {
                let mut item = crate::telling::item(&format!("N{batch}-{number}"), "9999999.99");
                item["itemName"] = serde_json::json!(name);
                item
            }).collect();
            let message = report(hospital, &format!("B{batch}"), person(citizen), &items);
            story.voice(0).say(banyan_protocol::catalogue::Interface::OrgMdl001, &message).await.done();
        }
        story.settle().await;
        let visit = come_in(&story, citizen).await;
        let html = visit.list().await;
        assert!(html.len() < 30_000, "{} bytes", html.len());
        assert!(html.contains("还有 475 条") && html.contains("4,999,999,995.00"), "{html}");
        let last = visit.page("/h5/overdue?page=20").await;
        assert!(last.len() < 30_000 && last.contains("上一页") && !last.contains("下一页"));
        assert_eq!(last.matches("class=\"item unpaid\"").count(), 25);
        story.end().await;
    }
}
