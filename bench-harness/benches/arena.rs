//! What does an allocation cost, by size, by strategy, over cycles and between threads?

use std::alloc::Layout;
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::time::Duration;

use arena::{AllocError, Arena, Bump, BumpScope, Bumpalo, Heap, PerThread, Pool, Scoped, Slab};
use bench_harness::{Group, Input, Lab, Rotation, Routine, Tally, race, shuffle};

/// Allocations in an iteration of the groups that compare single allocations.
const BATCH: usize = 1_000;

fn suite(lab: &mut Lab) {
    lab.section("Arena allocation").counted_first();
    alloc(lab);
    alloc_zeroed(lab);
    string(lab);
    cycle(lab);
    cold(lab);
    node(lab);
    threads(lab);
    lab.section("Object pool");
    pool_get(lab);
    pool_threads(lab);
    pool_prewarm(lab);
    pool_reuse(lab);
}

bench_harness::main!(suite);

/// An object of a fixed size that remembers the object allocated before it.
#[derive(Clone, Copy)]
#[repr(C)]
struct Object<Rest> {
    previous: Option<NonNull<Object<Rest>>>,
    rest: Rest,
}

/// The objects of one iteration, linked from the last to the first. They live until the arena of
/// the routine that returned them is used again.
struct Linked<Rest>(Option<NonNull<Object<Rest>>>);

impl<Rest> Linked<Rest> {
    fn count(&self) -> usize {
        let mut next = self.0;
        std::iter::from_fn(|| {
            let object = next?;
            // SAFETY: the arena is reset only when the routine runs again, and a check runs
            // between two runs; `previous` was written by the routine.
            next = unsafe { (*object.as_ptr()).previous };
            Some(())
        })
        .count()
    }
}

/// Allocates [`BATCH`] objects after a reset. `rest` makes what follows the first 8 bytes; what it
/// leaves uninitialised is not written.
fn objects<A, Rest>(rest: impl Fn() -> Rest + 'static) -> Routine
where
    A: Arena + Default + 'static,
    Rest: Copy + 'static,
{
    let mut arena = A::default();
    Routine::new(
        move || {
            arena.reset();
            let mut previous = None;
            for _ in 0..BATCH {
                let rest = rest();
                previous = Some(NonNull::from(arena.alloc(Object { previous, rest })));
            }
            Linked(previous)
        },
        |linked: &Linked<Rest>| assert_eq!(linked.count(), BATCH),
    )
}

/// The least that a bump arena can do: it adds, compares with the end of its only block, and ends
/// the program there.
struct Floor {
    block: Vec<MaybeUninit<u64>>,
    next: Cell<NonNull<u8>>,
    end: NonNull<u8>,
}

impl Default for Floor {
    fn default() -> Self {
        let mut block = Vec::with_capacity(BATCH * 4_096 / 8);
        block.resize(BATCH * 4_096 / 8, MaybeUninit::uninit());
        let Range { start, end } = block.as_mut_ptr_range();
        let pointer = |place: *mut _| NonNull::new(place).expect("a block is not at 0").cast();
        Self {
            next: Cell::new(pointer(start)),
            end: pointer(end),
            block,
        }
    }
}

// SAFETY: returns memory of its block, each byte once before a reset, aligned to 8, the most that
// this file asks of it. The block is freed with the arena, and moving the arena does not move it.
unsafe impl Arena for Floor {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        debug_assert!(layout.align() == 8 && layout.size().is_multiple_of(8));
        let start = self.next.get();
        let end = start.as_ptr().wrapping_add(layout.size());
        assert!(end <= self.end.as_ptr(), "the block is large enough");
        // SAFETY: needs to stay inside the block: just compared with its end.
        self.next.set(unsafe { start.add(layout.size()) });
        Ok(start)
    }

    fn reset(&mut self) {
        let start = self.block.as_mut_ptr();
        self.next
            .set(NonNull::new(start).expect("a block is not at 0").cast());
    }

    fn held_bytes(&self) -> usize {
        size_of_val(&*self.block)
    }
}

