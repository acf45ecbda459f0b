//! How small may a task be before handing it out costs more than it? The parts of an answer: tasks
//! that notice when they run too early, a search for the granularity, and the distance of two cores.

use std::array;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Rounds of [`compute`] in the one long task that the peak is measured with.
const PEAK_ROUNDS: u32 = 10_000;

/// Numbers that [`compute`] works on side by side: so many that a core is busy with one task. With
/// a single chain of dependent operations a core works on several short tasks at once, and a loop
/// over them does more than the peak of a long one (4 ns a task, 2-core x86-64 VM, 2026-11).
const LANES: usize = 16;

/// How often the long task is run; the fastest counts.
const PEAK_TRIES: usize = 3;

/// Runs at one granularity; their lower quartile counts, because what disturbs a run makes it
/// slower.
const RUNS: usize = 15;

/// Where [`half_efficiency`] gives up: tasks of about 6 us (2-core x86-64 VM, 2026-11). Longer
/// ones would make a search on a busy machine, where no length is enough, take seconds.
const MOST_ROUNDS: u32 = 1 << 11;

/// How often the interval in which a doubling passed half efficiency is halved. Where a task costs
/// a fixed time beside its rounds, interpolation is then wrong by less than a hundredth.
const HALVINGS: usize = 2;

/// A piece of memory that no other shares a cache line with.
#[derive(Debug)]
#[repr(align(64))]
struct Line([AtomicU64; 2]);

impl Line {
    fn load(&self) -> [u64; 2] {
        // `Relaxed`, here and in `store`: it is what is measured that has to order a task after
        // its dependencies. The values tell whether it did.
        array::from_fn(|at| self.0[at].load(Ordering::Relaxed))
    }

    fn store(&self, values: [u64; 2]) {
        for (cell, value) in self.0.iter().zip(values) {
            cell.store(value, Ordering::Relaxed);
        }
    }
}

/// Tasks that read what their dependencies wrote, compute, and write 16 bytes on a cache line of
/// their own.
///
/// Every run has a number that all its outputs carry, so the outputs of the run before are no
/// proof of anything. A task that finds an input without the number of the run, or its own output
/// with it, is wrong: it ran before a dependency, or twice.
///
/// # Examples
///
/// ```
/// use bench_harness::Tasks;
///
/// // The second task depends on the first.
/// let tasks = Tasks::new([vec![], vec![0]]);
/// tasks.begin(10);
/// assert!(tasks.work(0).is_ok() && tasks.work(1).is_ok());
/// assert!(tasks.check().is_ok());
///
/// tasks.begin(10);
/// let error = tasks.work(1).unwrap_err();
/// assert_eq!(error.to_string(), "task 1 ran before task 0, on which it depends");
/// ```
#[derive(Debug)]
pub struct Tasks {
    /// The number of the run and the rounds that a task computes.
    run: Line,
    /// The number of the run and the index of the task.
    outputs: Box<[Line]>,
    /// The dependencies of task `i` are `dependencies[ends[i - 1]..ends[i]]`.
    ends: Vec<u32>,
    dependencies: Vec<u32>,
}

/// What [`Tasks`] found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// A task ran before one that it depends on.
    #[error("task {task} ran before task {dependency}, on which it depends")]
    TooEarly {
        /// The task.
        task: usize,
        /// What it depends on.
        dependency: usize,
    },
    /// A task ran twice in a run.
    #[error("task {0} ran twice")]
    Twice(usize),
    /// A task did not run, or found something wrong.
    #[error("task {0} left no output")]
    Missing(usize),
}

impl Tasks {
    /// Tasks with these dependencies, each given by the indices of other tasks.
    ///
    /// # Panics
    ///
    /// Panics when an index or the number of dependencies does not fit into 32 bits.
    pub fn new<D: IntoIterator<Item = usize>>(dependencies: impl IntoIterator<Item = D>) -> Self {
        let narrow = |index: usize| u32::try_from(index).expect("an index of 32 bits");
        let mut all = Vec::new();
        let ends: Vec<u32> = dependencies
            .into_iter()
            .map(|dependencies| {
                all.extend(dependencies.into_iter().map(narrow));
                narrow(all.len())
            })
            .collect();
        let line = || Line(array::from_fn(|_| AtomicU64::new(0)));
        Self {
            run: line(),
            outputs: ends.iter().map(|_| line()).collect(),
            ends,
            dependencies: all,
        }
    }

