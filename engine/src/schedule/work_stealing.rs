//! A scheduler whose workers take ready nodes from each other.
//!
//! Every worker has a deque: it pushes and pops at one end, others steal at the other. A worker
//! that finishes a node goes on with one of the nodes that became ready and pushes the rest. The
//! calling thread is a worker of its own run.

use std::fmt;
use std::hint;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;

use crossbeam::deque::{Steal, Stealer, Worker as Deque};
use crossbeam::utils::CachePadded;

use crate::execution::{self, Execution};
use crate::task::{Tally, Task, share};
use crate::worker::{Threads, WorkerMark};
use crate::{Dag, Options, Outcome, Scheduler, SchedulerError, Strategy, Workers};

/// Rounds a worker looks for work in vain before it yields its core, and before it goes to sleep.
/// Looking again is cheaper than being woken; yielding lets a worker that lost its core go on.
const ROUNDS_BEFORE_YIELD: u32 = 64;
const ROUNDS_BEFORE_SLEEP: u32 = 80;

/// Runs ready nodes on the calling thread and on threads that steal from it and from each other.
///
/// With `workers` workers there are `workers - 1` threads, asleep while there is nothing to do. They
/// serve one caller at a time; a call that finds them taken runs its graph by a sequential walk, on
/// its own thread, instead of waiting.
pub struct WorkStealing {
    pool: Arc<Pool>,
    /// The deque of the caller.
    seat: Mutex<Deque<Task>>,
    threads: Threads,
}

/// What all workers share. Every thread owns a part of it, so it is there whatever becomes of a
/// run.
struct Pool {
    /// The caller's deque first, then those of the threads.
    stealers: Box<[Stealer<Task>]>,
    sleep: Sleep,
    stop: AtomicBool,
}

impl WorkStealing {
    /// A scheduler with these workers, of which the caller is one.
    ///
    /// # Errors
    ///
    /// Fails when there are 0 and when a thread cannot be started.
    pub fn new(workers: impl Into<Workers>) -> Result<Self, SchedulerError> {
        let workers = workers.into().at_least_one()?;
        let seat = Deque::new_lifo();
        let deques: Vec<_> = (1..workers.count).map(|_| Deque::new_lifo()).collect();
        let pool = Arc::new(Pool {
            stealers: [&seat]
                .into_iter()
                .chain(&deques)
                .map(Deque::stealer)
                .collect(),
            sleep: Sleep::default(),
            stop: AtomicBool::new(false),
        });
        let mut scheduler = Self {
            pool: Arc::clone(&pool),
            seat: Mutex::new(seat),
            threads: Threads::default(),
        };
        for (index, deque) in deques.into_iter().enumerate() {
            let pool = Arc::clone(&pool);
            scheduler.threads.start(&workers, index + 1, move || {
                let worker = Worker {
                    pool: &pool,
                    deque: &deque,
                    index: index + 1,
                };
                worker.work(Role::Thread);
            })?;
        }
        Ok(scheduler)
    }

    fn run_graphs(&self, executions: &[Execution<'_>]) {
        let deque = match self.seat.try_lock() {
            Ok(deque) => deque,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return executions.iter().for_each(walk_all),
        };
        let _mark = WorkerMark::new();
        share(executions, |roots| {
            let worker = Worker {
                pool: &self.pool,
                deque: &deque,
                index: 0,
            };
            for task in roots {
                deque.push(task);
            }
            if deque.len() > 1 {
                self.pool.sleep.wake_one();
            }
            worker.work(Role::Caller(executions));
            debug_assert!(deque.is_empty(), "a finished run leaves no task");
        });
    }
}

/// Runs everything on the current thread.
fn walk_all(execution: &Execution<'_>) {
    execution.walk(0, usize::MAX);
}

/// When a worker may stop working.
#[derive(Clone, Copy)]
enum Role<'a> {
    /// When the scheduler is dropped.
    Thread,
    /// When these runs are finished.
    Caller(&'a [Execution<'a>]),
}

struct Worker<'a> {
    pool: &'a Pool,
    deque: &'a Deque<Task>,
    index: usize,
}

