//! A pool of threads behind a bounded queue, for tasks of any kind and for graphs.
//!
//! Workers never wait for the queue or for the caller: they take a task, run it and report to a
//! channel without a limit. So a caller that waits for room in the queue always gets it, whatever
//! the capacity and the width of a graph.

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crossbeam::channel::{self, Receiver, Sender, TrySendError};

use crate::execution::{self, Execution, panic_message};
use crate::task::{Tally, Task, share};
use crate::worker::{Threads, on_worker};
use crate::{Dag, Options, Outcome, Scheduler, SchedulerError, Strategy, Workers};

/// Threads that take tasks from a queue with a limit.
///
/// As a task pool: [`submit`](Self::submit) and [`wait`](Self::wait). As a [`Scheduler`]: the
/// calling thread sends ready nodes to the queue, waiting while it is full, and workers report
/// finished nodes back to it. Dropping the pool first runs everything that was submitted; only when
/// a task on the pool is the last owner, what is left runs after the drop, for as long as the process
/// lives.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// let pool = engine::BoundedPool::new(2, 16)?;
/// let sum = Arc::new(AtomicU32::new(0));
/// for number in 1..=100 {
///     let sum = Arc::clone(&sum);
///     pool.submit(move || {
///         sum.fetch_add(number, Ordering::Relaxed);
///     });
/// }
/// pool.wait()?;
/// assert_eq!(sum.load(Ordering::Relaxed), 5050);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BoundedPool {
    /// Absent only while the pool is dropped.
    queue: Option<Sender<Job>>,
    tasks: Arc<Tasks>,
    threads: Threads,
}

/// Tasks panicked since the last [`BoundedPool::wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{count} of the submitted tasks panicked")]
pub struct TasksPanicked {
    /// How many.
    pub count: usize,
}

enum Job {
    Task(Box<dyn FnOnce() + Send>),
    /// A node, and where to send it when it has run. The sender travels with the node because the
    /// run may be gone as soon as its last node has arrived.
    Node(Task, Sender<Task>),
}

/// What submitters and workers know about submitted tasks.
#[derive(Default)]
struct Tasks {
    unfinished: AtomicUsize,
    panicked: AtomicUsize,
    lock: Mutex<()>,
    all_finished: Condvar,
}

impl BoundedPool {
    /// Room in the queue of a pool made by [`Strategy::scheduler`].
    pub const DEFAULT_CAPACITY: usize = 256;

    /// A pool of these workers, a thread each, whose queue has room for `capacity` tasks; the room is allocated
    /// here.
    ///
    /// # Errors
    ///
    /// Fails when there are 0 workers or `capacity` is 0, and when a thread cannot be started.
    pub fn new(workers: impl Into<Workers>, capacity: usize) -> Result<Self, SchedulerError> {
        let workers = workers.into().at_least_one()?;
        if capacity == 0 {
            return Err(SchedulerError::ZeroCapacity);
        }
        let (queue, jobs) = channel::bounded(capacity);
        let mut pool = Self {
            queue: Some(queue),
            tasks: Arc::default(),
            threads: Threads::default(),
        };
        for index in 0..workers.count {
            let jobs = jobs.clone();
            let tasks = Arc::clone(&pool.tasks);
            pool.threads
                .start(&workers, index, move || work(&jobs, &tasks))?;
        }
        Ok(pool)
    }