    /// Number of tasks.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no tasks.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Begins a run in which every task computes `rounds` rounds of xorshift; no task of another
    /// run may be running.
    pub fn begin(&self, rounds: u32) {
        let [run, _] = self.run.load();
        self.run.store([run + 1, u64::from(rounds)]);
    }

    /// Runs the task with this index.
    ///
    /// # Errors
    ///
    /// Fails, and leaves no output, when a dependency has none in this run; fails when it ran
    /// before in this run.
    ///
    /// # Panics
    ///
    /// Panics when there is no such task, or none with the index of a dependency.
    #[inline]
    pub fn work(&self, task: usize) -> Result<(), TaskError> {
        let [run, rounds] = self.run.load();
        let start = match task {
            0 => 0,
            _ => self.ends[task - 1] as usize,
        };
        for &dependency in &self.dependencies[start..self.ends[task] as usize] {
            let dependency = dependency as usize;
            if self.outputs[dependency].load() != [run, dependency as u64] {
                return Err(TaskError::TooEarly { task, dependency });
            }
        }
        let output = &self.outputs[task];
        if output.load()[0] == run {
            // So that it is found at the end too, whatever becomes of the error.
            output.store([run, u64::MAX]);
            return Err(TaskError::Twice(task));
        }
        compute(rounds as u32);
        output.store([run, task as u64]);
        Ok(())
    }

    /// Looks at the outputs of all tasks. Takes O(tasks) time, and moves them to this core.
    ///
    /// # Errors
    ///
    /// Fails when a task has not run in this run, ran twice, or failed.
    pub fn check(&self) -> Result<(), TaskError> {
        let [run, _] = self.run.load();
        for (task, output) in self.outputs.iter().enumerate() {
            match output.load() {
                [of, index] if of == run && index == task as u64 => {}
                [of, _] if of == run => return Err(TaskError::Twice(task)),
                _ => return Err(TaskError::Missing(task)),
            }
        }
        Ok(())
    }

    /// The granularity of these tasks at which `workers` workers do half of what they could:
    /// the METG (50 %), in nanoseconds a task. See [`half_efficiency`].
    ///
    /// `run` runs every task once and returns how long that took. The peak, and then every number
    /// of rounds, is measured anew in every call; of 15 runs the lower quartile counts. The outputs
    /// are looked at after the last of them.
    ///
    /// # Errors
    ///
    /// Fails with a sentence when `run` does, and when a task ran too early, twice or not at all.
    pub fn metg(
        &self,
        workers: usize,
        mut run: impl FnMut() -> Result<Duration, String>,
    ) -> Result<f64, String> {
        let round_ns = round_ns();
        let granularity =
            |wall: Duration| wall.as_nanos() as f64 * workers as f64 / self.len() as f64;
        // Whatever was measured last has left the caches in some state.
        self.begin(0);
        run()?;
        half_efficiency(round_ns, |rounds| -> Result<f64, String> {
            let mut walls = [Duration::ZERO; RUNS];
            for wall in &mut walls {
                self.begin(rounds);
                *wall = run()?;
            }
            self.check().map_err(|error: TaskError| error.to_string())?;
            walls.sort_unstable();
            Ok(granularity(walls[RUNS / 4]))
        })
    }
}

/// Computes `rounds` rounds of xorshift64 (Marsaglia, 2003) on [`LANES`] numbers.
#[inline]
fn compute(rounds: u32) {
    let mut lanes: [u64; LANES] = array::from_fn(|lane| 0x9E37_79B9_7F4A_7C15 + lane as u64);
    lanes[0] = black_box(lanes[0]);
    for _ in 0..rounds {
        for state in &mut lanes {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
        }
    }
    black_box(lanes);
}

/// Nanoseconds that a round of [`compute`] takes at best.
fn round_ns() -> f64 {
    let tries = (0..PEAK_TRIES).map(|_| {
        let start = Instant::now();
        compute(black_box(PEAK_ROUNDS));
        start.elapsed()
    });
    tries.min().unwrap_or_default().as_nanos() as f64 / f64::from(PEAK_ROUNDS)
}

