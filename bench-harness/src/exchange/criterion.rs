//! The files that criterion 0.3 to 0.8 keeps for each benchmark and baseline.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::json::At;
use super::reader::{ReadError, Reader};
use super::{
    Amount, Batch, Figure, Found, LeftOut, Measurement, Statistic, Summary, Values, Written,
    one_process,
};
use crate::gate::Metric;
use crate::record::CaseId;
use crate::stats;

/// The texts of one baseline's files.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    /// The folder, for messages.
    pub file: String,
    /// `benchmark.json`.
    pub benchmark: String,
    /// `sample.json`, where it is there.
    pub sample: Option<String>,
    /// `estimates.json`, where it is there.
    pub estimates: Option<String>,
}

/// Names of the statistics: of criterion 0.3.4 and newer, and of older ones.
const ESTIMATES: [(Statistic, &str, &str); 5] = [
    (Statistic::Mean, "mean", "Mean"),
    (Statistic::Median, "median", "Median"),
    (Statistic::MedianDeviation, "median_abs_dev", "MedianAbsDev"),
    (Statistic::Slope, "slope", "Slope"),
    (Statistic::Deviation, "std_dev", "StdDev"),
];

/// Samples where there are some, else the estimates.
pub(super) fn read(folder: &Folder) -> Result<Found, ReadError> {
    let file = format!("{}/benchmark.json", folder.file);
    let about = Reader::new(&file);
    let json = about.json(&folder.benchmark)?;
    let benchmark = Benchmark::read(&about.root(&json))?;
    let (name, text) = match (&folder.sample, &folder.estimates) {
        (Some(sample), _) => ("sample.json", sample),
        (None, Some(estimates)) => ("estimates.json", estimates),
        (None, None) => {
            return Err(
                about.fault("stands alone: neither sample.json nor estimates.json is there")
            );
        }
    };
    let file = format!("{}/{name}", folder.file);
    let reader = Reader::new(&file);
    let json = reader.json(text)?;
    let root = reader.root(&json);
    let values = match folder.sample {
        Some(_) => one_process(samples(&root)?),
        None => Values::Summary(estimates(&root)?),
    };
    root.push(benchmark.measurement(values))?;
    reader.finish()
}

/// Parallel lists of iterations and total times; a pair of lists before criterion 0.3.3.
fn samples(root: &At<'_>) -> Result<Vec<Batch>, ReadError> {
    let (iterations, times) = match root.list() {
        Ok(pair) => match &pair[..] {
            [iterations, times] => (iterations.clone(), times.clone()),
            _ => return Err(root.fault("is no pair of iterations and times")),
        },
        Err(_) => {
            root.known(&["sampling_mode", "iters", "times"])?;
            (root.need("iters")?, root.need("times")?)
        }
    };
    batches(&iterations, &times)
}

/// Samples from iterations and the total of each, which cargo-criterion calls its values.
pub(super) fn batches(iterations: &At<'_>, totals: &At<'_>) -> Result<Vec<Batch>, ReadError> {
    let (counts, values) = (iterations.list()?, totals.list()?);
    if counts.len() != values.len() {
        return Err(totals.fault(&format!(
            "{} iteration counts and {} times",
            counts.len(),
            values.len()
        )));
    }
    let samples = counts.iter().zip(&values).map(|(count, total)| {
        let iterations = count.count()?;
        if iterations == 0 {
            return Err(count.fault("a sample of 0 iterations"));
        }
        Ok(Batch {
            value: total.number()? / iterations as f64,
            iterations: Some(iterations),
        })
    });
    samples.collect()
}

