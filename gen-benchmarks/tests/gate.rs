//! The gate, started as a user would, on a repository whose commits become slower, crash, lose a
//! case or do not build.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bench_harness::gate::{Evidence, Judgement, Metric, Verdict};

/// A bench target with a case of known work.
const BENCH: &str = r#"//! Cases whose work a commit decides.

use std::hint::black_box;

use bench_harness::{Lab, Routine};

const ROUNDS: u64 = 2_000;
const OBJECTS: usize = 3;

fn suite(lab: &mut Lab) {
    let group = lab.group("work", "How long does known work take?");
    group.case("rounds", 1, || {
        let rounds = black_box(ROUNDS);
        let spin = move || (0..rounds).fold(black_box(1_u64), |state, _| {
            let state = state ^ (state << 13);
            let state = state ^ (state >> 7);
            state ^ (state << 17)
        });
        let expected = spin();
        Routine::new(spin, move |state| assert_eq!(*state, expected))
    });
    group.case("objects", 1, || {
        let objects = || (0..OBJECTS).map(|object| Box::new(black_box(object))).collect::<Vec<_>>();
        Routine::new(objects, |objects| assert_eq!(objects.len(), OBJECTS))
    });
    // END
}

bench_harness::main!(suite);
"#;

/// Whose test may build: two that share a target folder are refused.
static BUILDS: Mutex<()> = Mutex::new(());

/// A repository with one commit of [`BENCH`], and the target folder that all tests share.
struct Repository {
    folder: tempfile::TempDir,
    _builds: MutexGuard<'static, ()>,
}

impl Repository {
    fn new() -> Self {
        let repository = Self {
            folder: tempfile::tempdir().unwrap(),
            _builds: BUILDS.lock().unwrap_or_else(PoisonError::into_inner),
        };
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().expect("the package lies in the workspace");
        let manifest = format!(
            "[package]\nname = \"speed\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [lib]\nbench = false\n\n\
             [dev-dependencies]\nbench-harness = {{ path = {:?} }}\n\n\
             [[bench]]\nname = \"speed\"\nharness = false\n\n\
             [workspace]\n\n[profile.bench]\nopt-level = 1\n",
            root.join("bench-harness").display().to_string()
        );
        repository.write("Cargo.toml", &manifest);
        repository.write("src/lib.rs", "//! Nothing.\n");
        repository.write("benches/speed.rs", BENCH);
        repository.write(".gitignore", "target\n");
        fs::copy(root.join("Cargo.lock"), repository.path("Cargo.lock")).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit("base");
        repository
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Changes the bench target.
    fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("benches/speed.rs")).unwrap();
        assert!(text.contains(from), "{from}");
        self.write("benches/speed.rs", &text.replace(from, to));
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env(
                "CARGO_TARGET_DIR",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("gate-target"),
            )
            .env_remove("GITHUB_ACTIONS")
            .env_remove("GITHUB_STEP_SUMMARY")
            .env_remove("GITHUB_OUTPUT")
            .stdin(Stdio::null());
        command
    }

    /// Runs the gate; afterwards the tree must be as it was and git must know of no other.
    #[track_caller]
    fn gate(&self, more: &[&str], code: i32) -> (Output, Option<Judgement>) {
        let before = self.git(&["status", "--porcelain"]);
        let json = self.folder.path().with_extension("json");
        let _ = fs::remove_file(&json);
        let mut arguments = vec!["gate", "--json", json.to_str().unwrap()];
        arguments.extend(more);
        let output = self.run(&arguments);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert_eq!(self.git(&["status", "--porcelain"]), before);
        assert_eq!(self.git(&["worktree", "list"]).lines().count(), 1);
        let judgement = fs::read_to_string(&json).ok();
        let judgement = judgement.map(|text| Judgement::from_json(&text).unwrap());
        (output, judgement)
    }
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What is said of a metric of a case.
#[track_caller]
fn verdict(judgement: &Judgement, case: &str, metric: Metric) -> (Verdict, Evidence) {
    let mut findings = judgement.findings.iter();
    let finding = findings
        .find(|finding| finding.case.to_string() == case && finding.metric == metric)
        .unwrap_or_else(|| panic!("{metric} of {case} is in {:?}", judgement.findings));
    (finding.verdict, finding.evidence)
}

