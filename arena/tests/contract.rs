//! What every strategy promises, checked for each of them.

mod model;

use std::alloc::Layout;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;
use std::slice;
use std::sync::LazyLock;

use arena::{
    Arena, Bump, BumpScope, Bumpalo, Dropping, Heap, In, Metered, MeteredScope, PerThread, Pool,
    Pooled, Scope, Scoped, Slab, Typed,
};
use hashbrown::HashMap;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use model::{
    LIVE_BYTES, Live, Operation, Siblings, check_program, check_siblings, with_memory_for,
};

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
            fn collections_live_in_the_arena() {
                check_collections(&$make);
            }

            #[test]
            fn a_budget_holds_to_the_byte() {
                check_budget(Metered::new($make).with_budget(10_000));
            }

            #[test]
            fn nothing_is_leaked() {
                check_leaks(|| $make);
            }

            #[test]
            fn running_out_of_memory_is_an_error() {
                check_exhaustion(&$make);
            }

            proptest! {
                #![proptest_config(config())]

                #[test]
                fn live_values_never_overlap(operations in vec(operation(), 0..200)) {
                    check_program(&mut $make, &operations);
                }

                #[test]
                fn vectors_hold_what_was_put_into_them(operations in vec(growth(), 0..100)) {
                    check_vectors(&$make, &operations);
                }
            }
        }
    )*};
}

contract! {
    bump: Bump::default(),
    bump_huge: Bump::new().with_huge_pages(),
    bump_capped: Bump::new().with_max_chunk(5000),
    bumpalo: Bumpalo::default(),
    bump_scope: BumpScope::default(),
    dropping_bump: Dropping::new(Bump::default()),
    per_thread_bump: per_thread_bump(),
    metered_bump: Metered::new(Bump::default()),
    bump_with_capacity: Bump::with_capacity(1000),
    heap: Heap::default(),
    slab: Slab::default(),
    pooled_bump: warm_bump(),
}

/// Strategies whose newest allocation can be resized in place.
macro_rules! growing {
    ($($strategy:ident: $make:expr,)*) => {$(
        #[test]
        fn $strategy() {
            check_growth(&$make);
        }
    )*};
}

mod newest_allocation_is_resized_in_place {
    use super::*;

    growing! {
        bump: Bump::default(),
        bump_huge: Bump::new().with_huge_pages(),
        bump_capped: Bump::new().with_max_chunk(5000),
        bump_with_capacity: Bump::with_capacity(1000),
        bump_scope_guard: Bump::default().scope(),
        dropping_bump: Dropping::new(Bump::default()),
        metered_bump: Metered::new(Bump::default()),
        metered_bump_scope_guard: Metered::new(Bump::default()).scope(),
        pooled_bump: warm_bump(),
    }
}

/// Strategies that own all their memory and so know to the byte what they hold.
macro_rules! holding {
    ($($strategy:ident: $make:expr,)*) => {$(
        #[test]
        fn $strategy() {
            check_held(|| $make);
        }
    )*};
}

mod what_is_held_is_what_the_global_allocator_gave {
    use super::*;

    holding! {
        bump: Bump::default(),
        bump_huge: Bump::new().with_huge_pages(),
        bump_capped: Bump::new().with_max_chunk(5000),
        bumpalo: Bumpalo::default(),
        bump_scope: BumpScope::default(),
        dropping_bump: Dropping::new(Bump::default()),
        metered_bump: Metered::new(Bump::default()),
        heap: Heap::default(),
        slab: Slab::default(),
    }
}

/// One module of tests per type of value in a [`Typed`], which is no [`Arena`].
macro_rules! typed_contract {
    ($($name:ident: $value:ty,)*) => {$(
        mod $name {
            use super::super::*;

            type Value = Counting<$value>;

            #[test]
            fn values_stay_where_they_are_when_the_arena_moves() {
                check_typed_move::<Value>();
            }

            #[test]
            fn held_memory_does_not_grow_over_cycles() {
                check_typed_cycles::<Value>();
            }

            #[test]
            fn running_out_of_memory_is_an_error() {
                check_typed_exhaustion::<Value>();
            }

            proptest! {
                #![proptest_config(config())]

                #[test]
                fn values_are_kept_in_order_and_dropped_once(
                    operations in vec(typed_operation(), 0..200),
                ) {
                    check_typed_program::<$value>(&operations);
                }
            }
        }
    )*};
}

