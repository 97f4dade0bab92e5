//! A citizen's own credential: taking one, showing its code, setting its password.

use banyan::province::PASSWORD;
use banyan_sandbox::Citizen;
use banyan_store::on_both_engines;
use serde_json::json;

use super::window::{Window, code_of};
use crate::telling::{Story, meddle};
use crate::visit::{Visit, code_of as form_code, come_in};

const TAKEN: [(&str, &str); 3] = [
    ("insuOrg", "350200"),
    ("new", "295103"),
    ("again", "295103"),
];

async fn without(story: &Story) -> (&Citizen, Visit<'_>) {
    meddle(&story.app.db, "DELETE FROM credential").await;
    let citizen = &story.citizens[0];
    (citizen, come_in(story, citizen).await)
}

on_both_engines! {
    async fn he_takes_one_with_a_password_of_his_own(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 1);
        let (citizen, visit) = without(&story).await;
        assert_eq!(code_of(window.scan(&citizen.ec_qr_code).await), "500001");
        for (fields, said) in [
            (vec![("insuOrg", "999999"), TAKEN[1], TAKEN[2]], "请选择参保地"),
            (vec![TAKEN[0], ("new", "29510"), ("again", "29510")], "6 位数字"),
            (vec![TAKEN[0], TAKEN[1], ("again", "295104")], "不一致"),
            (vec![TAKEN[0], ("new", "123456"), ("again", "123456")], "过于简单"),
            (vec![TAKEN[0], ("new", &citizen.id_no[6..12]), ("again", &citizen.id_no[6..12])], "过于简单"),
        ] {
            let refused = visit.submit("/h5/ec", "/h5/ec", &fields).await;
            assert_eq!(refused.status, 422);
            assert!(refused.text().contains(said), "{}", refused.text());
        }
        assert_eq!(visit.submit("/h5/ec", "/h5/ec", &TAKEN).await.status, 303);
        let page = visit.page("/h5/ec").await;
        assert!(page.contains("厦门市") && page.contains("/h5/ec/code") && !page.contains(&citizen.id_no), "{page}");
        assert!(visit.get("/h5/ec/code").await.text().starts_with("<svg"));
        let told = window.scan(&citizen.ec_qr_code).await.unwrap();
        assert_eq!(told["insuOrg"], json!("350200"));
        story.end().await;
    }

    async fn he_changes_his_password_with_the_old_one(db: &TestDb) {
        let story = Story::begin(db).await;
        let visit = come_in(&story, &story.citizens[0]).await;
        let change = |old: &'static str| [("old", old), ("new", "295103"), ("again", "295103")];
        let wrong = visit.submit("/h5/ec/password", "/h5/ec/password", &change("111112")).await;
        assert!(wrong.status == 422 && wrong.text().contains("还可输入 4 次"));
        assert_eq!(visit.submit("/h5/ec/password", "/h5/ec/password", &change(PASSWORD)).await.status, 303);
        let wrong = visit.submit("/h5/ec/password", "/h5/ec/password", &change(PASSWORD)).await;
        assert!(wrong.text().contains("还可输入 4 次"), "the old one is wrong now");
        story.end().await;
    }

    async fn a_hospital_s_link_does_not_lead_here(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let reply = story.hospital(0).entry_link(citizen).await.unwrap();
        let url: url::Url = reply.mdrUrl.expose().as_str().parse().unwrap();
        let visit = Visit::enter(&story, url.path()).await;
        assert!(visit.list().await.contains("医保码"));
        for path in ["/h5/ec", "/h5/ec/code", "/h5/ec/password", "/h5/ec/requests", "/h5/ec/waiting"] {
            let refused = visit.get(path).await;
            assert_eq!(refused.status, 403, "{path}");
            assert!(refused.text().contains("请从闽政通进入"));
        }
        // Nor does a form from the person's own page.
        let own = come_in(&story, citizen).await;
        let code = form_code(&own.page("/h5/ec/password").await, "/h5/ec/password");
        let fields = [("code", &*code), ("old", PASSWORD), ("new", "295103"), ("again", "295103")];
        assert_eq!(visit.send("/h5/ec/password", &fields).await.status, 403);
        story.end().await;
    }

    async fn a_form_of_another_request_answers_nothing(db: &TestDb) {
        let story = Story::begin(db).await;
        let visit = come_in(&story, &story.citizens[0]).await;
        for path in ["/h5/ec", "/h5/ec/password", "/h5/ec/requests/1"] {
            let bare = visit.send(path, &[("password", PASSWORD), ("answer", "enter")]).await;
            assert_eq!(bare.status, 403, "{path}");
        }
        story.end().await;
    }
}
