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
//! | [`summary`], [`coverage`], [`mod@summarize`] | what finished campaigns say |
//! | [`lines`] | which lines of the nodes campaigns reach |
//! | [`explore`] | many runs: seeds, soak, shrink, self-test, sweep |
//! | [`tell`] | what people see: reports, one run drawn out, the tables of the command |
//! | [`cli`] | the command |

pub mod campaign;
pub mod cli;
pub mod coverage;
pub mod explore;
pub mod judge;
pub mod lines;
pub mod outcome;
pub mod plan;
pub mod summarize;
pub mod summary;
pub mod tell;
pub mod world;
