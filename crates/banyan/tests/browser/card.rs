//! The pages of the health card: what a patient does there with scripts and without, and each of
//! them with hostile names, looked at in every way.

use banyan_sandbox::Citizen;
use serde_json::json;
use url::form_urlencoded;

use crate::browser::{Browser, JavaScript};
use crate::place::{HOSTILE, Place};
use crate::tour::look_at;
use crate::{flow, html};

const PICTURE: &str = "document.querySelector('.code img')";

/// Fills the form of an authorisation in and sends it, whatever the browser thinks of it.
async fn claim(browser: &Browser, citizen: &Citizen, user_name: &str) {
    // WebDriver types no letters beyond the first plane.
    let fill = json!([user_name, citizen.id_no, citizen.mobile_phone]);
    let script = format!(
        "document.querySelector('form.write').noValidate = true;
         const fill = {fill};
         ['userName', 'idNo', 'mobilePhone'].forEach((id, place) => document.getElementById(id).value = fill[place]);"
    );
    browser.run(&script).await;
    browser.follow("form.write button").await;
}

/// A page as it comes over the wire when this form is sent to it.
async fn answer(browser: &Browser, page: &str, citizen: &Citizen) -> String {
    let cookie = browser.cookie("banyan_card").await;
    let cookie = format!("banyan_card={}", cookie["value"].as_str().unwrap());
    let form = flow::get(page, &cookie).await;
    let form = form.split("class=\"card write\"").nth(1).unwrap();
    let code = form.split("name=\"code\" value=\"").nth(1).unwrap();
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs([
        ("code", code.split('"').next().unwrap()),
        ("userName", &citizen.user_name),
        ("idType", &citizen.id_type),
        ("idNo", &citizen.id_no),
        ("mobilePhone", &citizen.mobile_phone),
    ]);
    flow::ask("POST", page, &cookie, &body.finish()).await
}

fn is_sound(name: &str, page: &str) {
    assert_eq!(html::faults(page), Vec::<String>::new(), "{name}: {page}");
    assert!(page.len() < 30_000, "{name}: {} bytes", page.len());
}

/// What was said besides that a form was not well filled in.
pub(crate) async fn nothing_but(browser: &Browser, status: &str) {
    let complaints = browser.complaints().await;
    assert!(
        complaints
            .iter()
            .all(|complaint| complaint.contains(status)),
        "{complaints:?}"
    );
}

async fn tour(large: bool) {
    let Some(browser) = Browser::start(JavaScript::On).await else {
        return;
    };
    let suffix = if large { "-large" } else { "" };
    let name = |page: &str| format!("card-{page}{suffix}");
    let place = Place::start().await;
    let (citizen, _) = place.hostile().await;

    let page = place.authorisation("tour-1").await;
    browser.open(&page).await;
    if large {
        browser.follow("form[action=\"/h5/size\"] button").await;
        assert_eq!(browser.url().await, page);
    }
    look_at(&browser, &name("authorise")).await;
    is_sound("authorise", &flow::get(&page, "").await);
    claim(&browser, &citizen, HOSTILE[1]).await;
    nothing_but(&browser, "422").await;
    look_at(&browser, &name("authorise-faults")).await;
    claim(&browser, &citizen, "<b>WWWWWWWWWWWWW</b>").await;
    nothing_but(&browser, "422").await;
    assert!(browser.text(".said").await.contains("还可以再试 4 次"));
    look_at(&browser, &name("authorise-wrong")).await;
    is_sound("confirm", &answer(&browser, &page, &citizen).await);
    claim(&browser, &citizen, &citizen.user_name).await;
    look_at(&browser, &name("authorise-confirm")).await;
    browser.follow("form[action$=\"/confirm\"] button").await;
    look_at(&browser, &name("authorise-done")).await;
    browser.follow("main .actions a").await;
    look_at(&browser, &name("card-claimed")).await;

    let refused = place.authorisation("tour-2").await;
    browser.open(&refused).await;
    browser.follow("form.withdraw button").await;
    look_at(&browser, &name("authorise-refused")).await;
    let late = place.authorisation("tour-3").await;
    place.advance_ms(30 * 60_000);
    for (page, path) in [
        ("expired", &*late),
        ("no-link", &*place.url("/h5/ehc/auth/x")),
        ("no-session", &*place.url("/h5/ehc/card")),
    ] {
        browser.open(path).await;
        nothing_but(&browser, "status of 4").await;
        look_at(&browser, &name(page)).await;
        is_sound(page, &flow::get(path, "").await);
    }

    // Somebody who has no card yet, and somebody whose number stands under another name.
    let card = place.url("/h5/ehc/card");
    browser
        .open(&place.link(&place.stranger("359999198503120043")).await)
        .await;
    browser.open(&card).await;
    look_at(&browser, &name("take")).await;
    browser
        .run("document.querySelector('form.write').noValidate = true")
        .await;
    browser.type_into("#mobilePhone", "<b>138").await;
    browser.follow("form.write button").await;
    nothing_but(&browser, "422").await;
    look_at(&browser, &name("take-faults")).await;
    let other = Citizen {
        user_name: "改名的人".to_owned(),
        ..place.province.citizens[5].clone()
    };
    browser.open(&place.link(&other).await).await;
    browser.open(&card).await;
    look_at(&browser, &name("differs")).await;
    browser.end().await;
    place.end().await;
}

