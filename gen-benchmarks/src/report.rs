//! From records to what the report says: estimates, ratios and growth, all computed.
//!
//! Everything here is a pure function of the records, so the same records give the same report.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use anyhow::{Result, bail};
use bench_harness::record::{
    CaseId, Counting, Entry, GroupInfo, PlannedGroup, Profiled, Record, RunInfo, Status,
};
use bench_harness::stats::{self, Estimate};

use crate::foreign;
use crate::targets::Judged;

/// Folder of charts and record, below the folder of the report.
pub(crate) const ASSETS: &str = "assets";

/// The record that the report was rendered from, in [`ASSETS`].
pub(crate) const RECORD: &str = "benchmarks.jsonl";

/// What the names of our charts begin with.
pub(crate) const CHART_PREFIX: &str = "bench-";

/// Everything the pages are written from.
pub(crate) struct Report {
    pub(crate) run: RunInfo,
    /// How instructions were counted; `None` where the record does not say.
    pub(crate) counting: Option<Counting>,
    pub(crate) groups: Vec<Table>,
    /// The probability that an interval covers the true median.
    pub(crate) confidence: f64,
    /// What became of the targets of the policy; empty until they are judged.
    pub(crate) targets: Vec<Judged>,
    /// What cases spend their time on, of those that were asked for.
    pub(crate) profiles: Vec<Profiled>,
}

/// One group: the rows of its table.
pub(crate) struct Table {
    pub(crate) info: GroupInfo,
    /// Whether its series only stand together, because nobody put them into a group: they may do
    /// different things, so none is the fastest.
    pub(crate) unrelated: bool,
    /// In order of definition.
    pub(crate) series: Vec<String>,
    /// Ascending where all are numbers, otherwise in order of definition.
    pub(crate) inputs: Vec<String>,
    /// By input, then by series.
    pub(crate) rows: Vec<Row>,
    /// Whether the inputs are positions on a numeric axis.
    is_numeric: bool,
    at: HashMap<String, At>,
    /// Where the rows of each series are, by input.
    of_series: HashMap<String, Vec<usize>>,
}

/// An input of a table: where its rows are, and how they compare.
struct At {
    /// Its place among the inputs.
    place: usize,
    rows: Range<usize>,
    of_series: HashMap<String, usize>,
    /// The measured rows, fastest first.
    ranking: Vec<usize>,
    /// The same without those that bound the others.
    choices: Vec<usize>,
    /// See [`Table::fastest`].
    fastest: Option<Vec<usize>>,
}

/// One case over all its processes.
pub(crate) struct Row {
    /// What it is called everywhere but in this table.
    pub(crate) case: CaseId,
    pub(crate) series: String,
    pub(crate) input: String,
    pub(crate) outcome: Outcome,
}

/// What became of a case.
pub(crate) enum Outcome {
    Measured(Measured),
    Failed(String),
}

/// The figures of a case, of one iteration or one element as its group says.
pub(crate) struct Measured {
    /// Nanoseconds, of each process in order.
    pub(crate) processes: Vec<(u32, f64)>,
    /// Nanoseconds.
    pub(crate) time: Estimate,
    /// Instructions, where they were counted; of the processor the median over the processes.
    pub(crate) instructions: Option<f64>,
    /// What the time handles: 1 where it is that of one element.
    pub(crate) elements: u64,
    /// What is allocated; medians over the processes.
    pub(crate) allocations: Option<Counted>,
    /// How many elements the held bytes belong to: those of an iteration.
    pub(crate) held_elements: u64,
    /// Most threads that any process was seen to have at once.
    pub(crate) threads: Option<u64>,
}

/// Allocations; the peak and what is held are always those of an iteration.
#[derive(Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) count: f64,
    pub(crate) bytes: f64,
    pub(crate) peak_bytes: f64,
    pub(crate) held_bytes: f64,
}

