//! What the page's script works on: each group as columns, one place for every case.

use std::collections::{HashMap, HashSet};

use bench_harness::comparison::Comparison;
use bench_harness::exchange::{Measurement, Quantity};
use bench_harness::gate::{Metric, Verdict};
use bench_harness::record::CaseId;
use bench_harness::stats::Estimate;
use serde::{Serialize, Serializer};

use super::prose::{pieces, plain};
use crate::chart::{Chart, Fit, Scale, Series};
use crate::compare::{self, Outcome};
use crate::format::Unit;
use crate::markdown::{self, Columns, interval};
use crate::plot;
use crate::report::{self, Measured, Report, Table, number};
use crate::takeaway::{doubts, takeaway};

/// Everything the script is given.
#[derive(Serialize)]
pub(super) struct Data<'a> {
    groups: Vec<Group<'a>>,
    comparison: Option<Compared<'a>>,
}

/// One group. Columns have an entry for each row, in the order of the report.
#[derive(Serialize)]
struct Group<'a> {
    name: &'a str,
    section_title: &'a str,
    question: &'a str,
    /// What an iteration does, in pieces.
    work: Vec<String>,
    /// Kind and sentence of each, in pieces.
    notes: Vec<(&'static str, Vec<String>)>,
    series: &'a [String],
    inputs: &'a [String],
    /// Inputs as the tables write them.
    labels: Vec<String>,
    /// Whether inputs are numbers.
    is_numeric: bool,
    /// A word and the title of each column, input and series first.
    head: Vec<(&'static str, String)>,
    row_series: Vec<usize>,
    row_inputs: Vec<usize>,
    /// The columns behind input and series; the first is the time.
    cells: Vec<Vec<String>>,
    /// Rows of the fastest series of each input, and of those not measurably slower.
    fastest: Vec<usize>,
    /// Rows without figures, and why.
    failed: Vec<(usize, &'a str)>,
    /// Nanoseconds.
    time: Vec<Option<Digits>>,
    low: Vec<Option<Digits>>,
    high: Vec<Option<Digits>>,
    /// Nanoseconds of each process.
    processes: Vec<Vec<Digits>>,
    /// The numbers of the processes of rows where they are not 1, 2, 3, ...
    numbers: Vec<(usize, Vec<u32>)>,
    chart: Option<Drawing>,
}

/// How a group is drawn.
#[derive(Serialize)]
struct Drawing {
    is_line: bool,
    log_x: bool,
    log_y: bool,
    /// The series that stands out.
    strong: Option<usize>,
    /// How the time of each series grows, where that is known.
    growth: Vec<String>,
    /// Factor and exponent of the same.
    fit: Vec<Option<(f64, f64)>>,
    subtitle: String,
    x_label: String,
    y_label: String,
}

/// What changed since an older record.
#[derive(Serialize)]
struct Compared<'a> {
    base: &'a str,
    about: Vec<String>,
    verdicts: Vec<String>,
    /// Comparisons with each verdict.
    counts: Vec<usize>,
    missing: &'a [&'a str],
    new: &'a [&'a str],
    /// Why there are no verdicts; the first is empty.
    reasons: Vec<String>,
    rows: ComparedRows<'a>,
}

/// The comparisons that found something else than that nothing changed, as columns.
#[derive(Serialize, Default)]
struct ComparedRows<'a> {
    verdict: Vec<usize>,
    /// Group and row, where the report has the case.
    place: Vec<Option<(usize, usize)>>,
    /// The benchmark's id, where the report does not have it.
    id: Vec<Option<&'a str>>,
    metric: Vec<String>,
    ratio: Vec<String>,
    old: Vec<String>,
    new: Vec<String>,
    visible: Vec<String>,
    reason: Vec<usize>,
}

/// A number with five digits, which no chart and no order needs more of.
struct Digits(f64);

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let short: f64 = format!("{:.4e}", self.0).parse().unwrap_or(self.0);
        match short.fract() == 0.0 && short.abs() < 1e15 {
            true => serializer.serialize_i64(short as i64),
            false => serializer.serialize_f64(short),
        }
    }
}

/// What is judged, in the order in which it is told.
const VERDICTS: [Verdict; 4] = [
    Verdict::Regressed,
    Verdict::Inconclusive,
    Verdict::Improved,
    Verdict::Equivalent,
];

impl<'a> Data<'a> {
    pub(super) fn new(report: &'a Report, compared: Option<(&'a str, &'a Outcome<'a>)>) -> Self {
        let mut groups: Vec<Group<'a>> = report
            .groups
            .iter()
            .map(|table| Group::new(report, table))
            .collect();
        let comparison = compared.map(|(base, outcome)| {
            let places = Places::new(report);
            times(&mut groups, &places, outcome);
            Compared::new(base, &places, outcome)
        });
        Self { groups, comparison }
    }
}