/// bumpalo with its usual settings, where [`Bumpalo`] aligns everything to 8 bytes.
#[derive(Default)]
struct BumpaloAsIs(bumpalo::Bump);

// SAFETY: bumpalo returns memory of its own chunks, aligned as asked, never twice before a reset;
// chunks are heap blocks, which do not move.
unsafe impl Arena for BumpaloAsIs {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        Ok(self.0.alloc_layout(layout))
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn held_bytes(&self) -> usize {
        self.0.allocated_bytes_including_metadata()
    }
}

/// The arena of the oxc parser.
#[derive(Default)]
struct Oxc(oxc_allocator::Allocator);

// SAFETY: as for bumpalo, of which it is a copy that was developed further.
unsafe impl Arena for Oxc {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        Ok(self.0.alloc_layout(layout))
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn held_bytes(&self) -> usize {
        self.0.capacity()
    }
}

fn alloc(lab: &mut Lab) {
    let group = lab.group(
        "arena-alloc",
        "How long does one allocation take when its first bytes are written?",
    );
    group
        .work("An iteration releases everything and allocates 1 000 objects whose layout is known at compile time; the first 8 bytes of each are written. `floor` adds and compares, in a block that is large enough; `bumpalo` and `oxc` are as they come, `bumpalo-8` aligns to 8 bytes at least, as `bump` does.")
        .axis("bytes an object")
        .unit("allocation")
        .per_element()
        .baseline("heap")
        .bound("floor")
        .quick_limit(64)
        .standard_limit(1_024);
    fn size<const REST: usize>(group: &mut Group) {
        let bytes = || Input::number(REST + 8, BATCH as u64);
        let rest = || MaybeUninit::<[u8; REST]>::uninit();
        group.case("heap", bytes(), move || objects::<Heap, _>(rest));
        group.case("bump", bytes(), move || objects::<Bump, _>(rest));
        group.case("bumpalo", bytes(), move || objects::<BumpaloAsIs, _>(rest));
        group.case("bumpalo-8", bytes(), move || objects::<Bumpalo, _>(rest));
        group.case("oxc", bytes(), move || objects::<Oxc, _>(rest));
        group.case("bump-scope", bytes(), move || objects::<BumpScope, _>(rest));
        group.case("slab", bytes(), move || objects::<Slab, _>(rest));
        group.case("floor", bytes(), move || objects::<Floor, _>(rest));
    }
    size::<0>(group);
    size::<56>(group);
    size::<248>(group);
    size::<1_016>(group);
    size::<4_088>(group);
}

fn alloc_zeroed(lab: &mut Lab) {
    let group = lab.group(
        "arena-alloc-zeroed",
        "How long does one allocation take when the whole object is zeroed?",
    );
    group
        .work("As `arena-alloc`, with all bytes of each object written.")
        .axis("bytes an object")
        .unit("allocation")
        .per_element()
        .baseline("heap")
        .standard_limit(256);
    fn size<const REST: usize>(group: &mut Group) {
        let bytes = || Input::number(REST + 8, BATCH as u64);
        group.case("heap", bytes(), || objects::<Heap, _>(|| [0_u8; REST]));
        group.case("bump", bytes(), || objects::<Bump, _>(|| [0_u8; REST]));
        group.case("slab", bytes(), || objects::<Slab, _>(|| [0_u8; REST]));
    }
    size::<0>(group);
    size::<56>(group);
    size::<248>(group);
    size::<1_016>(group);
    size::<4_088>(group);
}

/// The last string that was copied, and its copy.
struct LastString {
    bytes: usize,
    input: *const str,
    copy: *const str,
}

