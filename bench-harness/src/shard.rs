//! A run that several machines share: which cases each of them measures, and how their records
//! become one.
//!
//! Cases of a group that have the same input stay together, because a report compares them, and two
//! machines of one kind are not equally fast.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::record::{
    CaseId, Counted, Counting, Entries, Entry, GroupInfo, PlannedGroup, Profiled, Record, RunInfo,
    Sample, Shard, Status,
};

/// Most parts that a run is divided into.
pub const MOST_SHARDS: u32 = 1_000;

/// Most cases that one fault names.
const NAMED: usize = 3;

/// What tells one list of cases from another.
///
/// The same on every machine and in every version, which the hashers of the standard library do not
/// promise.
///
/// # Examples
///
/// ```
/// use bench_harness::record::CaseId;
/// use bench_harness::shard::digest;
///
/// let case = |series: &str| CaseId {
///     group: "sum".to_owned(),
///     series: series.to_owned(),
///     input: "100".to_owned(),
/// };
/// assert_eq!(digest(&[]), "cbf29ce484222325");
/// assert_ne!(digest(&[case("a"), case("b")]), digest(&[case("b"), case("a")]));
/// ```
pub fn digest(cases: &[CaseId]) -> String {
    // FNV-1a of 64 bits.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for case in cases {
        for part in [&case.group, &case.series, &case.input] {
            // No text holds this byte, so neighbours cannot run into each other.
            for byte in part.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    format!("{hash:016x}")
}

/// What one process of each case of a record took, in nanoseconds.
///
/// Where the record is from before that was stored: its time to warm up and its samples.
pub fn durations(entries: &[Entry]) -> HashMap<CaseId, u64> {
    let mut warm_up_ms = 0;
    let mut sums: HashMap<CaseId, (u64, u64)> = HashMap::new();
    for entry in entries {
        match entry {
            Entry::Run(run) => warm_up_ms = run.warm_up_ms,
            Entry::Case(record) => {
                let sampled = record
                    .samples
                    .iter()
                    .map(|sample: &Sample| sample.elapsed_ns)
                    .fold(0, u64::saturating_add);
                let took = match record.took_ms {
                    Some(took_ms) => took_ms.saturating_mul(1_000_000),
                    None => sampled.saturating_add(warm_up_ms.saturating_mul(1_000_000)),
                };
                let (sum, count) = sums.entry(record.case.clone()).or_default();
                *sum = sum.saturating_add(took);
                *count += 1;
            }
            _ => {}
        }
    }
    sums.into_iter()
        .map(|(case, (sum, count))| (case, sum / count))
        .collect()
}

/// Divides `cases` into as many parts as there are `shards`: the places of each part's cases, in
/// ascending order.
///
/// Every case is in exactly one part, and the same arguments give the same parts everywhere. What is
/// measured longest is given out first, each time to the part that has the least; the longest part
/// takes then at most 4/3 of what it would at best (Graham 1969), as far as cases that stay together
/// allow. A case without a duration is taken for a typical one; without any, cases are counted.
///
/// Takes O(n log n + n shards) time.
///
/// # Panics
///
/// Panics without a shard.
pub fn partition(cases: &[CaseId], durations: &HashMap<CaseId, u64>, shards: u32) -> Vec<Vec<u32>> {
    assert!(shards > 0, "a run has at least one shard");
    let mut known: Vec<u64> = cases
        .iter()
        .filter_map(|case| durations.get(case).copied())
        .collect();
    known.sort_unstable();
    let typical = known.get(known.len() / 2).copied().unwrap_or(1);
    let mut units: Vec<(u64, Vec<u32>)> = Vec::new();
    let mut unit_of: HashMap<(&str, &str), usize> = HashMap::new();
    for (place, case) in (0..).zip(cases) {
        let took = durations.get(case).copied().unwrap_or(typical).max(1);
        let unit = *unit_of
            .entry((&case.group, &case.input))
            .or_insert(units.len());
        if unit == units.len() {
            units.push((0, Vec::new()));
        }
        let (sum, places) = &mut units[unit];
        *sum = sum.saturating_add(took);
        places.push(place);
    }
    // Of equals the one that is defined first.
    units.sort_by_key(|(took, places)| (Reverse(*took), places[0]));
    let mut parts = vec![(0_u64, Vec::new()); shards as usize];
    for (took, places) in units {
        let least = parts.iter_mut().min_by_key(|(sum, _)| *sum);
        let (sum, part) = least.expect("there is a shard");
        *sum = sum.saturating_add(took);
        part.extend(places);
    }
    parts
        .into_iter()
        .map(|(_, mut places)| {
            places.sort_unstable();
            places
        })
        .collect()
}

/// A record of one shard.
#[derive(Clone, Debug)]
pub struct Part {
    /// What faults call it.
    pub file: String,
    /// What was read of it.
    pub read: Entries,
}

/// Why records are not all shards of one run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
pub struct Fault {
    /// The record.
    pub file: String,
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// One record of all `parts`, as if one machine had measured every case, in whatever order they are
/// given. `machine_change` lets them be of different machines and compilers.
///
/// # Errors
///
/// Returns everything that keeps them from being all shards of one run, each exactly once, with every
/// process of every case.
///
/// # Panics
///
/// Panics without a part.
pub fn merge(parts: &[Part], machine_change: bool) -> Result<Vec<Entry>, Vec<Fault>> {
    assert!(!parts.is_empty(), "there is nothing to merge");
    let mut faults = Vec::new();
    let mut shards: Vec<Opened<'_>> = parts
        .iter()
        .filter_map(|part| open(part, &mut faults))
        .collect();
    let are_known = shards.len() == parts.len();
    shards.sort_by_key(|opened| opened.shard.number);
    let shards = once(shards, &mut faults);
    // Of criterion's own benchmarks nobody counts anything.
    let is_counted = shards.iter().any(Opened::is_counted);
    for opened in &shards {
        opened.check(is_counted, &mut faults);
    }
    if let Some((first, others)) = shards.split_first() {
        for other in others {
            alike(first, other, machine_change, &mut faults);
        }
        // One that cannot be told may be the one that seems to be missing.
        if are_known {
            every(&shards, &mut faults);
        }
        disjoint(&shards, &mut faults);
    }
    let counting = counting(&shards, machine_change, &mut faults);
    let merged = match faults.is_empty() {
        true => joined(&shards, counting.as_ref(), &mut faults),
        false => Vec::new(),
    };
    if faults.is_empty() {
        return Ok(merged);
    }
    let place = |file: &str| parts.iter().position(|part| part.file == file);
    faults.sort_by_key(|fault| (place(&fault.file), fault.line));
    Err(faults)
}

/// A shard's record, sorted by what its lines are.
struct Opened<'p> {
    file: &'p str,
    run: &'p RunInfo,
    shard: &'p Shard,
    /// In the order of its groups, each with the line of its group.
    cases: Vec<(usize, &'p GroupInfo, CaseId)>,
    records: Vec<(usize, &'p Record)>,
    counted: Vec<&'p Counted>,
    counting: Option<&'p Counting>,
    profiled: Vec<&'p Profiled>,
    lines: usize,
}

/// The shard that a part is; what keeps it from being one goes to `faults`.
fn open<'p>(part: &'p Part, faults: &mut Vec<Fault>) -> Option<Opened<'p>> {
    let mut fault = |line, reason: &str| {
        faults.push(Fault {
            file: part.file.clone(),
            line,
            reason: reason.to_owned(),
        });
    };
    let entries = &part.read.entries;
    let Some(Entry::Run(run)) = entries.first() else {
        fault(
            1,
            "the record does not begin with a run; measure one with `gen-benchmarks run --shard I/N`",
        );
        return None;
    };
    let Some(shard) = &run.shard else {
        fault(
            1,
            "the record is no shard; measure one with `gen-benchmarks run --shard I/N`",
        );
        return None;
    };
    if shard.number == 0 || shard.number > shard.of || shard.of > MOST_SHARDS {
        let (number, of) = (shard.number, shard.of);
        let reason = format!("there is no shard {number} of {of}; measure it again");
        fault(1, &reason);
        return None;
    }
    if part.read.truncated {
        fault(
            entries.len() + 1,
            "the record ends inside this line; complete it with --resume",
        );
    }
    let mut opened = Opened {
        file: &part.file,
        run,
        shard,
        cases: Vec::new(),
        records: Vec::new(),
        counted: Vec::new(),
        counting: None,
        profiled: Vec::new(),
        lines: entries.len(),
    };
    for (entry, line) in entries.iter().zip(1..).skip(1) {
        match entry {
            Entry::Group(group) => {
                let cases = group.cases.iter().map(|(series, input)| CaseId {
                    group: group.info.group.clone(),
                    series: series.clone(),
                    input: input.clone(),
                });
                let cases = cases.map(|case| (line, &group.info, case));
                opened.cases.extend(cases);
            }
            Entry::Case(record) => opened.records.push((line, record)),
            Entry::Counted(counted) => opened.counted.push(counted),
            Entry::Counting(counting) => opened.counting = Some(counting),
            Entry::Profiled(profiled) => opened.profiled.push(profiled),
            Entry::Run(_) => fault(
                line,
                "a second run begins; give each shard in a file of its own",
            ),
            Entry::Imported(_) => fault(
                line,
                "what another tool measured is in no shard; leave it out",
            ),
        }
    }
    Some(opened)
}

/// Those that are the first of their number; the others go to `faults` and are left out.
fn once<'p>(shards: Vec<Opened<'p>>, faults: &mut Vec<Fault>) -> Vec<Opened<'p>> {
    let mut kept: Vec<Opened<'p>> = Vec::new();
    for opened in shards {
        match kept.last() {
            Some(last) if last.shard.number == opened.shard.number => {
                let reason = format!(
                    "shard {} is {} too; give each shard once",
                    last.shard.number, last.file
                );
                faults.push(opened.fault(1, reason));
            }
            _ => kept.push(opened),
        }
    }
    kept
}

