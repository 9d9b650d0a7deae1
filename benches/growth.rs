//! What more hubs, clients, shares and pre-shared random data cost: see `dske_testbed::growth`.

/// That of the command: memory for a share is as much as it takes there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    dske_testbed::growth::cli::main(env!("CARGO_BIN_EXE_dske").as_ref())
}
