//! Measures a suspected regression again, on freshly linked layouts of both builds.
//!
//! Where a linker happens to put code moves some times by more than the change that is looked for,
//! and by the same in every launch. So both builds are linked again and again, each time in another
//! order that is the same for both, and the order, not the launch, is what the test counts.
//!
//! With orders drawn for each build by itself, 32 of them found 1 % more work in 3 of 54 trials of
//! three cases whose code is a few lines of the cache long (2-core x86-64 VM, 2026-11).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench_harness::gate::Verdict;
use bench_harness::sequential::{Judged, Test};
use bench_harness::{shuffle, stats};

use crate::pairing::{self, Patience, Stop};
use crate::relink::{self, Functions, LAYOUTS};
use crate::trial::{Method, Pair, Trial, Values};

/// Launches of every pair of layouts after which the test looks.
pub(crate) const ROUNDS: [usize; 4] = [3, 5, 9, 13];

/// Where confirming ends, whatever the rounds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The test of the layouts. It knows the side of the change that it looks for, so that all of the
/// error that it may make is on that side.
pub(crate) fn test(limit: f64) -> Test {
    let suspicion = Test::suspicion();
    Test {
        limit,
        alpha: 2.0 * suspicion.alpha,
        looks: ROUNDS.len() as u32,
        least_launches: LAYOUTS,
    }
}

/// What measuring again gave.
pub(crate) struct Confirmed {
    /// What follows; a change to the other side than the suspected one is none to be sure of.
    pub(crate) verdict: Verdict,
    pub(crate) judged: Option<Judged>,
    pub(crate) launches: u32,
    pub(crate) layouts: u32,
    pub(crate) took: Duration,
    pub(crate) notes: Vec<String>,
}

/// Links layouts of pairs of binaries when they are first wanted.
pub(crate) struct Layouts {
    folder: tempfile::TempDir,
    linked: HashMap<[PathBuf; 2], Result<Vec<[PathBuf; 2]>, String>>,
    seed: u64,
}

impl Layouts {
    pub(crate) fn new(folder: &Path, seed: u64) -> Result<Self> {
        let folder = tempfile::tempdir_in(folder)
            .with_context(|| format!("cannot create a folder in {}", folder.display()))?;
        Ok(Self {
            folder,
            linked: HashMap::new(),
            seed,
        })
    }

    /// The binaries of a case with their code in the same order, to begin with.
    ///
    /// # Errors
    ///
    /// Fails where they cannot be linked again.
    pub(crate) fn alike(&self, pair: &Pair<'_>) -> Result<[PathBuf; 2]> {
        let binaries = pair.built();
        let number = pair.binaries.map(|binary| binary.to_string()).join("-");
        let outs =
            ["base", "head"].map(|side| self.folder.path().join(format!("alike-{number}-{side}")));
        let functions = Functions::of(binaries)?;
        relink::relink_alike(
            binaries,
            &functions,
            self.seed as u32,
            0,
            [&outs[0], &outs[1]],
        )?;
        Ok(outs)
    }

    /// Fresh layouts of the binaries of base and head, or why there are none.
    fn of(&mut self, binaries: [&Path; 2]) -> Result<&[[PathBuf; 2]], &str> {
        let number = self.linked.len();
        let key = binaries.map(Path::to_owned);
        let (folder, seed) = (self.folder.path(), self.seed);
        let linked = self.linked.entry(key).or_insert_with(|| {
            link(binaries, folder, number, seed).map_err(|error| format!("{error:#}"))
        });
        linked.as_deref().map_err(String::as_str)
    }

    /// Whether a case is what its trial made it look like, slower or faster.
    pub(crate) fn confirm(
        &mut self,
        pair: Pair<'_>,
        trial: &Trial,
        suspected: Verdict,
        method: &Method,
        patience: &Patience<'_>,
    ) -> Result<Confirmed, Stop> {
        let start = Instant::now();
        let mut notes = Vec::new();
        let binaries = pair.built();
        let layouts = match self.of(binaries) {
            Ok(layouts) => layouts.to_vec(),
            Err(reason) => {
                notes.push(format!("confirmed on one layout only: {reason}"));
                vec![binaries.map(Path::to_owned); LAYOUTS]
            }
        };
        let fresh = notes.is_empty();
        let commands = |layout: usize| {
            let [base, head] = &layouts[layout];
            let layouts = Some([base.as_path(), head.as_path()]);
            Pair { layouts, ..pair }.commands()
        };
        let test = test(method.test.limit);
        let mut ratios: Vec<Vec<[f64; 2]>> = vec![Vec::new(); LAYOUTS];
        let mut verdict = Verdict::Inconclusive;
        let mut judged = None;
        for rounds in ROUNDS {
            for round in ratios[0].len()..rounds {
                let mut order: Vec<usize> = (0..LAYOUTS).collect();
                let seed = (method.seed << 20) + (1 << 19) + (round << 8) as u64;
                shuffle(&mut order, seed);
                for layout in order {
                    let commands = commands(layout)?;
                    let seed = seed + layout as u64;
                    let launch =
                        pairing::launch(commands, pair.case, &trial.turns, false, seed, patience)?;
                    let values = Values::of(&launch);
                    ratios[layout]
                        .push([values.by(trial.clock).unwrap_or(values.wall), values.wall]);
                }
            }
            let means = |kind: usize| -> Vec<f64> {
                let of = |launches: &Vec<[f64; 2]>| {
                    let values: Vec<f64> = launches.iter().map(|values| values[kind]).collect();
                    stats::median(&values).expect("every layout is launched")
                };
                ratios.iter().map(of).collect()
            };
            judged = test.judge(&means(0));
            let wall = test.judge(&means(1)).map_or(0.0, |wall| wall.change.point);
            verdict = match judged.map(|judged| judged.verdict) {
                Some(Verdict::Regressed) if wall < 0.0 => Verdict::Inconclusive,
                Some(Verdict::Equivalent) => Verdict::Equivalent,
                Some(verdict) if verdict == suspected => verdict,
                _ => Verdict::Inconclusive,
            };
            if verdict != Verdict::Inconclusive || start.elapsed() > PATIENCE {
                break;
            }
        }
        let launches: usize = ratios.iter().map(Vec::len).sum();
        Ok(Confirmed {
            verdict,
            judged,
            launches: launches as u32,
            layouts: if fresh { LAYOUTS as u32 } else { 1 },
            took: start.elapsed(),
            notes,
        })
    }
}

/// Links both binaries in [`LAYOUTS`] orders; two at a time, since a linker mostly uses one core.
fn link(
    binaries: [&Path; 2],
    folder: &Path,
    number: usize,
    seed: u64,
) -> Result<Vec<[PathBuf; 2]>> {
    let functions = Functions::of(binaries)?;
    let one = |layout: usize| {
        let outs = ["base", "head"].map(|side| folder.join(format!("{number}-{layout}-{side}")));
        let seed = (seed as u32).wrapping_add(1);
        relink::relink_alike(binaries, &functions, seed, layout, [&outs[0], &outs[1]])?;
        Ok(outs)
    };
    let half = LAYOUTS / 2;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| (half..LAYOUTS).map(one).collect());
        let mut linked: Vec<[PathBuf; 2]> = (0..half).map(one).collect::<Result<_>>()?;
        let other: Result<Vec<[PathBuf; 2]>> = other.join().expect("linking does not panic");
        linked.extend(other?);
        Ok(linked)
    })
}
