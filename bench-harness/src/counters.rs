//! What processor and kernel count while a thread runs, as far as this system lets us see it.

use crate::lab::Meter;
use crate::record::Counters;

/// Whether the processor counts the instructions of a program in user mode.
///
/// # Errors
///
/// Fails with a reason that can stand after a colon, and with what to do where something can be
/// done: the kernel does not permit it, or there are no counters, as in most virtual machines.
///
/// # Examples
///
/// ```
/// if let Err(reason) = bench_harness::processor_counts() {
///     println!("no instructions: {reason}");
/// }
/// ```
pub fn processor_counts() -> Result<(), String> {
    system::processor_counts()
}

/// What is counted while `work` has its meter on, or `None` where nothing can be.
pub(crate) fn count(work: impl FnOnce(&mut dyn Meter)) -> Option<Counters> {
    system::count(work)
}

impl Counters {
    /// What is left of `self` without `empty`, what the counters saw of an empty iteration.
    pub(crate) fn without(&self, empty: &Self) -> Self {
        let left = |field: fn(&Self) -> Option<u64>| {
            let (of_self, of_empty) = (field(self)?, field(empty)?);
            Some(of_self.saturating_sub(of_empty))
        };
        Self {
            instructions: left(|counters| counters.instructions),
            cycles: left(|counters| counters.cycles),
            branch_misses: left(|counters| counters.branch_misses),
            cache_misses: left(|counters| counters.cache_misses),
            page_faults: left(|counters| counters.page_faults),
            context_switches: left(|counters| counters.context_switches),
            task_clock_ns: left(|counters| counters.task_clock_ns),
        }
    }
}

