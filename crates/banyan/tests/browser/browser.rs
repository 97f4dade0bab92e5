//! A Chromium that is driven over WebDriver: the few commands that the stories need, spoken as
//! JSON over HTTP. Everything that was started is ended when this is dropped.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use banyan_protocol::crypto::base64;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Whether pages may run their script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JavaScript {
    On,
    Off,
}

/// What a page is to be shown as.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) dark: bool,
}

pub(crate) const PHONE: Screen = Screen {
    width: 412,
    dark: false,
};

/// Longer than any command takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the page is the one that was marked, or another one not wholly there yet.
const STILL_BEFORE: &str = "return window.before === true || document.readyState !== 'complete'";

/// A browser with one window.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    process: Option<u64>,
    _profile: TempDir,
}

impl Browser {
    /// Starts one; `None` where the tests are to do without.
    pub(crate) async fn start(script: JavaScript) -> Option<Self> {
        if std::env::var("BANYAN_TEST_BROWSER").is_ok_and(|wish| wish == "skip") {
            eprintln!("the browser is skipped: BANYAN_TEST_BROWSER=skip");
            return None;
        }
        let (driver, port) = driver_and_port();
        let profile = tempfile::tempdir().unwrap();
        let setting = match script {
            JavaScript::On => 1,
            JavaScript::Off => 2,
        };
        let wish = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {
                "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                    "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
                    "--lang=zh-CN", format!("--user-data-dir={}", profile.path().display())],
                "prefs": {"profile.managed_default_content_settings.javascript": setting},
            },
        }}});
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
            process: None,
            _profile: profile,
        };
        let begun = browser.exchange("POST", "/session", &wish).await;
        browser.session = begun["sessionId"].as_str().unwrap().to_owned();
        browser.process = begun["capabilities"]["goog:processID"].as_u64();
        browser.show_as(PHONE).await;
        Some(browser)
    }

    /// Ends the session as a user closes a window.
    pub(crate) async fn end(mut self) {
        self.command("DELETE", "", &Value::Null).await;
        self.process = None;
    }

    /// Changes what pages are shown as.
    pub(crate) async fn show_as(&self, screen: Screen) {
        let metrics =
            json!({"width": screen.width, "height": 915, "deviceScaleFactor": 2, "mobile": true});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics)
            .await;
        let scheme = if screen.dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"}]});
        self.devtools("Emulation.setEmulatedMedia", &media).await;
    }

    pub(crate) async fn open(&self, url: &str) {
        self.command("POST", "/url", &json!({"url": url})).await;
    }

    pub(crate) async fn url(&self) -> String {
        let url = self.command("GET", "/url", &Value::Null).await;
        url.as_str().unwrap().to_owned()
    }

    /// The page's elements as the browser has them now.
    pub(crate) async fn source(&self) -> String {
        let source = self.command("GET", "/source", &Value::Null).await;
        source.as_str().unwrap().to_owned()
    }

    pub(crate) async fn text(&self, css: &str) -> String {
        let element = self.find(css).await;
        let text = self
            .command("GET", &format!("/element/{element}/text"), &Value::Null)
            .await;
        text.as_str().unwrap().to_owned()
    }

    pub(crate) async fn click(&self, css: &str) {
        let element = self.find(css).await;
        self.command("POST", &format!("/element/{element}/click"), &json!({}))
            .await;
    }

    /// Presses what leads to another page and waits until that is there: the browser goes on
    /// while the page before still stands.
    pub(crate) async fn follow(&self, css: &str) {
        self.run("window.before = true").await;
        self.click(css).await;
        let began = Instant::now();
        while self.run(STILL_BEFORE).await == json!(true) {
            assert!(began.elapsed() < PATIENCE, "{css} leads nowhere");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a function body returns true: for what the page does by itself.
    pub(crate) async fn wait_until(&self, script: &str) {
        let began = Instant::now();
        while self.run(script).await != json!(true) {
            assert!(began.elapsed() < PATIENCE, "it never came: {script}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn type_into(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        let path = format!("/element/{element}/value");
        self.command("POST", &path, &json!({"text": text})).await;
    }

    /// What a function body returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.command(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": []}),
        )
        .await
    }

    pub(crate) async fn cookie(&self, name: &str) -> Value {
        self.command("GET", &format!("/cookie/{name}"), &Value::Null)
            .await
    }

    pub(crate) async fn forget_cookies(&self) {
        self.command("DELETE", "/cookie", &Value::Null).await;
    }

    /// What the console complained of since it was last asked.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self
            .command("POST", "/se/log", &json!({"type": "browser"}))
            .await;
        let rows = log.as_array().cloned().unwrap_or_default();
        rows.iter()
            .filter(|row| row["level"] == "SEVERE" || row["level"] == "WARNING")
            .map(|row| row["message"].to_string())
            .collect()
    }

    /// Leaves a picture of the whole page in `target/screenshots`, a very long one at half the size:
    /// Chromium leaves what is beyond 28,000 of its pixels blank otherwise.
    pub(crate) async fn picture(&self, name: &str) {
        let size = self.devtools("Page.getLayoutMetrics", &json!({})).await;
        let content = &size["cssContentSize"];
        let is_very_long = content["height"].as_f64() > Some(16_000.0);
        let scale = if is_very_long { 0.5 } else { 1.0 };
        let wish = json!({"format": "png", "captureBeyondViewport": true, "clip": {
            "x": 0, "y": 0, "width": content["width"], "height": content["height"], "scale": scale}});
        let taken = self.devtools("Page.captureScreenshot", &wish).await;
        let png = base64::decode(taken["data"].as_str().unwrap()).unwrap();
        let folder = screenshots();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }

    async fn find(&self, css: &str) -> String {
        let wish = json!({"using": "css selector", "value": css});
        let found = self.command("POST", "/element", &wish).await;
        let id = found.as_object().and_then(|found| found.values().next());
        id.and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{css}: {found}"))
            .to_owned()
    }

    async fn devtools(&self, command: &str, params: &Value) -> Value {
        let wish = json!({"cmd": command, "params": params});
        self.command("POST", "/goog/cdp/execute", &wish).await
    }

    async fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        self.exchange(method, &path, body).await
    }

    async fn exchange(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "POST" {
            body.to_string()
        } else {
            String::new()
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        let json = tokio::time::timeout(PATIENCE, answer_of(&mut stream))
            .await
            .unwrap_or_else(|_| panic!("the browser does not answer {method} {path}"));
        let answer: Value = serde_json::from_slice(&json).expect("WebDriver's JSON");
        let value = answer["value"].clone();
        assert!(value["error"].is_null(), "{method} {path}: {value}");
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Where a story failed the browser still runs; it is a child of the driver, not of ours.
        if let Some(process) = self.process {
            let _ended = Command::new("kill").arg(process.to_string()).status();
        }
        let _ended = self.driver.kill();
        let _ended = self.driver.wait();
    }
}

