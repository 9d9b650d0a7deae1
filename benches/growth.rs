//! The cost of more hubs, clients, shares and pre-shared random data: see `dske_testbed::growth`.

/// The allocator of the command, so that a share takes as much memory here as in a hub.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    dske_testbed::growth::cli::main(env!("CARGO_BIN_EXE_dske").as_ref())
}
