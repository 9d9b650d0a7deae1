//! The `cargo chaos` command.

fn main() {}
