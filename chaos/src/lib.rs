//! Campaigns of faults and lying hubs against simulated DSKE clusters.
//!
//! ```text
//!  campaign file ──seed──▶ plan ──▶ run: simulated cluster + nemesis + liars + SAEs
//!                                     │ watched by the observer
//!                                     ▼
//!                                  invariants ──▶ outcome ──▶ summary ──▶ reports/index.html
//!                                                    │ broken
//!                                                    ▼
//!                                                 shrink ──▶ schedule ──▶ reports/failures/NAME-SEED.toml
//!                                                    └─────▶ view ──────▶ reports/failures/NAME-SEED.html
//! ```
//!
//! Each room uses only those above it.
//!
//! | room | what it holds |
//! |---|---|
//! | [`plan`] | everything that one seed draws, before the run |
//! | [`campaign`] | the files, and how a seed draws a plan from them |
//! | [`world`] | a plan becomes a simulated cluster, with liars, faults and an observer |
//! | [`judge`] | what must hold, one property a file |
//! | [`outcome`] | what is kept of a run |
//! | [`growth`], [`summary`] | what finished campaigns say |
//! | [`explore`] | many runs: seeds, soak, shrink, self-test, sweep |
//! | [`mod@summarize`] | from outcomes to summaries |
//! | [`view`] | one run for people and tools: text, JSON, a page |
//! | [`report`] | the HTML |
//! | [`cli`], [`table`] | the command |

pub mod campaign;
pub mod cli;
pub mod explore;
pub mod growth;
pub mod judge;
pub mod outcome;
pub mod plan;
pub mod report;
pub mod summarize;
pub mod summary;
pub mod table;
pub mod view;
pub mod world;
