//! What a line of a file means: its cells as a [`Row`].
//!
//! People save files from spreadsheets, and spreadsheets change what they think are numbers and
//! times. What can only be meant one way is put right; what has lost something is refused with
//! the cause.

use std::borrow::Cow;

use banyan_protocol::wire::{self, Field, FieldFault, Kind, Message, Scalar as _};
use banyan_tables::{Cells, Column};
use serde_json::{Map, Value};

use crate::rows::{Action, ChangeRow, DebtRow, NameRow, Row};

/// The column that says what a line is for; without it every line is a report.
pub(super) const ACTION: Column = Column {
    code: "action",
    name: "操作",
    required: false,
};

/// Every column of any row. Only the item's own number must be there whatever the line is for.
pub(super) fn columns() -> Vec<Column> {
    let mut columns = vec![ACTION];
    for field in all_fields() {
        if columns.iter().all(|column| column.code != field.code) {
            columns.push(Column {
                code: field.code,
                name: field.name,
                required: field.code == "orgTraceId",
            });
        }
    }
    columns
}

/// The columns that a file of reports lacks: said once for the file, rather than in each line.
pub(super) fn missing_for_reports(columns: &[Column], present: &[bool]) -> Vec<String> {
    let is_there = |field: &&Field| {
        let place = columns.iter().position(|column| column.code == field.code);
        place.is_some_and(|place| present.get(place) == Some(&true))
    };
    let missing = DebtRow::FIELDS
        .iter()
        .filter(|field| field.required && !is_there(field));
    missing
        .map(|field| format!("{}（{}）", field.code, field.name))
        .collect()
}

/// The name of a column for people; the code alone where it is none of ours.
pub(super) fn shown(code: &str) -> String {
    let field = all_fields().find(|field| field.code == code);
    field.map_or_else(
        || code.to_owned(),
        |field| format!("{}（{}）", field.code, field.name),
    )
}

/// Reads a line's cells, which stand in the order of `columns`.
pub(super) fn row(columns: &[Column], cells: &Cells) -> Result<Row, FieldFault> {
    let cell = |code: &str| {
        let place = columns.iter().position(|column| column.code == code)?;
        cells.get(place)
    };
    let action = match cell(ACTION.code) {
        None => Action::Report,
        Some(text) => Action::parse(&text.to_ascii_lowercase()).map_err(|_| {
            let known = Action::ENTRIES.iter();
            let known = known.map(|entry| format!("{}（{}）", entry.name, entry.code));
            let known: Vec<_> = known.collect();
            FieldFault::new(ACTION.code, format!("应为下列之一：{}", known.join("、")))
        })?,
    };
    let mut members = Map::new();
    for field in action.fields() {
        if let Some(text) = cell(field.code) {
            let text = put_right(field, text)?.into_owned();
            members.insert(field.code.to_owned(), Value::String(text));
        }
    }
    let json = Value::Object(members).to_string();
    Ok(match action {
        Action::Report => Row::Report(wire::read(&json)?),
        Action::Settle => Row::Settle(wire::read(&json)?),
        Action::Revoke => Row::Revoke(wire::read(&json)?),
        Action::RealName => Row::RealName(wire::read(&json)?),
    })
}

fn all_fields() -> impl Iterator<Item = &'static Field> {
    [DebtRow::FIELDS, ChangeRow::FIELDS, NameRow::FIELDS]
        .into_iter()
        .flatten()
}

/// What a cell holds once a spreadsheet's changes are taken back.
fn put_right<'a>(field: &Field, text: &'a str) -> Result<Cow<'a, str>, FieldFault> {
    // ="0123" is how a number is kept from a spreadsheet.
    let text = text
        .strip_prefix("=\"")
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    match field.kind {
        Kind::Text { .. } if is_rounded(text) => Err(FieldFault::new(
            field.code,
            "被表格软件改成了科学计数法，原来的数字已丢失：请把该列设为文本格式后重新导出",
        )),
        Kind::Dictionary { entries, .. } => {
            let is_known = entries.iter().any(|entry| entry.code == text);
            let padded = format!("0{text}");
            let meant = entries.iter().find(|entry| {
                !is_known && (entry.name == text || (text.len() == 1 && entry.code == padded))
            });
            Ok(meant.map_or(Cow::Borrowed(text), |entry| Cow::Borrowed(entry.code)))
        }
        Kind::LocalTime => Ok(time(text).map_or(Cow::Borrowed(text), Cow::Owned)),
        _ => Ok(Cow::Borrowed(text)),
    }
}

