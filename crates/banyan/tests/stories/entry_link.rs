//! ORG_MDL_004: the link to a citizen's own list, opened once.

use banyan_protocol::catalogue::Interface;
use banyan_sandbox::Citizen;
use banyan_store::on_both_engines;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::partners_voice::{RawReply, http};
use crate::telling::{MINUTE_MS, Story, query};

/// The path of a link, as a browser asks for it.
fn path(link: &str) -> String {
    let url: url::Url = link.parse().unwrap();
    url.path().to_owned()
}

async fn get(story: &Story, path: &str, cookie: Option<&str>) -> RawReply {
    let headers: Vec<_> = cookie
        .map(|cookie| ("cookie", cookie))
        .into_iter()
        .collect();
    http(story.platform(), "GET", path, &headers, b"").await
}

async fn link(story: &Story, citizen: &Citizen) -> String {
    let reply = story.hospital(0).entry_link(citizen).await.unwrap();
    path(reply.mdrUrl.expose().as_str())
}

/// Opens a link; gives the session's cookie.
async fn enter(story: &Story, link: &str) -> String {
    let entered = get(story, link, None).await;
    assert_eq!(entered.status, 303);
    assert_eq!(entered.header("location"), Some("/h5/overdue"));
    let cookie = entered.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    cookie.split(';').next().unwrap().to_owned()
}

async fn show(story: &Story, cookie: &str) -> RawReply {
    get(story, "/h5/overdue", Some(cookie)).await
}

on_both_engines! {
    async fn it_opens_once_and_shows_one_s_own_list(db: &TestDb) {
        let story = Story::begin(db).await;
        let (citizen, other) = (&story.citizens[0], &story.citizens[1]);
        story.owe(0, Some(citizen), 1_250).await;
        let (paid, _) = story.owe(1, Some(citizen), 333).await;
        story.hospital(1).pay(&paid).await.unwrap();
        story.owe(0, Some(other), 77_777).await;
        story.owe(0, None, 88_888).await;
        story.settle().await;

        let first = link(&story, citizen).await;
        let tries = join_all((0..5).map(|_| get(&story, &first, None))).await;
        let mut statuses: Vec<_> = tries.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 410, 410, 410, 410]);

        let second = link(&story, citizen).await;
        let cookie = enter(&story, &second).await;
        assert_eq!(get(&story, &second, None).await.status, 410);
        let page = show(&story, &cookie).await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        let html = page.text();
        assert!(html.contains("12.50") && html.contains("3.33") && html.contains("已缴清"));
        assert!(!html.contains("777.77") && !html.contains("888.88"), "nobody else's");
        assert!(!html.contains(&citizen.user_name) && !html.contains(&citizen.id_no), "his name is masked");
        assert!(!html.contains("http://") && !html.contains("https://"), "it asks no other host");

        for stranger in ["banyan_session=", "banyan_session=AAAA", "x=y"] {
            assert_eq!(show(&story, stranger).await.status, 401);
        }
        assert_eq!(get(&story, "/h5/overdue", None).await.status, 401);
        for forged in ["/h5/in/AAAA", "/h5/in/%00", "/h5/in/..%2f..", &format!("/h5/in/{}", "A".repeat(43))] {
            assert_eq!(get(&story, forged, None).await.status, 410, "{forged}");
        }
        assert_eq!(story.number("SELECT COUNT(*) FROM entry_link WHERE used_ms IS NOT NULL").await, 2);
        assert_eq!(story.number("SELECT COUNT(*) FROM citizen_session").await, 2);
        story.end().await;
    }

    async fn links_and_sessions_end_by_the_clock(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let late = link(&story, citizen).await;
        let in_time = link(&story, citizen).await;
        story.clock.advance_ms(10 * MINUTE_MS - 1_000);
        let cookie = enter(&story, &in_time).await;
        story.clock.advance_ms(2_000);
        let over = get(&story, &late, None).await;
        assert_eq!(over.status, 410);
        assert!(over.text().contains("已过期"));
        story.clock.advance_ms(29 * MINUTE_MS);
        assert_eq!(show(&story, &cookie).await.status, 200);
        story.clock.advance_ms(MINUTE_MS);
        assert_eq!(show(&story, &cookie).await.status, 401);
        story.end().await;
    }

    async fn a_hostile_item_name_is_only_text(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let hostile = "<script>alert('1')</script>&\"><img>";
        let hospital = story.hospital(0);
        let number = hospital.owe(Some(citizen), story.debt(hostile, 100));
        hospital.report(&[&number]).await.unwrap();
        story.settle().await;
        let cookie = enter(&story, &link(&story, citizen).await).await;
        let html = show(&story, &cookie).await.text();
        assert!(!html.contains("<script>") && !html.contains("<img>"));
        assert!(html.contains("&#60;script&#62;alert(&#39;1&#39;)&#60;/script&#62;&#38;&#34;&#62;&#60;img&#62;"), "{html}");
        let reply = story.hospital(1).query(citizen, false).await.unwrap();
        assert_eq!(reply.itemList[0].itemName.as_str(), hostile, "on the wire it stands as it was");
        story.end().await;
    }

    async fn mzt_needs_no_index_and_a_hospital_does(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        story.owe(0, Some(citizen), 500).await;
        let seen = story.mzt.query(citizen).await.unwrap();
        assert_eq!((seen.next.code(), seen.itemList[0].amount.fen()), ("0", 500));
        let cookie = enter(&story, &path(story.mzt.entry_link(citizen).await.unwrap().mdrUrl.expose().as_str())).await;
        assert!(show(&story, &cookie).await.text().contains("5.00"));

        let voice = story.voice(0);
        let without = |mut message: Value| {
            message.as_object_mut().unwrap().remove("ehealthCardId");
            message
        };
        voice.say(Interface::OrgMdl002, &without(query(citizen))).await.refused("000105", "ehealthCardId");
        let mut asked = query(citizen);
        asked.as_object_mut().unwrap().remove("businessType");
        voice.say(Interface::OrgMdl004, &asked).await.refused("000105", "orgId");
        asked["orgId"] = json!(story.hospital(0).org_id());
        voice.say(Interface::OrgMdl004, &without(asked.clone())).await.refused("000105", "ehealthCardId");
        asked["orgId"] = json!(story.hospital(1).org_id());
        voice.say(Interface::OrgMdl004, &asked).await.refused("000105", "orgId");
        assert_eq!(story.number("SELECT COUNT(*) FROM entry_link").await, 1);
        story.end().await;
    }
}
