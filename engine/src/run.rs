//! What a node's work is given and what it returns.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::cancel::CancelHook;
use crate::execution::Shared;
use crate::{CancelToken, Dag, NodeId};

/// Why a node failed: any error, boxed.
///
/// Strings and every error type convert into it, so `?` works on both. Three errors say more than
/// that: [`Skip`], [`Cancelled`] and [`TimedOut`].
///
/// # Examples
///
/// ```
/// # use engine::NodeError;
/// fn parse(text: &str) -> Result<(), NodeError> {
///     let number: i32 = text.parse()?;
///     if number < 0 {
///         return Err(format!("{number} is negative").into());
///     }
///     Ok(())
/// }
/// assert_eq!(parse("-1").unwrap_err().to_string(), "-1 is negative");
/// ```
pub type NodeError = Box<dyn Error + Send + Sync>;

/// Returned by a node that had nothing to do: it is [`Skipped`](crate::NodeState::Skipped), which is
/// no failure, and what depends on it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there was nothing to do")]
pub struct Skip;

/// Returned by a node that was asked to stop: it is [`Cancelled`](crate::NodeState::Cancelled),
/// which is no failure, and what depends on it does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// Returned by a node that took too long: it is [`TimedOut`](crate::NodeState::TimedOut), and
/// otherwise treated as a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not done within {limit:?}")]
pub struct TimedOut {
    /// How long it was allowed to take.
    pub limit: Duration,
}

/// What a node's work is given: which node of which graph it is, and how the run goes.
#[derive(Clone, Copy)]
pub struct Run<'r> {
    shared: &'r Shared<'r>,
    /// A token beside that of the run's options, and the run it was added to.
    token: Option<(&'r CancelToken, &'r Run<'r>)>,
    node: NodeId,
}

impl<'r> Run<'r> {
    #[inline]
    pub(crate) fn new(shared: &'r Shared<'r>, node: NodeId) -> Self {
        Self {
            shared,
            token: None,
            node,
        }
    }

    /// Makes it the run of another node.
    #[inline]
    pub(crate) fn set_node(&mut self, node: NodeId) {
        self.node = node;
    }

    /// The same, but cancelled by `token` too: to stop one node without stopping its run.
    pub fn with_cancel<'s>(&'s self, token: &'s CancelToken) -> Run<'s> {
        Run {
            shared: self.shared,
            token: Some((token, self)),
            node: self.node,
        }
    }

    /// The tokens that were added.
    fn tokens(&self) -> impl Iterator<Item = &'r CancelToken> {
        let pairs = std::iter::successors(self.token, |(_, outer)| outer.token);
        pairs.map(|(token, _)| token)
    }

    /// The node that runs.
    #[inline]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The id the node was given when it was defined.
    #[inline]
    pub fn name(&self) -> &'r str {
        self.dag().name(self.node)
    }

    /// The graph the node belongs to.
    #[inline]
    pub fn dag(&self) -> &'r Dag {
        self.shared.dag()
    }

    /// The value of [`Options::context`](crate::Options::context), when it is a `T`.
    #[inline]
    pub fn context<T: 'static>(&self) -> Option<&'r T> {
        self.shared.options().context?.downcast_ref()
    }

    /// The value of the context, whatever it is.
    pub(crate) fn any_context(&self) -> Option<&'r (dyn Any + Send + Sync)> {
        self.shared.options().context
    }

    /// Whether the node should stop, because its run was cancelled or has failed fast.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.shared.is_stopped() || self.tokens().any(CancelToken::is_cancelled)
    }

    /// Fails when the node should stop: `run.check_cancelled()?` in a loop that takes long.
    ///
    /// # Errors
    ///
    /// Fails with [`Cancelled`] when [`is_cancelled`](Self::is_cancelled).
    #[inline]
    pub fn check_cancelled(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() {
            return Err(Cancelled);
        }
        Ok(())
    }

    /// Calls `hook` when the node should stop, on the thread that says so, or at once when it was
    /// said before: to wake a node that blocks. The hook is taken back when the result is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// let work = |run: &engine::Run<'_>| {
    ///     let (sender, messages) = mpsc::channel::<Option<String>>();
    ///     let _hook = run.on_cancel(move || {
    ///         let _ = sender.send(None);
    ///     });
    ///     // The message is `None`, and there is no deadlock, when the run is cancelled meanwhile.
    ///     # if false {
    ///     let message = messages.recv()?.ok_or(engine::Cancelled)?;
    ///     # }
    ///     Ok(())
    /// };
    /// # let mut graph = engine::Builder::new();
    /// # graph.node("waits", [], work)?;
    /// # Ok::<(), engine::BuildError>(())
    /// ```
    pub fn on_cancel(&self, hook: impl Fn() + Send + Sync + 'static) -> CancelHook<'r> {
        let shared = self.shared;
        let tokens = shared.options().cancel.into_iter().chain(self.tokens());
        let places = [shared.hooks()].into_iter();
        let places = places.chain(tokens.map(CancelToken::hooks));
        CancelHook::new(places, hook)
    }
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Run")
            .field("dag", self.dag())
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
