//! Helpers that several tests need.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod nodes;
pub(crate) mod raw;