impl Report {
    /// Computes a report from the entries of a record file.
    pub(crate) fn new(entries: &[Entry]) -> Result<Self> {
        let gathered = foreign::gathered(entries);
        let mut entries = gathered.entries.iter();
        let Some(Entry::Run(run)) = entries.next() else {
            bail!("the record does not begin with a run; measure one with `gen-benchmarks run`");
        };
        let mut planned = Vec::new();
        let mut records: HashMap<&CaseId, Vec<&Record>> = HashMap::new();
        let mut counted: HashMap<&CaseId, u64> = HashMap::new();
        let mut counting = None;
        let mut profiles = Vec::new();
        for entry in entries {
            match entry {
                Entry::Group(group) => planned.push(group),
                Entry::Case(record) => records.entry(&record.case).or_default().push(record),
                Entry::Counted(one) => {
                    counted.insert(&one.case, one.instructions);
                }
                Entry::Counting(how) => counting = Some(how.clone()),
                Entry::Profiled(one) => profiles.push(one.clone()),
                _ => bail!("the record holds a second run; render one run at a time"),
            }
        }
        let mut groups = planned
            .into_iter()
            .map(|group| Table::new(group, &mut records, &counted, run.processes))
            .collect::<Result<Vec<_>>>()?;
        for table in &mut groups {
            table.unrelated = gathered.unrelated.contains(&table.info.group);
            for row in &mut table.rows {
                if let Some(case) = gathered.named.get(&row.case) {
                    row.case = case.clone();
                }
            }
        }
        if let Some(stray) = records.keys().min() {
            bail!("the record holds case `{stray}`, which none of its groups announces");
        }
        // Files may take turns at a section; the page has each once.
        let mut sections: HashMap<String, usize> = HashMap::new();
        for table in &groups {
            let next = sections.len();
            sections.entry(table.info.section.clone()).or_insert(next);
        }
        groups.sort_by_key(|table: &Table| sections[&table.info.section]);
        if groups.is_empty() {
            bail!("the record holds no groups; measure them with `gen-benchmarks run`");
        }
        let rows = groups.iter().flat_map(|table| &table.rows);
        let confidence = rows
            .filter_map(Row::measured)
            .map(|measured| measured.time.confidence)
            .fold(1.0, f64::min);
        Ok(Self {
            run: (**run).clone(),
            counting,
            groups,
            confidence,
            targets: Vec::new(),
            profiles,
        })
    }

    /// Cases without figures, and why.
    pub(crate) fn failed(&self) -> impl Iterator<Item = (CaseId, &str)> {
        self.groups.iter().flat_map(|table| {
            table.rows.iter().filter_map(|row| match &row.outcome {
                Outcome::Failed(reason) => Some((row.case.clone(), reason.as_str())),
                Outcome::Measured(_) => None,
            })
        })
    }

    /// Whether the instructions of any case are known.
    pub(crate) fn has_instructions(&self) -> bool {
        self.groups.iter().any(Table::has_instructions)
    }

    /// Whether any group is written with our crate, which counts and checks, or where none is
    /// measured, may be.
    pub(crate) fn has_counts(&self) -> bool {
        !self.is_foreign()
            || self
                .groups
                .iter()
                .any(|table| table.is_counted() == Some(true))
    }

    /// Whether any group is criterion's own, of which nobody knows more than the time.
    pub(crate) fn is_foreign(&self) -> bool {
        self.groups
            .iter()
            .any(|table| table.is_counted() == Some(false))
    }
}

impl Table {
    /// What a time is the time of: `an iteration`, or `a node`.
    pub(crate) fn of(&self) -> String {
        match self.info.per_element {
            true => self.element(),
            false => "an iteration".to_owned(),
        }
    }

    /// One element with its article: `a node`, `an event`.
    pub(crate) fn element(&self) -> String {
        let unit = &self.info.unit;
        match unit.starts_with(['a', 'e', 'i', 'o', 'u']) {
            true => format!("an {unit}"),
            false => format!("a {unit}"),
        }
    }

