//! Runs one case in a process of each of two builds that take turns.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use bench_harness::record::{Allocations, CaseId};
use bench_harness::server::{Ready, Request, SERVE, Turn};
use bench_harness::{shuffle, stats};

use crate::runner::{self, Signal};
use crate::trial::Pair;

/// Why a launch gave nothing.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The user wants to stop.
    Interrupted,
    /// The process of this build failed, with a sentence.
    Broken { side: usize, reason: String },
}

/// How processes take turns.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    /// The core that both processes are kept on; free where there is none.
    pub(crate) core: Option<usize>,
    /// Iterations of a turn of each build; they differ only to see whether more work is noticed.
    pub(crate) iterations: [u64; 2],
    /// Turns of each build that count.
    pub(crate) pairs: u32,
    /// Turns of each build before.
    pub(crate) warm_up: u32,
}

/// How long turns are, and how many of them a launch has.
///
/// A neighbour's burst that is longer than a pair of turns is in both of them. So of five cases, with
/// this thread on the core of the turns, 48 pairs of 0.06 ms left errors of 0.02 to 0.13 % after two
/// seconds, 24 of 0.12 ms 0.01 to 0.23 %, 12 of 0.25 ms 0.03 to 0.24 % and 6 of 0.5 ms 0.22 to
/// 0.51 %; with this thread on another core, where it wakes up and sleeps beside every turn,
/// 24 of 0.25 ms left 0.14 to 0.49 % (2-core x86-64 VM, 2026-11).
const TURN: Duration = Duration::from_micros(60);
const PAIRS: u32 = 48;

/// What the turns of a build may take together where an iteration is longer than a turn.
const SLOW: Duration = Duration::from_millis(6);

impl Turns {
    /// Turns of [`TURN`], as many as make a launch, by how long an iteration takes.
    pub(crate) fn sized(core: Option<usize>, iteration_ns: f64) -> Self {
        let turn_ns = TURN.as_nanos() as f64;
        let iterations = (turn_ns / iteration_ns).round().max(1.0);
        // Slow iterations get fewer pairs, so that a launch does not take much longer.
        let pairs = (SLOW.as_nanos() as f64 / (iterations * iteration_ns)).round();
        let pairs = (pairs as u32).clamp(3, PAIRS);
        Self {
            core,
            iterations: [iterations as u64; 2],
            pairs,
            warm_up: if pairs == PAIRS { 2 } else { 1 },
        }
    }
}

/// What a launch gave.
pub(crate) struct Launch {
    /// What the turns of both builds took, pair by pair.
    pub(crate) pairs: Vec<[Turn; 2]>,
    /// What both said when they were ready.
    pub(crate) ready: [Ready; 2],
    /// What an iteration of both allocates, where it was asked for.
    pub(crate) allocations: Option<[Allocations; 2]>,
    /// How long the launch took, from start to end.
    pub(crate) took: Duration,
}

impl Launch {
    /// Median over the pairs of the logarithm of head's figure over base's; `None` where one has
    /// none.
    pub(crate) fn log_ratio(&self, figure: impl Fn(&Turn) -> Option<u64>) -> Option<f64> {
        let ratios = self.pairs.iter().map(|[base, head]| {
            let (base, head) = (figure(base)?, figure(head)?);
            (base > 0 && head > 0).then(|| (head as f64 / base as f64).ln())
        });
        stats::median(&ratios.collect::<Option<Vec<f64>>>()?)
    }

    /// Median over the turns of a build's figure.
    pub(crate) fn figure(&self, side: usize, figure: impl Fn(&Turn) -> Option<u64>) -> Option<f64> {
        let figures = self
            .pairs
            .iter()
            .map(|pair| Some(figure(&pair[side])? as f64));
        stats::median(&figures.collect::<Option<Vec<f64>>>()?)
    }
}

