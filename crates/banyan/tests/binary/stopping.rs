//! SIGTERM under load: what is under way is answered, what was acknowledged stays.

use std::net::SocketAddr;

use banyan_protocol::ambient::{Clock as _, SystemClock};
use banyan_protocol::catalogue::Interface;
use banyan_protocol::envelope::{AcceptedReplies, Answer, Sealing, Secret, open_reply};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::eventually;
use crate::load::Load;
use crate::partner::{Partner, path};
use crate::place::Place;
use crate::random_below;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_loses_nothing_and_answers_what_is_under_way() {
    let place = Place::sqlite();
    let load = Load::at(&place, 3).await;
    let slow = place.add_hospital("H35019920001");
    let callers = load.start(3);
    for _ in 0..2 {
        let server = place.serve();
        load.platform_is(Some(&server.url));
        let moment = usize::try_from(10 + random_below(60)).unwrap();
        load.wait_for_acknowledged(moment).await;
        let address: SocketAddr = server.url.trim_start_matches("http://").parse().unwrap();
        let under_way = HalfSent::send(address, &slow).await;
        server.program.signal("TERM");
        eventually("new connections are refused", async || {
            TcpStream::connect(address).await.is_err().then_some(())
        })
        .await;
        load.platform_is(None);
        let answer = under_way.finish(&slow).await;
        assert!(
            matches!(&answer, Answer::Refused { code, .. } if code == "000105"),
            "{answer:?}"
        );
        let ended = server.program.wait();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(!ended.err.contains("\"ERROR\""), "{}", ended.err);
    }
    // No lease has to run out: a platform that stops in peace gives back what it holds.
    let server = place.serve();
    load.platform_is(Some(&server.url));
    load.end(callers).await;
    let tally = load.check(&server.url).await;
    eprintln!("{tally:?}");
    assert_eq!(server.program.stop().code, Some(0));
}

/// A request of which the second half is still to come.
struct HalfSent {
    line: TcpStream,
    rest: Vec<u8>,
}

const GO_ON: [u8; 25] = *b"HTTP/1.1 100 Continue\r\n\r\n";

impl HalfSent {
    async fn send(address: SocketAddr, partner: &Partner) -> Self {
        let business = json!({ "orgId": partner.org_id, "orgRequestId": "none" }).to_string();
        let secret = Secret::parse(&partner.secret).unwrap();
        let body = Sealing::call(&partner.app_id, SystemClock.now_ms(), &business).seal(&secret);
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            path(Interface::OrgMdl005),
            body.len()
        );
        let mut line = TcpStream::connect(address).await.unwrap();
        line.write_all(request.as_bytes()).await.unwrap();
        // It is under way once the server asks for its body.
        let mut go_on = [0; GO_ON.len()];
        line.read_exact(&mut go_on).await.unwrap();
        assert_eq!(go_on, GO_ON);
        let (first, rest) = body.as_bytes().split_at(body.len() / 2);
        line.write_all(first).await.unwrap();
        Self {
            line,
            rest: rest.to_vec(),
        }
    }

    async fn finish(mut self, partner: &Partner) -> Answer {
        self.line.write_all(&self.rest).await.unwrap();
        let mut reply = Vec::new();
        self.line.read_to_end(&mut reply).await.unwrap();
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply:?}");
        let body = reply.split_once("\r\n\r\n").unwrap().1;
        let accepted = AcceptedReplies {
            plain_and_bare: false,
        };
        let secret = Secret::parse(&partner.secret).unwrap();
        open_reply(body.as_bytes(), &secret, accepted).unwrap()
    }
}

/// The body of a page that must be there.
pub(crate) async fn get(url: &str, page: &str) -> String {
    let (status, body) = try_get(url, page).await;
    assert_eq!(status, 200, "{body}");
    body
}

/// Status and body of a page.
pub(crate) async fn try_get(url: &str, page: &str) -> (u16, String) {
    try_get_with(url, page, "").await
}

/// The same with further header lines.
pub(crate) async fn try_get_with(url: &str, page: &str, headers: &str) -> (u16, String) {
    let address = url.trim_start_matches("http://");
    let mut line = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {page} HTTP/1.0\r\nhost: {address}\r\n{headers}\r\n");
    line.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    line.read_to_string(&mut reply).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}