    fn new(
        group: &PlannedGroup,
        records: &mut HashMap<&CaseId, Vec<&Record>>,
        counted: &HashMap<&CaseId, u64>,
        processes: u32,
    ) -> Result<Self> {
        let (mut series, mut inputs): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        let mut place_of: HashMap<&String, usize> = HashMap::new();
        let mut announced: HashMap<&String, BTreeSet<usize>> = HashMap::new();
        for (one, input) in &group.cases {
            let next = series.len();
            let place = *place_of.entry(one).or_insert(next);
            if place == next {
                series.push(one.clone());
            }
            let of_input = announced.entry(input).or_default();
            if of_input.is_empty() {
                inputs.push(input.clone());
            }
            of_input.insert(place);
        }
        if inputs.iter().all(|input| number(input).is_some()) {
            inputs.sort_by(|one, other| number(one).partial_cmp(&number(other)).expect("numbers"));
        }
        let mut rows = Vec::with_capacity(group.cases.len());
        let mut at = HashMap::new();
        let mut of_series: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, input) in inputs.iter().enumerate() {
            let start = rows.len();
            let mut of_input = HashMap::new();
            for &one in &announced[input] {
                let one = &series[one];
                of_input.insert(one.clone(), rows.len());
                of_series.entry(one.clone()).or_default().push(rows.len());
                let id = CaseId {
                    group: group.info.group.clone(),
                    series: one.clone(),
                    input: input.clone(),
                };
                let records = records.remove(&id).unwrap_or_default();
                let per_element = group.info.per_element;
                let counted = counted.get(&id).copied();
                let Some(outcome) = Outcome::new(&records, counted, processes, per_element) else {
                    bail!(
                        "case `{id}` has records of {} of {processes} processes; complete them with --resume",
                        records.len()
                    );
                };
                rows.push(Row {
                    case: id,
                    series: one.clone(),
                    input: input.clone(),
                    outcome,
                });
            }
            let range = start..rows.len();
            let ranking = ranking(&rows, range.clone());
            let mut choices = ranking.clone();
            choices.retain(|&row| !group.info.bounds.contains(&rows[row].series));
            let here = At {
                place,
                rows: range,
                of_series: of_input,
                fastest: fastest(&rows, &choices),
                ranking,
                choices,
            };
            at.insert(input.clone(), here);
        }
        Ok(Self {
            info: group.info.clone(),
            unrelated: false,
            is_numeric: inputs.iter().all(|input| number(input).is_some()),
            series,
            inputs,
            rows,
            at,
            of_series,
        })
    }

    /// Whether the instructions of any case are known.
    pub(crate) fn has_instructions(&self) -> bool {
        let mut measured = self.rows.iter().filter_map(Row::measured);
        measured.any(|measured| measured.instructions.is_some())
    }

    /// Whether what is allocated is known of any case; `None` where all have failed.
    pub(crate) fn is_counted(&self) -> Option<bool> {
        let mut measured = self.rows.iter().filter_map(Row::measured).peekable();
        measured.peek()?;
        Some(measured.any(|measured| measured.allocations.is_some()))
    }

    /// Whether cases differ by an input.
    pub(crate) fn has_inputs(&self) -> bool {
        self.inputs.iter().any(|input| !input.is_empty())
    }

    /// The row of this series and input.
    pub(crate) fn row(&self, series: &str, input: &str) -> Option<&Row> {
        self.rows.get(*self.at.get(input)?.of_series.get(series)?)
    }

    /// The rows of this input, in order of definition.
    pub(crate) fn rows_at(&self, input: &str) -> &[Row] {
        match self.at.get(input) {
            Some(at) => &self.rows[at.rows.clone()],
            None => &[],
        }
    }

    /// The rows of this series, by input.
    pub(crate) fn rows_of(&self, series: &str) -> impl Iterator<Item = &Row> {
        let rows = self.of_series.get(series).into_iter().flatten();
        rows.map(|&row| &self.rows[row])
    }

    /// Where this input lies on an axis: at its number where all have one, at its place otherwise.
    pub(crate) fn position(&self, input: &str) -> Option<f64> {
        match self.is_numeric {
            true => number(input),
            false => Some(self.at.get(input)?.place as f64),
        }
    }

    /// The figures of this series and input.
    pub(crate) fn measured(&self, series: &str, input: &str) -> Option<&Measured> {
        self.row(series, input)?.measured()
    }

    /// The id of this series and input.
    pub(crate) fn case(&self, series: &str, input: &str) -> String {
        let row = self.row(series, input);
        row.map_or_else(String::new, |row| row.case.to_string())
    }

    /// Whether any case ran on more than one thread.
    pub(crate) fn is_parallel(&self) -> bool {
        let mut threads = self.rows.iter().filter_map(|row| row.measured()?.threads);
        threads.any(|threads| threads > 1)
    }

    /// Whether the result of any case holds memory.
    pub(crate) fn holds_memory(&self) -> bool {
        let mut counted = self
            .rows
            .iter()
            .filter_map(|row| row.measured()?.allocations);
        counted.any(|counted| counted.held_bytes > 0.0)
    }

    /// Whether the inputs are positions on a numeric axis.
    pub(crate) fn numeric(&self) -> bool {
        self.is_numeric
    }

    /// Time of `row` over the time of the baseline at the same input, where both were measured.
    pub(crate) fn ratio(&self, row: &Row) -> Option<Estimate> {
        let baseline = self.info.baseline.as_deref()?;
        ratio(row.measured()?, self.measured(baseline, &row.input)?)
    }

    /// What the ratio of `row` to the baseline says in words; nothing where there is none, or only
    /// one process.
    pub(crate) fn verdict(&self, row: &Row) -> Option<&'static str> {
        let ratio = self.ratio(row)?;
        match () {
            () if ratio.confidence <= 0.0 => None,
            () if ratio.high < 1.0 => Some("faster"),
            () if ratio.low > 1.0 => Some("slower"),
            () => Some("not told apart"),
        }
    }

    /// The series of least time at `input`, fastest first.
    pub(crate) fn ranking(
        &self,
        input: &str,
    ) -> impl ExactSizeIterator<Item = (&str, &Measured)> + Clone {
        let ranking = self.at.get(input).map_or(&[][..], |at| &at.ranking);
        ranking.iter().map(|&row| self.timed(row))
    }

    /// The same without those that bound the others.
    pub(crate) fn choices(
        &self,
        input: &str,
    ) -> impl ExactSizeIterator<Item = (&str, &Measured)> + Clone {
        let choices = self.at.get(input).map_or(&[][..], |at| &at.choices);
        choices.iter().map(|&row| self.timed(row))
    }

    fn timed(&self, row: usize) -> (&str, &Measured) {
        let row = &self.rows[row];
        let measured = row.measured().expect("only what was measured is ranked");
        (&row.series, measured)
    }

    /// Whether a series bounds the others, and is no choice itself.
    pub(crate) fn is_bound(&self, series: &str) -> bool {
        self.info.bounds.iter().any(|bound| bound == series)
    }

    /// Whether there is something to choose.
    pub(crate) fn has_choices(&self) -> bool {
        let series = self.series.iter();
        let choices = series.filter(|series| !self.is_bound(series)).count();
        choices > 1 && !self.unrelated
    }

    /// The choice at `input` that no other is measurably faster than; the one of least time first.
    ///
    /// `None` where cases ran in one process, which cannot tell what is faster.
    pub(crate) fn fastest(&self, input: &str) -> Option<Vec<&str>> {
        let Some(at) = self.at.get(input) else {
            return Some(Vec::new());
        };
        let fastest = at.fastest.as_ref()?.iter();
        Some(fastest.map(|&at| self.rows[at].series.as_str()).collect())
    }

    /// The exponent b of time = a * input^b for a series, with its interval over the processes.
    ///
    /// `None` where the inputs are no sizes or fewer than three were measured.
    pub(crate) fn growth(&self, series: &str) -> Option<Estimate> {
        if !(self.info.growth && self.numeric()) {
            return None;
        }
        let measured: Vec<(f64, &Measured)> = self
            .rows_of(series)
            .filter_map(|row| Some((number(&row.input)?, row.measured()?)))
            .collect();
        let first = &measured.first()?.1.processes;
        let exponents: Vec<f64> = first
            .iter()
            .filter_map(|&(process, _)| {
                let points: Option<Vec<(f64, f64)>> = measured
                    .iter()
                    .map(|(x, measured)| Some((*x, measured.of_process(process)?)))
                    .collect();
                stats::growth_exponent(&points?)
            })
            .collect();
        stats::estimate(&exponents)
    }
}

