//! A global allocator that writes down what the program allocates and frees.
//!
//! Calls are appended, under a lock, to memory that comes from the system itself, so that recording
//! neither allocates through the recorder nor frees. What is appended are addresses; they become the
//! ids of a [`Trace`] when the recording is over.
//!
//! The order of the list is that of the calls, as far as blocks are concerned: an address is appended
//! as freed before it is given back, and as allocated after it was got, so nobody else can have been
//! handed it in between. A reallocation gives back and gets in one step, so it happens under the lock.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};
use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::trace::{ALIGN_LIMIT, BYTES_LIMIT, CALLS_LIMIT, Call, Step, Trace};

/// An allocator, by default the system's, that records its calls while [`Recorder::record`] runs.
///
/// Otherwise an allocation costs one load and one branch more. While recording, calls of all threads
/// wait for each other, and a call takes 40 bytes of memory.
///
/// # Examples
///
/// ```
/// use std::alloc::System;
///
/// use bench_harness::Recorder;
///
/// #[global_allocator]
/// static ALLOCATOR: Recorder = Recorder(System);
///
/// let (text, trace) = Recorder::record(|| "kept".to_owned() + &"freed".repeat(2));
/// assert_eq!(text, "keptfreedfreed");
/// // The text, which grows once, and the repetition, which is freed.
/// assert_eq!((trace.blocks(), trace.calls()), (2, 4));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Recorder<A = System>(pub A);

// Not for every `A`: `Recorder::record` names no allocator.
impl Recorder {
    /// Runs `work` and records what all threads of the program allocate and free meanwhile.
    ///
    /// Blocks that were allocated before are not in the trace, and those of more than 1 GiB are in it
    /// as 1 GiB. After about 4 million calls the
    /// others are only [counted](Trace::missed). In a program whose global allocator is another, the
    /// trace is empty.
    ///
    /// # Panics
    ///
    /// Panics when a recording is already on, on this thread or another, or when the system has no
    /// memory for one.
    pub fn record<T>(work: impl FnOnce() -> T) -> (T, Trace) {
        let recording = Recording::begin();
        let value = work();
        (value, recording.finish())
    }
}

// SAFETY: every method returns or releases what the allocator inside does for the same arguments,
// and recording neither allocates through `self` nor unwinds.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Recorder<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`, which is the same inside.
        let block = unsafe { self.0.alloc(layout) };
        // `Relaxed`, here and below: who appends looks again under the lock.
        if ON.load(Ordering::Relaxed) {
            allocated(block, layout);
        }
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, the same inside.
        let block = unsafe { self.0.alloc_zeroed(layout) };
        if ON.load(Ordering::Relaxed) {
            allocated(block, layout);
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if ON.load(Ordering::Relaxed) {
            locked(|list| list.append(block, ptr::null_mut(), layout));
        }
        // SAFETY: the caller keeps the contract of `dealloc`, and all blocks come from inside.
        unsafe { self.0.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `realloc`, and all blocks come from inside.
        let realloc = || unsafe { self.0.realloc(block, layout, new_size) };
        if ON.load(Ordering::Relaxed) {
            return reallocated(block, layout, new_size, realloc);
        }
        realloc()
    }
}

#[cold]
#[inline(never)]
fn allocated(block: *mut u8, layout: Layout) {
    if !block.is_null() {
        locked(|list| list.append(ptr::null_mut(), block, layout));
    }
}

#[cold]
#[inline(never)]
fn reallocated(
    block: *mut u8,
    layout: Layout,
    new_size: usize,
    reallocate: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    let mut new = ptr::null_mut();
    locked(|list| {
        new = reallocate();
        if !new.is_null()
            && let Ok(layout) = Layout::from_size_align(new_size, layout.align())
        {
            list.append(block, new, layout);
        }
    });
    new
}

/// Whether calls are recorded.
static ON: AtomicBool = AtomicBool::new(false);

/// Whether there is a recording that has not finished.
static BUSY: AtomicBool = AtomicBool::new(false);

/// Number of the next thread that is met.
static THREADS: AtomicU32 = AtomicU32::new(0);

static LOCKED: AtomicBool = AtomicBool::new(false);

static LIST: Locked = Locked(UnsafeCell::new(List::EMPTY));

thread_local! {
    // Without a destructor, so that the allocator may use it from a thread's first allocation to
    // its last. `u32::MAX` until the thread is met.
    static THREAD: Cell<u32> = const { Cell::new(u32::MAX) };
}

/// The list of calls, to be touched in [`locked`] only.
struct Locked(UnsafeCell<List>);

// SAFETY: the list is reached through `locked` alone, one thread at a time.
unsafe impl Sync for Locked {}

/// Calls `work` with the list while no other thread is in here.
#[cold]
#[inline(never)]
fn locked(work: impl FnOnce(&mut List)) {
    // A lock that spins, because those of the standard library may allocate on some systems.
    // `Acquire` sees the list as the `Release` of the thread before left it.
    while LOCKED.swap(true, Ordering::Acquire) {
        std::thread::yield_now();
    }
    // SAFETY: exclusive while `LOCKED` is ours, and `work` never comes back here: what it calls is
    // the allocator inside and `System`.
    work(unsafe { &mut *LIST.0.get() });
    LOCKED.store(false, Ordering::Release);
}

