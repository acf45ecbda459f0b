//! How busy a machine is with other work while it measures.

use std::time::Duration;

/// What the kernel says of all cores since it started.
#[derive(Clone, Copy, Default)]
struct Cores {
    /// Time that was used or not, in the kernel's ticks.
    ticks: u64,
    /// Time that another virtual machine had instead of this one.
    stolen: u64,
    /// Threads that run or could.
    runnable: u64,
}

/// Watches the machine, looking when told: between two launches, when nothing of ours runs.
pub(crate) struct Load {
    before: Option<Cores>,
    now: Option<Cores>,
    looks: u64,
    /// Threads of others that ran or could, summed over the looks.
    others: u64,
}

/// More runnable threads of others than this for each core, and what runs on all cores cannot be
/// timed.
const CALM: f64 = 0.5;

/// More stolen time than this part of all, and it cannot either.
const CALM_STOLEN: f64 = 0.05;

/// A moment is so many looks, this far apart.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

impl Load {
    pub(crate) fn new() -> Self {
        let now = read();
        Self {
            before: now,
            now,
            looks: 0,
            others: 0,
        }
    }

    /// Watches for a moment in which nothing of ours runs.
    pub(crate) fn of_a_moment() -> Self {
        let mut load = Self::new();
        for _ in 0..LOOKS {
            std::thread::sleep(BETWEEN_LOOKS);
            load.look();
        }
        load
    }

    /// Looks once more.
    pub(crate) fn look(&mut self) {
        self.now = read();
        if let Some(now) = self.now {
            self.looks += 1;
            // One of the runnable threads is looking.
            self.others += now.runnable.saturating_sub(1);
        }
    }

    /// Runnable threads of others for each of so many cores.
    fn others_a_core(&self, cores: u64) -> f64 {
        self.others as f64 / self.looks.max(1) as f64 / cores.max(1) as f64
    }

    /// The part of the time that other virtual machines had.
    fn stolen(&self) -> f64 {
        let (Some(before), Some(now)) = (self.before, self.now) else {
            return 0.0;
        };
        let ticks = now.ticks.saturating_sub(before.ticks);
        now.stolen.saturating_sub(before.stolen) as f64 / ticks.max(1) as f64
    }

    /// Whether what runs on all cores can be timed; not where the load is unknown.
    pub(crate) fn is_calm(&self, cores: u64) -> bool {
        self.now.is_some() && self.others_a_core(cores) <= CALM && self.stolen() <= CALM_STOLEN
    }

    /// The load in words.
    pub(crate) fn sentence(&self, cores: u64) -> String {
        if self.now.is_none() {
            return "the load of the machine is not known".to_owned();
        }
        format!(
            "{:.2} runnable threads of others for each core, {:.1} % of the time stolen",
            self.others_a_core(cores),
            100.0 * self.stolen()
        )
    }
}

fn read() -> Option<Cores> {
    parse(&std::fs::read_to_string("/proc/stat").ok()?)
}

/// Reads `/proc/stat`, see proc(5).
fn parse(text: &str) -> Option<Cores> {
    let mut cores = Cores::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("cpu") => {
                // User, nice, system, idle, iowait, irq, softirq, steal; guests are in user.
                let ticks: Vec<u64> = words.take(8).map_while(|word| word.parse().ok()).collect();
                cores.ticks = ticks.iter().sum();
                cores.stolen = ticks.get(7).copied().unwrap_or(0);
            }
            Some("procs_running") => cores.runnable = words.next()?.parse().ok()?,
            _ => {}
        }
    }
    (cores.ticks > 0).then_some(cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(runnable: &[u64], stolen: u64) -> Load {
        let cores = |stolen| Cores {
            ticks: 1_000 + stolen,
            stolen,
            runnable: 1,
        };
        Load {
            before: Some(Cores::default()),
            now: Some(cores(stolen)),
            looks: runnable.len() as u64,
            others: runnable.iter().map(|runnable| runnable - 1).sum(),
        }
    }

    #[test]
    fn kernel_s_figures_are_read() {
        let text = "cpu  10 0 5 80 1 0 1 3 0 0\ncpu0 1 2 3\nprocs_running 4\nprocs_blocked 0\n";
        let cores = parse(text).unwrap();
        assert_eq!((cores.ticks, cores.stolen, cores.runnable), (100, 3, 4));
        assert!(parse("").is_none());
    }

    #[test]
    fn busy_neighbour_and_stolen_time_are_no_calm() {
        assert!(load(&[1, 1, 2, 1], 0).is_calm(2));
        assert!(!load(&[2, 3, 2, 3], 0).is_calm(2));
        assert!(!load(&[1, 1], 100).is_calm(2));
        let unknown = Load {
            now: None,
            ..load(&[1], 0)
        };
        assert!(!unknown.is_calm(2));
        assert_eq!(
            load(&[2, 2], 0).sentence(2),
            "0.50 runnable threads of others for each core, 0.0 % of the time stolen"
        );
    }
}
