//! The report of campaigns: `resilience.json` for machines and one self-contained `index.html` for people.
//!
//! Frame, style and drawing are those of all reports (`dske_report`). The page is a
//! pure function of the summary and of what lies beside it: the same numbers give the same bytes.
//!
//! | file | what it draws |
//! |---|---|
//! | `page` | the frame, in reading order |
//! | `overview` | the first screen: verdict, what broke, totals, negative controls, all campaigns |
//! | `boundary` | success against hubs down and lying, beside the theoretical N−K |
//! | `growth` | what more seeds bring |
//! | `effects` | what the faults did |
//! | `changes` | what changed since the previous report |
//! | `uncovered` | what is not covered |
//! | `campaign` | one section for each campaign |
//! | `latency`, `timeline` | the charts of such a section |
//! | `selftest` | the page of a self-test, `selftest.html` |
//! | `verdict` | what the numbers mean: held, weak, broken |
//! | [`sweep`] | the page of `cargo chaos sweep` |

mod boundary;
mod campaign;
mod changes;
mod effects;
mod growth;
mod invariants;
mod latency;
mod overview;
mod page;
mod selftest;
pub mod sweep;
mod thin;
mod timeline;
mod uncovered;
mod verdict;
mod write;

pub use changes::Before;
pub use page::html;
pub use selftest::write_selftest;
pub use uncovered::UNCOVERED;
pub use write::{Written, write};
