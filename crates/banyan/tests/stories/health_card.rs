//! Self-paying patients get their health-card index: by a link, by a link shown as a QR code, by
//! showing their own code.

use banyan_platform::health_card::authorise::{self, Claimed, Confirmed};
use banyan_platform::health_card::card;
use banyan_platform::health_card::identity::Stated;
use banyan_protocol::catalogue::Interface;
use banyan_sandbox::Citizen;
use banyan_store::health_card::authorisations::State;
use banyan_store::health_card::persons;
use banyan_store::on_both_engines;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::partners_voice::Voice;
use crate::telling::{HOUR_MS, MINUTE_MS, SECOND_MS, Story, number};

/// Somebody whom no sandbox registers.
pub(crate) const STRANGER: Stated<'static> = Stated {
    id_type: "01",
    id_no: "359999198503120027",
    user_name: "新来的人",
    user_sex: "",
    birthday: "",
    mobile_phone: "15499999999",
};

pub(crate) fn stated(citizen: &Citizen) -> Stated<'_> {
    Stated {
        id_type: &citizen.id_type,
        id_no: &citizen.id_no,
        user_name: &citizen.user_name,
        mobile_phone: &citizen.mobile_phone,
        ..Stated::default()
    }
}

fn ask(story: &Story, place: usize, number: &str) -> Value {
    json!({"outAuthNo": number, "orgId": story.hospital(place).org_id()})
}

/// Asks for an authorisation; gives its link's token.
pub(crate) async fn link(story: &Story, place: usize, number: &str) -> String {
    let said = ask(story, place, number);
    let reply = story
        .voice(place)
        .say(Interface::OrgEhc001, &said)
        .await
        .done();
    let url = reply["authUrl"].as_str().unwrap();
    assert!(
        url.starts_with(&format!("{}/h5/ehc/auth/", story.description.platform)),
        "{url}"
    );
    assert_eq!(
        reply["extData"]["authQrUrl"],
        json!(format!("{url}/qr.svg"))
    );
    url.rsplit('/').next().unwrap().to_owned()
}

async fn outcome(story: &Story, place: usize, number: &str) -> Value {
    let said = ask(story, place, number);
    story
        .voice(place)
        .say(Interface::OrgEhc002, &said)
        .await
        .done()
}

async fn claim(story: &Story, token: &str, stated: &Stated<'_>) -> Claimed {
    authorise::claim(&story.app, token, stated)
        .await
        .unwrap()
        .unwrap()
}

/// Says who one is and authorises.
async fn authorise_as(story: &Story, token: &str, stated: &Stated<'_>) {
    let Claimed::Right { proof, .. } = claim(story, token, stated).await else {
        panic!("the claim is right");
    };
    let confirmed = authorise::confirm(&story.app, token, &proof).await.unwrap();
    assert_eq!(confirmed, Some(Confirmed::Done));
}

async fn verify(voice: &Voice, org_id: &str, code: &str) -> crate::partners_voice::Heard {
    let said = json!({"orgId": org_id, "ehealthCode": code});
    voice.say(Interface::OrgEhc003, &said).await
}

/// A code that a citizen's card page shows now.
async fn code_of(story: &Story, citizen: &Citizen) -> String {
    let shown = card::of_identity(&story.app, &citizen.id_type, &citizen.id_no)
        .await
        .unwrap();
    let living = card::issue_code(&story.app, shown.unwrap().person).unwrap();
    assert!(living.text.len() <= 128 && living.svg.starts_with("<svg"));
    assert!(!living.svg.contains("<script") && living.svg.ends_with("</svg>"));
    living.text
}

