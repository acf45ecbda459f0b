.PHONY: check test tsan asan fuzz bench benchmarks quick

# Formatting, lints and documentation, all with warnings denied.
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Every test, and every benchmark case once.
test:
	cargo test --workspace
	cargo test --workspace --benches

# The adaptive scheduler's tests under ThreadSanitizer, which needs a nightly toolchain. It does not
# understand fences, so it is no proof for schedulers that order by them; see the suppressions.
tsan:
	RUST_TEST_THREADS=1 RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" \
	TSAN_OPTIONS="suppressions=$(CURDIR)/engine/tests/tsan-suppressions.txt" \
	cargo +nightly test -p engine --locked --target-dir target/tsan --target x86_64-unknown-linux-gnu \
		--lib --test stress --test semantics -- adaptive

# The arenas' and interners' tests under AddressSanitizer, and the error codes of what must not
# compile, which only a nightly toolchain compares.
asan:
	@if cargo +nightly --version >/dev/null 2>&1; then set -ex; \
		RUSTFLAGS="-Zsanitizer=address" cargo +nightly test -p arena -p intern --locked \
			--target-dir target/asan --target x86_64-unknown-linux-gnu --lib --tests; \
		cargo +nightly test -p arena --locked --target-dir target/asan --doc; \
	else echo "skipped: AddressSanitizer needs a nightly toolchain"; fi

# Programs of operations on arenas that libFuzzer makes up, for FUZZ_SECONDS. `cargo fuzz run
# --fuzz-dir arena/fuzz programs` does the same where cargo-fuzz is installed; an input that fails is
# stored in arena/fuzz/artifacts.
FUZZ_SECONDS ?= 30
FUZZ_FLAGS = --cfg fuzzing -Zsanitizer=address -Ccodegen-units=1 -Cdebug-assertions \
	-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
fuzz:
	@if cargo +nightly --version >/dev/null 2>&1; then set -ex; \
		mkdir -p arena/fuzz/corpus/programs arena/fuzz/artifacts; \
		RUSTFLAGS="$(FUZZ_FLAGS)" cargo +nightly run --release --locked \
			--manifest-path arena/fuzz/Cargo.toml --target-dir target/fuzz \
			--target x86_64-unknown-linux-gnu --bin programs -- arena/fuzz/corpus/programs \
			-artifact_prefix=arena/fuzz/artifacts/ -max_total_time=$(FUZZ_SECONDS) \
			-print_final_stats=1; \
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