impl Row {
    /// The figures, unless the case failed.
    pub(crate) fn measured(&self) -> Option<&Measured> {
        match &self.outcome {
            Outcome::Measured(measured) => Some(measured),
            Outcome::Failed(_) => None,
        }
    }
}

impl Outcome {
    /// `None` where neither a failure nor every process is on record. `instructions` are those
    /// counted apart from the processes.
    fn new(
        records: &[&Record],
        instructions: Option<u64>,
        processes: u32,
        per_element: bool,
    ) -> Option<Self> {
        let failure = records.iter().find_map(|record| match &record.status {
            Status::Ok => None,
            Status::Failed(reason) => Some(reason.clone()),
        });
        if let Some(reason) = failure {
            return Some(Self::Failed(reason));
        }
        if records.len() != processes as usize {
            return None;
        }
        let elements = records[0].elements;
        let divisor = if per_element { elements as f64 } else { 1.0 };
        let mut times: Vec<(u32, f64)> = records
            .iter()
            .filter_map(|record| Some((record.process, time(record)? / divisor)))
            .collect();
        times.sort_by_key(|&(process, _)| process);
        let values: Vec<f64> = times.iter().map(|&(_, time)| time).collect();
        Some(Self::Measured(Measured {
            time: stats::estimate(&values)?,
            processes: times,
            instructions: instructions
                .map(|instructions| instructions as f64)
                .or_else(|| by_processor(records))
                .map(|instructions| instructions / divisor),
            elements: if per_element { 1 } else { elements },
            allocations: counted(records, divisor),
            held_elements: elements,
            threads: records.iter().filter_map(|record| record.threads).max(),
        }))
    }
}

