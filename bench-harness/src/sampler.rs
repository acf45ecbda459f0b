//! Where the threads of this process are when a timer interrupts them.
//!
//! The timer runs while the process uses a processor, and its signal goes to a thread that does, so a
//! thread that waits is not seen and two that compute are both. Linux looks at such timers when a
//! processor ticks: however often they are to go off, there are 100 to 1000 samples for each second
//! that a thread computes, as the system was built.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::server::cpu_time;
use crate::tally::Tally;

/// The argument that makes a bench binary sample a case; the id of the case follows as JSON, and then
/// the milliseconds of processor time that it may take.
pub const SAMPLE_CASE: &str = "--sample-case";

/// Names the file that a bench binary writes its [`Samples`] to.
pub const SAMPLES_FILE: &str = "BENCH_HARNESS_SAMPLES";

/// What a process was executing, and which files that was from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples {
    /// Addresses of instructions, as often as they were the next of a thread.
    pub places: Vec<u64>,
    /// Samples that were taken while what no time includes was prepared or cleared away.
    pub set_up: u64,
    /// Time that all threads together had a processor, in milliseconds.
    pub cpu_ms: u64,
    /// What can be executed, in order of address.
    pub mappings: Vec<Mapping>,
}

/// A part of a file in the memory of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// Its first address.
    pub start: u64,
    /// The address behind its last.
    pub end: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// The file; a name in brackets, or nothing, where there is none.
    pub path: String,
}

/// A process that gets a processor for less than this part of the time is not waited for.
const LEAST_LOAD: f64 = 1.0 / 3.0;

/// Repeats `work` until there are `enough` samples, or the process has had a processor for as long as
/// `limit`.
///
/// # Errors
///
/// Fails with a reason that can stand after a colon, where the system has no such timer or it never
/// went off.
pub(crate) fn take(
    limit: Duration,
    enough: usize,
    mut work: impl FnMut(),
) -> Result<Samples, String> {
    let (start, cpu) = (Instant::now(), cpu_time());
    let used = || match (cpu_time(), cpu) {
        (Some(now), Some(then)) => (now - then).max(start.elapsed().mul_f64(LEAST_LOAD)),
        _ => start.elapsed(),
    };
    system::start()?;
    // To look at the clock is not part of the work either.
    while Tally::pause(|| used() < limit && system::taken() < enough) {
        work();
    }
    system::stop()?;
    let cpu = cpu_time().zip(cpu).map(|(now, then)| now - then);
    let noted = system::noted();
    let set_up = noted.iter().filter(|&&place| place == SET_UP).count() as u64;
    let places: Vec<u64> = noted.into_iter().filter(|&place| place != SET_UP).collect();
    if places.is_empty() && set_up == 0 {
        return Err("the system never interrupted the process".to_owned());
    }
    let maps = std::fs::read_to_string("/proc/self/maps")
        .map_err(|error| format!("/proc/self/maps cannot be read: {error}"))?;
    Ok(Samples {
        places,
        set_up,
        cpu_ms: cpu.map_or(0, |cpu| cpu.as_millis() as u64),
        mappings: mappings(&maps),
    })
}

/// Stands for the place of a sample that was taken outside of what is timed; no instruction is at 0.
const SET_UP: u64 = 0;

/// What can be executed of what `/proc/self/maps` lists.
fn mappings(maps: &str) -> Vec<Mapping> {
    let mapping = |line: &str| {
        let mut fields = line.splitn(6, ' ');
        let (start, end) = fields.next()?.split_once('-')?;
        let executable = fields.next()?.contains('x');
        let offset = fields.next()?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some(Mapping {
            start: number(start)?,
            end: number(end)?,
            offset: number(offset)?,
            // Behind the device and the number of the file.
            path: fields.nth(2).unwrap_or_default().trim().to_owned(),
        })
        .filter(|_| executable)
    };
    maps.lines().filter_map(mapping).collect()
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(miri)
)))]
mod system {
    pub(super) fn start() -> Result<(), String> {
        Err("profiles are only taken on Linux, on x86-64 and AArch64".to_owned())
    }

    pub(super) fn stop() -> Result<(), String> {
        Ok(())
    }

    pub(super) fn taken() -> usize {
        0
    }

    pub(super) fn noted() -> Vec<u64> {
        Vec::new()
    }
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(miri)
))]
mod system {
    use std::io;
    use std::mem;
    use std::ptr;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use super::SET_UP;
    use crate::tally::Tally;

    /// Room for the samples of a process; more are not kept.
    const ROOM: usize = 1 << 13;

    /// Microseconds after which the timer goes off again, as far as the system can.
    const PERIOD_US: libc::suseconds_t = 1_000;

    // All accesses to both are `Relaxed`: a sample is a number by itself, and one that is written
    // when the timer has just been stopped may be missed.
    static NOTED: [AtomicU64; ROOM] = [const { AtomicU64::new(SET_UP) }; ROOM];
    static TAKEN: AtomicUsize = AtomicUsize::new(0);

