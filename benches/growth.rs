//! What more hubs, clients, shares and pre-shared random data cost: see `dske_testbed::growth`.

fn main() -> std::process::ExitCode {
    dske_testbed::growth::cli::main(env!("CARGO_BIN_EXE_dske").as_ref())
}