mod typed {
    typed_contract! {
        of_no_size: [u64; 0],
        of_a_byte: [u8; 1],
        of_a_cache_line: [u64; 8],
        larger_than_a_first_chunk: [u64; 300],
        of_a_page: super::super::Page,
    }
}

/// One module of tests per strategy with scopes.
macro_rules! scoped_contract {
    ($($strategy:ident: $make:expr,)*) => {$(
        mod $strategy {
            use super::super::*;

            #[test]
            fn rejected_candidates_cost_nothing_afterwards() {
                check_rejected(&$make);
            }

            #[test]
            fn accepted_candidates_stay() {
                check_accepted(&$make);
            }

            #[test]
            fn a_panic_in_an_attempt_releases_it() {
                check_panicking_attempt(&$make);
            }

            #[test]
            fn an_arena_outlives_a_forgotten_scope() {
                check_forgotten($make);
            }

            #[test]
            fn nothing_grows_into_an_open_scope() {
                check_growth_around_a_scope(&$make);
            }

            proptest! {
                #![proptest_config(config())]

                #[test]
                fn live_values_never_overlap(operations in vec(scoped_operation(), 0..200)) {
                    check_scoped_program(&mut $make, &operations);
                }

                #[test]
                fn scopes_open_at_once_never_overlap(operations in vec(siblings(), 0..200)) {
                    check_siblings(&$make, &operations);
                }
            }
        }
    )*};
}

mod scoped {
    scoped_contract! {
        bump: Bump::default(),
        bump_capped: Bump::new().with_max_chunk(5000),
        metered_bump: Metered::new(Bump::default()),
        pooled_bump: warm_bump(),
    }
}

/// Compiles only when none of the types is `Sync`: for one that is, either trait could be meant.
macro_rules! not_sync {
    ($($type:ty,)*) => {$(
        const _: fn() = || {
            trait Either<Which> {
                fn item() {}
            }
            impl<T> Either<()> for T {}
            impl<T: Sync> Either<u8> for T {}
            let _ = <$type as Either<_>>::item;
        };
    )*};
}

not_sync! {
    Bump,
    BumpScope,
    Bumpalo,
    Dropping<Bump>,
    Heap,
    Metered<Bump>,
    MeteredScope<'static, Scope<'static>>,
    Pooled<'static, Bump>,
    Scope<'static>,
    Slab,
    Typed<u64>,
}

