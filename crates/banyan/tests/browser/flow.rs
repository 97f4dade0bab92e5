//! What a citizen does, in a browser that runs scripts and in one that does not.

use banyan_sandbox::Fault;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::browser::{Browser, JavaScript};
use crate::place::Place;

/// What a page is over the wire; the browser's own source is what it made of it.
pub(crate) async fn get(url: &str, cookie: &str) -> String {
    ask("GET", url, cookie, "").await
}

/// The same for a form that is sent.
pub(crate) async fn ask(method: &str, url: &str, cookie: &str, form: &str) -> String {
    let url: url::Url = url.parse().unwrap();
    let address = url.socket_addrs(|| None).unwrap()[0];
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncookie: {cookie}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        url.path(),
        form.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

async fn visit(script: JavaScript) {
    let Some(browser) = Browser::start(script).await else {
        return;
    };
    let suffix = match script {
        JavaScript::On => "",
        JavaScript::Off => "-no-script",
    };
    let place = Place::start().await;
    let citizen = place.province.citizens[3].clone();
    let (first, _) = place.owe(0, &citizen, "住院费", 328_650, 4).await;
    place.owe(0, &citizen, "门诊诊查费", 5_000, 2).await;
    let (_, contested) = place.owe(1, &citizen, "门诊诊查费", 3_200, 1).await;
    let (paid, _) = place.owe(1, &citizen, "核磁共振检查费", 58_000, 20).await;
    let (wrong, _) = place.owe(2, &citizen, "门诊诊查费", 1_500, 30).await;
    place.province.hospitals[1].pay(&paid).await.unwrap();
    place.province.hospitals[2].revoke(&wrong).await.unwrap();
    place.settle().await;
    place.province.hospitals[2]
        .query(&citizen, false)
        .await
        .unwrap();

    browser.open(&place.link(&citizen).await).await;
    assert_eq!(browser.url().await, place.url("/h5/overdue"));
    assert_eq!(browser.text("h1").await, "医疗欠费名单");
    assert_eq!(browser.text(".total").await, "3,368.50 元");
    browser.picture(&format!("list{suffix}")).await;

    // A refresh: one hospital confirms, the other is silent.
    place.province.hospitals[0].pay_locally(&first).unwrap();
    place.province.hospitals[1].set_fault(Fault::Status(502));
    place.advance_ms(120_000);
    browser.follow("form[action=\"/h5/refresh\"] button").await;
    let said = browser.text(".said").await;
    assert!(
        said.contains("名单已更新") && said.contains("医院暂时没有答复"),
        "{said}"
    );
    assert_eq!(browser.text(".total").await, "82.00 元");
    browser.picture(&format!("list-refreshed{suffix}")).await;
    place.province.hospitals[1].set_fault(Fault::None);

    // An appeal, from the record to its progress, and back.
    browser
        .follow(&format!("a[href=\"/h5/overdue/item/{contested}\"]"))
        .await;
    browser.picture(&format!("record{suffix}")).await;
    browser.follow("main .actions a").await;
    browser.picture(&format!("appeal-write{suffix}")).await;
    // The script counts letters; where none may run there is no such line.
    let counted = browser.source().await.contains("还可写 500 字");
    assert_eq!(counted, script == JavaScript::On);
    browser.click("input[value=paid]").await;
    browser
        .type_into("#text", "三月一日上午在一楼收费窗口用现金缴的，有收据。")
        .await;
    browser.type_into("#contact", "13800000000").await;
    browser.follow("form.write button").await;
    let progress = browser.text(".steps").await;
    assert!(progress.contains("申诉已提交"), "{progress}");
    place.settle().await;
    let appeal = browser.url().await.replace("?filed=1", "");
    browser.open(&appeal).await;
    let progress = browser.text(".steps").await;
    assert!(progress.contains("医院答复这笔费用仍未结清"), "{progress}");
    browser.picture(&format!("appeal-waiting{suffix}")).await;
    browser.follow(".menu li:first-child a").await;
    assert_eq!(browser.text(".item .state.open").await, "申诉核实中");
    browser.open(&appeal).await;
    browser.follow("form.withdraw button").await;
    assert!(browser.text(".steps").await.contains("您撤回了申诉"));

    browser.follow(".menu li:nth-child(3) a").await;
    let looked = browser.text(".looks").await;
    assert!(
        looked.contains("武夷妇幼保健院") && looked.contains("为您打开本名单"),
        "{looked}"
    );
    browser.picture(&format!("looks{suffix}")).await;
    browser.follow("form[action=\"/h5/size\"] button").await;
    assert!(browser.source().await.contains("class=\"large\""));
    assert_eq!(browser.url().await, place.url("/h5/overdue/looks"));
    browser.open(&place.url("/h5/overdue")).await;
    browser.picture(&format!("list-large{suffix}")).await;
    browser.follow("form[action=\"/h5/leave\"] button").await;
    assert_eq!(browser.text("h1").await, "您已退出");
    browser.open(&place.url("/h5/overdue")).await;
    assert_eq!(browser.text("h1").await, "请重新进入");
    browser.forget_cookies().await;
    browser.end().await;
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_with_scripts() {
    visit(JavaScript::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_without_scripts() {
    visit(JavaScript::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_pressed_twice_is_sent_once() {
    let Some(browser) = Browser::start(JavaScript::On).await else {
        return;
    };
    let place = Place::start().await;
    let citizen = place.province.citizens[4].clone();
    place.owe(0, &citizen, "诊查费", 100, 2).await;
    place.advance_ms(120_000);
    browser.open(&place.link(&citizen).await).await;
    let sent = browser
        .run(
            "const form = document.querySelector('form[action=\"/h5/refresh\"]');
             let sent = 0;
             form.addEventListener('submit', (event) => { if (!event.defaultPrevented) sent += 1; event.preventDefault(); });
             const button = form.querySelector('button');
             button.click(); button.click(); button.click();
             return [sent, button.textContent];",
        )
        .await;
    assert_eq!(sent, serde_json::json!([1, "正在向医院核实，请稍候…"]));
    browser.end().await;
    place.end().await;
}
