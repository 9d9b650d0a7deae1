//! Many runs: of one campaign, of plans that were changed, of plans that were made smaller.
//!
//! | module | what it holds |
//! |---|---|
//! | [`interrupt`] | Ctrl-C and SIGTERM |
//! | [`mod@run`] | one run, from the plan to the outcome |
//! | [`runner`] | many seeds on all cores |
//! | [`shrink`] | what breaks an invariant, reduced to what a person can read |
//! | [`soak`](mod@soak) | draws runs for as long as it is told, and searches near rare ones |
//! | [`selftest`] | whether the invariants see bugs that are planted on purpose |
//! | [`sweep`] | one thing changed at a time, until a curve can be drawn |

pub mod interrupt;
pub mod run;
pub mod runner;
pub mod selftest;
pub mod shrink;
pub mod soak;
pub mod sweep;