    /// Adds a task, waiting while the queue is full.
    ///
    /// A task that does not fit the queue and is submitted on a worker thread, of this pool or of any
    /// scheduler, runs at once on that thread: waiting there could be waiting for itself. So tasks
    /// that submit tasks to a full queue are nested like function calls, and a long chain of them
    /// needs stack. Costs one allocation, none when the closure captures nothing.
    pub fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.tasks.unfinished.fetch_add(1, Ordering::Relaxed);
        let job = Job::Task(Box::new(task));
        if on_worker() {
            match self.queue().try_send(job) {
                Ok(()) => {}
                Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
                    run_job(job, &self.tasks);
                }
            }
        } else {
            self.send(job);
        }
    }

    /// Waits until no submitted task is unfinished, those submitted while it waits included.
    ///
    /// # Errors
    ///
    /// Fails when tasks panicked since the last call, and forgets them.
    ///
    /// # Panics
    ///
    /// Panics when it is called by a task of this pool, which would wait for itself.
    pub fn wait(&self) -> Result<(), TasksPanicked> {
        assert!(
            !RUNNING.with_borrow(|running| running.contains(&self.tasks.address())),
            "a task cannot wait for its own pool"
        );
        let mut guard = self.tasks.lock();
        // `Acquire` pairs with the decrements of the workers: the tasks' writes are seen.
        while self.tasks.unfinished.load(Ordering::Acquire) != 0 {
            guard = self
                .tasks
                .all_finished
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
        match self.tasks.panicked.swap(0, Ordering::Relaxed) {
            0 => Ok(()),
            count => Err(TasksPanicked { count }),
        }
    }

    fn queue(&self) -> &Sender<Job> {
        self.queue.as_ref().expect("the pool is not being dropped")
    }

    fn send(&self, job: Job) {
        if self.queue().send(job).is_err() {
            unreachable!("workers receive until the pool is dropped");
        }
    }

    fn run_graphs(&self, executions: &[Execution<'_>]) {
        share(executions, |roots| {
            let (report, reports) = channel::unbounded();
            let mut tally = Tally::default();
            let mut ready: Vec<Task> = Vec::new();
            let mut in_flight = 0_usize;
            loop {
                while let Some(task) = ready.pop().or_else(|| roots.next()) {
                    self.send(Job::Node(task, report.clone()));
                    in_flight += 1;
                    // What has finished in the meantime is better continued than more roots begun.
                    while let Ok(task) = reports.try_recv() {
                        in_flight -= 1;
                        task.release(|task| ready.push(task));
                        let _ = tally.add(task);
                    }
                }
                if in_flight == 0 {
                    break;
                }
                let task = reports.recv().expect("a sender is on this stack");
                in_flight -= 1;
                task.release(|task| ready.push(task));
                let _ = tally.add(task);
            }
            let _ = tally.flush();
        });
    }
}

fn work(jobs: &Receiver<Job>, tasks: &Tasks) {
    while let Ok(job) = jobs.recv() {
        run_job(job, tasks);
    }
}

fn run_job(job: Job, tasks: &Tasks) {
    match job {
        Job::Task(task) => {
            RUNNING.with_borrow_mut(|running| running.push(tasks.address()));
            let outcome = catch_unwind(AssertUnwindSafe(task));
            RUNNING.with_borrow_mut(Vec::pop);
            if let Err(payload) = outcome {
                drop(panic_message(payload));
                tasks.panicked.fetch_add(1, Ordering::Relaxed);
            }
            tasks.finish_one();
        }
        Job::Node(task, report) => {
            task.run();
            if report.send(task).is_err() {
                unreachable!("the caller waits for all of its nodes");
            }
        }
    }
}

thread_local! {
    /// The pools whose tasks run on this thread: more than one where tasks of one pool run inside
    /// those of another.
    static RUNNING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

impl Tasks {
    /// Tells the pools apart.
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn finish_one(&self) {
        // `Release` publishes the task's writes, and its panic, to `wait`.
        if self.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Taking the lock puts this after the check of a waiter that is about to wait.
            drop(self.lock());
            self.all_finished.notify_all();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BoundedPool {
    fn drop(&mut self) {
        self.queue = None;
        self.threads.join();
    }
}

impl fmt::Debug for BoundedPool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BoundedPool")
            .field("workers", &self.threads.len())
            .field("capacity", &self.queue().capacity())
            .finish_non_exhaustive()
    }
}

impl Scheduler for BoundedPool {
    fn name(&self) -> &'static str {
        Strategy::BoundedPool.name()
    }

    fn run_with(&self, dag: &Dag, options: &Options<'_>, outcome: &mut Outcome) {
        execution::run_one(dag, options, outcome, |executions| {
            self.run_graphs(executions)
        });
    }

    fn run_all(&self, dags: &[Dag]) -> Vec<Outcome> {
        execution::run_all(dags, |executions| self.run_graphs(executions))
    }
}
