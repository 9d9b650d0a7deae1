//! Campaigns of faults and lying hubs against simulated DSKE clusters.

pub mod summary;
