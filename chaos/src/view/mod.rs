//! One run for people and tools: what happened, in order of time, with nothing that is secret.
//!
//! ```text
//!  observation ──▶ exchange: which of the messages that were seen are the same
//!                  fate:     what was lost, late or never answered, and why
//!                  content:  what messages say
//!                  knowledge: who knows what of each key
//!                     ▼
//!                  Trace ──▶ ladder: text · json: a document · page: HTML
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`schema`] | what a trace says |
//! | [`of`] | a trace is made of what was seen |
//! | [`ladder`] | as text |
//! | [`json`](mod@json) | as JSON |
//! | [`page`] | as a page that draws it |

mod content;
mod exchange;
mod fate;
pub mod json;
mod knowledge;
pub mod ladder;
pub mod page;
pub mod schema;
mod tell;

pub use schema::Trace;
pub use tell::of;
