//! All interleavings of the adaptive scheduler's pool and lanes, as far as a model checker tries them:
//! hand-over of nodes, sleeping and waking, the end of a run, counters without read-modify-writes, and
//! runs that go level by level.
//!
//! Their sources are compiled here a second time, with the checker's atomics and locks.

#[allow(unreachable_pub, reason = "it is a module of a test")]
#[path = "../src/schedule/adaptive/lanes.rs"]
mod lanes;

#[allow(
    dead_code,
    unreachable_pub,
    reason = "the scheduler uses what is not modelled"
)]
#[path = "../src/schedule/adaptive/pool.rs"]
mod pool;

mod sync {
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence,
    };
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;
}

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::AtomicU32;
use loom::thread;

use lanes::{Lanes, Wait};
use pool::{Pool, count_down};

/// A run: what its nodes write, without any synchronisation of their own.
struct Job {
    runs: Vec<UnsafeCell<u32>>,
    /// Dependencies of the last node, which all others are.
    waiting: AtomicU32,
}

// SAFETY: the checker watches every access to the cells and fails the test when two of them are not
// ordered.
unsafe impl Sync for Job {}

impl Job {
    fn new(nodes: usize) -> Self {
        Self {
            runs: (0..nodes).map(|_| UnsafeCell::new(0)).collect(),
            waiting: AtomicU32::new(nodes as u32 - 1),
        }
    }

    fn last(&self) -> u32 {
        self.runs.len() as u32 - 1
    }

    fn runs(&self, node: u32) -> u32 {
        // SAFETY: the checker watches, see above.
        self.runs[node as usize].with(|runs| unsafe { *runs })
    }

    /// Runs `node` as a worker does; the last one becomes ready when all others have run.
    fn run(&self, node: u32, nodes: &mut Vec<u32>, alone: bool) {
        if node == self.last() {
            // What the others wrote is seen.
            assert!((0..node).all(|node| self.runs(node) == 1));
        }
        // SAFETY: the checker watches, see above.
        self.runs[node as usize].with_mut(|runs| unsafe { *runs += 1 });
        if node != self.last() && count_down(&self.waiting, 1, alone) {
            nodes.push(self.last());
        }
    }
}

/// Gives way, as the checker wants it of a loop, and has no patience.
fn impatient() -> bool {
    thread::yield_now();
    false
}

/// Runs everything this worker can reach.
fn work(pool: &Pool<Job>, worker: usize, job: &Job, nodes: &mut Vec<u32>, mut published: bool) {
    loop {
        let Some(node) = nodes.pop() else {
            if published {
                published = pool.take_back(worker, nodes, 1);
                if !nodes.is_empty() {
                    continue;
                }
            }
            return;
        };
        if published && pool.shelved(worker) == 0 {
            published = false;
        }
        job.run(node, nodes, !published && pool.is_alone());
    }
}

fn thread_of(pool: &Arc<Pool<Job>>, worker: usize) -> thread::JoinHandle<()> {
    let pool = Arc::clone(pool);
    thread::spawn(move || {
        let mut nodes = Vec::new();
        while pool.wait_as_thread(worker, &mut nodes, impatient) {
            {
                // SAFETY: this worker is active, so the caller keeps the job.
                let job = unsafe { &*pool.job() };
                work(&pool, worker, job, &mut nodes, false);
            }
            pool.retire();
        }
    })
}

/// One run of `nodes` nodes, of which all but the last are ready and `shelved` are published.
fn run(pool: &Pool<Job>, nodes: usize, shelved: usize) {
    let job = Box::into_raw(Box::new(Job::new(nodes)));
    let mut ready: Vec<u32> = (0..nodes as u32 - 1).collect();
    pool.begin(job);
    pool.publish(0, &mut ready, shelved, 1.0);
    if pool.asleep() > 0 {
        pool.wake_one();
    }
    {
        // SAFETY: it is dropped below, after the end of the run.
        let job = unsafe { &*job };
        work(pool, 0, job, &mut ready, true);
        pool.retire();
        while pool.wait_as_caller(&mut ready, impatient) {
            work(pool, 0, job, &mut ready, false);
            pool.retire();
        }
    }
    // SAFETY: the run is over, so nobody else has the job; the checker notices who has.
    let job = unsafe { Box::from_raw(job) };
    assert!((0..nodes as u32).all(|node| job.runs(node) == 1));
}

fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    // Workers that look around give way to each other for a while.
    builder.max_branches = 5_000;
    builder.check(model);
}

#[test]
fn two_workers_run_every_node_once_and_see_the_end_of_two_runs() {
    check(3, || {
        let pool = Arc::new(Pool::new(2));
        let thread = thread_of(&pool, 1);
        run(&pool, 3, 1);
        run(&pool, 2, 1);
        pool.stop();
        thread.join().unwrap();
    });
}

