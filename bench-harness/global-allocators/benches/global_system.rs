//! What does the allocator cost that a program has when it chooses none?

use bench_harness::Lab;

fn suite(lab: &mut Lab) {
    global_allocators::suite(lab, "system");
}

bench_harness::main!(suite);
