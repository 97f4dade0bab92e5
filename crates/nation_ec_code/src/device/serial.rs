//! A scanner at a serial port (RS-232, or USB that plays one): it types a code and ends it with CR or
//! LF.

use std::io::{ErrorKind, Read as _};
use std::time::{Duration, Instant};

use serialport::ClearBuffer;

use crate::fault::{Code, Fault};
use crate::settings::Serial;

/// Longer than any code; what is longer has lost its end.
const MOST_BYTES: usize = 600;
/// The port's own unit of waiting; nothing but the last round's length depends on it.
const ROUND: Duration = Duration::from_millis(200);

/// The next line that the scanner types. What it typed before nobody asked for, so it is thrown away:
/// it may be another patient's.
pub(super) fn scan(settings: &Serial) -> Result<String, Fault> {
    let fault = |code, text: String| Fault::new(code, text);
    let name = &settings.port;
    let mut port = serialport::new(name, settings.baud)
        .timeout(ROUND.min(settings.patience))
        .open()
        .map_err(|_| {
            let text = format!(
                "打不开扫码器串口 {name}：请检查连接、端口名、权限，以及是否被别的程序占用"
            );
            fault(Code::Unknown, text)
        })?;
    let gone = || fault(Code::Unknown, format!("扫码器串口 {name} 断开"));
    port.clear(ClearBuffer::Input).map_err(|_| gone())?;
    let until = Instant::now() + settings.patience;
    let mut line = Vec::new();
    let mut piece = [0; 64];
    while Instant::now() < until {
        let count = match port.read(&mut piece) {
            Ok(0) => return Err(gone()),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                continue;
            }
            Err(_) => return Err(gone()),
        };
        for &byte in piece.iter().take(count) {
            // The second half of the end of a code that came before.
            if byte == b'\n' && line.is_empty() {
                continue;
            }
            if matches!(byte, b'\r' | b'\n') {
                // What is no UTF-8 is no code either, and `whole` says so.
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            line.push(byte);
            if line.len() > MOST_BYTES {
                let text = "扫码器发来的内容过长且没有换行：请检查波特率和结束符设置";
                return Err(fault(Code::TornCode, text.to_owned()));
            }
        }
    }
    if line.is_empty() {
        let text = format!("{} 毫秒内没有扫到二维码", settings.patience.as_millis());
        Err(fault(Code::Timeout, text))
    } else {
        let text = "扫到的二维码不完整（没有结束符），请重新扫码，并检查扫码器是否设置了回车结尾";
        Err(fault(Code::TornCode, text.to_owned()))
    }
}
