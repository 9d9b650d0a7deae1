# `just` lists these. Each calls what the README tells to type without just.

_default:
    @just --list --unsorted

# Run all fault campaigns and write reports/index.html
chaos *ARGS:
    cargo chaos {{ARGS}}

# Run every test: unit, properties, three kinds of clusters, determinism
test *ARGS:
    cargo test --workspace {{ARGS}}

# Replay one run: just replay storm 17
replay NAME SEED:
    cargo chaos replay {{NAME}} --seed {{SEED}} --trace

# Measure how far things go, and write reports/sweep.html
sweep *ARGS:
    cargo chaos sweep {{ARGS}}

# Plant bugs in the nodes, and see which invariant catches each
selftest *ARGS:
    cargo chaos selftest {{ARGS}}

# See which lines of the nodes the campaigns reach: writes reports/lines.html (needs cargo-llvm-cov)
lines:
    cargo llvm-cov run --package dske-chaos --bin chaos --lcov --output-path reports/campaigns.lcov -- --no-shrink
    cargo chaos lines reports/campaigns.lcov

# Change the code of crypto, psrd and protocol in small ways, and see which changes no test notices (needs cargo-mutants)
mutants *ARGS:
    cargo mutants {{ARGS}}

# Search for what breaks, for as long as you like: just soak --minutes 60
soak *ARGS:
    cargo chaos soak {{ARGS}}

# A first look: a cluster in one process
demo:
    cargo run --quiet --bin dske -- demo

# Measure keys a second, latency and CPU time of real processes, and write reports/throughput.html
bench *ARGS:
    cargo bench --bench throughput -- {{ARGS}}

# Measure what more hubs, clients, shares and PSRD cost, and write reports/growth.html
growth *ARGS:
    cargo bench --bench growth -- {{ARGS}}

# Measure sharing, MAC and key tag beside other crates
bench-sharing *ARGS:
    cargo bench --bench sharing {{ARGS}}

# Compare this build with a revision, side by side: just bench-check HEAD~3
bench-check *ARGS:
    cargo bench --bench check -- {{ARGS}}

# Everything that has to pass before a change lands
ci:
    .ci/run

# What takes too long for every change: all planted bugs with shrinking, the sweep, an hour of search, all measurements
nightly:
    cargo chaos selftest
    cargo chaos sweep
    cargo chaos soak --minutes 60
    cargo bench --bench throughput
    cargo bench --bench growth

# Format and lint
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets -- -D warnings
