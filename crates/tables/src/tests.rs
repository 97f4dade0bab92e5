//! Files as they are met, and what is read from them.

use encoding_rs::GB18030;
use proptest::prelude::*;

use crate::{
    Column, Delimiter, Encoding, Format, Plan, Record, Records, Span, Strangers, Survey, TableFault,
};

const COLUMNS: [Column; 3] = [
    Column {
        code: "orgTraceId",
        name: "机构跟踪号",
        required: true,
    },
    Column {
        code: "userName",
        name: "用户姓名",
        required: false,
    },
    Column {
        code: "amount",
        name: "金额",
        required: false,
    },
];

fn plan(strangers: Strangers) -> Plan {
    Plan {
        columns: COLUMNS.to_vec(),
        strangers,
        most_record_bytes: 8 * 1024,
    }
}

fn open(bytes: &[u8], format: Format) -> Result<(Survey, Records<&[u8]>), TableFault> {
    let survey = Survey::of(bytes, |_| {})?;
    let records = Records::open(bytes, format, survey.encoding, plan(Strangers::Named))?;
    Ok((survey, records))
}

fn read(bytes: &[u8], format: Format) -> Vec<Record> {
    open(bytes, format).unwrap().1.take(100_000).unwrap()
}

/// Line and cells of good records, line and reason of bad ones.
fn told(records: &[Record]) -> Vec<(u64, String)> {
    let cells = |record: &Record| match &record.cells {
        Ok(cells) => {
            let shown = (0..COLUMNS.len()).map(|column| cells.get(column).unwrap_or("-"));
            shown.collect::<Vec<_>>().join("|")
        }
        Err(why) => format!("!{why}"),
    };
    let told = records.iter().map(|record| (record.line, cells(record)));
    told.collect()
}

fn rows<const N: usize>(rows: [(u64, &str); N]) -> Vec<(u64, String)> {
    rows.map(|(line, cells)| (line, cells.to_owned())).into()
}

#[test]
fn both_encodings_and_every_delimiter_are_found_out() {
    for (delimiter, mark) in [
        (Delimiter::Comma, ","),
        (Delimiter::Tab, "\t"),
        (Delimiter::Semicolon, ";"),
    ] {
        let text =
            "机构跟踪号;USERNAME;\" 金额\u{3000}\"\r\nT1;张三;12.50\r\n\r\nT2;𠮷田;\r\n;;\r\n"
                .replace(';', mark);
        let wanted = rows([(2, "T1|张三|12.50"), (4, "T2|𠮷田|-")]);
        let gb18030 = GB18030.encode(&text).0;
        for (bytes, encoding) in [
            (text.as_bytes(), Encoding::Utf8),
            (format!("\u{FEFF}{text}").as_bytes(), Encoding::Utf8),
            (&*gb18030, Encoding::Gb18030),
        ] {
            let (survey, mut records) = open(bytes, Format::Delimited).unwrap();
            assert_eq!(survey.encoding, encoding);
            assert_eq!((survey.lines, survey.bytes), (5, bytes.len() as u64));
            assert_eq!(records.header().delimiter, Some(delimiter));
            assert_eq!(told(&records.take(9).unwrap()), wanted);
        }
    }
}

#[test]
fn a_broken_line_does_not_change_the_encoding_of_the_others() {
    let mut bytes = "orgTraceId,userName\nT1,张三\nT2,李四\nT3,王五\n"
        .as_bytes()
        .to_vec();
    bytes.extend_from_slice(b"T4,\xD5\n");
    let records = read(&bytes, Format::Delimited);
    assert_eq!(
        told(&records)[2..],
        rows([(4, "T3|王五|-"), (5, "!编码有误：不是 UTF-8")])
    );
    let mut bytes = GB18030
        .encode("orgTraceId,userName\nT1,张三\nT2,李四\n")
        .0
        .into_owned();
    bytes.extend_from_slice("T3,王五\u{1F600}\nT4,\u{80}\n".as_bytes());
    let (survey, _) = open(&bytes, Format::Delimited).unwrap();
    assert_eq!(survey.encoding, Encoding::Gb18030);
}

#[test]
fn what_is_no_text_is_said_to_be_none() {
    let fault = |bytes: &[u8]| open(bytes, Format::Delimited).unwrap_err().to_string();
    assert!(fault(b"\xFF\xFEo\0r\0g\0").contains("UTF-16"));
    assert!(fault(b"PK\x03\x04\x14\x00\x06\x00").contains("Excel"));
    assert!(fault(b"orgTraceId,userName\nT1,\xFF\xFF\n").contains("第 2 行"));
    assert!(fault(b"").contains("空的"));
    assert!(fault(b" \r\n\n").contains("空的"));
}

#[test]
fn a_header_names_what_is_needed_once() {
    let fault = |text: &str| {
        let fault = open(text.as_bytes(), Format::Delimited).unwrap_err();
        fault.to_string()
    };
    assert_eq!(
        fault("amount,userName,trace\n"),
        "表头中缺少 orgTraceId（机构跟踪号）；不认识的列：trace"
    );
    assert_eq!(
        fault("orgTraceId,机构跟踪号\n"),
        "表头中的“orgTraceId”出现两次"
    );
    assert_eq!(
        fault("T1,350100199001011234\n"),
        "第 1 行不是表头：没有认识的列；可用：orgTraceId,userName,amount"
    );
    let text = "orgTraceId,备注,,备注二\nT1,a,b,c\n";
    let (_, mut records) = open(text.as_bytes(), Format::Delimited).unwrap();
    assert_eq!(records.strangers(), ["备注", "备注二"]);
    assert_eq!(records.header().present, [true, false, false]);
    assert_eq!(told(&records.take(9).unwrap()), rows([(2, "T1|-|-")]));
    let refused = Records::open(
        text.as_bytes(),
        Format::Delimited,
        Encoding::Utf8,
        plan(Strangers::Refused),
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "表头中有不认识的列：备注、备注二"
    );
}

