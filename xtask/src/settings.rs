//! `docs/settings.zh-CN.md`: every setting of the platform with its variable and its default.

use std::fmt::Write as _;

use keys::KEYS;

/// The platform's own table, read as a file: an errand must not build the whole platform first.
#[expect(
    unreachable_pub,
    reason = "it is public where it belongs, and private here"
)]
#[path = "../../crates/platform/src/settings/keys.rs"]
mod keys;

/// The whole page, in Chinese: it is read by the people who run the platform.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# 平台配置\n\n本页由 `cargo xtask gen` 生成，请勿手工修改。\n\n\
         配置写在 TOML 文件中（`banyan serve --config banyan.toml`），也可由环境变量给出，环境变量优先：\
         键中的点换成下划线，全部大写，前面加 `BANYAN_`。时长的单位在键名末尾，`_ms` 为毫秒。\
         每天的时刻写作 `HH:MM`，为北京时间。前置机的配置见 [edge.zh-CN.md](edge.zh-CN.md)。\n",
    );
    let mut group = None;
    for key in KEYS {
        let of = key.name.rsplit_once('.').map_or("", |(group, _)| group);
        if group != Some(of) {
            group = Some(of);
            let title = match of {
                "" => "总体".to_owned(),
                named => format!("`[{named}]`"),
            };
            let _infallible = write!(
                page,
                "\n## {title}\n\n| 键 | 缺省 | 说明 | 环境变量 |\n|---|---|---|---|\n"
            );
        }
        let default = match key.default {
            "" => "–".to_owned(),
            text => format!("`{text}`"),
        };
        let variable = key.name.replace('.', "_").to_ascii_uppercase();
        let _infallible = writeln!(
            page,
            "| `{}` | {default} | {} | `BANYAN_{variable}` |",
            key.name, key.about
        );
    }
    page
}
