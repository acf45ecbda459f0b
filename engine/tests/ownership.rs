//! What a graph owns is dropped exactly once, whatever happens to it.

use std::alloc::Layout;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use arena::{
    AllocError, Arena, Bump, BumpScope, Bumpalo, Dropping, Heap, Metered, PerThread, Pool, Slab,
};
use engine::{BuildError, Builder, NodeError, Run, Scheduler, Sequential};

/// Counts how often it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn work(
    drops: &Arc<AtomicUsize>,
) -> impl Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static {
    let counted = Counted(Arc::clone(drops));
    move |_| {
        assert_eq!(counted.0.load(Ordering::Relaxed), 0, "used after its drop");
        Ok(())
    }
}

/// Adds `nodes` to a builder in `arena` and checks that `end` leaves each of them dropped once.
#[track_caller]
fn check<A: Arena + Send + 'static>(
    arena: A,
    nodes: &[(&str, &str)],
    end: impl FnOnce(Builder<A>),
) {
    let drops = Arc::new(AtomicUsize::new(0));
    let mut graph = Builder::in_arena(arena);
    let mut refused = 0;
    for (id, dependency) in nodes {
        let dependencies = (!dependency.is_empty()).then_some(*dependency);
        if graph.node(id, dependencies, work(&drops)).is_err() {
            refused += 1;
        }
        assert_eq!(
            drops.load(Ordering::Relaxed),
            refused,
            "only what was refused"
        );
    }
    drops.store(0, Ordering::Relaxed);
    end(graph);
    assert_eq!(drops.load(Ordering::Relaxed), nodes.len() - refused);
}

#[test]
fn closures_are_dropped_with_the_graph() {
    check(Bump::default(), &[("a", ""), ("b", "a")], |graph| {
        let dag = graph.build().unwrap();
        assert!(Sequential.run(&dag).all_completed());
        assert!(Sequential.run(&dag).all_completed());
        drop(dag);
    });
}

#[test]
fn closures_are_dropped_with_a_renumbered_graph_on_another_thread() {
    check(Bump::default(), &[("a", "b"), ("b", "")], |graph| {
        let dag = graph.build().unwrap();
        assert!(Sequential.run(&dag).all_completed());
        std::thread::spawn(move || drop(dag)).join().unwrap();
    });
}

#[test]
fn closures_are_dropped_with_a_builder() {
    check(Bump::default(), &[("a", ""), ("a", ""), ("b", "b")], drop);
}

#[test]
fn closures_are_dropped_when_a_build_fails() {
    check(Bump::default(), &[("a", "b"), ("b", "a")], |graph| {
        assert!(matches!(graph.build(), Err(BuildError::Cycle { .. })));
    });
    check(Bump::default(), &[("a", ""), ("b", "x")], |graph| {
        assert!(matches!(
            graph.build(),
            Err(BuildError::UnknownDependency { .. })
        ));
    });
}

/// Builds graphs in arenas that `make` makes and runs and drops them on another thread.
fn check_arena<A: Arena + Send + 'static>(make: impl Fn() -> A) {
    let nodes = [("a", "b"), ("b", ""), ("c", "a"), ("d", "b")];
    let run_elsewhere = |graph: Builder<A>| {
        let dag = graph.build().unwrap();
        let run = move || assert!(Sequential.run(&dag).all_completed());
        std::thread::spawn(run).join().unwrap();
    };
    check(make(), &nodes, run_elsewhere);
    check(make(), &nodes, drop);

    let drops = Arc::new(AtomicUsize::new(0));
    let mut sized = Builder::with_capacity_in(make(), 100, 99);
    for node in 0..100 {
        let dependency = (node > 0).then(|| (node - 1).to_string());
        let id = node.to_string();
        sized
            .node(&id, dependency.as_deref(), work(&drops))
            .unwrap();
    }
    run_elsewhere(sized);
    assert_eq!(drops.load(Ordering::Relaxed), 100);
}

#[test]
fn graphs_live_in_any_arena() {
    static POOL: LazyLock<Pool<Bump>> = LazyLock::new(Pool::default);
    check_arena(Bump::new);
    check_arena(|| Bump::new().with_huge_pages());
    check_arena(|| Bump::new().with_max_chunk(100));
    check_arena(Bumpalo::new);
    check_arena(BumpScope::new);
    check_arena(Heap::new);
    check_arena(Slab::new);
    check_arena(|| POOL.get());
    check_arena(|| Metered::new(Bump::new()));
    check_arena(|| Dropping::new(Bump::new()));
    check_arena(PerThread::<Bump>::new);
}