    /// Has every thread noted that the timer interrupts.
    pub(super) fn start() -> Result<(), String> {
        TAKEN.store(0, Ordering::Relaxed);
        // SAFETY: needs a type for which zeros are a value: flags, a set of signals (the empty one),
        // an address and an `Option` of a function (`None`) are.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_sigaction = note as *const () as usize;
        // With the signal's own stack where a thread has one, because its stack may be small; and
        // what waits in the system goes on.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: needs a pointer to a whole action, which lives until the call ends, and a handler
        // that takes what `SA_SIGINFO` promises and does nothing that a signal may not: see `note`.
        // The handler stays for the rest of the process, so that a late signal finds it: without
        // one the process would end. Nothing else of this library uses the signal.
        let failed = unsafe { libc::sigaction(libc::SIGPROF, &raw const action, ptr::null_mut()) };
        match failed {
            0 => set_timer(PERIOD_US),
            _ => Err(reason()),
        }
    }

    pub(super) fn stop() -> Result<(), String> {
        set_timer(0)
    }

    /// How many samples there are.
    pub(super) fn taken() -> usize {
        TAKEN.load(Ordering::Relaxed).min(ROOM)
    }

    pub(super) fn noted() -> Vec<u64> {
        let noted = NOTED[..taken()].iter();
        noted.map(|place| place.load(Ordering::Relaxed)).collect()
    }

    /// Sends the signal after every so many microseconds of processor time; never for 0.
    fn set_timer(period_us: libc::suseconds_t) -> Result<(), String> {
        let period = libc::timeval {
            tv_sec: 0,
            tv_usec: period_us,
        };
        let timer = libc::itimerval {
            it_interval: period,
            it_value: period,
        };
        // SAFETY: needs a pointer to a whole value, which lives until the call ends; the old value
        // may be null where nobody wants it.
        let failed =
            unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const timer, ptr::null_mut()) };
        match failed {
            0 => Ok(()),
            _ => Err(reason()),
        }
    }

    fn reason() -> String {
        let error = io::Error::last_os_error();
        format!("the system has no timer of processor time: {error}")
    }

    /// Notes where the thread was that the signal interrupted.
    ///
    /// The thread may be anywhere, in the allocator too: nothing here allocates, locks, panics,
    /// calls the system or touches what belongs to a thread. Several may be in here at once; each
    /// has a place of its own by its number.
    extern "C" fn note(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
        // SAFETY: needs a valid pointer. Linux gives handlers with `SA_SIGINFO` the context of the
        // thread that they interrupted; it lies on this stack, and nobody changes it meanwhile.
        let context = unsafe { &*context.cast::<libc::ucontext_t>() };
        #[cfg(target_arch = "x86_64")]
        let place = context.uc_mcontext.gregs[libc::REG_RIP as usize] as u64;
        #[cfg(target_arch = "aarch64")]
        let place = context.uc_mcontext.pc;
        let number = TAKEN.fetch_add(1, Ordering::Relaxed);
        if let Some(noted) = NOTED.get(number) {
            let place = if Tally::is_paused() { SET_UP } else { place };
            noted.store(place, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_executed_is_found_wherever_it_lies() {
        let maps = "\
55d0c0a00000-55d0c0a10000 r--p 00000000 fe:00 1234                       /a b/bench-1
55d0c0a10000-55d0c0b00000 r-xp 0000f000 fe:00 1234                       /a b/bench-1
7f0000000000-7f0000001000 rwxp 00000000 00:00 0 
7ffd0a5f2000-7ffd0a5f4000 r-xp 00000000 00:00 0                          [vdso]
";
        let mapping = |start, end, offset, path: &str| Mapping {
            start,
            end,
            offset,
            path: path.to_owned(),
        };
        assert_eq!(
            mappings(maps),
            [
                mapping(0x55d0_c0a1_0000, 0x55d0_c0b0_0000, 0xf000, "/a b/bench-1"),
                mapping(0x7f00_0000_0000, 0x7f00_0000_1000, 0, ""),
                mapping(0x7ffd_0a5f_2000, 0x7ffd_0a5f_4000, 0, "[vdso]"),
            ]
        );
        assert_eq!(mappings("none\n"), []);
    }

    // One test, because there is one timer.
    #[test]
    #[cfg(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64"),
        not(miri)
    ))]
    fn samples_are_of_what_is_executed_and_set_up_is_told_apart() {
        const LIMIT: Duration = Duration::from_secs(60);
        let samples = take(LIMIT, 10, || crate::spin(1e6)).unwrap();
        assert!(samples.places.len() as u64 + samples.set_up >= 10);
        for place in &samples.places {
            let held = |one: &&Mapping| (one.start..one.end).contains(place);
            assert_eq!(samples.mappings.iter().filter(held).count(), 1, "{place:x}");
        }
        let paused = take(LIMIT, 10, || Tally::pause(|| crate::spin(1e7))).unwrap();
        assert!(paused.set_up > 0, "{paused:?}");
    }
}
