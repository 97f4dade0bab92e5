//! The C interface (5.2): raw pointers in, slices inside, and no panic out.

#![expect(unsafe_code, reason = "a C interface gives raw pointers")]

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use banyan_protocol::ambient::{Clock as _, SystemClock};

use crate::call::{self, Outcome};
use crate::charset::Charset;
use crate::fault::{Code, Fault};
use crate::log;
use crate::output::{Room, SMALLEST};
use crate::scan::{Scan, Step};
use crate::state::{self, Ready};
use crate::texts;

/// strUrl is at most so long (5.2).
const MOST_URL_BYTES: usize = 2048;

/// 交易接口调用函数 (5.2): sends `InData` to the centre at `strUrl` and writes its reply to `OutData`.
///
/// Returns `0000` where a reply of the centre arrived whole and verified, whatever `code` it holds;
/// otherwise a code of table 7.1 and the reason, which `OutData` then holds as JSON too. The text
/// returned is the library's own, stays valid while it is loaded, and must not be freed.
///
/// # Safety
/// Each pointer may be null. `strUrl` otherwise ends in NUL, `InData` is a JSON object (a NUL behind it
/// is not needed), and `OutData` has at least as many bytes as the setting `output_size` says.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the standard's own names")]
pub unsafe extern "system" fn NationEcTrans(
    strUrl: *mut c_char,
    InData: *mut c_char,
    OutData: *mut c_char,
) -> *mut c_char {
    let done = catch_unwind(AssertUnwindSafe(|| {
        let arguments = Arguments {
            url: strUrl.cast(),
            input: InData.cast(),
            output: OutData.cast(),
        };
        // SAFETY: the caller's promises are those of `Arguments`.
        unsafe { arguments.call() }
    }));
    let text = done.unwrap_or_else(|panic| {
        // A panic's payload may itself panic when it is dropped, and there are few of them.
        std::mem::forget(panic);
        let fault = Fault::unexpected();
        if !OutData.is_null() {
            let room = Room {
                charset: Charset::Gb18030,
                size: SMALLEST,
            };
            // SAFETY: the caller's buffer has more bytes than the smallest that can be set.
            unsafe { write(OutData.cast(), &room.fault(None, &fault)) };
        }
        texts::kept(&Charset::Gb18030.encode(&fault.to_string()))
    });
    text.as_ptr().cast_mut()
}

struct Arguments {
    url: *const u8,
    input: *const u8,
    output: *mut u8,
}

impl Arguments {
    /// # Safety
    /// As [`NationEcTrans`] has it.
    unsafe fn call(&self) -> &'static CStr {
        let started = Instant::now();
        let at_ms = SystemClock.now_ms();
        let ready = state::current();
        let (room, outcome) = match &ready {
            Ok(ready) => {
                let room = ready.settings.room;
                // SAFETY: passed on.
                let outcome = unsafe { self.read(room.charset) }.map_or_else(
                    |fault| failed(room, fault),
                    |(url, input)| call::trans(ready, &SystemClock, &url, &input),
                );
                (room, outcome)
            }
            // Nobody knows how large the buffer is, but it is no smaller than the smallest.
            Err(fault) => {
                let room = Room {
                    charset: Charset::Gb18030,
                    size: SMALLEST,
                };
                (room, failed(room, fault.clone()))
            }
        };
        if !self.output.is_null() {
            // SAFETY: an outcome's output fits into its room, NUL and all, and the caller's buffer is
            // as large as that room.
            unsafe { write(self.output, &outcome.output) };
        }
        let returned = match &outcome.returned {
            Ok(()) => texts::SUCCESS,
            Err(fault) => texts::kept(&shortened(room.charset, &fault.to_string())),
        };
        if let Ok(ready) = &ready {
            note(ready, at_ms, started.elapsed(), &outcome);
        }
        returned
    }

    /// # Safety
    /// As [`NationEcTrans`] has it.
    unsafe fn read(&self, charset: Charset) -> Result<(Vec<u8>, Vec<u8>), Fault> {
        let null = |name| Err(Fault::new(Code::Parameter, format!("{name} 是空指针")));
        if self.url.is_null() {
            return null("strUrl");
        }
        if self.input.is_null() {
            return null("InData");
        }
        if self.output.is_null() {
            return null("OutData");
        }
        // SAFETY: neither is null; the first ends in NUL, the second is a JSON object.
        unsafe { Ok((url(self.url)?, object(self.input, charset)?)) }
    }
}

/// # Safety
/// `start` points to bytes that end in NUL.
unsafe fn url(start: *const u8) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    for offset in 0..=MOST_URL_BYTES {
        // SAFETY: no NUL came before this byte, so it is the caller's.
        match unsafe { start.add(offset).read() } {
            0 => return Ok(bytes),
            byte => bytes.push(byte),
        }
    }
    let text = format!("strUrl 超过 {MOST_URL_BYTES} 字节仍未结束");
    Err(Fault::new(Code::Address, text))
}

/// # Safety
/// `start` points to a JSON object in this charset, or to bytes that end in NUL.
unsafe fn object(start: *const u8, charset: Charset) -> Result<Vec<u8>, Fault> {
    let mut scan = Scan::new(charset);
    let mut bytes = Vec::with_capacity(1024);
    loop {
        // SAFETY: the object goes on and no NUL came before this byte, so it is the caller's; the
        // scan refuses to go on for ever.
        let byte = unsafe { start.add(bytes.len()).read() };
        let step = scan.feed(byte)?;
        bytes.push(byte);
        if step == Step::End {
            return Ok(bytes);
        }
    }
}

/// # Safety
/// `to` has room for the bytes and a NUL.
unsafe fn write(to: *mut u8, bytes: &[u8]) {
    // SAFETY: there is room, and a caller's buffer is none of ours.
    unsafe {
        to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        to.add(bytes.len()).write(0);
    }
}

fn failed(room: Room, fault: Fault) -> Outcome {
    Outcome {
        output: room.fault(None, &fault),
        code: fault.code().number(),
        returned: Err(fault),
        trans_type: String::new(),
        outside: Duration::ZERO,
    }
}

/// The returned text is short, and ends with a whole letter.
fn shortened(charset: Charset, text: &str) -> Vec<u8> {
    const MOST_LETTERS: usize = 120;
    let text: String = text.chars().take(MOST_LETTERS).collect();
    charset.encode(&text)
}

fn note(ready: &Ready, at_ms: i64, whole: Duration, outcome: &Outcome) {
    let Some(log) = &ready.settings.log else {
        return;
    };
    let returned = match &outcome.returned {
        Ok(()) => "0000".to_owned(),
        // What the centre says unsigned is its own text; the log has the code.
        Err(fault) if matches!(fault.code(), Code::Centres(_)) => fault.code().number().to_string(),
        Err(fault) => fault.to_string(),
    };
    log.write(&log::Line {
        at_ms,
        trans_type: &outcome.trans_type,
        code: outcome.code,
        returned: &returned,
        whole_ms: whole.as_millis(),
        outside_ms: outcome.outside.as_millis(),
        failed: outcome.returned.is_err(),
    });
}