#[test]
fn a_bad_line_spoils_itself_alone() {
    let long = "长".repeat(4_000);
    let text = format!(
        "orgTraceId,userName\nT1,\"张三\nT2,李四\nT3\n{long}\nT5,王五,,\nT6,a,b\nT7,赵\"六\nT8,钱七"
    );
    let records = read(text.as_bytes(), Format::Delimited);
    assert_eq!(
        told(&records),
        rows([
            (2, "!引号不成对"),
            (3, "T2|李四|-"),
            (4, "!列数与表头不一致：应为 2 列，实际 1 列"),
            (5, "!超过 8192 字节，不是一条记录"),
            (6, "T5|王五|-"),
            (7, "!列数与表头不一致：应为 2 列，实际 3 列"),
            (8, "!引号不成对"),
            (9, "T8|钱七|-"),
        ])
    );
}

#[test]
fn a_cell_may_have_quotation_marks_delimiters_and_line_breaks() {
    let text = "orgTraceId,userName,amount\r\nT1,\"张,\"\"三\"\"\r\n丰\",1\r\nT2,\"a\n\nb\",2\r\nT3,c,3\r\n";
    let records = read(text.as_bytes(), Format::Delimited);
    assert_eq!(
        told(&records),
        rows([
            (2, "T1|张,\"三\"\r\n丰|1"),
            (4, "T2|a\n\nb|2"),
            (7, "T3|c|3"),
        ])
    );
}

#[test]
fn objects_are_read_by_code_or_name() {
    let text = "{\"orgTraceId\":\"T1\",\"用户姓名\":\"张三\",\"amount\":12.50}\n\n\
        {\"orgtraceid\":350100199001011234,\"userName\":null,\"备注\":[1]}\n\
        []\n{\"userName\":\"a\"}\n{\"orgTraceId\":\"T2\",\"机构跟踪号\":\"T3\"}\n\
        {\"orgTraceId\":true}\n{\"orgTraceId\":\"T4\"} {}\n";
    let (_, mut records) = open(text.as_bytes(), Format::JsonLines).unwrap();
    let taken = records.take(99).unwrap();
    assert_eq!(
        told(&taken),
        rows([
            (1, "T1|张三|12.50"),
            (3, "350100199001011234|-|-"),
            (4, "!应为一个 JSON 对象，独占一行"),
            (5, "!缺少 orgTraceId"),
            (6, "!orgTraceId 出现两次"),
            (7, "!orgTraceId 应为字符串"),
            (8, "!应为一个 JSON 对象，独占一行"),
        ])
    );
    assert_eq!(records.strangers(), ["备注"]);
}

#[test]
fn nothing_of_a_cell_is_shown() {
    let records = read(
        "orgTraceId,userName\nT1,张三\n".as_bytes(),
        Format::Delimited,
    );
    assert!(!format!("{records:?}").contains("张三"));
}

#[test]
fn a_survey_gives_pieces_of_one_size() {
    let bytes = vec![b'a'; (1 << 20) + 5];
    let mut pieces = Vec::new();
    Survey::of(&bytes[..], |piece| pieces.push(piece.len())).unwrap();
    assert_eq!(pieces, [1 << 20, 5]);
}

proptest! {
    /// Whatever bytes somebody drops, in whatever encoding, they are read to the end or refused.
    #[test]
    fn any_bytes_are_survived(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b','), Just(b'\n'), Just(0x81)], 0..400),
        with_header in any::<bool>(),
        is_json in any::<bool>(),
    ) {
        let header: &[u8] = if with_header { b"orgTraceId,userName\n" } else { b"" };
        let bytes = [header, &bytes].concat();
        let format = if is_json { Format::JsonLines } else { Format::Delimited };
        for encoding in [Encoding::Utf8, Encoding::Gb18030] {
            let plan = plan(Strangers::Named);
            let Ok(mut records) = Records::open(&bytes[..], format, encoding, plan) else {
                continue;
            };
            let mut at = records.header().span.end();
            for record in records.take(1_000).unwrap() {
                prop_assert!(record.span.start >= at && record.span.length > 0);
                at = record.span.end();
            }
            prop_assert!(at <= bytes.len() as u64);
        }
        let _ = Survey::of(&bytes[..], |_| {});
    }

    /// Whatever a file holds, its records stand in order, do not overlap, and are all of it but
    /// the header and lines in which nothing stands.
    #[test]
    fn spans_are_the_file(body in "([a-b,;\" \t]{0,6}[\r]?\n){0,12}[a,\"]{0,4}") {
        let text = format!("orgTraceId,userName\n{body}");
        let (_, mut records) = open(text.as_bytes(), Format::Delimited).unwrap();
        let mut at = records.header().span.end();
        for record in records.take(1_000).unwrap() {
            let between = slice(&text, Span { start: at, length: record.span.start - at });
            prop_assert!(between.chars().all(|c| c.is_whitespace() || ",\"".contains(c)));
            prop_assert!(record.span.length > 0);
            let line = slice(&text, Span { start: 0, length: record.span.start }).matches('\n').count();
            prop_assert_eq!(record.line, line as u64 + 1);
            at = record.span.end();
        }
    }
}

fn slice(text: &str, span: Span) -> &str {
    let at = |offset: u64| usize::try_from(offset).unwrap();
    &text[at(span.start)..at(span.end())]
}
