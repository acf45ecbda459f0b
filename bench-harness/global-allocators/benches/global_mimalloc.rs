//! What if a program just links mimalloc?

use bench_harness::Lab;

fn suite(lab: &mut Lab) {
    global_allocators::suite(lab, "mimalloc");
}

bench_harness::main!(suite, mimalloc::MiMalloc);