/// The granularity at which a task is half work and half everything else.
///
/// `granularity` measures, for tasks of so many rounds, how many nanoseconds of a worker a task
/// takes: wall time times workers by tasks. The efficiency is the part of it that the rounds alone
/// would take, at `round_ns` each. The number of rounds is doubled until the efficiency is at least
/// a half, the last step is halved twice, and the granularity between the two neighbours is
/// interpolated. The first number tried follows from the granularity of tasks of no rounds.
///
/// When 2048 rounds are not enough, the result is the granularity of so many, which is less than
/// the one that was looked for: a worker does other things all the time, or another program has
/// its core.
///
/// # Errors
///
/// Fails when `granularity` does.
///
/// # Examples
///
/// ```
/// // Handing out a task takes 60 ns, so at half efficiency it takes 60 ns to compute.
/// let metg = bench_harness::half_efficiency(1.5, |rounds| {
///     Ok::<f64, ()>(60.0 + 1.5 * f64::from(rounds))
/// });
/// assert!((metg.unwrap() - 120.0).abs() < 1.0);
/// ```
pub fn half_efficiency<E>(
    round_ns: f64,
    mut granularity: impl FnMut(u32) -> Result<f64, E>,
) -> Result<f64, E> {
    let mut at = |rounds: u32| -> Result<Point, E> {
        let granularity_ns = granularity(rounds)?;
        Ok(Point {
            rounds,
            granularity_ns,
            efficiency: f64::from(rounds) * round_ns / granularity_ns,
        })
    };
    let mut below = at(0)?;
    // Three quarters of what is enough where a task costs the same however long it computes. A
    // cast of a float saturates.
    let first = (below.granularity_ns / round_ns * 0.75) as u32;
    let mut above = at(first.clamp(1, MOST_ROUNDS))?;
    while above.efficiency < 0.5 {
        if above.rounds == MOST_ROUNDS {
            return Ok(above.granularity_ns);
        }
        let doubled = (above.rounds * 2).min(MOST_ROUNDS);
        below = std::mem::replace(&mut above, at(doubled)?);
    }
    for _ in 0..HALVINGS {
        if above.rounds - below.rounds < 2 {
            break;
        }
        let middle = at(below.rounds.midpoint(above.rounds))?;
        match middle.efficiency < 0.5 {
            true => below = middle,
            false => above = middle,
        }
    }
    let part = (0.5 - below.efficiency) / (above.efficiency - below.efficiency);
    let step_ns = above.granularity_ns - below.granularity_ns;
    Ok(below.granularity_ns + part * step_ns)
}

/// One measurement of [`half_efficiency`].
struct Point {
    rounds: u32,
    granularity_ns: f64,
    efficiency: f64,
}

