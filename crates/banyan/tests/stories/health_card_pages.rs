//! The pages of the health card, as a patient's phone opens them: authorising a hospital behind
//! its link or its QR code, and showing one's own code.

use std::cell::RefCell;
use std::collections::BTreeMap;

use banyan_platform::health_card::identity::Stated;
use banyan_protocol::catalogue::Interface;
use banyan_sandbox::Citizen;
use banyan_store::on_both_engines;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::health_card::{STRANGER, stated};
use crate::partners_voice::{Heard, RawReply, http};
use crate::scanner;
use crate::telling::{MINUTE_MS, SECOND_MS, Story, until_number};
use crate::visit::{code_of, link as entry_link};

const CARD: &str = "/h5/ehc/card";

/// A phone's browser, with its cookies.
struct Phone<'a> {
    story: &'a Story,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl<'a> Phone<'a> {
    fn new(story: &'a Story) -> Self {
        let cookies = RefCell::default();
        Self { story, cookies }
    }

    /// A phone on which the citizen came in by a link of 闽政通.
    async fn of(story: &'a Story, citizen: &Citizen) -> Self {
        let phone = Self::new(story);
        let link = entry_link(story, citizen).await;
        assert_eq!(phone.get(&link).await.status, 303);
        phone
    }

    async fn get(&self, path: &str) -> RawReply {
        self.exchange("GET", path, &[]).await
    }

    async fn page(&self, path: &str) -> String {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        let html = reply.text();
        assert!(html.len() < 30_000, "{path}: {} bytes", html.len());
        html
    }

    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> RawReply {
        self.exchange("POST", path, fields).await
    }

    /// Sends the form for `action` that stands in this page.
    async fn submit(&self, html: &str, action: &str, fields: &[(&str, &str)]) -> RawReply {
        let code = code_of(html, action);
        let mut all = vec![("code", &*code)];
        all.extend(fields);
        self.send(action, &all).await
    }

    /// Opens an authorisation's page and says who one is.
    async fn claim(&self, page: &str, stated: &Stated<'_>) -> RawReply {
        let html = self.page(page).await;
        self.submit(&html, page, &fields(stated)).await
    }

    /// The same where it is right; gives the page that asks whether to authorise.
    async fn claimed(&self, page: &str, stated: &Stated<'_>) -> String {
        let reply = self.claim(page, stated).await;
        let html = reply.text();
        assert_eq!(reply.status, 200, "{html}");
        assert!(html.contains("同意授权"), "{html}");
        html
    }

    /// Presses 同意授权 on that page.
    async fn confirm(&self, html: &str, page: &str) -> RawReply {
        let proof = proof_of(html);
        let action = format!("{page}/confirm");
        self.submit(html, &action, &[("proof", &proof)]).await
    }

    /// The text of the code that the card's page shows.
    async fn code(&self) -> String {
        assert!(self.page(CARD).await.contains("src=\"/h5/ehc/card/code\""));
        let picture = self.get(&format!("{CARD}/code")).await;
        assert_eq!(picture.status, 200);
        assert_eq!(picture.header("content-type"), Some("image/svg+xml"));
        assert_eq!(picture.header("cache-control"), Some("no-store"));
        assert_eq!(
            picture.header("cross-origin-resource-policy"),
            Some("same-origin")
        );
        assert!(picture.body.len() < 30_000, "{} bytes", picture.body.len());
        scanner::read(&picture.text())
    }

    async fn exchange(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> RawReply {
        let cookies: Vec<String> = self
            .cookies
            .borrow()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let headers = [("cookie", &*cookies)];
        let body = body.finish();
        let reply = http(
            self.story.platform(),
            method,
            path,
            &headers,
            body.as_bytes(),
        )
        .await;
        for line in reply.headers.lines() {
            let Some((name, cookie)) = line.split_once(": ") else {
                continue;
            };
            if name.eq_ignore_ascii_case("set-cookie") {
                assert!(
                    cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
                    "{cookie}"
                );
                let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
                let mut cookies = self.cookies.borrow_mut();
                if cookie.contains("Max-Age=0") {
                    cookies.remove(name);
                } else {
                    cookies.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        reply
    }

    fn holds(&self, cookie: &str) -> bool {
        self.cookies.borrow().contains_key(cookie)
    }
}

fn fields<'a>(stated: &Stated<'a>) -> [(&'static str, &'a str); 4] {
    [
        ("userName", stated.user_name),
        ("idType", stated.id_type),
        ("idNo", stated.id_no),
        ("mobilePhone", stated.mobile_phone),
    ]
}

fn proof_of(html: &str) -> String {
    let proof = html.split("name=\"proof\" value=\"").nth(1);
    let proof = proof.unwrap_or_else(|| panic!("no proof: {html}"));
    proof.split('"').next().unwrap().to_owned()
}

/// Asks for an authorisation; gives what the hospital got.
async fn asked(story: &Story, place: usize, number: &str) -> Value {
    let said = json!({"outAuthNo": number, "orgId": story.hospital(place).org_id()});
    let voice = story.voice(place);
    voice.say(Interface::OrgEhc001, &said).await.done()
}

fn path(url: &Value) -> String {
    let url: url::Url = url.as_str().unwrap().parse().unwrap();
    url.path().to_owned()
}

/// The path of an authorisation's page.
async fn page(story: &Story, place: usize, number: &str) -> String {
    path(&asked(story, place, number).await["authUrl"])
}

async fn outcome(story: &Story, place: usize, number: &str) -> Value {
    let said = json!({"outAuthNo": number, "orgId": story.hospital(place).org_id()});
    let voice = story.voice(place);
    voice.say(Interface::OrgEhc002, &said).await.done()
}

async fn verify(story: &Story, place: usize, code: &str) -> Heard {
    let said = json!({"orgId": story.hospital(place).org_id(), "ehealthCode": code});
    story.voice(place).say(Interface::OrgEhc003, &said).await
}

/// Somebody whom no hospital has registered, and whom 闽政通 knows.
fn newcomer(story: &Story) -> Citizen {
    Citizen {
        id_no: STRANGER.id_no.to_owned(),
        user_name: STRANGER.user_name.to_owned(),
        ..story.citizens[0].clone()
    }
}

on_both_engines! {
    async fn a_newcomer_registers_authorises_and_shows_his_card(db: &TestDb) {
        let story = Story::begin(db).await;
        let (page, phone) = (page(&story, 0, "a-1").await, Phone::new(&story));
        let html = phone.page(&page).await;
        for said in ["榕城第一医院（沙箱）</bdi> 请您授权", "2026年3月2日 10:30", "居民身份证", "护照", "不授权", "大字版"] {
            assert!(html.contains(said), "{said}: {html}");
        }
        assert!(!html.contains("退出"), "there is no session yet");
        assert_eq!(phone.get(CARD).await.status, 401, "opening a link is not saying who one is");
        let asks = phone.claimed(&page, &STRANGER).await;
        assert!(asks.contains("已为您领取电子健康卡") && asks.contains("＊＊＊人") && asks.contains("359*************27"), "{asks}");
        assert!(!asks.contains(STRANGER.id_no) && !asks.contains(STRANGER.user_name));
        assert_eq!(outcome(&story, 0, "a-1").await["authStatus"], "ing");

        let done = phone.confirm(&asks, &page).await;
        assert_eq!((done.status, done.header("location")), (303, Some(&*page)));
        let html = phone.page(&page).await;
        assert!(html.contains("授权已完成") && html.contains("回到医院窗口") && html.contains("看我的电子健康卡"), "{html}");
        assert_eq!(phone.confirm(&asks, &page).await.status, 303, "pressed twice");
        let index = story.app.vault.ehealth_card_id("01", STRANGER.id_no);
        let given = outcome(&story, 0, "a-1").await;
        assert_eq!((&given["authStatus"], &given["ehealthCardId"], &given["mobilePhone"]), (&json!("succ"), &json!(index), &json!(STRANGER.mobile_phone)));

        // Whoever else has the link sees that it was given, and nothing of whom.
        let stranger = Phone::new(&story);
        let html = stranger.page(&page).await;
        assert!(html.contains("授权已完成") && !html.contains("看我的电子健康卡") && !html.contains('＊'), "{html}");

        let card = phone.page(CARD).await;
        assert!(card.contains("＊＊＊人") && card.contains("60 秒") && !card.contains("class=\"menu\""), "{card}");
        verify(&story, 1, &phone.code().await).await.done();
        assert_eq!(phone.get("/h5/overdue").await.status, 401, "his list needs more than a claim");
        let token = phone.cookies.borrow()["banyan_card"].clone();
        phone.cookies.borrow_mut().insert("banyan_session".to_owned(), token);
        assert_eq!(phone.get("/h5/overdue").await.status, 401, "also in the other's cookie");

        // He sees who looked.
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_EHC_002' AND person IS NOT NULL", 1).await;
        let own = Phone::of(&story, &newcomer(&story)).await;
        let looks = own.page("/h5/overdue/looks").await;
        assert!(looks.contains("经您授权，取得您的电子健康卡主索引和身份信息") && looks.contains("扫描您出示的电子健康码"), "{looks}");

        story.clock.advance_ms(15 * MINUTE_MS);
        let over = phone.get(CARD).await;
        assert!(over.status == 401 && over.text().contains("重新打开医院给您的授权链接"), "{}", over.text());
        story.end().await;
    }

    async fn a_citizen_scans_the_hospital_s_screen(db: &TestDb) {
        let story = Story::begin(db).await;
        let asked = asked(&story, 0, "q-1").await;
        // The hospital's page shows the picture from its own address.
        let picture = http(story.platform(), "GET", &path(&asked["extData"]["authQrUrl"]), &[], b"").await;
        assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/svg+xml")));
        assert_eq!(picture.header("cross-origin-resource-policy"), Some("cross-origin"));
        assert!(picture.header("content-security-policy").unwrap().contains("default-src 'none'"));
        assert!(picture.body.len() < 30_000, "{} bytes", picture.body.len());
        let scanned = scanner::read(&picture.text());
        assert_eq!(json!(scanned), asked["authUrl"]);

        let (citizen, page) = (&story.citizens[0], path(&json!(scanned)));
        let phone = Phone::new(&story);
        let spaced = format!("　{}　", citizen.user_name);
        let asks = phone.claimed(&page, &Stated { user_name: &spaced, ..stated(citizen) }).await;
        assert!(!asks.contains("已为您领取"));
        phone.confirm(&asks, &page).await;
        assert_eq!(outcome(&story, 0, "q-1").await["ehealthCardId"], json!(citizen.ehealth_card_id));
        for none in ["x", &"A".repeat(43)] {
            for behind in ["", "/qr.svg"] {
                let reply = phone.get(&format!("/h5/ehc/auth/{none}{behind}")).await;
                assert_eq!(reply.status, 404);
                assert!(reply.text().contains("没有找到这个授权链接"));
            }
        }
        story.end().await;
    }

    async fn a_citizen_shows_the_code_of_his_card(db: &TestDb) {
        let story = Story::begin(db).await;
        story.settle().await;
        let citizen = &story.citizens[7];
        let phone = Phone::of(&story, citizen).await;
        assert!(phone.page("/h5/overdue").await.contains("href=\"/h5/ehc/card\""), "it stands in the menu");
        let html = phone.page(CARD).await;
        assert!(html.contains("aria-current=\"page\">电子健康卡") && html.contains("<noscript><meta http-equiv=\"refresh\" content=\"60\">"), "{html}");
        let code = phone.code().await;
        assert_ne!(phone.code().await, code, "each picture is another code");
        let seen = verify(&story, 0, &code).await.done();
        assert_eq!(seen["ehealthCardId"], json!(citizen.ehealth_card_id));
        let again = verify(&story, 1, &code).await;
        again.refused("000105", "ehealthCode");
        assert!(again.message.contains("已使用过"));
        let late = phone.code().await;
        story.clock.advance_ms(61 * SECOND_MS);
        verify(&story, 0, &late).await.refused("000105", "ehealthCode");
        assert!(phone.page("/h5/overdue/looks").await.contains("扫描您出示的电子健康码"));

        for _ in 0..197 {
            assert_eq!(phone.get("/h5/ehc/card/code").await.status, 200);
        }
        let often = phone.get("/h5/ehc/card/code").await;
        assert!(often.status == 429 && often.text().contains("返回电子健康卡"));
        let stranger = Phone::new(&story);
        assert_eq!(stranger.get("/h5/ehc/card/code").await.status, 401);
        assert_eq!(stranger.get(CARD).await.status, 401);
        story.end().await;
    }

    async fn an_unregistered_citizen_takes_a_card_from_his_session(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = newcomer(&story);
        let phone = Phone::of(&story, &citizen).await;
        let html = phone.page(CARD).await;
        assert!(html.contains("您还没有电子健康卡") && html.contains("＊＊＊人") && !html.contains(&citizen.id_no), "{html}");
        assert_eq!(phone.get("/h5/ehc/card/code").await.status, 404);
        let slip = phone.submit(&html, CARD, &[("mobilePhone", "1380000<b>")]).await;
        let text = slip.text();
        assert_eq!(slip.status, 422);
        assert!(text.contains("应为 11 位手机号") && text.contains("1380000&#60;b&#62;") && text.contains("aria-invalid"), "{text}");
        let phoned = [("mobilePhone", "13800000001"), ("userName", "别人"), ("idNo", "359999198503120035")];
        let taken = phone.submit(&html, CARD, &phoned).await;
        assert_eq!((taken.status, taken.header("location")), (303, Some(CARD)));
        let seen = verify(&story, 0, &phone.code().await).await.done();
        assert_eq!((&seen["idNo"], &seen["userName"], &seen["mobilePhone"]), (&json!(citizen.id_no), &json!(citizen.user_name), &json!("13800000001")));
        assert_eq!(phone.submit(&html, CARD, &phoned).await.status, 303, "pressed twice");
        assert_eq!(story.number("SELECT COUNT(*) FROM person").await, 201);

        // Somebody whose number is registered under another name sees no card.
        let renamed = Citizen { user_name: "改名的人".to_owned(), ..story.citizens[3].clone() };
        let phone = Phone::of(&story, &renamed).await;
        let html = phone.page(CARD).await;
        assert!(html.contains("登记的是另一个姓名") && !html.contains("<img src=\"/h5/ehc"), "{html}");
        assert_eq!(phone.get("/h5/ehc/card/code").await.status, 404);
        story.end().await;
    }

    async fn what_is_filled_in_wrongly_is_said_beside_it(db: &TestDb) {
        let story = Story::begin(db).await;
        let (citizen, page, phone) = (&story.citizens[0], page(&story, 0, "w-1").await, Phone::new(&story));
        let hostile = "<script>alert(1)</script>\"𠮷";
        for (wrong, said) in [
            (Stated { user_name: " ", id_no: "", mobile_phone: "", ..stated(citizen) }, &["请填写姓名", "请填写证件号码", "请填写手机号"][..]),
            (Stated { id_type: "77", ..stated(citizen) }, &["请从列表中选择证件类型"]),
            (Stated { id_no: "359999198503120026", ..stated(citizen) }, &["最后一位（校验码）不符", "359999198503120026"]),
            (Stated { mobile_phone: "1380", ..stated(citizen) }, &["应为 11 位手机号"]),
            (Stated { user_name: hostile, ..stated(citizen) }, &["最多 20 个字符", "&#60;script&#62;alert(1)&#60;/script&#62;&#34;𠮷"]),
        ] {
            let reply = phone.claim(&page, &wrong).await;
            let html = reply.text();
            assert_eq!(reply.status, 422);
            assert!(said.iter().all(|said| html.contains(said)) && html.contains("aria-invalid=\"true\""), "{said:?}: {html}");
            assert!(!html.contains("<script>alert"));
        }
        for left in (1..5).rev() {
            let reply = phone.claim(&page, &Stated { user_name: "别人", ..stated(citizen) }).await;
            let html = reply.text();
            assert_eq!(reply.status, 422);
            assert!(html.contains(&format!("还可以再试 {left} 次")), "{html}");
            assert!(!phone.get(CARD).await.text().contains(&citizen.user_name));
        }
        let fifth = phone.claim(&page, &Stated { user_name: "别人", ..stated(citizen) }).await;
        assert_eq!((fifth.status, fifth.header("location")), (303, Some(&*page)));
        let html = phone.page(&page).await;
        assert!(html.contains("授权没有完成") && html.contains("带上本人有效证件") && !html.contains("<form"), "{html}");
        assert_eq!(outcome(&story, 0, "w-1").await["authStatus"], "fail");
        assert_eq!(phone.get(CARD).await.status, 401);
        story.end().await;
    }

    async fn an_authorisation_is_refused_or_runs_out(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        for (number, after_claim) in [("c-1", false), ("c-2", true)] {
            let (page, phone) = (page(&story, 0, number).await, Phone::new(&story));
            let html = if after_claim { phone.claimed(&page, &stated(citizen)).await } else { phone.page(&page).await };
            let cancelled = phone.submit(&html, &format!("{page}/cancel"), &[]).await;
            assert_eq!((cancelled.status, cancelled.header("location")), (303, Some(&*page)));
            let html = phone.page(&page).await;
            assert!(html.contains("没有授权") && html.contains("重新出示二维码"), "{html}");
            assert_eq!(outcome(&story, 0, number).await["authStatus"], "cancel");
        }
        let (page, phone) = (page(&story, 0, "late").await, Phone::new(&story));
        let form = phone.page(&page).await;
        let asks = phone.claimed(&page, &stated(citizen)).await;
        story.clock.advance_ms(30 * MINUTE_MS);
        assert_eq!(phone.confirm(&asks, &page).await.status, 303, "its page says how it stands");
        let html = phone.page(&page).await;
        assert!(html.contains("授权链接已过期") && html.contains("回到医院窗口"), "{html}");
        let other = Phone::new(&story);
        other.cookies.borrow_mut().clone_from(&phone.cookies.borrow());
        assert_eq!(other.submit(&form, &page, &fields(&stated(citizen))).await.status, 403, "the form's token was changed by the claim");
        assert_eq!(outcome(&story, 0, "late").await["authStatus"], "fail");
        story.end().await;
    }

    async fn only_one_s_own_forms_are_taken(db: &TestDb) {
        let story = Story::begin(db).await;
        let (he, she) = (&story.citizens[0], &story.citizens[1]);
        let page_of_all = page(&story, 0, "f-1").await;
        let page_of_another = page(&story, 1, "f-2").await;
        let (his, hers) = (Phone::new(&story), Phone::new(&story));
        let (page, elsewhere) = (&*page_of_all, &*page_of_another);
        let form = his.page(page).await;
        let refused = |reply: RawReply| {
            let html = reply.text();
            assert_eq!(reply.status, 403, "{html}");
            assert!(html.contains("这次操作没有生效") && html.contains(&format!("href=\"{page}\"")) && html.contains("返回授权页面"), "{html}");
        };
        refused(his.send(page, &fields(&stated(he))).await);
        refused(his.send(page, &[&[("code", "AAAA")][..], &fields(&stated(he))].concat()).await);
        refused(hers.submit(&form, page, &fields(&stated(he))).await);
        hers.page(page).await;
        refused(hers.submit(&form, page, &fields(&stated(he))).await);
        his.page(elsewhere).await;
        let code = code_of(&form, page);
        let moved = his.send(elsewhere, &[&[("code", &*code)][..], &fields(&stated(he))].concat()).await;
        assert_eq!(moved.status, 403, "a form of one link is none of another's");
        assert_eq!(story.number("SELECT CAST(SUM(tries) AS BIGINT) FROM ehc_authorisation").await, 0);

        let (his_asks, her_asks) = (his.claimed(page, &stated(he)).await, hers.claimed(page, &stated(she)).await);
        let (confirm, cancel) = (format!("{page}/confirm"), format!("{page}/cancel"));
        let (proof, hers_proof) = (proof_of(&his_asks), proof_of(&her_asks));
        refused(his.send(&confirm, &[("proof", &proof)]).await);
        refused(his.submit(&his_asks, &confirm, &[("proof", &hers_proof)]).await);
        refused(hers.submit(&his_asks, &confirm, &[("proof", &proof)]).await);
        refused(his.send(&cancel, &[("code", &code_of(&his_asks, &confirm))]).await);
        refused(hers.submit(&his_asks, &cancel, &[]).await);
        assert_eq!(outcome(&story, 0, "f-1").await["authStatus"], "ing");
        assert_eq!(his.confirm(&his_asks, page).await.status, 303);
        let late = hers.confirm(&her_asks, page).await;
        assert!(late.status == 409 && late.text().contains("已经有人用这个链接完成了授权"));
        assert_eq!(outcome(&story, 0, "f-1").await["ehealthCardId"], json!(he.ehealth_card_id));
        let back = format!("href=\"{CARD}\"");
        let phone = Phone::of(&story, &newcomer(&story)).await;
        let forged = phone.send(CARD, &[("mobilePhone", "13800000001")]).await;
        assert!(forged.status == 403 && forged.text().contains(&back));
        assert_eq!(phone.get(&confirm).await.status, 405);
        story.end().await;
    }

    async fn whoever_came_in_last_holds_the_browser(db: &TestDb) {
        let story = Story::begin(db).await;
        let (he, she) = (&story.citizens[0], &story.citizens[1]);
        let phone = Phone::of(&story, he).await;
        let (first, second) = (page(&story, 0, "s-1").await, page(&story, 0, "s-2").await);
        let asks = phone.claimed(&first, &stated(he)).await;
        assert!(phone.holds("banyan_session"), "he himself stays in");
        phone.confirm(&asks, &first).await;
        assert!(phone.page(&first).await.contains("class=\"menu\""));

        phone.claimed(&second, &stated(she)).await;
        assert!(!phone.holds("banyan_session") && phone.holds("banyan_card"));
        let hers = phone.code().await;
        assert_eq!(verify(&story, 0, &hers).await.done()["idNo"], json!(she.id_no));
        assert_eq!(phone.get(&entry_link(&story, he).await).await.status, 303);
        assert!(!phone.holds("banyan_card"));
        let his = phone.code().await;
        assert_eq!(verify(&story, 0, &his).await.done()["idNo"], json!(he.id_no));
        story.end().await;
    }

    async fn a_card_s_session_is_left_and_its_type_enlarged(db: &TestDb) {
        let story = Story::begin(db).await;
        let (page, phone) = (page(&story, 0, "l-1").await, Phone::new(&story));
        let html = phone.page(&page).await;
        let large = phone.submit(&html, "/h5/size", &[("size", "large"), ("back", &page)]).await;
        assert_eq!((large.status, large.header("location")), (303, Some(&*page)));
        assert!(phone.page(&page).await.contains("class=\"large\""));
        phone.claimed(&page, &stated(&story.citizens[0])).await;
        let kept = phone.cookies.borrow().clone();
        let html = phone.page(CARD).await;
        let back = [("size", "normal"), ("back", CARD)];
        assert_eq!(phone.submit(&html, "/h5/size", &back).await.header("location"), Some(CARD));
        let left = phone.submit(&html, "/h5/leave", &[]).await;
        assert!(left.status == 200 && left.text().contains("您已退出") && !phone.holds("banyan_card"));
        phone.cookies.borrow_mut().clone_from(&kept);
        assert_eq!(phone.get(CARD).await.status, 401, "whoever kept the cookie");
        story.end().await;
    }

    async fn nobody_tries_names_without_end(db: &TestDb) {
        let story = Story::begin(db).await;
        let (first, phone) = (page(&story, 0, "n-1").await, Phone::new(&story));
        let html = phone.page(&first).await;
        // What is not filled in costs nothing and counts for nothing.
        for _ in 0..40 {
            assert_eq!(phone.submit(&html, &first, &[]).await.status, 422);
        }
        let nonsense = Stated { id_no: "359999199001010010", ..STRANGER };
        for _ in 0..15 {
            assert_eq!(phone.submit(&html, &first, &fields(&nonsense)).await.status, 422);
        }
        let often = phone.submit(&html, &first, &fields(&STRANGER)).await;
        assert!(often.status == 429 && often.text().contains("十分钟"), "{}", often.text());
        assert_eq!(story.number("SELECT COUNT(*) FROM person").await, 200);
        let second = page(&story, 0, "n-2").await;
        Phone::new(&story).claimed(&second, &STRANGER).await;
        story.clock.advance_ms(11 * MINUTE_MS);
        phone.claimed(&first, &STRANGER).await;
        story.end().await;
    }
}
