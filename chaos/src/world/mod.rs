//! The world of a run: a plan becomes a simulated cluster that is watched, lied to and attacked.
//!
//! | module | what it holds |
//! |---|---|
//! | [`observer`] | sees everything, judges nothing |
//! | [`byzantine`] | hubs that lie |
//! | `nemesis` | starts and ends the planned faults; who attacks |
//! | [`run`] | the nodes, and the SAEs that call them |
//! | `clock` | simulated time |

pub mod byzantine;
mod clock;
pub(crate) mod nemesis;
pub mod observer;
pub mod run;