/// Starts a process of both builds by `commands`, lets them take turns at `case`, and ends them.
///
/// What goes first is decided by `seed`: which process is started first, which of both begins, and
/// so which of them finds caches as the other left them. Who goes first in a pair of turns goes
/// second in the next, against drift, and which of both that is, is drawn for every two pairs, so
/// that a neighbour that wakes up regularly does not meet the same build again and again.
pub(crate) fn launch(
    commands: [Command; 2],
    case: &CaseId,
    turns: &Turns,
    count: bool,
    seed: u64,
    patience: &Patience<'_>,
) -> Result<Launch, Stop> {
    if patience.interrupted() {
        return Err(Stop::Interrupted);
    }
    let start = Instant::now();
    let mut order = [0, 1];
    shuffle(&mut order, seed);
    let mut commands = commands.map(Some);
    let mut servers: [Option<Server>; 2] = [None, None];
    for side in order {
        let command = commands[side].take().expect("each side is started once");
        let mut server = Server::start(side, command)?;
        // Both set up at the same time.
        server.send(&Request::Case(case.clone()));
        servers[side] = Some(server);
    }
    let mut servers = servers.map(|server| server.expect("both sides are started"));
    let [base, head] = &mut servers;
    let ready = [base.ready(patience)?, head.ready(patience)?];
    if let Some(core) = turns.core {
        for server in &mut servers {
            server.confine(core, patience)?;
        }
    }
    let beside = turns.core.map(Beside::of);
    let mut turn = |side: usize| servers[side].turn(turns.iterations[side], patience);
    for _ in 0..turns.warm_up {
        for side in order {
            turn(side)?;
        }
    }
    let mut pairs = Vec::with_capacity(turns.pairs as usize);
    for number in 0..turns.pairs {
        let mut pair = [Turn::default(); 2];
        match number % 2 {
            0 => shuffle(&mut order, (seed << 8) + 1 + u64::from(number)),
            _ => order.reverse(),
        }
        for side in order {
            pair[side] = turn(side)?;
        }
        pairs.push(pair);
    }
    drop(beside);
    let mut allocations = None;
    if count {
        let [base, head] = &mut servers;
        allocations = Some([base.count(patience)?, head.count(patience)?]);
        // The answer must still be right after it was timed and counted.
        for server in &mut servers {
            server.ask(&Request::Check, patience)?;
        }
    }
    end(servers);
    Ok(Launch {
        pairs,
        ready,
        allocations,
        took: start.elapsed(),
    })
}

/// Keeps this thread on the core where turns are taken, until it is dropped: then nothing wakes up
/// or falls asleep on another one, which may share its units with that core.
struct Beside {
    #[cfg(target_os = "linux")]
    before: Option<rustix::thread::CpuSet>,
}

impl Beside {
    #[cfg(target_os = "linux")]
    fn of(core: usize) -> Self {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

        let mut cores = CpuSet::new();
        cores.set(core);
        // Where it is not allowed, times are noisier.
        let before = sched_getaffinity(None).ok();
        Self {
            before: before.filter(|_| sched_setaffinity(None, &cores).is_ok()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn of(_: usize) -> Self {
        Self {}
    }
}

#[cfg(target_os = "linux")]
impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = rustix::thread::sched_setaffinity(None, before);
        }
    }
}

/// How long an answer may take, and who may want to stop meanwhile.
pub(crate) struct Patience<'s> {
    pub(crate) timeout: Duration,
    pub(crate) signals: &'s Receiver<Signal>,
}

impl Patience<'_> {
    fn interrupted(&self) -> bool {
        // Nothing else is sent while servers run.
        self.signals
            .try_iter()
            .any(|signal| matches!(signal, Signal::Interrupt))
    }
}

