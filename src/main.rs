//! The `dske` command.

fn main() {}
