.PHONY: check test tsan bench benchmarks quick compare

# Formatting, lints and documentation, all with warnings denied.
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Every test, and every benchmark case once.
test:
	cargo test --workspace
	cargo test --workspace --benches

# The tests of the adaptive scheduler and of the interner without locks under ThreadSanitizer, which
# needs a nightly toolchain. It does not understand fences, so it is no proof for schedulers that order
# by them; see the suppressions.
TSAN = RUST_TEST_THREADS=1 RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" \
	TSAN_OPTIONS="suppressions=$(CURDIR)/engine/tests/tsan-suppressions.txt" \
	cargo +nightly test --locked --target-dir target/tsan --target x86_64-unknown-linux-gnu
tsan:
	$(TSAN) -p engine --lib --test stress --test semantics -- adaptive
	$(TSAN) -p intern --test contract -- threads_agree_on_symbols_concurrent

# Criterion's own output; its command line goes after --, as in `cargo bench -- dag-run`.
bench:
	cargo bench --workspace

# Measure everything and write BENCHMARKS.md.
benchmarks:
	cargo run -p gen-benchmarks

# A look within two minutes.
quick:
	cargo run -p gen-benchmarks -- --profile quick

# Which strategies suit a workload: make compare WORKLOAD=my.toml
WORKLOAD = bench-harness/workloads/requests.toml
compare:
	cargo run -p gen-benchmarks -- compare-strategies $(WORKLOAD)
