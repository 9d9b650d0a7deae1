//! Campaigns of faults and lying hubs against simulated DSKE clusters.

pub mod report;
pub mod summary;