/// Every statistic with its interval.
pub(super) fn estimates(root: &At<'_>) -> Result<Summary, ReadError> {
    let names: Vec<&str> = ESTIMATES
        .iter()
        .flat_map(|(_, new, old)| [*new, *old])
        .collect();
    root.known(&names)?;
    let mut figures = BTreeMap::new();
    for (statistic, new, old) in ESTIMATES {
        let Some(estimate) = root.get(new).or_else(|| root.get(old)) else {
            continue;
        };
        estimate.known(&["confidence_interval", "point_estimate", "standard_error"])?;
        let interval = estimate.need("confidence_interval")?;
        let figure = Figure {
            point: estimate.need("point_estimate")?.number()?,
            low: Some(interval.need("lower_bound")?.number()?),
            high: Some(interval.need("upper_bound")?.number()?),
            confidence: interval.optional("confidence_level")?,
            standard_error: estimate.optional("standard_error")?,
        };
        figures.insert(statistic, figure);
    }
    if figures.is_empty() {
        return Err(root.fault("holds no estimates"));
    }
    Ok(Summary {
        figures,
        samples: None,
    })
}

/// What criterion knows of a benchmark.
pub(super) struct Benchmark {
    id: String,
    case: CaseId,
    throughput: Vec<Amount>,
}

impl Benchmark {
    pub(super) fn read(root: &At<'_>) -> Result<Self, ReadError> {
        root.known(&[
            "group_id",
            "function_id",
            "value_str",
            "throughput",
            "full_id",
            "directory_name",
            "title",
        ])?;
        let part = |name: &str| match root.get(name) {
            Some(part) => Ok(part.text()?.to_owned()),
            None => Ok(String::new()),
        };
        let case = CaseId {
            group: root.need("group_id")?.text()?.to_owned(),
            series: part("function_id")?,
            input: part("value_str")?,
        };
        let id = root.need("full_id")?.text()?.to_owned();
        let mut throughput = Vec::new();
        if let Some(found) = root.get("throughput") {
            for (variant, value) in found.entries()? {
                amounts(variant, &value, &mut throughput)?;
            }
        }
        Ok(Self {
            id,
            case,
            throughput,
        })
    }

    pub(super) fn measurement(self, values: Values) -> Measurement {
        let mut measurement = Measurement::new(self.id, Metric::Time, values);
        measurement.case = Some(self.case);
        measurement.throughput = self.throughput;
        measurement
    }
}

fn amounts(variant: &str, value: &At<'_>, found: &mut Vec<Amount>) -> Result<(), ReadError> {
    let unit = match variant {
        "Bits" => "bits",
        "Bytes" => "bytes",
        "BytesDecimal" => "bytes_decimal",
        "Elements" => "elements",
        "ElementsAndBytes" => {
            for (unit, value) in value.entries()? {
                let amount = value.number()?;
                let unit = unit.to_owned();
                found.push(Amount { amount, unit });
            }
            return Ok(());
        }
        _ => {
            value.warn(&format!(
                "throughput in `{variant}` is not known and left out"
            ));
            return Ok(());
        }
    };
    // critcmp writes null for what is not there, others a number that the file cannot hold.
    if value.is_number() {
        found.push(Amount {
            amount: value.number()?,
            unit: unit.to_owned(),
        });
    }
    Ok(())
}

/// What `benchmark.json` and critcmp hold of a benchmark.
pub(super) fn benchmark(measurement: &Measurement, directory: &str) -> Value {
    let case = measurement.case.clone().unwrap_or_else(|| CaseId {
        group: measurement.id.clone(),
        series: String::new(),
        input: String::new(),
    });
    let part = |part: String| (!part.is_empty()).then_some(part);
    let id = &measurement.id;
    let mut title: String = id.clone();
    if id.len() > 100 {
        let end = (0..=100).rev().find(|&end| id.is_char_boundary(end));
        title = format!("{}...", &id[..end.unwrap_or(0)]);
    }
    json!({
        "group_id": case.group,
        "function_id": part(case.series),
        "value_str": part(case.input),
        "throughput": throughput(&measurement.throughput),
        "full_id": id,
        "directory_name": directory,
        "title": title,
    })
}

