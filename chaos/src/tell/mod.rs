//! What people see.
//!
//! | module | what it holds |
//! |---|---|
//! | [`history`] | the calls of a run, for checkers outside of this crate |
//! | [`report`] | the reports of campaigns, sweeps and self-tests |
//! | [`view`] | one run, message by message: text, JSON, a page |
//! | [`table`] | what the command prints |

pub mod history;
pub mod report;
pub mod table;
pub mod view;
