//! A bench binary as a server: it runs as many iterations of a case as it is told, when it is told,
//! so that two builds can be timed in turns shorter than a millisecond.
//!
//! A request is a line, and so is its answer. [`Request`] and [`Turn`] are written and read by
//! `Display` and `FromStr`, for both ends.

use std::fmt;
use std::io::{BufRead, Write};
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::lab::{Lab, Meter, Routine};
use crate::record::{Allocations, CaseId};

/// The argument that makes a bench binary a server of its cases.
pub const SERVE: &str = "--serve";

/// What a server can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Sets up this case and checks its answer; answered by a [`Ready`].
    Case(CaseId),
    /// Keeps all threads of the process on one core; answered by `ok`, or by a sentence.
    Confine(usize),
    /// Runs so many iterations; answered by a [`Turn`].
    Turn(u64),
    /// Counts what an iteration allocates; answered by [`Allocations`] as JSON.
    Count,
    /// Checks the answer once more; answered by `ok`.
    Check,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Case(id) => write!(f, "case {}", json(id)),
            Self::Confine(core) => write!(f, "confine {core}"),
            Self::Turn(iterations) => write!(f, "turn {iterations}"),
            Self::Count => f.write_str("count"),
            Self::Check => f.write_str("check"),
        }
    }
}

impl FromStr for Request {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let unknown = || format!("`{line}` is no request to a bench binary");
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "case" => serde_json::from_str(rest)
                .map(Self::Case)
                .map_err(|_| unknown()),
            "confine" => rest.parse().map(Self::Confine).map_err(|_| unknown()),
            "turn" => rest.parse().map(Self::Turn).map_err(|_| unknown()),
            "count" => Ok(Self::Count),
            "check" => Ok(Self::Check),
            _ => Err(unknown()),
        }
    }
}

/// What a server says of a case that is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ready {
    /// Most threads that the process was seen to have at once; `None` where that is not known.
    pub threads: Option<u64>,
    /// What one iteration handles.
    pub elements: u64,
}

/// What a number of iterations took.
///
/// Times are what the routine wants timed: where something is prepared for every iteration, that
/// is not in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Time that passed.
    pub wall_ns: u64,
    /// Time that the process had a core, all its threads together; `None` where only a part of the
    /// process's work is timed.
    pub cpu_ns: Option<u64>,
    /// Cycles in user mode, of all threads that the process started since it was asked for a case;
    /// `None` where the processor does not count them.
    pub cycles: Option<u64>,
    /// Instructions in user mode; as above.
    pub instructions: Option<u64>,
}