fn throughput(amounts: &[Amount]) -> Option<Value> {
    let find = |unit: &str| amounts.iter().find(|amount| amount.unit == unit);
    let whole = |amount: &Amount| amount.amount as u64;
    if let (Some(elements), Some(bytes)) = (find("elements"), find("bytes")) {
        return Some(json!({
            "ElementsAndBytes": { "elements": whole(elements), "bytes": whole(bytes) }
        }));
    }
    let variants = [
        ("elements", "Elements"),
        ("bytes", "Bytes"),
        ("bytes_decimal", "BytesDecimal"),
        ("bits", "Bits"),
    ];
    variants
        .iter()
        .find_map(|(unit, variant)| Some(json!({ *variant: whole(find(unit)?) })))
}

/// Files below criterion's folder, for a baseline of this name.
pub(super) fn write(baseline: &str, measurements: &[Measurement]) -> Written {
    let mut left_out = LeftOut::default();
    let mut written = Written::default();
    let mut taken = HashSet::new();
    let mut pooled = false;
    for measurement in measurements {
        if !measurement.is_time() {
            left_out.add("criterion holds times only");
            continue;
        }
        let Values::Processes(processes) = &measurement.values else {
            left_out.add("criterion's folder holds samples, not summaries");
            continue;
        };
        pooled |= processes.len() > 1;
        let samples: Vec<Batch> = measurement.samples().copied().collect();
        let directory = directory(measurement, &mut taken);
        let mut file = |name: &str, value: &Value| {
            let path = format!("{directory}/{}/{name}.json", safe(baseline));
            written.parts.push((path, value.to_string()));
        };
        file("benchmark", &benchmark(measurement, &directory));
        file("sample", &sample(&samples));
        file("estimates", &statistics(&estimated(&samples)));
        file("tukey", &json!(fences(&samples)));
    }
    written.warnings = left_out.warnings();
    if pooled {
        written.warnings.push(
            "criterion knows one process: the samples of several follow one another".to_owned(),
        );
    }
    written
}

fn sample(samples: &[Batch]) -> Value {
    let iterations: Vec<f64> = samples.iter().map(count).collect();
    let times: Vec<f64> = samples.iter().map(|one| one.value * count(one)).collect();
    let mode = match is_linear(samples) {
        true => "Linear",
        false => "Flat",
    };
    json!({ "sampling_mode": mode, "iters": iterations, "times": times })
}

/// Where nothing is said of iterations, the value is that of one.
fn count(sample: &Batch) -> f64 {
    sample.iterations.unwrap_or(1) as f64
}

/// Whether each sample has as many iterations more as the first has.
fn is_linear(samples: &[Batch]) -> bool {
    let first = samples.first().map_or(1.0, count);
    samples.len() > 1
        && (1..)
            .zip(samples)
            .all(|(at, one)| count(one) == first * f64::from(at))
}

/// The names of the folders, made as criterion makes them.
fn directory(measurement: &Measurement, taken: &mut HashSet<String>) -> String {
    let parts = match &measurement.case {
        Some(case) => vec![&case.group, &case.series, &case.input],
        None => vec![&measurement.id],
    };
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| safe(part))
        .collect();
    let name = parts.join("/");
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    let free = names.find(|name| taken.insert(name.clone()));
    free.expect("numbers go on")
}

/// A name that stays below its folder.
fn safe(name: &str) -> String {
    let forbidden = |c: char| c.is_control() || "?\"/\\*<>:|^".contains(c);
    let mut name = name.replace(forbidden, "_");
    let end = (0..=64).rev().find(|&end| name.is_char_boundary(end));
    name.truncate(end.unwrap_or(0));
    match name.chars().all(|c| c == '.') {
        true => "_".repeat(name.len().max(1)),
        false => name,
    }
}

/// Resamples for an interval. Criterion takes 100 000, and shows three digits of them.
const RESAMPLES: usize = 1_000;