/// The time that a cache line takes from one core to another and back, at best.
///
/// On a virtual machine it can change from one second to the next, when the host moves one of the
/// cores, and everything that two threads do together changes with it. Takes a fraction of a
/// millisecond, longer where other programs want the cores.
///
/// # Panics
///
/// Panics when the system gives no threads.
pub fn core_ping() -> Duration {
    /// The best of so many attempts counts.
    const ATTEMPTS: u64 = 16;
    /// Round trips in an attempt.
    const TRIPS: u64 = 32;
    /// No attempt begins later. On an idle machine all of them take a tenth of it.
    const LIMIT: Duration = Duration::from_millis(1);
    /// Ends the game.
    const END: u64 = u64::MAX;

    let ball = Line(array::from_fn(|_| AtomicU64::new(0)));
    let ball = &ball.0[0];
    // Waits for `value` or the end and returns which of them came.
    let wait_for = |value| {
        for looks in 1_u64.. {
            // `Acquire` and `Release` hand over nothing but the number itself.
            let seen = ball.load(Ordering::Acquire);
            if seen == value || seen == END {
                return seen;
            }
            // The other thread may need this core.
            match looks.is_multiple_of(1 << 14) {
                true => thread::yield_now(),
                false => std::hint::spin_loop(),
            }
        }
        END
    };
    let (_, best) = crate::race(2, |player| {
        let mut best = Duration::MAX;
        if player == 1 {
            let mut served = 1;
            while wait_for(served) == served {
                ball.store(served + 1, Ordering::Release);
                served += 2;
            }
            return best;
        }
        let begin = Instant::now();
        for attempt in 0..ATTEMPTS {
            let start = Instant::now();
            for trip in 0..TRIPS {
                let served = 2 * (attempt * TRIPS + trip) + 1;
                ball.store(served, Ordering::Release);
                wait_for(served + 1);
            }
            best = best.min(start.elapsed());
            if begin.elapsed() > LIMIT {
                break;
            }
        }
        ball.store(END, Ordering::Release);
        best
    });
    best[0] / TRIPS as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two steps of three points, each of which depends on its neighbours and itself.
    fn tasks() -> Tasks {
        Tasks::new([
            vec![],
            vec![],
            vec![],
            vec![0, 1],
            vec![0, 1, 2],
            vec![1, 2],
        ])
    }

    /// Searches with runs of the tasks in this order.
    #[track_caller]
    fn check(order: &[usize], expected: Result<(), &str>) {
        let tasks = tasks();
        let found = tasks.metg(1, || {
            let start = Instant::now();
            for &task in order {
                // As with a scheduler that swallows errors.
                let _ = tasks.work(task);
            }
            Ok(start.elapsed())
        });
        match expected {
            Ok(()) => assert!(found.is_ok_and(|ns| ns > 0.0)),
            Err(error) => assert_eq!(found, Err(error.to_owned())),
        }
    }

    #[test]
    fn any_order_in_which_dependencies_come_first_is_right() {
        check(&[0, 1, 2, 3, 4, 5], Ok(()));
        check(&[2, 1, 5, 0, 4, 3], Ok(()));
    }

    #[test]
    fn a_task_before_its_dependency_is_found_although_an_earlier_run_left_its_output() {
        check(&[5, 4, 3, 2, 1, 0], Err("task 3 left no output"));
        check(&[0, 1, 4, 2, 3, 5], Err("task 4 left no output"));
    }

    #[test]
    fn a_task_that_is_left_out_or_repeated_is_found() {
        check(&[0, 1, 2, 3, 4], Err("task 5 left no output"));
        check(&[0, 1, 2, 3, 4, 5, 0], Err("task 0 ran twice"));
        check(&[0, 1, 2, 3, 4, 5, 5], Err("task 5 ran twice"));
    }

    #[test]
    fn a_run_that_fails_ends_the_search() {
        assert_eq!(tasks().metg(1, || Err("no".into())), Err("no".into()));
    }

    #[test]
    fn errors_name_the_task() {
        let tasks = tasks();
        tasks.begin(0);
        let too_early = TaskError::TooEarly {
            task: 3,
            dependency: 0,
        };
        assert_eq!(tasks.work(3), Err(too_early));
        assert_eq!(tasks.work(0), Ok(()));
        let error = tasks.work(0).unwrap_err();
        assert_eq!(error.to_string(), "task 0 ran twice");
    }

    /// What the search finds where a task takes `cost(rounds)` nanoseconds and a round takes one,
    /// and how often it measures.
    fn search(cost: impl Fn(f64) -> f64) -> (f64, usize) {
        let mut measured = 0;
        let found = half_efficiency(1.0, |rounds| {
            measured += 1;
            Ok::<f64, ()>(cost(f64::from(rounds)))
        });
        (found.unwrap(), measured)
    }

    #[test]
    fn half_of_the_granularity_is_overhead() {
        for overhead_ns in [3.0, 7.0, 15.9, 16.0, 50.0, 333.0, 1_234.5] {
            let (metg_ns, measured) = search(|rounds| overhead_ns + rounds);
            let part = metg_ns / (2.0 * overhead_ns);
            assert!((part - 1.0).abs() < 0.01, "{overhead_ns}: {metg_ns}");
            // No rounds, the first number, twice that, and two between them.
            assert!(measured <= 5, "{overhead_ns}: {measured}");
        }
    }

    #[test]
    fn overhead_that_comes_with_the_rounds_is_found() {
        // As with a scheduler that shares work only when it is worth it.
        let cost = |rounds: f64| {
            if rounds < 40.0 {
                10.0 + 2.0 * rounds
            } else {
                70.0 + rounds
            }
        };
        let (metg_ns, _) = search(cost);
        assert!((metg_ns / 140.0 - 1.0).abs() < 0.02, "{metg_ns}");
    }

    #[test]
    fn a_search_without_end_is_given_up_with_what_the_longest_tasks_take() {
        // As with a scheduler that uses one of two workers.
        let most = f64::from(MOST_ROUNDS);
        assert_eq!(search(|rounds| 1.0 + 2.0 * rounds).0, 1.0 + 2.0 * most);
        assert_eq!(search(|rounds| 1e9 + rounds).0, 1e9 + most);
    }

    #[test]
    fn a_ball_comes_back() {
        assert!(core_ping() > Duration::ZERO);
    }
}
