//! What machine, system and toolchain a run was made on.
//!
//! Read once at the start of a run and stored with it, so that a reader knows what the figures
//! hold for and records of different machines are not mixed. Names of hosts and users, and paths,
//! are never read or are left out: records are published.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What machine, system and toolchain a run was made on. What could not be read is `None`.
///
/// # Examples
///
/// ```
/// use bench_harness::Environment;
///
/// let laptop = Environment { cores_total: Some(2), ..Environment::default() };
/// let server = Environment { cores_total: Some(16), ..Environment::default() };
/// assert_eq!(laptop.same_machine(&laptop), Ok(()));
/// assert_eq!(
///     laptop.same_machine(&server).unwrap_err(),
///     "records were taken on another machine (2 cores, now 16)",
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// When this was read: UTC, as in RFC 3339, to the second.
    pub date: Option<String>,
    /// Model of the processor. On x86 with family and model number, because virtual machines give
    /// several generations the same name.
    pub cpu: Option<String>,
    /// Instruction set, as Rust names it.
    pub architecture: Option<String>,
    /// Logical cores of the machine.
    pub cores_total: Option<u64>,
    /// Logical cores that the process may use at once.
    pub cores_available: Option<u64>,
    /// Cores' worth of time that the control group of the process allows.
    pub cpu_quota_cores: Option<f64>,
    /// Whether cores run two threads at once.
    pub smt: Option<bool>,
    /// What chooses the frequency: one governor, or several when the cores differ.
    pub governor: Option<String>,
    /// Whether the processor may exceed its nominal frequency.
    pub turbo: Option<bool>,
    /// Caches of the first core.
    pub caches: Option<String>,
    /// Memory of the machine.
    pub memory_bytes: Option<u64>,
    /// Whether the machine is a virtual one.
    pub virtual_machine: Option<bool>,
    /// Operating system and version.
    pub os: Option<String>,
    /// Release of the kernel.
    pub kernel: Option<String>,
    /// When the kernel gives out large pages unasked: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
    /// How much of the address space the kernel randomises, 0 to 2.
    pub aslr: Option<i64>,
    /// How much of the hardware counters the kernel keeps to itself; 2 and less leave those of
    /// the user's own code.
    pub perf_event_paranoid: Option<i64>,
    /// Processes that ran or wanted to, on average over the minute before.
    pub load_average: Option<f64>,
    /// Smallest step of the clock, in nanoseconds.
    pub timer_step_ns: Option<u64>,
    /// What a sleep of 100 microseconds really takes, in nanoseconds.
    pub sleep_100us_ns: Option<u64>,
    /// Version of the compiler.
    pub rustc: Option<String>,
    /// Target that the compiler runs on.
    pub host: Option<String>,
    /// `RUSTFLAGS`, where it is set; paths are left out.
    pub rustflags: Option<String>,
    /// Allocator of the measured programs.
    pub allocator: Option<String>,
    /// Name of the workspace that is measured, for the caller to fill in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Commit that the working tree is at.
    pub commit: Option<String>,
    /// Whether the working tree differs from the commit.
    pub dirty: Option<bool>,
    /// Versions of tools, by name, for the caller to fill in.
    pub tools: BTreeMap<String, String>,
}

impl Environment {
    /// Reads the environment of this process and of the workspace at `root`.
    ///
    /// Runs `rustc` and `git`, and takes about 15 ms for sleeping.
    pub fn capture(root: &Path) -> Self {
        let (rustc, host) = compiler(root).unzip();
        let (commit, dirty) = commit(root).unzip();
        Self {
            // Whole seconds: the rest says nothing about a run of minutes.
            date: Timestamp::from_second(Timestamp::now().as_second())
                .ok()
                .map(|now| now.to_string()),
            architecture: Some(std::env::consts::ARCH.to_owned()),
            cores_available: thread::available_parallelism()
                .ok()
                .map(|cores| cores.get() as u64),
            timer_step_ns: timer_step_ns(),
            sleep_100us_ns: Some(sleep_ns(Duration::from_micros(100))),
            rustc,
            host,
            rustflags: std::env::var("RUSTFLAGS")
                .ok()
                .map(|flags| without_paths(&flags))
                .filter(|flags| !flags.is_empty()),
            allocator: Some("system".to_owned()),
            commit,
            dirty,
            ..describe(|path| std::fs::read_to_string(path).ok())
        }
    }

