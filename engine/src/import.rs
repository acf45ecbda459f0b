//! Graphs from files of other programs: recorded workflows and crate graphs.

mod cargo;
mod wfformat;

pub use cargo::cargo_metadata;
pub use wfformat::wfformat;

use crate::Shape;

/// A graph from a file, with the time its nodes take.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    /// What the file calls it.
    pub name: String,
    /// Its nodes and edges, in the order of the file: a node may come before its dependencies, so
    /// the index of a node in the shape is not always the index of its [`NodeId`](crate::NodeId).
    pub shape: Shape,
    /// By index in the shape, how long the node took, in seconds.
    pub runtimes_s: Vec<f64>,
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is not JSON, or a field is missing or of the wrong type.
    #[error("cannot read the document: {0}")]
    Json(#[from] serde_json::Error),
    /// It has a version that is not supported.
    #[error("WfFormat version `{version}` is not supported; convert the file to 1.5")]
    Version {
        /// The version it says it has.
        version: String,
    },
    /// Two nodes have the same id.
    #[error("task `{task}` appears twice")]
    DuplicateTask {
        /// The id.
        task: String,
    },
    /// A node names one that does not exist.
    #[error("task `{task}` names `{unknown}` as its {relation}, which does not exist")]
    UnknownTask {
        /// The node.
        task: String,
        /// What it names.
        unknown: String,
        /// `parent`, `child` or `dependency`.
        relation: &'static str,
    },
    /// An edge is listed by one of its ends only.
    #[error("tasks `{parent}` and `{child}` disagree: only the {listed_by} lists the other")]
    OneSidedEdge {
        /// Where the edge begins.
        parent: String,
        /// Where it ends.
        child: String,
        /// `parent` or `child`.
        listed_by: &'static str,
    },
    /// A measured time belongs to a node that does not exist.
    #[error("task `{task}` was executed but is not specified")]
    UnspecifiedTask {
        /// The node.
        task: String,
    },
    /// The graph names a package that the document does not describe.
    #[error("package `{package}` is in the resolved graph but not among the packages")]
    UnknownPackage {
        /// Its id.
        package: String,
    },
    /// A measured time is not one.
    #[error("task `{task}` has a runtime of {runtime_s} s; a runtime is finite and at least 0")]
    Runtime {
        /// The node.
        task: String,
        /// The time.
        runtime_s: f64,
    },
    /// The dependencies between crates were not resolved.
    #[error("the metadata has no resolved graph; run cargo metadata without `--no-deps`")]
    NoResolve,
}