on_both_engines! {
    async fn somebody_new_registers_takes_his_card_and_authorises(db: &TestDb) {
        let story = Story::begin(db).await;
        let token = link(&story, 0, "a-1").await;
        let asking = authorise::of_token(&story.app, &token).await.unwrap().unwrap();
        assert_eq!((asking.hospital.as_str(), asking.state), ("榕城第一医院（沙箱）", State::Ing));
        let waiting = outcome(&story, 0, "a-1").await;
        assert_eq!(waiting, json!({
            "ehealthCardId": "", "authStatus": "ing", "cardNo": "", "cardType": "", "idNo": "",
            "idType": "", "userName": "",
        }));

        let Claimed::Right { proof, card, is_new } = claim(&story, &token, &STRANGER).await else { panic!() };
        assert!(is_new);
        assert_eq!((card.masked_name.as_str(), card.masked_id_no.as_str()), ("＊＊＊人", "359*************27"));
        assert_eq!(outcome(&story, 0, "a-1").await["authStatus"], "ing", "taking a card is not yet authorising");
        assert_eq!(authorise::confirm(&story.app, &token, &proof).await.unwrap(), Some(Confirmed::Done));
        assert_eq!(authorise::confirm(&story.app, &token, &proof).await.unwrap(), Some(Confirmed::Done), "pressed twice");
        assert_eq!(authorise::cancel(&story.app, &token).await.unwrap().map(|state| matches!(state, State::Succ(_))), Some(true), "it does not move back");

        let index = story.app.vault.ehealth_card_id("01", STRANGER.id_no);
        let done = outcome(&story, 0, "a-1").await;
        assert_eq!(done, json!({
            "ehealthCardId": index, "authStatus": "succ", "cardNo": card.card_no, "cardType": "01",
            "idNo": STRANGER.id_no, "idType": "01", "userName": STRANGER.user_name, "userSex": "2",
            "birthday": "19850312", "mobilePhone": STRANGER.mobile_phone,
        }));
        let seen = "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_EHC_002' AND person IS NOT NULL AND subject = 'a-1'";
        crate::telling::until_number(&story.app.db, seen, 1).await;

        // Nobody else's number, and no number twice.
        for place in [1, 2] {
            let voice = story.voice(place);
            voice.say(Interface::OrgEhc002, &ask(&story, place, "a-1")).await.refused("000105", "outAuthNo");
            voice.say(Interface::OrgEhc002, &ask(&story, 0, "a-1")).await.refused("000105", "orgId");
            voice.say(Interface::OrgEhc001, &ask(&story, 0, "a-2")).await.refused("000105", "orgId");
        }
        story.voice(0).say(Interface::OrgEhc001, &ask(&story, 0, "a-1")).await.refused("000105", "outAuthNo");
        let other = link(&story, 1, "a-1").await;
        assert_ne!(other, token, "another hospital's number of the same name is another");
        assert_eq!(authorise::confirm(&story.app, &other, &proof).await.unwrap(), Some(Confirmed::NotProved));
        story.end().await;
    }

    async fn somebody_known_scans_the_hospital_s_screen(db: &TestDb) {
        let story = Story::begin(db).await;
        let (citizen, other) = (&story.citizens[0], &story.citizens[1]);
        let token = link(&story, 0, "q-1").await;
        assert_eq!(link(&story, 0, "q-1").await, token, "asked again it is the same link");
        assert_eq!(story.number("SELECT COUNT(*) FROM ehc_authorisation").await, 1);
        let svg = authorise::authorisation_qr_svg(&story.app, &token).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("http://www.w3.org/2000/svg"));
        assert_eq!(authorise::authorisation_qr_svg(&story.app, "no token"), None);

        // Two follow one link: each can authorise only as himself.
        let Claimed::Right { proof: others, is_new, .. } = claim(&story, &token, &stated(other)).await else { panic!() };
        assert!(!is_new);
        let spaced = format!(" {} ", citizen.user_name);
        let Claimed::Right { proof, card, .. } = claim(&story, &token, &Stated { user_name: &spaced, ..stated(citizen) }).await else { panic!() };
        assert_eq!(authorise::confirm(&story.app, &token, &format!("{proof}x")).await.unwrap(), Some(Confirmed::NotProved));
        assert_eq!(authorise::confirm(&story.app, &token, &proof).await.unwrap(), Some(Confirmed::Done));
        let late = authorise::confirm(&story.app, &token, &others).await.unwrap();
        assert!(matches!(late, Some(Confirmed::Over(State::Succ(_)))));
        let done = outcome(&story, 0, "q-1").await;
        assert_eq!((&done["ehealthCardId"], &done["cardNo"]), (&json!(citizen.ehealth_card_id), &json!(card.card_no)));
        story.end().await;
    }

    async fn authorisations_end(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        story.settle().await;
        let reason = |outcome: &Value| outcome["extData"]["reason"].as_str().unwrap_or_default().to_owned();

        let cancelled = link(&story, 0, "cancelled").await;
        assert_eq!(authorise::cancel(&story.app, &cancelled).await.unwrap(), Some(State::Cancel));
        let said = outcome(&story, 0, "cancelled").await;
        assert_eq!((&said["authStatus"], &said["ehealthCardId"]), (&json!("cancel"), &json!("")));
        assert!(matches!(claim(&story, &cancelled, &stated(citizen)).await, Claimed::Over(State::Cancel)));

        let guessed = link(&story, 0, "guessed").await;
        assert!(matches!(claim(&story, &guessed, &Stated { id_no: "359999198503120026", ..STRANGER }).await, Claimed::Malformed(_)), "a slip of the finger does not count");
        assert!(matches!(claim(&story, &guessed, &Stated { mobile_phone: "", ..stated(citizen) }).await, Claimed::Malformed(_)));
        for (left, wrong) in [
            (4, Stated { user_name: "别人", ..stated(citizen) }),
            (3, Stated { mobile_phone: "15400000000", ..stated(citizen) }),
            (2, Stated { user_name: "又一个", ..stated(citizen) }),
            (1, Stated { user_name: "别人", ..stated(citizen) }),
            (0, Stated { user_name: "别人", ..stated(citizen) }),
        ] {
            assert_eq!(claim(&story, &guessed, &wrong).await, Claimed::Wrong { tries_left: left });
        }
        assert!(matches!(claim(&story, &guessed, &stated(citizen)).await, Claimed::Over(State::Fail(_))));
        let said = outcome(&story, 0, "guessed").await;
        assert_eq!(said["authStatus"], "fail");
        assert!(reason(&said).contains("不一致"));
        assert_eq!(story.number("SELECT COUNT(*) FROM name_review").await, 2, "each claimed name once");
        assert_eq!(story.number("SELECT CAST(SUM(times) AS BIGINT) FROM name_review WHERE source = 'h5'").await, 4);

        let late = link(&story, 0, "late").await;
        let Claimed::Right { proof, .. } = claim(&story, &late, &stated(citizen)).await else { panic!() };
        story.clock.advance_ms(30 * MINUTE_MS);
        let expired = outcome(&story, 0, "late").await;
        assert_eq!(expired["authStatus"], "fail");
        assert!(reason(&expired).contains("过期"));
        assert!(matches!(authorise::confirm(&story.app, &late, &proof).await.unwrap(), Some(Confirmed::Over(State::Fail(_)))));
        story.voice(0).say(Interface::OrgEhc001, &ask(&story, 0, "late")).await.refused("000105", "outAuthNo");
        assert_eq!(story.number("SELECT COUNT(*) FROM ehc_authorisation WHERE state = 'ing'").await, 1);
        story.after(HOUR_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM ehc_authorisation WHERE state = 'ing'").await, 0);
        assert_eq!(outcome(&story, 0, "late").await, expired, "nothing changes for who asks");
        assert_eq!(authorise::of_token(&story.app, "x").await.unwrap(), None);
        assert_eq!(authorise::of_token(&story.app, &"A".repeat(43)).await.unwrap(), None);
        story.end().await;
    }

    async fn the_first_to_name_a_phone_is_not_its_owner(db: &TestDb) {
        let story = Story::begin(db).await;
        // Known by a hospital's word, without a phone.
        let known = json!({
            "orgId": story.hospital(0).org_id(), "type": "02", "psnNo": "P-77",
            "idNo": STRANGER.id_no, "idType": "01", "userName": STRANGER.user_name,
        });
        story.voice(0).say(Interface::OrgEhc004, &known).await.done();
        let token = link(&story, 0, "somebody's").await;
        assert_eq!(claim(&story, &token, &STRANGER).await, Claimed::Wrong { tries_left: 4 });
        let card = card::of_identity(&story.app, "01", STRANGER.id_no).await.unwrap().unwrap();
        let person = persons::by_id(&story.app.db, &story.app.vault, card.person).await.unwrap().unwrap();
        assert_eq!(person.identity.mobile_phone, None);
        story.end().await;
    }

    /// Pressed at once, not one after the other.
    async fn one_link_registers_no_crowd_at_once_either(db: &TestDb) {
        let story = Story::begin(db).await;
        let token = link(&story, 0, "rush").await;
        let passports: Vec<_> = (0..40).map(|place| format!("E{place:08}")).collect();
        let new = |passport| Stated { id_type: "03", id_no: passport, ..STRANGER };
        let claims = passports.iter().map(|passport| {
            let (app, token, stated) = (&story.app, &token, new(passport));
            async move { authorise::claim(app, token, &stated).await.unwrap() }
        });
        join_all(claims).await;
        let registered = story.number("SELECT COUNT(*) FROM person").await - 200;
        assert!((1..=6).contains(&registered), "{registered}");
        story.end().await;
    }

    async fn one_link_registers_no_crowd(db: &TestDb) {
        let story = Story::begin(db).await;
        let token = link(&story, 0, "crowd").await;
        let mut registered = 0;
        for place in 0..20 {
            let passport = format!("E{place:08}");
            let new = Stated { id_type: "03", id_no: &passport, ..STRANGER };
            match claim(&story, &token, &new).await {
                Claimed::Right { .. } => registered += 1,
                Claimed::Over(_) | Claimed::Wrong { .. } => break,
                Claimed::Malformed(fault) => panic!("{fault}"),
            }
        }
        assert!((1..=5).contains(&registered), "{registered}");
        story.end().await;
    }

    async fn a_patient_shows_his_code(db: &TestDb) {
        let story = Story::begin(db).await;
        story.settle().await;
        let (citizen, voice) = (&story.citizens[27], story.voice(0));
        let org = story.hospital(0).org_id();
        let code = code_of(&story, citizen).await;
        assert!(!code.contains(&citizen.id_no));
        let seen = verify(&voice, org, &code).await.done();
        assert_eq!(
            (&seen["ehealthCardId"], &seen["userName"], &seen["idNo"], &seen["cardType"]),
            (&json!(citizen.ehealth_card_id), &json!(citizen.user_name), &json!(citizen.id_no), &json!("01"))
        );
        let again = verify(&voice, org, &code).await;
        again.refused("000105", "ehealthCode");
        assert!(again.message.contains("已使用过"));
        // The same bytes in another spelling are the same code.
        let padded = format!("{code}{}", "=".repeat((4 - (code.len() - 4) % 4) % 4));
        verify(&voice, org, &padded).await.refused("000105", "ehealthCode");

        let late = code_of(&story, citizen).await;
        story.clock.advance_ms(61 * SECOND_MS);
        let expired = verify(&voice, org, &late).await;
        expired.refused("000105", "ehealthCode");
        assert!(expired.message.contains("已过期"));

        let fresh = code_of(&story, citizen).await;
        let mut forged = fresh.clone();
        let other = if &forged[20..21] == "A" { "B" } else { "A" };
        forged.replace_range(20..21, other);
        for bad in [forged.as_str(), "EHC1", "EHC1AAAA", "280012345678901234", &fresh[4..]] {
            let refused = verify(&voice, org, bad).await;
            refused.refused("000105", "ehealthCode");
            assert!(refused.message.contains("不是有效的"), "{}", refused.message);
        }
        verify(&voice, story.hospital(1).org_id(), &fresh).await.refused("000105", "orgId");
        verify(&story.voice(1), story.hospital(1).org_id(), &fresh).await.done();
        assert_eq!(number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_EHC_003' AND person IS NOT NULL AND result = '000000'").await, 2);
        story.after(3 * HOUR_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM ehc_code_use").await, 0);
        story.end().await;
    }

    async fn twenty_scanners_read_one_code(db: &TestDb) {
        let story = Story::begin(db).await;
        let code = code_of(&story, &story.citizens[3]).await;
        let voices: Vec<_> = (0..20).map(|n| (story.voice(n % 3), story.hospital(n % 3).org_id())).collect();
        let heard = join_all(voices.iter().map(|(voice, org)| verify(voice, org, &code))).await;
        let done = heard.iter().filter(|heard| heard.code == "000000").count();
        assert_eq!(done, 1);
        for heard in heard.iter().filter(|heard| heard.code != "000000") {
            heard.refused("000105", "ehealthCode");
        }
        story.end().await;
    }

    async fn who_looked_is_told(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let code = code_of(&story, citizen).await;
        verify(&story.voice(1), story.hospital(1).org_id(), &code).await.done();
        let token = link(&story, 0, "a-1").await;
        authorise_as(&story, &token, &stated(citizen)).await;
        outcome(&story, 0, "a-1").await;
        crate::telling::until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_EHC_002' AND person IS NOT NULL", 1).await;
        let person = story.app.vault.person_code("01", &citizen.id_no);
        let looks = banyan_store::journal::looks_at(&story.app.db, &person, 0, 0, 10).await.unwrap();
        let by: Vec<_> = looks.iter().map(|look| look.interface.as_str()).collect();
        assert_eq!(by, ["ORG_EHC_002", "ORG_EHC_003"]);
        story.end().await;
    }
}
