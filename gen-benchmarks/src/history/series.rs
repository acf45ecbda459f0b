//! From records to the series of each case, commit by commit, and what changed in them. Pure.

use std::collections::HashMap;

use anyhow::{Result, bail};
use bench_harness::Environment;
use bench_harness::changepoint::{self, ChangePoint, SHORTEST_SERIES, Search};
use bench_harness::record::{CaseId, GroupInfo};
use bench_harness::stats::{self, Estimate};

use super::git::{self, short};
use super::run::Run;

/// What is wanted of the records.
pub(crate) struct Choice {
    /// Which machine, from 1; the one with the newest record is the first.
    pub(crate) machine: usize,
    /// Whether records of a working tree with changes stand for its commit.
    pub(crate) dirty: bool,
    /// Only cases whose id contains this.
    pub(crate) filter: Option<String>,
    pub(crate) search: Search,
}

/// The series of all cases on one machine.
pub(crate) struct History {
    /// Newest first.
    pub(crate) machines: Vec<Machine>,
    /// Index of the machine that is shown.
    pub(crate) shown: usize,
    /// Those that were measured on it, oldest first.
    pub(crate) commits: Vec<Commit>,
    /// In the order of the newest record; those that it lacks come last.
    pub(crate) cases: Vec<Case>,
    /// What was left out and why, and what casts doubt, in sentences.
    pub(crate) notes: Vec<String>,
    pub(crate) search: Search,
    pub(crate) filter: Option<String>,
}

/// One machine of the records.
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) records: usize,
}

