//! How workers of the adaptive scheduler hand nodes to each other, sleep, and see the end of a run.
//!
//! It knows nothing of graphs: nodes are numbers, a run is a pointer that is passed on. So a model
//! checker can try all of its interleavings (`tests/pool_model.rs` compiles this file with other
//! atomics).
//!
//! # The protocol
//!
//! A worker keeps the nodes it will run next to itself and puts others on its *shelf*, where
//! everyone may take them. `active` counts the workers that may hold nodes.
//!
//! 1. Only an active worker puts nodes on its own shelf, and it retires only after it found that
//!    shelf empty. So the owner of a shelf with nodes is active.
//! 2. A worker that takes from another's shelf is active or becomes so while it holds the lock of
//!    that shelf. The owner, active by 1, cannot find its shelf empty before, so `active` does not
//!    come to 0 in between.
//! 3. So when `active` is 0 there is no node anywhere, and nobody works on the run: it is over.
//!    Nobody can become active again before the next [`begin`](Pool::begin).
//! 4. A worker that sees that it is the only active one and has nothing on its shelf stays so until
//!    it puts something there: it may touch the counters of the run without atomic
//!    read-modify-writes.
//!
//! Sleepers are woken only where somebody decides to; that nobody sleeps although there is work is
//! the business of whoever publishes work. What may not be lost is the end of a run, for which the
//! caller may sleep.

use crossbeam::utils::CachePadded;

use crate::sync::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering,
    PoisonError, fence,
};

/// What the workers of one scheduler share. Worker 0 is the caller, the others are threads.
pub(crate) struct Pool<Job> {
    shelves: Box<[CachePadded<Shelf>]>,
    /// Workers that may hold nodes of the run.
    active: CachePadded<AtomicU32>,
    /// Workers that look for nodes, awake.
    hungry: CachePadded<AtomicU32>,
    job: AtomicPtr<Job>,
    /// What a node costs where nodes were published last, in nanoseconds; a hint.
    cost_ns: AtomicU32,
    beds: Beds,
    stop: AtomicBool,
}

/// Nodes that anyone may take.
struct Shelf {
    /// How many there are; changed under the lock.
    len: AtomicUsize,
    nodes: Mutex<Vec<u32>>,
}

/// Where workers sleep.
struct Beds {
    /// Threads that sleep; changed under the lock. One that wakes up by itself stays counted until
    /// somebody means to wake it.
    threads: AtomicU32,
    /// Whether the caller sleeps; changed under the lock.
    caller: AtomicBool,
    lock: Mutex<()>,
    wake_thread: Condvar,
    wake_caller: Condvar,
}

