//! What a citizen can do on his own page: see who asked about him, and have the list refreshed.

use banyan_sandbox::{Citizen, Fault};
use banyan_store::on_both_engines;

use crate::partners_voice::{RawReply, http};
use crate::telling::{MINUTE_MS, Story, until_number};

/// Opens a link of 闽政通; gives the session's cookie.
async fn come_in(story: &Story, citizen: &Citizen) -> String {
    let reply = story.mzt.entry_link(citizen).await.unwrap();
    let link: url::Url = reply.mdrUrl.expose().as_str().parse().unwrap();
    let entered = http(story.platform(), "GET", link.path(), &[], b"").await;
    let cookie = entered.header("set-cookie").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn page(story: &Story, cookie: &str) -> String {
    let headers = [("cookie", cookie)];
    let page = http(story.platform(), "GET", "/h5/overdue", &headers, b"").await;
    assert_eq!(page.status, 200);
    page.text()
}

async fn refresh(story: &Story, headers: &[(&str, &str)]) -> RawReply {
    http(story.platform(), "POST", "/h5/refresh", headers, b"").await
}

on_both_engines! {
    async fn a_refresh_asks_the_hospital_and_says_what_came_of_it(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (number, _) = story.owe(1, Some(citizen), 1_250).await;
        let cookie = come_in(&story, citizen).await;
        let headers = [("cookie", &*cookie)];
        let hospital = story.hospital(1);

        // The hospital was paid, but its update never arrived.
        hospital.pay_locally(&number).unwrap();
        hospital.set_fault(Fault::Status(500));
        story.clock.advance_ms(2 * MINUTE_MS);
        let unanswered = refresh(&story, &headers).await;
        assert_eq!(unanswered.header("location"), Some("/h5/overdue?refreshed=unanswered"));
        assert_eq!(story.mzt.query(citizen).await.unwrap().next.code(), "0");

        hospital.set_fault(Fault::None);
        // Within a minute nobody is asked again.
        let too_soon = refresh(&story, &headers).await;
        assert_eq!(too_soon.header("location"), Some("/h5/overdue?refreshed=unchanged"));
        story.clock.advance_ms(2 * MINUTE_MS);
        let changed = refresh(&story, &headers).await;
        assert_eq!((changed.status, changed.header("location")), (303, Some("/h5/overdue?refreshed=changed")));
        assert_eq!(story.mzt.query(citizen).await.unwrap().next.code(), "1");
        let html = page(&story, &cookie).await;
        assert!(html.contains("已缴清") && html.contains("您目前没有医疗欠费"), "{html}");
        let said = http(story.platform(), "GET", "/h5/overdue?refreshed=changed", &headers, b"").await;
        assert!(said.text().contains("名单已更新"));
        assert_eq!(story.number("SELECT COUNT(*) FROM journal WHERE interface = 'ORG_001'").await, 2);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_change WHERE cause = 'reconciled'").await, 1);
        story.end().await;
    }

    async fn only_one_s_own_page_can_ask_for_it(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        story.owe(0, Some(citizen), 100).await;
        let cookie = come_in(&story, citizen).await;
        story.clock.advance_ms(2 * MINUTE_MS);
        for other in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            let refused = refresh(&story, &[("cookie", &cookie), other]).await;
            assert_eq!(refused.status, 403, "{other:?}");
        }
        assert_eq!(refresh(&story, &[]).await.status, 401);
        assert_eq!(story.number("SELECT COUNT(*) FROM journal WHERE interface = 'ORG_001'").await, 0);
        let own = refresh(&story, &[("cookie", &cookie), ("sec-fetch-site", "same-origin")]).await;
        assert_eq!(own.status, 303);
        assert_eq!(story.number("SELECT COUNT(*) FROM journal WHERE interface = 'ORG_001'").await, 1);
        story.end().await;
    }

    async fn he_sees_who_asked_about_him_and_what_for(db: &TestDb) {
        let story = Story::begin(db).await;
        let (citizen, other) = (&story.citizens[0], &story.citizens[1]);
        story.hospital(1).query(citizen, false).await.unwrap();
        story.hospital(2).query(other, false).await.unwrap();
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_MDL_002'", 2).await;
        let cookie = come_in(&story, citizen).await;
        let html = page(&story, &cookie).await;
        assert!(html.contains("鹭岛中医院（沙箱）（挂号）"), "{html}");
        assert!(html.contains("闽政通（沙箱）（为您打开本页面）"), "{html}");
        assert!(!html.contains("武夷妇幼保健院"), "who asked about somebody else");
        story.end().await;
    }

    async fn a_preview_does_not_use_a_link_up(db: &TestDb) {
        let story = Story::begin(db).await;
        let reply = story.mzt.entry_link(&story.citizens[0]).await.unwrap();
        let link: url::Url = reply.mdrUrl.expose().as_str().parse().unwrap();
        let preview = http(story.platform(), "HEAD", link.path(), &[], b"").await;
        assert_eq!((preview.status, preview.header("set-cookie")), (200, None));
        assert_eq!(http(story.platform(), "GET", link.path(), &[], b"").await.status, 303);
        story.end().await;
    }
}
