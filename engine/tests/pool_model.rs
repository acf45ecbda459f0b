//! All interleavings of the adaptive scheduler's pool, as far as a model checker tries them: hand-over
//! of nodes, sleeping and waking, the end of a run, and counters without read-modify-writes.
//!
//! The source of the pool is compiled here a second time, with the checker's atomics and locks.

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
    pool.publish(0, &mut ready, shelved);
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
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn pool_that_never_runs_lets_its_threads_go() {
    check(4, || {
        let pool: Arc<Pool<Job>> = Arc::new(Pool::new(3));
        let threads = [1, 2].map(|worker| thread_of(&pool, worker));
        pool.stop();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}