impl<Job> Pool<Job> {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            shelves: (0..workers)
                .map(|_| {
                    CachePadded::new(Shelf {
                        len: AtomicUsize::new(0),
                        nodes: Mutex::new(Vec::new()),
                    })
                })
                .collect(),
            active: CachePadded::new(AtomicU32::new(0)),
            hungry: CachePadded::new(AtomicU32::new(0)),
            job: AtomicPtr::new(std::ptr::null_mut()),
            cost_ns: AtomicU32::new(0),
            beds: Beds {
                threads: AtomicU32::new(0),
                caller: AtomicBool::new(false),
                lock: Mutex::new(()),
                wake_thread: Condvar::new(),
                wake_caller: Condvar::new(),
            },
            stop: AtomicBool::new(false),
        }
    }

    pub(crate) fn workers(&self) -> usize {
        self.shelves.len()
    }

    /// Begins a run with the caller as the only active worker. The run before must be over.
    pub(crate) fn begin(&self, job: *mut Job) {
        debug_assert_eq!(
            self.active.load(Ordering::Relaxed),
            0,
            "the run before is over"
        );
        // Both are passed on to others by the lock of the first shelf they take from.
        self.job.store(job, Ordering::Relaxed);
        self.active.store(1, Ordering::Relaxed);
    }

    /// The run that is on; for an active worker.
    pub(crate) fn job(&self) -> *mut Job {
        self.job.load(Ordering::Relaxed)
    }

    /// Moves the first `count` of `nodes`, which cost about `cost_ns` each, to the shelf of `worker`,
    /// which must be active and the current thread.
    pub(crate) fn publish(&self, worker: usize, nodes: &mut Vec<u32>, count: usize, cost_ns: f32) {
        self.cost_ns.store(cost_ns.to_bits(), Ordering::Relaxed);
        let shelf = &self.shelves[worker];
        let mut shelved = shelf.lock();
        shelved.extend(nodes.drain(..count));
        shelf.len.store(shelved.len(), Ordering::Relaxed);
    }

    /// What a node costs, as whoever published last says.
    pub(crate) fn cost_ns(&self) -> f32 {
        f32::from_bits(self.cost_ns.load(Ordering::Relaxed))
    }

    /// Takes up to `most` nodes back from the own shelf; returns whether more are left there.
    pub(crate) fn take_back(&self, worker: usize, nodes: &mut Vec<u32>, most: usize) -> bool {
        let shelf = &self.shelves[worker];
        let mut shelved = shelf.lock();
        let kept = shelved.len().saturating_sub(most);
        nodes.extend(shelved.drain(kept..));
        shelf.len.store(kept, Ordering::Relaxed);
        kept > 0
    }

    /// How many nodes lie on the shelf of `worker`. When its owner reads 0, it also sees that those
    /// who took nodes from there are active.
    pub(crate) fn shelved(&self, worker: usize) -> usize {
        // `Acquire` pairs with the `Release` of whoever took from there.
        self.shelves[worker].len.load(Ordering::Acquire)
    }

    /// Takes half of the nodes on another worker's shelf, for `worker`, the current thread, which is
    /// active.
    pub(crate) fn steal(&self, worker: usize, nodes: &mut Vec<u32>) -> bool {
        self.take_from_others(worker, nodes, || ())
    }

    /// Looks for nodes of others so many times, as an active worker; others see that it is hungry.
    pub(crate) fn look_around(&self, worker: usize, nodes: &mut Vec<u32>, times: u32) -> bool {
        if self.steal(worker, nodes) {
            return true;
        }
        self.hungry.fetch_add(1, Ordering::Relaxed);
        let found = (1..times).any(|_| {
            std::hint::spin_loop();
            self.steal(worker, nodes)
        });
        self.hungry.fetch_sub(1, Ordering::Relaxed);
        found
    }

    /// As [`steal`](Self::steal), for a worker that is not active and becomes so.
    fn steal_and_join(&self, worker: usize, nodes: &mut Vec<u32>) -> bool {
        // The lock, which is held, orders this before everything the owner does with its shelf
        // afterwards.
        self.take_from_others(worker, nodes, || {
            self.active.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn take_from_others(&self, worker: usize, nodes: &mut Vec<u32>, join: impl Fn()) -> bool {
        let workers = self.workers();
        (1..workers).any(|offset| {
            let shelf = &self.shelves[(worker + offset) % workers];
            if shelf.len.load(Ordering::Relaxed) == 0 {
                return false;
            }
            // Whoever holds the lock takes something itself: looking elsewhere is better than
            // waiting.
            let Ok(mut shelved) = shelf.nodes.try_lock() else {
                return false;
            };
            if shelved.is_empty() {
                return false;
            }
            join();
            let kept = shelved.len() / 2;
            nodes.extend(shelved.drain(kept..));
            // `Release` pairs with the `Acquire` in `shelved`.
            shelf.len.store(kept, Ordering::Release);
            true
        })
    }

    /// Ends the activity of the current thread, whose shelf must be empty; the run may be over, and
    /// gone, afterwards.
    pub(crate) fn retire(&self) {
        // `Release` publishes what this worker did to whoever sees the end of the run, or that it is
        // alone; `Acquire` passes on what those before published.
        if self.active.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.beds.wake_caller();
        }
    }

    /// As [`retire`](Self::retire), unless the current thread is the only active one; returns whether
    /// it has retired.
    pub(crate) fn retire_unless_alone(&self) -> bool {
        let others = |active: u32| (active > 1).then(|| active - 1);
        // As in `retire`; somebody stays, so nobody has to be woken.
        let retired = self
            .active
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, others);
        retired.is_ok()
    }

    /// Whether the current thread, which must be active, is the only one that is.
    pub(crate) fn is_alone(&self) -> bool {
        // `Acquire` pairs with the `Release` of `retire`.
        self.active.load(Ordering::Acquire) == 1
    }

    fn is_over(&self) -> bool {
        // `Acquire` pairs with the `Release` of `retire`.
        self.active.load(Ordering::Acquire) == 0
    }

    /// Workers that look for nodes, awake.
    pub(crate) fn hungry(&self) -> u32 {
        self.hungry.load(Ordering::Relaxed)
    }

    /// Workers that sleep.
    pub(crate) fn asleep(&self) -> u32 {
        // The fence pairs with that of a worker that lies down: either it sees the nodes that were
        // published before, or it is seen here.
        fence(Ordering::SeqCst);
        self.beds.threads.load(Ordering::Relaxed)
            + u32::from(self.beds.caller.load(Ordering::Relaxed))
    }

    /// Wakes one worker that sleeps.
    pub(crate) fn wake_one(&self) {
        self.beds.wake_one();
    }

    /// Waits, as the caller, for nodes or for the end of the run. Returns whether there are nodes;
    /// then it is active.
    ///
    /// It looks around as long as `is_patient` says so and sleeps when it does not.
    pub(crate) fn wait_as_caller(
        &self,
        nodes: &mut Vec<u32>,
        is_patient: impl FnMut() -> bool,
    ) -> bool {
        self.wait(
            0,
            nodes,
            is_patient,
            || self.is_over(),
            || self.sleep_as_caller(),
        )
    }

    /// Waits, as a thread, for nodes or for the end of the scheduler. Returns whether there are
    /// nodes; then it is active.
    pub(crate) fn wait_as_thread(
        &self,
        worker: usize,
        nodes: &mut Vec<u32>,
        is_patient: impl FnMut() -> bool,
    ) -> bool {
        let must_leave = || self.stop.load(Ordering::Acquire);
        self.wait(worker, nodes, is_patient, must_leave, || {
            self.sleep_as_thread()
        })
    }

    fn wait(
        &self,
        worker: usize,
        nodes: &mut Vec<u32>,
        mut is_patient: impl FnMut() -> bool,
        must_leave: impl Fn() -> bool,
        sleep: impl Fn(),
    ) -> bool {
        self.hungry.fetch_add(1, Ordering::Relaxed);
        let found = loop {
            if must_leave() {
                break false;
            }
            if self.steal_and_join(worker, nodes) {
                break true;
            }
            if !is_patient() {
                self.hungry.fetch_sub(1, Ordering::Relaxed);
                sleep();
                self.hungry.fetch_add(1, Ordering::Relaxed);
            }
        };
        self.hungry.fetch_sub(1, Ordering::Relaxed);
        found
    }

    fn sleep_as_thread(&self) {
        let guard = self.beds.lock();
        self.beds.threads.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.has_shelved() || self.stop.load(Ordering::Relaxed) {
            self.beds.threads.fetch_sub(1, Ordering::Relaxed);
        } else {
            // Woken for no reason it looks around and lies down again.
            drop(self.beds.wake_thread.wait(guard));
        }
    }

    fn sleep_as_caller(&self) {
        let guard = self.beds.lock();
        self.beds.caller.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let guard = if self.has_shelved() || self.is_over() {
            guard
        } else {
            self.beds
                .wake_caller
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner)
        };
        self.beds.caller.store(false, Ordering::Relaxed);
        drop(guard);
    }

    fn has_shelved(&self) -> bool {
        self.shelved_by_all() > 0
    }

    /// How many nodes lie on all shelves together, about.
    pub(crate) fn shelved_by_all(&self) -> usize {
        let shelves = self.shelves.iter();
        shelves.map(|shelf| shelf.len.load(Ordering::Relaxed)).sum()
    }

    /// Makes all threads leave.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        let guard = self.beds.lock();
        self.beds.threads.store(0, Ordering::Relaxed);
        self.beds.wake_thread.notify_all();
        drop(guard);
    }
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Vec<u32>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beds {
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    #[inline(never)]
    fn wake_one(&self) {
        let guard = self.lock();
        // Notified under the lock: otherwise one that lies down in between could take the wake-up
        // of one that is no longer counted.
        let threads = self.threads.load(Ordering::Relaxed);
        if threads > 0 {
            self.threads.store(threads - 1, Ordering::Relaxed);
            self.wake_thread.notify_one();
        } else if self.caller.load(Ordering::Relaxed) {
            self.wake_caller.notify_one();
        }
        drop(guard);
    }

    /// Wakes the caller after the end of its run.
    fn wake_caller(&self) {
        // Pairs with the fence of the caller that lies down: either it sees the end, or it is seen
        // here. Between its look and its sleep it holds the lock.
        fence(Ordering::SeqCst);
        if self.caller.load(Ordering::Relaxed) {
            let guard = self.lock();
            self.wake_caller.notify_one();
            drop(guard);
        }
    }
}

/// Takes `by` from a counter; returns whether that was the last. `alone` must be what point 4 of the
/// protocol says.
#[inline]
pub(crate) fn count_down(counter: &AtomicU32, by: u32, alone: bool) -> bool {
    if alone {
        let left = counter.load(Ordering::Relaxed) - by;
        counter.store(left, Ordering::Relaxed);
        return left == 0;
    }
    // `Release` publishes what this node wrote; `Acquire` makes the one that takes the last count
    // see the writes of all dependencies. A counter that only this worker is missing from needs no
    // read-modify-write, because nobody else will touch it; without the load before, a wavefront
    // of 0.1 us nodes took 104 instead of 83 ns a node, a layered graph 111 instead of 116 (2-core
    // x86-64 VM, cores far from each other, 2026-11).
    counter.load(Ordering::Acquire) == by || counter.fetch_sub(by, Ordering::AcqRel) == by
}
