//! A neighbour that keeps one core busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use bench_harness::spin;

/// A thread that computes on one core until it is dropped, and ends with the process at the
/// latest. It stays on that core where the system can be told so (on Linux); elsewhere it goes
/// where it is sent.
pub(crate) struct Hog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hog {
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            #[cfg(target_os = "linux")]
            stay();
            // `Relaxed`: the flag orders nothing else.
            while !stopped.load(Ordering::Relaxed) {
                spin(1e4);
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("computing does not panic");
        }
    }
}

/// Confines this thread to the last core that the process may use.
#[cfg(target_os = "linux")]
fn stay() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let allowed = sched_getaffinity(None).expect("a thread may ask where it runs");
    let last = (0..CpuSet::MAX_CPU).rfind(|&core| allowed.is_set(core));
    let mut one = CpuSet::new();
    one.set(last.expect("a thread runs somewhere"));
    sched_setaffinity(None, &one).expect("a core that is allowed");
}