/// The place for a thread's arena is made by its first use, which cannot fail.
fn per_thread_bump() -> PerThread<Bump> {
    let arenas = PerThread::default();
    arenas.get();
    arenas
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

fn check_collections(arena: &impl Arena) {
    let mut numbers = allocator_api2::vec::Vec::new_in(In(arena));
    let mut owners = allocator_api2::vec::Vec::new_in(In(arena));
    let mut places = HashMap::new_in(In(arena));
    let mut empties = allocator_api2::vec::Vec::new_in(In(arena));
    let shared = Rc::new(());
    for number in 0..1000_u64 {
        numbers.push(number);
        owners.push(Rc::clone(&shared));
        places.insert(number.to_string(), number);
        empties.push(());
    }
    assert!(numbers.iter().copied().eq(0..1000));
    assert!((0..1000).all(|number| places[number.to_string().as_str()] == number));
    numbers.truncate(10);
    numbers.shrink_to_fit();
    numbers.extend(10..100);
    assert!(numbers.iter().copied().eq(0..100));
    numbers.clear();
    numbers.shrink_to_fit();
    numbers.push(7);
    assert_eq!((numbers[0], empties.len()), (7, 1000));
    assert_eq!(Rc::strong_count(&shared), 1001);
    drop(owners);
    assert_eq!(
        Rc::strong_count(&shared),
        1,
        "a collection drops what it owns"
    );
    let boxed = allocator_api2::boxed::Box::new_in([1_u128; 4], In(arena));
    assert_eq!(*boxed, [1; 4]);
}

fn check_budget(mut arena: Metered<impl Arena>) {
    for _ in 0..3 {
        arena.alloc([0_u8; 9_000]);
        for _ in 0..100 {
            arena.alloc_str("12345");
        }
        arena.alloc_str("");
        assert!(arena.try_alloc([0_u8; 501]).is_err());
        arena.alloc([0_u8; 500]);
        assert!(arena.try_alloc(0_u8).is_err());
        arena.alloc(());
        let counts = arena.counts();
        assert_eq!((counts.allocations, counts.bytes), (102, 10_000));
        arena.reset();
    }
    let counts = arena.counts();
    assert_eq!((counts.allocations, counts.bytes), (0, 0));
    assert_eq!((counts.peak_bytes, counts.refused), (10_000, 6));
}

fn check_leaks<A: Arena>(make: impl Fn() -> A) {
    let live_after = [(); 8].map(|()| {
        let mut arena = make();
        for _ in 0..2 {
            for bytes in 0..300 {
                allocate(&arena, bytes * 7 % 5000, 1 << (bytes % 6));
            }
            arena.reset();
        }
        allocate(&arena, 100, 8);
        drop(arena);
        LIVE_BYTES.get()
    });
    // A pool holds more at first.
    assert_eq!(live_after[6], live_after[7]);
}

/// Resizes the newest allocation, which must work, and others, which must not.
fn check_growth(arena: &impl Arena) {
    let resize = |start, old_bytes, new_bytes| {
        let layout = Layout::from_size_align(old_bytes, 8).unwrap();
        // SAFETY: needs an allocation of `arena` of that size: every caller below has one.
        unsafe { arena.resize_in_place(start, layout, new_bytes) }
    };
    let first = allocate(arena, 8, 8);
    let newest = allocate(arena, 24, 8);
    // SAFETY: needs 24 bytes that nobody else uses: allocated above.
    unsafe { newest.write_bytes(0xA5, 24) };
    assert!(resize(newest, 24, 300), "the newest grows");
    // SAFETY: needs 300 bytes that nobody else uses: it has grown to that.
    unsafe { newest.write_bytes(0xA5, 300) };
    assert!(!resize(first, 8, 9 + 8), "an older one does not grow");
    assert!(resize(newest, 300, 100), "the newest shrinks");
    let next = allocate(arena, 8, 8);
    assert_eq!(
        next.addr().get(),
        newest.addr().get() + 104,
        "what is given up is used"
    );
    // SAFETY: needs 100 bytes that were written: all 300 were.
    let kept = unsafe { slice::from_raw_parts(newest.as_ptr(), 100) };
    assert_eq!(kept, [0xA5; 100]);
    assert!(resize(next, 8, 0), "the newest is released");
    assert!(
        resize(newest, 100, 100),
        "and then the one before is the newest"
    );
    assert!(!resize(newest, 100, 1 << 30), "not beyond the chunk");
    assert!(!resize(newest, 100, isize::MAX as usize - 7));
    assert_eq!(allocate(arena, 8, 8), next, "nothing has changed");
}

fn check_growth_around_a_scope(arena: &impl Scoped) {
    let layout = Layout::new::<u64>();
    let newest = allocate(arena, 8, 8);
    // SAFETY: needs an allocation of `arena` for that layout: made above.
    let grow = |bytes| unsafe { arena.resize_in_place(newest, layout, bytes) };
    let scope = arena.scope();
    assert!(!grow(16), "what follows is the scope's");
    let inside = allocate(&scope, 8, 8);
    assert!(!grow(16));
    // SAFETY: needs an allocation of the scope for that layout: made above.
    assert!(unsafe { scope.resize_in_place(inside, layout, 100) });
    drop(scope);
    assert!(grow(16), "what follows is free again");
}

/// Compares what an arena says that it holds with the allocator's account.
fn check_held<A: Arena>(make: impl Fn() -> A) {
    let before = LIVE_BYTES.get();
    let mut arena = make();
    for _ in 0..3 {
        for bytes in 0..300 {
            allocate(&arena, bytes * 7 % 5000, 1 << (bytes % 6));
            assert_eq!(arena.held_bytes(), LIVE_BYTES.get().wrapping_sub(before));
        }
        arena.reset();
        assert_eq!(arena.held_bytes(), LIVE_BYTES.get().wrapping_sub(before));
    }
    drop(arena);
    assert_eq!(LIVE_BYTES.get(), before);
}

thread_local! {
    /// Values of [`Counting`] that are alive.
    static LIVE_VALUES: Cell<usize> = const { Cell::new(0) };
}

/// A value that is missed when it is not dropped, or dropped twice.
#[derive(Debug)]
struct Counting<T>(T);

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(4096))]
struct Page([u64; 4]);

