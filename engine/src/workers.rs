//! How many workers a scheduler has and what their threads are like.

use crate::SchedulerError;

/// The workers of a scheduler.
///
/// A number is enough: `2` becomes two workers with threads as the system makes them.
///
/// # Examples
///
/// ```
/// use engine::{Adaptive, Workers};
///
/// let workers = Workers {
///     name: "etl".into(),
///     stack_bytes: Some(256 * 1024),
///     ..Workers::new(2)
/// };
/// let scheduler = Adaptive::new(workers)?;
/// let error = Adaptive::new(0).unwrap_err();
/// assert_eq!(error.to_string(), "a scheduler needs at least 1 worker; got 0");
/// # Ok::<(), engine::SchedulerError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workers {
    /// How many nodes of a run may run at the same time; 0 is refused.
    pub count: usize,
    /// What the names of threads begin with; the number of the worker follows.
    pub name: String,
    /// Stack of a thread; what the system gives when absent.
    pub stack_bytes: Option<usize>,
    /// Whether worker `i` stays on the `i`-th of the cores this process may use, counted around
    /// when there are more workers than cores. A calling thread stays where it is. On systems that
    /// cannot do it nothing happens.
    pub pinned: bool,
}

impl Workers {
    /// `count` workers with threads as the system makes them.
    pub fn new(count: usize) -> Self {
        Self {
            count,
            name: "engine".into(),
            stack_bytes: None,
            pinned: false,
        }
    }

    pub(crate) fn at_least_one(self) -> Result<Self, SchedulerError> {
        match self.count {
            0 => Err(SchedulerError::ZeroWorkers),
            _ => Ok(self),
        }
    }

    /// The name of the thread of worker `index`.
    pub(crate) fn thread_name(&self, index: usize) -> String {
        format!("{}-{index}", self.name)
    }

    /// A thread for worker `index`, to be started.
    pub(crate) fn thread(&self, index: usize) -> std::thread::Builder {
        let thread = std::thread::Builder::new().name(self.thread_name(index));
        match self.stack_bytes {
            None => thread,
            Some(bytes) => thread.stack_size(bytes),
        }
    }

    /// What a thread of worker `index` calls first.
    pub(crate) fn enter(&self, index: usize) {
        crate::worker::mark_thread(index);
        if self.pinned
            && let Some(cores) = core_affinity::get_core_ids()
            && !cores.is_empty()
        {
            core_affinity::set_for_current(cores[index % cores.len()]);
        }
    }
}

impl From<usize> for Workers {
    fn from(count: usize) -> Self {
        Self::new(count)
    }
}