impl Worker<'_> {
    fn work(&self, role: Role<'_>) {
        let may_stop = || match role {
            Role::Thread => self.pool.stop.load(Ordering::Acquire),
            Role::Caller(executions) => executions.iter().all(Execution::is_finished),
        };
        let mut tally = Tally::default();
        let mut rounds = 0;
        loop {
            if let Some(task) = self.deque.pop() {
                self.run_from(task, &mut tally);
                rounds = 0;
                continue;
            }
            // Nothing is left here: what this worker did must be counted before it waits.
            self.note_finished(tally.flush());
            if let Some(task) = self.steal() {
                // A push wakes one worker; that one wakes the next while there is more to take,
                // wherever it lies.
                if !self.pool.stealers.iter().all(Stealer::is_empty) {
                    self.pool.sleep.wake_one();
                }
                self.run_from(task, &mut tally);
                rounds = 0;
                continue;
            }
            if may_stop() {
                return;
            }
            rounds += 1;
            if rounds < ROUNDS_BEFORE_YIELD {
                hint::spin_loop();
            } else if rounds < ROUNDS_BEFORE_SLEEP {
                thread::yield_now();
            } else {
                let is_caller = matches!(role, Role::Caller(_));
                self.pool.sleep.sleep(is_caller, || {
                    !may_stop() && self.pool.stealers.iter().all(Stealer::is_empty)
                });
                rounds = 0;
            }
        }
    }

    /// Runs `task` and then, one after the other, a node that became ready by the one before.
    #[inline]
    fn run_from(&self, task: Task, tally: &mut Tally) {
        let mut current = Some(task);
        while let Some(task) = current.take() {
            task.run();
            let mut pushed = false;
            task.release(|ready| match current {
                None => current = Some(ready),
                Some(_) => {
                    self.deque.push(ready);
                    pushed = true;
                }
            });
            if pushed {
                self.pool.sleep.wake_one();
            }
            self.note_finished(tally.add(task));
        }
    }

    /// Wakes the caller when its run is finished. The run may be gone, so this only touches the
    /// pool.
    #[inline]
    fn note_finished(&self, finished: bool) {
        if finished {
            self.pool.sleep.wake_caller();
        }
    }

    /// A task of another worker; its neighbours in the deque may come with it.
    fn steal(&self) -> Option<Task> {
        let stealers = &self.pool.stealers;
        loop {
            let mut retry = false;
            for offset in 1..stealers.len() {
                let victim = (self.index + offset) % stealers.len();
                match stealers[victim].steal_batch_and_pop(self.deque) {
                    Steal::Success(task) => return Some(task),
                    Steal::Retry => retry = true,
                    Steal::Empty => {}
                }
            }
            if !retry {
                return None;
            }
        }
    }
}

/// Where workers sleep.
///
/// A wake-up cannot be lost. A sleeper counts itself in `asleep`, passes a fence and then looks for
/// work once more; whoever makes work passes a fence and then looks at `asleep`. The fences are
/// sequentially consistent, so one of the two sees the other. Between that look and the wait the
/// sleeper holds the lock, which a waker takes, so the waker comes after the wait has begun.
#[derive(Default)]
struct Sleep {
    /// At least the number of threads that wait; changed under the lock. A thread that wakes up by
    /// itself stays counted until the next wake-up, which then wakes nobody and does no harm.
    asleep: CachePadded<AtomicUsize>,
    /// Whether the caller is one of them; changed under the lock.
    caller_asleep: AtomicBool,
    lock: Mutex<()>,
    woken: Condvar,
}

impl Sleep {
    /// Sleeps until woken, or for no reason shorter, unless `may_sleep` says at the last moment
    /// that there is work.
    fn sleep(&self, is_caller: bool, may_sleep: impl FnOnce() -> bool) {
        let mut guard = self.lock();
        self.asleep.fetch_add(1, Ordering::Relaxed);
        if is_caller {
            self.caller_asleep.store(true, Ordering::Relaxed);
        }
        fence(Ordering::SeqCst);
        if may_sleep() {
            guard = self
                .woken
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        } else {
            self.asleep.fetch_sub(1, Ordering::Relaxed);
        }
        if is_caller {
            self.caller_asleep.store(false, Ordering::Relaxed);
        }
        drop(guard);
    }

    /// Wakes one sleeper, after work was made.
    #[inline]
    fn wake_one(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) > 0 {
            self.wake(1);
        }
    }

    /// Wakes the caller if it sleeps, and with it everyone: sleepers have no names.
    fn wake_caller(&self) {
        fence(Ordering::SeqCst);
        if self.caller_asleep.load(Ordering::Relaxed) {
            self.wake(usize::MAX);
        }
    }

    fn wake_all(&self) {
        fence(Ordering::SeqCst);
        self.wake(usize::MAX);
    }

    #[cold]
    #[inline(never)]
    fn wake(&self, most: usize) {
        let guard = self.lock();
        let woken = self.asleep.load(Ordering::Relaxed).min(most);
        self.asleep.fetch_sub(woken, Ordering::Relaxed);
        // Under the lock: otherwise one that goes to sleep in between could take the wake-up of one
        // that is no longer counted.
        match woken {
            0 => {}
            1 => self.woken.notify_one(),
            _ => self.woken.notify_all(),
        }
        drop(guard);
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WorkStealing {
    fn drop(&mut self) {
        self.pool.stop.store(true, Ordering::Release);
        self.pool.sleep.wake_all();
        self.threads.join();
    }
}

impl fmt::Debug for WorkStealing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WorkStealing")
            .field("workers", &self.pool.stealers.len())
            .finish_non_exhaustive()
    }
}

impl Scheduler for WorkStealing {
    fn name(&self) -> &'static str {
        Strategy::WorkStealing.name()
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