    /// What is known, as names and values for a table.
    pub fn facts(&self) -> Vec<(&str, String)> {
        let yes_no = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
        let text = |value: &Option<String>| value.clone();
        let cores = self.cores_available.or(self.cores_total).map(|available| {
            let total = self.cores_total.unwrap_or(available);
            if available == total {
                available.to_string()
            } else {
                format!("{available} of {total}")
            }
        });
        let commit = self.commit.as_ref().map(|commit| {
            let changed = if self.dirty == Some(true) {
                ", with changes"
            } else {
                ""
            };
            format!("{}{changed}", short(commit))
        });
        let microseconds = |ns: u64| format!("{} µs", (ns + 500) / 1_000);
        let facts = [
            ("Date", text(&self.date)),
            ("Commit", commit),
            ("CPU", text(&self.cpu)),
            ("Architecture", text(&self.architecture)),
            ("Logical cores", cores),
            (
                "CPU quota",
                self.cpu_quota_cores.map(|cores| format!("{cores} cores")),
            ),
            ("SMT", self.smt.map(yes_no)),
            ("Governor", text(&self.governor)),
            ("Turbo", self.turbo.map(yes_no)),
            ("Caches", text(&self.caches)),
            ("Memory", self.memory_bytes.map(gibibytes)),
            ("Virtual machine", self.virtual_machine.map(yes_no)),
            ("System", text(&self.os)),
            ("Kernel", text(&self.kernel)),
            ("Huge pages", text(&self.huge_pages)),
            (
                "Address randomisation",
                self.aslr.map(|level| level.to_string()),
            ),
            (
                "perf_event_paranoid",
                self.perf_event_paranoid.map(|level| level.to_string()),
            ),
            (
                "Load average at the start",
                self.load_average.map(|load| load.to_string()),
            ),
            (
                "Clock step",
                self.timer_step_ns.map(|step| format!("{step} ns")),
            ),
            (
                "A sleep of 100 µs takes",
                self.sleep_100us_ns.map(microseconds),
            ),
            ("Compiler", text(&self.rustc)),
            ("Host", text(&self.host)),
            ("RUSTFLAGS", text(&self.rustflags)),
            ("Allocator", text(&self.allocator)),
        ];
        let known = facts
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let tools = self
            .tools
            .iter()
            .map(|(name, version)| (name.as_str(), version.clone()));
        known.chain(tools).collect()
    }

    /// What a reader of the figures should know, as sentences.
    pub fn warnings(&self) -> Vec<String> {
        let cores = self.cores_available.or(self.cores_total);
        let mut warnings = Vec::new();
        if let Some(governor) = &self.governor
            && governor != "performance"
        {
            warnings.push(format!(
                "The CPU governor is `{governor}`, not `performance`: the frequency depends on what ran before."
            ));
        }
        if self.turbo == Some(true) {
            warnings.push(
                "Turbo is on: the frequency depends on temperature and on how many cores are busy."
                    .to_owned(),
            );
        }
        if let (Some(load), Some(cores)) = (self.load_average, cores)
            && load > cores as f64 / 2.0
        {
            warnings.push(format!(
                "The machine was busy before the run: its load was {load} on {cores} cores."
            ));
        }
        if let (Some(quota), Some(cores)) = (self.cpu_quota_cores, cores)
            && quota < cores as f64
        {
            warnings.push(format!(
                "A quota stops the run when it uses more than {quota} of {cores} cores."
            ));
        }
        if self.virtual_machine == Some(true) {
            warnings.push(
                "The machine is virtual: others on the same host may slow it down unseen."
                    .to_owned(),
            );
        }
        if self.dirty == Some(true) {
            let commit = self.commit.as_deref().map_or("its commit", short);
            warnings.push(format!(
                "The working tree differs from {commit}: nobody else can measure the same code."
            ));
        }
        if let Some(flags) = &self.rustflags
            && let Some(flag) = SLOW_FLAGS.iter().find(|flag| flags.contains(*flag))
        {
            warnings.push(format!(
                "RUSTFLAGS holds `{flag}`: the code is not what an optimised build is made of."
            ));
        }
        warnings
    }

