//! The scripts for SLURM, as users submit them, on a cluster of this one machine.
#![cfg(unix)]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bench_harness::record::{self, Entry};

mod workspace;

use workspace::{target, workspace};

/// How long a job may take, and how long daemons take to begin and to end.
const PATIENCE: Duration = Duration::from_secs(300);
const DAEMONS: Duration = Duration::from_secs(30);
const DAEMON_COUNT: usize = 3;

/// Where Debian keeps daemons, which is not on everybody's path.
const SYSTEM: &str = "/usr/sbin";

/// A cluster of one node in a folder of its own, which leaves nothing behind.
struct Cluster {
    folder: tempfile::TempDir,
    /// In the order in which they are ended.
    daemons: Vec<Child>,
}

impl Cluster {
    /// `None`, and a sentence, where SLURM is not installed or does not run.
    fn start() -> Option<Self> {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = std::env::split_paths(&paths)
            .chain([SYSTEM.into()])
            .collect();
        for program in ["munged", "slurmctld", "slurmd", "sbatch", "scontrol"] {
            if !folders.iter().any(|folder| folder.join(program).is_file()) {
                println!("skipped: {program} is not installed (Debian: slurm-wlm and munge)");
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let mut cluster = Self {
            folder,
            daemons: Vec::new(),
        };
        cluster.configure();
        let socket = cluster.path("munge.sock");
        let mut munged = cluster.command("munged");
        munged.args(["--foreground", "--force"]);
        for (option, name) in [
            ("--socket", "munge.sock"),
            ("--key-file", "munge.key"),
            ("--pid-file", "munged.pid"),
            ("--log-file", "munged.log"),
            ("--seed-file", "munge.seed"),
        ] {
            munged.arg(format!("{option}={}", cluster.path(name).display()));
        }
        cluster.spawn(munged, "munged.said");
        let mut is_up = soon(DAEMONS, || socket.exists());
        for daemon in ["slurmctld", "slurmd"] {
            let mut command = cluster.command(daemon);
            command.arg("-D");
            cluster.spawn(command, &format!("{daemon}.log"));
        }
        // Who asks is answered last.
        cluster.daemons.reverse();
        is_up = is_up && soon(DAEMONS, || cluster.is_idle());
        if !is_up {
            let log = |name| fs::read_to_string(cluster.path(name)).unwrap_or_default();
            let logs = ["munged.said", "slurmctld.log", "slurmd.log"].map(log);
            println!(
                "skipped: SLURM does not run here:\n{}",
                logs.join("\n").trim()
            );
            return None;
        }
        Some(cluster)
    }

    fn is_idle(&self) -> bool {
        said(&self.run("sinfo", &["-h", "-o", "%T"])).trim() == "idle"
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self) {
        use std::os::unix::fs::PermissionsExt;
        let key = self.path("munge.key");
        // A secret of nothing: it is gone with the folder, and only this machine is asked.
        fs::write(&key, [7; 128]).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        // The daemon's clients have to reach its socket.
        fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["state", "spool"] {
            fs::create_dir(self.path(name)).unwrap();
        }
        let output = |program: &str, argument: &str| {
            let output = Command::new(program).arg(argument).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        // Held until both are known, so that they differ.
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [control, node] = free.each_ref().map(|one| one.local_addr().unwrap().port());
        // What is requeued waits until its credential has expired, two minutes unless said otherwise.
        let configuration = format!(
            "ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=cred_expire=5,socket={folder}/munge.sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=10
MinJobAge=3600
SchedulerParameters=batch_sched_delay=0,sched_interval=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
",
            host = output("hostname", "-s"),
            user = output("id", "-un"),
            cores = std::thread::available_parallelism().unwrap(),
            folder = self.folder.path().display(),
        );
        fs::write(self.path("slurm.conf"), configuration).unwrap();
    }

    fn command(&self, program: &str) -> Command {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::env::split_paths(&paths).chain([SYSTEM.into()]);
        let mut command = Command::new(program);
        command
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env("SLURM_CONF", self.path("slurm.conf"))
            .env("GEN_BENCHMARKS", env!("CARGO_BIN_EXE_gen-benchmarks"))
            .env("RECORDS", self.path("records"))
            .env("CARGO_TARGET_DIR", target())
            .current_dir(workspace())
            .stdin(Stdio::null());
        command
    }

    fn spawn(&mut self, mut command: Command, log: &str) {
        let log = fs::File::create(self.path(log)).unwrap();
        command
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .current_dir(self.folder.path());
        self.daemons.push(command.spawn().unwrap());
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program).args(arguments).output().unwrap()
    }

    /// What a program answers that has to succeed.
    #[track_caller]
    fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.run(program, arguments);
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {output:?}"
        );
        said(&output).trim().to_owned()
    }