/// What criterion computes from samples: percentile bootstrap, seeded.
pub(super) fn estimated(samples: &[Batch]) -> Summary {
    let linear = is_linear(samples);
    let statistics: Vec<Statistic> = ESTIMATES
        .iter()
        .map(|(statistic, ..)| *statistic)
        .filter(|statistic| *statistic != Statistic::Slope || linear)
        .collect();
    let points = compute(&statistics, samples);
    let mut random = oorandom::Rand32::new(1);
    let mut drawn = vec![Vec::with_capacity(RESAMPLES); statistics.len()];
    let mut resample = samples.to_vec();
    for _ in 0..RESAMPLES {
        for place in &mut resample {
            *place = samples[random.rand_range(0..samples.len() as u32) as usize];
        }
        let values = compute(&statistics, &resample);
        drawn
            .iter_mut()
            .zip(values)
            .for_each(|(list, value)| list.push(value));
    }
    let figures = statistics.iter().zip(points).zip(&mut drawn);
    let figures = figures.map(|((statistic, point), drawn)| {
        drawn.sort_by(f64::total_cmp);
        let mean = drawn.iter().sum::<f64>() / RESAMPLES as f64;
        let spread = drawn
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>();
        let tail = RESAMPLES / 40;
        let figure = Figure {
            point,
            low: Some(drawn[tail]),
            high: Some(drawn[RESAMPLES - 1 - tail]),
            confidence: Some(stats::CONFIDENCE),
            standard_error: Some((spread / (RESAMPLES - 1) as f64).sqrt()),
        };
        (*statistic, figure)
    });
    Summary {
        figures: figures.collect(),
        samples: Some(samples.len() as u64),
    }
}

fn compute(statistics: &[Statistic], samples: &[Batch]) -> Vec<f64> {
    let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let median = stats::median(&values).unwrap_or(mean);
    let computed = statistics.iter().map(|statistic| match statistic {
        Statistic::Median => median,
        Statistic::Deviation => {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            (squares / (values.len().max(2) - 1) as f64).sqrt()
        }
        Statistic::MedianDeviation => {
            let deviations: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
            // Criterion makes it comparable with a standard deviation.
            stats::median(&deviations).unwrap_or(0.0) * 1.4826
        }
        Statistic::Slope => {
            let products: f64 = samples
                .iter()
                .map(|one| one.value * count(one).powi(2))
                .sum();
            products / samples.iter().map(|one| count(one).powi(2)).sum::<f64>()
        }
        _ => mean,
    });
    computed.collect()
}

/// `estimates.json` of what a summary holds.
pub(super) fn statistics(summary: &Summary) -> Value {
    let estimates = ESTIMATES.iter().map(|(statistic, name, _)| {
        let estimate = summary.figures.get(statistic).map(|figure| {
            json!({
                "confidence_interval": {
                    "confidence_level": figure.confidence,
                    "lower_bound": figure.low,
                    "upper_bound": figure.high,
                },
                "point_estimate": figure.point,
                "standard_error": figure.standard_error,
            })
        });
        ((*name).to_owned(), json!(estimate))
    });
    Value::Object(estimates.collect())
}

/// Whether a summary holds everything that criterion's readers demand.
pub(super) fn is_complete(summary: &Summary) -> bool {
    let demanded = ESTIMATES
        .iter()
        .filter(|(statistic, ..)| *statistic != Statistic::Slope);
    demanded.into_iter().all(|(statistic, ..)| {
        summary.figures.get(statistic).is_some_and(|figure| {
            figure.low.is_some()
                && figure.high.is_some()
                && figure.confidence.is_some()
                && figure.standard_error.is_some()
        })
    })
}

