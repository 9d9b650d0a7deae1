//! The rows behind a figure.

use serde_json::Value;

use super::Table;
use super::text::{count, escape};

impl Table {
    /// The rows in an element that can be opened. `folder` is where its CSV file lies.
    #[must_use]
    pub fn details(&self, folder: &str) -> String {
        let head: String = self
            .head
            .iter()
            .map(|name| format!("<th>{}</th>", escape(&name.replace('_', " "))))
            .collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!(
            r#"<details><summary>The numbers behind it: {folder}/{name}.csv, {} rows</summary><div class="scroll"><table class="numbers">
<thead><tr>{head}</tr></thead><tbody>
{rows}</tbody></table></div></details>"#,
            count(self.rows.len() as u64),
            name = self.name,
        )
    }
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
        Value::Null => "–".to_owned(),
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
            (Value::Null, "–"),
            (Value::from("a<b"), "a&lt;b"),
        ] {
            assert_eq!(cell(&value), expected);
        }
    }
}