fn strings<A: Arena + Default + 'static>(length: usize) -> Routine {
    let mut arena = A::default();
    let mut inputs = Rotation::new(BATCH, |seed| {
        let string = |number| format!("{:0>length$}", number + seed as usize * BATCH);
        let cut = |string: String| string[string.len() - length..].to_owned();
        (0..BATCH)
            .map(|number| cut(string(number)))
            .collect::<Vec<_>>()
    });
    Routine::new(
        move || {
            arena.reset();
            let mut written = LastString {
                bytes: 0,
                input: "",
                copy: "",
            };
            for string in inputs.turn() {
                let copy: &str = arena.alloc_str(string);
                written.bytes += copy.len();
                written.input = string.as_str();
                written.copy = copy;
            }
            written
        },
        move |written| {
            assert_eq!(written.bytes, BATCH * length);
            // SAFETY: the inputs live as long as the routine and are not changed.
            let input = unsafe { &*written.input };
            // SAFETY: the arena is reset only when the routine runs again, after this check.
            let copy = unsafe { &*written.copy };
            assert_eq!(copy, input);
        },
    )
}

fn string(lab: &mut Lab) {
    let group = lab.group(
        "arena-string",
        "How long does copying a string into an arena take?",
    );
    group
        .work("An iteration releases everything and copies 1 000 strings whose length is known at run time only; 16 sets of strings take turns.")
        .axis("bytes a string")
        .unit("string")
        .per_element()
        .baseline("heap")
        .standard_limit(61);
    for length in [0, 5, 20, 61, 138] {
        let input = || Input::number(length, BATCH as u64);
        group.case("heap", input(), move || strings::<Heap>(length));
        group.case("bump", input(), move || strings::<Bump>(length));
        group.case("slab", input(), move || strings::<Slab>(length));
    }
}

type Object64 = Object<[u8; 56]>;

/// Fills `arena` with `count` objects of 64 bytes and looks at the newest.
fn fill(arena: &impl Arena, count: usize) -> usize {
    let mut previous = None;
    for number in 0..count {
        let object = Object64 {
            previous,
            rest: [number as u8; 56],
        };
        previous = Some(NonNull::from(arena.alloc(object)));
    }
    // Only the newest is looked at: walking over all would be what is timed.
    previous.map_or(0, |newest| {
        // SAFETY: `arena` is borrowed, so nothing has been released.
        let object = unsafe { newest.as_ref() };
        usize::from(object.rest[55] == (count - 1) as u8) * count
    })
}

fn cycle(lab: &mut Lab) {
    let group = lab.group(
        "arena-cycle",
        "What does it save to keep an arena's memory from one use to the next?",
    );
    group
        .work("An iteration is one cycle: obtain an arena, allocate the objects of 64 bytes, release them. The layout is known at compile time. Over 100 cycles a kept arena must not grow, or the case fails. What the system's allocator does with the memory of a dropped arena depends on what the process freed before: `new` may find it warm, as small ones do, or must fetch fresh pages; `arena-cold` has fresh ones only.")
        .axis("objects")
        .unit("object")
        .growth(true)
        .baseline("new")
        .quick_limit(1_000);
    for count in [10, 100, 1_000, 100_000] {
        let right = move |filled: &usize| assert_eq!(*filled, count);
        group.case("heap", count, move || {
            assert_kept(&Heap::default(), count);
            Routine::new(move || fill(&Heap::default(), count), right)
        });
        group.case("new", count, move || {
            assert_kept(&Bump::default(), count);
            Routine::new(move || fill(&Bump::default(), count), right)
        });
        group.case("reset", count, move || {
            let mut arena = Bump::default();
            let mut cycle = move || {
                arena.reset();
                fill(&arena, count)
            };
            assert_no_growth(&mut cycle);
            Routine::new(cycle, right)
        });
        group.case("scope", count, move || {
            let arena = Bump::default();
            assert_kept(&arena.scope(), count);
            let mut cycle = move || fill(&arena.scope(), count);
            assert_no_growth(&mut cycle);
            Routine::new(cycle, right)
        });
        group.case("slab-reset", count, move || {
            assert_kept(&Slab::default(), count);
            let mut arena = Slab::default();
            let mut cycle = move || {
                arena.reset();
                fill(&arena, count)
            };
            assert_no_growth(&mut cycle);
            Routine::new(cycle, right)
        });
        group.case("pooled", count, move || {
            let pool = Pool::<Bump>::default();
            assert_kept(&*pool.get(), count);
            let mut cycle = move || fill(&*pool.get(), count);
            assert_no_growth(&mut cycle);
            Routine::new(cycle, right)
        });
    }
}