    /// Submits a script with its arguments, and returns the job's id.
    #[track_caller]
    fn submit(&self, options: &[&str], script: &str, arguments: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../docs")
            .join(script);
        let log = format!("--output={}", self.path("log-%j").display());
        let script = script.to_str().unwrap();
        let all = [&["--parsable", &log], options, &[script], arguments].concat();
        self.ask("sbatch", &all)
    }

    /// The task of an array that measures a shard of a few cases.
    fn shards(&self, options: &[&str]) -> String {
        let arguments = ["--profile", "quick", "--filter", "walk/right"];
        // Enough processes to be stopped between them.
        let more = ["--count", "40", "--allow-unknown-commit"];
        self.submit(options, "slurm-array.sh", &[&arguments[..], &more].concat())
    }

    /// A fact that SLURM knows of a job, as `JobState`.
    fn fact(&self, job: &str, name: &str) -> String {
        let facts = self.ask("scontrol", &["show", "job", "--oneliner", job]);
        let line = facts.lines().next().unwrap_or_default();
        let fact = line.split_whitespace().find_map(|fact| {
            let (key, value) = fact.split_once('=')?;
            (key == name).then(|| value.to_owned())
        });
        fact.unwrap_or_else(|| panic!("no {name} in {facts}"))
    }

    #[track_caller]
    fn wait(&self, job: &str, state: &str) {
        let reached = soon(PATIENCE, || self.fact(job, "JobState") == state);
        assert!(
            reached,
            "{job} is not {state} but {}: {}",
            self.fact(job, "JobState"),
            self.log(job)
        );
    }

    /// What a job has written.
    fn log(&self, job: &str) -> String {
        let number = self.fact(job, "JobId");
        fs::read_to_string(self.path(&format!("log-{number}"))).unwrap_or_default()
    }

    /// Puts a task back into the queue, as soon as that can be done with one that is ending.
    #[track_caller]
    fn requeue(&self, job: &str) {
        let requeued = || self.run("scontrol", &["requeue", job]).status.success();
        assert!(soon(PATIENCE, requeued), "{job}: {}", self.log(job));
    }

    fn shard(&self, array: &str, name: &str) -> PathBuf {
        self.path("records").join(array).join(name)
    }

    /// Waits until a task has measured something, but not all.
    #[track_caller]
    fn wait_for_part(&self, job: &str, record: &Path) {
        let begun = soon(PATIENCE, || {
            processes(record).is_some_and(|processes| processes.len() > 2)
        });
        assert!(begun, "{job} has measured nothing: {}", self.log(job));
        assert_eq!(self.fact(job, "JobState"), "RUNNING", "it has more to do");
    }