#[test]
fn a_graph_beyond_the_budget_of_its_arena_is_refused() {
    let arena = Metered::new(Bump::new()).with_budget(10_000);
    check(arena, &[("a", ""), ("b", "a")], |graph| {
        graph.build().unwrap();
    });
    let arena = Metered::new(Bump::new()).with_budget(50);
    check(arena, &[("a", ""), ("b", "a")], |graph| {
        assert!(matches!(graph.build(), Err(BuildError::OutOfMemory(_))));
    });
}

/// An arena that refuses after a number of allocations: for ever, or once.
struct Limited {
    arena: Bump,
    left: Cell<usize>,
    once: bool,
}

// SAFETY: memory comes from `Bump` unchanged.
unsafe impl Arena for Limited {
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                self.arena.try_alloc_layout(layout)
            }
            None => {
                if self.once {
                    self.left.set(usize::MAX);
                }
                let endless = Layout::from_size_align(isize::MAX as usize - 4096, 1).unwrap();
                Err(self.arena.try_alloc_layout(endless).unwrap_err())
            }
        }
    }

    fn reset(&mut self) {
        self.arena.reset();
    }

    fn held_bytes(&self) -> usize {
        self.arena.held_bytes()
    }
}

#[test]
fn closures_are_dropped_when_memory_runs_out_at_any_moment() {
    let mut failures = 0;
    for allocations in 0..20 {
        let arena = Limited {
            arena: Bump::default(),
            left: Cell::new(allocations),
            once: false,
        };
        check(arena, &[("a", "b"), ("b", ""), ("c", "a")], |graph| {
            let complete = graph.len() == 3;
            match graph.build() {
                Ok(dag) => {
                    assert!(complete);
                    drop(dag);
                }
                Err(BuildError::OutOfMemory(_) | BuildError::UnknownDependency { .. }) => {
                    failures += 1;
                }
                Err(other) => panic!("{other}"),
            }
        });
    }
    assert!(
        (4..20).contains(&failures),
        "{failures} of 20 builds failed"
    );
}

#[test]
fn node_that_found_no_memory_can_be_defined_again_with_all_its_edges() {
    let mut graph = Builder::in_arena(Limited {
        arena: Bump::default(),
        left: Cell::new(0),
        once: true,
    });
    // A closure that captures nothing needs no memory.
    graph.node("a", [], |_| Ok(())).unwrap();
    graph.node("b", [], |_| Ok(())).unwrap();
    let captured = String::from("c");
    let work = move |run: &Run<'_>| {
        assert_eq!(run.name(), captured);
        Ok(())
    };
    let refused = graph.node("c", ["a", "b"], work.clone());
    assert!(matches!(refused, Err(BuildError::OutOfMemory(_))));
    graph.node("c", ["a", "b"], work).unwrap();
    let dag = graph.build().unwrap();
    assert_eq!(dag.dependency_count(dag.node("c").unwrap()), 2);
    assert!(Sequential.run(&dag).all_completed());
}

#[test]
fn destructor_that_panics_does_not_keep_the_others_from_running() {
    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            // Unwinds without the panic hook, so that nothing is printed.
            resume_unwind(Box::new("dropped"));
        }
    }

    let drops = Arc::new(AtomicUsize::new(0));
    let mut graph = Builder::new();
    graph.node("a", [], work(&drops)).unwrap();
    let bad = PanicsWhenDropped;
    graph
        .node("b", [], move |_| {
            let _keep = &bad;
            Ok(())
        })
        .unwrap();
    graph.node("c", [], work(&drops)).unwrap();
    let dag = graph.build().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(dag))).is_err());
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}

#[test]
fn captured_values_keep_their_alignment() {
    #[repr(align(64))]
    struct Line(u8);
    #[repr(align(4096))]
    struct Page(u8);

    fn address_is_aligned<T>(value: &T) -> Result<(), NodeError> {
        let address = std::ptr::from_ref(value).addr();
        match address % align_of::<T>() {
            0 => Ok(()),
            rest => Err(format!("{rest} bytes off").into()),
        }
    }

    let mut graph = Builder::new();
    for index in 0..10_u8 {
        let (line, page) = (Line(index), Page(index));
        graph
            .node(&format!("line-{index}"), [], move |_| {
                assert_eq!(line.0, index);
                address_is_aligned(&line)
            })
            .unwrap();
        graph
            .node(&format!("page-{index}"), [], move |_| {
                assert_eq!(page.0, index);
                address_is_aligned(&page)
            })
            .unwrap();
    }
    let dag = graph.build().unwrap();
    let outcome = Sequential.run(&dag);
    assert!(outcome.all_completed(), "{outcome}");
}
