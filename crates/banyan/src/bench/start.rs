//! From the start of the program to its readiness, and what it holds in memory when idle.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::people::People;
use super::place::Place;
use super::platform;
use super::process::{Started, free_address};
use super::table::{Figure, Table, Target};
use super::{Options, cores, median};
use crate::terminal;

const STARTS: usize = 5;
const IDLE: Duration = Duration::from_secs(3);

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
        let config = config.display().to_string();
        let mut server = Started::start(&["serve", "--config", &config], &[])?;
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