/// Returns what the heap has free to the system, as other work, an idle time or another allocator
/// might.
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: a function of the system's library with this signature; memory in use stays.
        unsafe { malloc_trim(0) };
    }
}

fn cold(lab: &mut Lab) {
    let group = lab.group(
        "arena-cold",
        "What does it cost to use memory for the first time?",
    );
    group
        .work("An iteration is one cycle: obtain an arena with room for the objects of 64 bytes in one chunk, allocate them, release them. Before each the heap returns to the system what it has free, where it can (glibc), so that every page of a new arena is a fresh one; otherwise it would keep up to 64 MiB of them, and `new` would say what came before. `huge-pages` makes room in one chunk and asks for pages of 2 MiB, which not every system grants; `pooled` keeps its memory.")
        .axis("objects")
        .unit("object")
        .growth(true)
        .baseline("new")
        .quick_limit(1_000);
    for count in [16_384, 100_000, 1_000_000] {
        let cycle = move |mut cycle: Box<dyn FnMut() -> usize>| {
            Routine::prepared(
                give_back,
                move |()| cycle(),
                move |filled: &usize| {
                    assert_eq!(*filled, count);
                },
            )
        };
        let roomy = move |arena: Bump| {
            let room = arena.try_reserve(64 * count);
            room.expect("there is memory for the objects");
            arena
        };
        group.case("new", count, move || {
            cycle(Box::new(move || fill(&roomy(Bump::new()), count)))
        });
        // Less than a huge page is not worth one.
        if 64 * count > 2 << 20 {
            group.case("huge-pages", count, move || {
                let huge = move || roomy(Bump::new().with_huge_pages());
                assert_kept(&huge(), count);
                cycle(Box::new(move || fill(&huge(), count)))
            });
        }
        group.case("pooled", count, move || {
            let pool = Pool::<Bump>::default();
            let mut pooled = move || fill(&*pool.get(), count);
            assert_no_growth(&mut pooled);
            cycle(Box::new(pooled))
        });
    }
}

/// Fills `arena` and fails when any object is not what was written.
fn assert_kept(arena: &impl Arena, count: usize) {
    let objects: Vec<&mut [u64; 8]> = (0..count)
        .map(|number| arena.alloc([number as u64; 8]))
        .collect();
    assert!(
        objects
            .iter()
            .enumerate()
            .all(|(number, object)| **object == [number as u64; 8])
    );
}

/// Runs 100 cycles and fails when the second half needed memory that the first did not.
fn assert_no_growth(cycle: &mut impl FnMut() -> usize) {
    for _ in 0..50 {
        cycle();
    }
    let ((), counted) = Tally::count(|| {
        for _ in 0..50 {
            cycle();
        }
    });
    assert_eq!(
        counted.live_bytes, 0,
        "a kept arena grows from cycle to cycle"
    );
}

/// Sizes of the edge slices of a graph: 0 to 8, by seed.
fn edge_counts(nodes: usize, seed: u64) -> Vec<usize> {
    let mut random = oorandom::Rand64::new(u128::from(seed));
    (0..nodes)
        .map(|_| random.rand_range(0..9) as usize)
        .collect()
}

fn build_nodes<A: Arena + Default + 'static>(nodes: usize) -> Routine {
    let mut arena = A::default();
    let mut inputs = Rotation::new(nodes, |seed| edge_counts(nodes, seed));
    Routine::new(
        move || {
            arena.reset();
            let (mut edges, mut newest) = (0, 0);
            for (number, &count) in inputs.turn().iter().enumerate() {
                let slice = arena.alloc_slice_fill_with(count, |edge| (number + edge) as u32);
                edges += slice.len();
                let node = arena.alloc([number as u64; 8]);
                newest = node[7];
            }
            (edges, newest)
        },
        move |&(edges, newest)| {
            assert!(edges > nodes * 3 && edges < nodes * 5, "{edges} edges");
            assert_eq!(newest, nodes as u64 - 1);
        },
    )
}

