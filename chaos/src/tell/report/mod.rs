//! The report of campaigns: `resilience.json` for machines and one self-contained `index.html` for people. The pages of
//! sweeps and self-tests lie beside it.
//!
//! Frame, style and drawing are those of all reports (`dske_report`). A page is a pure function of what it shows: the same
//! numbers give the same bytes.
//!
//! | file | what it draws |
//! |---|---|
//! | `index` | the page as a whole, in reading order |
//! | `overview` | the first screen: verdict, what broke, totals, all campaigns, all invariants |
//! | `violation` | one broken invariant |
//! | `boundary`, `boundary_chart` | success against hubs down and lying, beside the theoretical N−K |
//! | `coverage` | what more seeds still bring |
//! | `effects` | what the faults did |
//! | `excuses` | which failures were excused |
//! | `margin` | how many hubs hold the shares of each key |
//! | `changes` | what changed since the previous report |
//! | `uncovered` | what is not covered |
//! | `campaign` | one section for each campaign |
//! | `latency`, `timeline`, `thin` | the charts of such a section |
//! | `selftest` | the page of a self-test, `selftest.html` |
//! | `lines` | the page of reached lines, `lines.html` |
//! | `verdict`, `invariants` | what the numbers mean: held, weak, broken; and what each invariant promises |
//! | [`sweep`] | the page of `cargo chaos sweep` |

mod boundary;
mod boundary_chart;
mod campaign;
mod changes;
mod coverage;
mod effects;
mod excuses;
mod index;
mod invariants;
mod latency;
mod lines;
mod margin;
mod overview;
mod selftest;
pub mod sweep;
mod thin;
mod timeline;
mod uncovered;
mod verdict;
mod violation;

pub use changes::Before;
pub use index::{Written, page, write};
pub use lines::write_lines;
pub use selftest::write_selftest;
pub use uncovered::UNCOVERED;
