//! One case of two builds, launched again and again until what the launches say is decided.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use bench_harness::gate::Verdict;
use bench_harness::record::{Allocations, CaseId};
use bench_harness::sequential::{Judged, Test};
use bench_harness::server::{Ready, Turn};
use bench_harness::stats;

use crate::pairing::{self, Launch, Patience, Stop, Turns};
use crate::workspace::Suite;

/// A case and the bench binaries that define it in both builds.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'s> {
    pub(crate) case: &'s CaseId,
    /// Base and head, as everywhere.
    pub(crate) suites: [&'s Suite; 2],
    pub(crate) binaries: [usize; 2],
    /// Other layouts of the binaries to run in their place.
    pub(crate) layouts: Option<[&'s Path; 2]>,
}

impl<'s> Pair<'s> {
    /// The binaries as they were built.
    pub(crate) fn built(&self) -> [&'s Path; 2] {
        [0, 1].map(|side| {
            self.suites[side].binaries[self.binaries[side]]
                .path
                .as_path()
        })
    }

    /// Commands that run the case's bench binaries.
    pub(crate) fn commands(&self) -> Result<[Command; 2], Stop> {
        let command = |side: usize| {
            let (suite, binary) = (self.suites[side], self.binaries[side]);
            let command = match self.layouts {
                Some(layouts) => suite.equip(Command::new(layouts[side]), binary),
                None => suite.command(binary),
            };
            command.map_err(|error| Stop::Broken {
                side,
                reason: format!("{error:#}"),
            })
        };
        Ok([command(0)?, command(1)?])
    }
}

/// What builds are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Cycles of the processor in user mode.
    Cycles,
    /// The time that the process had a core.
    Cpu,
    /// The time that passed.
    Wall,
}

impl Clock {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cycles => "cycles",
            Self::Cpu => "CPU time",
            Self::Wall => "wall time",
        }
    }
}

/// How cases are measured.
#[derive(Clone)]
pub(crate) struct Method {
    /// The core that single-threaded cases, and overhead of others, are measured on.
    pub(crate) core: Option<usize>,
    /// The best clock that may be used: one that is switched off is as good as missing.
    pub(crate) best_clock: Clock,
    /// When launches are looked at, in time spent on the case; the last is the end.
    pub(crate) looks: Vec<Duration>,
    pub(crate) test: Test,
    /// Decides every random order.
    pub(crate) seed: u64,
    /// What part of its iterations head does again, to see whether that is noticed.
    pub(crate) extra: f64,
    /// Goes on until wall time has decided, too.
    pub(crate) both_clocks: bool,
}

/// When launches are looked at.
pub(crate) const LOOKS: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// How often allocations of both builds are counted.
const COUNTED_LAUNCHES: usize = 2;

/// Everything that was measured of one case.
pub(crate) struct Trial {
    pub(crate) launches: Vec<Values>,
    pub(crate) turns: Turns,
    pub(crate) ready: [Ready; 2],
    /// What an iteration of base and head allocates, launch by launch.
    pub(crate) allocations: Vec<[Allocations; 2]>,
    /// What the verdict rests on.
    pub(crate) clock: Clock,
    pub(crate) took: Duration,
    /// `None` where there were too few launches in the time.
    pub(crate) judged: Option<Judged>,
    /// What wall time says, for the clock may be another.
    pub(crate) wall: Option<Judged>,
    test: Test,
}

/// What one launch says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values {
    /// Logarithms of head over base, of an element.
    pub(crate) wall: f64,
    pub(crate) cpu: Option<f64>,
    pub(crate) cycles: Option<f64>,
    pub(crate) instructions: Option<f64>,
    /// Wall time of a turn, in nanoseconds.
    pub(crate) turn_ns: [f64; 2],
    /// Instructions of a turn.
    pub(crate) turn_instructions: [Option<f64>; 2],
    /// What part of the wall time of the least disturbed turn the process had a core.
    pub(crate) busy: Option<f64>,
}

impl Values {
    pub(crate) fn of(launch: &Launch) -> Self {
        let wall = |turn: &Turn| Some(turn.wall_ns);
        let busy = launch
            .pairs
            .iter()
            .flatten()
            .map(|turn| Some(turn.cpu_ns? as f64 / turn.wall_ns.max(1) as f64))
            .collect::<Option<Vec<f64>>>();
        let figure = |side| launch.figure(side, wall).expect("turns have a wall time");
        // Of an element: an iteration may handle more of them than before.
        let [base, head] = launch
            .ready
            .map(|ready| (ready.elements.max(1) as f64).ln());
        let of_element = |ratio: Option<f64>| ratio.map(|ratio| ratio - (head - base));
        Self {
            wall: of_element(launch.log_ratio(wall)).unwrap_or(0.0),
            cpu: of_element(launch.log_ratio(|turn| turn.cpu_ns)),
            cycles: of_element(launch.log_ratio(|turn| turn.cycles)),
            instructions: of_element(launch.log_ratio(|turn| turn.instructions)),
            turn_ns: [figure(0), figure(1)],
            turn_instructions: [0, 1].map(|side| launch.figure(side, |turn| turn.instructions)),
            busy: busy.map(|busy| busy.into_iter().fold(0.0, f64::max)),
        }
    }