    /// Whether records of `self` may be compared with those of `now`.
    ///
    /// Compares what stays as it is from boot to boot: processor, cores, memory to within a tenth,
    /// and the major version of the kernel. What either does not know makes no difference.
    ///
    /// # Errors
    ///
    /// Fails with a sentence that names the differences.
    pub fn same_machine(&self, now: &Self) -> Result<(), String> {
        let mut differences = Vec::new();
        let mut compare = |before: Option<String>, now: Option<String>, unit: &str| {
            if let (Some(before), Some(now)) = (before, now)
                && before != now
            {
                differences.push(format!("{before}{unit}, now {now}"));
            }
        };
        let number = |value: Option<u64>| value.map(|value| value.to_string());
        compare(self.cpu.clone(), now.cpu.clone(), "");
        compare(self.architecture.clone(), now.architecture.clone(), "");
        compare(number(self.cores_total), number(now.cores_total), " cores");
        compare(
            number(self.cores_available),
            number(now.cores_available),
            " cores available",
        );
        let major = |kernel: &Option<String>| {
            let release = kernel.as_ref()?;
            Some(format!("kernel {}", release.split('.').next()?))
        };
        compare(major(&self.kernel), major(&now.kernel), "");
        // Kernels keep a little of the memory to themselves, not always the same.
        if let (Some(before), Some(now)) = (self.memory_bytes, now.memory_bytes)
            && before.abs_diff(now) > before.max(now) / 10
        {
            compare(Some(gibibytes(before)), Some(gibibytes(now)), " of memory");
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(format!(
            "records were taken on another machine ({})",
            differences.join("; ")
        ))
    }
}

/// Parts of `RUSTFLAGS` that make code slower than a usual optimised build.
const SLOW_FLAGS: [&str; 7] = [
    "opt-level=0",
    "opt-level=1",
    "debug-assertions",
    "overflow-checks",
    "instrument-coverage",
    "profile-generate",
    "sanitizer",
];

/// The first digits of a commit, as people write them.
fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / (1_u64 << 30) as f64)
}

/// What the files of a Linux system say; elsewhere they cannot be read.
fn describe(read: impl Fn(&str) -> Option<String>) -> Environment {
    let word = |path: &str| Some(read(path)?.trim().to_owned());
    let number = |path: &str| word(path)?.parse().ok();
    let flag = |path: &str| number(path).map(|value: i64| value != 0);
    let cpuinfo = read("/proc/cpuinfo").unwrap_or_default();
    let cores_total = cores(&cpuinfo);
    let governors: BTreeSet<String> = (0..cores_total.unwrap_or(0))
        .filter_map(|core| {
            word(&format!(
                "/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"
            ))
        })
        .collect();
    // More levels than there are, so that odd files cannot be read for ever.
    let caches: Vec<String> = (0..16)
        .map_while(|index| {
            let part = |name: &str| {
                word(&format!(
                    "/sys/devices/system/cpu/cpu0/cache/index{index}/{name}"
                ))
            };
            Some(cache(&part("level")?, &part("type")?, &part("size")?))
        })
        .collect();
    Environment {
        cpu: cpu(&cpuinfo),
        cores_total,
        cpu_quota_cores: read("/proc/self/cgroup")
            .and_then(|groups| cgroup_path(&groups).map(str::to_owned))
            .and_then(|path| quota_cores(&path, &read)),
        smt: flag("/sys/devices/system/cpu/smt/active"),
        governor: joined(governors),
        turbo: flag("/sys/devices/system/cpu/intel_pstate/no_turbo")
            .map(|off| !off)
            .or_else(|| flag("/sys/devices/system/cpu/cpufreq/boost")),
        caches: joined(caches),
        memory_bytes: read("/proc/meminfo").and_then(|text| memory_bytes(&text)),
        virtual_machine: virtual_machine(&cpuinfo),
        os: read("/etc/os-release")
            .and_then(|text| os_name(&text))
            .or_else(|| Some(std::env::consts::OS.to_owned())),
        kernel: word("/proc/sys/kernel/osrelease"),
        huge_pages: read("/sys/kernel/mm/transparent_hugepage/enabled")
            .and_then(|text| chosen(&text)),
        aslr: number("/proc/sys/kernel/randomize_va_space"),
        perf_event_paranoid: number("/proc/sys/kernel/perf_event_paranoid"),
        load_average: read("/proc/loadavg").and_then(|text| load_average(&text)),
        ..Environment::default()
    }
}