impl<'a> Group<'a> {
    fn new(report: &Report, table: &'a Table) -> Self {
        let series = indices(&table.series);
        let inputs = indices(&table.inputs);
        let columns = Columns::of(report, table);
        let fastest: HashMap<&str, HashSet<&str>> = table
            .inputs
            .iter()
            .map(|input| (input.as_str(), markdown::fastest_at(table, input)))
            .collect();
        let mut head = columns.head(table);
        if !table.has_inputs() {
            head.insert(0, ("input", String::new()));
        }
        let head = head.into_iter();
        // Outside of a Markdown table nothing ends a cell.
        let head = head.map(|(key, title)| (key, plain(&title.replace("\\|", "|"))));
        let mut group = Self {
            name: &table.info.group,
            section_title: &table.info.section,
            question: &table.info.question,
            work: pieces(&markdown::prose(&table.info.work)),
            notes: notes(report, table),
            series: &table.series,
            inputs: &table.inputs,
            labels: table.inputs.iter().map(|input| shown(input)).collect(),
            is_numeric: table.numeric(),
            head: head.collect(),
            row_series: Vec::new(),
            row_inputs: Vec::new(),
            cells: Vec::new(),
            fastest: Vec::new(),
            failed: Vec::new(),
            time: Vec::new(),
            low: Vec::new(),
            high: Vec::new(),
            processes: Vec::new(),
            numbers: Vec::new(),
            chart: plot::interactive(report, table)
                .map(|(is_line, chart)| Drawing::new(table, is_line, &chart)),
        };
        group.cells = vec![Vec::new(); group.head.len() - 2];
        for (index, row) in table.rows.iter().enumerate() {
            group.row_series.push(series[row.series.as_str()]);
            group.row_inputs.push(inputs[row.input.as_str()]);
            match &row.outcome {
                report::Outcome::Measured(measured) => {
                    let is_fastest = fastest[row.input.as_str()].contains(row.series.as_str());
                    let figures = columns.figures(table, row, measured, is_fastest);
                    group.measured(index, measured, figures);
                }
                report::Outcome::Failed(reason) => {
                    group.failed.push((index, reason.as_str()));
                    group
                        .cells
                        .iter_mut()
                        .for_each(|column| column.push(String::new()));
                    group.time.push(None);
                    group.low.push(None);
                    group.high.push(None);
                    group.processes.push(Vec::new());
                }
            }
        }
        group
    }

    fn measured(&mut self, index: usize, measured: &Measured, figures: Vec<String>) {
        for (column, figure) in self.cells.iter_mut().zip(figures) {
            let plain = figure.trim_matches('*');
            if plain.len() < figure.len() {
                self.fastest.push(index);
            }
            column.push(plain.to_owned());
        }
        self.time.push(Some(Digits(measured.time.point)));
        self.low.push(Some(Digits(measured.time.low)));
        self.high.push(Some(Digits(measured.time.high)));
        let (numbers, times): (Vec<u32>, Vec<Digits>) = measured
            .processes
            .iter()
            .map(|&(number, time)| (number, Digits(time)))
            .unzip();
        if !numbers.iter().copied().eq((1..).take(numbers.len())) {
            self.numbers.push((index, numbers));
        }
        self.processes.push(times);
    }