/// A bench binary that runs a case when told.
pub(crate) struct Server {
    side: usize,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    stderr: File,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends when its input does, and at once when it hangs.
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends processes, all of them before any is waited for.
fn end(mut servers: [Server; 2]) {
    for server in &mut servers {
        server.input = None;
        let _ = server.child.kill();
    }
}

impl Server {
    /// Starts a process.
    fn start(side: usize, mut command: Command) -> Result<Self, Stop> {
        let broken = |reason: String| Stop::Broken { side, reason };
        let stderr = tempfile::tempfile()
            .map_err(|error| broken(format!("no temporary file for its messages: {error}")))?;
        let cannot = |error: std::io::Error| broken(format!("it cannot be started: {error}"));
        command
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr.try_clone().map_err(cannot)?);
        // An interrupt from the terminal is ours to handle.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(cannot)?;
        Ok(Self {
            side,
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().expect("stdout is piped")),
            child,
            stderr,
        })
    }

    /// Waits until the case that it was sent is set up.
    fn ready(&mut self, patience: &Patience<'_>) -> Result<Ready, Stop> {
        let answer = self.answer(patience)?;
        serde_json::from_str(&answer)
            .map_err(|_| self.broken(&format!("it answers `{answer}` when asked for a case")))
    }

    /// Keeps the process on a core.
    fn confine(&mut self, core: usize, patience: &Patience<'_>) -> Result<(), Stop> {
        match self.ask(&Request::Confine(core), patience)?.as_str() {
            "ok" => Ok(()),
            reason => Err(self.broken(reason)),
        }
    }

    /// Runs so many iterations.
    pub(crate) fn turn(&mut self, iterations: u64, patience: &Patience<'_>) -> Result<Turn, Stop> {
        let answer = self.ask(&Request::Turn(iterations), patience)?;
        answer
            .parse()
            .map_err(|reason: String| self.broken(&reason))
    }

    /// Counts what an iteration allocates.
    fn count(&mut self, patience: &Patience<'_>) -> Result<Allocations, Stop> {
        let answer = self.ask(&Request::Count, patience)?;
        serde_json::from_str(&answer)
            .map_err(|_| self.broken(&format!("it answers `{answer}` when asked to count")))
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(
        &mut self,
        request: &Request,
        patience: &Patience<'_>,
    ) -> Result<String, Stop> {
        self.send(request);
        self.answer(patience)
    }

    /// Sends a request. That it could not be sent is seen when it is not answered.
    fn send(&mut self, request: &Request) {
        let line = format!("{request}\n");
        let input = self
            .input
            .as_mut()
            .expect("the input is open while it is asked");
        let _ = input.write_all(line.as_bytes());
    }

    /// Waits for the answer to a request.
    fn answer(&mut self, patience: &Patience<'_>) -> Result<String, Stop> {
        let mut answer = String::new();
        if self.wait(patience)? {
            // What cannot be read is an answer that did not come.
            let _ = self.output.read_line(&mut answer);
        }
        match answer.pop() {
            Some('\n') => Ok(answer),
            _ => Err(self.ended()),
        }
    }

    /// Waits until there is something to read, or the process has ended.
    #[cfg(unix)]
    fn wait(&mut self, patience: &Patience<'_>) -> Result<bool, Stop> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};

        /// How often a wait looks whether the user wants to stop.
        const LOOK: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        let deadline = Instant::now() + patience.timeout;
        loop {
            let mut watched = [PollFd::new(self.output.get_ref(), PollFlags::IN)];
            match poll(&mut watched, Some(&LOOK)) {
                Ok(1..) => return Ok(true),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(self.broken(&format!("it cannot be waited for: {error}"))),
            }
            if patience.interrupted() {
                return Err(Stop::Interrupted);
            }
            if Instant::now() >= deadline {
                let seconds = patience.timeout.as_secs_f64();
                return Err(self.broken(&format!("not done within {seconds} s (--timeout)")));
            }
        }
    }

    #[cfg(not(unix))]
    fn wait(&mut self, _: &Patience<'_>) -> Result<bool, Stop> {
        Ok(true)
    }

    /// Why the process has ended.
    fn ended(&mut self) -> Stop {
        self.input = None;
        let status = self.child.wait();
        let mut said = Vec::new();
        let read = self
            .stderr
            .rewind()
            .and_then(|()| self.stderr.read_to_end(&mut said));
        match (status, read) {
            (Ok(status), Ok(_)) => {
                self.broken(&runner::reason(&String::from_utf8_lossy(&said), status))
            }
            (Err(error), _) | (_, Err(error)) => self.broken(&error.to_string()),
        }
    }

    fn broken(&self, reason: &str) -> Stop {
        Stop::Broken {
            side: self.side,
            reason: reason.to_owned(),
        }
    }
}

