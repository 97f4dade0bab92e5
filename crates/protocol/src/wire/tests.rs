//! A message is read, written, refused and documented by its one declaration.

use super::{Amount, ExtData, Kind, Message as _, Private, Text, read, write};
use crate::message;

message! {
    /// A message of the tests.
    struct Order {
        /// 机构 id
        orgId: Text<12>,
        /// 姓名
        /// May be empty.
        userName: Option<Private<Text<4>>>,
        /// 列表
        list: Vec<Line>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// A part of it.
    struct Line {
        /// 金额
        amount: Amount,
    }
}

#[test]
fn a_message_is_read_and_written() {
    let json = r#"{"orgId":"H1","userName":"","unknown":[1,{"a":2}],"list":[{"amount":"1.5"}]}"#;
    let order: Order = read(json).unwrap();
    assert_eq!(order.userName, None);
    assert_eq!(
        write(&order),
        r#"{"orgId":"H1","list":[{"amount":"1.50"}]}"#
    );
}

#[test]
fn the_fault_names_the_path_and_what_was_expected() {
    for (json, path, expected) in [
        (r#"{"list":[]}"#, "orgId", "不可缺少"),
        (r#"{"orgId":"","list":[]}"#, "orgId", "不可为空"),
        (r#"{"orgId":null,"list":[]}"#, "orgId", "不可为 null"),
        (
            r#"{"orgId":5,"list":[]}"#,
            "orgId",
            "应为字符串，实际为数字",
        ),
        (
            r#"{"orgId":["a"],"list":[]}"#,
            "orgId",
            "应为字符串，实际为数组",
        ),
        (
            r#"{"orgId":"a","orgId":"b","list":[]}"#,
            "orgId",
            "重复出现",
        ),
        (r#"{"orgId":"a","list":{}}"#, "list", "应为数组，实际为对象"),
        (r#"{"orgId":"a","list":null}"#, "list", "不可为 null"),
        (
            r#"{"orgId":"a","list":[5]}"#,
            "list[0]",
            "应为对象，实际为数字",
        ),
        (
            r#"{"orgId":"a","list":[{"amount":"1"},{}]}"#,
            "list[1].amount",
            "不可缺少",
        ),
        (
            r#"{"orgId":"a","list":[{"amount":"1"},{"amount":1}]}"#,
            "list[1].amount",
            "应为字符串，实际为数字",
        ),
        (
            r#"{"orgId":"a","list":[],"extData":[]}"#,
            "extData",
            "应为 JSON 对象",
        ),
        (
            r#"{"orgId":"a","list":[],"userName":"一二三四五"}"#,
            "userName",
            "最多 4 个字符，实际 5 个",
        ),
        ("[]", "", "应为对象，实际为数组"),
        ("{} {}", "orgId", "不可缺少"),
    ] {
        let fault = read::<Order>(json).unwrap_err();
        assert_eq!((&*fault.path, &*fault.expected), (path, expected), "{json}");
    }
}

#[test]
fn broken_json_says_where() {
    for json in [r#"{"orgId":"a""#, "", "nonsense", r#"{"orgId":"a",}"#] {
        let fault = read::<Order>(json).unwrap_err();
        assert!(fault.expected.contains("不是合法的 JSON"), "{fault}");
    }
    let whole = r#"{"orgId":"a","list":[]} tail"#;
    assert!(read::<Order>(whole).unwrap_err().expected.contains("多余"));
    // Members nobody asked for are skipped without recursion, however deep they go.
    let deep = format!(
        r#"{{"orgId":"a","list":[],"x":{}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(read::<Order>(&deep).is_ok());
    let deep = format!(
        r#"{{"orgId":"a","list":[],"extData":{}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(
        read::<Order>(&deep)
            .unwrap_err()
            .expected
            .contains("嵌套过深")
    );
}

#[test]
fn the_declaration_documents_itself() {
    let name = &Order::FIELDS[1];
    assert_eq!(
        (name.code, name.name, name.required),
        ("userName", "姓名", false)
    );
    assert_eq!(name.notes, ["May be empty."]);
    assert!(matches!(name.kind, Kind::Text { max: 4 }));
    assert!(matches!(Order::FIELDS[2].kind, Kind::List { fields: [_] }));
}

#[test]
fn persons_do_not_show_in_debug() {
    let order: Order = read(r#"{"orgId":"a","userName":"张三","list":[]}"#).unwrap();
    assert!(!format!("{order:?}").contains("张三"));
}
