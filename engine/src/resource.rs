//! Limits of how many nodes do the same kind of thing at the same time.
//!
//! A [`Resource`] has a name and a number of permits, and a node whose work was made by
//! [`Resource::limit`] or [`Resources::limit`] runs only while it holds one: over all runs, graphs,
//! schedulers and threads that share the resource. A node that waits keeps its worker busy with
//! waiting; a run that is cancelled ends the wait. Nodes without a limit are not concerned.
//!
//! # Why it cannot deadlock
//!
//! 1. Resources are ordered by when they were made, and a thread waits for a resource only when it
//!    is greater than every one that the thread holds. If each of some threads waited for a permit
//!    held by another of them, the one that holds the greatest resource would wait for a greater
//!    one: a contradiction. So there is always a holder that does not wait for a resource.
//! 2. Nor does that holder wait for a worker: while a thread holds a permit it counts as a worker,
//!    so a run that is started on it is a sequential walk on the same thread. When its own work
//!    ends, so does its hold, and a panic ends it too.
//! 3. Since nested runs stay on the thread, "the thread holds the resource" means "the node, or a
//!    node around it, does". Such a node passes freely, and does not wait for itself.
//!
//! A resource that is out of order and free is taken; one that is not free is an
//! [error](OutOfOrder) instead of a wait, whose remedy is to declare both resources
//! on the outer node.
//!
//! What a holder does by other means is its own affair: it must not wait for another thread (of its
//! own, or of rayon's pool) that needs the same resource, and where it waits inside rayon's pool,
//! nodes that rayon runs on its thread meanwhile pass as if they were nested.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::worker::WorkerMark;
use crate::{Cancelled, NodeError, Run};

/// Something of which there are so many: connections, licences, a disk that likes two readers.
///
/// Clones are the same resource.
///
/// # Examples
///
/// ```
/// use engine::resource::Resource;
/// use engine::{Scheduler, Strategy};
///
/// let disk = Resource::new("disk", 1);
/// let mut graph = engine::Builder::new();
/// for id in ["a", "b", "c"] {
///     // At most one of them runs at a time.
///     graph.node(id, [], disk.limit(|_| Ok(())))?;
/// }
/// graph.node("d", [], |_| Ok(()))?;
/// let dag = graph.build()?;
/// assert!(Strategy::WorkStealing.scheduler(2)?.run(&dag).all_completed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Resource(Arc<Inner>);

struct Inner {
    name: Box<str>,
    /// Position in the order of all resources.
    number: u64,
    permits: usize,
    state: Mutex<State>,
    freed: Condvar,
}

struct State {
    free: usize,
    /// How many threads wait for `freed`. Where there are none nothing is woken: that is a call of
    /// the system, and made a permit three times as dear (2-core x86-64 VM, 2026-11).
    waiting: usize,
}

/// A node would have to wait for a resource while it holds one that was made later, which could be a
/// deadlock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "resource `{wanted}` is taken, and a node that holds `{held}` may not wait for it; declare both \
     on the outer node with `Resources`"
)]
pub struct OutOfOrder {
    /// The resource of which no permit is free.
    pub wanted: String,
    /// A resource that is held and was made later.
    pub held: String,
}

impl Resource {
    /// A resource of which `permits` nodes can hold one permit each at the same time.
    ///
    /// # Panics
    ///
    /// Panics when `permits` is 0.
    pub fn new(name: &str, permits: usize) -> Self {
        assert!(
            permits > 0,
            "resource `{name}` needs at least 1 permit; got 0"
        );
        static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);
        Self(Arc::new(Inner {
            name: name.into(),
            // Numbers only have to differ and to keep their order; nothing else depends on them.
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            permits,
            state: Mutex::new(State {
                free: permits,
                waiting: 0,
            }),
            freed: Condvar::new(),
        }))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How many nodes can hold a permit at the same time.
    pub fn permits(&self) -> usize {
        self.0.permits
    }

    /// How many permits are held at this moment.
    pub fn in_use(&self) -> usize {
        self.0.permits - self.0.lock().free
    }

    /// Makes the work of a node that calls `work` while it holds a permit.
    pub fn limit<F>(
        &self,
        work: F,
    ) -> impl Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + use<F>
    where
        F: Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static,
    {
        let resource = self.clone();
        move |run| {
            let _permit = resource.acquire(run)?;
            work(run)
        }
    }