impl Opened<'_> {
    fn fault(&self, line: usize, reason: String) -> Fault {
        Fault {
            file: self.file.to_owned(),
            line,
            reason,
        }
    }

    /// Whether anything was counted beside the time.
    fn is_counted(&self) -> bool {
        let mut records = self.records.iter();
        self.counting.is_some() || records.any(|(_, record)| record.allocations.is_some())
    }

    /// Whether the record is whole in itself.
    fn check(&self, is_counted: bool, faults: &mut Vec<Fault>) {
        let places = &self.shard.places;
        let ascend = places.windows(2).all(|pair| pair[0] < pair[1]);
        let exist = places.last().is_none_or(|&last| last < self.shard.cases);
        if !ascend || !exist || places.len() != self.cases.len() {
            let reason = format!(
                "shard {} says where {} cases stand among {}, and its groups hold {}; measure it again",
                self.shard.number,
                places.len(),
                self.shard.cases,
                self.cases.len()
            );
            faults.push(self.fault(1, reason));
        }
        let announced: HashSet<&CaseId> = self.cases.iter().map(|(.., case)| case).collect();
        let mut found: HashMap<&CaseId, u32> = HashMap::new();
        let mut failed: HashSet<&CaseId> = HashSet::new();
        for &(line, record) in &self.records {
            let (case, process, of) = (&record.case, record.process, self.run.processes);
            if !announced.contains(case) {
                let reason = format!(
                    "case `{case}` is none of shard {}; measure it again",
                    self.shard.number
                );
                faults.push(self.fault(line, reason));
            }
            if process == 0 || process > of {
                let reason = format!("case `{case}` has no process {process}; there are {of}");
                faults.push(self.fault(line, reason));
            }
            *found.entry(case).or_default() += 1;
            if record.status != Status::Ok {
                failed.insert(case);
            }
        }
        let lacking: Vec<&(usize, &GroupInfo, CaseId)> = self
            .cases
            .iter()
            .filter(|(.., case)| !failed.contains(case))
            .filter(|(.., case)| found.get(case).copied().unwrap_or(0) < self.run.processes)
            .collect();
        if let Some((line, ..)) = lacking.first() {
            let named: Vec<String> = lacking
                .iter()
                .take(NAMED)
                .map(|(.., case)| {
                    let found = found.get(case).copied().unwrap_or(0);
                    format!("`{case}` has {found} of {}", self.run.processes)
                })
                .collect();
            let more = match lacking.len() - named.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let reason = format!(
                "{} of {} cases lack processes: {}{more}; complete them with --resume",
                lacking.len(),
                self.cases.len(),
                named.join(", ")
            );
            faults.push(self.fault(*line, reason));
        }
        if is_counted && self.counting.is_none() {
            let reason =
                "the record ends before instructions were counted; complete it with --resume";
            faults.push(self.fault(self.lines, reason.to_owned()));
        }
    }

    /// How many of its cases ran on one thread, so that their instructions could be counted.
    fn countable(&self) -> u64 {
        let mut alone: HashMap<&CaseId, bool> = HashMap::new();
        for (_, record) in &self.records {
            let one = record.status == Status::Ok && record.threads == Some(1);
            *alone.entry(&record.case).or_insert(true) &= one;
        }
        alone.values().filter(|&&alone| alone).count() as u64
    }
}

