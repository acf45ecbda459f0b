//! Our own records as measurements, and the times of measurements as records.

use std::collections::HashMap;

use super::{Amount, Batch, LeftOut, Measurement, Process, Quantity, Values};
use crate::gate::Metric;
use crate::record::{Allocations, CaseId, Entry, Record, Sample, Status};

/// Everything that a record file says of its cases, and what it has no figures of.
///
/// Cases come in order of definition. Times keep their samples. Counts of an iteration are one value for each process.
pub fn from_entries(entries: &[Entry]) -> (Vec<Measurement>, Vec<String>) {
    let mut cases: Vec<(&CaseId, Vec<&Record>)> = Vec::new();
    let mut places: HashMap<&CaseId, usize> = HashMap::new();
    let mut counted: HashMap<&CaseId, u64> = HashMap::new();
    let mut order: HashMap<CaseId, usize> = HashMap::new();
    let mut found = Vec::new();
    for entry in entries {
        match entry {
            Entry::Case(record) => {
                let place = *places.entry(&record.case).or_insert(cases.len());
                match cases.get_mut(place) {
                    Some((_, records)) => records.push(record),
                    None => cases.push((&record.case, vec![record])),
                }
            }
            Entry::Counted(one) => {
                counted.insert(&one.case, one.instructions);
            }
            Entry::Imported(measurement) => found.push((**measurement).clone()),
            Entry::Group(group) => {
                for (series, input) in &group.cases {
                    let case = CaseId {
                        group: group.info.group.clone(),
                        series: series.clone(),
                        input: input.clone(),
                    };
                    order.insert(case, order.len());
                }
            }
            Entry::Run(_) | Entry::Counting(_) | Entry::Profiled(_) => {}
        }
    }
    // Cases were measured in a random order; those that nobody announced stay at the end.
    cases.sort_by_key(|(case, _)| order.get(*case).copied().unwrap_or(usize::MAX));
    let mut warnings = Vec::new();
    for (case, mut records) in cases {
        records.sort_by_key(|record| record.process);
        let failure = records.iter().find_map(|record| match &record.status {
            Status::Failed(reason) => Some(reason),
            Status::Ok => None,
        });
        match failure {
            Some(reason) => warnings.push(format!("case `{case}` failed: {reason}")),
            None => found.extend(of_case(case, &records, counted.get(case).copied())),
        }
    }
    (found, warnings)
}

fn of_case(case: &CaseId, records: &[&Record], counted: Option<u64>) -> Vec<Measurement> {
    let measured = |metric, processes: Vec<Process>| {
        let values = Values::Processes(processes);
        let mut measurement = Measurement::new(case.to_string(), metric, values);
        measurement.case = Some(case.clone());
        measurement.throughput = vec![Amount {
            amount: records.first().map_or(1.0, |record| record.elements as f64),
            unit: "elements".to_owned(),
        }];
        measurement
    };
    let mut found = vec![measured(
        Metric::Time,
        records
            .iter()
            .map(|record| Process {
                process: record.process,
                samples: record.samples.iter().map(batch).collect(),
            })
            .collect(),
    )];
    let mut once = |metric, value: &dyn Fn(&Record) -> Option<f64>| {
        let processes = records.iter().filter_map(|record| {
            Some(Process {
                process: record.process,
                samples: vec![Batch {
                    value: value(record)?,
                    iterations: None,
                }],
            })
        });
        let processes: Vec<Process> = processes.collect();
        if !processes.is_empty() {
            found.push(measured(metric, processes));
        }
    };
    match counted {
        Some(instructions) => once(Metric::Instructions, &|record| {
            // Counted apart from the processes, once.
            std::ptr::eq(record, records[0]).then_some(instructions as f64)
        }),
        None => once(Metric::Instructions, &|record| {
            Some(record.counters?.instructions? as f64)
        }),
    }
    let of = |record: &Record, value: fn(&Allocations) -> u64| {
        let allocations = record.allocations?;
        Some(value(&allocations) as f64 / allocations.iterations as f64)
    };
    once(Metric::Allocations, &|record| of(record, |one| one.count));
    once(Metric::Bytes, &|record| of(record, |one| one.bytes));
    once(Metric::Peak, &|record| {
        Some(record.allocations?.peak_bytes as f64)
    });
    found
}

fn batch(sample: &Sample) -> Batch {
    Batch {
        value: sample.elapsed_ns as f64 / sample.iterations as f64,
        iterations: Some(sample.iterations),
    }
}

/// The times of measurements whose group, series and input are known, a record for each process;
/// and what has no place in records.
///
/// A record holds whole nanoseconds of a batch, so of iterations that are not known, or times
/// that are rounded away, there is no record.
pub fn to_records(measurements: &[Measurement]) -> (Vec<Record>, Vec<String>) {
    let mut left_out = LeftOut::default();
    let mut records = Vec::new();
    for measurement in measurements {
        let (Some(case), Values::Processes(processes)) = (&measurement.case, &measurement.values)
        else {
            left_out.add("a record holds samples of a group, series and input");
            continue;
        };
        if measurement.metric != Quantity::Known(Metric::Time) {
            left_out.add("a record holds counts only as they were counted here");
            continue;
        }
        let mut elements = measurement.throughput.iter();
        let elements = elements.find(|amount| amount.unit == "elements");
        for process in processes {
            let samples: Option<Vec<Sample>> = process.samples.iter().map(sample).collect();
            let Some(samples) = samples else {
                left_out.add("a record holds whole nanoseconds of known iterations");
                break;
            };
            records.push(Record {
                case: case.clone(),
                process: process.process,
                samples,
                elements: elements.map_or(1, |amount| amount.amount as u64),
                allocations: None,
                counters: None,
                threads: None,
                took_ms: None,
                status: Status::Ok,
            });
        }
    }
    (records, left_out.warnings())
}