/// What was measured at one place of the series.
#[derive(Clone)]
pub(crate) struct Commit {
    pub(crate) id: Option<String>,
    /// The first digits of the commit, or else where the record is.
    pub(crate) name: String,
    /// Its first line, where git knows it.
    pub(crate) subject: String,
    /// Whether this repository has it.
    pub(crate) is_known: bool,
    /// When it was committed, or else measured.
    pub(crate) date: String,
    pub(crate) records: usize,
    /// What else may move a case: compiler, flags, allocator, profile.
    conditions: [(&'static str, String); 4],
}

/// One case and its values.
pub(crate) struct Case {
    pub(crate) id: CaseId,
    pub(crate) info: GroupInfo,
    /// Oldest first.
    pub(crate) points: Vec<Point>,
    pub(crate) moves: Vec<Move>,
    /// Whether the newest commit has it.
    pub(crate) is_current: bool,
}

/// The value of a case at one commit.
pub(crate) struct Point {
    /// Index of the commit.
    pub(crate) commit: usize,
    /// Nanoseconds.
    pub(crate) time: Estimate,
    pub(crate) processes: usize,
}

/// A change point and what is known of its cause.
pub(crate) struct Move {
    /// Its index is that of the point.
    pub(crate) point: ChangePoint,
    /// Index of the first commit at the new level.
    pub(crate) commit: usize,
    /// Index of the last commit at the old level.
    pub(crate) previous: usize,
    /// How many commits lie after the previous one, up to this one; `None` where git does not know.
    pub(crate) among: Option<u64>,
    /// What else changed, in sentences without a full stop.
    pub(crate) notes: Vec<String>,
}

impl Case {
    /// Whether the newest level is slower than the one before.
    pub(crate) fn is_slower(&self) -> bool {
        let newest = self.moves.last();
        self.is_current && newest.is_some_and(|last| last.point.change.point > 0.0)
    }

    /// The levels: the first point of each, the first after it, and the nanoseconds.
    pub(crate) fn levels(&self) -> Vec<(usize, usize, f64)> {
        let starts = self.moves.iter().map(|moved| moved.point.index);
        let ends = starts.clone().chain([self.points.len()]);
        let values: Vec<f64> = self.points.iter().map(|point| point.time.point).collect();
        std::iter::once(0)
            .chain(starts)
            .zip(ends)
            .filter_map(|(start, end)| {
                let moved = self.moves.iter().find(|moved| moved.point.index == start);
                let level = match (moved, self.moves.first()) {
                    (Some(moved), _) => moved.point.after,
                    (None, Some(first)) => first.point.before,
                    (None, None) => changepoint::level(&values)?,
                };
                Some((start, end, level))
            })
            .collect()
    }

    /// What a time is the time of: `an iteration`, or `a node`.
    pub(crate) fn of(&self) -> String {
        let unit = &self.info.unit;
        match self.info.per_element {
            false => "an iteration".to_owned(),
            true if unit.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {unit}"),
            true => format!("a {unit}"),
        }
    }
}

impl History {
    /// The series of `runs`; `known` are the commits of the repository, each after its ancestors.
    pub(crate) fn new(runs: Vec<Run>, known: &[git::Commit], choice: &Choice) -> Result<Self> {
        let mut notes = Vec::new();
        let runs = once(runs, &mut notes);
        let runs = clean(runs, choice.dirty, &mut notes);
        let places = places(runs, known);
        let (machines, mut places) = machines(places);
        let count = machines.len();
        if count == 0 {
            notes.push("no record is left".to_owned());
            bail!("{}", notes.join("; "));
        }
        let shown = choice.machine - 1;
        if shown >= count {
            bail!(
                "there is no machine {}: the records are of {count}",
                choice.machine
            );
        }
        let others = places
            .iter()
            .flatten()
            .filter(|(_, machine)| *machine != shown);
        let others = others.count();
        for place in &mut places {
            place.retain(|(_, machine)| *machine == shown);
        }
        places.retain(|place| !place.is_empty());
        if others > 0 {
            notes.push(format!(
                "{} left out, because times of different machines are not one series; --machine N shows another",
                counted(others, "record of other machines is", "records of other machines are")
            ));
        }
        let places: Vec<Vec<Run>> = places
            .into_iter()
            .map(|place| place.into_iter().map(|(run, _)| run).collect())
            .collect();
        incomplete(&places, &mut notes);
        let commits: Vec<Commit> = places.iter().map(|runs| commit(runs, known)).collect();
        let cases = cases(&places, &commits, choice, &mut notes);
        if let Some(filter) = &choice.filter
            && cases.is_empty()
        {
            bail!("no case contains `{filter}`; `gen-benchmarks list` prints their names");
        }
        Ok(Self {
            machines,
            shown,
            commits,
            cases,
            notes,
            search: choice.search,
            filter: choice.filter.clone(),
        })
    }

    /// Whether a case stands in tables: it changed, or was asked for.
    pub(crate) fn is_shown(&self, case: &Case) -> bool {
        self.filter.is_some() || !case.moves.is_empty()
    }

    /// Whether there are too few commits for any change point.
    pub(crate) fn is_short(&self) -> bool {
        self.commits.len() < SHORTEST_SERIES
    }
}

/// `1 record is`, `2 records are`.
pub(crate) fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// Leaves out copies of a run, which would make its processes count twice.
fn once(runs: Vec<Run>, notes: &mut Vec<String>) -> Vec<Run> {
    let mut kept: Vec<Run> = Vec::new();
    // Runs of different dates differ; there are seldom two of one date.
    let mut by_date: HashMap<String, Vec<usize>> = HashMap::new();
    let mut copies = Vec::new();
    for run in runs {
        // Without a date nothing tells two short runs apart.
        let Some(date) = run.info.environment.date.clone() else {
            kept.push(run);
            continue;
        };
        let same = by_date.entry(date).or_default();
        match same.iter().find(|&&at| kept[at].info == run.info) {
            None => {
                same.push(kept.len());
                kept.push(run);
            }
            Some(&at) => {
                copies.push(run.source.clone());
                // One of them may have been completed since.
                if run.incomplete <= kept[at].incomplete {
                    kept[at] = run;
                }
            }
        }
    }
    if !copies.is_empty() {
        notes.push(format!(
            "{} of another and counted once ({})",
            counted(copies.len(), "record is a copy", "records are copies"),
            named(&copies)
        ));
    }
    kept
}

/// Leaves out records of code that no commit has.
fn clean(runs: Vec<Run>, dirty: bool, notes: &mut Vec<String>) -> Vec<Run> {
    if dirty {
        return runs;
    }
    let is_clean = |run: &Run| run.info.environment.dirty != Some(true);
    let (clean, dirty): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(is_clean);
    if !dirty.is_empty() {
        let sources: Vec<String> = dirty.into_iter().map(|run| run.source).collect();
        notes.push(format!(
            "{} left out, because the working tree had changes that no commit names ({}); --dirty takes them",
            counted(sources.len(), "record is", "records are"),
            named(&sources)
        ));
    }
    clean
}

/// Says which records lack values.
fn incomplete(places: &[Vec<Run>], notes: &mut Vec<String>) {
    let runs = || places.iter().flatten();
    let sources = |lacks: fn(&Run) -> usize| -> Vec<String> {
        let lacking = runs().filter(|run| lacks(run) > 0);
        lacking.map(|run| run.source.clone()).collect()
    };
    let total = |lacks: fn(&Run) -> usize| runs().map(lacks).sum::<usize>();
    let failed = sources(|run| run.failed);
    if !failed.is_empty() {
        notes.push(format!(
            "{} failed and have no value there ({})",
            counted(total(|run| run.failed), "case", "cases"),
            named(&failed)
        ));
    }
    let interrupted = sources(|run| run.incomplete);
    if !interrupted.is_empty() {
        notes.push(format!(
            "{} fewer processes than planned ({}); `gen-benchmarks run --resume --records FILE` measures the rest",
            counted(total(|run| run.incomplete), "value has", "values have"),
            named(&interrupted)
        ));
    }
}

/// The first few names.
fn named(names: &[String]) -> String {
    let mut text = names[..names.len().min(3)].join(", ");
    if names.len() > 3 {
        text.push_str(&format!(" and {} more", names.len() - 3));
    }
    text
}

/// The runs of each commit, oldest first.
///
/// Commits that git knows stand after their ancestors; others, by the date of their record, before
/// the first of them that is younger. A record without commit or date comes first.
fn places(runs: Vec<Run>, known: &[git::Commit]) -> Vec<Vec<Run>> {
    let order: HashMap<&str, usize> = known
        .iter()
        .enumerate()
        .map(|(at, commit)| (commit.id.as_str(), at))
        .collect();
    // A commit may claim to be older than its ancestors.
    let dates: Vec<&str> = known
        .iter()
        .scan("", |latest, commit| {
            *latest = (*latest).max(commit.date.as_str());
            Some(*latest)
        })
        .collect();
    let mut places: Vec<((usize, String, String), Vec<Run>)> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    for run in runs {
        let environment = &run.info.environment;
        let known = environment.commit.as_deref().and_then(|id| order.get(id));
        let date = environment.date.clone().unwrap_or_default();
        let key = match known {
            // After all that are older and not known, hence the highest text.
            Some(&place) => (place, "~".to_owned(), String::new()),
            None => {
                let place = dates.partition_point(|known| *known <= date.as_str());
                (place, date, run.source.clone())
            }
        };
        match environment.commit.clone().and_then(|id| at.get(&id)) {
            Some(&place) => {
                // A commit that is not known is as old as its first record.
                places[place].0 = key.min(places[place].0.clone());
                places[place].1.push(run);
            }
            None => {
                at.extend(environment.commit.clone().map(|id| (id, places.len())));
                places.push((key, vec![run]));
            }
        }
    }
    places.sort_by(|one, other| one.0.cmp(&other.0));
    places.into_iter().map(|(_, runs)| runs).collect()
}

/// Gives each run its machine, newest first.
fn machines(places: Vec<Vec<Run>>) -> (Vec<Machine>, Vec<Vec<(Run, usize)>>) {
    let mut found: Vec<(Environment, usize)> = Vec::new();
    let mut given: Vec<Vec<(Run, usize)>> = Vec::new();
    for runs in places.into_iter().rev() {
        let machine = |run: Run| {
            let environment = &run.info.environment;
            let same = |(newer, _): &(Environment, usize)| environment.same_machine(newer).is_ok();
            let machine = found.iter().position(same).unwrap_or_else(|| {
                found.push((environment.clone(), 0));
                found.len() - 1
            });
            found[machine].1 += 1;
            (run, machine)
        };
        given.push(runs.into_iter().map(machine).collect());
    }
    given.reverse();
    let machines = found.into_iter().map(|(environment, records)| Machine {
        name: machine_name(&environment),
        records,
    });
    (machines.collect(), given)
}

/// What tells a machine from others.
fn machine_name(environment: &Environment) -> String {
    let wanted = ["CPU", "Architecture", "Logical cores", "Memory", "Kernel"];
    let facts = environment.facts().into_iter();
    let parts: Vec<String> = facts
        .filter(|(name, _)| wanted.contains(name))
        .map(|(name, value)| match name {
            "Logical cores" => format!("{value} cores"),
            "Memory" => format!("{value} of memory"),
            "Kernel" => format!("kernel {value}"),
            _ => value,
        })
        .collect();
    match parts.is_empty() {
        true => "a machine that the records do not describe".to_owned(),
        false => parts.join(", "),
    }
}

fn commit(runs: &[Run], known: &[git::Commit]) -> Commit {
    let first = &runs[0];
    let environment = &first.info.environment;
    let id = environment.commit.clone();
    let known = known.iter().find(|commit| Some(&commit.id) == id.as_ref());
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    Commit {
        name: match &id {
            Some(id) => short(id).to_owned(),
            None => first.source.clone(),
        },
        subject: known.map_or_else(String::new, |commit| commit.subject.clone()),
        is_known: known.is_some(),
        date: known.map_or_else(|| text(&environment.date), |commit| commit.date.clone()),
        records: runs.len(),
        conditions: [
            ("compiler", text(&environment.rustc)),
            ("RUSTFLAGS", text(&environment.rustflags)),
            ("allocator", text(&environment.allocator)),
            ("profile", first.info.profile.to_string()),
        ],
        id,
    }
}

/// The values of one case, oldest first.
#[derive(Default)]
struct Values<'a> {
    /// Commit, group, and the times of all processes.
    at: Vec<(usize, &'a GroupInfo, Vec<f64>)>,
}

fn cases(
    places: &[Vec<Run>],
    commits: &[Commit],
    choice: &Choice,
    notes: &mut Vec<String>,
) -> Vec<Case> {
    let filter = choice.filter.as_deref().unwrap_or("");
    let mut values: HashMap<&CaseId, Values<'_>> = HashMap::new();
    for (place, runs) in places.iter().enumerate() {
        for run in runs {
            let groups = run.groups.iter();
            let groups: HashMap<&str, &GroupInfo> = groups
                .map(|group| (group.info.group.as_str(), &group.info))
                .collect();
            for (case, times) in &run.times {
                let at = &mut values.entry(case).or_default().at;
                match at.last_mut() {
                    Some((last, _, pooled)) if *last == place => pooled.extend(times),
                    _ => at.push((place, groups[case.group.as_str()], times.clone())),
                }
            }
        }
    }
    let newest = places.last().into_iter().flatten();
    let order: HashMap<CaseId, usize> = newest
        .flat_map(|run| &run.groups)
        .flat_map(|group| {
            group.cases.iter().map(|(series, input)| CaseId {
                group: group.info.group.clone(),
                series: series.clone(),
                input: input.clone(),
            })
        })
        .enumerate()
        .map(|(at, case)| (case, at))
        .collect();
    let mut chosen: Vec<(&CaseId, Values<'_>)> = values
        .into_iter()
        .filter(|(case, _)| case.to_string().contains(filter))
        .collect();
    chosen.sort_by_key(|(case, _)| (order.get(case).copied().unwrap_or(usize::MAX), *case));
    let (mut redefined, mut zero) = (0, 0);
    let cases = chosen.into_iter().filter_map(|(id, values)| {
        let (_, info, _) = values.at.last()?;
        let mut before = values.at.len();
        let same = |group: &GroupInfo| {
            group.per_element == info.per_element && (!info.per_element || group.unit == info.unit)
        };
        let at: Vec<_> = values
            .at
            .iter()
            .filter(|(_, group, _)| same(group))
            .collect();
        redefined += before - at.len();
        before = at.len();
        let points: Vec<(Point, &GroupInfo)> = at
            .into_iter()
            .filter_map(|(commit, group, times)| {
                let time = stats::estimate(times)?;
                let point = Point {
                    commit: *commit,
                    time,
                    processes: times.len(),
                };
                (time.point > 0.0 && time.point.is_finite()).then_some((point, *group))
            })
            .collect();
        zero += before - points.len();
        points.last()?;
        Some(Case {
            moves: moves(&points, commits, &choice.search),
            is_current: points.last()?.0.commit + 1 == commits.len(),
            points: points.into_iter().map(|(point, _)| point).collect(),
            info: (*info).clone(),
            id: id.clone(),
        })
    });
    let cases: Vec<Case> = cases.collect();
    if redefined > 0 {
        notes.push(format!(
            "{} of another unit than the newest and left out",
            counted(redefined, "value is", "values are")
        ));
    }
    if zero > 0 {
        notes.push(format!(
            "{} not positive and left out",
            counted(zero, "value is", "values are")
        ));
    }
    let gone = cases.iter().filter(|case| !case.is_current).count();
    if gone > 0 {
        notes.push(format!(
            "{} no value at the newest commit",
            counted(gone, "case has", "cases have")
        ));
    }
    cases
}

fn moves(points: &[(Point, &GroupInfo)], commits: &[Commit], search: &Search) -> Vec<Move> {
    let values: Vec<f64> = points.iter().map(|(point, _)| point.time.point).collect();
    let found = changepoint::change_points(&values, search).into_iter();
    found
        .map(|point| {
            let (previous, group_before) = &points[point.index - 1];
            let (first, group) = &points[point.index];
            let (previous, commit) = (previous.commit, first.commit);
            let conditions = commits[previous].conditions.iter();
            let mut notes: Vec<String> = conditions
                .zip(&commits[commit].conditions)
                .filter(|((_, before), (_, after))| {
                    before != after && !before.is_empty() && !after.is_empty()
                })
                .map(|((name, before), (_, after))| {
                    format!("the {name} changed there too, from {before} to {after}")
                })
                .collect();
            if group_before.work != group.work {
                notes.push("what an iteration does is described differently since".to_owned());
            }
            Move {
                point,
                commit,
                previous,
                among: None,
                notes,
            }
        })
        .collect()
}