fn node(lab: &mut Lab) {
    let group = lab.group(
        "arena-node",
        "Which strategy builds a graph's nodes and edges fastest?",
    );
    group
        .work("An iteration releases everything and allocates nodes of 64 bytes, each with a slice of 0 to 8 edges whose length is known at run time only; up to 16 random graphs take turns. `ids` keeps nodes and edges in two vectors instead of an arena.")
        .axis("nodes")
        .unit("node")
        .growth(true)
        .baseline("heap")
        .quick_limit(1_000);
    for nodes in [1_000, 10_000, 100_000] {
        group.case("heap", nodes, move || build_nodes::<Heap>(nodes));
        group.case("bump", nodes, move || build_nodes::<Bump>(nodes));
        group.case("slab", nodes, move || build_nodes::<Slab>(nodes));
        group.case("ids", nodes, move || {
            let mut inputs = Rotation::new(nodes, |seed| edge_counts(nodes, seed));
            let (mut all, mut edges) = (Vec::<([u64; 8], u32)>::new(), Vec::<u32>::new());
            Routine::new(
                move || {
                    all.clear();
                    edges.clear();
                    for (number, &count) in inputs.turn().iter().enumerate() {
                        edges.extend((0..count).map(|edge| (number + edge) as u32));
                        all.push(([number as u64; 8], edges.len() as u32));
                    }
                    (edges.len(), all.last().map_or(0, |(node, _)| node[7]))
                },
                move |&(edges, newest)| {
                    assert!(edges > nodes * 3 && edges < nodes * 5, "{edges} edges");
                    assert_eq!(newest, nodes as u64 - 1);
                },
            )
        });
    }
}

/// Runs `work(thread, iterations)` on threads that start together; each must do [`BATCH`] things
/// an iteration.
fn on_threads(threads: usize, work: impl Fn(usize, u64) -> usize + Sync + 'static) -> Routine {
    Routine::timed(
        move |iterations| -> (Duration, Vec<bool>) {
            let (elapsed, done) = race(threads, |thread| work(thread, iterations));
            let right = done
                .iter()
                .map(|&done| done == iterations as usize * BATCH)
                .collect();
            (elapsed, right)
        },
        move |right| assert_eq!(*right, vec![true; threads], "every thread does its work"),
    )
}

fn threads(lab: &mut Lab) {
    let group = lab.group(
        "arena-threads",
        "Do threads that allocate slow each other down?",
    );
    group
        .work("Threads start together; in an iteration each allocates 1 000 objects of 64 bytes, a layout known at compile time, and releases them. Time is from the first start to the last end, with making and dropping an arena of one's own; `per-thread` keeps the arenas in one owner and releases by a scope. `heap-handed-over` frees on another thread than allocated, so it begins with 2 threads.")
        .axis("threads")
        .unit("allocation")
        .per_element()
        .baseline("heap")
        .standard_limit(2);
    for threads in [1, 2, 4] {
        let input = || Input::number(threads, (threads * BATCH) as u64);
        group.case("heap", input(), move || own_arenas::<Heap>(threads));
        group.case("bump-per-thread", input(), move || {
            own_arenas::<Bump>(threads)
        });
        group.case("per-thread", input(), move || {
            let mut last = PerThread::<Bump>::default();
            Routine::timed(
                move |iterations| {
                    last.reset();
                    let arenas = &last;
                    race(threads, |_| {
                        (0..iterations)
                            .map(|_| fill(&arenas.get().scope(), BATCH))
                            .sum::<usize>()
                            == iterations as usize * BATCH
                    })
                },
                move |right| assert_eq!(*right, vec![true; threads], "every thread does its work"),
            )
        });
        group.case("bump-shared", input(), move || {
            let arena = Mutex::new(Bump::default());
            on_threads(threads, move |_, iterations| {
                let lock = || arena.lock().expect("no thread panics");
                let mut done = 0;
                for _ in 0..iterations {
                    done += (0..BATCH).map(|_| fill(&*lock(), 1)).sum::<usize>();
                    // Releases the others' objects as well: nobody looks at them again.
                    lock().reset();
                }
                done
            })
        });
        if threads > 1 {
            group.case("heap-handed-over", input(), move || {
                let mailboxes: Vec<Mutex<Vec<Box<[u64; 8]>>>> =
                    (0..threads).map(|_| Mutex::default()).collect();
                on_threads(threads, move |thread, iterations| {
                    let lock = |thread: usize| mailboxes[thread].lock().expect("no thread panics");
                    let mut done = 0;
                    for _ in 0..iterations {
                        let mut objects: Vec<_> = (0..BATCH)
                            .map(|number| Box::new([number as u64; 8]))
                            .collect();
                        done += objects.len();
                        lock((thread + 1) % threads).append(&mut objects);
                        // What arrives later is freed in the next iteration.
                        let received = std::mem::take(&mut *lock(thread));
                        drop(received);
                    }
                    done
                })
            });
        }
    }
}

