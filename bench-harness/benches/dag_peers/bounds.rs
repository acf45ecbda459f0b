//! What no scheduler can beat: running the nodes without one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use engine::Shape;

use crate::peer::{BoxedWork, Peer, Work};

/// One thread walks over boxed closures that lie in topological order.
pub(crate) struct Floor;

impl Peer for Floor {
    type Graph = Vec<BoxedWork>;

    fn build(&self, _shape: &Shape, works: impl Iterator<Item = Work>) -> Self::Graph {
        works.map(Work::boxed).collect()
    }

    fn run(&mut self, works: &mut Self::Graph) {
        for work in works {
            work();
        }
    }
}

/// Two threads walk over half of the nodes each, without a look at the edges: what two cores could
/// do at best. Neither sleeps, so that no wake-up is part of it.
pub(crate) struct Ideal {
    halves: Option<Sender<Arc<[BoxedWork]>>>,
    walked: Arc<AtomicU64>,
    other: Option<JoinHandle<()>>,
}

impl Ideal {
    pub(crate) fn new() -> Self {
        let (halves, orders) = channel::<Arc<[BoxedWork]>>();
        let walked = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&walked);
        let other = std::thread::spawn(move || {
            let mut patience = Patience::default();
            loop {
                match orders.try_recv() {
                    Ok(half) => {
                        patience = Patience::default();
                        half.iter().for_each(|work| work());
                        // `Release` pairs with the `Acquire` in `run`: who sees the half walked
                        // sees what its nodes wrote.
                        counter.fetch_add(1, Ordering::Release);
                    }
                    Err(TryRecvError::Empty) => patience.spin(),
                    Err(TryRecvError::Disconnected) => return,
                }
            }
        });
        Self {
            halves: Some(halves),
            walked,
            other: Some(other),
        }
    }
}

impl Peer for Ideal {
    type Graph = [Arc<[BoxedWork]>; 2];

    fn build(&self, _shape: &Shape, works: impl Iterator<Item = Work>) -> Self::Graph {
        let mut first: Vec<BoxedWork> = works.map(Work::boxed).collect();
        let second = first.split_off(first.len() / 2);
        [first.into(), second.into()]
    }

    fn run(&mut self, [first, second]: &mut Self::Graph) {
        let before = self.walked.load(Ordering::Acquire);
        let halves = self.halves.as_ref().expect("taken by drop only");
        halves.send(Arc::clone(second)).expect("a thread listens");
        first.iter().for_each(|work| work());
        let mut patience = Patience::default();
        while self.walked.load(Ordering::Acquire) == before {
            patience.spin();
        }
    }
}

impl Drop for Ideal {
    fn drop(&mut self) {
        self.halves = None;
        if let Some(other) = self.other.take() {
            other.join().expect("a walk does not panic");
        }
    }
}

/// Waits for the other thread: without the system at first, then letting others run, because a
/// spinning thread that shares its core with the one it waits for would wait for a time slice.
#[derive(Default)]
struct Patience(u32);

impl Patience {
    fn spin(&mut self) {
        if self.0 < 100 {
            self.0 += 1;
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}