/// `3.50102E+17`: a number that a spreadsheet found too long.
fn is_rounded(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once("E+").or_else(|| text.split_once("e+")) else {
        return false;
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(exponent) && is_digits(&mantissa.replacen('.', "", 1))
}

/// `2025/1/10 8:03` as `2025-01-10 08:03:00`; `None` where it is nothing of the kind.
fn time(text: &str) -> Option<String> {
    let (date, clock) = text.split_once([' ', 'T'])?;
    let date: Vec<&str> = date.split(['/', '-']).collect();
    let clock: Vec<&str> = clock.split(':').collect();
    let two = |text: &str| {
        let fits = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| format!("{text:0>2}"))
    };
    let [year, month, day] = date[..] else {
        return None;
    };
    let (hour, minute, second) = match clock[..] {
        [hour, minute] => (hour, minute, "0"),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    Some(format!(
        "{year}-{}-{} {}:{}:{}",
        two(month)?,
        two(day)?,
        two(hour)?,
        two(minute)?,
        two(second)?
    ))
}

#[cfg(test)]
mod tests {
    use banyan_protocol::dictionaries::{FeeType, MedType, UserType};
    use banyan_tables::{Encoding, Format, Plan, Records, Strangers};

    use super::*;

    fn read(text: &str) -> Vec<Result<Row, FieldFault>> {
        let plan = Plan {
            columns: columns(),
            strangers: Strangers::Named,
            most_record_bytes: 1 << 16,
        };
        let mut records =
            Records::open(text.as_bytes(), Format::Delimited, Encoding::Utf8, plan).unwrap();
        let records = records.take(99).unwrap().into_iter();
        records
            .map(|record| row(&columns(), &record.cells.unwrap()))
            .collect()
    }

    #[test]
    fn what_a_spreadsheet_did_is_taken_back() {
        let rows = read(
            "机构跟踪号,用户类别,医疗类别,费用类别,项目名称,金额,产生时间,手机号码\n\
             \"=\"\"0071\"\"\",1,普通门诊,门诊,挂号费,12.5,2025/1/10 8:03,13800000000\n\
             T2,02,21,2,床位费,100,2025-01-10 08:03:07,\n",
        );
        let Row::Report(row) = rows[0].as_ref().unwrap() else {
            panic!("a report");
        };
        assert_eq!(row.orgTraceId.as_str(), "0071");
        assert_eq!(row.userType, UserType::SelfPaying);
        assert_eq!(row.medType, MedType::GeneralOutpatient);
        assert_eq!(row.feeType, FeeType::Outpatient);
        assert_eq!(row.actualTime.render(), "2025-01-10 08:03:00");
        let Row::Report(row) = rows[1].as_ref().unwrap() else {
            panic!("a report");
        };
        assert_eq!(row.feeType, FeeType::Inpatient);
        assert_eq!(row.actualTime.render(), "2025-01-10 08:03:07");
    }

    #[test]
    fn what_a_spreadsheet_lost_is_refused() {
        let rows = read(
            "orgTraceId,action,idNo,idType,userName\n\
             3.50102E+17,settle,,,\n\
             T2,转实名,3.50102E+17,01,张三\n",
        );
        for (row, path) in rows.iter().zip(["orgTraceId", "idNo"]) {
            let fault = row.as_ref().unwrap_err();
            assert_eq!(fault.path, path);
            assert!(fault.expected.contains("科学计数法"));
        }
    }

    #[test]
    fn a_line_says_what_it_is_for() {
        let rows =
            read("orgTraceId,操作,traceId\nT1,结清,\nT2,Revoke,P2\nT3,删除,\nT4,realname,\nT5,,\n");
        let actions: Vec<_> = rows.iter().flatten().map(Row::action).collect();
        assert_eq!(actions, [Action::Settle, Action::Revoke]);
        let faults: Vec<_> = rows.iter().filter_map(|row| row.as_ref().err()).collect();
        let paths: Vec<_> = faults.iter().map(|fault| &*fault.path).collect();
        assert_eq!(paths, ["action", "idNo", "userType"]);
    }
}