    /// Takes a permit, waiting until one is free, for a part of a node's work. The permit is given
    /// back when the result is dropped.
    ///
    /// # Errors
    ///
    /// Fails with [`Cancelled`] when the run is cancelled, and with [`OutOfOrder`] when it would have
    /// to wait out of order; see the [module](self).
    ///
    /// # Examples
    ///
    /// ```
    /// use engine::Sequential;
    /// use engine::flow::FlowBuilder;
    /// use engine::resource::Resource;
    ///
    /// let disk = Resource::new("disk", 1);
    /// let mut flow = FlowBuilder::new();
    /// let lines = flow.node("count", (), move |run, ()| {
    ///     let text = {
    ///         let _permit = disk.acquire(run)?;
    ///         String::from("one\ntwo")
    ///     };
    ///     Ok(text.lines().count())
    /// })?;
    /// assert_eq!(flow.build()?.run(&Sequential).get(lines), Some(&2));
    /// # Ok::<(), engine::BuildError>(())
    /// ```
    pub fn acquire(&self, run: &Run<'_>) -> Result<Permit, NodeError> {
        let number = self.0.number;
        // Whether the thread holds it already, and a later resource that the thread holds.
        let (is_held, later) = HELD.with_borrow_mut(|Held { resources, .. }| {
            let own = resources
                .iter_mut()
                .find(|(held, _)| held.0.number == number);
            if let Some((_, permits)) = own {
                *permits += 1;
                return (true, None);
            }
            let later = resources.iter().find(|(held, _)| held.0.number > number);
            (false, later.map(|(held, _)| held.clone()))
        });
        if !is_held {
            match later {
                None => self.wait(run)?,
                Some(later) if !self.0.try_take() => {
                    return Err(Box::new(OutOfOrder {
                        wanted: self.name().into(),
                        held: later.name().into(),
                    }));
                }
                Some(_) => {}
            }
            HELD.with_borrow_mut(|held| {
                held.mark.get_or_insert_with(WorkerMark::new);
                held.resources.push((self.clone(), 1));
            });
        }
        Ok(Permit {
            resource: self.clone(),
            not_send: PhantomData,
        })
    }

    fn wait(&self, run: &Run<'_>) -> Result<(), Cancelled> {
        run.check_cancelled()?;
        if self.0.try_take() {
            return Ok(());
        }
        let inner = Arc::clone(&self.0);
        let _hook = run.on_cancel(move || {
            // Taking the lock puts this after the check of a node that is about to wait.
            drop(inner.lock());
            inner.freed.notify_all();
        });
        let mut state = self.0.lock();
        // A permit that is free is taken although the run may be cancelled by now: the wake-up for
        // it is used up, and giving it back is the next one's.
        while state.free == 0 {
            if run.is_cancelled() {
                return Err(Cancelled);
            }
            state.waiting += 1;
            let woken = self.0.freed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state.free -= 1;
        Ok(())
    }
}

impl Inner {
    fn try_take(&self) -> bool {
        let mut state = self.lock();
        let is_free = state.free > 0;
        state.free -= usize::from(is_free);
        is_free
    }

    fn give_back(&self) {
        let mut state = self.lock();
        state.free += 1;
        if state.waiting > 0 {
            self.freed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Resource")
            .field("name", &self.name())
            .field("permits", &self.permits())
            .field("in_use", &self.in_use())
            .finish()
    }
}

thread_local! {
    static HELD: RefCell<Held> = const { RefCell::new(Held { resources: Vec::new(), mark: None }) };
}

/// What the current thread holds.
struct Held {
    /// Each with the number of its permits: the first was taken from the resource, the others are of
    /// nodes inside the node that holds it.
    resources: Vec<(Resource, usize)>,
    /// There while anything is held.
    mark: Option<WorkerMark>,
}

/// A permit of a [`Resource`] until it is dropped, on the thread that took it.
#[must_use = "dropping it gives the permit back"]
pub struct Permit {
    resource: Resource,
    /// What a thread holds is listed with the thread.
    not_send: PhantomData<*const ()>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let inner = &*self.resource.0;
        let is_last = HELD.with_borrow_mut(|Held { resources, mark }| {
            let own = resources
                .iter()
                .position(|(held, _)| held.0.number == inner.number);
            let own = own.expect("what a permit is of is listed until its last permit is dropped");
            resources[own].1 -= 1;
            let is_last = resources[own].1 == 0;
            if is_last {
                resources.swap_remove(own);
            }
            if resources.is_empty() {
                *mark = None;
            }
            is_last
        });
        if is_last {
            inner.give_back();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Permit")
            .field(&self.resource)
            .finish()
    }
}

/// Several resources that a node needs together.
///
/// # Examples
///
/// ```
/// use engine::resource::{Resource, Resources};
/// use engine::{Scheduler, Sequential};
///
/// let disk = Resource::new("disk", 2);
/// let network = Resource::new("network", 4);
/// let mut graph = engine::Builder::new();
/// // They are taken in the right order, whatever order they are named in.
/// graph.node("copy", [], Resources::new([&network, &disk]).limit(|_| Ok(())))?;
/// assert!(Sequential.run(&graph.build()?).all_completed());
/// # Ok::<(), engine::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Resources(Arc<[Resource]>);

impl Resources {
    /// These resources; one that is named twice counts once.
    pub fn new<'r>(resources: impl IntoIterator<Item = &'r Resource>) -> Self {
        let mut resources: Vec<_> = resources.into_iter().cloned().collect();
        resources.sort_unstable_by_key(|resource| resource.0.number);
        resources.dedup_by_key(|resource| resource.0.number);
        Self(resources.into())
    }

