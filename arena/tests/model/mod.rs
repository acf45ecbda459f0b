//! Programs of operations on an arena, checked against a plain model of what is allocated.
//!
//! The tests make up such programs at random, the fuzz target from its input.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::slice;

use arena::{Arena, Scoped};

/// Passes on to the system's allocator, counts live bytes, and fails when told to or asked for more
/// than any machine has, for which sanitizers would stop the program.
struct Failing;

#[global_allocator]
static ALLOCATOR: Failing = Failing;

thread_local! {
    /// Bytes that this thread has allocated and not freed.
    pub(crate) static LIVE_BYTES: Cell<usize> = const { Cell::new(0) };
    /// Allocations that still succeed.
    static ALLOWED: Cell<usize> = const { Cell::new(usize::MAX) };
}

// SAFETY: every call is passed on unchanged or fails; counting allocates nothing, because the cells
// are initialised at compile time and have no destructor.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > 1 << 40 {
            return std::ptr::null_mut();
        }
        match ALLOWED.get() {
            // A panic needs memory to say why.
            0 if !std::thread::panicking() => return std::ptr::null_mut(),
            0 => (),
            usize::MAX => (),
            allowed => ALLOWED.set(allowed - 1),
        }
        // Wrapping, because memory may be freed on another thread.
        LIVE_BYTES.set(LIVE_BYTES.get().wrapping_add(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        LIVE_BYTES.set(LIVE_BYTES.get().wrapping_sub(layout.size()));
        // SAFETY: the caller keeps the contract of `dealloc`; `System` made the allocation.
        unsafe { System.dealloc(start, layout) }
    }
}

/// Runs `work`, in which only the first `allowed` allocations of this thread succeed.
pub(crate) fn with_memory_for<T>(allowed: usize, work: impl FnOnce() -> T) -> T {
    ALLOWED.set(allowed);
    let done = catch_unwind(AssertUnwindSafe(work));
    ALLOWED.set(usize::MAX);
    done.unwrap_or_else(|panic| resume_unwind(panic))
}

/// What is done to an arena.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Allocate {
        bytes: usize,
        align: usize,
        /// Calls of the global allocator that succeed meanwhile.
        allowed: usize,
    },
    /// Of the live value at this place, counted from the newest.
    Resize {
        age: usize,
        bytes: usize,
    },
    Reset,
}

/// The model: what is allocated, where, and which byte was written all over it.
#[derive(Default)]
pub(crate) struct Live {
    values: Vec<Value>,
    patterns: u8,
    owners: usize,
}

struct Value {
    /// Number of the arena or scope that it was allocated from or kept by.
    owner: usize,
    start: NonNull<u8>,
    layout: Layout,
    pattern: u8,
}

impl Live {
    pub(crate) fn new_owner(&mut self) -> usize {
        self.owners += 1;
        self.owners
    }

    /// Does one operation on `arena` and on the model.
    pub(crate) fn apply(&mut self, arena: &impl Arena, owner: usize, operation: &Operation) {
        match *operation {
            Operation::Allocate {
                bytes,
                align,
                allowed,
            } => {
                let layout = Layout::from_size_align(bytes, align).unwrap();
                match with_memory_for(allowed, || arena.try_alloc_layout(layout)) {
                    Ok(start) => {
                        let aligned = start.addr().get().is_multiple_of(align);
                        assert!(aligned, "{layout:?} at {start:p}");
                        self.write(owner, start, layout);
                    }
                    Err(error) => {
                        assert!(allowed < usize::MAX, "there is memory");
                        assert_eq!((error.bytes, error.align), (bytes, align));
                    }
                }
            }
            Operation::Resize { age, bytes } => {
                let mut own = (0..self.values.len())
                    .rev()
                    .filter(|index| self.values[*index].owner == owner);
                let Some(index) = own.nth(age) else {
                    return;
                };
                let Value { start, layout, .. } = self.values[index];
                if layout.size() == 0 {
                    return;
                }
                // SAFETY: needs a valid allocation of `arena`: the model says so.
                if unsafe { arena.resize_in_place(start, layout, bytes) } {
                    let value = self.values.remove(index);
                    value.check(bytes.min(layout.size()));
                    let layout = Layout::from_size_align(bytes, layout.align()).unwrap();
                    if bytes > 0 {
                        self.write(owner, start, layout);
                    }
                }
            }
            Operation::Reset => (),
        }
    }

