.PHONY: check test bench benchmarks quick

# Formatting, lints and documentation, all with warnings denied.
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Every test, and every benchmark case once.
test:
	cargo test --workspace
	cargo test --workspace --benches

# Criterion's own output; its command line goes after --, as in `cargo bench -- dag-run`.
bench:
	cargo bench --workspace

# Measure everything and write BENCHMARKS.md.
benchmarks:
	cargo run -p gen-benchmarks

# A look within two minutes.
quick:
	cargo run -p gen-benchmarks -- --profile quick