/// Learns by a process of one build how long an iteration takes, in nanoseconds.
pub(crate) fn iteration_ns(
    command: Command,
    case: &CaseId,
    core: Option<usize>,
    patience: &Patience<'_>,
) -> Result<f64, Stop> {
    let mut server = Server::start(0, command)?;
    server.send(&Request::Case(case.clone()));
    server.ready(patience)?;
    if let Some(core) = core {
        server.confine(core, patience)?;
    }
    let _beside = core.map(Beside::of);
    let mut iterations = 1;
    loop {
        let fastest = (0..3)
            .map(|_| Ok(server.turn(iterations, patience)?.wall_ns))
            .collect::<Result<Vec<u64>, Stop>>()?;
        let fastest = fastest.into_iter().min().expect("three turns") as f64;
        if fastest >= TURN.as_nanos() as f64 / 2.0 || iterations > 1 << 40 {
            return Ok((fastest / iterations as f64).max(1e-3));
        }
        iterations *= 2;
    }
}

/// Turns in which a processor has time to learn an input, as so many of the usual ones.
const LONG: u64 = 128;

/// The time of an iteration in turns of [`TURN`] over that in turns [`LONG`] times as long.
pub(crate) fn short_over_long(
    pair: Pair<'_>,
    core: Option<usize>,
    seed: u64,
    patience: &Patience<'_>,
) -> Result<f64, Stop> {
    let [base, _] = pair.commands()?;
    let usual = Turns::sized(core, iteration_ns(base, pair.case, core, patience)?);
    let long = Turns {
        iterations: usual.iterations.map(|iterations| LONG * iterations),
        pairs: 3,
        ..usual.clone()
    };
    let wall = |turn: &Turn| Some(turn.wall_ns);
    let iteration = |turns: &Turns| {
        let launch = launch(pair.commands()?, pair.case, turns, false, seed, patience)?;
        let turn = launch.figure(0, wall).expect("turns have a wall time");
        Ok(turn / turns.iterations[0] as f64)
    };
    Ok(iteration(&usual)? / iteration(&long)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(iteration_ns: f64, iterations: u64, pairs: u32) {
        let turns = Turns::sized(None, iteration_ns);
        assert_eq!((turns.iterations, turns.pairs), ([iterations; 2], pairs));
    }

    #[test]
    fn slow_iterations_are_turns_of_their_own_and_there_are_fewer_of_them() {
        check(1.0, 60_000, 48);
        check(25_000.0, 2, 48);
        check(250_000.0, 1, 24);
        check(1_000_000.0, 1, 6);
        check(1e9, 1, 3);
    }

    #[test]
    fn ratio_of_a_launch_is_the_median_of_its_pairs_and_nothing_where_a_figure_is_missing() {
        let turn = |wall_ns, cpu_ns| Turn {
            wall_ns,
            cpu_ns,
            ..Turn::default()
        };
        let ready = Ready {
            threads: Some(1),
            elements: 1,
        };
        let launch = Launch {
            pairs: vec![
                [turn(100, Some(90)), turn(102, Some(90))],
                [turn(100, Some(90)), turn(101, None)],
                [turn(100, Some(90)), turn(900, Some(90))],
            ],
            ready: [ready; 2],
            allocations: None,
            took: Duration::ZERO,
        };
        let wall = launch.log_ratio(|turn| Some(turn.wall_ns)).unwrap();
        assert!((wall - 1.02_f64.ln()).abs() < 1e-12, "{wall}");
        assert_eq!(launch.log_ratio(|turn| turn.cpu_ns), None);
        assert_eq!(launch.figure(1, |turn| Some(turn.wall_ns)), Some(102.0));
    }
}
