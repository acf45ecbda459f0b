//! A global allocator that counts what the program allocates, on all its threads, when asked.
//!
//! Every thread adds to a slot of its own with plain loads and stores, so that counting neither
//! locks the bus nor moves a cache line between threads; the slots are summed when counting ends.
//! Slots are never given back: threads that come when all are taken share one more, which a lock
//! protects. They count just as exactly, only more slowly.
//!
//! Every counting has a number. A thread that meets a new number clears its slot itself, so no
//! thread ever writes into the slot of another.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering, fence};
use std::thread;

/// An allocator, by default the system's, with a counter that is off until [`Tally::count`] turns
/// it on.
///
/// While it is off, an allocation costs one load and one branch more than that of the allocator
/// inside. A program that is to be counted declares it as its global allocator; in another program
/// everything counts as nothing. The counter is one for the program.
///
/// # Examples
///
/// ```
/// use std::alloc::System;
///
/// use bench_harness::Tally;
///
/// #[global_allocator]
/// static ALLOCATOR: Tally = Tally(System);
///
/// let (numbers, counts) = Tally::count(|| {
///     let mut numbers = Vec::with_capacity(4);
///     numbers.extend([1_u64, 2, 3, 4]);
///     numbers.push(5);
///     numbers
/// });
/// assert_eq!(numbers.len(), 5);
/// assert_eq!((counts.count, counts.reallocations), (2, 1));
/// assert_eq!((counts.bytes, counts.live_bytes), (64, 64));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally<A = System>(pub A);

/// What was allocated while counting was on, summed over all threads.
///
/// Sizes are those that were asked for; what an allocator adds to them is not seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that allocated, zeroed or reallocated memory; calls that failed do not count.
    pub count: u64,
    /// How many of those calls reallocated.
    pub reallocations: u64,
    /// Bytes that allocations asked for, and bytes that reallocations grew by.
    pub bytes: u64,
    /// Most bytes live at once, above the level when counting began.
    ///
    /// Exact when one thread allocates and frees; within `8 KiB * (threads + 1)` when several do.
    pub peak_bytes: u64,
    /// Bytes allocated less bytes freed; negative where older memory was freed.
    pub live_bytes: i64,
    /// Threads that allocated, reallocated or freed.
    pub threads: u64,
}

// Not for every `A`: `Tally::count` names no allocator.
impl Tally {
    /// Runs `work` and counts what all threads of the program allocate meanwhile.
    ///
    /// The counts are exact when the threads that allocate have been waited for at the end of
    /// `work`. Counting does not allocate; it ends when `work` panics.
    ///
    /// # Panics
    ///
    /// Panics when counting is already on, on this thread or another.
    pub fn count<T>(work: impl FnOnce() -> T) -> (T, Counts) {
        let counting = Counting::begin();
        let value = work();
        (value, counting.finish())
    }

    /// Runs `work` without counting it, nor what other threads do meanwhile.
    ///
    /// For the thread that runs [`Tally::count`]. Does nothing special while counting is off.
    pub fn pause<T>(work: impl FnOnce() -> T) -> T {
        struct Resume {
            counting: u64,
            paused: bool,
        }

        impl Drop for Resume {
            fn drop(&mut self) {
                // `Release` hands on what `Counting::begin` cleared; see there.
                ACTIVE.0.store(self.counting, Ordering::Release);
                PAUSED.0.store(self.paused, Ordering::Relaxed);
            }
        }

        let _resume = Resume {
            // `Acquire` pairs with the `Release` of the store that turned counting on.
            counting: ACTIVE.0.swap(OFF, Ordering::Acquire),
            // `Relaxed`: orders nothing.
            paused: PAUSED.0.swap(true, Ordering::Relaxed),
        };
        work()
    }

    /// Whether a thread is inside of [`Tally::pause`], be counting on or off. May be called by the handler
    /// of a signal.
    pub fn is_paused() -> bool {
        PAUSED.0.load(Ordering::Relaxed)
    }
}

