//! Worker threads, and the mark by which a run knows that it was started on one.

use std::cell::Cell;
use std::thread::JoinHandle;

use crate::{SchedulerError, Workers};

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

/// Makes the current thread worker 0 until it is dropped.
pub(crate) struct WorkerIndex(usize);

impl WorkerIndex {
    pub(crate) fn first() -> Self {
        Self(INDEX.replace(0))
    }
}

impl Drop for WorkerIndex {
    fn drop(&mut self) {
        INDEX.set(self.0);
    }
}

/// Marks the current thread as worker 0 until it is dropped.
pub(crate) struct WorkerMark {
    was_on_worker: bool,
    _index: WorkerIndex,
}

impl WorkerMark {
    pub(crate) fn new() -> Self {
        Self {
            was_on_worker: ON_WORKER.replace(true),
            _index: WorkerIndex::first(),
        }
    }
}

impl Drop for WorkerMark {
    fn drop(&mut self) {
        ON_WORKER.set(self.was_on_worker);
    }
}

/// Threads that are joined when their owner has told them to stop.
#[derive(Default)]
pub(crate) struct Threads(Vec<JoinHandle<()>>);

impl Threads {
    /// Starts the thread of worker `index`.
    pub(crate) fn start(
        &mut self,
        workers: &Workers,
        index: usize,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), SchedulerError> {
        let options = workers.clone();
        let thread = workers
            .thread(index)
            .spawn(move || {
                options.enter(index);
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