    fn write(&mut self, owner: usize, start: NonNull<u8>, layout: Layout) {
        self.patterns = self.patterns.wrapping_add(1);
        let pattern = self.patterns;
        // SAFETY: needs bytes that nobody else uses: promised by `Arena`.
        unsafe { start.write_bytes(pattern, layout.size()) };
        self.values.push(Value {
            owner,
            start,
            layout,
            pattern,
        });
    }

    /// Checks all values and forgets those of `owner`.
    pub(crate) fn release(&mut self, owner: usize) {
        for value in &self.values {
            value.check(value.layout.size());
        }
        self.values.retain(|value| value.owner != owner);
    }

    /// Gives the values of one owner to another.
    pub(crate) fn keep(&mut self, from: usize, to: usize) {
        for value in &mut self.values {
            if value.owner == from {
                value.owner = to;
            }
        }
    }
}

impl Value {
    /// Fails when any of the first `bytes` is not what was written.
    fn check(&self, bytes: usize) {
        // SAFETY: needs initialised bytes that are still valid: they were written when the value was
        // added to the model, which forgets it when it is released.
        let read = unsafe { slice::from_raw_parts(self.start.as_ptr(), bytes) };
        // What overlaps reaches one of the ends; in between there may be a lot.
        let (head, tail) = (&read[..bytes.min(256)], &read[bytes.saturating_sub(256)..]);
        let kept = |part: &[u8]| part.iter().all(|byte| *byte == self.pattern);
        assert!(
            kept(head) && kept(tail),
            "{:?} at {:p} was overwritten",
            self.layout,
            self.start
        );
    }
}

/// Does the operations on `arena` and on the model.
pub(crate) fn check_program(arena: &mut impl Arena, operations: &[Operation]) {
    let mut live = Live::default();
    for operation in operations {
        if let Operation::Reset = operation {
            live.release(0);
            arena.reset();
        } else {
            live.apply(arena, 0, operation);
        }
    }
    live.release(0);
}

/// What is done around or in one of several scopes that are open at once.
#[derive(Clone, Debug)]
pub(crate) enum Siblings {
    Open,
    Close {
        scope: usize,
        keep: bool,
    },
    Reset {
        scope: usize,
    },
    Inside {
        scope: usize,
        operation: Operation,
    },
    /// In a scope of a scope, which is closed at once.
    Nested {
        scope: usize,
        inside: Operation,
        around: Operation,
        keep: bool,
    },
    Around(Operation),
}

/// Does the operations in and around scopes of `arena`, and on the model.
pub(crate) fn check_siblings<A: Scoped>(arena: &A, operations: &[Siblings]) {
    let mut live = Live::default();
    let mut open = Vec::new();
    for operation in operations {
        match operation {
            Siblings::Open if open.len() < 4 => open.push((arena.scope(), live.new_owner())),
            Siblings::Open => (),
            Siblings::Close { scope, keep } => {
                if *scope < open.len() {
                    let (scope, owner) = open.swap_remove(*scope);
                    if *keep {
                        live.keep(owner, 0);
                        A::keep(scope);
                    } else {
                        live.release(owner);
                    }
                }
            }
            Siblings::Reset { scope } => {
                if let Some((scope, owner)) = open.get_mut(*scope) {
                    live.release(*owner);
                    scope.reset();
                }
            }
            Siblings::Inside { scope, operation } => {
                if let Some((scope, owner)) = open.get(*scope) {
                    live.apply(scope, *owner, operation);
                }
            }
            Siblings::Nested {
                scope,
                inside,
                around,
                keep,
            } => {
                if let Some((scope, owner)) = open.get(*scope) {
                    let nested = scope.scope();
                    let nested_owner = live.new_owner();
                    live.apply(&nested, nested_owner, inside);
                    live.apply(scope, *owner, around);
                    live.apply(&nested, nested_owner, inside);
                    if *keep {
                        live.keep(nested_owner, *owner);
                        A::Scope::keep(nested);
                    } else {
                        live.release(nested_owner);
                        drop(nested);
                    }
                }
            }
            Siblings::Around(operation) => live.apply(arena, 0, operation),
        }
    }
    for (scope, owner) in open {
        live.release(owner);
        drop(scope);
    }
    live.release(0);
}