/// An arena for each thread.
fn own_arenas<A: Arena + Default + 'static>(threads: usize) -> Routine {
    on_threads(threads, |_, iterations| {
        let mut arena = A::default();
        (0..iterations)
            .map(|_| {
                let filled = fill(&arena, BATCH);
                arena.reset();
                filled
            })
            .sum()
    })
}

/// What the object pools lend: a buffer that is costly enough to be worth keeping.
fn buffer() -> Vec<u8> {
    vec![0; 1_024]
}

fn buffers() -> Pool<Vec<u8>> {
    Pool::new(buffer, |buffer| buffer.fill(0))
}

/// Writes to a buffer, as its user would.
fn use_buffer(buffer: &mut [u8]) -> usize {
    buffer[0] = 1;
    usize::from(std::hint::black_box(buffer)[0])
}

fn pool_get(lab: &mut Lab) {
    let group = lab.group(
        "object-pool/get",
        "Is a pooled buffer cheaper than a new one?",
    );
    group
        .work("An iteration obtains and releases a zeroed buffer of 1 KiB 1 000 times.")
        .axis("gets")
        .unit("get")
        .per_element()
        .baseline("new");
    let right = |used: &usize| assert_eq!(*used, BATCH);
    group.case("new", BATCH, move || {
        Routine::new(
            || (0..BATCH).map(|_| use_buffer(&mut buffer())).sum(),
            right,
        )
    });
    group.case("pool", BATCH, move || {
        let pool = buffers();
        Routine::new(
            move || (0..BATCH).map(|_| use_buffer(&mut pool.get())).sum(),
            right,
        )
    });
}

fn pool_threads(lab: &mut Lab) {
    let group = lab.group(
        "object-pool/get-threads",
        "Do threads that share a pool slow each other down?",
    );
    group
        .work("Threads start together; in an iteration each obtains and releases a zeroed buffer of 1 KiB 1 000 times. Time is from the first start to the last end.")
        .axis("threads")
        .unit("get")
        .per_element()
        .baseline("new")
        .standard_limit(2);
    for threads in [1, 2, 4] {
        let input = || Input::number(threads, (threads * BATCH) as u64);
        group.case("new", input(), move || {
            on_threads(threads, |_, iterations| {
                (0..iterations as usize * BATCH)
                    .map(|_| use_buffer(&mut buffer()))
                    .sum()
            })
        });
        group.case("pool", input(), move || {
            let pool = buffers();
            on_threads(threads, move |_, iterations| {
                (0..iterations as usize * BATCH)
                    .map(|_| use_buffer(&mut pool.get()))
                    .sum()
            })
        });
        group.case("locked-vec", input(), move || {
            let idle = Mutex::new(Vec::<Vec<u8>>::new());
            on_threads(threads, move |_, iterations| {
                let lock = || idle.lock().expect("no thread panics");
                (0..iterations as usize * BATCH)
                    .map(|_| {
                        let kept = lock().pop();
                        let mut object = kept.unwrap_or_else(buffer);
                        let used = use_buffer(&mut object);
                        object.fill(0);
                        lock().push(object);
                        used
                    })
                    .sum()
            })
        });
    }
}

