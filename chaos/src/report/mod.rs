//! The report of campaigns: `resilience.json` for machines and one self-contained `index.html` for people.
//!
//! The page loads nothing: style and charts are inside it, so it can be mailed, archived and read offline. It is a
//! pure function of the summary: the same numbers give the same bytes.
//!
//! | file | what it draws |
//! |---|---|
//! | `page` | the frame, in reading order, and the style |
//! | `overview` | the first screen: verdict, what broke, totals, negative controls, all campaigns |
//! | `boundary` | success against hubs down and lying, beside the theoretical N−K |
//! | `campaign` | one section for each campaign |
//! | `latency`, `timeline` | the charts of such a section |
//! | `verdict` | what the numbers mean: held, weak, broken |
//! | [`sweep`] | the page of `cargo chaos sweep` |
//! | `canvas`, `stats`, `text` | drawing, intervals, escaping and number formats |

mod boundary;
mod campaign;
mod canvas;
mod invariants;
mod latency;
mod overview;
mod page;
mod stats;
pub mod sweep;
mod text;
mod thin;
mod timeline;
mod verdict;
mod write;

pub use page::html;
pub(crate) use stats::wilson;
pub(crate) use write::replace;
pub use write::{ReportError, Written, check_writable, write, write_json};