/// What a value is made from and is compared by.
trait Sample: Sized {
    fn from_number(number: u64) -> Self;
    fn is_from(&self, number: u64) -> bool;
}

impl<const LEN: usize> Sample for [u64; LEN] {
    fn from_number(number: u64) -> Self {
        [number; LEN]
    }

    fn is_from(&self, number: u64) -> bool {
        *self == Self::from_number(number)
    }
}

impl Sample for [u8; 1] {
    fn from_number(number: u64) -> Self {
        [number as u8]
    }

    fn is_from(&self, number: u64) -> bool {
        *self == Self::from_number(number)
    }
}

impl Sample for Page {
    fn from_number(number: u64) -> Self {
        Self([number; 4])
    }

    fn is_from(&self, number: u64) -> bool {
        *self == Self::from_number(number)
    }
}

impl<T: Sample> Sample for Counting<T> {
    fn from_number(number: u64) -> Self {
        LIVE_VALUES.set(LIVE_VALUES.get() + 1);
        Self(T::from_number(number))
    }

    fn is_from(&self, number: u64) -> bool {
        self.0.is_from(number)
    }
}

impl<T> Drop for Counting<T> {
    fn drop(&mut self) {
        LIVE_VALUES.set(LIVE_VALUES.get() - 1);
    }
}

/// Allocates values and fails when any is not what and where it was, or not aligned.
fn check_typed_move<T: Sample + Send>() {
    let arena = Typed::<T>::new();
    let starts: Vec<NonNull<T>> = (0..1000)
        .map(|number| NonNull::from(arena.alloc(T::from_number(number))))
        .collect();
    let mut moved = Box::new(arena);
    moved.alloc(T::from_number(1000));
    assert_eq!(moved.len(), 1001);
    for ((number, value), start) in (0..).zip(moved.iter_mut()).zip(&starts) {
        assert!(value.is_from(number));
        assert!(start.is_aligned() && NonNull::from(value) == *start);
    }
    let sent = std::thread::scope(|scope| scope.spawn(|| moved).join().unwrap());
    assert!(sent.len() == 1001 && !sent.is_empty());
    drop(sent);
    assert_eq!(LIVE_VALUES.get(), 0);
}

fn check_typed_cycles<T: Sample>() {
    let mut arena = Typed::<T>::new();
    let held_bytes: Vec<usize> = (0..20)
        .map(|_| {
            for number in 0..300 {
                arena.alloc(T::from_number(number));
            }
            let held_bytes = arena.held_bytes();
            arena.reset();
            assert!(arena.is_empty());
            assert_eq!(LIVE_VALUES.get(), 0);
            held_bytes
        })
        .collect();
    assert!(held_bytes[2..].iter().all(|held| *held == held_bytes[2]));
    let live_bytes = LIVE_BYTES.get();
    let arena_bytes = arena.held_bytes();
    drop(arena);
    assert_eq!(LIVE_BYTES.get(), live_bytes.wrapping_sub(arena_bytes));
}