/// The batch, where rounding its time changes less than a thousandth.
fn sample(batch: &Batch) -> Option<Sample> {
    let iterations = batch.iterations?;
    let total = batch.value * iterations as f64;
    let elapsed_ns = total.round();
    ((elapsed_ns - total).abs() <= total / 1e3).then_some(Sample {
        iterations,
        elapsed_ns: elapsed_ns as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Counted;
    use crate::stats;

    fn record(process: u32, status: Status) -> Entry {
        Entry::Case(Record {
            case: case(),
            process,
            samples: [(10, 1_005), (20, 2_020)]
                .map(|(iterations, elapsed_ns)| Sample {
                    iterations,
                    elapsed_ns,
                })
                .to_vec(),
            elements: 10,
            allocations: Some(Allocations {
                iterations: 8,
                count: 16,
                reallocations: 0,
                bytes: 80,
                peak_bytes: 40,
                held_bytes: 0,
            }),
            counters: None,
            threads: Some(1),
            took_ms: None,
            status,
        })
    }

    fn case() -> CaseId {
        CaseId {
            group: "g".to_owned(),
            series: "s/t".to_owned(),
            input: "1".to_owned(),
        }
    }

    #[test]
    fn each_figure_of_a_case_is_a_measurement() {
        let counted = Entry::Counted(Counted {
            case: case(),
            instructions: 77,
        });
        let entries = [record(2, Status::Ok), counted, record(1, Status::Ok)];
        let (found, warnings) = from_entries(&entries);
        let shown: Vec<(String, Option<f64>)> = found
            .iter()
            .map(|one| (one.metric.to_string(), stats::median(&one.by_process())))
            .collect();
        let expected = [
            ("time", 100.75),
            ("instructions", 77.0),
            ("allocations", 2.0),
            ("bytes", 10.0),
            ("peak", 40.0),
        ];
        assert_eq!(
            shown,
            expected.map(|(metric, value)| (metric.to_owned(), Some(value)))
        );
        assert_eq!(found[0].id, "g/s/t/1");
        assert_eq!(found[1].by_process().len(), 1);
        assert!(warnings.is_empty());
    }

    #[test]
    fn cases_come_in_order_of_definition() {
        let info = |group: &str| {
            let json = serde_json::json!({
                "group": group, "section": "", "question": "", "work": "", "baseline": null,
                "axis": "", "unit": "", "per_element": false, "growth": false, "suite": "",
                "cases": [["s/t", "2"], ["s/t", "1"]],
            });
            Entry::Group(serde_json::from_value(json).unwrap())
        };
        let second = |input: &str| match record(1, Status::Ok) {
            Entry::Case(mut record) => {
                record.case.input = input.to_owned();
                Entry::Case(record)
            }
            _ => panic!("a case"),
        };
        let entries = [info("g"), second("3"), record(1, Status::Ok), second("2")];
        let (found, _) = from_entries(&entries);
        let times = found.iter().filter(|one| one.is_time());
        let ids: Vec<&str> = times.map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["g/s/t/2", "g/s/t/1", "g/s/t/3"]);
    }

    #[test]
    fn failed_case_is_said_and_has_no_figures() {
        let entries = [
            record(1, Status::Ok),
            record(2, Status::Failed("boom".to_owned())),
        ];
        let (found, warnings) = from_entries(&entries);
        assert!(found.is_empty());
        assert_eq!(warnings, ["case `g/s/t/1` failed: boom"]);
    }

    /// Samples, processes and elements come back; counts do not, which a record holds together.
    #[test]
    fn times_become_the_records_that_they_came_from() {
        let entries = [record(1, Status::Ok), record(2, Status::Ok)];
        let (measurements, _) = from_entries(&entries);
        let (records, warnings) = to_records(&measurements);
        assert_eq!(warnings.len(), 1);
        let expected = entries.map(|entry| match entry {
            Entry::Case(record) => Record {
                allocations: None,
                threads: None,
                ..record
            },
            _ => panic!("a case"),
        });
        assert_eq!(records, expected);
    }

    #[test]
    fn times_that_records_would_round_away_are_left_out() {
        let (mut measurements, _) = from_entries(&[record(1, Status::Ok)]);
        measurements.truncate(1);
        let Values::Processes(processes) = &mut measurements[0].values else {
            panic!("samples");
        };
        processes[0].samples[0] = Batch {
            value: 0.3,
            iterations: Some(1),
        };
        let (records, warnings) = to_records(&measurements);
        assert!(records.is_empty());
        assert!(warnings[0].contains("whole nanoseconds"), "{warnings:?}");
    }
}