    /// Adds columns behind that of the time.
    fn insert(&mut self, columns: [(&'static str, &str, Vec<String>); 2]) {
        for (key, title, cells) in columns.into_iter().rev() {
            self.head.insert(3, (key, title.to_owned()));
            self.cells.insert(1, cells);
        }
    }
}

impl Drawing {
    fn new(table: &Table, is_line: bool, chart: &Chart) -> Self {
        let drawn = chart.series.iter();
        let drawn: HashMap<&str, &Series> =
            drawn.map(|series| (series.name.as_str(), series)).collect();
        let of = |name: &String| drawn.get(name.as_str());
        let fits = table.series.iter();
        let fits: Vec<Option<Fit>> = fits.map(|name| of(name)?.fit).collect();
        let growth = fits
            .iter()
            .map(|fit| fit.map_or_else(String::new, |fit| fit.exponent_text()));
        let is_strong = |name: &String| of(name).is_some_and(|series| series.emphasised);
        Self {
            is_line,
            log_x: chart.x_scale == Scale::Log,
            log_y: chart.y_scale == Scale::Log,
            strong: table.series.iter().position(is_strong),
            growth: growth.collect(),
            fit: fits
                .iter()
                .map(|fit| fit.map(|fit| (fit.factor, fit.exponent)))
                .collect(),
            subtitle: chart.subtitle.clone(),
            x_label: chart.x_label.clone(),
            y_label: chart.y_label.clone(),
        }
    }
}

/// The sentences under a group's table.
fn notes(report: &Report, table: &Table) -> Vec<(&'static str, Vec<String>)> {
    let cores = report.run.environment.cores_available.unwrap_or(u64::MAX);
    let mut notes = Vec::new();
    notes.extend(takeaway(table).map(|sentence| ("takeaway", pieces(&sentence))));
    if table.holds_memory() {
        let mut held = String::new();
        markdown::held(&mut held, table);
        notes.push(("held", pieces(held.trim().trim_start_matches("> "))));
    }
    let doubts = doubts(table, cores).into_iter();
    notes.extend(doubts.map(|doubt| ("doubtful", pieces(&doubt))));
    notes
}

/// An input as the tables write it, outside of Markdown.
fn shown(input: &str) -> String {
    match number(input) {
        Some(number) if number.fract() == 0.0 => Unit::Count.format(number, 0.0),
        _ => input.to_owned(),
    }
}

fn indices(names: &[String]) -> HashMap<&str, usize> {
    let names = names.iter().enumerate();
    names.map(|(index, name)| (name.as_str(), index)).collect()
}

/// Where cases stand in the report.
struct Places {
    by_case: HashMap<CaseId, (usize, usize)>,
    /// For files that know no parts of an id.
    by_id: HashMap<String, (usize, usize)>,
}

impl Places {
    fn new(report: &Report) -> Self {
        let mut by_case = HashMap::new();
        for (group, table) in report.groups.iter().enumerate() {
            for (row, case) in table.rows.iter().enumerate() {
                by_case.insert(case.case.clone(), (group, row));
            }
        }
        let by_id = by_case
            .iter()
            .map(|(case, &place)| (case.to_string(), place));
        Self {
            by_id: by_id.collect(),
            by_case,
        }
    }

    fn of(&self, measurement: &Measurement) -> Option<(usize, usize)> {
        let case = measurement.case.as_ref();
        case.and_then(|case| self.by_case.get(case))
            .or_else(|| self.by_id.get(&measurement.id))
            .copied()
    }
}

/// Puts the change of every time into the tables.
fn times(groups: &mut [Group<'_>], places: &Places, outcome: &Outcome<'_>) {
    let mut columns: Vec<[Vec<String>; 2]> = groups
        .iter()
        .map(|group| [(); 2].map(|()| vec![String::new(); group.time.len()]))
        .collect();
    let times = outcome
        .compared
        .iter()
        .filter(|(measurement, _)| measurement.metric == Quantity::Known(Metric::Time));
    for (measurement, comparison) in times {
        if let Some((group, row)) = places.of(measurement) {
            let [ratios, verdicts] = &mut columns[group];
            ratios[row] = ratio(comparison);
            verdicts[row] = comparison.verdict.to_string();
        }
    }
    for (group, [ratios, verdicts]) in groups.iter_mut().zip(columns) {
        group.insert([
            ("change", "new / old", ratios),
            ("verdict", "verdict", verdicts),
        ]);
    }
}

/// The new number over the old one.
fn ratio(comparison: &Comparison) -> String {
    let over = comparison.head / comparison.base;
    match comparison.change {
        Some(change) => {
            let ratio = Estimate {
                point: 1.0 + change.point,
                low: 1.0 + change.low,
                high: 1.0 + change.high,
                confidence: bench_harness::stats::CONFIDENCE,
            };
            interval(Unit::Ratio, &ratio)
        }
        None if over.is_finite() => Unit::Ratio.format(over, 0.0),
        None => "?".to_owned(),
    }
}

impl<'a> Compared<'a> {
    fn new(base: &'a str, places: &Places, outcome: &'a Outcome<'a>) -> Self {
        let mut rows = ComparedRows::default();
        let mut reasons = vec![String::new()];
        let mut known: HashMap<String, usize> = HashMap::from([(String::new(), 0)]);
        for (measurement, comparison) in outcome.ordered() {
            if comparison.verdict == Verdict::Equivalent {
                continue;
            }
            let [_, _, metric, _, old, new, visible, reason] =
                compare::row(measurement, comparison);
            let verdict = VERDICTS.iter().position(|one| *one == comparison.verdict);
            let place = places.of(measurement);
            rows.verdict.push(verdict.expect("all verdicts are listed"));
            rows.place.push(place);
            rows.id
                .push(place.is_none().then_some(measurement.id.as_str()));
            rows.metric.push(metric);
            rows.ratio.push(ratio(comparison));
            rows.old.push(old);
            rows.new.push(new);
            rows.visible.push(visible);
            let reason = *known.entry(reason).or_insert_with_key(|reason| {
                reasons.push(reason.clone());
                reasons.len() - 1
            });
            rows.reason.push(reason);
        }
        Self {
            base,
            about: outcome.remarks(),
            verdicts: VERDICTS.iter().map(Verdict::to_string).collect(),
            counts: VERDICTS.map(|verdict| outcome.count(verdict)).to_vec(),
            missing: &outcome.missing,
            new: &outcome.new,
            reasons,
            rows,
        }
    }
}
