//! One record, reduced to what a history needs of it. Pure.

use std::collections::{HashMap, HashSet};

use bench_harness::record::{CaseId, Entries, Entry, PlannedGroup, RunInfo, Status};

use crate::report::time;

/// One record: the nanoseconds an iteration or element takes, by case and process.
pub(crate) struct Run {
    /// What messages call it.
    pub(crate) source: String,
    pub(crate) info: RunInfo,
    pub(crate) groups: Vec<PlannedGroup>,
    pub(crate) times: HashMap<CaseId, Vec<f64>>,
    /// How many cases failed.
    pub(crate) failed: usize,
    /// How many cases lack processes.
    pub(crate) incomplete: usize,
}

impl Run {
    /// Reduces what was read of `source`.
    pub(crate) fn new(source: String, read: Entries) -> Result<Self, String> {
        if read.truncated {
            let line = read.entries.len() + 1;
            return Err(format!(
                "{source}:{line}: the record ends inside a line; complete it with `gen-benchmarks run --resume --records FILE`"
            ));
        }
        let mut entries = read.entries.into_iter().zip(1..);
        let Some((Entry::Run(info), _)) = entries.next() else {
            return Err(format!(
                "{source}:1: the record does not begin with a run; measure one with `gen-benchmarks run --records FILE`"
            ));
        };
        let mut groups: Vec<PlannedGroup> = Vec::new();
        let mut per_element: HashMap<String, bool> = HashMap::new();
        let mut times: HashMap<CaseId, Vec<f64>> = HashMap::new();
        let mut failed = HashSet::new();
        for (entry, line) in entries {
            match entry {
                Entry::Group(group) => {
                    per_element.insert(group.info.group.clone(), group.info.per_element);
                    groups.push(group);
                }
                Entry::Case(record) => {
                    let Some(&per_element) = per_element.get(&record.case.group) else {
                        return Err(format!(
                            "{source}:{line}: case `{}` is of a group that the record does not announce",
                            record.case
                        ));
                    };
                    if record.status != Status::Ok {
                        failed.insert(record.case);
                        continue;
                    }
                    let divisor = if per_element {
                        record.elements as f64
                    } else {
                        1.0
                    };
                    let time = time(&record).unwrap_or(f64::NAN) / divisor;
                    times.entry(record.case).or_default().push(time);
                }
                Entry::Run(_) => {
                    return Err(format!(
                        "{source}:{line}: a second run begins; keep each run in a file of its own"
                    ));
                }
                _ => {}
            }
        }
        times.retain(|case, _| !failed.contains(case));
        let planned: usize = groups.iter().map(|group| group.cases.len()).sum();
        let whole = times
            .values()
            .filter(|times| times.len() >= info.processes as usize);
        let incomplete = planned.saturating_sub(whole.count() + failed.len());
        Ok(Self {
            source,
            info: *info,
            groups,
            times,
            failed: failed.len(),
            incomplete,
        })
    }
}