/// The body of an answer, as long as it says that it is: the driver keeps its connections.
async fn answer_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = head {
            let said = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = said
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let length: usize = length.expect("the driver says how long its answer is");
            if bytes.len() >= end + 4 + length {
                return bytes[end + 4..end + 4 + length].to_vec();
            }
        }
        let read = stream
            .read_buf(&mut bytes)
            .await
            .expect("the driver answers");
        assert!(read > 0, "the driver closed in the middle of an answer");
    }
}

/// A driver on a port of its own. It ends where the free port of IPv4 that it took is in use on IPv6,
/// and is started anew then.
fn driver_and_port() -> (Child, u16) {
    for _ in 0..5 {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts: `cargo xtask test` installs it, or set BANYAN_TEST_BROWSER=skip");
        if let Some(port) = port_of(&mut driver) {
            return (driver, port);
        }
        let _ended = driver.kill();
        let _ended = driver.wait();
    }
    panic!("chromedriver ended five times before it said its port");
}

/// The driver says which port it took; nothing where it ends without.
fn port_of(driver: &mut Child) -> Option<u16> {
    let said = driver.stdout.take().expect("its output is piped");
    let mut lines = BufReader::new(said).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.rsplit_once("on port ")?;
        // The first line repeats the port 0 that was asked for.
        port.trim_end_matches('.')
            .parse()
            .ok()
            .filter(|port| *port > 0)
    });
    // It goes on talking, and must not be stopped by a pipe that nobody reads.
    std::thread::spawn(move || lines.for_each(drop));
    port
}

fn screenshots() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    );
    target.join("screenshots")
}
