//! The pages of the 医保电子凭证: taking one, its code, its password, and entering it while a window
//! waits; each of them with hostile names, looked at in every way.

use std::time::Duration;

use banyan::province::PASSWORD;
use banyan_client::{CentreCaller, HostGuard, HttpClient, HttpSettings, call_centre};
use banyan_protocol::envelope::centre::{PATH, Request};
use banyan_protocol::envelope::{Answer, Secret};
use banyan_sandbox::Citizen;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::browser::{Browser, JavaScript};
use crate::card::nothing_but;
use crate::place::{HOSTILE, Place};
use crate::tour::look_at;
use crate::{flow, html};

/// A window asks for somebody's password, and waits.
fn ask(place: &Place, citizen: &Citizen, office: &str) -> JoinHandle<Answer> {
    let access = place.province.description.hospitals[0].clone();
    let url = place.url(PATH).parse().unwrap();
    let data = json!({
        "orgId": access.org_id, "businessType": "01301", "operatorId": "1", "operatorName": "收款员",
        "officeId": "1", "officeName": office, "idNo": citizen.id_no, "idType": "01",
        "userName": citizen.user_name, "mdtrtCertType": "01A",
    })
    .to_string();
    let now_ms = place.province.app.world.clock.now_ms();
    tokio::spawn(async move {
        let http = HttpClient::new(&HttpSettings {
            call_timeout: Duration::from_secs(120),
            ..HttpSettings::default()
        });
        let request = Request::new(&access.org_id, "cn.nhsa.ec.pwd", &data, None).unwrap();
        let secret = Secret::parse(&access.secret).unwrap();
        let caller = CentreCaller {
            app_id: &access.app_id,
            secret: &secret,
            now_ms,
        };
        call_centre(&http.unwrap(), &url, &HostGuard::Anywhere, caller, &request)
            .await
            .unwrap()
    })
}

async fn sound(browser: &Browser, name: &str) {
    let cookie = browser.cookie("banyan_session").await;
    let cookie = format!("banyan_session={}", cookie["value"].as_str().unwrap());
    let page = flow::get(&browser.url().await, &cookie).await;
    assert_eq!(html::faults(&page), Vec::<String>::new(), "{name}: {page}");
    assert!(page.len() < 30_000, "{name}: {} bytes", page.len());
}

async fn fill(browser: &Browser, fields: &[(&str, &str)]) {
    browser
        .run("document.querySelector('form.write').noValidate = true")
        .await;
    for (id, text) in fields {
        browser
            .run(&format!("document.getElementById('{id}').value = '{text}'"))
            .await;
    }
    browser.follow("form.write button").await;
}

async fn tour(large: bool) {
    let Some(browser) = Browser::start(JavaScript::On).await else {
        return;
    };
    let suffix = if large { "-large" } else { "" };
    let name = |page: &str| format!("credential-{page}{suffix}");
    let place = Place::start().await;
    let (citizen, _) = place.hostile().await;
    let path = place.url("/h5/ec");
    browser.open(&place.link(&citizen).await).await;
    if large {
        browser.follow("form[action=\"/h5/size\"] button").await;
    }
    browser.open(&path).await;
    assert_eq!(browser.text("h1").await, "领取医保电子凭证");
    sound(&browser, "take").await;
    look_at(&browser, &name("take")).await;
    fill(
        &browser,
        &[
            ("insuOrg", "350200"),
            ("new", "123456"),
            ("again", "123456"),
        ],
    )
    .await;
    nothing_but(&browser, "422").await;
    assert!(browser.text(".said").await.contains("过于简单"));
    look_at(&browser, &name("take-faults")).await;
    fill(
        &browser,
        &[
            ("insuOrg", "350200"),
            ("new", "295103"),
            ("again", "295103"),
        ],
    )
    .await;
    browser
        .wait_until("return document.querySelector('.code img').naturalWidth > 100")
        .await;
    sound(&browser, "shown").await;
    look_at(&browser, &name("shown")).await;

    browser
        .follow(&format!("a[href=\"{}\"]", "/h5/ec/password"))
        .await;
    sound(&browser, "password").await;
    fill(
        &browser,
        &[("old", "111112"), ("new", "385104"), ("again", "385104")],
    )
    .await;
    nothing_but(&browser, "422").await;
    assert!(browser.text(".said").await.contains("还可输入 4 次"));
    look_at(&browser, &name("password-wrong")).await;

    // A page that waits looks again by itself, which would be in the way of looking at it.
    browser.open(&place.url("/h5/ec/requests")).await;
    browser.picture(&name("waiting")).await;
    browser.open(&path).await;
    let office: String = HOSTILE[1].chars().take(30).collect();
    let asking = ask(&place, &citizen, &office);
    browser
        .wait_until("return !document.querySelector('[data-waiting]').hidden")
        .await;
    look_at(&browser, &name("shown-waiting")).await;
    browser.follow("[data-waiting] a").await;
    sound(&browser, "requests").await;
    look_at(&browser, &name("requests")).await;
    browser.type_into("input[name=password]", "295103").await;
    browser.follow("button[value=enter]").await;
    assert!(browser.text("main").await.contains("密码正确，已告知医院"));
    look_at(&browser, &name("said")).await;
    assert!(matches!(asking.await.unwrap(), Answer::Done(_)));

    let stranger = place.stranger("359999198503120043");
    browser.open(&place.link(&stranger).await).await;
    browser.open(&path).await;
    assert_eq!(browser.text("h1").await, "暂时不能领取医保电子凭证");
    look_at(&browser, &name("cannot")).await;
    browser.end().await;
    place.end().await;
}

/// Without scripts the page of those who wait looks again by itself, and the form works.
async fn enter(script: JavaScript) {
    let Some(browser) = Browser::start(script).await else {
        return;
    };
    let place = Place::start().await;
    let citizen = place.province.citizens[4].clone();
    browser.open(&place.link(&citizen).await).await;
    browser.follow(".menu li:last-child a").await;
    browser
        .follow(&format!("a.button[href=\"{}\"]", "/h5/ec/requests"))
        .await;
    assert!(browser.text("main").await.contains("正在等待窗口发起"));
    let asking = ask(&place, &citizen, "消化内科");
    browser
        .wait_until("return document.querySelector('input[name=password]') !== null")
        .await;
    browser.type_into("input[name=password]", PASSWORD).await;
    browser.follow("button[value=enter]").await;
    assert!(browser.text("main").await.contains("密码正确，已告知医院"));
    assert!(matches!(asking.await.unwrap(), Answer::Done(_)));
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
async fn a_password_is_entered_with_scripts() {
    enter(JavaScript::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_entered_without_scripts() {
    enter(JavaScript::Off).await;
}
