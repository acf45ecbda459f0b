.PHONY: check test tsan asan fuzz bench benchmarks quick compare gate calibrate

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

# The arenas' and interners' tests under AddressSanitizer, and the error codes of what must not
# compile, which only a nightly toolchain compares.
asan:
	@if cargo +nightly --version >/dev/null 2>&1; then set -ex; \
		RUSTFLAGS="-Zsanitizer=address" cargo +nightly test -p arena -p intern --locked \
			--target-dir target/asan --target x86_64-unknown-linux-gnu --lib --tests; \
		cargo +nightly test -p arena --locked --target-dir target/asan --doc; \
	else echo "skipped: AddressSanitizer needs a nightly toolchain"; fi

# Programs of operations on arenas and on interners that libFuzzer makes up, for FUZZ_SECONDS each.
# `cargo fuzz run --fuzz-dir arena/fuzz programs` does the same where cargo-fuzz is installed; an input
# that fails is stored in the artifacts folder there.
FUZZ_SECONDS ?= 30
FUZZ_FLAGS = --cfg fuzzing -Zsanitizer=address -Ccodegen-units=1 -Cdebug-assertions \
	-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
fuzz:
	@if cargo +nightly --version >/dev/null 2>&1; then set -ex; \
		for crate in arena intern; do \
			mkdir -p $$crate/fuzz/corpus/programs $$crate/fuzz/artifacts; \
			RUSTFLAGS="$(FUZZ_FLAGS)" cargo +nightly run --release --locked \
				--manifest-path $$crate/fuzz/Cargo.toml --target-dir target/fuzz \
				--target x86_64-unknown-linux-gnu --bin programs -- $$crate/fuzz/corpus/programs \
				-artifact_prefix=$$crate/fuzz/artifacts/ -max_total_time=$(FUZZ_SECONDS) \
				-print_final_stats=1; \
		done; \
	else echo "skipped: libFuzzer needs a nightly toolchain"; fi

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

# Is the last commit slower than another? make gate BASE=origin/main
BASE = HEAD~1
gate:
	cargo run -p gen-benchmarks -- gate --base $(BASE)

# How often the gate errs on this machine, and what it finds; takes more than an hour.
calibrate:
	cargo run -p gen-benchmarks -- calibrate --bench micro intern arena dag \
		--edit 'engine/src/execution.rs:fn walk(dag' \
		--edit 'engine/src/shape.rs:let mut graph = IdBuilder::with_capacity_in'
	cargo run -p gen-benchmarks -- calibrate --bench micro intern arena dag --busy
	cargo run -p gen-benchmarks -- report --records assets/benchmarks.jsonl