fn pool_prewarm(lab: &mut Lab) {
    let group = lab.group(
        "object-pool/prewarm",
        "What does a pool that was filled in advance save its first users?",
    );
    group
        .work("An iteration holds as many zeroed buffers of 1 KiB at once from a pool never used before; filling it in advance is not part of the time, dropping it is not either.")
        .growth(true)
        .axis("buffers held at once")
        .unit("get")
        .per_element()
        .baseline("cold")
        .standard_limit(100);
    for count in [10, 100, 1_000] {
        let case = move |prewarmed: usize| {
            Routine::prepared(
                move || {
                    let pool = buffers();
                    pool.prewarm(prewarmed);
                    pool
                },
                move |pool| {
                    let held: Vec<_> = (0..count).map(|_| pool.get()).collect();
                    drop(held);
                    pool
                },
                move |pool| {
                    let stats = pool.stats();
                    assert_eq!(stats.created, count as u64);
                    assert_eq!(stats.reused, prewarmed as u64);
                },
            )
        };
        group.case("cold", count, move || case(0));
        group.case("prewarmed", count, move || case(count));
    }
}

fn pool_reuse(lab: &mut Lab) {
    let group = lab.group(
        "object-pool/reuse",
        "What is a pool worth when only some objects come back?",
    );
    group
        .work("An iteration gets 1 000 zeroed buffers of 1 KiB; the given percentage of them is returned before the next get, the others are held until the end. The share of gets served from the pool must equal that percentage.")
        .axis("% returned before the next get")
        .unit("get")
        .per_element()
        .baseline("new");
    for percent in [20_u64, 50, 80, 95] {
        let input = || Input::number(percent as usize, BATCH as u64);
        // 16 sequences with exactly this share of returns, in random order.
        let sequences = move || {
            Rotation::new(BATCH, move |seed| {
                let mut returned: Vec<bool> = (0..BATCH as u64)
                    .map(|get| get * percent % 100 < percent)
                    .collect();
                shuffle(&mut returned, seed);
                returned
            })
        };
        group.case("new", input(), move || {
            let mut sequences = sequences();
            Routine::new(
                move || {
                    let mut held = Vec::with_capacity(BATCH);
                    let mut used = 0;
                    for &returned in sequences.turn() {
                        let mut object = buffer();
                        used += use_buffer(&mut object);
                        if !returned {
                            held.push(object);
                        }
                    }
                    used
                },
                |used| assert_eq!(*used, BATCH),
            )
        });
        group.case("pool", input(), move || {
            let mut sequences = sequences();
            // One idle object: what is returned serves the next get, and nothing else does.
            let pool = buffers().with_limit(1);
            Routine::new(
                move || {
                    let before = pool.stats();
                    let mut held = Vec::with_capacity(BATCH);
                    let mut used = 0;
                    for &returned in sequences.turn() {
                        let mut object = pool.get();
                        used += use_buffer(&mut object);
                        if !returned {
                            held.push(object);
                        }
                    }
                    let reused = pool.stats().reused - before.reused;
                    (used, reused, before.idle as u64)
                },
                move |&(used, reused, idle)| {
                    assert_eq!(used, BATCH);
                    // The first get may find an object of the iteration before, the last returned
                    // one serves nobody.
                    let analytic = BATCH as u64 * percent / 100;
                    assert!(
                        reused + 1 >= analytic && reused <= analytic + idle,
                        "{reused} gets were served from the pool, {analytic} expected"
                    );
                },
            )
        });
    }
}
