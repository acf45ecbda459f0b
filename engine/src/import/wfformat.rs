//! WfFormat, the JSON format of recorded scientific workflows.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::{ImportError, Workflow};
use crate::Shape;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    name: String,
    schema_version: String,
    workflow: Body,
}

#[derive(Deserialize)]
struct Body {
    specification: Specification,
    execution: Option<Execution>,
}

#[derive(Deserialize)]
struct Specification {
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct Task {
    id: String,
    parents: Vec<String>,
    children: Vec<String>,
}

#[derive(Deserialize)]
struct Execution {
    tasks: Vec<Measured>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    id: String,
    runtime_in_seconds: f64,
}

/// Reads a workflow in WfFormat 1.5.
///
/// Every task becomes a node with the id of the task; a task without a measured runtime takes 0 s.
///
/// # Errors
///
/// Fails when the text is not such a document, and when it contradicts itself: an id that appears
/// twice or is not defined, an edge that only one of its ends lists, a negative runtime. Cycles
/// are found when the graph is built.
///
/// # Examples
///
/// ```
/// let workflow = engine::import::wfformat(
///     r#"{
///         "name": "two steps",
///         "schemaVersion": "1.5",
///         "workflow": {
///             "specification": {
///                 "tasks": [
///                     {"name": "fetch", "id": "fetch", "parents": [], "children": ["parse"]},
///                     {"name": "parse", "id": "parse", "parents": ["fetch"], "children": []}
///                 ]
///             },
///             "execution": {"tasks": [{"id": "fetch", "runtimeInSeconds": 1.5}]}
///         }
///     }"#,
/// )?;
/// assert_eq!(workflow.shape.ids(), ["fetch", "parse"]);
/// assert_eq!(workflow.shape.dependencies(1), [0]);
/// assert_eq!(workflow.runtimes_s, [1.5, 0.0]);
/// # Ok::<(), engine::import::ImportError>(())
/// ```
pub fn wfformat(text: &str) -> Result<Workflow, ImportError> {
    let Document {
        name,
        schema_version,
        workflow,
    } = serde_json::from_str(text)?;
    if schema_version != "1.5" {
        return Err(ImportError::Version {
            version: schema_version,
        });
    }
    let tasks = workflow.specification.tasks;
    let mut index_of = HashMap::with_capacity(tasks.len());
    for (index, task) in tasks.iter().enumerate() {
        if index_of.insert(task.id.as_str(), index).is_some() {
            return Err(ImportError::DuplicateTask {
                task: task.id.clone(),
            });
        }
    }
    let find = |task: &Task, other: &str, relation| {
        index_of
            .get(other)
            .copied()
            .ok_or_else(|| ImportError::UnknownTask {
                task: task.id.clone(),
                unknown: other.to_owned(),
                relation,
            })
    };

    let mut listed_by_parents = HashSet::new();
    for (index, task) in tasks.iter().enumerate() {
        for child in &task.children {
            listed_by_parents.insert((index, find(task, child, "child")?));
        }
    }
    let mut shape = Shape::new();
    let mut listed_by_children = HashSet::new();
    for (index, task) in tasks.iter().enumerate() {
        let mut dependencies = Vec::with_capacity(task.parents.len());
        for parent in &task.parents {
            let parent = find(task, parent, "parent")?;
            if listed_by_children.insert((parent, index)) {
                dependencies.push(parent);
            }
        }
        shape.push(task.id.clone(), dependencies);
    }
    let one_sided = |&(parent, child): &(usize, usize), listed_by| ImportError::OneSidedEdge {
        parent: tasks[parent].id.clone(),
        child: tasks[child].id.clone(),
        listed_by,
    };
    // The smallest edge, so that the message is the same every time.
    if let Some(edge) = listed_by_parents.difference(&listed_by_children).min() {
        return Err(one_sided(edge, "parent"));
    }
    if let Some(edge) = listed_by_children.difference(&listed_by_parents).min() {
        return Err(one_sided(edge, "child"));
    }

    let mut runtimes_s = vec![0.0; tasks.len()];
    let mut measured_ids = HashSet::new();
    for measured in workflow
        .execution
        .iter()
        .flat_map(|execution| &execution.tasks)
    {
        let Some(&index) = index_of.get(measured.id.as_str()) else {
            return Err(ImportError::UnspecifiedTask {
                task: measured.id.clone(),
            });
        };
        if !measured_ids.insert(index) {
            return Err(ImportError::DuplicateTask {
                task: measured.id.clone(),
            });
        }
        let runtime_s = measured.runtime_in_seconds;
        if !(runtime_s.is_finite() && runtime_s >= 0.0) {
            return Err(ImportError::Runtime {
                task: measured.id.clone(),
                runtime_s,
            });
        }
        runtimes_s[index] = runtime_s;
    }
    Ok(Workflow {
        name,
        shape,
        runtimes_s,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(version: &str, tasks: &str, measured: &str) -> String {
        format!(
            r#"{{"name": "w", "schemaVersion": "{version}", "workflow": {{
                "specification": {{"tasks": [{tasks}]}}, "execution": {{"tasks": [{measured}]}}}}}}"#
        )
    }

    #[track_caller]
    fn check_error(text: &str, message: &str) {
        assert_eq!(wfformat(text).unwrap_err().to_string(), message);
    }

    const PAIR: &str = r#"{"id": "b", "parents": ["a"], "children": []},
                          {"id": "a", "parents": [], "children": ["b"]}"#;

    #[test]
    fn tasks_may_come_before_their_parents() {
        let measured = r#"{"id": "a", "runtimeInSeconds": 2}"#;
        let workflow = wfformat(&document("1.5", PAIR, measured)).unwrap();
        assert_eq!(workflow.name, "w");
        assert_eq!(workflow.shape.dependencies(0), [1]);
        assert_eq!(workflow.runtimes_s, [0.0, 2.0]);
    }

    #[test]
    fn other_versions_are_refused() {
        check_error(
            &document("1.4", PAIR, ""),
            "WfFormat version `1.4` is not supported; convert the file to 1.5",
        );
    }

    #[test]
    fn missing_fields_are_named() {
        check_error(
            r#"{"name": "w", "schemaVersion": "1.5"}"#,
            "cannot read the document: missing field `workflow` at line 1 column 37",
        );
    }

    #[test]
    fn contradictions_are_refused() {
        let task = |id: &str, parents: &str, children: &str| {
            format!(r#"{{"id": "{id}", "parents": [{parents}], "children": [{children}]}}"#)
        };
        let a = task("a", "", "");
        check_error(
            &document("1.5", &format!("{a},{a}"), ""),
            "task `a` appears twice",
        );
        check_error(
            &document("1.5", &task("a", r#""x""#, ""), ""),
            "task `a` names `x` as its parent, which does not exist",
        );
        check_error(
            &document("1.5", &task("a", "", r#""x""#), ""),
            "task `a` names `x` as its child, which does not exist",
        );
        check_error(
            &document("1.5", &format!("{a},{}", task("b", r#""a""#, "")), ""),
            "tasks `a` and `b` disagree: only the child lists the other",
        );
        check_error(
            &document(
                "1.5",
                &format!("{},{}", task("a", "", r#""b""#), task("b", "", "")),
                "",
            ),
            "tasks `a` and `b` disagree: only the parent lists the other",
        );
    }

    #[test]
    fn impossible_measurements_are_refused() {
        let measured = |id: &str, runtime: &str| {
            document(
                "1.5",
                PAIR,
                &format!(r#"{{"id": "{id}", "runtimeInSeconds": {runtime}}}"#),
            )
        };
        check_error(
            &measured("a", "-1"),
            "task `a` has a runtime of -1 s; a runtime is finite and at least 0",
        );
        check_error(
            &measured("x", "1"),
            "task `x` was executed but is not specified",
        );
        assert!(matches!(
            wfformat(&measured("a", "1e999")),
            Err(ImportError::Json(_))
        ));
    }
}