impl Measured {
    fn of_process(&self, process: u32) -> Option<f64> {
        let at = self
            .processes
            .binary_search_by_key(&process, |&(number, _)| number);
        Some(self.processes[at.ok()?].1)
    }

    /// Elements a second.
    pub(crate) fn throughput(&self) -> f64 {
        self.elements as f64 / self.time.point * 1e9
    }
}

/// Time of `one` over the time of `other`, process by process.
pub(crate) fn ratio(one: &Measured, other: &Measured) -> Option<Estimate> {
    stats::estimate(&ratios(one, other).collect::<Vec<f64>>())
}

fn ratios(one: &Measured, other: &Measured) -> impl Iterator<Item = f64> {
    let divide = |(at, &(process, time)): (usize, &(u32, f64))| {
        // Nearly always the same ones were measured of both.
        let divisor = match other.processes.get(at) {
            Some(&(number, divisor)) if number == process => divisor,
            _ => other.of_process(process)?,
        };
        Some(time / divisor)
    };
    let ratios = one.processes.iter().enumerate().filter_map(divide);
    ratios.filter(|ratio| ratio.is_finite())
}

/// The places of the measured ones of these rows, by time.
fn ranking(rows: &[Row], range: Range<usize>) -> Vec<usize> {
    let time = |at: usize| Some(rows[at].measured()?.time.point);
    let timed = range.filter_map(|at| Some((time(at)?, at)));
    let mut timed: Vec<(f64, usize)> = timed.collect();
    timed.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    timed.into_iter().map(|(_, at)| at).collect()
}

/// Of the places of ranked rows, the first and those whose rows nothing is measurably faster than;
/// `None` where the first ran in one process.
///
/// Takes O(n² p) time for n rows of p processes that cannot be told apart, in steps of a nanosecond,
/// and O(n p) where the first beats the others.
fn fastest(rows: &[Row], ranking: &[usize]) -> Option<Vec<usize>> {
    let ranked: Vec<&Measured> = ranking
        .iter()
        .filter_map(|&at| rows[at].measured())
        .collect();
    let Some((best, others)) = ranked.split_first() else {
        return Some(Vec::new());
    };
    let processes = ranked.iter().map(|one| one.processes.len()).max()?;
    if best.processes.len() < 2 {
        return None;
    }
    let most = stats::interval_rank(processes);
    // Not only the first: where that scatters widely, it cannot be told from slow ones that others beat.
    let is_beaten = |other: &Measured| {
        let mut rivals = ranked.iter().filter(|rival| !std::ptr::eq(**rival, other));
        rivals.any(|rival| beats(rival, other, most))
    };
    let places = ranking.iter().skip(1).zip(others);
    let level = places.filter(|(_, other)| !is_beaten(other));
    Some(
        ranking
            .iter()
            .take(1)
            .chain(level.map(|(at, _)| at))
            .copied()
            .collect(),
    )
}

/// Whether the whole interval of the ratio of `other` to `rival` is above 1, as [`ratio`] has it, or
/// there is no ratio; `most` is the rank of an interval over as many processes as any case has.
///
/// It is where fewer ratios than the rank of its lower end are not above 1, so nothing is sorted.
fn beats(rival: &Measured, other: &Measured, most: usize) -> bool {
    let (mut pairs, mut not_above) = (0, 0);
    for ratio in ratios(other, rival) {
        pairs += 1;
        not_above += usize::from(ratio <= 1.0);
        // Of fewer pairs the rank is no higher.
        if not_above >= most {
            return false;
        }
    }
    pairs == 0 || not_above < stats::interval_rank(pairs)
}

/// Nanoseconds an iteration: the median of a process's samples.
pub(crate) fn time(record: &Record) -> Option<f64> {
    let samples: Vec<f64> = record
        .samples
        .iter()
        .map(|sample| sample.elapsed_ns as f64 / sample.iterations as f64)
        .collect();
    stats::median(&samples)
}