#[test]
fn three_workers_share_a_shelf_and_see_the_end_of_a_run() {
    check(1, || {
        let pool = Arc::new(Pool::new(3));
        let threads = [1, 2].map(|worker| thread_of(&pool, worker));
        run(&pool, 3, 2);
        pool.stop();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn pool_that_never_runs_lets_its_threads_go() {
    check(4, || {
        let pool: Arc<Pool<Job>> = Arc::new(Pool::new(3));
        let threads = [1, 2].map(|worker| thread_of(&pool, worker));
        pool.stop();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// What the workers on a list that is cut into levels share.
struct List {
    lanes: Lanes,
    pool: Pool<()>,
    ends: Vec<u32>,
    /// What the entries write, without any synchronisation of their own.
    runs: Vec<UnsafeCell<u32>>,
}

// SAFETY: as for `Job`.
unsafe impl Sync for List {}

// SAFETY: the pointer of the pool is never read.
unsafe impl Send for List {}

impl List {
    fn new(workers: usize, ends: &[u32]) -> Self {
        Self {
            lanes: Lanes::new(workers),
            pool: Pool::new(workers),
            ends: ends.to_vec(),
            runs: (0..*ends.last().unwrap())
                .map(|_| UnsafeCell::new(0))
                .collect(),
        }
    }

    /// Takes part, as the scheduler's workers do, until the list has ended or this worker was
    /// asked more than `patience` times in a level that did not end.
    fn work(&self, worker: usize, workers: usize, patience: u32) {
        loop {
            let mut is_tired = false;
            let run = |piece: std::ops::Range<u32>| {
                // With three workers these are more interleavings than can be tried.
                if workers == 2 && self.pool.is_alone() && self.pool.shelved(worker) == 0 {
                    self.invite(worker, workers);
                }
                for entry in piece {
                    self.run(entry);
                }
            };
            self.lanes.work(worker, &self.ends, 1, run, |asked| {
                thread::yield_now();
                if self.pool.is_alone() {
                    return Wait::Help;
                }
                is_tired = asked > patience;
                match asked {
                    _ if is_tired => Wait::Leave,
                    0 => Wait::Look,
                    _ => Wait::Help,
                }
            });
            let mut tokens = Vec::new();
            self.pool.take_back(worker, &mut tokens, usize::MAX);
            if !is_tired {
                return self.pool.retire();
            }
            if self.pool.retire_unless_alone() {
                return;
            }
        }
    }

    fn invite(&self, worker: usize, workers: usize) {
        let mut tokens = vec![0; workers - 1];
        self.pool.publish(worker, &mut tokens, workers - 1, 1.0);
        if self.pool.asleep() > 0 {
            self.pool.wake_one();
        }
    }

    fn run(&self, entry: u32) {
        let starts = std::iter::once(&0).chain(&self.ends);
        let start = *starts.take_while(|&&start| start <= entry).last().unwrap();
        for before in 0..start {
            // SAFETY: the checker watches, see above.
            let runs = self.runs[before as usize].with(|runs| unsafe { *runs });
            assert_eq!(runs, 1, "{entry} ran before {before}");
        }
        // SAFETY: the checker watches, see above.
        self.runs[entry as usize].with_mut(|runs| unsafe { *runs += 1 });
    }
}

/// The caller and threads that join it run a list; when nobody is active any more everything ran.
fn check_levels(preemptions: usize, workers: usize, ends: &'static [u32], patience: u32) {
    check(preemptions, move || {
        let list = Arc::new(List::new(workers, ends));
        list.lanes.begin();
        list.pool.begin(std::ptr::null_mut());
        list.invite(0, workers);
        let threads: Vec<_> = (1..workers)
            .map(|worker| {
                let list = Arc::clone(&list);
                thread::spawn(move || {
                    let mut token = Vec::new();
                    while list.pool.wait_as_thread(worker, &mut token, impatient) {
                        list.work(worker, workers, patience);
                        token.clear();
                        // Nobody is invited twice, see there.
                        if workers > 2 {
                            break;
                        }
                    }
                })
            })
            .collect();
        list.work(0, workers, patience);
        let mut token = Vec::new();
        while list.pool.wait_as_caller(&mut token, impatient) {
            list.work(0, workers, patience);
        }
        let last = list.runs.len();
        // SAFETY: the checker watches, see above.
        let runs = |entry: usize| list.runs[entry].with(|runs| unsafe { *runs });
        assert!((0..last).all(|entry| runs(entry) == 1));
        list.pool.stop();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn two_workers_run_levels_one_after_the_other() {
    check_levels(3, 2, &[1, 3, 5], u32::MAX);
}

#[test]
fn worker_that_leaves_between_levels_may_come_back() {
    check_levels(2, 2, &[2, 3, 5], 0);
}

#[test]
fn three_workers_run_levels_one_after_the_other() {
    check_levels(1, 3, &[2, 3], u32::MAX);
}
