//! What if a program just links jemalloc?

use bench_harness::Lab;

fn suite(lab: &mut Lab) {
    global_allocators::suite(lab, "jemalloc");
}

bench_harness::main!(suite, tikv_jemallocator::Jemalloc);
