//! From the start of the program to its readiness, and what it holds in memory when idle.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use super::people::People;
use super::place::Place;
use super::platform;
use super::table::{Figure, Table, Target};
use super::{Options, cores, median};
use crate::terminal;

const STARTS: usize = 5;
const IDLE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let place = Place::new(options)?;
    let people = People::of(options.items);
    platform::runtime("banyan-load", cores())?.block_on(platform::prepare(
        &place,
        1,
        Some(people),
    ))?;
    let folder = place.folder().join("copy");
    let url = place.copy_to(&folder)?;
    std::fs::create_dir_all(&folder)?;
    let key_file = folder.join("master.key");
    std::fs::write(&key_file, &place.master_key)?;

    let bar = terminal::progress(STARTS as u64, "启动");
    let mut took_ms = Vec::with_capacity(STARTS);
    let mut idle_mb = 0.0;
    for turn in 1..=STARTS {
        let address = free_address()?;
        let config = folder.join("banyan.toml");
        let text = format!(
            "listen = \"{address}\"\ndatabase_url = \"{url}\"\nmaster_key_file = \"{}\"\n",
            key_file.display()
        );
        std::fs::write(&config, text)?;
        let began = Instant::now();
        let mut server = Started::start(&config)?;
        server.wait_until_ready(address, began)?;
        took_ms.push(began.elapsed().as_secs_f64() * 1e3);
        if turn == STARTS {
            std::thread::sleep(IDLE);
            idle_mb = server.resident_mb()?;
        }
        server.stop()?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    table.add(
        Figure::new("启动至就绪", "毫秒", median(&took_ms)).target(Target::ValueAtMost(300.0)),
    );
    let slowest = took_ms.iter().copied().fold(0.0, f64::max);
    table.add(Figure::new("其中最慢的一次", "毫秒", slowest));
    table.add(Figure::new("空闲时常驻内存", "MB", idle_mb).target(Target::ValueAtMost(60.0)));
    table.note(format!(
        "启动：数据目录（{} 条记录）复制后启动 {STARTS} 次，自进程创建起至 /readyz 应答 200",
        people.items()
    ));
    Ok(())
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A server that is ended at the latest when this is dropped.
struct Started(Child);

impl Started {
    fn start(config: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg("--config").arg(config);
        // The file alone says how it is to be.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BANYAN_") {
                command.env_remove(name);
            }
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Self(command.spawn().context("启动 banyan serve")?))
    }

    fn wait_until_ready(&mut self, address: SocketAddr, began: Instant) -> Result<()> {
        while !is_ready(address) {
            if let Some(status) = self.0.try_wait()? {
                bail!("banyan serve 提前结束：{status}");
            }
            ensure!(began.elapsed() < PATIENCE, "banyan serve 迟迟没有就绪");
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn resident_mb(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))
            .context("读取 /proc（仅 Linux 可测内存）")?;
        let kilobytes: f64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .ok_or_else(|| anyhow!("/proc 中没有 VmRSS"))?;
        Ok(kilobytes / 1024.0)
    }

    /// Asks it to stop, and waits until it has.
    fn stop(mut self) -> Result<()> {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status()?;
        ensure!(asked.success(), "无法结束 banyan serve");
        let status = self.0.wait()?;
        ensure!(status.success(), "banyan serve 结束状态：{status}");
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
