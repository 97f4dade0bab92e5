use super::*;

const LEAST: &str = "app_id = \"kiosk\"\nsecret = \"the-secret-of-a-kiosk\"\n";

fn parse(more: &str) -> Result<Settings, Fault> {
    Settings::parse(&format!("{LEAST}{more}"), Path::new("/settings"))
}

#[test]
fn two_lines_are_enough() {
    let settings = parse("").unwrap();
    assert_eq!(settings.room.size, 2048);
    assert_eq!(settings.room.charset, Charset::Gb18030);
    assert_eq!(settings.defaults.trans_type, "ec.query");
    assert_eq!(settings.centre.password, Duration::from_secs(90));
    assert!(matches!(settings.source, Source::None));
    assert!(settings.log.is_none() && settings.terminal.is_none());
    assert!(!format!("{settings:?}").contains("the-secret"));
}

#[test]
fn everything_can_be_set() {
    let settings = parse(
        "output_size = 8192\nencoding = \"UTF-8\"\ndefault_trans_type = \"cn.nhsa.qrcode.get\"\n\
         default_org_id = \"35020311234\"\n[centre]\nconnect_timeout_ms = 1000\n\
         answer_timeout_ms = 2000\npassword_timeout_ms = 60000\n[code]\nsource = \"serial\"\n\
         [terminal]\nurl = \"http://127.0.0.1:9100/\"\ntimeout_ms = 20000\nkeypad = true\n\
         [serial]\nport = 'COM3'\nbaud = 115200\ntimeout_ms = 5000\n\
         [log]\nfile = 'logs/ec.log'\nlevel = \"error\"\nmax_bytes = 50000\n",
    )
    .unwrap();
    let terminal = settings.terminal.unwrap();
    assert_eq!(terminal.keypad.to_string(), "http://127.0.0.1:9100/keypad");
    assert!(
        terminal.has_keypad && matches!(&settings.source, Source::Serial(s) if s.baud == 115_200)
    );
    let log = settings.log.unwrap();
    assert_eq!(log.file, Path::new("/settings").join("logs/ec.log"));
    assert_eq!((log.level, log.most_bytes), (Level::Error, 50_000));
}

#[test]
fn a_fault_names_file_line_and_key() {
    for (more, said) in [
        (
            "output_size = 100",
            "第 3 行：output_size 应为 512 到 1048576 之间的整数",
        ),
        ("output_size = \"2048\"", "第 3 行：output_size 应为"),
        (
            "encoding = \"big5\"",
            "第 3 行：encoding 应为 gb18030、utf-8 之一",
        ),
        ("outputsize = 4096", "第 3 行：不认识 outputsize"),
        ("[centre]\nca_files = ''", "第 4 行：不认识 centre.ca_files"),
        (
            "[centre]\nca_file = 'none.pem'",
            "第 4 行：centre.ca_file 文件不存在",
        ),
        (
            "[code]\nsource = \"terminal\"",
            "第 4 行：code.source 为 terminal 时",
        ),
        (
            "[code]\nsource = \"serial\"",
            "第 4 行：code.source 为 serial 时",
        ),
        (
            "[terminal]\nurl = \"127.0.0.1:9100\"",
            "第 4 行：terminal.url",
        ),
        (
            "[terminal]\nkeypad = 1",
            "第 4 行：terminal.keypad 应为 true 或 false",
        ),
        ("centre = 1", "第 3 行：centre 应为一节"),
        (
            "[log]\nfile = \"C:\\HIS\\ec.log\"",
            "第 4 行：不是合法的 TOML；Windows 路径请用单引号",
        ),
        ("app_id = \"again\"", "第 3 行：不是合法的 TOML"),
    ] {
        let fault = parse(more).unwrap_err();
        let text = fault.to_string();
        let whole = format!("500032 设置文件 NationECCode.toml {said}");
        assert!(text.starts_with(&whole), "{more}: {text}");
    }
    let short = Settings::parse("app_id = \"a\"\nsecret = \"short\"", Path::new("")).unwrap_err();
    assert!(short.text().contains("第 2 行：secret 至少需要 16 个字节"));
    let missing = Settings::parse("app_id = \"a\"", Path::new("")).unwrap_err();
    assert!(missing.text().contains("secret 不可缺少"));
}

#[test]
fn a_file_that_is_missing_or_no_utf_8_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE_NAME);
    let told = || Settings::load(&file).unwrap_err().to_string();
    assert!(told().contains("NationECCode.toml 不存在"));
    fs::write(&file, b"# \xC4\xDA\xBF\xC6\n").unwrap();
    assert!(told().contains("不是 UTF-8"));
    fs::write(&file, format!("\u{FEFF}{LEAST}")).unwrap();
    assert_eq!(Settings::load(&file).unwrap().app_id, "kiosk");
    fs::write(&file, "#".repeat(70_000)).unwrap();
    assert!(told().contains("过大"));
}
