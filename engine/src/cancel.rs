//! Stopping runs from outside.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Asks runs to stop: a flag that any thread may raise once and for all.
///
/// Clones are the same token. A run is given it in [`Options::cancel`](crate::Options::cancel) and
/// looks at it before every node; a node that takes long asks [`Run::check_cancelled`] now and
/// then, and one that blocks is woken by [`Run::on_cancel`].
///
/// [`Run::check_cancelled`]: crate::Run::check_cancelled
/// [`Run::on_cancel`]: crate::Run::on_cancel
///
/// # Examples
///
/// ```
/// use engine::{CancelToken, NodeState, Options, Outcome, Scheduler, Sequential};
///
/// let token = CancelToken::new();
/// let mut graph = engine::Builder::new();
/// let cancels = token.clone();
/// graph.node("a", [], move |_| Ok(cancels.cancel()))?;
/// graph.node("b", ["a"], |_| Ok(()))?;
/// let dag = graph.build()?;
///
/// let mut outcome = Outcome::new();
/// let options = Options { cancel: Some(&token), ..Options::default() };
/// Sequential.run_with(&dag, &options, &mut outcome);
/// assert_eq!(outcome.state(dag.node("b").unwrap()), NodeState::Cancelled);
/// # Ok::<(), engine::BuildError>(())
/// ```
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    hooks: Hooks,
}

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels: no node of the runs with this token begins any more, and the hooks of nodes that
    /// run are called, on this thread, before it returns. A second call does nothing.
    ///
    /// # Panics
    ///
    /// Passes on the first panic of a hook, after all hooks were called.
    pub fn cancel(&self) {
        // `Release` pairs with the `Acquire` of `is_cancelled`.
        if !self.0.cancelled.swap(true, Ordering::Release) {
            self.0.hooks.call();
        }
    }

    /// Whether [`cancel`](Self::cancel) was called.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0.cancelled
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.0.hooks
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("CancelToken")
            .field(&self.is_cancelled())
            .finish()
    }
}

type Hook = Arc<dyn Fn() + Send + Sync>;

/// What is called when something is cancelled, once, or at once when it was.
#[derive(Default)]
pub(crate) struct Hooks(Mutex<HookList>);

#[derive(Default)]
struct HookList {
    called: bool,
    next_id: u64,
    hooks: Vec<(u64, Hook)>,
}

impl Hooks {
    /// Calls all hooks, and from now on every new one.
    #[cold]
    pub(crate) fn call(&self) {
        let hooks = {
            let mut list = self.lock();
            list.called = true;
            std::mem::take(&mut list.hooks)
        };
        // Not under the lock: a hook may wake a node whose guard takes it.
        let mut panic = None;
        for (_, hook) in hooks {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook())) {
                // The others are still called.
                panic.get_or_insert(payload);
            }
        }
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }

    fn add(&self, hook: &Hook) -> u64 {
        let mut list = self.lock();
        if list.called {
            drop(list);
            hook();
            return u64::MAX;
        }
        let id = list.next_id;
        list.next_id += 1;
        list.hooks.push((id, Arc::clone(hook)));
        id
    }

    fn remove(&self, id: u64) {
        self.lock().hooks.retain(|(other, _)| *other != id);
    }

    fn lock(&self) -> MutexGuard<'_, HookList> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hook that [`Run::on_cancel`](crate::Run::on_cancel) set; dropping it takes the hook back.
///
/// A hook that is being called at that moment on another thread may still run to its end.
#[must_use = "dropping it takes the hook back"]
pub struct CancelHook<'r>(Vec<(&'r Hooks, u64)>);

impl<'r> CancelHook<'r> {
    pub(crate) fn new(
        places: impl Iterator<Item = &'r Hooks>,
        hook: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let called = AtomicBool::new(false);
        let hook: Hook = Arc::new(move || {
            if !called.swap(true, Ordering::AcqRel) {
                hook();
            }
        });
        Self(places.map(|hooks| (hooks, hooks.add(&hook))).collect())
    }
}

impl Drop for CancelHook<'_> {
    fn drop(&mut self) {
        for (hooks, id) in &self.0 {
            hooks.remove(*id);
        }
    }
}

impl fmt::Debug for CancelHook<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CancelHook").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn hook_that_panics_takes_no_other_with_it() {
        let token = CancelToken::new();
        let called = Arc::new(AtomicBool::new(false));
        let first = CancelHook::new([token.hooks()].into_iter(), || {
            resume_unwind(Box::new("on purpose"))
        });
        let seen = Arc::clone(&called);
        let second = CancelHook::new([token.hooks()].into_iter(), move || {
            seen.store(true, Ordering::Relaxed);
        });
        let cancelled = catch_unwind(AssertUnwindSafe(|| token.cancel()));
        assert!(cancelled.is_err() && token.is_cancelled());
        assert!(called.load(Ordering::Relaxed));
        drop((first, second));
    }

    #[test]
    fn hooks_are_called_once_and_at_once_when_it_is_too_late() {
        let token = CancelToken::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let hook = || {
            let calls = Arc::clone(&calls);
            let places = [token.hooks(), token.hooks()];
            CancelHook::new(places.into_iter(), move || {
                calls.fetch_add(1, Ordering::Relaxed);
            })
        };
        drop(hook());
        let kept = hook();
        token.clone().cancel();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        token.cancel();
        drop(kept);
        drop(hook());
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }
}