    pub(crate) fn by(&self, clock: Clock) -> Option<f64> {
        match clock {
            Clock::Cycles => self.cycles,
            Clock::Cpu => self.cpu,
            Clock::Wall => Some(self.wall),
        }
    }
}

/// Less than this part of a turn on the core, and the case waits for something: what it waits for
/// is part of its time, and only the wall clock sees it.
const BUSY: f64 = 0.9;

impl Trial {
    /// Measures a case until it is decided or the last look is over.
    pub(crate) fn run(
        pair: Pair<'_>,
        method: &Method,
        patience: &Patience<'_>,
        mut after_launch: impl FnMut(),
    ) -> Result<Self, Stop> {
        let [base, _] = pair.commands()?;
        let iteration_ns = pairing::iteration_ns(base, pair.case, method.core, patience)?;
        let mut turns = Turns::sized(method.core, iteration_ns);
        if method.extra > 0.0 {
            inject(&mut turns, method.extra);
        }
        Self::go_on(pair, turns, method, patience, &mut after_launch)
    }

    fn go_on(
        pair: Pair<'_>,
        turns: Turns,
        method: &Method,
        patience: &Patience<'_>,
        after_launch: &mut impl FnMut(),
    ) -> Result<Self, Stop> {
        let nobody = Ready {
            threads: None,
            elements: 1,
        };
        let mut trial = Self {
            launches: Vec::new(),
            turns,
            ready: [nobody; 2],
            allocations: Vec::new(),
            clock: Clock::Wall,
            took: Duration::ZERO,
            judged: None,
            wall: None,
            test: method.test,
        };
        for &look in &method.looks {
            // A slow case may take twice the time to have launches enough.
            while trial.took < look
                || (trial.launches.len() < method.test.least_launches && trial.took < 2 * look)
            {
                trial.launch(pair, method, patience)?;
                after_launch();
            }
            trial.judge(method);
            let wall = trial.wall.map(|wall| wall.verdict);
            let undecided = trial.verdict() == Verdict::Inconclusive
                || (method.both_clocks && wall == Some(Verdict::Inconclusive));
            if !undecided {
                break;
            }
        }
        Ok(trial)
    }

    /// One more launch.
    fn launch(
        &mut self,
        pair: Pair<'_>,
        method: &Method,
        patience: &Patience<'_>,
    ) -> Result<(), Stop> {
        let number = self.launches.len();
        let launch = pairing::launch(
            pair.commands()?,
            pair.case,
            &self.turns,
            number < COUNTED_LAUNCHES,
            (method.seed << 20) + number as u64,
            patience,
        )?;
        self.took += launch.took;
        self.ready = launch.ready;
        self.allocations.extend(launch.allocations);
        self.launches.push(Values::of(&launch));
        Ok(())
    }

    /// What the launches say now.
    pub(crate) fn judge(&mut self, method: &Method) {
        self.clock = clock(&self.launches, method.best_clock);
        self.judged = method.test.judge(&self.ratios(self.clock));
        self.wall = method.test.judge(&self.ratios(Clock::Wall));
    }

    /// What one clock alone says at the looks that end within so many seconds, and when.
    pub(crate) fn decided_by(&self, clock: Clock, within_s: f64) -> (Verdict, f64) {
        let ratios = self.ratios(clock);
        let launch_s = self.took.as_secs_f64() / self.launches.len().max(1) as f64;
        let looks = LOOKS.map(|look| look.as_secs_f64());
        let looks = looks
            .into_iter()
            .filter(|&look| look < within_s)
            .chain([within_s]);
        for look in looks {
            let count = ((look / launch_s).round() as usize)
                .max(self.test.least_launches)
                .min(ratios.len());
            let verdict = self
                .test
                .judge(&ratios[..count])
                .map(|judged| judged.verdict);
            match verdict {
                Some(Verdict::Inconclusive) | None => {}
                Some(verdict) => return (verdict, look),
            }
        }
        (Verdict::Inconclusive, within_s)
    }

