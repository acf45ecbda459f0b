//! Worker threads, and the mark by which a run knows that it was started on one.

use std::cell::Cell;
use std::thread::JoinHandle;

use crate::SchedulerError;

thread_local! {
    static ON_WORKER: Cell<bool> = const { Cell::new(false) };
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

/// The number of the current thread in its scheduler, from 0.
pub(crate) fn index() -> usize {
    INDEX.get()
}

/// Whether the current thread works for a scheduler, so that it must not wait for one.
pub(crate) fn on_worker() -> bool {
    ON_WORKER.get()
}

/// Marks the current thread as the worker with this number for the rest of its life.
pub(crate) fn mark_thread(index: usize) {
    ON_WORKER.set(true);
    INDEX.set(index);
}

/// Marks the current thread as a worker until the guard is dropped.
pub(crate) struct WorkerMark(bool);

impl WorkerMark {
    pub(crate) fn new() -> Self {
        Self(ON_WORKER.replace(true))
    }
}

impl Drop for WorkerMark {
    fn drop(&mut self) {
        ON_WORKER.set(self.0);
    }
}

/// Checks the number of workers a scheduler is asked to have.
pub(crate) fn at_least_one(workers: usize) -> Result<usize, SchedulerError> {
    if workers == 0 {
        return Err(SchedulerError::ZeroWorkers);
    }
    Ok(workers)
}

/// Threads that are joined when their owner has told them to stop.
#[derive(Default)]
pub(crate) struct Threads(Vec<JoinHandle<()>>);

impl Threads {
    /// Starts one more worker thread.
    pub(crate) fn start(
        &mut self,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), SchedulerError> {
        let index = self.0.len();
        let thread = std::thread::Builder::new()
            .name(format!("engine-worker-{index}"))
            .spawn(move || {
                mark_thread(index);
                work();
            })
            .map_err(SchedulerError::Thread)?;
        self.0.push(thread);
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Waits for the threads to end, except for the current one: the last owner of a scheduler may
    /// be a node that runs on it.
    pub(crate) fn join(&mut self) {
        let current = std::thread::current().id();
        for thread in self.0.drain(..) {
            if thread.thread().id() != current {
                thread.join().expect("a worker catches every panic");
            }
        }
    }
}
