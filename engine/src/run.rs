//! What a node's work is given and what it returns.

use std::error::Error;

use crate::{Dag, NodeId};

/// Why a node failed: any error, boxed.
///
/// Strings and every error type convert into it, so `?` works on both.
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

/// What a node's work is given: which node of which graph it is.
#[derive(Clone, Copy, Debug)]
pub struct Run<'r> {
    dag: &'r Dag,
    node: NodeId,
}

impl<'r> Run<'r> {
    #[inline]
    pub(crate) fn new(dag: &'r Dag, node: NodeId) -> Self {
        Self { dag, node }
    }

    /// The node that runs.
    #[inline]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The id the node was given when it was defined.
    #[inline]
    pub fn name(&self) -> &'r str {
        self.dag.name(self.node)
    }

    /// The graph the node belongs to.
    #[inline]
    pub fn dag(&self) -> &'r Dag {
        self.dag
    }
}