/// Instructions of an iteration that the processor counted.
fn by_processor(records: &[&Record]) -> Option<f64> {
    let counted: Vec<f64> = records
        .iter()
        .filter_map(|record| Some(record.counters?.instructions? as f64))
        .collect();
    stats::median(&counted)
}

fn counted(records: &[&Record], divisor: f64) -> Option<Counted> {
    let all: Vec<_> = records
        .iter()
        .filter_map(|record| record.allocations)
        .collect();
    let median = |value: fn(&bench_harness::record::Allocations) -> f64| {
        stats::median(&all.iter().map(value).collect::<Vec<f64>>())
    };
    Some(Counted {
        count: median(|counted| counted.count as f64 / counted.iterations as f64)? / divisor,
        bytes: median(|counted| counted.bytes as f64 / counted.iterations as f64)? / divisor,
        peak_bytes: median(|counted| counted.peak_bytes as f64)?,
        held_bytes: median(|counted| counted.held_bytes as f64)?,
    })
}

/// The input as a position on an axis.
pub(crate) fn number(input: &str) -> Option<f64> {
    input
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use bench_harness::Environment;
    use bench_harness::record::{Allocations, Counted, Counters, Profile, Sample};

    /// A record with one group: for every series and input, the nanoseconds of each process.
    ///
    /// A case without times has failed.
    pub(crate) fn entries(cases: &[(&str, &str, &[u64])]) -> Vec<Entry> {
        let processes = cases
            .iter()
            .map(|(.., times)| times.len())
            .max()
            .unwrap_or(0) as u32;
        let run = RunInfo {
            profile: Profile::Quick,
            filter: None,
            processes,
            warm_up_ms: 5,
            measurement_ms: 15,
            samples: 1,
            seed: 1,
            build: "0".to_owned(),
            environment: Environment::default(),
            skipped: Vec::new(),
            shard: None,
            machines: Vec::new(),
        };
        let group = PlannedGroup {
            info: GroupInfo {
                group: "walk/chain".to_owned(),
                section: "Walks".to_owned(),
                question: "How long is a walk?".to_owned(),
                work: "An iteration walks.".to_owned(),
                baseline: Some("slow".to_owned()),
                axis: "nodes".to_owned(),
                unit: "node".to_owned(),
                per_element: false,
                growth: true,
                suite: "benches/walk.rs".to_owned(),
                counted_first: false,
                bounds: Vec::new(),
            },
            cases: cases
                .iter()
                .map(|(series, input, _)| ((*series).to_owned(), (*input).to_owned()))
                .collect(),
        };
        let mut entries = vec![Entry::Run(Box::new(run)), Entry::Group(group)];
        for (series, input, times) in cases {
            let record = |process, elapsed_ns: Option<u64>| Record {
                case: CaseId {
                    group: "walk/chain".to_owned(),
                    series: (*series).to_owned(),
                    input: (*input).to_owned(),
                },
                process,
                samples: elapsed_ns
                    .into_iter()
                    .map(|elapsed_ns| Sample {
                        iterations: 1,
                        elapsed_ns,
                    })
                    .collect(),
                elements: 10,
                allocations: Some(Allocations {
                    iterations: 2,
                    count: 5,
                    reallocations: 0,
                    bytes: 4_096,
                    peak_bytes: 1_024,
                    held_bytes: 0,
                }),
                counters: None,
                threads: Some(2),
                took_ms: None,
                status: match elapsed_ns {
                    Some(_) => Status::Ok,
                    None => Status::Failed("ran 9 of 10 nodes".to_owned()),
                },
            };
            if times.is_empty() {
                entries.push(Entry::Case(record(1, None)));
            }
            for (process, &time) in (1..).zip(*times) {
                entries.push(Entry::Case(record(process, Some(time))));
            }
        }
        entries
    }

    pub(crate) fn report(cases: &[(&str, &str, &[u64])]) -> Report {
        Report::new(&entries(cases)).unwrap()
    }

    #[test]
    fn rows_are_ordered_by_number_and_then_by_definition() {
        let report = report(&[
            ("slow", "100", &[1]),
            ("fast", "100", &[1]),
            ("fast", "20", &[1]),
            ("slow", "20", &[1]),
        ]);
        let rows = &report.groups[0].rows;
        let order: Vec<_> = rows.iter().map(|row| (&*row.input, &*row.series)).collect();
        assert_eq!(
            order,
            [
                ("20", "slow"),
                ("20", "fast"),
                ("100", "slow"),
                ("100", "fast")
            ]
        );
    }

    #[test]
    fn group_told_by_element_is_divided_and_keeps_its_throughput() {
        let mut entries = entries(&[("slow", "1", &[300, 300])]);
        let by_iteration = Report::new(&entries).unwrap();
        let Some(Entry::Group(group)) = entries.get_mut(1) else {
            panic!("the second entry is the group");
        };
        group.info.per_element = true;
        let by_element = Report::new(&entries).unwrap();
        let of = |report: &Report| {
            let measured = report.groups[0].measured("slow", "1").unwrap();
            (
                measured.time.point,
                measured.allocations.unwrap().count,
                measured.throughput(),
            )
        };
        // An iteration of this record handles 10 elements and allocates 2.5 times.
        assert_eq!(of(&by_iteration), (300.0, 2.5, 1e10 / 300.0));
        assert_eq!(of(&by_element), (30.0, 0.25, 1e9 / 30.0));
        assert_eq!(by_element.groups[0].of(), "a node");
    }

    #[test]
    fn instructions_are_divided_like_the_time_and_valgrind_s_are_taken_where_it_counted() {
        let mut entries = entries(&[("slow", "1", &[300, 300, 300]), ("fast", "1", &[300; 3])]);
        let Some(Entry::Group(group)) = entries.get_mut(1) else {
            panic!("the second entry is the group");
        };
        group.info.per_element = true;
        for (entry, instructions) in entries[2..5].iter_mut().zip([40, 20, 90]) {
            let Entry::Case(record) = entry else {
                panic!("a case");
            };
            record.counters = Some(Counters {
                instructions: Some(instructions),
                ..Counters::default()
            });
        }
        let of = |entries: &[Entry], series: &str| {
            let report = Report::new(entries).unwrap();
            report.groups[0].measured(series, "1").unwrap().instructions
        };
        // An iteration of this record handles 10 elements; the median of the processes is 40.
        assert_eq!(of(&entries, "slow"), Some(4.0));
        assert_eq!(of(&entries, "fast"), None);
        let Entry::Case(fast) = &entries[5] else {
            panic!("a case");
        };
        let counted = Counted {
            case: fast.case.clone(),
            instructions: 55,
        };
        entries.push(Entry::Counted(counted));
        assert_eq!(of(&entries, "slow"), Some(4.0));
        assert_eq!(of(&entries, "fast"), Some(5.5));
    }

    #[test]
    fn ratios_are_taken_process_by_process() {
        // The machine was twice as slow in the second process: the times scatter, the ratio does not.
        let report = report(&[("slow", "1", &[300, 600]), ("fast", "1", &[100, 200])]);
        let table = &report.groups[0];
        let ratio = ratio(
            table.measured("slow", "1").unwrap(),
            table.measured("fast", "1").unwrap(),
        )
        .unwrap();
        assert_eq!((ratio.low, ratio.point, ratio.high), (3.0, 3.0, 3.0));
        assert_eq!(table.fastest("1").unwrap(), ["fast"]);
    }

    #[test]
    fn ratio_is_told_in_words_only_where_its_interval_supports_them() {
        #[track_caller]
        fn check(times: &[u64], expected: Option<&str>) {
            let slow = &[100, 110, 120][..times.len()];
            let report = report(&[("slow", "1", slow), ("fast", "1", times)]);
            let table = &report.groups[0];
            assert_eq!(table.verdict(table.row("fast", "1").unwrap()), expected);
        }
        check(&[90, 100, 110], Some("faster"));
        check(&[101, 111, 121], Some("slower"));
        check(&[90, 110, 130], Some("not told apart"));
        check(&[50], None);
    }

    #[test]
    fn series_that_cannot_be_told_apart_are_both_fastest() {
        let report = report(&[
            ("slow", "1", &[110, 100, 120]),
            ("fast", "1", &[100, 110, 100]),
        ]);
        assert_eq!(report.groups[0].fastest("1").unwrap(), ["fast", "slow"]);
    }

    #[test]
    fn series_that_a_third_beats_is_not_fastest_because_the_first_scatters() {
        let report = report(&[
            ("noisy", "1", &[100, 400, 100]),
            ("steady", "1", &[150, 150, 150]),
            ("slow", "1", &[300, 300, 300]),
        ]);
        assert_eq!(report.groups[0].fastest("1").unwrap(), ["noisy", "steady"]);
    }

    #[test]
    fn section_that_files_take_turns_at_stands_together() {
        let one = entries(&[("slow", "1", &[100, 110])]);
        let mut all = vec![one[0].clone()];
        for (group, section) in [("a", "first"), ("b", "second"), ("c", "first")] {
            all.extend(one[1..].iter().cloned().map(|mut entry| {
                match &mut entry {
                    Entry::Group(planned) => {
                        planned.info.section = section.to_owned();
                        planned.info.group = group.to_owned();
                    }
                    Entry::Case(record) => record.case.group = group.to_owned(),
                    _ => {}
                }
                entry
            }));
        }
        let report = Report::new(&all).unwrap();
        let groups: Vec<&str> = report
            .groups
            .iter()
            .map(|table| &*table.info.group)
            .collect();
        assert_eq!(groups, ["a", "c", "b"]);
    }

    #[test]
    fn failed_case_is_a_failed_row_whatever_it_measured_before() {
        let mut entries = entries(&[("slow", "1", &[100]), ("fast", "1", &[])]);
        let report = Report::new(&entries).unwrap();
        let failed: Vec<_> = report
            .failed()
            .map(|(id, why)| (id.to_string(), why))
            .collect();
        assert_eq!(
            failed,
            [("walk/chain/fast/1".to_owned(), "ran 9 of 10 nodes")]
        );
        assert_eq!(report.groups[0].fastest("1"), None);

        let Some(Entry::Case(record)) = entries.get_mut(2) else {
            panic!("the third entry is a case");
        };
        record.status = Status::Failed("late".to_owned());
        assert_eq!(Report::new(&entries).unwrap().failed().count(), 2);
    }

    #[track_caller]
    fn check_refused(entries: &[Entry], reason: &str) {
        let error = Report::new(entries)
            .err()
            .expect("the record is not whole")
            .to_string();
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn incomplete_and_foreign_records_are_refused() {
        let whole = entries(&[("slow", "1", &[100, 110]), ("fast", "1", &[90, 95])]);
        check_refused(&whole[..whole.len() - 1], "records of 1 of 2 processes");
        check_refused(&whole[1..], "does not begin with a run");
        check_refused(&whole[..1], "no groups");
        let twice = [&whole[..], &whole[..]].concat();
        check_refused(&twice, "second run");
        let mut stray = whole.clone();
        let Some(Entry::Case(record)) = stray.last_mut() else {
            panic!("the last entry is a case");
        };
        record.case.series = "unknown".to_owned();
        check_refused(&stray, "");
    }

    #[test]
    fn fastest_are_those_that_no_whole_interval_puts_behind_another() {
        let mut random = oorandom::Rand64::new(1);
        let mut counts = BTreeSet::new();
        for round in 0..120 {
            let processes = 2 + round % 20;
            let times: Vec<Vec<u64>> = (0..12)
                .map(|_| {
                    let base = random.rand_range(90..110);
                    let time = |_| match random.rand_range(0..100) {
                        // No ratio has a divisor of 0.
                        0 => 0,
                        _ => base + random.rand_range(0..12),
                    };
                    (0..processes).map(time).collect()
                })
                .collect();
            let names: Vec<String> = (0..12).map(|index| index.to_string()).collect();
            let cases: Vec<(&str, &str, &[u64])> = names
                .iter()
                .zip(&times)
                .map(|(name, times)| (name.as_str(), "1", times.as_slice()))
                .collect();
            let report = report(&cases);
            let table = &report.groups[0];
            let ranking: Vec<(&str, &Measured)> = table.ranking("1").collect();
            let is_level = |&(series, other): &(&str, &Measured)| {
                let mut rivals = ranking.iter().filter(|(rival, _)| *rival != series);
                !rivals.any(|(_, rival)| ratio(other, rival).is_none_or(|ratio| ratio.low > 1.0))
            };
            let level = ranking.iter().enumerate();
            let level = level.filter(|(at, one)| *at == 0 || is_level(one));
            let expected: Vec<&str> = level.map(|(_, (series, _))| *series).collect();
            assert_eq!(table.fastest("1").unwrap(), expected);
            counts.insert(expected.len());
        }
        assert!(counts.len() > 5, "all kinds of outcomes: {counts:?}");
    }
}