/// Whether two shards are of one run.
fn alike(first: &Opened<'_>, other: &Opened<'_>, machine_change: bool, faults: &mut Vec<Fault>) {
    let commit = |opened: &Opened<'_>| opened.run.environment.commit.clone();
    let facts = |opened: &Opened<'_>| {
        let (run, shard) = (opened.run, opened.shard);
        [
            ("profile", run.profile.to_string()),
            (
                "filter",
                format!("{:?}", run.filter.as_deref().unwrap_or("")),
            ),
            ("processes", run.processes.to_string()),
            ("milliseconds to warm up", run.warm_up_ms.to_string()),
            ("milliseconds to measure", run.measurement_ms.to_string()),
            ("samples", run.samples.to_string()),
            ("seed", run.seed.to_string()),
            (
                "commit",
                commit(opened).unwrap_or_else(|| "unknown".to_owned()),
            ),
            ("number of shards", shard.of.to_string()),
            ("number of all cases", shard.cases.to_string()),
            ("digest of all cases", shard.digest.clone()),
        ]
    };
    for ((what, expected), (_, found)) in facts(first).into_iter().zip(facts(other)) {
        if expected != found {
            let left_out = match what {
                "number of all cases" | "digest of all cases" => left_out(first.run, other.run),
                _ => String::new(),
            };
            let reason = format!(
                "{what}: {found}, and {expected} in {}{left_out}; merge shards of one run",
                first.file
            );
            faults.push(other.fault(1, reason));
        }
    }
    let (one, two) = (&first.run.environment, &other.run.environment);
    let known = commit(first).is_some() && one.dirty != Some(true) && two.dirty != Some(true);
    if !known && first.run.build != other.run.build {
        let reason = format!(
            "no commit says what was measured, and the bench binaries are not those of {}; commit all changes and measure again",
            first.file
        );
        faults.push(other.fault(1, reason));
    }
    let mut differences = Vec::new();
    differences.extend(one.same_machine(two).err());
    for (what, before, now) in [
        ("compiler", &one.rustc, &two.rustc),
        ("RUSTFLAGS", &one.rustflags, &two.rustflags),
        ("allocator", &one.allocator, &two.allocator),
    ] {
        if before != now {
            let show = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
            differences.push(format!("{what} {}, now {}", show(before), show(now)));
        }
    }
    if !differences.is_empty() && !machine_change {
        let reason = format!(
            "not measured as {} was: {}; pass --allow-machine-change to merge them all the same",
            first.file,
            differences.join("; ")
        );
        faults.push(other.fault(1, reason));
    }
}

