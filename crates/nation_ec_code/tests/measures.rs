//! What a call costs besides network and devices: `cargo test --profile dll -p banyan-nation-ec-code
//! --test measures -- --ignored --nocapture`. The figures stand in `docs/nation-ec-code.zh-CN.md`.
#![expect(
    clippy::unwrap_used,
    reason = "these are tests and their scaffold: they fail by panicking"
)]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use NationECCode::call::trans;
use NationECCode::charset::Charset;
use NationECCode::scan::{Scan, Step};
use NationECCode::settings::Settings;
use NationECCode::state::Ready;
use banyan_protocol::ambient::SystemClock;

use support::centre::Centre;
use support::{APP_ID, QUERY, SECRET};

const CALLS: usize = 20_000;

#[test]
#[ignore = "a measurement, not a check"]
fn what_a_call_costs_by_itself() {
    let centre = Centre::start();
    let text = format!("app_id = \"{APP_ID}\"\nsecret = \"{SECRET}\"\noutput_size = 4096");
    let ready = Ready::new(Settings::parse(&text, Path::new(".")).unwrap());
    let input = Charset::Gb18030.encode(QUERY);
    let url = centre.at("ok");
    let mut own: Vec<Duration> = (0..CALLS)
        .map(|_| {
            let started = Instant::now();
            let mut scan = Scan::new(Charset::Gb18030);
            let end = input
                .iter()
                .position(|&byte| scan.feed(byte) == Ok(Step::End));
            let outcome = trans(
                &ready,
                &SystemClock,
                url.as_bytes(),
                &input[..=end.unwrap()],
            );
            assert_eq!(outcome.returned, Ok(()));
            started.elapsed() - outcome.outside
        })
        .collect();
    own.sort();
    let at = |share: usize| own[CALLS * share / 1000].as_micros();
    println!(
        "own cost of {CALLS} calls: median {} us, p99 {} us, p99.9 {} us",
        at(500),
        at(990),
        at(999)
    );
}

#[test]
#[ignore = "as long as FUZZ_SECONDS says; the doors' short runs are in scan.rs, output.rs and below"]
fn hostile_bytes_for_a_long_time() {
    let seconds = std::env::var("FUZZ_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(60);
    let (began, time) = (Instant::now(), Duration::from_secs(seconds));
    println!("{} inputs, no panic", hostile(|_| began.elapsed() < time));
}

#[test]
fn hostile_bytes_are_refused_without_a_panic() {
    // The draw is seeded: these are the same inputs on every machine, however fast.
    assert_eq!(hostile(|tried| tried < 1_000), 1_000);
}

/// Good messages with bytes changed, cut, doubled and swapped, through every door before the network;
/// the address leads nowhere, so that none of them gets further.
fn hostile(goes_on: impl Fn(u64) -> bool) -> u64 {
    use banyan_protocol::ambient::SeededRandomness;

    let texts = [
        "output_size = 512",
        "output_size = 4096\nencoding = \"utf-8\"",
    ];
    let ready = texts.map(|more| {
        let text = format!("app_id = \"{APP_ID}\"\nsecret = \"{SECRET}\"\n{more}");
        Ready::new(Settings::parse(&text, Path::new(".")).unwrap())
    });
    let random = SeededRandomness::new(1);
    let below = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
    let mut tried = 0;
    while goes_on(tried) {
        let ready = &ready[below(2)];
        let charset = ready.settings.room.charset;
        let mut bytes = charset.encode(QUERY);
        for _ in 0..=below(8) {
            let at = below(bytes.len());
            match below(5) {
                0 => bytes[at] = u8::try_from(below(256)).unwrap(),
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, b"{}[]\"\\:,\x81\xFE\x30\0"[below(12)]),
                3 => {
                    let part = bytes[at..(at + 20).min(bytes.len())].to_vec();
                    bytes.splice(at..at, part);
                }
                _ => {
                    let other = below(bytes.len());
                    bytes.swap(at, other);
                }
            }
        }
        bytes.push(0);
        let mut scan = Scan::new(charset);
        let mut end = None;
        for (at, &byte) in bytes.iter().enumerate() {
            match scan.feed(byte) {
                Ok(Step::More) => {}
                Ok(Step::End) => {
                    end = Some(at);
                    break;
                }
                Err(_) => break,
            }
        }
        // What the scan takes goes on as it stands, and what it refuses goes on too.
        let text = end.map_or(&bytes[..], |end| &bytes[..=end]);
        let outcome = trans(ready, &SystemClock, b"http://127.0.0.1:1/", text);
        assert!(outcome.returned.is_err());
        assert!(outcome.output.len() < ready.settings.room.size);
        let read = charset.decode(&outcome.output).unwrap();
        serde_json::from_str::<serde_json::Value>(&read).unwrap();
        // Replies go through the same charset and the protocol's own reader.
        if let Ok(text) = charset.decode(text) {
            let secret = banyan_protocol::envelope::Secret::parse(SECRET).unwrap();
            let opened = banyan_protocol::envelope::centre::open_reply(&text, APP_ID, &secret);
            assert!(opened.is_err());
        }
        tried += 1;
    }
    tried
}