fn check_typed_exhaustion<T: Sample>() {
    let arena = Typed::<T>::new();
    for allowed in 0..2 {
        let refused = with_memory_for(allowed, || arena.try_alloc(T::from_number(0)).err());
        // Values of no size need memory for the list of chunks only.
        if allowed == 0 || size_of::<T>() > 0 {
            let error = refused.expect("there is no memory");
            assert_eq!(
                (error.bytes, error.align),
                (size_of::<T>(), align_of::<T>())
            );
            assert!(arena.is_empty());
            assert_eq!(LIVE_VALUES.get(), 0, "the value is dropped");
        }
    }
    let kept = arena.alloc(T::from_number(7));
    assert!(kept.is_from(7));
}

#[derive(Clone, Debug)]
enum TypedOperation {
    Allocate {
        count: usize,
        /// Calls of the global allocator that succeed meanwhile.
        allowed: usize,
    },
    Reset,
}

fn typed_operation() -> impl Strategy<Value = TypedOperation> {
    let allowed = prop_oneof![10 => Just(usize::MAX), 3 => 0..3_usize];
    let allocate = (0..50_usize, allowed)
        .prop_map(|(count, allowed)| TypedOperation::Allocate { count, allowed });
    prop_oneof![20 => allocate, 1 => Just(TypedOperation::Reset)]
}

fn check_typed_program<T: Sample>(operations: &[TypedOperation]) {
    let mut arena = Typed::<Counting<T>>::new();
    let mut model = Vec::new();
    for operation in operations {
        match *operation {
            TypedOperation::Allocate { count, allowed } => {
                for _ in 0..count {
                    let number = model.len() as u64;
                    let value = Counting::from_number(number);
                    match with_memory_for(allowed, || arena.try_alloc(value).map(|_| ())) {
                        Ok(()) => model.push(number),
                        Err(_) => assert!(allowed < usize::MAX, "there is memory"),
                    }
                }
            }
            TypedOperation::Reset => {
                arena.reset();
                model.clear();
            }
        }
        assert_eq!((arena.len(), LIVE_VALUES.get()), (model.len(), model.len()));
        let values = arena.iter_mut().zip(&model);
        assert!(
            values
                .into_iter()
                .all(|(value, number)| value.is_from(*number))
        );
    }
    drop(arena);
    assert_eq!(LIVE_VALUES.get(), 0);
}

/// What is done to one of several vectors in an arena.
#[derive(Clone, Debug)]
enum Growth {
    Push(usize),
    Reserve(usize),
    Truncate(usize),
    Shrink,
    /// Replaces the vector by a new one.
    Drop,
}

/// The vector, what is done to it, and how many calls of the global allocator succeed meanwhile.
fn growth() -> impl Strategy<Value = (usize, Growth, usize)> {
    let growth = prop_oneof![
        8 => (0..100_usize).prop_map(Growth::Push),
        2 => (0..3000_usize).prop_map(Growth::Reserve),
        2 => (0..100_usize).prop_map(Growth::Truncate),
        2 => Just(Growth::Shrink),
        1 => Just(Growth::Drop),
    ];
    let allowed = prop_oneof![10 => Just(usize::MAX), 2 => 0..3_usize];
    (0..3_usize, growth, allowed)
}

fn check_vectors(arena: &impl Arena, operations: &[(usize, Growth, usize)]) {
    let mut models = [const { Vec::new() }; 3];
    let mut vectors = [(); 3].map(|()| allocator_api2::vec::Vec::new_in(In(arena)));
    let mut number = 0_u32;
    for (index, growth, allowed) in operations {
        let (model, vector) = (&mut models[*index], &mut vectors[*index]);
        match *growth {
            Growth::Push(count) => {
                if with_memory_for(*allowed, || vector.try_reserve(count)).is_ok() {
                    for _ in 0..count {
                        number += 1;
                        model.push(number);
                        vector.push(number);
                    }
                } else {
                    assert!(*allowed < usize::MAX, "there is memory");
                }
            }
            Growth::Reserve(count) => {
                let reserved = with_memory_for(*allowed, || vector.try_reserve_exact(count));
                assert!(reserved.is_ok() || *allowed < usize::MAX, "there is memory");
            }
            Growth::Truncate(len) => {
                model.truncate(len);
                vector.truncate(len);
            }
            Growth::Shrink => vector.shrink_to_fit(),
            Growth::Drop => {
                model.clear();
                *vector = allocator_api2::vec::Vec::new_in(In(arena));
            }
        }
        for (model, vector) in models.iter().zip(&vectors) {
            assert_eq!(model.as_slice(), vector.as_slice());
        }
    }
}