// SAFETY: every method returns or releases what the allocator inside does for the same arguments,
// and counting neither allocates nor unwinds.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Tally<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // `Relaxed`, here and below, because a thread that meets a new counting fences in `join`.
        match ACTIVE.0.load(Ordering::Relaxed) {
            // SAFETY: the caller keeps the contract of `alloc`, which is the same inside.
            OFF => unsafe { self.0.alloc(layout) },
            // SAFETY: the same.
            counting => unsafe { self.counted_alloc(layout, counting) },
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match ACTIVE.0.load(Ordering::Relaxed) {
            // SAFETY: the caller keeps the contract of `alloc_zeroed`, the same inside.
            OFF => unsafe { self.0.alloc_zeroed(layout) },
            // SAFETY: the same.
            counting => unsafe { self.counted_alloc_zeroed(layout, counting) },
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match ACTIVE.0.load(Ordering::Relaxed) {
            // SAFETY: the caller keeps the contract of `dealloc`, and all blocks come from
            // the allocator inside.
            OFF => unsafe { self.0.dealloc(block, layout) },
            // SAFETY: the same.
            counting => unsafe { self.counted_dealloc(block, layout, counting) },
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        match ACTIVE.0.load(Ordering::Relaxed) {
            // SAFETY: the caller keeps the contract of `realloc`, and all blocks come from
            // the allocator inside.
            OFF => unsafe { self.0.realloc(block, layout, new_size) },
            // SAFETY: the same.
            counting => unsafe { self.counted_realloc(block, layout, new_size, counting) },
        }
    }
}

/// The same while counting is on, out of the way of programs that it is off for.
///
/// A block that is allocated and freed takes 2.7 ns more on one thread and on two, by
/// `examples/counting.rs` (2-core x86-64 VM, 2026-11); 12.9 ns where these are `#[cold]`, because next to
/// nothing is inlined into cold functions.
///
/// # Safety
///
/// As of the methods of [`GlobalAlloc`] that they are named after.
impl<A: GlobalAlloc> Tally<A> {
    #[inline(never)]
    unsafe fn counted_alloc(&self, layout: Layout, counting: u64) -> *mut u8 {
        // SAFETY: the caller keeps the contract.
        let block = unsafe { self.0.alloc(layout) };
        if !block.is_null() {
            record(counting, Call::Allocate, layout.size() as u64);
        }
        block
    }

    #[inline(never)]
    unsafe fn counted_alloc_zeroed(&self, layout: Layout, counting: u64) -> *mut u8 {
        // SAFETY: the caller keeps the contract.
        let block = unsafe { self.0.alloc_zeroed(layout) };
        if !block.is_null() {
            record(counting, Call::Allocate, layout.size() as u64);
        }
        block
    }

    #[inline(never)]
    unsafe fn counted_dealloc(&self, block: *mut u8, layout: Layout, counting: u64) {
        record(counting, Call::Free, layout.size() as u64);
        // SAFETY: the caller keeps the contract.
        unsafe { self.0.dealloc(block, layout) };
    }

    #[inline(never)]
    unsafe fn counted_realloc(
        &self,
        block: *mut u8,
        layout: Layout,
        new_size: usize,
        counting: u64,
    ) -> *mut u8 {
        // SAFETY: the caller keeps the contract.
        let block = unsafe { self.0.realloc(block, layout, new_size) };
        if !block.is_null() {
            let (old, new) = (layout.size() as u64, new_size as u64);
            match new.checked_sub(old) {
                Some(growth) => record(counting, Call::Grow, growth),
                None => record(counting, Call::Shrink, old - new),
            }
        }
        block
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Allocate,
    /// A reallocation to no fewer bytes.
    Grow,
    /// A reallocation to fewer bytes.
    Shrink,
    Free,
}

/// Adds a call, and the bytes that it allocated or freed, to the slot of this thread.
#[inline(always)]
fn record(counting: u64, call: Call, bytes: u64) {
    let slot = SLOT.get();
    if slot.counting.load(Ordering::Relaxed) == counting {
        slot.add(call, bytes);
    } else {
        record_slowly(counting, call, bytes);
    }
}

/// The same, for threads that are new to the counting and for those without a slot of their own.
#[cold]
#[inline(never)]
fn record_slowly(counting: u64, call: Call, bytes: u64) {
    if COUNTING.get() != counting {
        join(counting);
    }
    let slot = SLOT.get();
    match std::ptr::eq(slot, &raw const NONE) {
        true => locked(|| SHARED.0.add(call, bytes)),
        false => slot.add(call, bytes),
    }
}

/// Keeps what every thread reads or writes off the cache lines of everything else. Processors that
/// fetch lines in pairs share 128 bytes.
#[repr(align(128))]
struct Padded<T>(T);

/// What [`ACTIVE`] holds while nothing is counted.
const OFF: u64 = 0;

/// How many threads have slots of their own.
const OWN_SLOTS: usize = 256;

/// A thread adds to the live bytes of the program when its own have changed by this much. What
/// this delays is the error of the peak.
const BATCH_BYTES: i64 = 8 * 1024;

/// Number of the counting that is on, or [`OFF`].
static ACTIVE: Padded<AtomicU64> = Padded(AtomicU64::new(OFF));

/// Whether a thread is inside of [`Tally::pause`].
static PAUSED: Padded<AtomicBool> = Padded(AtomicBool::new(false));

/// Number of the latest counting.
static LATEST: AtomicU64 = AtomicU64::new(OFF);

/// Whether there is a counting that has not finished, be it paused.
static BUSY: AtomicBool = AtomicBool::new(false);

static OWN: [Padded<Slot>; OWN_SLOTS] = [const { Padded(Slot::new()) }; OWN_SLOTS];

/// How often a thread has asked for a slot of its own.
static CLAIMS: AtomicUsize = AtomicUsize::new(0);

/// The slot of the threads that got none.
static SHARED: Padded<Slot> = Padded(Slot::new());

/// Stands in for the slot of a thread that has none: no counting has its number.
static NONE: Slot = Slot::new();

static SHARED_LOCKED: AtomicBool = AtomicBool::new(false);

static PROGRAM: Padded<Program> = Padded(Program {
    live: AtomicI64::new(0),
    peak: AtomicI64::new(0),
    threads: AtomicU64::new(0),
});

// Without destructors, so that the allocator may use them from a thread's first allocation to its last.
thread_local! {
    /// The counting that the thread takes part in.
    static COUNTING: Cell<u64> = const { Cell::new(OFF) };
    /// Its own slot, once it has been counted; [`NONE`] before, and when all were taken.
    static SLOT: Cell<&'static Slot> = const { Cell::new(&NONE) };
}

/// What the threads have in common in one counting.
struct Program {
    /// Live bytes that slots have handed over.
    live: AtomicI64,
    /// Most live bytes that a slot has seen when it handed over.
    peak: AtomicI64,
    /// Threads that take part.
    threads: AtomicU64,
}

/// Makes the thread take part in a counting, with a clear slot.
fn join(counting: u64) {
    // Pairs with the `Release` of the store that the thread read `counting` from: what the
    // program adds up was cleared before this thread adds to it.
    fence(Ordering::Acquire);
    COUNTING.set(counting);
    PROGRAM.0.threads.fetch_add(1, Ordering::Relaxed);
    if std::ptr::eq(SLOT.get(), &raw const NONE) {
        // `Relaxed`, because the number is all that is shared.
        let claim = CLAIMS.fetch_add(1, Ordering::Relaxed);
        let Some(Padded(slot)) = OWN.get(claim) else {
            return;
        };
        SLOT.set(slot);
    }
    SLOT.get().clear(counting);
}

/// Calls `work` while no other thread is in here.
#[cold]
#[inline(never)]
fn locked(work: impl FnOnce()) {
    // A lock that spins, because those of the standard library may allocate on some systems.
    // `Acquire` sees the slot as the `Release` of the thread before left it.
    while SHARED_LOCKED.swap(true, Ordering::Acquire) {
        thread::yield_now();
    }
    work();
    SHARED_LOCKED.store(false, Ordering::Release);
}

/// The counters of one thread. Only their owner writes them, or who holds the lock of the shared
/// one; they are atomic because [`Counting::finish`] reads them.
///
/// All orderings are `Relaxed`: who reads the slot of a thread has waited for the thread, and what
/// made it wait orders their accesses.
///
/// Live bytes are what was allocated less what was freed. A third sum, of the differences, would cost the
/// same (2.6 ns a block either way).
struct Slot {
    /// The counting that the figures belong to.
    counting: AtomicU64,
    count: AtomicU64,
    reallocations: AtomicU64,
    /// Bytes that allocations asked for and that reallocations grew by.
    allocated: AtomicU64,
    /// Bytes that were freed and that reallocations shrank by.
    freed: AtomicU64,
    /// Live bytes when the slot was last flushed.
    flushed: AtomicI64,
    /// Most live bytes since then.
    high: AtomicI64,
    /// Live bytes at which so many were freed since then that it is flushed again.
    low: AtomicI64,
}

impl Slot {
    const fn new() -> Self {
        Self {
            counting: AtomicU64::new(OFF),
            count: AtomicU64::new(0),
            reallocations: AtomicU64::new(0),
            allocated: AtomicU64::new(0),
            freed: AtomicU64::new(0),
            flushed: AtomicI64::new(0),
            high: AtomicI64::new(0),
            low: AtomicI64::new(-BATCH_BYTES),
        }
    }

    fn clear(&self, counting: u64) {
        self.counting.store(counting, Ordering::Relaxed);
        for counter in [
            &self.count,
            &self.reallocations,
            &self.allocated,
            &self.freed,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
        self.keep_from(0);
    }

    /// Begins a batch at so many live bytes.
    fn keep_from(&self, live: i64) {
        self.flushed.store(live, Ordering::Relaxed);
        self.high.store(live, Ordering::Relaxed);
        self.low
            .store(live.wrapping_sub(BATCH_BYTES), Ordering::Relaxed);
    }

    #[inline(always)]
    fn add(&self, call: Call, bytes: u64) {
        // A read-modify-write instruction would cost more, and the slot has one writer. Sums wrap
        // because an allocator must not panic.
        let add = |counter: &AtomicU64, amount: u64| {
            let sum = counter.load(Ordering::Relaxed).wrapping_add(amount);
            counter.store(sum, Ordering::Relaxed);
            sum
        };
        if call != Call::Free {
            add(&self.count, 1);
        }
        if matches!(call, Call::Grow | Call::Shrink) {
            add(&self.reallocations, 1);
        }
        // The new sum is not loaded again, for that would wait for its store.
        if matches!(call, Call::Allocate | Call::Grow) {
            let allocated = add(&self.allocated, bytes);
            let live = allocated.wrapping_sub(self.freed.load(Ordering::Relaxed)) as i64;
            if live > self.high.load(Ordering::Relaxed) {
                self.high.store(live, Ordering::Relaxed);
                if live.wrapping_sub(self.flushed.load(Ordering::Relaxed)) >= BATCH_BYTES {
                    self.flush(live);
                }
            }
        } else {
            let freed = add(&self.freed, bytes);
            let live = self.allocated.load(Ordering::Relaxed).wrapping_sub(freed) as i64;
            if live <= self.low.load(Ordering::Relaxed) {
                self.flush(live);
            }
        }
    }

    /// Hands the live bytes over to the program, and the peak that follows from them.
    #[cold]
    #[inline(never)]
    fn flush(&self, live: i64) {
        let flushed = self.flushed.load(Ordering::Relaxed);
        let high = self.high.load(Ordering::Relaxed).wrapping_sub(flushed);
        let before = PROGRAM
            .0
            .live
            .fetch_add(live.wrapping_sub(flushed), Ordering::Relaxed);
        let peak = before.wrapping_add(high);
        // Most flushes are not a new peak and need not take the cache line for writing twice.
        if peak > PROGRAM.0.peak.load(Ordering::Relaxed) {
            PROGRAM.0.peak.fetch_max(peak, Ordering::Relaxed);
        }
        self.keep_from(live);
    }
}

/// A counting that is on or paused. Dropping it turns it off.
struct Counting {
    number: u64,
}

impl Counting {
    fn begin() -> Self {
        // `Acquire` pairs with the `Release` at the end of the counting before.
        let busy = BUSY.swap(true, Ordering::Acquire);
        assert!(
            !busy,
            "allocations are already being counted; count one thing at a time"
        );
        let number = LATEST.fetch_add(1, Ordering::Relaxed) + 1;
        locked(|| SHARED.0.clear(number));
        PROGRAM.0.live.store(0, Ordering::Relaxed);
        PROGRAM.0.peak.store(0, Ordering::Relaxed);
        PROGRAM.0.threads.store(0, Ordering::Relaxed);
        // `Release` pairs with the fence in `join`.
        ACTIVE.0.store(number, Ordering::Release);
        Self { number }
    }

    fn finish(self) -> Counts {
        ACTIVE.0.store(OFF, Ordering::Relaxed);
        let flushed = PROGRAM.0.live.load(Ordering::Relaxed);
        let mut peak = PROGRAM.0.peak.load(Ordering::Relaxed);
        let mut counts = Counts {
            live_bytes: flushed,
            threads: PROGRAM.0.threads.load(Ordering::Relaxed),
            ..Counts::default()
        };
        for Padded(slot) in OWN.iter().chain([&SHARED]) {
            if slot.counting.load(Ordering::Relaxed) == self.number {
                counts.count += slot.count.load(Ordering::Relaxed);
                counts.reallocations += slot.reallocations.load(Ordering::Relaxed);
                counts.bytes += slot.allocated.load(Ordering::Relaxed);
                let of_slot = slot.flushed.load(Ordering::Relaxed);
                let freed = slot.freed.load(Ordering::Relaxed);
                let live = slot.allocated.load(Ordering::Relaxed).wrapping_sub(freed) as i64;
                counts.live_bytes += live - of_slot;
                peak = peak.max(flushed + slot.high.load(Ordering::Relaxed) - of_slot);
            }
        }
        counts.peak_bytes = peak.max(0) as u64;
        counts
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        ACTIVE.0.store(OFF, Ordering::Relaxed);
        BUSY.store(false, Ordering::Release);
    }
}
