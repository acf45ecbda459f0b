//! Reads what criterion 0.8 leaves in its output folder. The only place that knows its layout.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::gate::Change;
use crate::record::Sample;

/// The samples of one benchmark.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Criterion's id: the parts of the name joined by `/`.
    pub full_id: String,
    /// Timed batches in the order in which they were taken.
    pub samples: Vec<Sample>,
}

/// Why criterion's files could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CriterionError {
    /// A file or folder could not be read.
    #[error("cannot read {}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file does not hold what criterion writes.
    #[error("{} is not what criterion writes: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads the latest run of every benchmark below `home`, the folder that `CRITERION_HOME` named.
///
/// Ids come from `benchmark.json`, because criterion cuts and rewrites names in its paths.
///
/// # Errors
///
/// Fails when a file cannot be read, is not JSON of the expected shape, or holds times that are
/// negative or not finite.
pub fn read(home: &Path) -> Result<Vec<Measured>, CriterionError> {
    let folders = folders(home, "new")?;
    let mut found = folders
        .iter()
        .map(|folder| read_one(folder))
        .collect::<Result<Vec<_>, _>>()?;
    found.sort_by(|one, other| one.full_id.cmp(&other.full_id));
    Ok(found)
}

/// The folders of every benchmark's baseline of this name below `home`; `new` is the latest run.
///
/// # Errors
///
/// Fails when a folder cannot be read.
pub fn folders(home: &Path, baseline: &str) -> Result<Vec<PathBuf>, CriterionError> {
    find(home, baseline, "benchmark.json")
}

/// Reads how the mean of every benchmark below `home` changed between its last two runs, as far as it
/// was compared.
///
/// # Errors
///
/// Fails when a file cannot be read, or is not JSON of the expected shape.
pub fn changes(home: &Path) -> Result<Vec<Change>, CriterionError> {
    let mut changes = Vec::new();
    for folder in find(home, "change", "estimates.json")? {
        let estimates: Estimates = read_json(&folder.join("estimates.json"))?;
        let Estimates { mean } = estimates;
        changes.push(Change {
            point: mean.point_estimate,
            low: mean.confidence_interval.lower_bound,
            high: mean.confidence_interval.upper_bound,
        });
    }
    Ok(changes)
}

/// The folders below `home` that are called `name` and hold `file`.
fn find(home: &Path, name: &str, file: &str) -> Result<Vec<PathBuf>, CriterionError> {
    let mut found = Vec::new();
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        let io = |error| CriterionError::Io {
            path: folder.clone(),
            error,
        };
        for entry in fs::read_dir(&folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let path = entry.path();
            if path.ends_with(name) && path.join(file).is_file() {
                found.push(path);
            } else if entry.file_type().map_err(io)?.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[derive(Deserialize)]
struct Estimates {
    mean: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

#[derive(Deserialize)]
struct Samples {
    iters: Vec<f64>,
    times: Vec<f64>,
}

fn read_one(folder: &Path) -> Result<Measured, CriterionError> {
    let benchmark: Benchmark = read_json(&folder.join("benchmark.json"))?;
    let path = folder.join("sample.json");
    let samples: Samples = read_json(&path)?;
    let content = |reason: String| CriterionError::Content {
        path: path.clone(),
        reason,
    };
    if samples.iters.len() != samples.times.len() {
        return Err(content(format!(
            "{} iteration counts and {} times",
            samples.iters.len(),
            samples.times.len()
        )));
    }
    let samples = samples
        .iters
        .iter()
        .zip(&samples.times)
        .map(|(&iterations, &elapsed_ns)| {
            if !(iterations.is_finite() && iterations >= 1.0) {
                return Err(content(format!("a sample of {iterations} iterations")));
            }
            if !(elapsed_ns.is_finite() && elapsed_ns >= 0.0) {
                return Err(content(format!("a sample of {elapsed_ns} ns")));
            }
            Ok(Sample {
                iterations: iterations as u64,
                elapsed_ns: elapsed_ns as u64,
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(Measured {
        full_id: benchmark.full_id,
        samples,
    })
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, CriterionError> {
    let text = fs::read_to_string(path).map_err(|error| CriterionError::Io {
        path: path.to_owned(),
        error,
    })?;
    serde_json::from_str(&text).map_err(|error| CriterionError::Content {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(benchmark: &str, sample: &str) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let folder = home
            .path()
            .join("group_a")
            .join("series")
            .join("10")
            .join("new");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("benchmark.json"), benchmark).unwrap();
        fs::write(folder.join("sample.json"), sample).unwrap();
        home
    }

    const BENCHMARK: &str = r#"{"group_id":"group/a","full_id":"group/a/series/10"}"#;

    #[test]
    fn ids_come_from_the_file_and_samples_keep_their_order() {
        let home = write(
            BENCHMARK,
            r#"{"sampling_mode":"Linear","iters":[1.0,2.0],"times":[197.0,398.0]}"#,
        );
        let read = read(home.path()).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].full_id, "group/a/series/10");
        let samples = [(1, 197), (2, 398)].map(|(iterations, elapsed_ns)| Sample {
            iterations,
            elapsed_ns,
        });
        assert_eq!(read[0].samples, samples);
    }

    #[track_caller]
    fn check_refused(sample: &str, reason: &str) {
        let error = read(write(BENCHMARK, sample).path())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(reason) && error.contains("sample.json"),
            "{error}"
        );
    }

    #[test]
    fn impossible_samples_are_refused_with_their_file() {
        check_refused(
            r#"{"iters":[1.0,2.0],"times":[197.0]}"#,
            "2 iteration counts and 1 times",
        );
        check_refused(
            r#"{"iters":[0.0],"times":[197.0]}"#,
            "a sample of 0 iterations",
        );
        check_refused(r#"{"iters":[1.0],"times":[-1.0]}"#, "a sample of -1 ns");
        check_refused(r#"{"iters":[1.0]}"#, "missing field");
    }

    #[test]
    fn changes_are_those_of_means() {
        let home = write(BENCHMARK, r#"{"iters":[1.0],"times":[1.0]}"#);
        assert_eq!(changes(home.path()).unwrap(), []);
        let folder = home.path().join("group_a").join("series").join("10");
        fs::create_dir_all(folder.join("change")).unwrap();
        let estimates = folder.join("change").join("estimates.json");
        let estimate = |point: f64| {
            format!(
                r#"{{"confidence_interval":{{"confidence_level":0.95,"lower_bound":-0.25,"upper_bound":0.5}},"point_estimate":{point},"standard_error":0.1}}"#
            )
        };
        let text = format!(
            r#"{{"mean":{},"median":{}}}"#,
            estimate(0.125),
            estimate(0.75)
        );
        fs::write(&estimates, text).unwrap();
        let change = Change {
            point: 0.125,
            low: -0.25,
            high: 0.5,
        };
        assert_eq!(changes(home.path()).unwrap(), [change]);
        fs::write(&estimates, r#"{"median":1}"#).unwrap();
        let error = changes(home.path()).unwrap_err().to_string();
        assert!(
            error.contains("estimates.json") && error.contains("mean"),
            "{error}"
        );
    }
}
