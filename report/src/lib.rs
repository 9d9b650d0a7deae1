//! What all reports share: self-contained pages in one style, charts, tables, and how they get on disk.
//!
//! A page loads nothing: style and charts are inside it, so it can be mailed, archived and read offline.
//! Pages are made of [`maud::Markup`]: text that comes from data is escaped because of its type.
//!
//! | file | what it has |
//! |---|---|
//! | `page` | the parts of a page: frame, verdict, figures, tables, foot |
//! | [`plot`] | two axes, and marks between them |
//! | [`bars`] | rows of horizontal bars |
//! | [`statistics`] | spreads, quantiles, intervals and slopes |
//! | [`canvas`] | drawing SVG whose colours follow the reader's theme |
//! | `table`, `numbers` | rows as CSV, and as HTML |
//! | [`text`] | numbers as people write them |
//! | [`beside`] | links between the pages in one directory |
//! | `file` | writing a file whole or not at all |

pub mod bars;
pub mod beside;
pub mod canvas;
mod file;
mod numbers;
mod page;
pub mod plot;
pub mod statistics;
mod table;
pub mod text;

pub use file::{ReportError, check_writable, replace, write_json};
pub use page::{Banner, STYLE, Section, Tone, footer, frame, head, number_table, tiles};
pub use table::Table;