/// All of them, or `None` when there are none.
fn joined(words: impl IntoIterator<Item = String>) -> Option<String> {
    let words: Vec<String> = words.into_iter().collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// The value of the first line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

fn cpu(cpuinfo: &str) -> Option<String> {
    let name = field(cpuinfo, "model name")?;
    let numbers = field(cpuinfo, "cpu family").zip(field(cpuinfo, "model"));
    Some(numbers.map_or_else(
        || name.to_owned(),
        |(family, model)| format!("{name} (family {family}, model {model})"),
    ))
}

fn cores(cpuinfo: &str) -> Option<u64> {
    let is_core = |line: &&str| {
        line.split_once(':')
            .is_some_and(|(key, _)| key.trim() == "processor")
    };
    let cores = cpuinfo.lines().filter(is_core).count() as u64;
    (cores > 0).then_some(cores)
}

/// Known where the processor lists its features as x86 does.
fn virtual_machine(cpuinfo: &str) -> Option<bool> {
    let flags = field(cpuinfo, "flags")?;
    Some(flags.split_whitespace().any(|flag| flag == "hypervisor"))
}

fn cache(level: &str, kind: &str, size: &str) -> String {
    match kind {
        "Unified" => format!("L{level} {size}"),
        _ => format!("L{level} {} {size}", kind.to_lowercase()),
    }
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let kibibytes: u64 = field(meminfo, "MemTotal")?
        .strip_suffix("kB")?
        .trim()
        .parse()
        .ok()?;
    kibibytes.checked_mul(1_024)
}

fn os_name(os_release: &str) -> Option<String> {
    let name = os_release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}

/// The word in brackets.
fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}

fn load_average(loadavg: &str) -> Option<f64> {
    let load: f64 = loadavg.split_whitespace().next()?.parse().ok()?;
    load.is_finite().then_some(load)
}

/// The group of the process in the hierarchy of version 2.
fn cgroup_path(groups: &str) -> Option<&str> {
    groups.lines().find_map(|line| line.strip_prefix("0::"))
}

/// The smallest quota of a control group and the groups it is in.
fn quota_cores(group: &str, read: impl Fn(&str) -> Option<String>) -> Option<f64> {
    let group = group.trim_end_matches('/');
    let ends = group
        .match_indices('/')
        .map(|(end, _)| end)
        .chain([group.len()]);
    ends.filter_map(|end| cpu_max(&read(&format!("/sys/fs/cgroup{}/cpu.max", &group[..end]))?))
        .min_by(f64::total_cmp)
}

/// Cores' worth of time that a `cpu.max` file allows; `None` when there is no limit.
fn cpu_max(text: &str) -> Option<f64> {
    let mut words = text.split_whitespace();
    let quota: f64 = words.next()?.parse().ok()?;
    let period: f64 = words.next()?.parse().ok()?;
    let cores = quota / period;
    (cores.is_finite() && cores > 0.0).then_some(cores)
}

/// Smallest step that the clock was seen to make.
fn timer_step_ns() -> Option<u64> {
    let mut before = Instant::now();
    (0..10_000)
        .filter_map(|_| {
            let now = Instant::now();
            let step = now.duration_since(before).as_nanos() as u64;
            before = now;
            (step > 0).then_some(step)
        })
        .min()
}

/// Median time of several sleeps.
fn sleep_ns(duration: Duration) -> u64 {
    let mut slept = [0; 11].map(|_: u64| {
        let start = Instant::now();
        thread::sleep(duration);
        start.elapsed().as_nanos() as u64
    });
    slept.sort_unstable();
    slept[slept.len() / 2]
}

/// Version and host of the compiler that cargo would use at `root`.
fn compiler(root: &Path) -> Option<(String, String)> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    compiler_version(&output(Command::new(rustc).arg("-vV").current_dir(root))?)
}

