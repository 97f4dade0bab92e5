//! A scanner at a serial port, played by the other end of a pseudo terminal.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "these are tests and their scaffold: they fail by panicking"
)]

mod support;

use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use NationECCode::call::trans;
use NationECCode::settings::Settings;
use NationECCode::state::Ready;
use banyan_protocol::ambient::SystemClock;
use serialport::{SerialPort as _, TTYPort};

use support::centre::Centre;
use support::{APP_ID, SECRET};

const ASK: &[u8] = br#"{"data":{"orgId":"1","businessType":"01301"}}"#;

/// What a program gets while somebody scans this again and again.
fn scanned(typed: &'static [u8]) -> (String, String) {
    let centre = Centre::start();
    let (mut scanner, port) = TTYPort::pair().unwrap();
    let name = port.name().unwrap();
    drop(port);
    let settings = format!(
        "app_id = \"{APP_ID}\"\nsecret = \"{SECRET}\"\n[code]\nsource = \"serial\"\n\
         [serial]\nport = '{name}'\nbaud = 115200\ntimeout_ms = 1000"
    );
    let (end, ended) = channel::<()>();
    let hand = thread::spawn(move || {
        while ended.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout) {
            scanner.write_all(typed).unwrap();
        }
    });
    let ready = Ready::new(Settings::parse(&settings, Path::new(".")).unwrap());
    let outcome = trans(&ready, &SystemClock, centre.at("utf8").as_bytes(), ASK);
    drop(end);
    hand.join().unwrap();
    let returned = match outcome.returned {
        Ok(()) => "0000".to_owned(),
        Err(fault) => fault.to_string(),
    };
    (
        returned,
        String::from_utf8_lossy(&outcome.output).into_owned(),
    )
}

#[test]
fn a_code_ends_with_cr_or_lf() {
    for typed in [
        &b"EC-SERIAL-01\r\n"[..],
        b"EC-SERIAL-01\r",
        b"EC-SERIAL-01\n",
    ] {
        let (returned, out) = scanned(typed);
        assert_eq!(returned, "0000", "{out}");
        assert!(out.contains("\"qrCode\":\"EC-SERIAL-01\""), "{out}");
    }
}

#[test]
fn half_a_code_none_and_no_port_are_told() {
    let (returned, _) = scanned(b"E");
    assert!(returned.starts_with("500049 "), "{returned}");
    let (returned, _) = scanned(b"EC\x01\r");
    assert!(returned.starts_with("500049 "), "{returned}");
    let (returned, _) = scanned(b"\r");
    assert!(
        returned.starts_with("500049 扫到的二维码是空的"),
        "{returned}"
    );
    let (returned, _) = scanned(b"");
    assert!(returned.starts_with("-3 1000 毫秒内没有扫到"), "{returned}");
    let settings = format!(
        "app_id = \"{APP_ID}\"\nsecret = \"{SECRET}\"\n[code]\nsource = \"serial\"\n\
         [serial]\nport = '/dev/no-such-port'"
    );
    let ready = Ready::new(Settings::parse(&settings, Path::new(".")).unwrap());
    let outcome = trans(&ready, &SystemClock, b"http://localhost:1/", ASK);
    let told = outcome.returned.unwrap_err().to_string();
    assert!(
        told.starts_with("-1 打不开扫码器串口 /dev/no-such-port"),
        "{told}"
    );
}
