//! The graph of crates that cargo compiles.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::{ImportError, Workflow};
use crate::Shape;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Option<Resolve>,
    workspace_root: String,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
    root: Option<String>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// Reads the resolved graph of `cargo metadata --format-version 1`.
///
/// Every package becomes a node with the id `name version` that takes 1 s. It depends on its normal
/// and build dependencies; development dependencies may form cycles and are left out. The name is
/// that of the root package, or of the workspace's folder when there is none.
///
/// # Errors
///
/// Fails when the text is not such a document, and when two packages have the same name and
/// version.
pub fn cargo_metadata(text: &str) -> Result<Workflow, ImportError> {
    let metadata: Metadata = serde_json::from_str(text)?;
    let resolve = metadata.resolve.ok_or(ImportError::NoResolve)?;
    let packages: HashMap<&str, &Package> = metadata
        .packages
        .iter()
        .map(|package| (package.id.as_str(), package))
        .collect();
    let mut index_of = HashMap::with_capacity(resolve.nodes.len());
    let mut names = HashSet::with_capacity(resolve.nodes.len());
    for (index, node) in resolve.nodes.iter().enumerate() {
        let Some(package) = packages.get(node.id.as_str()) else {
            return Err(ImportError::UnknownPackage {
                package: node.id.clone(),
            });
        };
        let name = format!("{} {}", package.name, package.version);
        if !names.insert(name.clone()) {
            return Err(ImportError::DuplicateTask { task: name });
        }
        index_of.insert(node.id.as_str(), (index, name));
    }

    let mut shape = Shape::new();
    for node in &resolve.nodes {
        let mut dependencies = Vec::with_capacity(node.deps.len());
        for dependency in &node.deps {
            let is_compiled_before = dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind.as_deref() != Some("dev"));
            if !is_compiled_before {
                continue;
            }
            match index_of.get(dependency.pkg.as_str()) {
                Some((index, _)) => dependencies.push(*index),
                None => {
                    return Err(ImportError::UnknownTask {
                        task: node.id.clone(),
                        unknown: dependency.pkg.clone(),
                        relation: "dependency",
                    });
                }
            }
        }
        dependencies.sort_unstable();
        dependencies.dedup();
        let (_, name) = &index_of[node.id.as_str()];
        shape.push(name.clone(), dependencies);
    }

    let root = resolve.root.as_deref().and_then(|root| packages.get(root));
    let name = match root {
        Some(package) => package.name.clone(),
        None => {
            let folder = metadata.workspace_root.rsplit(['/', '\\']).next();
            folder.unwrap_or_default().to_owned()
        }
    };
    Ok(Workflow {
        name,
        runtimes_s: vec![1.0; shape.len()],
        shape,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(packages: &str, nodes: &str) -> String {
        format!(
            r#"{{"packages": [{packages}], "workspace_root": "/src/demo",
                "resolve": {{"root": null, "nodes": [{nodes}]}}}}"#
        )
    }

    const PACKAGES: &str = r#"{"id": "p#app", "name": "app", "version": "0.1.0"},
                              {"id": "p#lib", "name": "lib", "version": "1.2.3"}"#;

    #[test]
    fn development_dependencies_are_left_out() {
        let nodes = r#"
            {"id": "p#app", "deps": [{"pkg": "p#lib", "dep_kinds": [{"kind": null}, {"kind": "dev"}]}]},
            {"id": "p#lib", "deps": [{"pkg": "p#app", "dep_kinds": [{"kind": "dev"}]}]}"#;
        let workflow = cargo_metadata(&document(PACKAGES, nodes)).unwrap();
        assert_eq!(workflow.name, "demo");
        assert_eq!(workflow.shape.ids(), ["app 0.1.0", "lib 1.2.3"]);
        assert_eq!(workflow.shape.dependencies(0), [1]);
        assert_eq!(workflow.shape.dependencies(1), [0; 0]);
        assert_eq!(workflow.runtimes_s, [1.0, 1.0]);
    }

    #[track_caller]
    fn check_error(text: &str, message: &str) {
        assert_eq!(cargo_metadata(text).unwrap_err().to_string(), message);
    }

    #[test]
    fn contradictions_are_refused() {
        let app = r#"{"id": "p#app", "deps": []}"#;
        check_error(
            &document(PACKAGES, &format!("{app},{app}")),
            "task `app 0.1.0` appears twice",
        );
        check_error(
            &document("", app),
            "package `p#app` is in the resolved graph but not among the packages",
        );
        let unknown = r#"{"id": "p#app", "deps": [{"pkg": "p#x", "dep_kinds": [{"kind": null}]}]}"#;
        check_error(
            &document(PACKAGES, unknown),
            "task `p#app` names `p#x` as its dependency, which does not exist",
        );
        check_error(
            r#"{"packages": [], "workspace_root": "/", "resolve": null}"#,
            "the metadata has no resolved graph; run cargo metadata without `--no-deps`",
        );
    }
}
