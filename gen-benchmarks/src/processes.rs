//! Judges benchmarks that nobody can ask for turns, which are criterion's own: whole processes of
//! both builds alternate, and each gives one number.

use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use anyhow::Result;
use bench_harness::comparison::{self, Comparison, Sides};
use bench_harness::record::{Profile, Sample};
use bench_harness::{shuffle, stats};

use crate::foreign::{self, Effort};
use crate::progress::Progress;
use crate::runner::Signal;
use crate::trial::Pair;
use crate::workspace::Defined;

/// How long a process measures: enough that its median differs less than processes do.
const EFFORT: Effort = Effort {
    warm_up_ms: 10,
    measurement_ms: 50,
    samples: 10,
};

/// What a case came to: its numbers, or the side that failed and why.
pub(crate) type Outcome = Result<Sides, (usize, String)>;

/// The definition of a pair's case on one side.
fn defined<'s>(pair: &Pair<'s>, side: usize) -> &'s Defined {
    let mut cases = pair.suites[side].cases.iter();
    let found = cases.find(|defined| defined.info.case == *pair.case);
    found.expect("a pair is of cases of both suites")
}

/// Whether either side is criterion's own.
pub(crate) fn is_foreign(pair: &Pair<'_>) -> bool {
    [0, 1]
        .iter()
        .any(|&side| defined(pair, side).foreign.is_some())
}

/// Processes of each build.
pub(crate) const fn launches(profile: Profile) -> u32 {
    match profile {
        Profile::Quick => 10,
        Profile::Standard => 20,
        Profile::Full => 40,
    }
}

/// Runs processes of every case in both builds, in random order; `look` is called between them.
pub(crate) fn run(
    pairs: &[Pair<'_>],
    (launches, seed): (u32, u64),
    timeout: Duration,
    look: &mut dyn FnMut(),
    signals: (&Sender<Signal>, &Receiver<Signal>),
) -> Result<Vec<Outcome>> {
    let blank = || Sides {
        more_is_better: Some(false),
        ..Sides::default()
    };
    let mut outcomes: Vec<Outcome> = pairs.iter().map(|_| Ok(blank())).collect();
    let mut progress = Progress::of("pairs of processes", pairs.len() * launches as usize);
    for launch in 1..=launches {
        // Who is first is drawn, too: a fixed order would be taken for a change.
        let mut order: Vec<(usize, [usize; 2])> = Vec::new();
        for at in 0..pairs.len() {
            let mut sides = [0, 1];
            let seed = (seed << 32) ^ (u64::from(launch) << 16) ^ at as u64;
            shuffle(&mut sides, seed);
            order.push((at, sides));
        }
        shuffle(&mut order, (seed << 32) + u64::from(launch));
        for (at, sides) in order {
            let pair = &pairs[at];
            progress.announce(pair.case);
            for side in sides {
                let Ok(numbers) = &mut outcomes[at] else {
                    continue;
                };
                let (suite, defined) = (pair.suites[side], defined(pair, side));
                match foreign::measure(suite, defined, EFFORT, timeout, signals)? {
                    Ok((samples, _)) => {
                        let list = match side {
                            0 => &mut numbers.base,
                            _ => &mut numbers.head,
                        };
                        list.extend(median(&samples));
                    }
                    Err(reason) => outcomes[at] = Err((side, reason)),
                }
                look();
            }
            progress.step(pair.case);
        }
    }
    progress.finish();
    Ok(outcomes)
}

/// Nanoseconds an iteration.
fn median(samples: &[Sample]) -> Option<f64> {
    let times = samples
        .iter()
        .map(|sample| sample.elapsed_ns as f64 / sample.iterations as f64);
    stats::median(&times.collect::<Vec<_>>())
}

/// Compares all cases, each by its own limit; cases of one limit are corrected for their number
/// together.
pub(crate) fn compare(cases: &[(Sides, f64)]) -> Vec<Comparison> {
    let mut limits: Vec<f64> = cases.iter().map(|(_, limit)| *limit).collect();
    limits.sort_by(f64::total_cmp);
    limits.dedup();
    let mut found: Vec<(usize, Comparison)> = Vec::new();
    for limit in limits {
        let (places, sides): (Vec<usize>, Vec<Sides>) = cases
            .iter()
            .enumerate()
            .filter(|(_, (_, own))| *own == limit)
            .map(|(place, (sides, _))| (place, sides.clone()))
            .unzip();
        found.extend(places.into_iter().zip(comparison::compare(&sides, limit)));
    }
    found.sort_by_key(|(place, _)| *place);
    found
        .into_iter()
        .map(|(_, comparison)| comparison)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_harness::gate::Verdict;

    #[test]
    fn case_is_held_to_its_own_limit_and_keeps_its_place() {
        let case = |head: f64, limit: f64| {
            let sides = Sides {
                base: vec![100.0, 101.0, 99.0, 100.0],
                head: [0.0, 1.0, -1.0, 0.0].map(|off| head + off).to_vec(),
                more_is_better: Some(false),
                exact: false,
            };
            (sides, limit)
        };
        let cases = [
            case(110.0, 0.5),
            case(110.0, 0.02),
            case(90.0, 0.5),
            case(90.0, 0.02),
        ];
        let verdicts: Vec<Verdict> = compare(&cases).iter().map(|one| one.verdict).collect();
        assert_eq!(
            verdicts,
            [
                Verdict::Equivalent,
                Verdict::Regressed,
                Verdict::Equivalent,
                Verdict::Improved,
            ]
        );
    }
}