#[cfg(target_os = "linux")]
pub(crate) use system::Running;

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Counters, Meter};

    pub(super) fn processor_counts() -> Result<(), String> {
        Err("the processor's counters are only read on Linux".to_owned())
    }

    pub(super) fn count(_: impl FnOnce(&mut dyn Meter)) -> Option<Counters> {
        None
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::hint::black_box;
    use std::io;

    use perf_event::events::{Hardware, Software};
    use perf_event::{Builder, CountAndTime, Counter};

    use super::{Counters, Meter};

    /// Where the kernel says what it keeps to itself.
    const PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";

    /// Where a figure goes.
    type Field = fn(&mut Counters) -> &mut Option<u64>;

    pub(super) fn processor_counts() -> Result<(), String> {
        let mut counted = Counters::default();
        let opened = Builder::new(Hardware::INSTRUCTIONS).build().map(|counter| {
            let mut open = Open(vec![(counter, |counters| &mut counters.instructions)]);
            open.start();
            black_box((0..100_u64).map(black_box).sum::<u64>());
            open.stop();
            counted = open.read();
        });
        let level = std::fs::read_to_string(PARANOID).ok();
        let level = level.and_then(|level| level.trim().parse().ok());
        verdict(opened, counted.instructions, level)
    }

    /// What an attempt to count instructions says of this system.
    fn verdict(
        opened: io::Result<()>,
        instructions: Option<u64>,
        paranoid: Option<i64>,
    ) -> Result<(), String> {
        let error = match opened {
            Ok(()) if instructions > Some(0) => return Ok(()),
            Ok(()) => {
                return Err(
                    "the processor's counters do not count, as in some virtual machines".to_owned(),
                );
            }
            Err(error) => error,
        };
        Err(match (error.kind(), paranoid) {
            (io::ErrorKind::PermissionDenied, Some(level @ 3..)) => format!(
                "the kernel keeps the processor's counters to itself, because {PARANOID} is {level}; 2 leaves a program its own"
            ),
            (io::ErrorKind::PermissionDenied, Some(level)) => format!(
                "the processor's counters are forbidden, as in some containers, although {PARANOID} is {level}"
            ),
            (io::ErrorKind::PermissionDenied, None) => {
                "the processor's counters are forbidden, as in some containers".to_owned()
            }
            (io::ErrorKind::NotFound | io::ErrorKind::Unsupported, _) => {
                "the processor has no counters that can be seen, as in most virtual machines"
                    .to_owned()
            }
            _ => format!("the processor's counters cannot be opened: {error}"),
        })
    }

    pub(super) fn count(work: impl FnOnce(&mut dyn Meter)) -> Option<Counters> {
        let mut open = Open::all();
        if open.0.is_empty() {
            return None;
        }
        work(&mut open);
        Some(open.read())
    }

    /// Open counters of this thread, each on its own: where there is none of a kind, the others
    /// still count.
    struct Open(Vec<(Counter, Field)>);

    impl Open {
        fn all() -> Self {
            // A thread leaves its core in the kernel, so there it has to be counted.
            let mut switches = Builder::new(Software::CONTEXT_SWITCHES);
            switches.include_kernel();
            // Instructions are switched on last and off first, so they see nothing of the others.
            let events: [(Builder<'_>, Field); 7] = [
                (switches, |counters| &mut counters.context_switches),
                (Builder::new(Software::PAGE_FAULTS), |counters| {
                    &mut counters.page_faults
                }),
                (Builder::new(Software::TASK_CLOCK), |counters| {
                    &mut counters.task_clock_ns
                }),
                (Builder::new(Hardware::CACHE_MISSES), |counters| {
                    &mut counters.cache_misses
                }),
                (Builder::new(Hardware::BRANCH_MISSES), |counters| {
                    &mut counters.branch_misses
                }),
                (Builder::new(Hardware::CPU_CYCLES), |counters| {
                    &mut counters.cycles
                }),
                (Builder::new(Hardware::INSTRUCTIONS), |counters| {
                    &mut counters.instructions
                }),
            ];
            let open = events
                .into_iter()
                .filter_map(|(event, field)| Some((event.build().ok()?, field)));
            Self(open.collect())
        }

        fn read(&mut self) -> Counters {
            let mut counters = Counters::default();
            for (counter, field) in &mut self.0 {
                *field(&mut counters) = counter.read_count_and_time().ok().and_then(whole);
            }
            counters
        }
    }

    impl Meter for Open {
        fn start(&mut self) {
            for (counter, _) in &mut self.0 {
                // One that was not started has no time, so what it reads does not count.
                let _ = counter.enable();
            }
        }

        fn stop(&mut self) {
            for (counter, _) in self.0.iter_mut().rev() {
                let _ = counter.disable();
            }
        }
    }

    /// Cycles and instructions of this thread and of all that it starts from now on, for turns.
    ///
    /// They always count, and what is read at both ends of a turn is subtracted: what threads that
    /// have ended counted cannot be reset.
    pub(crate) struct Running {
        counters: [Counter; 2],
        before: [Option<CountAndTime>; 2],
    }

    impl Running {
        /// `None` where the processor does not count.
        pub(crate) fn open() -> Option<Self> {
            Self::counting([
                Builder::new(Hardware::CPU_CYCLES),
                Builder::new(Hardware::INSTRUCTIONS),
            ])
        }

        fn counting(events: [Builder<'_>; 2]) -> Option<Self> {
            let [one, other] = events.map(|mut event| {
                let mut counter = event.inherit(true).build().ok()?;
                counter.enable().ok().map(|()| counter)
            });
            Some(Self {
                counters: [one?, other?],
                before: [None; 2],
            })
        }

        pub(crate) fn start(&mut self) {
            self.before = self.now();
        }

        /// Cycles and instructions since the start.
        pub(crate) fn stop(&mut self) -> [Option<u64>; 2] {
            let now = self.now();
            let [one, other] = [0, 1].map(|event| {
                let (now, before) = now[event].as_ref().zip(self.before[event].as_ref())?;
                whole(CountAndTime {
                    count: now.count - before.count,
                    time_enabled: now.time_enabled - before.time_enabled,
                    time_running: now.time_running - before.time_running,
                })
            });
            [one, other]
        }

        fn now(&mut self) -> [Option<CountAndTime>; 2] {
            let [one, other] = &mut self.counters;
            [one, other].map(|counter| counter.read_count_and_time().ok())
        }
    }

    /// The figure of a counter that ran all the time: one that took turns with others on too few
    /// counters of the processor can only guess, and one that never ran says 0.
    fn whole(read: CountAndTime) -> Option<u64> {
        (read.time_enabled > 0 && read.time_running == read.time_enabled).then_some(read.count)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[track_caller]
        fn check(opened: io::Result<()>, count: Option<u64>, paranoid: Option<i64>, said: &str) {
            let reason = verdict(opened, count, paranoid).unwrap_err();
            assert!(reason.contains(said), "`{said}` is not in: {reason}");
        }

        #[test]
        fn reason_why_nothing_is_counted_names_what_stands_in_the_way() {
            let forbidden = || Err(io::Error::from_raw_os_error(13));
            check(
                forbidden(),
                None,
                Some(4),
                "perf_event_paranoid is 4; 2 leaves",
            );
            check(
                forbidden(),
                None,
                Some(2),
                "although /proc/sys/kernel/perf_event_paranoid is 2",
            );
            check(forbidden(), None, None, "as in some containers");
            // EPERM, ENOENT, EOPNOTSUPP, ENOSYS, EMFILE
            check(
                Err(io::Error::from_raw_os_error(1)),
                None,
                Some(3),
                "is 3; 2 leaves",
            );
            check(
                Err(io::Error::from_raw_os_error(2)),
                None,
                Some(2),
                "most virtual machines",
            );
            check(
                Err(io::Error::from_raw_os_error(95)),
                None,
                Some(2),
                "most virtual machines",
            );
            check(
                Err(io::Error::from_raw_os_error(38)),
                None,
                Some(2),
                "most virtual machines",
            );
            check(
                Err(io::Error::from_raw_os_error(24)),
                None,
                Some(2),
                "os error 24",
            );
            check(Ok(()), Some(0), Some(2), "do not count");
            check(Ok(()), None, Some(2), "do not count");
            assert_eq!(verdict(Ok(()), Some(1), Some(2)), Ok(()));
        }

        #[test]
        fn counter_that_took_turns_or_never_ran_has_no_figure() {
            let read = |count, time_enabled, time_running| {
                whole(CountAndTime {
                    count,
                    time_enabled,
                    time_running,
                })
            };
            assert_eq!(read(7, 10, 10), Some(7));
            assert_eq!(read(7, 10, 9), None);
            assert_eq!(read(0, 10, 0), None);
            assert_eq!(read(0, 0, 0), None);
        }

        #[test]
        fn figures_belong_to_what_runs_between_start_and_stop() {
            let touch = |pages: usize| {
                // Fresh from the system, so that every page is touched for the first time.
                let mut block = vec![0_u8; pages * 4096];
                move |meter: &mut dyn Meter| {
                    meter.start();
                    for page in block.chunks_mut(4096) {
                        page[0] = 1;
                    }
                    black_box(&mut block);
                    meter.stop();
                }
            };
            let Some(none) = count(touch(0)) else {
                println!("skipped: this system lets programs count nothing");
                return;
            };
            let few = count(touch(1_000)).unwrap().without(&none);
            let many = count(touch(3_000)).unwrap().without(&none);
            let (Some(few), Some(many)) = (few.page_faults, many.page_faults) else {
                println!("skipped: this system does not let programs count page faults");
                return;
            };
            println!("{few} and {many} page faults");
            // With large pages a touch maps more than one.
            assert!(many <= 3_010 && few <= 1_010, "{few}, {many}");
            assert!(many > 0, "3000 pages are touched for the first time");
            // What ran before the start and after the stop is not among them.
            let outside = count(|meter| {
                let mut work = touch(3_000);
                meter.start();
                meter.stop();
                work(&mut Nothing);
            });
            assert!(outside.unwrap().page_faults < Some(10));
        }

        #[test]
        fn turn_has_what_threads_do_that_were_started_after_the_counters() {
            let events = [
                Builder::new(Software::TASK_CLOCK),
                Builder::new(Software::PAGE_FAULTS),
            ];
            let Some(mut running) = Running::counting(events) else {
                println!("skipped: this system does not let programs count page faults");
                return;
            };
            let touch = |pages: usize| {
                std::thread::spawn(move || black_box(vec![1_u8; pages * 4096]).len())
                    .join()
                    .unwrap()
            };
            touch(5_000);
            running.start();
            touch(1_000);
            let [clock, few] = running.stop();
            running.start();
            let [_, none] = running.stop();
            let (clock, few, none) = (clock.unwrap(), few.unwrap(), none.unwrap());
            // With large pages a touch maps more than one.
            assert!(clock > 0 && few > none && few < 2_000, "{few}, {none}");
        }

        struct Nothing;

        impl Meter for Nothing {
            fn start(&mut self) {}

            fn stop(&mut self) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_empty_iteration_takes_is_taken_off_and_never_below_zero() {
        let all = |figure| Counters {
            instructions: Some(figure),
            cycles: Some(figure),
            branch_misses: Some(figure),
            cache_misses: Some(figure),
            page_faults: Some(figure),
            context_switches: Some(figure),
            task_clock_ns: Some(figure),
        };
        assert_eq!(all(10).without(&all(4)), all(6));
        assert_eq!(all(3).without(&all(4)), all(0));
        let unknown = Counters {
            cycles: None,
            ..all(4)
        };
        assert_eq!(all(10).without(&unknown).cycles, None);
        assert_eq!(unknown.without(&all(1)).cycles, None);
    }
}
