//! A program that was started: what it says, how it is ended, and that it never stays behind.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// A program under way; killed when dropped.
pub(crate) struct Program {
    child: Child,
    out: Heard,
    err: Heard,
}

/// How a program ended.
pub(crate) struct Ran {
    /// Its exit status; `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = Heard::from(child.stdout.take().unwrap());
        let err = Heard::from(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// Its id among the system's processes.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote on standard output and standard error so far.
    pub(crate) fn said(&self) -> (String, String) {
        (self.out.text(), self.err.text())
    }

    /// Waits until `find` makes something of what it said.
    pub(crate) fn wait_for<T>(&mut self, find: impl Fn(&str, &str) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            let ended = self.child.try_wait().unwrap();
            let (out, err) = self.said();
            if let Some(found) = find(&out, &err) {
                return found;
            }
            assert!(
                ended.is_none() && began.elapsed() < PATIENCE,
                "it never said what was waited for ({ended:?}):\n{out}\n{err}"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it without a warning, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name])
            .arg(self.id().to_string())
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(self) -> Ran {
        self.signal("TERM");
        self.wait()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> Ran {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > PATIENCE {
                let (out, err) = self.said();
                panic!("it does not end:\n{out}\n{err}");
            }
            thread::sleep(Duration::from_millis(5));
        };
        Ran {
            code: status.code(),
            out: self.out.all(),
            err: self.err.all(),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if thread::panicking() {
            let (out, err) = self.said();
            eprintln!(
                "what the program said last:\n{}\n{}",
                last_lines(&out),
                last_lines(&err)
            );
        }
        // It has mostly ended already.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    Program::start(command).wait()
}

impl Ran {
    /// Standard output of a program that must have succeeded.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        self.out
    }

    /// Standard error of a program that must have failed in the ordinary way: status 1, and a
    /// message in Chinese.
    #[track_caller]
    pub(crate) fn failure(self) -> String {
        assert_eq!(self.code, Some(1), "{}\n{}", self.out, self.err);
        let said = self.err.lines().any(|line| line.starts_with("错误："));
        assert!(said, "{}", self.err);
        self.err
    }
}

/// Reads a stream to its end, so that the program never waits for us.
struct Heard {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Heard {
    fn from(stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let hearing = text.clone();
        let reader = thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let heard = String::from_utf8_lossy(&line).into_owned();
                hearing.lock().unwrap().push_str(&heard);
                line.clear();
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.text()
    }
}
