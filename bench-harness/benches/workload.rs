//! Which arena and which interner suit a workload of the reader's own?
//!
//! There are cases only where a workload file is given; the global allocators have theirs in their
//! own binaries.

mod plain;

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;
use std::sync::Mutex;

use arena::{Arena, Bump, BumpScope, Bumpalo, Heap, Slab};
use bench_harness::workload::{Allocation, Interning};
use bench_harness::{Lab, Routine};
use intern::{Compact, Concurrent, Interner, Rodeo, Sharded, StringInterner, ThreadedRodeo};
use plain::Plain;

/// Makes the routine of a strategy for what a workload asks for.
type Make<T> = fn(&T) -> Routine;

/// The arenas. A new strategy is a line here.
const ARENAS: &[(&str, Make<Allocation>)] = &[
    ("bump", arena::<Bump>),
    ("bumpalo", arena::<Bumpalo>),
    ("bump-scope", arena::<BumpScope>),
    ("slab", arena::<Slab>),
    ("heap", arena::<Heap>),
];

/// The interners: for one thread, and for several where they can be shared. A new strategy is a line
/// here.
const INTERNERS: &[Strategy] = &[
    Strategy::alone("std-map", alone::<Plain>),
    Strategy::alone("rodeo", alone::<Rodeo>),
    Strategy::alone("string-interner", alone::<StringInterner>),
    Strategy::alone("compact", alone::<Compact>),
    Strategy::shared("locked-rodeo", locked::<Rodeo>),
    Strategy::shared("threaded-rodeo", shared::<ThreadedRodeo>),
    Strategy::shared("sharded", shared::<Sharded>),
    Strategy::shared("concurrent", shared::<Concurrent>),
];

fn suite(lab: &mut Lab) {
    let Some(workload) = lab.workload() else {
        return;
    };
    if let Some(allocation) = workload.allocation {
        let group = allocation.group(lab);
        for &(name, routine) in ARENAS {
            let allocation = allocation.clone();
            group.case(name, allocation.input(), move || routine(&allocation));
        }
    }
    if let Some(interning) = workload.interning {
        let several = interning.threads() > 1;
        let baseline = if several { "locked-rodeo" } else { "std-map" };
        let (serve, left_out): (Vec<&Strategy>, Vec<&Strategy>) = INTERNERS
            .iter()
            .partition(|strategy| strategy.threads || !several);
        let left_out: Vec<(&str, &str)> = left_out
            .iter()
            .map(|strategy| (strategy.name, "threads cannot share it"))
            .collect();
        let group = interning.group(lab, baseline, &left_out);
        for strategy in serve {
            let (interning, routine) = (interning.clone(), strategy.routine);
            group.case(strategy.name, interning.input(), move || {
                routine(&interning)
            });
        }
    }
}

bench_harness::main!(suite);

/// An arena as an allocator that frees nothing before its reset.
struct Whole<A>(A);

// SAFETY: an arena hands out memory for any layout that overlaps no other and stays valid until the
// reset, where nobody looks at it any more.
unsafe impl<A: Arena> GlobalAlloc for Whole<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0
            .try_alloc_layout(layout)
            .map_or(ptr::null_mut(), |block| block.as_ptr())
    }

    #[inline]
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

fn arena<A: Arena + Default + 'static>(allocation: &Allocation) -> Routine {
    allocation.cycles(|| Whole(A::default()), |arena| arena.0.reset())
}

/// An interner and who can use it.
struct Strategy {
    name: &'static str,
    /// Whether threads can share it.
    threads: bool,
    routine: Make<Interning>,
}

impl Strategy {
    const fn alone(name: &'static str, routine: Make<Interning>) -> Self {
        Self {
            name,
            threads: false,
            routine,
        }
    }

    const fn shared(name: &'static str, routine: Make<Interning>) -> Self {
        Self {
            name,
            threads: true,
            routine,
        }
    }
}

fn alone<I: Interner + Default + 'static>(interning: &Interning) -> Routine {
    interning.cycles(
        I::default,
        |interner, string| interner.intern(string).index(),
        |interner| interner.len(),
    )
}

fn shared<I>(interning: &Interning) -> Routine
where
    I: Default + Sync + 'static,
    for<'i> &'i I: Interner,
{
    interning.shared_cycles(
        I::default,
        |mut interner, string| interner.intern(string).index(),
        |interner| interner.len(),
    )
}

fn locked<I: Interner + Default + Send + 'static>(interning: &Interning) -> Routine {
    interning.shared_cycles(
        Mutex::<I>::default,
        |interner, string| {
            let mut interner = interner.lock().expect("no thread panics");
            interner.intern(string).index()
        },
        |interner| interner.lock().expect("no thread panics").len(),
    )
}