/// A call: what it gave back, what it got (null for nothing), and the layout of the latter, or of the
/// former where nothing was got.
#[derive(Clone, Copy)]
struct Raw {
    freed: *mut u8,
    got: *mut u8,
    layout: Layout,
    thread: u32,
}

/// Room for calls, from the system.
struct List {
    start: *mut Raw,
    capacity: usize,
    len: usize,
    /// Calls for which there was no room.
    missed: u64,
}

impl List {
    const EMPTY: Self = Self {
        start: ptr::null_mut(),
        capacity: 0,
        len: 0,
        missed: 0,
    };

    fn append(&mut self, freed: *mut u8, got: *mut u8, layout: Layout) {
        // The recording may have ended since the caller looked.
        if !ON.load(Ordering::Relaxed) {
            return;
        }
        if self.len == self.capacity && !self.grow() {
            self.missed += 1;
            return;
        }
        let thread = THREAD.get();
        let thread = if thread == u32::MAX {
            let thread = THREADS.fetch_add(1, Ordering::Relaxed);
            THREAD.set(thread);
            thread
        } else {
            thread
        };
        let raw = Raw {
            freed,
            got,
            layout,
            thread,
        };
        // SAFETY: `len` is below `capacity`, so the place lies in the room.
        let place = unsafe { self.start.add(self.len) };
        // SAFETY: as above.
        unsafe { place.write(raw) };
        self.len += 1;
    }

    /// Doubles the room; `false` where there may be or is no more.
    #[cold]
    fn grow(&mut self) -> bool {
        let capacity = (2 * self.capacity).clamp(1 << 12, CALLS_LIMIT);
        if capacity == self.capacity {
            return false;
        }
        let Ok(layout) = Layout::array::<Raw>(capacity) else {
            return false;
        };
        // SAFETY: the size is not 0.
        let start: *mut Raw = unsafe { System.alloc(layout) }.cast();
        if start.is_null() {
            return false;
        }
        if !self.start.is_null() {
            // SAFETY: both rooms are as long as `len`, and the new one is new.
            unsafe { start.copy_from_nonoverlapping(self.start, self.len) };
        }
        self.release();
        (self.start, self.capacity) = (start, capacity);
        true
    }

    fn release(&mut self) {
        if self.start.is_null() {
            return;
        }
        let layout = Layout::array::<Raw>(self.capacity).expect("as when it was allocated");
        // SAFETY: `grow` got the room from `System` with this layout, and nobody keeps it.
        unsafe { System.dealloc(self.start.cast(), layout) };
        self.start = ptr::null_mut();
    }

    fn calls(&self) -> &[Raw] {
        if self.start.is_null() {
            return &[];
        }
        // SAFETY: the first `len` places were written, and `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

/// A recording that is on. Dropping it turns it off.
struct Recording;

impl Recording {
    fn begin() -> Self {
        // `Acquire` pairs with the `Release` at the end of the recording before.
        let busy = BUSY.swap(true, Ordering::Acquire);
        assert!(
            !busy,
            "allocations are already being recorded; record one thing at a time"
        );
        ON.store(true, Ordering::Relaxed);
        Self
    }

    fn finish(self) -> Trace {
        // Before the list is taken: from here on nobody appends.
        let mut list = List::EMPTY;
        locked(|shared| {
            ON.store(false, Ordering::Relaxed);
            std::mem::swap(shared, &mut list);
        });
        let trace = trace(list.calls(), list.missed);
        list.release();
        trace
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        locked(|shared| {
            ON.store(false, Ordering::Relaxed);
            shared.release();
            *shared = List::EMPTY;
        });
        BUSY.store(false, Ordering::Release);
    }
}

/// Names blocks by number instead of address, and threads in the order in which they appear.
fn trace(raw: &[Raw], missed: u64) -> Trace {
    let mut threads = HashMap::new();
    let mut live: HashMap<*mut u8, u32> = HashMap::new();
    let mut blocks = 0;
    let mut calls = Vec::with_capacity(raw.len());
    for call in raw {
        let known = live.remove(&call.freed);
        let bytes = call.layout.size().clamp(1, BYTES_LIMIT);
        let step = match (known, call.got.is_null()) {
            (Some(block), true) => Step::Free { block },
            (Some(block), false) => {
                live.insert(call.got, block);
                Step::Reallocate { block, bytes }
            }
            // A block from before the recording.
            (None, true) => continue,
            (None, false) => {
                live.insert(call.got, blocks);
                blocks += 1;
                let align = call.layout.align().min(ALIGN_LIMIT);
                Step::Allocate(Layout::from_size_align(bytes, align).expect("within the limits"))
            }
        };
        let next = threads.len() as u32;
        let thread = *threads.entry(call.thread).or_insert(next);
        calls.push(Call { step, thread });
    }
    Trace::new(calls, missed)
}
