//! What an envelope costs, without network, database or room.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use banyan_protocol::ambient::Clock as _;
use banyan_protocol::ambient::SystemClock;
use banyan_protocol::crypto::sm3;
use banyan_protocol::crypto::sm4::Sm4;
use banyan_protocol::envelope::{
    Dialect, Envelope, Environment, INTERFACE_VERSION, Manner, Outcome, Sealing, Secret,
};
use banyan_protocol::result_code::ResultCode;

use super::table::{Figure, Table};
use super::{median, number, query};

/// How long each figure is measured, in five parts of which the middle one counts.
const PART: Duration = Duration::from_millis(300);
const PARTS: usize = 5;
const BLOCK: usize = 64 * 1024;

pub(super) fn measure(table: &mut Table) -> Result<()> {
    let secret = Secret::parse("0123456789abcdef0123456789abcdef")?;
    let now_ms = SystemClock.now_ms();
    let business = query::business(1, &"0".repeat(64));
    let request = Sealing::call("bench", now_ms, &business).seal(&secret);
    let answer = query::typical_answer();
    open(&request, &secret)?;

    let opening = micros(|| open(black_box(&request), &secret));
    let sealing = micros(|| seal(black_box(&answer), now_ms, &secret));
    table.add(Figure::new(
        format!("解密验签，请求 {} 字节", request.len()),
        "微秒",
        opening,
    ));
    table.add(Figure::new(
        format!(
            "加密签名，应答 {} 字节",
            seal(&answer, now_ms, &secret).len()
        ),
        "微秒",
        sealing,
    ));
    table.add(Figure::new("一次查询的信封合计", "微秒", opening + sealing));

    let block = vec![7; BLOCK];
    let cipher = Sm4::with_key(&[3; 16]);
    let megabytes = number(BLOCK as u64) / 1e6;
    let hashed = micros(|| sm3::digest(black_box(&block)));
    let encrypted = micros(|| cipher.encrypt_ecb(black_box(&block)));
    let sealed = cipher.encrypt_ecb(&block);
    let decrypted = micros(|| cipher.decrypt_ecb(black_box(sealed.clone())));
    table.add(Figure::new("SM3", "MB/秒", megabytes / hashed * 1e6));
    table.add(Figure::new(
        "SM4 加密",
        "MB/秒",
        megabytes / encrypted * 1e6,
    ));
    table.add(Figure::new(
        "SM4 解密",
        "MB/秒",
        megabytes / decrypted * 1e6,
    ));
    Ok(())
}

fn open(request: &str, secret: &Secret) -> Result<Option<String>> {
    let envelope = Envelope::parse(request.as_bytes()).map_err(|fault| anyhow!("{fault}"))?;
    let opened = envelope.open(secret, Environment::Production, Dialect::default())?;
    Ok(opened.business)
}

fn seal(business: &str, now_ms: i64, secret: &Secret) -> String {
    Sealing {
        app_id: "bench",
        version: INTERFACE_VERSION,
        timestamp_ms: now_ms,
        outcome: Some(Outcome {
            code: ResultCode::Success,
            message: ResultCode::Success.label(),
        }),
        business: Some(business),
        manner: Manner::SEALED,
    }
    .seal(secret)
}

/// Microseconds of one call.
fn micros<T>(mut call: impl FnMut() -> T) -> f64 {
    let parts: Vec<_> = (0..PARTS)
        .map(|_| {
            let began = Instant::now();
            let mut calls = 0;
            while began.elapsed() < PART {
                for _ in 0..8 {
                    black_box(call());
                }
                calls += 8;
            }
            began.elapsed().as_secs_f64() * 1e6 / number(calls)
        })
        .collect();
    median(&parts)
}
