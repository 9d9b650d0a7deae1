//! The `cargo chaos` command.

fn main() -> std::process::ExitCode {
    dske_chaos::cli::main()
}