fn check_rejected(arena: &impl Scoped) {
    let kept = arena.alloc_str("kept");
    let reject = |bytes: usize| {
        let scope = arena.scope();
        for _ in 0..10 {
            allocate(&scope, bytes, 8);
        }
    };
    reject(10_000);
    let (held_bytes, live_bytes) = (arena.held_bytes(), LIVE_BYTES.get());
    let next = allocate(arena, 8, 8);
    for bytes in 0..100 {
        reject(bytes);
        let attempt = arena.attempt(|scope| match scope.try_alloc_slice_copy(&[0_u8; 5000]) {
            Ok(copy) if copy.len() == 1 => Ok(copy),
            _ => Err("rejected"),
        });
        assert_eq!(attempt, Err("rejected"));
    }
    let after = allocate(arena, 8, 8);
    assert_eq!(
        after.addr().get(),
        next.addr().get() + 8,
        "the next in order"
    );
    assert_eq!(
        (arena.held_bytes(), LIVE_BYTES.get()),
        (held_bytes, live_bytes)
    );
    assert_eq!(kept, "kept");
}

fn check_accepted(arena: &impl Scoped) {
    let held_bytes = arena.held_bytes();
    let mut kept: Vec<&[usize]> = Vec::new();
    for number in 0..300 {
        let found = arena.attempt(|scope| {
            let nested = scope.attempt(|inner| {
                let values = inner.alloc_slice_fill_with(number, |index| index * number);
                if number % 3 == 0 { Ok(values) } else { Err(()) }
            });
            scope.alloc(number);
            if number % 2 == 0 { nested } else { Err(()) }
        });
        assert_eq!(found.is_ok(), number % 6 == 0);
        if let Ok(values) = found {
            kept.push(values);
        }
    }
    let kept_bytes: usize = kept.iter().map(|values| size_of_val(*values)).sum();
    for (values, number) in kept.into_iter().zip((0..).step_by(6)) {
        assert!(
            values
                .iter()
                .copied()
                .eq((0..number).map(|index| index * number))
        );
    }
    let added_bytes = arena.held_bytes() - held_bytes;
    assert!(
        added_bytes < 4 * kept_bytes,
        "{added_bytes} bytes were added"
    );
}

fn check_panicking_attempt(arena: &impl Scoped) {
    let next = allocate(arena, 8, 8);
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        arena.attempt::<u8, ()>(|scope| {
            scope.alloc([0_u64; 4]);
            panic!("half way")
        })
    }));
    assert!(attempt.is_err());
    let after = allocate(arena, 8, 8);
    assert_eq!(after.addr().get(), next.addr().get() + 8);
}

fn check_forgotten(mut arena: impl Scoped) {
    let kept = arena.alloc(1_u64);
    let scope = arena.scope();
    scope.alloc(2_u64);
    std::mem::forget(scope);
    let after = arena.alloc(3_u64);
    assert_eq!((*kept, *after), (1, 3));
    arena.reset();
    assert_eq!(*arena.alloc(4_u64), 4);
}