    /// Whether all of this part was really done again; it is not where an iteration is too long.
    pub(crate) fn has_extra(&self, extra: f64) -> bool {
        let [base, head] = self.turns.iterations.map(|iterations| iterations as f64);
        ((head / base - 1.0) / extra - 1.0).abs() < 0.1
    }

    /// Whether the case runs on one thread.
    pub(crate) fn is_alone(&self) -> bool {
        self.ready.iter().all(|ready| ready.threads == Some(1))
    }

    /// The logarithms of the launches' ratios by a clock that all of them have.
    pub(crate) fn ratios(&self, clock: Clock) -> Vec<f64> {
        let ratios = self.launches.iter().filter_map(|values| values.by(clock));
        ratios.collect()
    }

    /// What follows: a change is one only when wall time leans to the same side.
    pub(crate) fn verdict(&self) -> Verdict {
        let (Some(judged), Some(wall)) = (self.judged, self.wall) else {
            return Verdict::Inconclusive;
        };
        match judged.verdict {
            Verdict::Regressed if wall.change.point < 0.0 => Verdict::Inconclusive,
            Verdict::Improved if wall.change.point > 0.0 => Verdict::Inconclusive,
            verdict => verdict,
        }
    }

    /// Median over the launches of the wall time of an iteration of a build, in nanoseconds.
    pub(crate) fn iteration_ns(&self, side: usize) -> Option<f64> {
        let turns: Vec<f64> = self
            .launches
            .iter()
            .map(|values| values.turn_ns[side])
            .collect();
        stats::median(&turns).map(|turn| turn / self.turns.iterations[0] as f64)
    }
}

/// The best clock that every launch has, and that sees all of the case's time.
fn clock(launches: &[Values], best: Clock) -> Clock {
    let all = |clock| launches.iter().all(|values| values.by(clock).is_some());
    let busy: Option<Vec<f64>> = launches.iter().map(|values| values.busy).collect();
    let waits = busy
        .and_then(|busy| stats::median(&busy))
        .is_none_or(|busy| busy < BUSY);
    match best {
        Clock::Cycles if all(Clock::Cycles) && !waits => Clock::Cycles,
        Clock::Cycles | Clock::Cpu if all(Clock::Cpu) && !waits => Clock::Cpu,
        _ => Clock::Wall,
    }
}

/// How many times longer turns may be made so that the extra part is at least an iteration: longer
/// ones are noisier than those that the gate takes, and would say little of it.
const STRETCH: u64 = 4;

/// Gives head that much more to do, in whole iterations; a turn is made longer where it has too few
/// of them, and stays as it is where that is not enough.
fn inject(turns: &mut Turns, extra: f64) {
    let least = (1.0 / extra).round() as u64;
    let [iterations, _] = turns.iterations;
    if iterations < least && least <= STRETCH * iterations {
        let stretched = least as f64 / iterations as f64;
        turns.pairs = ((f64::from(turns.pairs) / stretched) as u32).max(6);
        turns.iterations = [least; 2];
    }
    let [iterations, _] = turns.iterations;
    turns.iterations[1] += (iterations as f64 * extra).round() as u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(wall: f64, cpu: Option<f64>, busy: f64) -> Values {
        Values {
            wall,
            cpu,
            cycles: None,
            instructions: None,
            turn_ns: [1.0; 2],
            turn_instructions: [None; 2],
            busy: Some(busy),
        }
    }

    #[test]
    fn best_clock_is_one_that_all_launches_have_and_that_sees_waiting() {
        let cpu = [values(0.1, Some(0.1), 1.0); 3];
        assert_eq!(clock(&cpu, Clock::Cycles), Clock::Cpu);
        assert_eq!(clock(&cpu, Clock::Wall), Clock::Wall);
        let some = [values(0.1, Some(0.1), 1.0), values(0.1, None, 1.0)];
        assert_eq!(clock(&some, Clock::Cycles), Clock::Wall);
        let waiting = [values(0.1, Some(0.1), 0.5); 3];
        assert_eq!(clock(&waiting, Clock::Cycles), Clock::Wall);
    }

    #[test]
    fn extra_work_is_whole_iterations_and_turns_are_stretched_for_it_within_reason() {
        let injected = |iteration_ns, extra| {
            let mut turns = Turns::sized(None, iteration_ns);
            inject(&mut turns, extra);
            turns.iterations
        };
        assert_eq!(injected(60.0, 0.01), [1_000, 1_010]);
        assert_eq!(injected(2_000.0, 0.01), [100, 101]);
        // 1 % of one iteration is none.
        assert_eq!(injected(250_000.0, 0.01), [1, 1]);
    }
}
