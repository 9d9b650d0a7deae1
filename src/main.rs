//! The `dske` command.

/// The system's allocator gives large buffers back after each use, and every page of them has to be cleared again: with
/// keys of 1 Mbit that would cost more than the protocol.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    dske::cli::main()
}
