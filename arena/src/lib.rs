//! Memory that is released all at once: one trait, several strategies.
//!
//! An arena hands out memory and takes all of it back in one [`reset`](Arena::reset) or when it
//! is dropped. It never runs destructors: the typed methods accept only `Copy` values, so nothing
//! that owns a resource can be forgotten in one.

mod bump;

pub use bump::Bump;

use std::alloc::Layout;
use std::ptr::NonNull;

/// No memory was left for an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("out of memory: {bytes} bytes aligned to {align} were asked for")]
#[non_exhaustive]
pub struct AllocError {
    /// Size of the allocation that failed.
    pub bytes: usize,
    /// Its alignment.
    pub align: usize,
}

/// A strategy for handing out memory that is released all at once.
///
/// # Safety
///
/// An implementation promises, for every pointer returned by
/// [`try_alloc_layout`](Self::try_alloc_layout):
///
/// - it is valid for reads and writes of `layout.size()` bytes and aligned to `layout.align()`;
/// - its bytes overlap no other allocation of the same arena that is still live;
/// - it stays valid, and does not move when the arena is moved, until [`reset`](Self::reset) is
///   called or the arena is dropped.
pub unsafe trait Arena {
    /// Allocates memory for `layout`, uninitialised.
    ///
    /// # Errors
    ///
    /// Fails when no memory is left.
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError>;

    /// Releases everything allocated so far; what the strategy keeps for reuse is documented on it.
    fn reset(&mut self);
}
