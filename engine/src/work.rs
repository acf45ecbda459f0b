//! Closures of any type, in an arena, as sixteen bytes each.
//!
//! The unsafe code that forgets a closure's type and remembers how to call and drop it is all
//! here. [`Closures`] owns the closures, [`Work`] is the address of one of them.

use std::alloc::Layout;
use std::ptr::NonNull;

use arena::{AllocError, Arena};

use crate::{NodeError, Run};

/// The work of one node: a closure's address and how to call it.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    call: unsafe fn(NonNull<u8>, &Run<'_>) -> Result<(), NodeError>,
    closure: NonNull<u8>,
}

// SAFETY: a `Work` can only call its closure by reference, and `Closures::add` takes only closures
// that are `Sync`.
unsafe impl Send for Work {}
// SAFETY: as above.
unsafe impl Sync for Work {}

impl Work {
    /// Work that does nothing, of no closure.
    #[cfg(test)]
    pub(crate) fn nothing() -> Self {
        Self {
            call: |_, _| Ok(()),
            closure: NonNull::dangling(),
        }
    }

    /// Calls the closure.
    ///
    /// # Safety
    ///
    /// The [`Closures`] the work was added to, and their arena, must still be there.
    #[inline]
    pub(crate) unsafe fn call(&self, run: &Run<'_>) -> Result<(), NodeError> {
        // SAFETY: `add` stored the function that fits the closure's type; by the contract of this
        // function the closure was not dropped.
        unsafe { (self.call)(self.closure, run) }
    }
}

/// The owner of closures that live in an arena: runs their destructors when dropped.
#[derive(Default)]
pub(crate) struct Closures {
    /// Only closures that own something are listed.
    destructors: Vec<Destructor>,
}

struct Destructor {
    run: unsafe fn(NonNull<u8>),
    closure: NonNull<u8>,
}

// SAFETY: a destructor is the ownership of one closure, and `add` takes only closures that are
// `Send`. It is reached through `&mut Closures` alone.
unsafe impl Send for Destructor {}
// SAFETY: nothing can be done with a `&Destructor`.
unsafe impl Sync for Destructor {}

impl Closures {
    /// Moves `closure` into `arena` and takes ownership of it.
    ///
    /// When no memory is left the closure is dropped at once.
    ///
    /// # Safety
    ///
    /// `self` must be dropped before `arena` is reset or dropped.
    pub(crate) unsafe fn add<F>(
        &mut self,
        arena: &impl Arena,
        closure: F,
    ) -> Result<Work, AllocError>
    where
        F: Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static,
    {
        let place = if size_of::<F>() == 0 {
            NonNull::dangling()
        } else {
            arena.try_alloc_layout(Layout::new::<F>())?.cast::<F>()
        };
        // SAFETY: the arena returned memory for an `F`; no memory is needed for an empty one.
        unsafe { place.write(closure) };
        if std::mem::needs_drop::<F>() {
            self.destructors.push(Destructor {
                run: drop_closure::<F>,
                closure: place.cast(),
            });
        }
        Ok(Work {
            call: call_closure::<F>,
            closure: place.cast(),
        })
    }
}

impl Drop for Closures {
    fn drop(&mut self) {
        /// Goes on with the rest when a destructor panics.
        struct Rest<'a>(&'a mut Vec<Destructor>);

        impl Rest<'_> {
            fn run(&mut self) {
                while let Some(destructor) = self.0.pop() {
                    // SAFETY: `add` stored the function that fits the closure's type; the closure
                    // is dropped once because it was just taken off the list; the arena is still
                    // there by the contract of `add`.
                    unsafe { (destructor.run)(destructor.closure) };
                }
            }
        }

        impl Drop for Rest<'_> {
            fn drop(&mut self) {
                self.run();
            }
        }

        Rest(&mut self.destructors).run();
    }
}

/// # Safety
///
/// `closure` must point to a live `F`.
unsafe fn call_closure<F>(closure: NonNull<u8>, run: &Run<'_>) -> Result<(), NodeError>
where
    F: Fn(&Run<'_>) -> Result<(), NodeError>,
{
    // SAFETY: by the contract of this function.
    let closure = unsafe { closure.cast::<F>().as_ref() };
    closure(run)
}

/// # Safety
///
/// `closure` must point to a live `F` that nothing uses afterwards.
unsafe fn drop_closure<F>(closure: NonNull<u8>) {
    // SAFETY: by the contract of this function.
    unsafe { closure.cast::<F>().drop_in_place() };
}
