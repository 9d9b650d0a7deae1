//! What people see.
//!
//! | module | what it holds |
//! |---|---|
//! | [`report`] | the reports of campaigns, sweeps and self-tests |
//! | [`view`] | one run, message by message: text, JSON, a page |
//! | [`table`] | what the command prints |

pub mod report;
pub mod table;
pub mod view;
