//! The synchronisation that lock-free code is built on, under one name: a model checker's test
//! compiles the same source with its own.

pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence,
};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
