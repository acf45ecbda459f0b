//! A small DAG engine with switchable schedulers.
//!
//! A [`Builder`] collects nodes (an id, the ids it depends on, the work) and checks them once; the
//! [`Dag`] it returns is immutable, shareable between threads and can be run any number of times.
//! A [`Scheduler`] runs it and reports the state of every node in an [`Outcome`]. All schedulers
//! give the same outcome for the same graph; they differ in what a node costs and in what runs at
//! the same time.
//!
//! ```
//! use engine::{Adaptive, Scheduler};
//!
//! let mut graph = engine::Builder::new();
//! graph.node("fetch", [], |_| Ok(()))?;
//! graph.node("parse", ["fetch"], |_| Ok(()))?;
//! graph.node("index", ["parse"], |run| {
//!     println!("{}", run.name());
//!     Ok(())
//! })?;
//! let dag = graph.build()?;
//!
//! let scheduler = Adaptive::new(2)?;
//! let outcome = scheduler.run(&dag);
//! assert!(outcome.all_completed());
//! assert_eq!(
//!     outcome.to_string(),
//!     "3 nodes: 3 completed, 0 failed, 0 panicked, 0 skipped"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What every scheduler promises
//!
//! - Every node runs once, after all its dependencies, and sees everything they wrote.
//! - A node that fails, panics or times out takes nothing down with it: the nodes that depend on it,
//!   directly or not, are skipped; all others run. [`Options`] can ask for other [`Policy`]s, for
//!   cancellation, and for an [`Observer`].
//! - Cancellation is looked at before every node; a node that takes long asks its [`Run`], and one
//!   that blocks is woken by a hook.
//! - A run started from inside a node on a worker thread (of the same scheduler or of another one)
//!   is a sequential walk on that thread, so it cannot wait for a worker that waits for it.
//!
//! # What nodes may ask for
//!
//! Each of these is a module on top, and nodes that do not use it pay nothing for it.
//!
//! | module | what it gives |
//! |---|---|
//! | [`flow`] | values that nodes hand to each other, with types that fit the edges |
//! | [`control`] | branches, loops with a bound, graphs inside graphs |
//! | [`retry`] | attempts with growing waits |
//! | [`deadline`] | limits of time |
//! | [`resource`] | limits of how many nodes do something at the same time |
//! | [`priority`] | a scheduler that runs the most urgent ready node first |
//! | [`replay`] | a scheduler that runs nodes in a given order, as one that was recorded |
//! | [`trace`] | what ran when and where: statistics, a timeline, a file for trace viewers |
//! | [`dot`] | a drawing of the graph |

mod build;
mod cancel;
mod clock;
pub mod control;
mod dag;
mod data;
pub mod deadline;
pub mod dot;
mod draft;
mod execution;
pub mod flow;
pub mod import;
mod options;
mod outcome;
mod pattern;
pub mod priority;
mod ready;
pub mod replay;
pub mod resource;
pub mod retry;
mod rows;
mod run;
mod schedule;
pub mod shape;
mod slice;
mod states;
mod sync;
mod task;
pub mod trace;
mod work;
mod worker;
mod workers;

pub use build::{BuildError, Builder, IdBuilder};
pub use cancel::{CancelHook, CancelToken};
pub use dag::{Dag, Levels, NodeId};
pub use data::{Metrics, NodeData};
pub use options::{Observer, Options, Policy};
pub use outcome::{Cause, Failure, Outcome};
pub use pattern::{Pattern, UnknownPattern};
pub use ready::ReadySet;
pub use run::{Cancelled, NodeError, Run, Skip, TimedOut};
pub use schedule::{
    Adaptive, BoundedPool, DirectThreads, RayonGraph, RayonLevel, Scheduler, SchedulerError,
    Sequential, Strategy, TasksPanicked, UnknownStrategy, WorkStealing,
};
pub use shape::Shape;
pub use states::{NodeState, NodeStates};
pub use workers::Workers;