fn operation() -> impl Strategy<Value = Operation> {
    let bytes = || prop_oneof![10 => 0..100_usize, 4 => 0..5000_usize, 1 => 0..100_000_usize];
    let align = prop_oneof![10 => 0..5_u32, 1 => 0..13_u32];
    let allowed = prop_oneof![10 => Just(usize::MAX), 1 => 0..3_usize];
    let allocate =
        (bytes(), align, allowed).prop_map(|(bytes, power, allowed)| Operation::Allocate {
            bytes,
            align: 1 << power,
            allowed,
        });
    let age = prop_oneof![3 => Just(0_usize), 1 => 0..10_usize];
    let resize = (age, bytes()).prop_map(|(age, bytes)| Operation::Resize { age, bytes });
    prop_oneof![30 => allocate, 10 => resize, 1 => Just(Operation::Reset)]
}

fn config() -> ProptestConfig {
    let cases = if cfg!(miri) { 2 } else { 100 };
    let mut config = ProptestConfig {
        cases,
        failure_persistence: None,
        // The same programs every time; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` ask for others.
        rng_seed: RngSeed::Fixed(0x0A2E_7A00),
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_RNG_SEED").is_some() {
        config.rng_seed = ProptestConfig::default().rng_seed;
    }
    if std::env::var_os("PROPTEST_CASES").is_some() {
        config.cases = ProptestConfig::default().cases;
    }
    config
}

#[derive(Clone, Debug)]
enum ScopedOperation {
    Plain(Operation),
    Open,
    Close {
        keep: bool,
    },
    /// In the arena around the scope.
    Around(Operation),
}

fn scoped_operation() -> impl Strategy<Value = ScopedOperation> {
    use ScopedOperation::{Around, Close, Open, Plain};
    prop_oneof![
        10 => operation().prop_map(Plain),
        3 => Just(Open),
        3 => any::<bool>().prop_map(|keep| Close { keep }),
        2 => operation().prop_map(Around),
    ]
}

/// Does an operation in the arena that a scope was opened from.
type Around<'a> = &'a dyn Fn(&mut Live, &Operation);

/// Runs operations until the scope is closed; returns whether it is kept.
fn run_scope<A: Scoped>(
    arena: &mut A,
    owner: usize,
    around: Option<Around<'_>>,
    operations: &mut slice::Iter<'_, ScopedOperation>,
    live: &mut Live,
) -> bool {
    while let Some(operation) = operations.next() {
        match operation {
            ScopedOperation::Plain(Operation::Reset) => {
                live.release(owner);
                arena.reset();
            }
            ScopedOperation::Plain(operation) => live.apply(arena, owner, operation),
            ScopedOperation::Open => {
                let arena = &*arena;
                let mut scope = arena.scope();
                let scope_owner = live.new_owner();
                let here = |live: &mut Live, operation: &Operation| {
                    live.apply(arena, owner, operation);
                };
                if run_scope(&mut scope, scope_owner, Some(&here), operations, live) {
                    live.keep(scope_owner, owner);
                    A::keep(scope);
                } else {
                    live.release(scope_owner);
                }
            }
            ScopedOperation::Close { keep } => {
                if around.is_some() {
                    return *keep;
                }
            }
            ScopedOperation::Around(operation) => {
                if let Some(around) = around {
                    around(live, operation);
                }
            }
        }
    }
    false
}

fn check_scoped_program(arena: &mut impl Scoped, operations: &[ScopedOperation]) {
    let mut live = Live::default();
    run_scope(arena, 0, None, &mut operations.iter(), &mut live);
    live.release(0);
}

fn siblings() -> impl Strategy<Value = Siblings> {
    let scope = || 0..4_usize;
    prop_oneof![
        3 => Just(Siblings::Open),
        3 => (scope(), any::<bool>()).prop_map(|(scope, keep)| Siblings::Close { scope, keep }),
        1 => scope().prop_map(|scope| Siblings::Reset { scope }),
        8 => (scope(), operation())
            .prop_map(|(scope, operation)| Siblings::Inside { scope, operation }),
        3 => (scope(), operation(), operation(), any::<bool>()).prop_map(
            |(scope, inside, around, keep)| Siblings::Nested { scope, inside, around, keep }
        ),
        6 => operation().prop_map(Siblings::Around),
    ]
}
