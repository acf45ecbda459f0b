//! Counting what is allocated, and a limit for it.

use std::alloc::Layout;
use std::cell::Cell;
use std::ptr::NonNull;

use crate::{AllocError, Arena, Scoped};

/// An arena that counts what is asked of it and can refuse what exceeds a budget.
///
/// Works with every strategy; an arena that is not wrapped pays nothing for it. The budget is hard
/// and the same for all strategies: it is for the bytes asked for, wherever in a chunk they end up.
///
/// # Examples
///
/// ```
/// use arena::{Arena, Bump, Metered};
///
/// let arena = Metered::new(Bump::default()).with_budget(100);
/// arena.alloc([0_u8; 90]);
/// assert!(arena.try_alloc([0_u8; 11]).is_err());
/// arena.alloc([0_u8; 10]);
/// assert!(arena.try_alloc(0_u8).is_err());
///
/// let counts = arena.counts();
/// assert_eq!((counts.allocations, counts.bytes, counts.refused), (2, 100, 2));
/// let padding_bytes = arena.inner().stats().used_bytes - counts.bytes;
/// assert_eq!(padding_bytes, 6 + 6);
/// ```
#[derive(Debug, Default)]
pub struct Metered<A> {
    arena: A,
    meter: Meter,
}

/// What a [`Metered`] arena was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Allocations since the last reset, those released by a scope or freed included. Values of
    /// size 0 are none.
    pub allocations: u64,
    /// Bytes asked for that have not been released.
    pub bytes: usize,
    /// The most that `bytes` ever was.
    pub peak_bytes: usize,
    /// Allocations that failed, ever: because of the budget or because no memory was left.
    pub refused: u64,
}

#[derive(Debug)]
struct Meter {
    counts: Cell<Counts>,
    budget_bytes: usize,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            counts: Cell::default(),
            budget_bytes: usize::MAX,
        }
    }
}

impl<A: Arena> Metered<A> {
    /// Counts what is asked of `arena` from now on, without a budget.
    pub fn new(arena: A) -> Self {
        Self {
            arena,
            meter: Meter::default(),
        }
    }

    /// Refuses allocations that would need more than `bytes` bytes in all.
    #[must_use]
    pub fn with_budget(mut self, bytes: usize) -> Self {
        self.meter.budget_bytes = bytes;
        self
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.meter.counts.get()
    }

    /// The arena itself. What is allocated from it directly is not counted.
    pub fn inner(&self) -> &A {
        &self.arena
    }
}

impl Meter {
    #[inline]
    fn try_alloc(&self, arena: &impl Arena, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let mut counts = self.counts.get();
        // Saturating, because a budget that is set late may be exceeded already.
        let allocated = if layout.size() <= self.budget_bytes.saturating_sub(counts.bytes) {
            arena.try_alloc_layout(layout)
        } else {
            Err(AllocError::of(layout))
        };
        if allocated.is_ok() {
            counts.allocations += u64::from(layout.size() > 0);
            counts.bytes += layout.size();
            counts.peak_bytes = counts.peak_bytes.max(counts.bytes);
        } else {
            counts.refused += 1;
        }
        self.counts.set(counts);
        allocated
    }

    fn release(&self, bytes: usize) {
        let mut counts = self.counts.get();
        counts.bytes -= bytes;
        self.counts.set(counts);
    }

    /// # Safety
    ///
    /// As for [`Arena::resize_in_place`] of `arena`, whose allocations were all counted here.
    #[inline]
    unsafe fn resize_in_place(
        &self,
        arena: &impl Arena,
        start: NonNull<u8>,
        old: Layout,
        new_bytes: usize,
    ) -> bool {
        let mut counts = self.counts.get();
        let others_bytes = counts.bytes - old.size();
        let left_bytes = self.budget_bytes.saturating_sub(others_bytes);
        if new_bytes > left_bytes.max(old.size()) {
            return false;
        }
        // SAFETY: the caller's contract is the same.
        let resized = unsafe { arena.resize_in_place(start, old, new_bytes) };
        if resized {
            counts.bytes = others_bytes + new_bytes;
            counts.peak_bytes = counts.peak_bytes.max(counts.bytes);
            self.counts.set(counts);
        }
        resized
    }
}

// SAFETY: every allocation is one of the wrapped arena, which is borrowed only together with `self`,
// mutably only by `reset`.
unsafe impl<A: Arena> Arena for Metered<A> {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.meter.try_alloc(&self.arena, layout)
    }

    fn reset(&mut self) {
        self.arena.reset();
        let counts = self.meter.counts.get_mut();
        counts.allocations = 0;
        counts.bytes = 0;
    }

    fn held_bytes(&self) -> usize {
        self.arena.held_bytes()
    }

    #[inline]
    unsafe fn resize_in_place(&self, start: NonNull<u8>, old: Layout, new_bytes: usize) -> bool {
        // SAFETY: the contract is the same, for the same allocation.
        unsafe {
            self.meter
                .resize_in_place(&self.arena, start, old, new_bytes)
        }
    }
}

