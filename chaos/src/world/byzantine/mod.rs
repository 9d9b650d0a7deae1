//! Byzantine hubs: the production state machine, with lies between its steps.
//!
//! | module | what it holds |
//! |---|---|
//! | [`lying_hub`] | the actor that lies |
//! | [`alter`] | how each lie changes an answer |
//! | [`forgers`] | hubs that pool what they hold, and forge keys together |

pub mod alter;
pub mod forgers;
pub mod lying_hub;