// One test, because builds of revisions share a folder and take turns.
#[test]
fn calibration_compares_other_layouts_and_edits_and_leaves_nothing_behind() {
    let repository = Repository::new();
    let before = repository.git(&["for-each-ref"]);
    let out = repository.folder.path().with_extension("calibration.json");
    let arguments = [
        "calibrate",
        "--relinked",
        "--pairs",
        "1",
        "--inject",
        "10",
        "--peers",
        "0",
        "--out",
        out.to_str().unwrap(),
        "--edit",
    ];
    let edited = |edit| {
        let mut arguments = arguments.to_vec();
        arguments.push(edit);
        repository.run(&arguments)
    };
    let output = edited("benches/speed.rs:let rounds = black_box(");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    assert_eq!(repository.git(&["worktree", "list"]).lines().count(), 1);
    assert_eq!(repository.git(&["for-each-ref"]), before);
    if said(&output).contains("not linked in other orders") {
        println!(
            "skipped: the linker does not order functions: {}",
            said(&output)
        );
        return;
    }
    assert!(output.status.success(), "{}", said(&output));
    let calibration: serde_json::Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    let rows = calibration["relinked"].as_array().unwrap();
    let trials = |what: &str| -> u64 {
        let rows = rows
            .iter()
            .filter(|row| row["what"].as_str().unwrap().contains(what));
        rows.map(|row| row["confirmed"]["trials"].as_u64().unwrap())
            .sum()
    };
    assert_eq!(trials("skipped") % 6, 0);
    assert!(trials("skipped") > 0, "{calibration}");
    let refused = edited("benches/speed.rs:let squares = ");
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        said(&refused).contains("has no line with `let squares = `"),
        "{}",
        said(&refused)
    );
}

