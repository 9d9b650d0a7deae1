//! Figures as CSV (RFC 4180): a column for each field that the JSON has, under the same name.

use std::fmt;

use csv::{Terminator, WriterBuilder};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The numbers of a figure, row by row.
pub struct Table {
    /// Name of its file, without `.csv`.
    pub name: &'static str,
    /// Names of the columns.
    pub head: Vec<String>,
    /// Cells, row by row.
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// A table of rows that each are a struct; `None` if there are no rows.
    ///
    /// # Panics
    /// If a row is not a struct of numbers and words.
    #[must_use]
    pub fn of<T: Serialize>(name: &'static str, rows: &[T]) -> Option<Self> {
        let rows: Vec<Fields> = rows.iter().map(fields).collect();
        let head = rows.first()?.0.iter().map(|(name, _)| name.clone());
        Some(Self {
            name,
            head: head.collect(),
            rows: rows.iter().map(Fields::values).collect(),
        })
    }

    /// The table as CSV.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut writer = WriterBuilder::new()
            .terminator(Terminator::CRLF)
            .from_writer(Vec::new());
        let cells = self.rows.iter().map(|row| row.iter().map(cell).collect());
        for record in std::iter::once(self.head.clone()).chain(cells) {
            writer.write_record(record).expect(IN_MEMORY);
        }
        let bytes = writer.into_inner().expect(IN_MEMORY);
        String::from_utf8(bytes).expect("cells are strings")
    }
}

const IN_MEMORY: &str = "rows of one length are written to memory";

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
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
        inner: Inner,
    }

    #[derive(Serialize)]
    struct Inner {
        missing: Option<u8>,
        last: bool,
    }

    #[test]
    fn columns_are_in_the_order_of_the_fields_and_text_is_quoted_where_it_must_be() {
        let row = |name| Row {
            z: 1,
            name,
            a: 0.5,
            inner: Inner {
                missing: None,
                last: true,
            },
        };
        let table = Table::of("x", &[row("plain"), row("a \"b\", c")]).unwrap();
        let text = table.csv();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines[0], "z,name,a,missing,last");
        assert_eq!(lines[1], "1,plain,0.5,,true");
        assert_eq!(lines[2], "1,\"a \"\"b\"\", c\",0.5,,true");
    }

    #[test]
    fn without_rows_there_is_no_table() {
        assert!(Table::of::<Row>("x", &[]).is_none());
    }
}
