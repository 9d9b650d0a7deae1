//! The rows behind a figure.

use serde_json::Value;

use super::super::text::{count, escape};
use crate::sweep::Sweep;
use crate::sweep::table::tables;

/// A table that can be opened, with the CSV file's name.
pub(super) fn details(sweep: &Sweep, name: &str) -> String {
    let Some(table) = tables(sweep).into_iter().find(|table| table.name == name) else {
        return String::new();
    };
    let head: String = table
        .head
        .iter()
        .map(|name| format!("<th>{}</th>", escape(&name.replace('_', " "))))
        .collect();
    let rows: String = table.rows.iter().map(|row| line(row)).collect();
    format!(
        r#"<details><summary>The numbers behind it: sweep/{name}.csv, {} rows</summary><div class="scroll"><table class="numbers">
<thead><tr>{head}</tr></thead><tbody>
{rows}</tbody></table></div></details>"#,
        count(table.rows.len() as u64)
    )
}

fn line(row: &[Value]) -> String {
    let cells: String = row
        .iter()
        .map(|value| format!("<td>{}</td>", cell(value)))
        .collect();
    format!("<tr>{cells}</tr>\n")
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => escape(text),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) => count(whole),
            (None, Some(value)) => trimmed(value),
            (None, None) => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// At most four digits behind the point.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_written_for_people() {
        for (value, expected) in [
            (Value::from(12_345), "12,345"),
            (Value::from(0.5), "0.5"),
            (Value::from(1.0), "1"),
            (Value::from(0.123_456), "0.1235"),
            (Value::from(true), "yes"),
            (Value::from("a<b"), "a&lt;b"),
        ] {
            assert_eq!(cell(&value), expected);
        }
    }
}