#[test]
fn gate_says_what_changed_and_leaves_nothing_behind() {
    let repository = Repository::new();

    // What is no code is not run.
    repository.write("README.md", "Read me.\n");
    repository.commit("words");
    let (output, judgement) = repository.gate(&["--base", "HEAD~1"], 0);
    let judgement = judgement.unwrap();
    assert!(
        judgement
            .findings
            .iter()
            .all(|finding| finding.evidence == Evidence::SameCode)
    );
    assert_eq!(judgement.findings.len(), 2, "{}", said(&output));

    // Changes that no commit has are not left out in silence.
    repository.write("README.md", "Read me again.\n");
    let (output, _) = repository.gate(&["--base", "HEAD~1"], 2);
    assert!(
        said(&output).contains("not committed (README.md)"),
        "{}",
        said(&output)
    );
    repository.commit("more words");

    // Half as much work again and one object more: both are found, and the commit.
    repository.edit("ROUNDS: u64 = 2_000", "ROUNDS: u64 = 3_000");
    repository.edit("OBJECTS: usize = 3", "OBJECTS: usize = 4");
    repository.commit("slower");
    let (output, judgement) = repository.gate(&["--base", "HEAD~1"], 1);
    let judgement = judgement.unwrap();
    let time = verdict(&judgement, "work/rounds/1", Metric::Time);
    assert_eq!(
        time,
        (Verdict::Regressed, Evidence::Confirmed),
        "{}",
        said(&output)
    );
    let allocations = verdict(&judgement, "work/objects/1", Metric::Allocations);
    assert_eq!(allocations, (Verdict::Regressed, Evidence::Counts));
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("REGRESSED"),
        "{}",
        said(&output)
    );

    // The other way round it is an improvement.
    let (_, judgement) = repository.gate(&["--base", "HEAD", "--head", "HEAD~1"], 0);
    let time = verdict(&judgement.unwrap(), "work/rounds/1", Metric::Time);
    assert_eq!(time.0, Verdict::Improved);

    repository.write("README.md", "Enough.\n");
    repository.commit("last words");
    let bisect = [
        "bisect",
        "work/rounds/1",
        "--good",
        "HEAD~4",
        "--bad",
        "HEAD",
    ];
    let output = repository.run(&bisect);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        found.contains("the first bad commit is") && found.contains("slower"),
        "{found}"
    );
    let output = repository.run(&[
        "bisect",
        "work/rounds/1",
        "--good",
        "HEAD",
        "--bad",
        "HEAD~1",
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("nothing between them"),
        "{}",
        said(&output)
    );

    // What is agreed on does not fail, and what is wrong in the policy is named with its place.
    let allow = "[[allow]]\ncases = \"work/*/*\"\nmetric = \"METRIC\"\nchange = inf\n\
                 reason = \"wanted\"\nuntil = 2999-01-01\n\n";
    let all = ["time", "instructions", "allocations", "bytes", "peak"];
    let policy: String = all
        .iter()
        .map(|metric| allow.replace("METRIC", metric))
        .collect();
    repository.write("benchmarks.toml", &policy);
    repository.commit("a policy");
    repository.gate(&["--base", "HEAD~3"], 0);
    repository.write("benchmarks.toml", &policy.replace("2999", "2020"));
    repository.commit("an old policy");
    let (output, _) = repository.gate(&["--base", "HEAD~3"], 2);
    assert!(
        said(&output).contains("benchmarks.toml:6:9: until = 2020-01-01 is over"),
        "{}",
        said(&output)
    );
    fs::remove_file(repository.path("benchmarks.toml")).unwrap();
    repository.commit("no policy");

    // A case that is gone, and one that crashes.
    repository.edit("group.case(\"objects\", 1", "group.case(\"renamed\", 1");
    repository.commit("renamed");
    let (output, judgement) = repository.gate(&["--base", "HEAD~1", "--filter", "work/"], 4);
    let undecided = judgement.unwrap().undecided;
    assert_eq!(undecided.len(), 2, "{}", said(&output));
    repository.edit(
        "let rounds = black_box(ROUNDS);",
        "let rounds = black_box(ROUNDS); std::process::abort();",
    );
    repository.commit("crashes");
    let (output, judgement) = repository.gate(&["--base", "HEAD~1", "--filter", "rounds"], 4);
    let undecided = judgement.unwrap().undecided;
    assert!(
        undecided[0].reason.contains("fails in the head"),
        "{}",
        said(&output)
    );

    // Twice as much work in an iteration that handles twice as much is no slowdown.
    repository.git(&["checkout", "--quiet", "-b", "elements", "HEAD~2"]);
    repository.edit(
        "group.case(\"rounds\", 1",
        "group.case(\"rounds\", Input::number(1, 2)",
    );
    repository.edit("{Lab, Routine}", "{Input, Lab, Routine}");
    repository.edit("ROUNDS: u64 = 3_000", "ROUNDS: u64 = 6_000");
    repository.commit("twice as much");
    let (output, judgement) = repository.gate(&["--base", "HEAD~1", "--filter", "rounds"], 0);
    let throughput = verdict(&judgement.unwrap(), "work/rounds/1", Metric::Throughput);
    assert_ne!(throughput.0, Verdict::Regressed, "{}", said(&output));
    interrupt(&repository);
    repository.git(&["checkout", "--quiet", "main"]);

    // What does not build is no regression, whichever side it is on.
    repository.edit("// END", "does not compile");
    repository.commit("broken");
    let (output, _) = repository.gate(&["--base", "HEAD", "--head", "HEAD~1"], 2);
    assert!(
        said(&output).contains("the base ") && said(&output).contains("cannot be measured"),
        "{}",
        said(&output)
    );
    let (output, _) = repository.gate(&["--base", "HEAD~1"], 2);
    assert!(said(&output).contains("the head "), "{}", said(&output));
    let (output, _) = repository.gate(&["--base", "nonsense"], 2);
    assert!(
        said(&output).contains("there is no commit `nonsense`"),
        "{}",
        said(&output)
    );
}

/// Interrupts a gate while it measures: it says so at once and leaves nothing behind.
fn interrupt(repository: &Repository) {
    let mut gate = repository
        .command(&["gate", "--base", "HEAD~1", "--filter", "rounds"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(gate.stderr.take().unwrap()).lines();
    let measuring = |line: &std::io::Result<String>| line.as_ref().unwrap().contains("0/1 cases");
    assert!(lines.any(|line| measuring(&line)), "it measures");
    let process = gate.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &process])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(gate.wait().unwrap().code(), Some(130));
    let last = lines.last().unwrap().unwrap();
    assert!(
        last.contains("interrupted; nothing is left behind"),
        "{last}"
    );
    assert_eq!(repository.git(&["worktree", "list"]).lines().count(), 1);
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
}

#[test]
fn shallow_clone_says_how_to_get_the_base() {
    let repository = Repository::new();
    repository.write("README.md", "Read me.\n");
    repository.commit("words");
    let clone = tempfile::tempdir().unwrap();
    let from = format!("file://{}", repository.folder.path().display());
    let to = clone.path().to_str().unwrap();
    repository.git(&["clone", "--quiet", "--depth", "1", &from, to]);
    let output = Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"))
        .args(["gate", "--base", "HEAD~1"])
        .current_dir(&clone)
        .env("CARGO_TARGET_DIR", clone.path().join("target"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("git fetch --unshallow"),
        "{}",
        said(&output)
    );
}