/// Tukey's fences: low severe, low mild, high mild, high severe.
fn fences(samples: &[Batch]) -> [f64; 4] {
    let mut values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
    values.sort_by(f64::total_cmp);
    let quantile = |part: f64| {
        let place = part * (values.len() - 1) as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        values[below] + (values[above] - values[below]) * place.fract()
    };
    let (first, third) = (quantile(0.25), quantile(0.75));
    let range = third - first;
    [
        first - 3.0 * range,
        first - 1.5 * range,
        third + 1.5 * range,
        third + 3.0 * range,
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tests::samples as values;
    use super::super::{Format, Process, read_criterion, write};
    use super::*;

    const BENCHMARK: &str = r#"{"group_id":"DAG Construct","function_id":"box/ed","value_str":"100",
        "throughput":{"Elements":100},"full_id":"DAG Construct/box/ed/100",
        "directory_name":"DAG Construct/box_ed/100","title":"DAG Construct/box/ed/100"}"#;

    fn folder(sample: Option<&str>, estimates: Option<&str>) -> Folder {
        Folder {
            file: "c/new".to_owned(),
            benchmark: BENCHMARK.to_owned(),
            sample: sample.map(str::to_owned),
            estimates: estimates.map(str::to_owned),
        }
    }

    #[track_caller]
    fn found(folder: Folder) -> Measurement {
        read(&folder).unwrap().measurements.remove(0)
    }

    #[test]
    fn samples_of_every_layout_are_read() {
        let new = r#"{"sampling_mode":"Linear","iters":[1.0,2.0],"times":[197.0,398.0]}"#;
        let no_mode = r#"{"iters":[1.0,2.0],"times":[197.0,398.0]}"#;
        let pair = "[[1.0,2.0],[197.0,398.0]]";
        for text in [new, no_mode, pair] {
            let found = found(folder(Some(text), None));
            assert_eq!(values(&found), [[197.0, 199.0]], "{text}");
            assert_eq!(found.id, "DAG Construct/box/ed/100");
            assert_eq!(found.case.unwrap().series, "box/ed");
            assert_eq!(found.throughput[0].amount, 100.0);
        }
    }

    #[test]
    fn estimates_of_every_layout_are_a_summary() {
        let one = r#"{"confidence_interval":{"confidence_level":0.95,"lower_bound":1.0,"upper_bound":3.0},"point_estimate":2.0,"standard_error":0.5}"#;
        let new = format!(r#"{{"mean":{one},"median":{one},"slope":null}}"#);
        let old = format!(r#"{{"Mean":{one},"Median":{one}}}"#);
        for text in [new, old] {
            let Values::Summary(summary) = found(folder(None, Some(&text))).values else {
                panic!("a summary");
            };
            assert_eq!(summary.figures.len(), 2);
            assert_eq!(summary.centre().unwrap().high, Some(3.0));
        }
    }

    #[test]
    fn throughput_of_two_kinds_is_kept() {
        let mut folder = folder(Some("[[1.0],[2.0]]"), None);
        folder.benchmark = BENCHMARK.replace(
            r#"{"Elements":100}"#,
            r#"{"ElementsAndBytes":{"elements":3,"bytes":4}}"#,
        );
        let found = found(folder);
        assert_eq!(found.throughput.len(), 2);
        let again = throughput(&found.throughput).unwrap();
        assert_eq!(
            again,
            json!({"ElementsAndBytes": {"elements": 3, "bytes": 4}})
        );
    }

    /// Ids, parts, throughput and samples come back, those of several processes as one.
    #[test]
    fn what_is_written_is_read_as_the_same_samples() {
        let mut first = found(folder(
            Some(r#"{"iters":[4.0,8.0,12.0],"times":[6.0,16.0,21.0]}"#),
            None,
        ));
        let mut second = first.clone();
        second.id = "../..".to_owned();
        second.case = None;
        let written = write(
            Format::Criterion,
            "../main",
            &[first.clone(), second.clone()],
        );
        let written = written.unwrap();
        let paths: Vec<&str> = written
            .parts
            .iter()
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(paths[0], "DAG Construct/box_ed/100/.._main/benchmark.json");
        assert_eq!(paths[4], ".._../.._main/benchmark.json");
        let text = |at: usize| written.parts[at].1.clone();
        let folders = [0, 4].map(|at| Folder {
            file: String::new(),
            benchmark: text(at),
            sample: Some(text(at + 1)),
            estimates: Some(text(at + 2)),
        });
        let again = read_criterion("home", &folders).unwrap().measurements;
        second.case = again[1].case.clone();
        assert_eq!(again, [first.clone(), second]);
        assert_eq!(again[1].case.as_ref().unwrap().group, "../..");

        let Values::Processes(processes) = &mut first.values else {
            panic!("samples");
        };
        let again = Process {
            process: 2,
            ..processes[0].clone()
        };
        processes.push(again);
        let warnings = write(Format::Criterion, "x", &[first]).unwrap().warnings;
        assert!(warnings[0].contains("one process"), "{warnings:?}");
    }

    #[test]
    fn estimates_are_those_that_criterion_defines() {
        let samples: Vec<Batch> = [(1, 10.0), (2, 12.0), (3, 11.0)]
            .map(|(iterations, value)| Batch {
                value,
                iterations: Some(iterations),
            })
            .to_vec();
        let summary = estimated(&samples);
        let point = |statistic| summary.point(statistic).unwrap();
        assert_eq!(point(Statistic::Mean), 11.0);
        assert_eq!(point(Statistic::Median), 11.0);
        assert_eq!(point(Statistic::Deviation), 1.0);
        assert_eq!(point(Statistic::MedianDeviation), 1.4826);
        // (1 * 10 + 2 * 24 + 3 * 33) / (1 + 4 + 9)
        assert!((point(Statistic::Slope) - 157.0 / 14.0).abs() < 1e-12);
        let mean = summary.figures[&Statistic::Mean];
        assert_eq!((mean.low, mean.high), (Some(10.0), Some(12.0)));
        assert_eq!(fences(&samples), [7.5, 9.0, 13.0, 14.5]);
    }

    #[test]
    fn interval_of_the_mean_is_that_of_the_normal_distribution() {
        let mut random = oorandom::Rand64::new(7);
        let mut normal = || (0..12).map(|_| random.rand_float()).sum::<f64>() - 6.0;
        let samples: Vec<Batch> = (0..100)
            .map(|_| Batch {
                value: 100.0 + normal(),
                iterations: None,
            })
            .collect();
        let mean = estimated(&samples).figures[&Statistic::Mean];
        // 1.96 / sqrt(100) on both sides; a thousand resamples give a tenth of that.
        assert!(
            (mean.high.unwrap() - mean.low.unwrap() - 0.392).abs() < 0.08,
            "{mean:?}"
        );
    }

    #[track_caller]
    fn check_refused(folder: &Folder, reason: &str) {
        let error = read(folder).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        check_refused(&folder(None, None), "stands alone");
        check_refused(&folder(Some(r#"{"iters":[1.0]"#), None), "sample.json:1: ");
        check_refused(
            &folder(Some(r#"{"iters":[1.0],"times":[1.0,2.0]}"#), None),
            "at /times: 1 iteration counts and 2 times",
        );
        check_refused(
            &folder(Some(r#"{"iters":[0.0],"times":[1.0]}"#), None),
            "at /iters/0: ",
        );
        check_refused(
            &folder(Some(r#"{"iters":[1.0],"times":[-1.0]}"#), None),
            "negative",
        );
        check_refused(
            &folder(Some(r#"{"iters":[],"times":[]}"#), None),
            "no values",
        );
        let mut nameless = folder(Some("[[1.0],[2.0]]"), None);
        nameless.benchmark = r#"{"group_id":"x"}"#.to_owned();
        check_refused(&nameless, "benchmark.json: has no `full_id`");
        let twice = [
            folder(Some("[[1.0],[2.0]]"), None),
            folder(Some("[[1.0],[2.0]]"), None),
        ];
        let error = read_criterion("home", &twice).unwrap_err().to_string();
        assert!(error.contains("stands twice below home"), "{error}");
    }
}
