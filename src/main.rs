//! The `dske` command.

fn main() -> std::process::ExitCode {
    dske::cli::main()
}
