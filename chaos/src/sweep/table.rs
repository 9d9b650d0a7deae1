//! Figures as CSV (RFC 4180): a column for each field that the JSON has, under the same name.

use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::Sweep;

/// A figure as rows.
pub struct Table {
    /// Name of its file, without `.csv`.
    pub name: &'static str,
    /// Names of the columns.
    pub head: Vec<String>,
    /// Cells, row by row.
    pub rows: Vec<Vec<Value>>,
}

/// The tables of all that was measured.
#[must_use]
pub fn tables(sweep: &Sweep) -> Vec<Table> {
    let all = [
        table("map", &sweep.map),
        table("collusion", &sweep.collusion),
        table("latency", &sweep.latency),
        table("wan", &sweep.wan),
        table("wan-links", &sweep.wan_links),
        table("recovery", &sweep.recovery),
        table("psrd", &sweep.psrd),
        table("waste", &sweep.waste),
        table("cost", &sweep.cost),
    ];
    all.into_iter().flatten().collect()
}

fn table<T: Serialize>(name: &'static str, rows: &[T]) -> Option<Table> {
    let rows: Vec<Fields> = rows.iter().map(fields).collect();
    let head = rows.first()?.0.iter().map(|(name, _)| name.clone());
    Some(Table {
        name,
        head: head.collect(),
        rows: rows.iter().map(Fields::values).collect(),
    })
}

impl Table {
    /// As CSV.
    #[must_use]
    pub fn csv(&self) -> String {
        let head = line(self.head.iter().cloned());
        let rows = self.rows.iter();
        head + &rows
            .map(|row| line(row.iter().map(cell)))
            .collect::<String>()
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(",") + "\r\n"
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains([',', '"', '\n', '\r']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The fields of a struct, in its own order.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn values(&self) -> Vec<Value> {
        self.0.iter().map(|(_, value)| value.clone()).collect()
    }
}

fn fields<T: Serialize>(row: &T) -> Fields {
    let json = serde_json::to_string(row).expect("a row is numbers and words");
    serde_json::from_str(&json).expect("a row is a struct")
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the fields of a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Row {
        z: u8,
        name: &'static str,
        a: f64,
        #[serde(flatten)]
        rate: super::super::exchange::Rate,
    }

    #[test]
    fn columns_are_in_the_order_of_the_fields_and_text_is_quoted_where_it_must_be() {
        let row = |name| Row {
            z: 1,
            name,
            a: 0.5,
            rate: super::super::exchange::Rate::default(),
        };
        let table = table("x", &[row("plain"), row("a \"b\", c")]).unwrap();
        let text = table.csv();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines[0], "z,name,a,tried,succeeded,rate,low,high");
        assert_eq!(lines[1], "1,plain,0.5,0,0,0.0,0.0,0.0");
        assert_eq!(lines[2], "1,\"a \"\"b\"\", c\",0.5,0,0,0.0,0.0,0.0");
    }

    #[test]
    fn only_what_was_measured_has_a_table() {
        assert!(tables(&Sweep::default()).is_empty());
    }
}