impl Turn {
    /// A turn of which only the time that passed is known.
    pub(crate) fn of(wall: Duration) -> Self {
        Self {
            wall_ns: wall.as_nanos() as u64,
            ..Self::default()
        }
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.wall_ns)?;
        for figure in [self.cpu_ns, self.cycles, self.instructions] {
            match figure {
                Some(figure) => write!(f, " {figure}")?,
                None => f.write_str(" -")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Turn {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let wrong = || format!("`{line}` is not what a turn took");
        let mut words = line.split(' ');
        let wall_ns = words.next().and_then(|word| word.parse().ok());
        let mut figure = || match words.next() {
            Some("-") => Ok(None),
            Some(word) => word.parse().map(Some).map_err(|_| wrong()),
            None => Err(wrong()),
        };
        Ok(Self {
            wall_ns: wall_ns.ok_or_else(wrong)?,
            cpu_ns: figure()?,
            cycles: figure()?,
            instructions: figure()?,
        })
    }
}

/// Answers requests from standard input until it ends.
///
/// # Errors
///
/// Fails with a sentence when a request makes no sense or the pipe breaks.
pub(crate) fn serve(lab: &mut Lab) -> Result<(), String> {
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    let mut line = String::new();
    let mut case: Option<&mut Routine> = None;
    let mut clock = Clock::calibrated();
    let mut lab = Some(lab);
    loop {
        line.clear();
        let length = input
            .read_line(&mut line)
            .map_err(|error| format!("cannot read requests: {error}"))?;
        if length == 0 {
            return Ok(());
        }
        let request: Request = line.trim_end().parse()?;
        let answer = match (request, &mut case) {
            (Request::Case(id), case) => {
                let lab = lab.take().ok_or("a server is asked for one case only")?;
                clock.count_events();
                let (routine, elements) = lab
                    .routine(&id)
                    .ok_or_else(|| format!("there is no case `{id}`"))?;
                let threads = routine.threads();
                *case = Some(routine);
                json(&Ready { threads, elements })
            }
            (Request::Confine(core), _) => match confine(core) {
                Ok(()) => "ok".to_owned(),
                Err(reason) => reason,
            },
            (_, None) => return Err("the first request names a case".to_owned()),
            (Request::Turn(iterations), Some(routine)) => {
                routine.measure.turn(iterations, &mut clock).to_string()
            }
            (Request::Count, Some(routine)) => json::<Allocations>(&routine.measure.count()),
            (Request::Check, Some(routine)) => {
                routine.check();
                "ok".to_owned()
            }
        };
        writeln!(output, "{answer}")
            .and_then(|()| output.flush())
            .map_err(|error| format!("cannot answer: {error}"))?;
    }
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("strings and numbers serialise")
}

/// Takes the times of a turn.
pub(crate) struct Clock {
    /// What reading the clock twice in a row adds to a time.
    overhead: Duration,
    #[cfg(target_os = "linux")]
    events: Option<crate::counters::Running>,
    started: Option<(Instant, Option<Duration>)>,
    turn: Turn,
}

/// How often the clock is read in a row to learn what that takes.
const CALIBRATION_READS: usize = 201;

impl Clock {
    /// A clock that knows what reading it takes: the median, since now and then the thread is
    /// interrupted between two reads.
    pub(crate) fn calibrated() -> Self {
        let mut reads = [Duration::ZERO; CALIBRATION_READS];
        for read in &mut reads {
            *read = Instant::now().elapsed();
        }
        reads.sort_unstable();
        Self {
            overhead: reads[CALIBRATION_READS / 2],
            #[cfg(target_os = "linux")]
            events: None,
            started: None,
            turn: Turn::default(),
        }
    }

    /// What reading the clock twice in a row adds to a time.
    pub(crate) fn overhead(&self) -> Duration {
        self.overhead
    }

    /// Counts events of this thread, and of those that it starts from now on, in all turns.
    fn count_events(&mut self) {
        #[cfg(target_os = "linux")]
        {
            self.events = crate::counters::Running::open();
        }
    }

    /// What passed between start and stop.
    pub(crate) fn take(&mut self) -> Turn {
        std::mem::take(&mut self.turn)
    }
}

impl Meter for Clock {
    fn start(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(events) = &mut self.events {
            events.start();
        }
        let cpu = cpu_time();
        self.started = Some((Instant::now(), cpu));
    }

    fn stop(&mut self) {
        let (start, cpu) = self.started.take().expect("a clock is started first");
        let wall = start.elapsed();
        let cpu = cpu_time().zip(cpu).map(|(now, then)| now - then);
        self.turn = Turn {
            wall_ns: wall.as_nanos() as u64,
            cpu_ns: cpu.map(|cpu| cpu.as_nanos() as u64),
            ..Turn::default()
        };
        #[cfg(target_os = "linux")]
        if let Some(events) = &mut self.events {
            [self.turn.cycles, self.turn.instructions] = events.stop();
        }
    }
}

/// The time that all threads of this process had a core.
#[cfg(target_os = "linux")]
pub(crate) fn cpu_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.try_into().ok()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn cpu_time() -> Option<Duration> {
    None
}

/// Keeps all threads that the process has, and those that they will start, on `core`.
#[cfg(target_os = "linux")]
fn confine(core: usize) -> Result<(), String> {
    use rustix::thread::{CpuSet, Pid, sched_setaffinity};

    if core >= CpuSet::MAX_CPU {
        return Err(format!("core {core} is beyond what the system can name"));
    }
    let mut cores = CpuSet::new();
    cores.set(core);
    let threads = std::fs::read_dir("/proc/self/task")
        .map_err(|error| format!("the threads of the process cannot be listed: {error}"))?;
    for thread in threads.flatten() {
        let id = thread
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(id) = id.and_then(Pid::from_raw) else {
            continue;
        };
        match sched_setaffinity(Some(id), &cores) {
            // One that ended meanwhile needs no core.
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(format!("core {core} is not ours to use: {error}")),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn confine(_: usize) -> Result<(), String> {
    Err("threads are only kept on a core on Linux".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(request: Request) {
        assert_eq!(request.to_string().parse(), Ok(request));
    }

    #[test]
    fn requests_survive_a_pipe_whatever_an_id_holds() {
        check(Request::Case(CaseId {
            group: "dag-run/chain".to_owned(),
            series: "two\nlines and a \"quote\"".to_owned(),
            input: String::new(),
        }));
        check(Request::Confine(1));
        check(Request::Turn(1_000_000));
        check(Request::Count);
        check(Request::Check);
        assert!("turn -1".parse::<Request>().is_err());
        assert!("stop".parse::<Request>().is_err());
    }

    #[test]
    fn turns_survive_a_pipe_with_what_is_missing() {
        let turn = Turn {
            wall_ns: 5,
            cpu_ns: Some(4),
            cycles: None,
            instructions: Some(9),
        };
        assert_eq!(turn.to_string(), "5 4 - 9");
        assert_eq!("5 4 - 9".parse(), Ok(turn));
        assert!("5 4 -".parse::<Turn>().is_err());
        assert!("5 4 x 9".parse::<Turn>().is_err());
    }

    #[test]
    fn clock_knows_what_reading_it_takes() {
        let clock = Clock::calibrated();
        assert!(clock.overhead() < Duration::from_millis(1));
    }
}