// SAFETY: scopes are those of the wrapped arena, each wrapped in turn.
unsafe impl<A: Scoped> Scoped for Metered<A> {
    type Scope<'a>
        = MeteredScope<'a, A::Scope<'a>>
    where
        Self: 'a;

    #[inline]
    fn scope(&self) -> Self::Scope<'_> {
        MeteredScope {
            arena: self.arena.scope(),
            charge: Charge {
                meter: &self.meter,
                bytes: Cell::new(0),
                parent: None,
            },
        }
    }

    #[inline]
    fn keep<'a>(scope: Self::Scope<'a>)
    where
        Self: 'a,
    {
        scope.charge.keep();
        A::keep(scope.arena);
    }
}

/// A scope of a [`Metered`] arena: what it allocates counts, against the same budget, until it is
/// closed.
///
/// # Examples
///
/// ```
/// use arena::{Arena, Bump, Metered, Scoped};
///
/// let arena = Metered::new(Bump::default()).with_budget(100);
/// for _ in 0..1000 {
///     let scope = arena.scope();
///     scope.alloc([0_u8; 60]);
///     assert!(scope.try_alloc([0_u8; 60]).is_err());
/// }
/// assert_eq!((arena.counts().bytes, arena.counts().peak_bytes), (0, 60));
/// ```
#[derive(Debug)]
pub struct MeteredScope<'arena, S> {
    arena: S,
    charge: Charge<'arena>,
}

/// Bytes counted by a meter that are released when this is dropped.
#[derive(Debug)]
struct Charge<'arena> {
    meter: &'arena Meter,
    bytes: Cell<usize>,
    /// Of the scope around this one.
    parent: Option<&'arena Cell<usize>>,
}

impl Charge<'_> {
    /// Leaves the bytes to the scope or arena around.
    fn keep(self) {
        let bytes = self.bytes.take();
        if let Some(parent) = self.parent {
            parent.set(parent.get() + bytes);
        }
    }
}

impl Drop for Charge<'_> {
    #[inline]
    fn drop(&mut self) {
        self.meter.release(self.bytes.take());
    }
}

// SAFETY: every allocation is one of the wrapped arena, which is borrowed only together with `self`,
// mutably only by `reset`.
unsafe impl<S: Arena> Arena for MeteredScope<'_, S> {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let start = self.charge.meter.try_alloc(&self.arena, layout)?;
        self.charge
            .bytes
            .set(self.charge.bytes.get() + layout.size());
        Ok(start)
    }

    fn reset(&mut self) {
        self.arena.reset();
        self.charge.meter.release(self.charge.bytes.take());
    }

    fn held_bytes(&self) -> usize {
        self.arena.held_bytes()
    }

    #[inline]
    unsafe fn resize_in_place(&self, start: NonNull<u8>, old: Layout, new_bytes: usize) -> bool {
        // SAFETY: the contract is the same, for the same allocation.
        let resized = unsafe {
            self.charge
                .meter
                .resize_in_place(&self.arena, start, old, new_bytes)
        };
        if resized {
            let others_bytes = self.charge.bytes.get() - old.size();
            self.charge.bytes.set(others_bytes + new_bytes);
        }
        resized
    }
}

// SAFETY: scopes are those of the wrapped scope, each wrapped in turn.
unsafe impl<S: Scoped> Scoped for MeteredScope<'_, S> {
    type Scope<'a>
        = MeteredScope<'a, S::Scope<'a>>
    where
        Self: 'a;

    #[inline]
    fn scope(&self) -> Self::Scope<'_> {
        MeteredScope {
            arena: self.arena.scope(),
            charge: Charge {
                meter: self.charge.meter,
                bytes: Cell::new(0),
                parent: Some(&self.charge.bytes),
            },
        }
    }

    #[inline]
    fn keep<'a>(scope: Self::Scope<'a>)
    where
        Self: 'a,
    {
        scope.charge.keep();
        S::keep(scope.arena);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bump;

    #[test]
    fn a_budget_set_late_refuses_what_is_too_much_already() {
        let arena = Metered::new(Bump::default());
        let layout = Layout::new::<[u8; 100]>();
        let start = arena.try_alloc_layout(layout).unwrap();
        let mut arena = arena.with_budget(50);
        assert!(arena.try_alloc(1_u8).is_err());
        // SAFETY: needs a valid allocation of this arena for that layout: made above.
        assert!(!unsafe { arena.resize_in_place(start, layout, 101) });
        // SAFETY: as before.
        let shrunk = unsafe { arena.resize_in_place(start, layout, 60) };
        assert!(shrunk, "less is not too much");
        arena.reset();
        assert!(arena.try_alloc([0_u8; 51]).is_err());
        arena.alloc([0_u8; 50]);
    }
}
