//! What if a program just links snmalloc?

use bench_harness::Lab;

fn suite(lab: &mut Lab) {
    global_allocators::suite(lab, "snmalloc");
}

bench_harness::main!(suite, snmalloc_rs::SnMalloc);
