//! What all reports share: self-contained pages in one style, charts, tables, and how they get on disk.
//!
//! A page loads nothing: style and charts are inside it, so it can be mailed, archived and read offline.
//!
//! | file | what it has |
//! |---|---|
//! | `page` | the frame of a page, the style, and a figure's section |
//! | [`plot`] | two axes, and marks between them |
//! | [`bars`] | rows of horizontal bars |
//! | [`canvas`] | drawing SVG whose colours follow the reader's theme |
//! | `table`, `numbers` | rows as CSV, and as HTML |
//! | [`text`] | escaping, and numbers as people write them |
//! | [`beside`] | how pages in one directory lead to each other |
//! | `file` | writing a file whole or not at all |

pub mod bars;
pub mod beside;
pub mod canvas;
mod file;
mod numbers;
mod page;
pub mod plot;
mod table;
pub mod text;

pub use file::{ReportError, check_writable, replace, write_json};
pub use page::{STYLE, Section, frame};
pub use table::Table;