fn compiler_version(verbose: &str) -> Option<(String, String)> {
    let version = verbose.lines().next()?.strip_prefix("rustc ")?;
    Some((version.to_owned(), field(verbose, "host")?.to_owned()))
}

/// The commit that the tree at `root` is at, and whether it has changes.
fn commit(root: &Path) -> Option<(String, bool)> {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        // Hooks set these for their own repository.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(name);
        }
        // Without locks, not to disturb a command that the user runs meanwhile.
        output(
            command
                .arg("--no-optional-locks")
                .args(arguments)
                .current_dir(root),
        )
    };
    let commit = git(&["rev-parse", "--verify", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=normal"])?;
    Some((commit, !changes.is_empty()))
}

/// What a command prints; `None` when it cannot be run or fails.
fn output(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.trim().to_owned())
}

/// The flags, with `<path>` for everything that may be one.
fn without_paths(flags: &str) -> String {
    let words = flags.split_whitespace().map(|word| {
        let Some(separator) = word.find(['/', '\\']) else {
            return word.to_owned();
        };
        let kept = word[..separator].rfind('=').map_or(0, |equals| equals + 1);
        format!("{}<path>", &word[..kept])
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPUINFO: &str = "\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
flags\t\t: fpu vme hypervisor lahf_lm
bugs\t\t:

processor\t: 1
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
flags\t\t: fpu vme hypervisor lahf_lm
";

    fn files(path: &str) -> Option<String> {
        let text = match path {
            "/proc/cpuinfo" => CPUINFO,
            "/proc/meminfo" => "MemTotal:       24684084 kB\nMemFree:   20650848 kB\n",
            "/proc/loadavg" => "2.23 1.87 1.09 5/125 10661\n",
            "/proc/self/cgroup" => "1:cpu:/v1\n0::/ci/job\n",
            "/proc/sys/kernel/osrelease" => "6.18.44\n",
            "/proc/sys/kernel/randomize_va_space" => "2\n",
            "/proc/sys/kernel/perf_event_paranoid" => "-1\n",
            "/etc/os-release" => "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
            "/sys/fs/cgroup/ci/job/cpu.max" => "max 100000\n",
            "/sys/fs/cgroup/ci/cpu.max" => "150000 100000\n",
            "/sys/kernel/mm/transparent_hugepage/enabled" => "always [madvise] never\n",
            "/sys/devices/system/cpu/smt/active" => "0\n",
            "/sys/devices/system/cpu/cpufreq/boost" => "1\n",
            "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor" => "schedutil\n",
            "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor" => "schedutil\n",
            "/sys/devices/system/cpu/cpu0/cache/index0/level" => "1\n",
            "/sys/devices/system/cpu/cpu0/cache/index0/type" => "Data\n",
            "/sys/devices/system/cpu/cpu0/cache/index0/size" => "32K\n",
            "/sys/devices/system/cpu/cpu0/cache/index1/level" => "2\n",
            "/sys/devices/system/cpu/cpu0/cache/index1/type" => "Unified\n",
            "/sys/devices/system/cpu/cpu0/cache/index1/size" => "1024K\n",
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn machine() -> Environment {
        Environment {
            cores_available: Some(2),
            architecture: Some("x86_64".to_owned()),
            ..describe(files)
        }
    }

    #[test]
    fn files_of_the_system_are_understood() {
        let text = |text: &str| Some(text.to_owned());
        let expected = Environment {
            cpu: text("AMD EPYC (family 25, model 17)"),
            cores_total: Some(2),
            cpu_quota_cores: Some(1.5),
            smt: Some(false),
            governor: text("schedutil"),
            turbo: Some(true),
            caches: text("L1 data 32K, L2 1024K"),
            memory_bytes: Some(24_684_084 * 1_024),
            virtual_machine: Some(true),
            os: text("Debian GNU/Linux 12 (bookworm)"),
            kernel: text("6.18.44"),
            huge_pages: text("madvise"),
            aslr: Some(2),
            perf_event_paranoid: Some(-1),
            load_average: Some(2.23),
            ..Environment::default()
        };
        assert_eq!(describe(files), expected);
    }

    #[test]
    fn missing_and_senseless_files_are_unknown() {
        let nothing = Environment {
            os: Some(std::env::consts::OS.to_owned()),
            ..Environment::default()
        };
        assert_eq!(describe(|_| None), nothing);
        for senseless in ["", "\n", ":", "[", "x y z", "NaN NaN", "MemTotal: -1 kB"] {
            let environment = describe(|_| Some(senseless.to_owned()));
            assert_eq!(environment.memory_bytes, None);
            assert_eq!(environment.load_average, None);
            assert_eq!(environment.cpu_quota_cores, None);
            assert_eq!((environment.cpu, environment.cores_total), (None, None));
        }
    }

    #[test]
    fn turbo_of_intel_is_stored_upside_down() {
        let check = |no_turbo: &str, turbo| {
            let read = |path: &str| path.ends_with("no_turbo").then(|| no_turbo.to_owned());
            assert_eq!(describe(read).turbo, Some(turbo));
        };
        check("1\n", false);
        check("0\n", true);
    }

    #[test]
    fn quota_is_the_smallest_on_the_way_to_the_root() {
        #[track_caller]
        fn check(group: &str, files: &[(&str, &str)], expected: Option<f64>) {
            let read = |path: &str| {
                let (_, text) = files.iter().find(|(name, _)| *name == path)?;
                Some((*text).to_owned())
            };
            assert_eq!(quota_cores(group, read), expected);
        }
        let root = ("/sys/fs/cgroup/cpu.max", "200000 100000");
        let inner = ("/sys/fs/cgroup/a/cpu.max", "50000 100000");
        check("/", &[root], Some(2.0));
        check("/a", &[root, inner], Some(0.5));
        check("/a/b", &[root, inner], Some(0.5));
        check("/c", &[root, inner], Some(2.0));
        check("/a", &[("/sys/fs/cgroup/a/cpu.max", "max 100000")], None);
        check("/a", &[("/sys/fs/cgroup/a/cpu.max", "1 0")], None);
    }

    #[test]
    fn compiler_is_read_from_its_own_words() {
        let verbose =
            "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: aarch64-apple-darwin\n";
        let expected = ("1.95.0 (59807616e 2026-04-14)", "aarch64-apple-darwin");
        let (version, host) = compiler_version(verbose).unwrap();
        assert_eq!((version.as_str(), host.as_str()), expected);
        assert_eq!(compiler_version("rustc 1.95.0"), None);
        assert_eq!(compiler_version("error: no toolchain\nhost: x"), None);
    }

    #[test]
    fn paths_in_flags_are_left_out() {
        #[track_caller]
        fn check(flags: &str, expected: &str) {
            assert_eq!(without_paths(flags), expected);
        }
        check(
            "-C target-cpu=native  -Copt-level=3",
            "-C target-cpu=native -Copt-level=3",
        );
        check("-C linker=/usr/bin/ld", "-C linker=<path>");
        check("-L/opt/me -L native=C:\\me", "<path> -L native=<path>");
        check(
            "--remap-path-prefix=/opt/me=/src",
            "--remap-path-prefix=<path>",
        );
        check("--cfg=x=../me", "--cfg=x=<path>");
        check("", "");
    }

    #[test]
    fn commit_and_its_changes_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(commit(root), None, "not a repository");
        let git = |arguments: &str| {
            let mut command = Command::new("git");
            command.args(arguments.split(' ')).current_dir(root);
            output(&mut command).unwrap()
        };
        git("init --quiet");
        assert_eq!(commit(root), None, "no commit");
        git(
            "-c user.name=n -c user.email=e -c commit.gpgsign=false commit --allow-empty --message=m",
        );
        let head = git("rev-parse HEAD");
        assert_eq!(commit(root), Some((head.clone(), false)));
        std::fs::write(root.join("new"), "").unwrap();
        assert_eq!(commit(root), Some((head, true)));
        assert_eq!(commit(&root.join("missing")), None);
    }

    #[test]
    fn facts_leave_out_what_is_not_known() {
        assert_eq!(Environment::default().facts(), []);
        let environment = Environment {
            commit: Some("0123456789abcdef".to_owned()),
            dirty: Some(true),
            cores_total: Some(16),
            cores_available: Some(2),
            memory_bytes: Some(3 << 29),
            smt: Some(false),
            sleep_100us_ns: Some(1_059_700),
            tools: BTreeMap::from([("criterion".to_owned(), "0.8.2".to_owned())]),
            ..Environment::default()
        };
        let facts = [
            ("Commit", "0123456789ab, with changes"),
            ("Logical cores", "2 of 16"),
            ("SMT", "no"),
            ("Memory", "1.5 GiB"),
            ("A sleep of 100 µs takes", "1060 µs"),
            ("criterion", "0.8.2"),
        ];
        assert_eq!(
            environment.facts(),
            facts.map(|(name, value)| (name, value.to_owned()))
        );
    }

    #[test]
    fn every_doubt_is_a_sentence() {
        let calm = Environment {
            governor: Some("performance".to_owned()),
            turbo: Some(false),
            load_average: Some(1.0),
            cores_available: Some(2),
            cpu_quota_cores: Some(2.0),
            virtual_machine: Some(false),
            dirty: Some(false),
            rustflags: Some("-C target-cpu=native".to_owned()),
            ..Environment::default()
        };
        assert_eq!(calm.warnings(), [""; 0]);
        assert_eq!(Environment::default().warnings(), [""; 0]);
        let doubtful = Environment {
            dirty: Some(true),
            commit: Some("0123456789abcdef".to_owned()),
            rustflags: Some("-Cdebug-assertions".to_owned()),
            ..machine()
        };
        let warnings = doubtful.warnings();
        let named = [
            "`schedutil`",
            "Turbo",
            "2.23 on 2 cores",
            "1.5 of 2 cores",
            "virtual",
            "0123456789ab:",
            "`debug-assertions`",
        ];
        assert_eq!(warnings.len(), named.len(), "{warnings:?}");
        for (warning, part) in warnings.iter().zip(named) {
            assert!(
                warning.contains(part) && warning.ends_with('.'),
                "{warning}"
            );
        }
    }

    #[track_caller]
    fn check_same(change: impl FnOnce(&mut Environment), differences: &str) {
        let (before, mut now) = (machine(), machine());
        change(&mut now);
        let expected = if differences.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "records were taken on another machine ({differences})"
            ))
        };
        assert_eq!(before.same_machine(&now), expected);
    }

    #[test]
    fn another_machine_is_told_by_what_stays_from_boot_to_boot() {
        check_same(|_| (), "");
        check_same(|now| now.cores_total = Some(16), "2 cores, now 16");
        check_same(
            |now| now.cores_available = Some(1),
            "2 cores available, now 1",
        );
        check_same(
            |now| now.memory_bytes = Some(2 << 30),
            "23.5 GiB of memory, now 2.0 GiB",
        );
        check_same(
            |now| now.kernel = Some("7.0.1".to_owned()),
            "kernel 6, now kernel 7",
        );
        check_same(
            |now| {
                now.cpu = Some("Other".to_owned());
                now.architecture = Some("aarch64".to_owned());
            },
            "AMD EPYC (family 25, model 17), now Other; x86_64, now aarch64",
        );
    }

    #[test]
    fn what_varies_or_is_not_known_does_not_make_another_machine() {
        check_same(|now| now.memory_bytes = Some(24_000_000 * 1_024), "");
        check_same(|now| now.kernel = Some("6.19.0-rc1".to_owned()), "");
        check_same(|now| now.load_average = None, "");
        check_same(|now| now.governor = Some("powersave".to_owned()), "");
        check_same(|now| *now = Environment::default(), "");
    }

    #[test]
    fn stored_environments_are_read_back_also_by_versions_with_other_fields() {
        let environment = machine();
        let text = serde_json::to_string(&environment).unwrap();
        assert_eq!(
            serde_json::from_str::<Environment>(&text).unwrap(),
            environment
        );
        let other: Environment = serde_json::from_str(r#"{"cores_total":4,"later":1}"#).unwrap();
        let expected = Environment {
            cores_total: Some(4),
            ..Environment::default()
        };
        assert_eq!(other, expected);
    }
}