    /// Ends all jobs and daemons.
    fn stop(&mut self) {
        // Without the daemons nobody would end the jobs, and nobody answers.
        let is_up = |daemon: &mut Child| daemon.try_wait().is_ok_and(|ended| ended.is_none());
        if self.daemons.len() == DAEMON_COUNT && self.daemons.iter_mut().all(is_up) {
            self.run("scancel", &["--state=PENDING"]);
            self.run("scancel", &["--state=RUNNING"]);
            soon(DAEMONS, || {
                said(&self.run("squeue", &["-h"])).trim().is_empty()
            });
        }
        for mut daemon in self.daemons.drain(..) {
            let _ = Command::new("kill").arg(daemon.id().to_string()).status();
            if !soon(DAEMONS, || {
                daemon.try_wait().is_ok_and(|ended| ended.is_some())
            }) {
                let _ = daemon.kill();
                let _ = daemon.wait();
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether something becomes true before patience ends.
fn soon(patience: Duration, mut is_true: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < patience {
        if is_true() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    false
}

/// Which processes of which cases a record holds; nothing where it is not there yet.
fn processes(record: &Path) -> Option<Vec<(String, u32)>> {
    let read = record::read(record).ok()?;
    let processes = read.entries.iter().filter_map(|entry| match entry {
        Entry::Case(record) => Some((record.case.to_string(), record.process)),
        _ => None,
    });
    Some(processes.collect())
}

/// The processes that still know a cluster by its folder.
fn left_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap().as_bytes();
    let Ok(all) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let processes = all.filter_map(|entry| Some(entry.ok()?.path()));
    let knows = |process: &PathBuf| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment.windows(folder.len()).any(|part| part == folder)
    };
    let own = std::process::id().to_string();
    processes
        .filter(|process| !process.ends_with(&own) && knows(process))
        .map(|process| fs::read_to_string(process.join("cmdline")).unwrap_or_default())
        .collect()
}

#[test]
fn array_of_shards_is_stopped_goes_on_and_is_merged_when_all_are_there() {
    let Some(mut cluster) = Cluster::start() else {
        return;
    };
    // Tasks find the workspace built, however long that takes.
    let listed = cluster.run(env!("CARGO_BIN_EXE_gen-benchmarks"), &["list"]);
    assert!(listed.status.success(), "{listed:?}");
    // Shards that are not all there were never meant to be merged.
    let odd = cluster.shards(&["--array=2-3"]);
    cluster.wait(&format!("{odd}_3"), "FAILED");
    let refused = cluster.log(&format!("{odd}_3"));
    assert!(refused.contains("sbatch --array=1-2"), "{refused}");

    let array = cluster.shards(&["--array=1-2"]);
    let first = format!("{array}_1");
    let dependency = format!("--dependency=afterany:{array}");
    let early = cluster.submit(&[&dependency], "slurm-merge.sh", &[&array]);
    cluster.ask("scancel", &[&format!("{array}_2")]);
    cluster.wait_for_part(&first, &cluster.shard(&array, "shard-1.jsonl"));
    // As when a node is needed for something else.
    cluster.requeue(&first);
    cluster.wait(&first, "COMPLETED");
    assert_eq!(cluster.fact(&first, "Restarts"), "1");

    cluster.wait(&early, "FAILED");
    let refused = cluster.log(&early);
    let missing = "shard-1.jsonl:1: of 2 shards 2 is missing; give all of them";
    assert!(refused.contains(missing), "{refused}");
    for name in ["merged.jsonl", "report"] {
        assert!(!cluster.shard(&array, name).exists(), "nothing is written");
    }

    // The other shard by a job of its own, which is cancelled and then goes on.
    let origin = format!("--export=ALL,ARRAY={array},SHARDS=2");
    let other = cluster.shards(&["--array=2", &origin]);
    let second = format!("{other}_2");
    let record = cluster.shard(&array, "shard-2.jsonl");
    cluster.wait_for_part(&second, &record);
    cluster.ask("scancel", &[&second]);
    cluster.wait(&second, "CANCELLED");
    let begun = processes(&record).unwrap();
    cluster.requeue(&second);
    cluster.wait(&second, "COMPLETED");
    let whole = processes(&record).unwrap();
    assert!(begun.len() < whole.len() && whole.starts_with(&begun));

    let merge = cluster.submit(&[], "slurm-merge.sh", &[&array]);
    cluster.wait(&merge, "COMPLETED");
    let report = cluster.shard(&array, "report/BENCHMARKS.md");
    let log = cluster.log(&merge);
    assert!(log.ends_with(&format!("{}\n", report.display())), "{log}");
    let mut merged = processes(&cluster.shard(&array, "merged.jsonl")).unwrap();
    merged.sort();
    let mut expected: Vec<(String, u32)> = [10, 20, 40]
        .iter()
        .flat_map(|nodes| {
            (1..=40).map(move |process| (format!("walk/right/sequential/{nodes}"), process))
        })
        .collect();
    expected.sort();
    assert_eq!(merged, expected, "every process of every case once");
    let page = fs::read_to_string(report).unwrap();
    assert!(page.contains("> Measured in 2 shards"), "{page}");

    cluster.stop();
    assert!(
        soon(DAEMONS, || left_of(cluster.folder.path()).is_empty()),
        "{:?}",
        left_of(cluster.folder.path())
    );
}

#[test]
fn scripts_are_what_a_checker_of_shell_scripts_accepts() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let scripts = ["slurm-array.sh", "slurm-merge.sh"].map(|name| docs.join(name));
    match Command::new("shellcheck").args(scripts).output() {
        Ok(output) => assert!(output.status.success(), "{}", said(&output)),
        Err(error) => println!("skipped: shellcheck: {error}"),
    }
}
