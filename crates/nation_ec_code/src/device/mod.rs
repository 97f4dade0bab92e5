//! The devices at a window or in a kiosk: where a code, a face or a password comes from.

mod serial;
pub(crate) mod terminal;

use crate::fault::{Code, Fault};
use crate::settings::Source;
use crate::state::Ready;

/// Whom a device is asked for, and what about.
pub(crate) struct Occasion {
    pub(crate) org_id: String,
    pub(crate) business_type: String,
}

/// A code from the device that the settings name.
pub(crate) fn scan(ready: &Ready, occasion: &Occasion) -> Result<String, Fault> {
    let code = match (&ready.settings.source, &ready.settings.terminal) {
        (Source::Serial(port), _) => serial::scan(port)?,
        (Source::Terminal, Some(settings)) => terminal::scan(&ready.terminal, settings, occasion)?,
        (Source::Terminal | Source::None, _) => {
            return Err(Fault::new(
                Code::Parameter,
                "没有二维码：extra.qrCode 为空，设置 code.source 也没有指明扫码设备",
            ));
        }
    };
    whole(&code)
}

/// What a scanner reads of a screen is letters, digits and marks; anything else is half of it.
fn whole(code: &str) -> Result<String, Fault> {
    const MOST: usize = 512;
    let code = code.trim();
    let torn = |why| Err(Fault::new(Code::TornCode, why));
    if code.is_empty() {
        return torn("扫到的二维码是空的，请重新扫码");
    }
    if code.len() > MOST || !code.bytes().all(|byte| byte.is_ascii_graphic()) {
        return torn("扫到的二维码不完整，请重新扫码");
    }
    Ok(code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_code_is_none() {
        assert_eq!(whole(" EC01 \r\n").unwrap(), "EC01");
        for torn in ["", " \r", "EC\u{7f}", "EC 01", "码", &"E".repeat(513)] {
            assert_eq!(whole(torn).unwrap_err().code(), Code::TornCode);
        }
    }
}
