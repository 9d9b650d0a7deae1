//! The rows behind a figure, as HTML.

use maud::{Markup, html};
use serde_json::Value;

use super::Table;
use super::page::number_table;
use super::text::{count, trim};

impl Table {
    /// The rows in an element that can be opened. `folder` is where the table's CSV file lies.
    #[must_use]
    pub fn details(&self, folder: &str) -> Markup {
        let heads = html! {
            @for name in &self.head { th { (name.replace('_', " ")) } }
        };
        let rows = html! {
            @for row in &self.rows {
                tr { @for value in row { td { (cell(value)) } } }
            }
        };
        html! {
            details {
                summary {
                    "The numbers behind it: " (folder) "/" (self.name) ".csv, " (count(self.rows.len() as u64)) " rows"
                }
                (number_table(&heads, &rows))
            }
        }
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) => count(whole),
            (None, Some(value)) => trim(value, 4),
            (None, None) => number.to_string(),
        },
        other => other.to_string(),
    }
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
        ] {
            assert_eq!(cell(&value), expected);
        }
    }

    #[test]
    fn text_in_the_data_does_not_become_markup() {
        let table = Table {
            name: "runs",
            head: vec!["first_error".to_owned()],
            rows: vec![vec![Value::from("a<b")]],
        };
        let html = table.details("throughput").into_string();
        assert!(html.contains("throughput/runs.csv, 1 rows"), "{html}");
        assert!(html.contains("<th>first error</th>"), "{html}");
        assert!(html.contains("<td>a&lt;b</td>"), "{html}");
    }
}
