//! oneTBB's flow graph, to be measured beside: one `continue_node` a node.
//!
//! The library is used where it and a C++ compiler are installed. Elsewhere this crate builds too,
//! and [`Pool::new`] answers that there is none.
//!
//! # Examples
//!
//! ```
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use std::sync::Arc;
//!
//! let Some(pool) = onetbb::Pool::new(2) else {
//!     return; // not installed
//! };
//! let order = Arc::new(AtomicU32::new(0));
//! let works = (0..2_u32).map(|node| {
//!     let order = Arc::clone(&order);
//!     move || assert_eq!(order.fetch_add(1, Ordering::Relaxed), node)
//! });
//! let mut graph = onetbb::Graph::new(&pool, works, [(0, 1)]);
//! graph.run();
//! assert_eq!(order.load(Ordering::Relaxed), 2);
//! ```

#[cfg(not(onetbb))]
mod absent;
#[cfg(onetbb)]
mod present;

#[cfg(not(onetbb))]
pub use absent::{Graph, Pool, version};
#[cfg(onetbb)]
pub use present::{Graph, Pool, version};
