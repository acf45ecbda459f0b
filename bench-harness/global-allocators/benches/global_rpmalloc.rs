//! What if a program just links rpmalloc?

use bench_harness::Lab;

fn suite(lab: &mut Lab) {
    global_allocators::suite(lab, "rpmalloc");
}

bench_harness::main!(suite, rpmalloc::RpMalloc);
