//! A program of ours in a process of its own.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

const PATIENCE: Duration = Duration::from_secs(30);

/// An address that nobody listens at now.
pub(super) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A program of ours that is ended at the latest when this is dropped.
pub(super) struct Started(Child);

impl Started {
    /// Starts this very program with these arguments and variables, and none of ours besides.
    pub(super) fn start(arguments: &[&str], variables: &[(&str, String)]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BANYAN_") {
                command.env_remove(name);
            }
        }
        for (name, value) in variables {
            command.env(name, value);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let name = arguments.first().copied().unwrap_or_default();
        let child = command.spawn();
        Ok(Self(child.with_context(|| format!("启动 banyan {name}"))?))
    }

    pub(super) fn wait_until_ready(&mut self, address: SocketAddr, began: Instant) -> Result<()> {
        while !is_ready(address) {
            if let Some(status) = self.0.try_wait()? {
                bail!("提前结束：{status}");
            }
            ensure!(began.elapsed() < PATIENCE, "迟迟没有就绪");
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// What it holds in memory now.
    pub(super) fn resident_mb(&self) -> Result<f64> {
        self.memory_mb("VmRSS:")
    }

    /// The most that it ever held.
    pub(super) fn peak_mb(&self) -> Result<f64> {
        self.memory_mb("VmHWM:")
    }

    fn memory_mb(&self, line: &str) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))
            .context("读取 /proc（仅 Linux 可测内存）")?;
        let kilobytes: f64 = status
            .lines()
            .find_map(|found| found.strip_prefix(line))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .ok_or_else(|| anyhow!("/proc 中没有 {line}"))?;
        Ok(kilobytes / 1024.0)
    }

    /// Asks it to stop, and waits until it has.
    pub(super) fn stop(mut self) -> Result<()> {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status()?;
        ensure!(asked.success(), "无法结束进程");
        let status = self.0.wait()?;
        ensure!(status.success(), "结束状态：{status}");
        Ok(())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Both fail where it has ended already, which is what is wanted.
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut reply = [0; 12];
        stream.read_exact(&mut reply)?;
        Ok(&reply == b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