    /// Makes the work of a node that calls `work` while it holds a permit of each.
    pub fn limit<F>(
        &self,
        work: F,
    ) -> impl Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + use<F>
    where
        F: Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static,
    {
        let resources = self.clone();
        move |run| {
            let _permits = resources.acquire(run)?;
            work(run)
        }
    }

    /// Takes a permit of each, as [`Resource::acquire`] does.
    ///
    /// # Errors
    ///
    /// As [`Resource::acquire`]; then none is held.
    pub fn acquire(&self, run: &Run<'_>) -> Result<Vec<Permit>, NodeError> {
        self.0
            .iter()
            .map(|resource| resource.acquire(run))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Builder, CancelToken, Dag, NodeState, Options, Outcome, Scheduler, Sequential, Strategy,
        shape,
    };
    use arena::Bump;
    use proptest::prelude::any;
    use proptest::test_runner::{Config, TestRunner};
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;

    /// Counts who is inside, and panics when they are too many.
    #[derive(Default)]
    struct Inside(AtomicUsize);

    impl Inside {
        fn enter(&self, limit: usize) {
            let inside = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            assert!(inside <= limit, "{inside} nodes hold {limit} permits");
            // Gives others a chance to come in too.
            std::thread::yield_now();
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn one_node(work: impl Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static) -> Dag {
        let mut graph = Builder::new();
        graph.node("a", [], work).unwrap();
        graph.build().unwrap()
    }

    #[test]
    fn limits_hold_on_random_graphs_with_nested_runs_on_every_scheduler() {
        let schedulers: Vec<_> = Strategy::ALL
            .into_iter()
            .flat_map(|strategy| (1..=4).map(move |workers| strategy.scheduler(workers).unwrap()))
            .collect();
        let schedulers: Arc<[Box<dyn Scheduler>]> = schedulers.into();
        // By node: which of three resources it needs, and whether it runs a graph inside that needs
        // some too.
        let needs = proptest::collection::vec((0..8_u8, proptest::option::of(0..8_u8)), 0..30);
        let input = (needs, 0.0..2.0, any::<u64>());
        TestRunner::new(Config::with_cases(25))
            .run(&input, |(needs, mean_dependencies, seed)| {
                let limits = [1, 2, 3];
                let resources = limits.map(|limit| Resource::new("some", limit));
                let inside: Arc<[Inside; 3]> = Arc::default();
                let choose = |bits: u8| {
                    let chosen = (0..3).filter(move |index| bits >> index & 1 == 1);
                    Resources::new(chosen.map(|index| &resources[index]))
                };
                // What is held already must not be counted again.
                let enter = |bits: u8| {
                    let inside = Arc::clone(&inside);
                    move |_: &Run<'_>| {
                        for index in (0..3).filter(|index| bits >> index & 1 == 1) {
                            inside[index].enter(limits[index]);
                        }
                        Ok(())
                    }
                };
                for (index, scheduler) in schedulers.iter().enumerate() {
                    let dag = shape::random(needs.len(), mean_dependencies, seed)
                        .build(Bump::default(), |node| {
                            let (outer, inner) = needs[node];
                            let enter_outer = enter(outer);
                            let nested = inner.map(|inner| {
                                // All resources of the inner node are declared on the outer one.
                                let inner = inner & outer;
                                let enter_inner = enter(inner);
                                shape::independent(3)
                                    .build(Bump::default(), |_| {
                                        choose(inner).limit(enter_inner.clone())
                                    })
                                    .unwrap()
                            });
                            let schedulers = Arc::clone(&schedulers);
                            choose(outer).limit(move |run| {
                                enter_outer(run)?;
                                if let Some(nested) = &nested {
                                    let scheduler = &schedulers[(index + node) % schedulers.len()];
                                    assert!(scheduler.run(nested).all_completed());
                                }
                                Ok(())
                            })
                        })
                        .unwrap();
                    let outcome = scheduler.run(&dag);
                    assert!(outcome.all_completed(), "{}: {outcome}", scheduler.name());
                }
                for resource in &resources {
                    assert_eq!(resource.in_use(), 0);
                }
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn all_permits_can_be_held_at_the_same_time() {
        // Two nodes meet inside: without the second permit this test does not end.
        let disk = Resource::new("disk", 2);
        let meeting = Arc::new(Barrier::new(2));
        let (watched, inside) = (disk.clone(), Arc::new(Inside::default()));
        let dag = one_node(disk.limit(move |_| {
            inside.enter(2);
            assert!(watched.in_use() > 0);
            meeting.wait();
            Ok(())
        }));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        assert!(Sequential.run(&dag).all_completed());
                    }
                });
            }
        });
        assert_eq!(disk.in_use(), 0);
    }

    #[test]
    fn node_inside_a_node_that_holds_the_resource_passes_on_every_scheduler() {
        let disk = Resource::new("disk", 1);
        for outer in Strategy::ALL {
            for inner in Strategy::ALL {
                let inner = inner.scheduler(2).unwrap();
                let watched = disk.clone();
                let nested = shape::independent(5)
                    .build(Bump::default(), |_| disk.limit(|_| Ok(())))
                    .unwrap();
                let dag = one_node(disk.limit(move |_| {
                    assert!(inner.run(&nested).all_completed());
                    assert_eq!(watched.in_use(), 1, "still held");
                    Ok(())
                }));
                assert!(outer.scheduler(2).unwrap().run(&dag).all_completed());
                assert_eq!(disk.in_use(), 0);
            }
        }
    }

    #[test]
    fn resource_is_held_until_the_last_permit_of_a_thread_is_dropped() {
        let disk = Resource::new("disk", 1);
        let inner = disk.clone();
        let dag = one_node(move |run| {
            let first = inner.acquire(run)?;
            let second = inner.acquire(run)?;
            drop(first);
            assert_eq!(inner.in_use(), 1);
            drop(second);
            assert_eq!(inner.in_use(), 0);
            Ok(())
        });
        let outcome = Sequential.run(&dag);
        assert!(outcome.all_completed(), "{:?}", outcome.failures());
    }

    #[test]
    fn panic_gives_the_permit_back() {
        let disk = Resource::new("disk", 1);
        let dag = one_node(disk.limit(|_| std::panic::resume_unwind(Box::new("on purpose"))));
        assert_eq!(Sequential.run(&dag).count(NodeState::Panicked), 1);
        assert_eq!(disk.in_use(), 0);
        // The thread is not a worker any more.
        assert!(!crate::worker::on_worker());
    }

    #[test]
    fn out_of_order_is_taken_when_free_and_an_error_otherwise() {
        let first = Resource::new("first", 1);
        let second = Resource::new("second", 1);
        let inner = first.clone();
        let dag = one_node(second.limit(move |run| {
            let _permit = inner.acquire(run)?;
            Ok(())
        }));
        assert!(Sequential.run(&dag).all_completed());

        // A thread that holds `first` until it is told to stop.
        let meeting = Arc::new(Barrier::new(2));
        let holder = one_node(first.limit({
            let meeting = Arc::clone(&meeting);
            move |_| {
                meeting.wait();
                meeting.wait();
                Ok(())
            }
        }));
        std::thread::scope(|scope| {
            scope.spawn(|| Sequential.run(&holder));
            meeting.wait();
            let outcome = Sequential.run(&dag);
            assert_eq!(
                outcome.failures()[0].cause.to_string(),
                "resource `first` is taken, and a node that holds `second` may not wait for it; \
                 declare both on the outer node with `Resources`"
            );
            meeting.wait();
        });
        assert_eq!((first.in_use(), second.in_use()), (0, 0));
    }

    #[test]
    fn cancelling_ends_the_wait() {
        let disk = Resource::new("disk", 1);
        let token = CancelToken::new();
        let inside = disk.clone();
        let waits = one_node(move |run| {
            let _permit = inside.acquire(run)?;
            Ok(())
        });
        let holder = one_node(disk.limit({
            let token = token.clone();
            move |_| {
                std::thread::scope(|scope| {
                    let waiting = scope.spawn(|| {
                        let options = Options {
                            cancel: Some(&token),
                            ..Options::default()
                        };
                        let mut outcome = Outcome::new();
                        Sequential.run_with(&waits, &options, &mut outcome);
                        outcome.count(NodeState::Cancelled)
                    });
                    // While the other waits, or just before.
                    token.cancel();
                    assert_eq!(waiting.join().unwrap(), 1);
                });
                Ok(())
            }
        }));
        for _ in 0..50 {
            assert!(Sequential.run(&holder).all_completed());
        }
        assert_eq!(disk.in_use(), 0);
    }

    #[test]
    fn resources_are_taken_in_order_and_once() {
        let first = Resource::new("first", 1);
        let second = Resource::new("second", 1);
        let both = Resources::new([&second, &first, &second]);
        assert_eq!(both.0[0].name(), "first");
        assert_eq!(both.0.len(), 2);
        assert!(
            Sequential
                .run(&one_node(both.limit(|_| Ok(()))))
                .all_completed()
        );
    }
}
