//! Every page, with every hostile name, looked at in every way.

use crate::browser::{Browser, JavaScript, PHONE};
use crate::place::{HOSTILE, Place};
use crate::{html, looks};

/// Looks at the page that is shown, in every way; leaves a picture.
pub(crate) async fn look_at(browser: &Browser, name: &str) {
    let written = browser.source().await;
    let mut wrong: Vec<String> = Vec::new();
    for screen in looks::SCREENS {
        browser.show_as(screen).await;
        let faults = looks::faults(browser).await;
        wrong.extend(faults.iter().map(|fault| format!("{screen:?}: {fault}")));
        if screen.dark && screen.width == 412 {
            browser.picture(&format!("{name}-dark")).await;
        }
    }
    browser.show_as(PHONE).await;
    browser.picture(name).await;
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    assert!(
        !written.contains("<script>alert") && !written.contains("onerror=alert(1)\">"),
        "{name}: {written}"
    );
}

/// The page as it came over the wire.
async fn wire(place: &Place, browser: &Browser, path: &str) -> String {
    let cookie = browser.cookie("banyan_session").await;
    let cookie = format!("banyan_session={}", cookie["value"].as_str().unwrap());
    crate::flow::get(&place.url(path), &cookie).await
}

async fn tour(large: bool) {
    let Some(browser) = Browser::start(JavaScript::On).await else {
        return;
    };
    let suffix = if large { "-large" } else { "" };
    let place = Place::start().await;
    let (citizen, unpaid) = place.hostile().await;
    let link = place.link(&citizen).await;
    browser.open(&link).await;
    if large {
        browser.follow("form[action=\"/h5/size\"] button").await;
        assert_eq!(
            browser.text("form[action=\"/h5/size\"] button").await,
            "标准字"
        );
    }
    let item = format!("/h5/overdue/item/{}", unpaid[2]);
    let write = format!("{item}/appeal");

    // An appeal with everything in it, answered with everything in it.
    let word = "W".repeat(300);
    let plea = format!("{} {word}", HOSTILE.join("\n"));
    for (trace_id, text) in [(&unpaid[0], &plea), (&unpaid[1], &word)] {
        browser
            .open(&place.url(&format!("/h5/overdue/item/{trace_id}/appeal")))
            .await;
        browser.click("input[value=other]").await;
        let fill = serde_json::json!(text.chars().take(500).collect::<String>());
        // WebDriver types no letters beyond the first plane.
        browser
            .run(&format!("document.getElementById('text').value = {fill}"))
            .await;
        browser.type_into("#contact", "0591-87654321").await;
        browser.follow("form.write button").await;
        assert!(browser.url().await.contains("/h5/overdue/appeals/"));
    }
    place.settle().await;
    let open = place.desk().appeals(false, 10).await.unwrap();
    place.desk().show_appeal(open[0].id).await.unwrap();
    place
        .desk()
        .reject_appeal(open[1].id, &plea.chars().take(500).collect::<String>())
        .await
        .unwrap();
    let (waiting, decided) = (
        format!("/h5/overdue/appeals/{}", open[0].id),
        format!("/h5/overdue/appeals/{}", open[1].id),
    );

    for (name, path) in [
        ("list", "/h5/overdue"),
        ("record", &*item),
        (
            "record-appealed",
            &*format!("/h5/overdue/item/{}", unpaid[0]),
        ),
        ("appeal-write", &*write),
        ("appeal-waiting", &*waiting),
        ("appeal-decided", &*decided),
        ("appeals", "/h5/overdue/appeals"),
        ("looks", "/h5/overdue/looks"),
        ("card", "/h5/ehc/card"),
    ] {
        let page = wire(&place, &browser, path).await;
        assert_eq!(html::faults(&page), Vec::<String>::new(), "{path}");
        assert!(page.len() < 30_000, "{path}: {} bytes", page.len());
        browser.open(&place.url(path)).await;
        look_at(&browser, &format!("hostile-{name}{suffix}")).await;
    }

    // A form that is not filled in rightly.
    browser.open(&place.url(&write)).await;
    browser
        .run("document.querySelector('form.write').noValidate = true")
        .await;
    browser.type_into("#contact", "call me").await;
    browser.follow("form.write button").await;
    // The script forgets nothing: what was typed is still there.
    assert_eq!(
        browser
            .run("return document.getElementById('contact').value")
            .await,
        "call me"
    );
    let complaints = browser.complaints().await;
    assert!(
        complaints.iter().all(|complaint| complaint.contains("422")),
        "{complaints:?}"
    );
    look_at(&browser, &format!("hostile-appeal-faults{suffix}")).await;

    browser.follow("form[action=\"/h5/leave\"] button").await;
    look_at(&browser, &format!("left{suffix}")).await;
    for (name, path) in [
        ("over", &*link),
        ("not-in", &*place.url("/h5/overdue")),
        ("nowhere", &*place.url("/h5/x")),
    ] {
        browser.open(path).await;
        let expected = browser.complaints().await;
        assert!(
            expected
                .iter()
                .all(|complaint| complaint.contains("status of 4")),
            "{expected:?}"
        );
        look_at(&browser, &format!("problem-{name}{suffix}")).await;
        assert_eq!(
            html::faults(&crate::flow::get(path, "").await),
            Vec::<String>::new(),
            "{path}"
        );
    }
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
async fn what_is_ill_shown_is_found() {
    let Some(browser) = Browser::start(JavaScript::On).await else {
        return;
    };
    let sound = "<p>一</p><p>二</p><p>三</p>";
    for (ill, fault) in [
        ("", None),
        ("<p style='color:#8a8a8a'>四</p>", Some("contrast")),
        (
            "<div style='background:#17603f'><p>四</p></div>",
            Some("contrast"),
        ),
        ("<p style='width:2000px'>四</p>", Some("wide in")),
        (
            "<p style='position:absolute;left:-20px'>四</p>",
            Some("cut off"),
        ),
        ("<button style='height:20px'>四</button>", Some("to touch")),
        (
            "<input style='color:#ccc' value=x>",
            Some("contrast of a field"),
        ),
    ] {
        let page = format!(
            "<meta name=viewport content='width=device-width'><body style='background:white;color:black'>{sound}{ill}"
        );
        let encoded: String = url::form_urlencoded::byte_serialize(page.as_bytes()).collect();
        browser
            .open(&format!(
                "data:text/html;charset=utf-8,{}",
                encoded.replace('+', "%20")
            ))
            .await;
        let faults = looks::faults(&browser).await;
        match fault {
            None => assert!(faults.is_empty(), "{faults:?}"),
            Some(fault) => assert!(
                faults.iter().any(|found| found.contains(fault)),
                "{ill}: {faults:?}"
            ),
        }
    }
    browser.end().await;
}