async fn visit(script: JavaScript) {
    let Some(browser) = Browser::start(script).await else {
        return;
    };
    let suffix = match script {
        JavaScript::On => "",
        JavaScript::Off => "-no-script",
    };
    let place = Place::start_with(|settings| settings.health_card.code_ttl_ms = 3_000).await;
    let citizen = place.province.citizens[4].clone();
    let page = place.authorisation("visit-1").await;
    browser.open(&page).await;
    browser.type_into("#userName", &citizen.user_name).await;
    browser.type_into("#idNo", &citizen.id_no).await;
    browser
        .type_into("#mobilePhone", &citizen.mobile_phone)
        .await;
    browser.follow("form.write button").await;
    assert_eq!(browser.text("h1").await, "确认授权");
    browser.follow("form[action$=\"/confirm\"] button").await;
    assert_eq!(
        (browser.text("h1").await, browser.url().await),
        ("授权已完成".to_owned(), page)
    );
    assert_eq!(place.authorised("visit-1").await, "succ");
    browser.picture(&format!("card-visit-done{suffix}")).await;

    // The code is there, and another one comes by itself before it is over.
    browser.follow("main .actions a").await;
    browser
        .wait_until(&format!("return {PICTURE}.naturalWidth > 100"))
        .await;
    browser.picture(&format!("card-visit{suffix}")).await;
    browser
        .run(&format!("window.before = true; window.first = {PICTURE}"))
        .await;
    match script {
        JavaScript::On => {
            browser
                .wait_until(&format!(
                    "return {PICTURE} !== window.first && {PICTURE}.naturalWidth > 100"
                ))
                .await;
            assert!(browser.text(".code .left").await.contains("秒有效"));
            browser
                .run(&format!(
                    "window.first = {PICTURE}; window.at = performance.now()"
                ))
                .await;
            browser.click(".code .actions a").await;
            browser
                .wait_until(&format!("return {PICTURE} !== window.first"))
                .await;
            assert_eq!(
                browser
                    .run("return window.before && document.querySelector('.over').hidden")
                    .await,
                json!(true),
                "the page itself stayed"
            );

            // His session is over while the page stands open.
            browser.forget_cookies().await;
            browser
                .wait_until("return !document.querySelector('.over').hidden")
                .await;
            assert_eq!(
                browser.text(".code .over").await,
                "二维码已过期，请点“换一个”"
            );
            browser.picture("card-visit-gone").await;
            browser.follow(".code .actions a").await;
        }
        JavaScript::Off => {
            browser
                .wait_until("return window.before !== true && document.readyState === 'complete'")
                .await;
            assert_eq!(browser.url().await, place.url("/h5/ehc/card"));
            browser
                .wait_until(&format!("return {PICTURE}.naturalWidth > 100"))
                .await;
            browser.follow(".code .actions a").await;
            assert_eq!(browser.text("h1").await, "电子健康卡");
            browser.forget_cookies().await;
            browser.open(&place.url("/h5/ehc/card")).await;
        }
    }
    assert_eq!(browser.text("h1").await, "请重新进入");
    browser.end().await;
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_sound() {
    tour(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_sound_in_large_type() {
    tour(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_with_scripts() {
    visit(JavaScript::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_without_scripts() {
    visit(JavaScript::Off).await;
}
