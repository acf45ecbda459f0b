//! What every strategy promises, checked for each of them.

use std::alloc::Layout;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::slice;
use std::sync::LazyLock;

use arena::{Arena, Bump, Heap, Pool, Pooled, Slab};
use proptest::collection::vec;
use proptest::prelude::*;

/// One module of tests per strategy.
macro_rules! contract {
    ($($strategy:ident: $make:expr,)*) => {$(
        mod $strategy {
            use super::*;

            #[test]
            fn alignment_is_kept() {
                check_alignment(&$make);
            }

            #[test]
            fn zero_sized_values_take_no_memory() {
                check_zero_sized(&$make);
            }

            #[test]
            fn values_keep_what_was_written() {
                check_typed(&$make);
            }

            #[test]
            fn a_fill_that_panics_leaves_the_arena_usable() {
                check_panicking_fill(&$make);
            }

            #[test]
            fn a_fill_can_allocate_from_the_same_arena() {
                check_nested_fill(&$make);
            }

            #[test]
            fn a_large_value_fits_after_a_reset() {
                check_large_after_reset($make);
            }

            #[test]
            fn held_memory_does_not_grow_over_cycles() {
                check_cycles($make);
            }

            #[test]
            fn values_survive_moving_the_arena() {
                check_move($make);
            }

            #[test]
            fn an_arena_can_move_to_another_thread() {
                check_send($make);
            }

            #[test]
            #[cfg_attr(miri, ignore = "Miri stops the program when memory runs out")]
            fn running_out_of_memory_is_an_error() {
                check_exhaustion(&$make);
            }

            proptest! {
                #![proptest_config(config())]

                #[test]
                fn live_values_never_overlap(operations in vec(operation(), 0..200)) {
                    check_program(&mut $make, &operations);
                }
            }
        }
    )*};
}

contract! {
    bump: Bump::default(),
    bump_with_capacity: Bump::with_capacity(1000),
    heap: Heap::default(),
    slab: Slab::default(),
    pooled_bump: warm_bump(),
}

fn warm_bump() -> Pooled<'static, Bump> {
    static POOL: LazyLock<Pool<Bump>> = LazyLock::new(Pool::default);
    POOL.get()
}

#[track_caller]
fn allocate(arena: &impl Arena, bytes: usize, align: usize) -> NonNull<u8> {
    let layout = Layout::from_size_align(bytes, align).unwrap();
    let start = arena.try_alloc_layout(layout).unwrap();
    assert!(
        start.addr().get().is_multiple_of(align),
        "{bytes} bytes aligned to {align} are at {start:p}"
    );
    start
}

fn check_alignment(arena: &impl Arena) {
    for align in (0..=12).map(|power| 1 << power) {
        for bytes in [0, 1, 3, align, align + 1, 10_000] {
            allocate(arena, bytes, align);
            allocate(arena, 1, 1);
        }
    }
}

fn check_zero_sized(arena: &impl Arena) {
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(64))]
    struct Empty;

    let held_bytes = arena.held_bytes();
    for _ in 0..10_000 {
        assert!((&raw const *arena.alloc(Empty)).is_aligned());
    }
    assert_eq!(arena.alloc_slice_copy(&[Empty; 1000]), [Empty; 1000]);
    assert_eq!(arena.alloc_slice_copy::<u64>(&[]), [0; 0]);
    assert_eq!(arena.alloc_str(""), "");
    let empty: &[u8] = arena.alloc_slice_fill_with(0, |index| panic!("no value at {index}"));
    assert_eq!(empty, [0; 0]);
    let mut calls = 0;
    arena.alloc_slice_fill_with(100, |_| calls += 1);
    assert_eq!(calls, 100, "values of size 0 are made all the same");
    assert_eq!(arena.held_bytes(), held_bytes);
}

fn check_typed(arena: &impl Arena) {
    let values: Vec<_> = (0..1000_u32)
        .map(|index| {
            (
                arena.alloc(index),
                arena.alloc_slice_copy(&[index as u8; 5]),
                arena.alloc_str(&index.to_string()),
                arena.alloc_slice_fill_with(3, |place| u64::from(index) + place as u64),
            )
        })
        .collect();
    for (index, (value, copy, string, filled)) in (0..).zip(values) {
        assert_eq!(*value, index);
        assert_eq!(copy, [index as u8; 5]);
        assert_eq!(string, index.to_string().as_str());
        let first = u64::from(index);
        assert_eq!(filled, [first, first + 1, first + 2]);
    }
}

fn check_panicking_fill(arena: &impl Arena) {
    let before = arena.alloc(7);
    let fill = |index| if index < 5 { index } else { panic!("half way") };
    let filled = catch_unwind(AssertUnwindSafe(|| {
        arena.alloc_slice_fill_with(10, fill).len()
    }));
    assert!(filled.is_err());
    let after = arena.alloc_slice_fill_with(10, |index| index);
    assert_eq!((*before, after[9]), (7, 9));
}

