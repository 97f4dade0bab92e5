//! Who may call, with which secret, what, how often, and when.

use banyan_platform::admin::Edit;
use banyan_protocol::catalogue::Interface;
use banyan_store::on_both_engines;
use banyan_store::partners::Kind;
use serde_json::json;

use crate::partners_voice::{http, path};
use crate::telling::{
    HOUR_MS, Platform, SECOND_MS, Story, item, new_hospital, number, person, query, report,
};

on_both_engines! {
    async fn both_secrets_open_while_a_hospital_changes_over(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let old = story.voice(0);
        let issued = story.desk().rotate(&old.app_id, 24 * HOUR_MS).await.unwrap();
        let new = story.voice_of(&old.app_id, &issued.secret);
        story.renew().await;
        // Each is answered under the secret that it spoke with.
        for voice in [&old, &new, &old] {
            voice.say(Interface::OrgMdl002, &query(citizen)).await.done();
        }
        story.clock.advance_ms(23 * HOUR_MS);
        old.say(Interface::OrgMdl002, &query(citizen)).await.done();
        story.clock.advance_ms(HOUR_MS);
        let stopped = old.say(Interface::OrgMdl002, &query(citizen)).await;
        assert!(["000101", "000102"].contains(&&*stopped.code), "{}", stopped.code);
        new.say(Interface::OrgMdl002, &query(citizen)).await.done();

        // A second change in the middle of the first ends the oldest at once.
        let desk = story.desk();
        let second = desk.rotate(&old.app_id, HOUR_MS).await.unwrap();
        let third = desk.rotate(&old.app_id, HOUR_MS).await.unwrap();
        story.renew().await;
        for (secret, opens) in [(issued.secret, false), (second.secret, true), (third.secret, true)] {
            let heard = story.voice_of(&old.app_id, &secret).say(Interface::OrgMdl002, &query(citizen)).await;
            assert_eq!(heard.code == "000000", opens);
        }
        story.end().await;
    }

    async fn a_partner_that_is_switched_off_is_nobody(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let voice = story.voice(0);
        let desk = story.desk();
        desk.set_active(&voice.app_id, false).await.unwrap();
        story.renew().await;
        let off = voice.say(Interface::OrgMdl002, &query(citizen)).await;
        let stranger = story.voice_of("nobody", &voice.secret).say(Interface::OrgMdl002, &query(citizen)).await;
        for heard in [&off, &stranger] {
            assert_eq!((heard.status, &*heard.code), (200, "000001"));
            assert_eq!(heard.signed_as, None, "nobody is signed for whom we do not know");
        }
        assert_eq!(off.message, stranger.message, "whether it exists is not said");
        desk.set_active(&voice.app_id, true).await.unwrap();
        story.renew().await;
        voice.say(Interface::OrgMdl002, &query(citizen)).await.done();
        assert!(desk.rotate("nobody", 0).await.is_err());
        story.end().await;
    }

    async fn two_operators_at_once_do_not_undo_each_other(db: &TestDb) {
        let story = Story::begin(db).await;
        let voice = story.voice(0);
        let (one, other) = (story.desk(), story.desk());
        for round in 0..10 {
            one.set_active(&voice.app_id, true).await.unwrap();
            let rate = Edit { rate_per_second: Some(1_000 + round), ..Edit::default() };
            let name = Edit { name: Some(format!("榕树医院 {round}")), ..Edit::default() };
            let (revoked, rated, named) = tokio::join!(
                one.set_active(&voice.app_id, false),
                other.edit(&voice.app_id, rate),
                other.edit(&voice.app_id, name),
            );
            revoked.and(rated).and(named).unwrap();
            let partners = one.partners().await.unwrap();
            let partner = partners.into_iter().find(|partner| partner.profile.app_id == voice.app_id).unwrap();
            assert!(!partner.profile.active, "a revoked partner stays revoked");
            assert_eq!(partner.profile.rate_per_second, 1_000 + round);
            assert_eq!(partner.profile.name, format!("榕树医院 {round}"));
        }
        let (first, second) = tokio::join!(one.rotate(&voice.app_id, HOUR_MS), other.rotate(&voice.app_id, HOUR_MS));
        first.and(second).unwrap();
        let in_use = story.number("SELECT COUNT(*) FROM partner_secret s JOIN partner p ON p.id = s.partner_id \
                                   WHERE s.ends_ms IS NULL AND p.name LIKE '榕树医院 %'").await;
        assert_eq!(in_use, 1, "of two rotations at once the later one's secret is in use");
        story.end().await;
    }

    async fn an_edit_that_can_not_be_changes_nothing(db: &TestDb) {
        let story = Story::begin(db).await;
        let desk = story.desk();
        let app_id = story.voice(0).app_id;
        let acts = "SELECT COUNT(*) FROM operator_audit WHERE action = 'partner.set'";
        let before = story.number(acts).await;
        let edit = Edit {
            rate_per_second: Some(7),
            hosts: Some(vec!["a b".to_owned()]),
            ..Edit::default()
        };
        let said = desk.edit(&app_id, edit).await.unwrap_err().to_string();
        assert!(said.contains("主机"), "{said}");
        assert!(desk.edit("nobody", Edit::default()).await.is_err());
        assert_eq!(story.number("SELECT COUNT(*) FROM partner WHERE rate_per_second = 7").await, 0);
        assert_eq!(story.number(acts).await, before);
        story.end().await;
    }

    async fn a_partner_calls_what_it_was_granted(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut hospital = new_hospital("H35019900008");
        hospital.grants = Some(vec![Interface::OrgMdl002]);
        let voice = story.add_partner(hospital).await;
        voice.say(Interface::OrgMdl002, &query(&story.citizens[0])).await.done();
        let ask = json!({"orgId": "H35019900008", "orgRequestId": "x"});
        let refused = voice.say(Interface::OrgMdl005, &ask).await;
        refused.refused("-4", "");
        assert!(refused.message.contains("ORG_MDL_005"), "{}", refused.message);
        story.end().await;
    }

    async fn a_partner_calls_as_often_as_it_may(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut hospital = new_hospital("H35019900008");
        hospital.rate_per_second = 3;
        hospital.grants = Some(vec![Interface::OrgMdl002]);
        let voice = story.add_partner(hospital).await;
        let ask = query(&story.citizens[0]);
        for _ in 0..3 {
            voice.say(Interface::OrgMdl002, &ask).await.done();
        }
        let refused = voice.say(Interface::OrgMdl002, &ask).await;
        refused.refused("-6", "");
        assert_eq!(refused.status, 429);
        story.voice(0).say(Interface::OrgMdl002, &ask).await.done();
        story.clock.advance_ms(SECOND_MS);
        for _ in 0..3 {
            voice.say(Interface::OrgMdl002, &ask).await.done();
        }
        assert_eq!(voice.say(Interface::OrgMdl002, &ask).await.status, 429);

        // What it may not call at all counts too, for each such call is noted in the journal.
        story.clock.advance_ms(SECOND_MS);
        let not_granted = json!({"orgId": "H35019900008", "orgRequestId": "x"});
        for _ in 0..3 {
            voice.say(Interface::OrgMdl005, &not_granted).await.refused("-4", "");
        }
        voice.say(Interface::OrgMdl005, &not_granted).await.refused("-6", "");
        story.end().await;
    }

    async fn in_maintenance_everybody_waits(db: &TestDb) {
        let story = Story::begin_with(db, |settings| settings.maintenance = true).await;
        let voice = story.voice(0);
        let message = report(story.hospital(0), "b-1", person(&story.citizens[0]), &[item("i", "1")]);
        let refused = voice.say(Interface::OrgMdl001, &message).await;
        refused.refused("000003", "");
        assert_eq!(refused.status, 503);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_batch").await, 0);
        let health = http(story.platform(), "GET", "/healthz", &[], b"").await;
        assert_eq!(health.status, 200);
        story.end().await;
    }

    async fn what_is_not_open_says_so(db: &TestDb) {
        let story = Story::begin_with(db, |settings| {
            settings.switched_off = vec!["org_mdl_004".to_owned()];
        })
        .await;
        let voice = story.voice(0);
        let mut link = query(&story.citizens[0]);
        link["orgId"] = json!(story.hospital(0).org_id());
        voice.say(Interface::OrgMdl004, &link).await.refused("404404", "");
        voice.say(Interface::OrgMdl002, &query(&story.citizens[0])).await.done();
        story.end().await;
    }

    async fn a_partner_added_meanwhile_is_known_at_its_first_call(db: &TestDb) {
        let platform = Platform::open(db, |_| {}).await;
        let mut channel = new_hospital("H35019900008");
        (channel.kind, channel.org_id) = (Kind::Mzt, None);
        let issued = crate::telling::desk(&platform.app).add_partner(channel).await.unwrap();
        let voice = crate::partners_voice::Voice {
            app_id: issued.app_id,
            secret: issued.secret,
            platform: platform.server.address(),
            clock: std::sync::Arc::new(platform.clock.clone()),
        };
        let ask = json!({"businessType": "01101", "idNo": "359999199001010011", "idType": "01", "userName": "某人"});
        voice.say(Interface::OrgMdl002, &ask).await.done();
        let silent = voice.post(path(Interface::OrgMdl002), b"{}").await;
        assert_eq!((silent.code.as_str(), silent.message.split('：').next()), ("000105", Some("appId")));
        assert_eq!(number(&platform.app.db, "SELECT COUNT(*) FROM partner").await, 1);
        platform.end().await;
    }
}