/// Which bench targets only one of two machines could build.
fn left_out(first: &RunInfo, other: &RunInfo) -> String {
    let names = |run: &RunInfo| -> HashSet<String> {
        run.skipped.iter().map(|one| one.target.clone()).collect()
    };
    let (first, other) = (names(first), names(other));
    let mut differ: Vec<&String> = first.symmetric_difference(&other).collect();
    differ.sort();
    match differ.is_empty() {
        true => String::new(),
        false => {
            let names: Vec<&str> = differ.into_iter().map(String::as_str).collect();
            format!(" (only one of them could build {})", names.join(", "))
        }
    }
}

/// Whether all shards are there.
fn every(shards: &[Opened<'_>], faults: &mut Vec<Fault>) {
    let first = &shards[0];
    let there: HashSet<u32> = shards.iter().map(|opened| opened.shard.number).collect();
    let missing: Vec<String> = (1..=first.shard.of)
        .filter(|number| !there.contains(number))
        .map(|number| number.to_string())
        .collect();
    if !missing.is_empty() {
        let reason = format!(
            "of {} shards {} missing; give all of them",
            first.shard.of,
            match &missing[..] {
                [one] => format!("{one} is"),
                several => format!("{} are", several.join(", ")),
            }
        );
        faults.push(first.fault(1, reason));
        return;
    }
    let held: HashSet<u32> = shards
        .iter()
        .flat_map(|opened| opened.shard.places.iter().copied())
        .collect();
    let lacking = (first.shard.cases as usize).saturating_sub(held.len());
    if lacking > 0 {
        let reason = format!(
            "{lacking} of {} cases are in no shard; were all shards given the same --durations?",
            first.shard.cases
        );
        faults.push(first.fault(1, reason));
    }
}

/// Whether nothing is in two shards, and what is described in two is described alike.
fn disjoint(shards: &[Opened<'_>], faults: &mut Vec<Fault>) {
    let mut groups: HashMap<&str, (&GroupInfo, &str)> = HashMap::new();
    let mut cases: HashMap<&CaseId, &Opened<'_>> = HashMap::new();
    let mut processes: HashMap<(&CaseId, u32), (&str, usize)> = HashMap::new();
    for opened in shards {
        let mut told = HashSet::new();
        for (line, info, case) in &opened.cases {
            let (known, file) = *groups.entry(&info.group).or_insert((*info, opened.file));
            if known != *info && told.insert(&info.group) {
                let reason = format!(
                    "group `{}` is described otherwise than in {file}; merge shards of one run",
                    info.group
                );
                faults.push(opened.fault(*line, reason));
            }
            if let Some(owner) = cases.get(case) {
                let reason = format!(
                    "case `{case}` is in shard {} too ({}); were both given the same --durations?",
                    owner.shard.number, owner.file
                );
                faults.push(opened.fault(*line, reason));
            } else {
                cases.insert(case, opened);
            }
        }
        for &(line, record) in &opened.records {
            let key = (&record.case, record.process);
            if let Some((file, at)) = processes.insert(key, (opened.file, line)) {
                let reason = format!(
                    "case `{}` of process {} is in {file}:{at} too",
                    record.case, record.process
                );
                faults.push(opened.fault(line, reason));
            }
        }
    }
}

/// How the instructions of all shards were counted; `None` where that is not known.
fn counting(
    shards: &[Opened<'_>],
    machine_change: bool,
    faults: &mut Vec<Fault>,
) -> Option<Counting> {
    let ways: Option<Vec<&Counting>> = shards.iter().map(|opened| opened.counting).collect();
    let ways = ways?;
    let first = *ways.first()?;
    let by_processor = |way: &Counting| matches!(way, Counting::Processor);
    let (mut versions, mut budget_s, mut left_out): (Vec<&str>, u64, u64) = (Vec::new(), 0, 0);
    for (opened, way) in shards.iter().zip(ways) {
        if by_processor(way) != by_processor(first) {
            let reason = format!(
                "instructions were not counted as in {}, by the processor or by valgrind, and do not compare; measure all shards in one way",
                shards[0].file
            );
            faults.push(opened.fault(opened.lines, reason));
        }
        match way {
            Counting::Processor => {}
            // As where valgrind could not run them.
            Counting::Nobody { .. } => left_out += opened.countable(),
            Counting::Callgrind {
                version,
                budget_s: seconds,
                left_out: more,
            } => {
                if !versions.is_empty() && !versions.contains(&version.as_str()) && !machine_change
                {
                    let reason = format!(
                        "instructions were counted by {version}, and by {} in shards before; pass --allow-machine-change to merge them all the same",
                        versions.join(", ")
                    );
                    faults.push(opened.fault(opened.lines, reason));
                }
                if !versions.contains(&version.as_str()) {
                    versions.push(version);
                }
                budget_s = budget_s.saturating_add(*seconds);
                left_out = left_out.saturating_add(*more);
            }
        }
    }
    Some(match versions.is_empty() {
        true => first.clone(),
        false => Counting::Callgrind {
            version: versions.join(", "),
            budget_s,
            left_out,
        },
    })
}

/// The lines of all shards, in the order of a run that is not divided.
fn joined(
    shards: &[Opened<'_>],
    counting: Option<&Counting>,
    faults: &mut Vec<Fault>,
) -> Vec<Entry> {
    let first = &shards[0];
    let mut run = first.run.clone();
    run.shard = None;
    run.machines = shards
        .iter()
        .map(|opened| opened.run.environment.clone())
        .collect();
    let mut builds: Vec<&str> = shards.iter().map(|one| one.run.build.as_str()).collect();
    builds.dedup();
    run.build = builds.join("+");
    for skipped in shards.iter().flat_map(|opened| &opened.run.skipped) {
        if !run.skipped.iter().any(|one| one.target == skipped.target) {
            run.skipped.push(skipped.clone());
        }
    }
    let mut by_place: BTreeMap<u32, (&GroupInfo, &CaseId)> = BTreeMap::new();
    for opened in shards {
        for (&place, (_, info, case)) in opened.shard.places.iter().zip(&opened.cases) {
            by_place.insert(place, (info, case));
        }
    }
    let mut groups: Vec<PlannedGroup> = Vec::new();
    let mut index: HashMap<&str, usize> = HashMap::new();
    for (info, case) in by_place.into_values() {
        let at = *index.entry(&info.group).or_insert(groups.len());
        if at == groups.len() {
            groups.push(PlannedGroup {
                info: info.clone(),
                cases: Vec::new(),
            });
        }
        let case = (case.series.clone(), case.input.clone());
        groups[at].cases.push(case);
    }
    let mut entries = vec![Entry::Run(Box::new(run))];
    entries.extend(groups.into_iter().map(Entry::Group));
    if digest(&crate::record::planned(&entries)) != first.shard.digest {
        let reason = format!(
            "the cases of all shards are not those of the digest {}; measure them again",
            first.shard.digest
        );
        faults.push(first.fault(1, reason));
    }
    let records = shards.iter().flat_map(|opened| &opened.records);
    entries.extend(records.map(|&(_, record)| Entry::Case(record.clone())));
    let counted = shards.iter().flat_map(|opened| &opened.counted);
    entries.extend(counted.map(|&counted| Entry::Counted(counted.clone())));
    entries.extend(counting.cloned().map(Entry::Counting));
    let profiled = shards.iter().flat_map(|opened| &opened.profiled);
    entries.extend(profiled.map(|&profiled| Entry::Profiled(profiled.clone())));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Environment;
    use crate::record::{Found, Profile, Skipped};
    use proptest::prelude::*;

    fn case(group: &str, series: &str, input: &str) -> CaseId {
        CaseId {
            group: group.to_owned(),
            series: series.to_owned(),
            input: input.to_owned(),
        }
    }

    /// Cases that may all be measured apart, each with the time it takes.
    fn apart(times: &[u64]) -> (Vec<CaseId>, HashMap<CaseId, u64>) {
        let case = |at: usize| case("g", "s", &at.to_string());
        let cases: Vec<CaseId> = (0..times.len()).map(case).collect();
        let durations = cases.iter().cloned().zip(times.iter().copied()).collect();
        (cases, durations)
    }

    /// What the longest part takes.
    fn longest(parts: &[Vec<u32>], times: &[u64]) -> u64 {
        let sum = |part: &Vec<u32>| part.iter().map(|&place| times[place as usize]).sum::<u64>();
        parts.iter().map(sum).max().unwrap_or(0)
    }

    /// What the longest part takes when the parts are the best there are.
    fn best(times: &[u64], shards: usize) -> u64 {
        let all = shards.pow(times.len() as u32);
        (0..all)
            .map(|mut choice| {
                let mut sums = vec![0; shards];
                for time in times {
                    sums[choice % shards] += time;
                    choice /= shards;
                }
                sums.into_iter().max().unwrap_or(0)
            })
            .min()
            .unwrap_or(0)
    }

    proptest! {
        #[test]
        fn every_case_is_in_one_part_and_what_is_compared_stays_together(
            ids in prop::collection::hash_set((0..4_u8, 0..5_u8, 0..4_u8), 0..60),
            known in prop::collection::vec(prop::option::of(0..1_000_u64), 60),
            shards in 1..7_u32,
        ) {
            let cases: Vec<CaseId> = ids
                .into_iter()
                .map(|(group, series, input)| case(&group.to_string(), &series.to_string(), &input.to_string()))
                .collect();
            let durations: HashMap<CaseId, u64> = cases
                .iter()
                .zip(&known)
                .filter_map(|(case, took)| Some((case.clone(), (*took)?)))
                .collect();
            let parts = partition(&cases, &durations, shards);
            prop_assert_eq!(parts.len(), shards as usize);
            prop_assert!(parts.iter().all(|part| part.is_sorted()));
            let mut places: Vec<u32> = parts.iter().flatten().copied().collect();
            places.sort_unstable();
            prop_assert_eq!(places, (0..cases.len() as u32).collect::<Vec<_>>());
            let mut owner: HashMap<(&str, &str), usize> = HashMap::new();
            for (number, part) in parts.iter().enumerate() {
                for &place in part {
                    let case = &cases[place as usize];
                    prop_assert_eq!(*owner.entry((&case.group, &case.input)).or_insert(number), number);
                }
            }
            // Also where the durations come in another order.
            let again: HashMap<CaseId, u64> = durations.clone().into_iter().collect();
            prop_assert_eq!(partition(&cases, &again, shards), parts);
        }

        #[test]
        fn longest_part_takes_at_most_four_thirds_of_the_best(
            times in prop::collection::vec(1..100_u64, 1..8),
            shards in 1..4_u32,
        ) {
            let (cases, durations) = apart(&times);
            let found = longest(&partition(&cases, &durations, shards), &times);
            // Graham's bound is 4/3 - 1/(3 m).
            let m = u64::from(shards);
            prop_assert!(found * 3 * m <= best(&times, shards as usize) * (4 * m - 1));
        }
    }

    #[test]
    fn parts_are_those_that_were_computed_by_hand() {
        #[track_caller]
        fn check(times: &[u64], shards: u32, expected: &[&[u32]]) {
            let (cases, durations) = apart(times);
            assert_eq!(partition(&cases, &durations, shards), expected);
        }
        check(&[5, 4, 3, 3, 3], 2, &[&[0, 3], &[1, 2, 4]]);
        check(&[1, 1, 1, 1, 1], 2, &[&[0, 2, 4], &[1, 3]]);
        check(&[7], 3, &[&[0], &[], &[]]);
        check(&[], 2, &[&[], &[]]);
    }

    #[test]
    fn case_without_a_duration_is_a_typical_one_and_without_any_cases_are_counted() {
        let (cases, mut durations) = apart(&[10, 2, 2, 2, 0]);
        durations.remove(&cases[4]);
        let parts = partition(&cases, &durations, 2);
        assert_eq!(parts, [vec![0], vec![1, 2, 3, 4]]);
        let parts = partition(&cases, &HashMap::new(), 2);
        assert_eq!(parts, [vec![0, 2, 4], vec![1, 3]]);
    }

    #[test]
    fn digest_tells_parts_of_an_id_and_their_order() {
        let one = digest(&[case("a", "b", "c")]);
        assert_eq!(one, digest(&[case("a", "b", "c")]));
        assert_ne!(one, digest(&[case("ab", "", "c")]));
        assert_ne!(one, digest(&[case("a", "c", "b")]));
        // As FNV-1a is published: https://datatracker.ietf.org/doc/html/draft-eastlake-fnv
        assert_eq!(digest(&[]), "cbf29ce484222325");
    }

    /// The cases of the run that the tests divide, of two groups.
    fn cases() -> Vec<CaseId> {
        let mut cases = Vec::new();
        for group in ["a", "b"] {
            for input in ["1", "2"] {
                for series in ["own", "peer"] {
                    cases.push(case(group, series, input));
                }
            }
        }
        cases
    }

    fn group(name: &str, cases: &[CaseId]) -> Entry {
        let cases = cases.iter().filter(|case| case.group == name);
        Entry::Group(PlannedGroup {
            info: GroupInfo {
                group: name.to_owned(),
                section: "s".to_owned(),
                question: "q?".to_owned(),
                work: String::new(),
                baseline: None,
                axis: "x".to_owned(),
                unit: "u".to_owned(),
                per_element: false,
                growth: false,
                suite: "f.rs".to_owned(),
                counted_first: false,
                bounds: Vec::new(),
            },
            cases: cases
                .map(|case| (case.series.clone(), case.input.clone()))
                .collect(),
        })
    }

    fn run(shard: Option<Shard>) -> RunInfo {
        RunInfo {
            profile: Profile::Quick,
            filter: None,
            processes: 2,
            warm_up_ms: 1,
            measurement_ms: 1,
            samples: 1,
            seed: 1,
            build: "b".to_owned(),
            environment: Environment {
                cores_total: Some(2),
                commit: Some("c0ffee".to_owned()),
                dirty: Some(false),
                ..Environment::default()
            },
            skipped: Vec::new(),
            shard,
            machines: Vec::new(),
        }
    }

    /// The record of those of the cases that stand at `places`.
    fn entries(shard: Option<Shard>, places: &[u32]) -> Vec<Entry> {
        let all = cases();
        let own: Vec<CaseId> = places.iter().map(|&at| all[at as usize].clone()).collect();
        let mut entries = vec![Entry::Run(Box::new(run(shard)))];
        for name in ["a", "b"] {
            if own.iter().any(|case| case.group == name) {
                entries.push(group(name, &own));
            }
        }
        for process in [1, 2] {
            for case in &own {
                entries.push(Entry::Case(Record {
                    case: case.clone(),
                    process,
                    samples: vec![Sample {
                        iterations: 1,
                        elapsed_ns: 5,
                    }],
                    elements: 1,
                    allocations: None,
                    counters: None,
                    threads: Some(1),
                    took_ms: None,
                    status: Status::Ok,
                }));
            }
        }
        entries.push(Entry::Counted(Counted {
            case: own[0].clone(),
            instructions: 7,
        }));
        entries.push(Entry::Counting(Counting::Callgrind {
            version: "valgrind-1".to_owned(),
            budget_s: 5,
            left_out: 1,
        }));
        entries
    }

    /// A run in three shards, files `s1` to `s3`.
    fn shards() -> Vec<Part> {
        let all = cases();
        let parts = partition(&all, &HashMap::new(), 3);
        let part = |(number, places): (u32, &Vec<u32>)| Part {
            file: format!("s{number}"),
            read: Entries {
                entries: entries(
                    Some(Shard {
                        number,
                        of: 3,
                        cases: all.len() as u32,
                        digest: digest(&all),
                        places: places.clone(),
                    }),
                    places,
                ),
                ..Entries::default()
            },
        };
        (1..).zip(&parts).map(part).collect()
    }

    fn header(part: &mut Part) -> &mut RunInfo {
        match &mut part.read.entries[0] {
            Entry::Run(run) => run,
            other => panic!("a run, not {other:?}"),
        }
    }

    /// Asserts what is wrong with the shards after a change: places, each with a part of the sentence.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Vec<Part>), expected: &[(&str, &str)]) {
        let mut parts = shards();
        change(&mut parts);
        let faults: Vec<String> = match merge(&parts, false) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(Fault::to_string).collect(),
        };
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, (place, part)) in faults.iter().zip(expected) {
            assert!(fault.starts_with(&format!("{place}: ")), "{place}: {fault}");
            assert!(fault.contains(part), "`{part}` is not in: {fault}");
        }
    }

    #[test]
    fn merged_shards_are_the_record_of_the_whole_run_in_whatever_order_they_are_given() {
        let mut parts = shards();
        let merged = merge(&parts, false).unwrap();
        let all: Vec<u32> = (0..cases().len() as u32).collect();
        let whole = entries(None, &all);
        assert_eq!(crate::record::planned(&merged), cases());
        let sorted = |entries: &[Entry]| {
            let mut lines: Vec<String> = entries
                .iter()
                .filter(|entry| matches!(entry, Entry::Case(_) | Entry::Group(_)))
                .map(Entry::to_line)
                .collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&merged), sorted(&whole));
        let mut expected = run(None);
        expected.machines = vec![expected.environment.clone(); 3];
        assert_eq!(merged[0], Entry::Run(Box::new(expected)));
        let counting = Entry::Counting(Counting::Callgrind {
            version: "valgrind-1".to_owned(),
            budget_s: 15,
            left_out: 3,
        });
        assert_eq!(merged.last(), Some(&counting));
        parts.rotate_left(2);
        assert_eq!(merge(&parts, false).unwrap(), merged);
    }

    #[test]
    fn every_shard_is_there_exactly_once() {
        check(|_| {}, &[]);
        check(
            |parts| drop(parts.remove(1)),
            &[("s1:1", "of 3 shards 2 is missing; give all of them")],
        );
        check(
            |parts| parts.truncate(1),
            &[("s1:1", "of 3 shards 2, 3 are missing")],
        );
        check(
            |parts| {
                let mut copy = parts[1].clone();
                copy.file = "copy".to_owned();
                parts.push(copy);
            },
            &[("copy:1", "shard 2 is s2 too; give each shard once")],
        );
        check(
            |parts| header(&mut parts[2]).shard = None,
            // It may be the missing one.
            &[("s3:1", "the record is no shard")],
        );
        check(
            |parts| drop(parts[0].read.entries.remove(0)),
            &[("s1:1", "does not begin with a run")],
        );
        check(
            |parts| {
                let shard = header(&mut parts[2]).shard.as_mut().unwrap();
                (shard.number, shard.of) = (4, 3);
            },
            &[("s3:1", "there is no shard 4 of 3")],
        );
    }

    #[test]
    fn shards_are_of_one_run() {
        check(
            |parts| {
                let run = header(&mut parts[1]);
                run.profile = Profile::Full;
                run.environment.commit = Some("decade".to_owned());
            },
            &[
                ("s2:1", "profile: full, and quick in s1; merge"),
                ("s2:1", "commit: decade, and c0ffee in s1; merge"),
            ],
        );
        check(
            |parts| {
                let run = header(&mut parts[1]);
                run.shard.as_mut().unwrap().digest = "other".to_owned();
                run.skipped.push(Skipped {
                    target: "global_x".to_owned(),
                    reason: String::new(),
                });
            },
            &[("s2:1", "digest of all cases: other, and ")],
        );
        check(
            |parts| {
                header(&mut parts[2]).filter = Some("a".to_owned());
            },
            &[("s3:1", "filter: \"a\", and \"\" in s1")],
        );
        check(
            |parts| {
                let Entry::Group(group) = &mut parts[1].read.entries[1] else {
                    panic!("a group");
                };
                group.info.work = "more".to_owned();
            },
            &[("s2:2", "is described otherwise than in s1")],
        );
    }

    #[test]
    fn code_without_a_commit_is_the_same_only_in_the_same_binaries() {
        let dirty = |parts: &mut Vec<Part>| {
            for part in parts {
                header(part).environment.dirty = Some(true);
            }
        };
        check(dirty, &[]);
        check(
            |parts| {
                dirty(parts);
                header(&mut parts[1]).build = "other".to_owned();
            },
            &[("s2:1", "the bench binaries are not those of s1")],
        );
        // On machines with other paths they are never the same.
        check(
            |parts| header(&mut parts[1]).build = "other".to_owned(),
            &[],
        );
    }

    #[test]
    fn another_machine_is_refused_unless_it_is_allowed_and_is_recorded() {
        let change = |parts: &mut Vec<Part>| {
            let environment = &mut header(&mut parts[2]).environment;
            environment.cores_total = Some(16);
            environment.rustc = Some("9.9.9".to_owned());
        };
        check(
            change,
            &[(
                "s3:1",
                "records were taken on another machine (2 cores, now 16); compiler none, now 9.9.9; pass --allow-machine-change",
            )],
        );
        let mut parts = shards();
        change(&mut parts);
        let merged = merge(&parts, true).unwrap();
        let Entry::Run(run) = &merged[0] else {
            panic!("a run");
        };
        let cores = run.machines.iter().map(|machine| machine.cores_total);
        assert_eq!(cores.collect::<Vec<_>>(), [Some(2), Some(2), Some(16)]);
    }

    #[test]
    fn every_process_of_every_case_is_there_exactly_once() {
        check(
            |parts| drop(parts[0].read.entries.remove(3)),
            &[(
                "s1:2",
                "cases lack processes: `a/own/1` has 1 of 2; complete",
            )],
        );
        check(
            |parts| {
                let stray = parts[0].read.entries[3].clone();
                parts[1].read.entries.insert(3, stray);
            },
            &[
                ("s2:4", "case `a/own/1` is none of shard 2"),
                ("s2:4", "case `a/own/1` of process 1 is in s1:4 too"),
            ],
        );
        check(
            |parts| {
                let Entry::Case(record) = &mut parts[0].read.entries[3] else {
                    panic!("a case");
                };
                record.process = 9;
            },
            &[("s1:4", "has no process 9; there are 2")],
        );
        check(
            |parts| parts[1].read.truncated = true,
            &[("s2:9", "the record ends inside this line; complete it")],
        );
        check(
            |parts| drop(parts[1].read.entries.pop()),
            &[("s2:7", "ends before instructions were counted")],
        );
        check(
            |parts| {
                let again = parts[0].read.entries[0].clone();
                parts[1].read.entries.insert(2, again);
            },
            &[("s2:3", "a second run begins")],
        );
    }

    #[test]
    fn failed_case_needs_no_more_processes() {
        check(
            |parts| {
                let entries = &mut parts[0].read.entries;
                let Entry::Case(record) = &mut entries[3] else {
                    panic!("a case");
                };
                record.status = Status::Failed("late".to_owned());
                let case = record.case.clone();
                entries.retain(
                    |entry| !matches!(entry, Entry::Case(other) if other.case == case && other.process == 2),
                );
            },
            &[],
        );
    }

    #[test]
    fn shards_that_were_divided_otherwise_are_found_out() {
        // The second shard holds what the first has.
        check(
            |parts| {
                let places = header(&mut parts[0]).shard.clone().unwrap().places;
                let shard = header(&mut parts[1]).shard.clone().unwrap();
                let shard = Shard {
                    places: places.clone(),
                    ..shard
                };
                let mut entries = entries(Some(shard), &places);
                entries.retain(|entry| !matches!(entry, Entry::Case(_)));
                parts[1].read.entries = entries;
            },
            &[
                (
                    "s1:1",
                    "2 of 8 cases are in no shard; were all shards given the same --durations?",
                ),
                ("s2:2", "cases lack processes"),
                ("s2:2", "case `a/own/1` is in shard 1 too (s1)"),
                ("s2:2", "case `a/peer/1` is in shard 1 too (s1)"),
                ("s2:3", "case `b/own/2` is in shard 1 too (s1)"),
                ("s2:3", "case `b/peer/2` is in shard 1 too (s1)"),
            ],
        );
        check(
            |parts| {
                header(&mut parts[1])
                    .shard
                    .as_mut()
                    .unwrap()
                    .places
                    .reverse()
            },
            &[(
                "s2:1",
                "says where 2 cases stand among 8, and its groups hold 2",
            )],
        );
    }

    #[test]
    fn instructions_counted_in_two_ways_are_not_mixed() {
        let counting = |part: &mut Part, way| {
            *part.read.entries.last_mut().unwrap() = Entry::Counting(way);
        };
        check(
            |parts| counting(&mut parts[1], Counting::Processor),
            &[(
                "s2:8",
                "not counted as in s1, by the processor or by valgrind",
            )],
        );
        let callgrind = |version: &str| Counting::Callgrind {
            version: version.to_owned(),
            budget_s: 5,
            left_out: 0,
        };
        check(
            |parts| counting(&mut parts[1], callgrind("valgrind-2")),
            &[(
                "s2:8",
                "counted by valgrind-2, and by valgrind-1 in shards before",
            )],
        );
        let mut parts = shards();
        let reason = "no valgrind".to_owned();
        counting(&mut parts[0], Counting::Nobody { reason });
        counting(&mut parts[1], callgrind("valgrind-2"));
        let merged = merge(&parts, true).unwrap();
        let expected = Entry::Counting(Counting::Callgrind {
            version: "valgrind-2, valgrind-1".to_owned(),
            budget_s: 10,
            // All of the first shard, and one of the last.
            left_out: 5,
        });
        assert_eq!(merged.last(), Some(&expected));
    }

    #[test]
    fn profiles_of_all_shards_are_kept() {
        let mut parts = shards();
        let mut expected = Vec::new();
        for (part, at) in parts.iter_mut().zip([0, 1]) {
            let profiled = Profiled {
                case: cases()[at].clone(),
                found: Found::Nothing("no timer".to_owned()),
            };
            expected.push(Entry::Profiled(profiled.clone()));
            part.read.entries.push(Entry::Profiled(profiled));
        }
        let merged = merge(&parts, false).unwrap();
        assert_eq!(merged[merged.len() - 2..], expected);
    }

    #[test]
    fn what_a_process_took_is_stored_or_else_estimated_by_its_samples() {
        let mut entries = entries(None, &[0]);
        let key = cases()[0].clone();
        assert_eq!(durations(&entries)[&key], 1_000_005);
        for entry in &mut entries {
            if let Entry::Case(record) = entry {
                record.took_ms = Some(u64::from(record.process) * 10);
            }
        }
        assert_eq!(durations(&entries)[&key], 15_000_000);
    }
}
