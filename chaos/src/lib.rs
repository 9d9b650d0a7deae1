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
//! | [`mod@summarize`], [`summary`], [`coverage`] | what finished campaigns say |
//! | [`reached`] | the names of what a run can reach |
//! | [`soak`](mod@soak) | draws runs for as long as it is told, and searches near rare ones |
//! | [`sweep`] | one thing changed at a time, until a curve can be drawn |
//! | [`selftest`] | whether the invariants see bugs that are planted on purpose |
//! | [`tell`] | what people see: reports, one run drawn out, the tables of the command |
//! | [`cli`] | the command |

pub mod byzantine;
pub mod campaign;
pub mod cli;
pub mod coverage;
pub mod invariant;
pub mod observer;
pub mod plan;
pub mod reached;
pub mod run;
pub mod runner;
pub mod selftest;
pub mod shrink;
pub mod soak;
pub mod summarize;
pub mod summary;
pub mod sweep;
pub mod tell;
