//! Measures clusters of real processes beside what the machine allows: see `dske_testbed::throughput`.

fn main() -> std::process::ExitCode {
    dske_testbed::throughput::cli::main(env!("CARGO_BIN_EXE_dske").as_ref())
}