fn check_nested_fill(arena: &impl Arena) {
    let rows = arena.alloc_slice_fill_with(50, |row| {
        &*arena.alloc_slice_fill_with(row, |column| row * column)
    });
    for (row, values) in rows.iter().enumerate() {
        let expected: Vec<_> = (0..row).map(|column| row * column).collect();
        assert_eq!(*values, expected);
    }
}

fn check_large_after_reset(mut arena: impl Arena) {
    arena.alloc_slice_copy(&[1_u8; 100]);
    arena.reset();
    let large = arena.alloc_slice_fill_with(1 << 18, |index| index as u8);
    let small = arena.alloc(3_u8);
    assert!((0..).zip(&*large).all(|(index, byte)| *byte == index as u8));
    assert_eq!(*small, 3);
}

fn check_cycles(mut arena: impl Arena) {
    let mut held_bytes = Vec::new();
    for _ in 0..if cfg!(miri) { 8 } else { 100 } {
        for bytes in 0..300 {
            allocate(&arena, bytes * 7 % 5000, 1 << (bytes % 6));
        }
        held_bytes.push(arena.held_bytes());
        arena.reset();
    }
    // An arena that keeps only its largest chunk needs a few cycles until that fits everything.
    let (warming, warm) = held_bytes.split_at(4);
    assert!(warm.iter().all(|held| *held == warm[0]), "{held_bytes:?}");
    assert!(warm[0] <= 3 * warming[0], "{held_bytes:?}");
}

fn check_move(arena: impl Arena) {
    let start = allocate(&arena, 100, 8);
    // SAFETY: needs 100 bytes that nobody else uses: promised by `Arena`.
    unsafe { start.write_bytes(0xA5, 100) };
    let moved = Box::new(arena);
    allocate(&*moved, 100, 8);
    // SAFETY: needs the bytes to be valid after the move: promised by `Arena`, since `moved` lives.
    let bytes = unsafe { slice::from_raw_parts(start.as_ptr(), 100) };
    assert_eq!(bytes, [0xA5; 100]);
    drop(moved);
}

fn check_send(mut arena: impl Arena + Send) {
    arena.alloc_str("before");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(arena.alloc_str("there"), "there");
            arena.reset();
        });
    });
    assert_eq!(arena.alloc_str("back"), "back");
}

fn check_exhaustion(arena: &impl Arena) {
    let kept = arena.alloc(1);
    for align in [1, 8, 4096] {
        let bytes = (isize::MAX as usize + 1) - align;
        let layout = Layout::from_size_align(bytes, align).unwrap();
        let error = arena.try_alloc_layout(layout).unwrap_err();
        assert_eq!((error.bytes, error.align), (bytes, align));
    }
    let error = arena
        .try_alloc_slice_fill_with(usize::MAX, |index| index)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "out of memory: {} bytes aligned to 8 were asked for",
            usize::MAX
        )
    );
    let len = isize::MAX as usize / 8;
    let filled = catch_unwind(AssertUnwindSafe(|| {
        arena.alloc_slice_fill_with(len, |index| index).len()
    }));
    assert!(filled.is_err(), "the twin that cannot fail panics");
    let next = arena.alloc(2);
    assert_eq!((*kept, *next), (1, 2));
}

#[derive(Clone, Debug)]
enum Operation {
    Allocate { bytes: usize, align: usize },
    Reset,
}

fn operation() -> impl Strategy<Value = Operation> {
    let bytes = prop_oneof![10 => 0..100_usize, 4 => 0..5000_usize, 1 => 0..100_000_usize];
    let align = prop_oneof![10 => 0..5_u32, 1 => 0..13_u32];
    let allocate = (bytes, align).prop_map(|(bytes, power)| Operation::Allocate {
        bytes,
        align: 1 << power,
    });
    prop_oneof![30 => allocate, 1 => Just(Operation::Reset)]
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 100 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Writes a pattern of its own into every value and reads all of them again at the end of each
/// cycle.
fn check_program(arena: &mut impl Arena, operations: &[Operation]) {
    let mut live = Vec::new();
    for (number, operation) in operations.iter().chain([&Operation::Reset]).enumerate() {
        match *operation {
            Operation::Allocate { bytes, align } => {
                let start = allocate(arena, bytes, align);
                let pattern = number as u8;
                // SAFETY: needs `bytes` bytes that nobody else uses: promised by `Arena`.
                unsafe { start.write_bytes(pattern, bytes) };
                live.push((start, bytes, pattern));
            }
            Operation::Reset => {
                for (start, bytes, pattern) in live.drain(..) {
                    // SAFETY: needs initialised bytes that are still valid: written above and not
                    // reset since.
                    let read = unsafe { slice::from_raw_parts(start.as_ptr(), bytes) };
                    assert!(
                        read.iter().all(|byte| *byte == pattern),
                        "{bytes} bytes at {start:p} were overwritten"
                    );
                }
                arena.reset();
            }
        }
    }
}
