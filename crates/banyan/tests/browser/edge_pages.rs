//! The edge's own pages, as an engineer of a hospital sees them: how it is, and how it is called.

use crate::browser::{Browser, JavaScript, Screen};
use crate::looks;
use crate::place::Place;

const DESK: Screen = Screen {
    width: 1200,
    dark: false,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engineer_looks_at_the_edge_and_tries_a_call() {
    let Some(browser) = Browser::start(JavaScript::On).await else {
        return;
    };
    let place = Place::start_with_edge().await;
    let edge = place.province.description.edge.clone().to_string();
    let edge = edge.trim_end_matches('/');
    let key = place.province.description.edge_api_key.clone();
    let citizen = place.province.citizens[0].clone();
    browser.open(&format!("{edge}/")).await;
    assert!(browser.text("#verdict").await.contains("刚刚启动"));
    let his = place.province.his.clone().unwrap();
    his.query(&citizen).await.unwrap();

    browser.open(&format!("{edge}/")).await;
    for screen in looks::SCREENS.into_iter().chain([DESK]) {
        browser.show_as(screen).await;
        assert_eq!(looks::faults(&browser).await, Vec::<String>::new());
    }
    browser.picture("edge-status").await;
    let shown = browser.text("main").await;
    for person in [&citizen.id_no, &citizen.user_name] {
        assert!(!shown.contains(person.as_str()), "{shown}");
    }
    for said in ["一切正常", "查询医疗欠费状况 ORG_MDL_002"] {
        assert!(shown.contains(said), "{shown}");
    }

    browser.open(&format!("{edge}/docs")).await;
    browser
        .run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        .await;
    for screen in looks::SCREENS.into_iter().chain([DESK]) {
        browser.show_as(screen).await;
        assert_eq!(looks::faults(&browser).await, Vec::<String>::new());
    }
    browser.picture("edge-docs").await;

    // Without the key the edge refuses; with it the settings of the example are taken.
    let answered = "return document.querySelector('#settle output pre') !== null";
    browser.click("#settle form button").await;
    browser.wait_until(answered).await;
    assert!(browser.text("#settle output").await.contains("HTTP 401"));
    browser.type_into("#key", &key).await;
    browser
        .run("document.querySelector('#settle output').replaceChildren()")
        .await;
    browser.click("#settle form button").await;
    browser.wait_until(answered).await;
    let said = browser.text("#settle output").await;
    assert!(said.contains("HTTP 200"), "{said}");

    browser.end().await;
    place.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_script_the_pages_say_the_same_and_send_nothing() {
    let Some(browser) = Browser::start(JavaScript::Off).await else {
        return;
    };
    let place = Place::start_with_edge().await;
    let edge = place.province.description.edge.clone().to_string();
    browser.open(&format!("{edge}/docs")).await;
    let source = browser.source().await;
    assert!(source.contains("浏览器未启用脚本，请用上面的命令。"));
    assert_eq!(
        source.matches("disabled").count(),
        source.matches("class=\"try\"").count()
    );
    browser.end().await;
    place.end().await;
}
