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
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`campaign`] | the files, and how a seed draws a plan from them |
//! | [`plan`] | everything that one seed draws, before the run |
//! | [`run`] | a plan becomes a simulated cluster |
//! | [`byzantine`] | hubs that lie |
//! | [`observer`] | sees everything, judges nothing |
//! | [`invariant`] | what must hold, one property a file |
//! | [`runner`] | many seeds on all cores |
//! | [`shrink`] | what breaks an invariant, reduced to what a person can read |
//! | [`mod@summarize`], [`summary`] | what finished campaigns say |
//! | [`report`] | the HTML |
//! | [`sweep`] | one thing changed at a time, until a curve can be drawn |
//! | [`selftest`] | whether the invariants see bugs that are planted on purpose |
//! | [`cli`], [`table`] | the command |

pub mod byzantine;
pub mod campaign;
pub mod cli;
pub mod invariant;
pub mod observer;
pub mod plan;
pub mod report;
pub mod run;
pub mod runner;
pub mod selftest;
pub mod shrink;
pub mod summarize;
pub mod summary;
pub mod sweep;
pub mod table;
