//! Workspaces that know nothing of our crate: their criterion benchmarks, whatever they are called and
//! however they end, become a report by one command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use bench_harness::gate::{Judgement, Metric, Verdict};
use bench_harness::record::{self, Entry};

/// Names that mean something in paths, expressions, tables, markup and shells, or are only long.
const NAMES: [&str; 4] = [
    "../up \"q\" <b>|\\`x` [l](u) *s* $(y) a.c+",
    "größe/日本 🦀",
    "two\nlines",
    "--help",
];

const SPEED: &str = r##"
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const NAMES: [&str; 4] = @names@;
const ROUNDS: u64 = 500;

fn spin(rounds: u64) -> u64 {
    (0..black_box(rounds)).fold(1, |state, round| black_box(state ^ round))
}

fn suite(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sum");
    for size in [10, 100, 1_000] {
        group.throughput(Throughput::Bytes(size));
        for function in ["fold", "loop"] {
            let id = BenchmarkId::new(function, size);
            group.bench_with_input(id, &size, |bencher, &size| bencher.iter(|| spin(size)));
        }
    }
    group.finish();
    for name in NAMES {
        criterion.benchmark_group(name).bench_function(name, |bencher| bencher.iter(|| spin(ROUNDS)));
    }
    for name in ["a/b", "a b", "a-b"] {
        criterion.benchmark_group(name).bench_function("f", |bencher| bencher.iter(|| spin(ROUNDS)));
    }
    // More than criterion prints or makes a path of, and the same so far.
    for end in ["one", "two"] {
        let name = format!("{}{end}", "long ".repeat(60));
        criterion.bench_function(&name, |bencher| bencher.iter(|| spin(ROUNDS)));
    }
    criterion
        .benchmark_group("from_elem")
        .sample_size(12)
        .bench_with_input(BenchmarkId::from_parameter(16), &16, |bencher, &size| bencher.iter(|| spin(size)));
    if std::env::var_os("TROUBLE").is_some() {
        criterion.bench_function("trouble: panic", |bencher| bencher.iter(|| panic!("out of luck")));
        criterion.bench_function("trouble: hang", |bencher| {
            bencher.iter(|| std::thread::sleep(std::time::Duration::from_secs(600)));
        });
        criterion.bench_function("trouble: leave", |bencher| bencher.iter(|| std::process::exit(0)));
        criterion.bench_function("trouble: none", |bencher| bencher.iter(|| spin(ROUNDS)));
    }
}

criterion_group!(benches, suite);
criterion_main!(benches);
"##;

/// The version of criterion that is here already.
fn criterion() -> String {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let (_, after) = lock
        .split_once("name = \"criterion\"\nversion = \"")
        .unwrap();
    after.split('"').next().unwrap().to_owned()
}

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the package lies in the workspace")
}

fn write(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Cargo builds again what is newer.
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return;
    }
    fs::write(path, text).unwrap();
}

fn manifest(name: &str, more: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [lib]\nbench = false\n\n\
         [dev-dependencies]\n\
         criterion = {{ version = \"={}\", default-features = false, features = [\"cargo_bench_support\"] }}\n\n\
         [[bench]]\nname = \"speed\"\nharness = false\n\n{more}",
        criterion()
    )
}

const PROFILE: &str = "[profile.bench]\nopt-level = 0\n";

/// A workspace of two packages, made once, for one test at a time, since they look into its target
/// folder; `None` where it cannot be built here.
fn workspace() -> Option<(MutexGuard<'static, ()>, &'static Path)> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    static WORKSPACE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = WORKSPACE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("foreign");
        let more = format!(
            "[[bench]]\nname = \"own\"\nharness = false\n\n\
             [[bench]]\nname = \"broken\"\nharness = false\n\n\
             [workspace]\nmembers = [\"second\"]\n\n{PROFILE}"
        );
        write(&folder, "Cargo.toml", &manifest("first", &more));
        write(&folder, "src/lib.rs", "//! Nothing.\n");
        write(&folder, "benches/speed.rs", &SPEED.replace("@names@", &format!("{NAMES:?}")));
        write(&folder, "benches/libtest.rs", "//! Benchmarks of a nightly compiler.\n");
        // Takes every argument for the wish to run.
        write(&folder, "benches/own.rs", "fn main() { std::fs::write(\"started\", \"\").unwrap(); }\n");
        write(&folder, "benches/broken.rs", "compile_error!(\"needs what is not here\");\nfn main() {}\n");
        write(&folder, "second/Cargo.toml", &manifest("second", ""));
        write(&folder, "second/src/lib.rs", "//! Nothing.\n");
        let second = "use criterion::{Criterion, criterion_group, criterion_main};\n\
                      fn suite(criterion: &mut Criterion) {\n\
                          criterion.benchmark_group(\"a/b\").bench_function(\"f\", |bencher| bencher.iter(|| 1 + 1));\n\
                      }\n\
                      criterion_group!(benches, suite);\n\
                      criterion_main!(benches);\n";
        write(&folder, "second/benches/speed.rs", second);
        fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        let built = cargo(&folder, &["bench", "--workspace", "--no-run", "--bench", "speed"]);
        builds(&built).then_some(folder)
    });
    made.as_deref().map(|folder| (turn, folder))
}

fn target(folder: &Path) -> PathBuf {
    folder.with_extension("target")
}

fn cargo(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target(folder))
        .env("CARGO_NET_OFFLINE", "true")
        .output()
        .unwrap()
}

/// Whether cargo could build without a network; prints a sentence where it could not.
fn builds(built: &Output) -> bool {
    let said = String::from_utf8_lossy(&built.stderr);
    let offline = said.contains("no matching package") || said.contains("--offline");
    assert!(built.status.success() || offline, "{said}");
    if offline {
        println!("skipped: criterion cannot be built here without a network: {said}");
    }
    !offline
}

/// Starts a program of ours in `folder`, as its user would.
fn command(program: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target(folder))
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("TROUBLE")
        .env_remove("CRITERION_HOME")
        .stdin(Stdio::null());
    command
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_gen-benchmarks");

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all.sort();
    all
}

/// Fails where a name became markup: the only HTML is that of charts, and links lead to the page and its
/// assets.
#[track_caller]
fn check_markup(page: &str) {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    for event in Parser::new_ext(page, Options::ENABLE_TABLES) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                let tag = html.trim_start_matches(['<', '/']);
                let known = ["picture>", "source media=", "img alt="];
                assert!(known.iter().any(|known| tag.starts_with(known)), "{html}");
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                let inside = dest_url.starts_with('#') || dest_url.starts_with("assets/");
                assert!(inside && !dest_url.contains(".."), "{dest_url}");
            }
            _ => {}
        }
    }
}

#[track_caller]
fn ended(output: &Output, code: i32, said: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    for part in said {
        assert!(stderr.contains(part), "`{part}` is not in: {stderr}");
    }
}

#[test]
fn any_workspace_gets_a_report_by_one_command_whatever_its_benchmarks_are_called() {
    let Some((_turn, folder)) = workspace() else {
        return;
    };
    let around = tempfile::tempdir().unwrap();
    let out = around.path().join("out");
    fs::create_dir(&out).unwrap();
    let records = out.join("records.jsonl");
    let before = files(folder);
    let arguments = [
        // As cargo starts it.
        "gen-benchmarks",
        "--profile",
        "quick",
        "--count",
        "2",
        "--allow-unknown-commit",
        "--records",
        records.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let subcommand = env!("CARGO_BIN_EXE_cargo-gen-benchmarks");
    let output = command(subcommand, folder, &arguments).output().unwrap();
    let said = [
        "left out libtest: its harness is that of `#[bench]`",
        "left out own: it has a harness of its own",
        "17 benchmarks of criterion in 2 processes each take about",
        "17 cases in 2 processes each",
    ];
    ended(&output, 0, &said);
    assert!(
        !folder.join("started").exists(),
        "a harness of its own is not started"
    );
    assert!(
        !target(folder).join("criterion").exists(),
        "the user's folder is left alone"
    );
    let scratch = fs::read_dir(target(folder).join("gen-benchmarks")).unwrap();
    let mut names = scratch.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(
        !names.any(|name| name.starts_with("criterion-")),
        "folders of processes are gone"
    );

    assert_eq!(files(folder), before, "the workspace is left as it was");
    let beside = fs::read_dir(around.path()).unwrap();
    assert_eq!(beside.count(), 1, "everything is in the folder of --out");

    let page = fs::read_to_string(out.join("BENCHMARKS.md")).unwrap();
    check_markup(&page);
    assert!(page.starts_with("# Benchmarks of first\n"), "{page}");
    let told = [
        "- `broken`: needs what is not here",
        "- `own`: it has a harness of its own",
        "| bytes | series | time an iteration ↓ | byte/s ↑ |",
        "| function | time an iteration ↓ |",
        "may do different things, so none is called the fastest.",
        // Their names, but for a table of their own.
        "`from_elem/16`",
        "| 1,000 | `loop` | ",
        "| 16 | `from_elem` | ",
        "### `a/b`\n",
        "### `a/b (speed)`\n",
        "### `first: speed`\n",
        "`bench-harness` is a dev-dependency",
    ];
    for part in told {
        assert!(page.contains(part), "`{part}` is not in: {page}");
    }
    for never in ["allocs", "cargo run", "perf-lab", "(empty)"] {
        assert!(!page.contains(never), "`{never}` is in: {page}");
    }
    let charts = fs::read_dir(out.join("assets")).unwrap();
    let charts = charts.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let charts: Vec<String> = charts.filter(|name| name.ends_with(".svg")).collect();
    for chart in &charts {
        assert!(
            chart.is_ascii() && page.contains(&format!("assets/{chart}\"")),
            "{chart}"
        );
    }
    let groups = page.matches("\n### ").count();
    assert_eq!(
        page.matches("<picture>").count() * 2,
        charts.len(),
        "each has a light and a dark one"
    );
    assert!(groups >= charts.len() / 2, "{charts:?}");

    let entries = record::read(&records).unwrap().entries;
    let mut ids: Vec<String> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Case(record) if record.process == 1 => Some(record.case.to_string()),
            _ => None,
        })
        .collect();
    ids.sort();
    let mut expected: Vec<String> = NAMES.iter().map(|name| format!("{name}/{name}")).collect();
    for function in ["fold", "loop"] {
        expected.extend(["10", "100", "1000"].map(|size| format!("sum/{function}/{size}")));
    }
    expected
        .extend(["a/b/f", "a b/f", "a-b/f", "a/b (speed)/f", "from_elem/16"].map(str::to_owned));
    expected.extend(["one", "two"].map(|end| format!("{}{end}", "long ".repeat(60))));
    expected.sort();
    assert_eq!(ids, expected);

    let arguments = ["check", "--out", out.to_str().unwrap()];
    ended(
        &command(PROGRAM, folder, &arguments).output().unwrap(),
        0,
        &["says what its record says"],
    );
}

#[test]
fn benchmark_that_crashes_hangs_or_leaves_is_a_failed_row_and_the_rest_goes_on() {
    let Some((_turn, folder)) = workspace() else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let records = out.path().join("records.jsonl");
    let mut arguments = vec![
        "run",
        "--profile",
        "quick",
        "--count",
        "1",
        "--timeout",
        "3",
    ];
    arguments.extend(["--filter", "trouble", "--allow-unknown-commit"]);
    arguments.extend(["--records", records.to_str().unwrap()]);
    let mut trouble = command(PROGRAM, folder, &arguments);
    let output = trouble.env("TROUBLE", "1").output().unwrap();
    let said = [
        "failed: trouble: panic: out of luck",
        "failed: trouble: hang: not done within 3 s (--timeout)",
        "failed: trouble: leave: its process ended well and measured nothing",
        "3 of 4 cases failed",
    ];
    ended(&output, 1, &said);

    let arguments = [
        "report",
        "--records",
        records.to_str().unwrap(),
        "--out",
        out.path().to_str().unwrap(),
    ];
    ended(
        &command(PROGRAM, folder, &arguments).output().unwrap(),
        0,
        &[],
    );
    let page = fs::read_to_string(out.path().join("BENCHMARKS.md")).unwrap();
    assert!(
        page.contains("| `trouble: panic` | failed: out of luck"),
        "{page}"
    );
    assert!(
        page.contains("| `trouble: none` | ") && !page.contains("| `trouble: none` | failed"),
        "{page}"
    );
}

/// Runs in a package with these files, which is in no repository, and compares exit code and words.
#[track_caller]
fn check_refused(files: &[(&str, &str)], arguments: &[&str], said: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in files {
        write(folder.path(), file, text);
    }
    let mut program = command(PROGRAM, folder.path(), arguments);
    let program = program.env("CARGO_TARGET_DIR", folder.path().join("target"));
    // Whatever the temporary folder lies in.
    let program = program.env("GIT_CEILING_DIRECTORIES", folder.path());
    let output = program.output().unwrap();
    ended(&output, 2, said);
    assert!(!folder.path().join("BENCHMARKS.md").exists());
    assert!(!folder.path().join("assets").exists());
}

#[test]
fn workspace_that_cannot_be_measured_is_told_why() {
    const PACKAGE: &str = "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
                           [lib]\nbench = false\n\
                           [[bench]]\nname = \"b\"\nharness = false\n\
                           [workspace]\n";
    let (plain, _) = PACKAGE.split_once("[[bench]]").unwrap();
    let plain = format!("{plain}[workspace]\n");
    let library = ("src/lib.rs", "//! Nothing.\n");
    let anyway = ["--profile", "quick", "--allow-unknown-commit"];
    check_refused(
        &[],
        &[],
        &[
            "could not find `Cargo.toml`",
            "run inside a Cargo workspace",
        ],
    );
    let malformed = ("Cargo.toml", "[package\nname = 3\n");
    let said = ["cargo cannot read this workspace: ", "Cargo.toml:1"];
    check_refused(&[malformed, library], &[], &said);
    let files = [("Cargo.toml", plain.as_str()), library];
    let said = [
        "is in no repository with a commit",
        "--allow-unknown-commit",
    ];
    check_refused(&files, &[], &said);
    let said = ["is in no git repository"];
    check_refused(&files, &["gate", "--base", "HEAD~1"], &said);
    let said = ["has no bench targets; put a criterion benchmark into `benches/`"];
    check_refused(&files, &anyway, &said);
    check_refused(&files, &["init"], &said);
    check_refused(
        &files,
        &["check"],
        &["there is no report in ", "write one with"],
    );
    check_refused(
        &files,
        &["report"],
        &["there is no record in ", "--records"],
    );
    let broken = ("benches/b.rs", "fn main() { let _: u32 = \"a\"; }\n");
    let said = [
        "left out b: mismatched types\n",
        "the bench targets do not build",
    ];
    check_refused(&[("Cargo.toml", PACKAGE), library, broken], &anyway, &said);
    let other = ("benches/b.rs", "fn main() { panic!(\"is started\") }\n");
    let said = [
        "no bench target of this workspace can be measured",
        "b: it has a harness of its own",
    ];
    check_refused(&[("Cargo.toml", PACKAGE), library, other], &anyway, &said);
}

#[test]
fn shards_of_criterions_own_benchmarks_are_merged() {
    let Some((_turn, folder)) = workspace() else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let path = |name: &str| out.path().join(name).to_str().unwrap().to_owned();
    let run = |arguments: &[&str]| command(PROGRAM, folder, arguments).output().unwrap();
    let records = ["1.jsonl", "2.jsonl"].map(path);
    for (shard, records) in ["1/2", "2/2"].into_iter().zip(&records) {
        let mut arguments = vec!["run", "--shard", shard, "--records", records];
        arguments.extend(["--profile", "quick", "--count", "1", "--filter", "sum"]);
        arguments.push("--allow-unknown-commit");
        ended(&run(&arguments), 0, &[]);
    }
    let all = path("all.jsonl");
    let merged = run(&["merge", &records[0], &records[1], "--out", &all]);
    ended(&merged, 0, &["6 cases of 2 shards"]);
    let site = path("site");
    ended(&run(&["report", "--records", &all, "--out", &site]), 0, &[]);
    let page = fs::read_to_string(out.path().join("site/BENCHMARKS.md")).unwrap();
    assert!(!page.contains("nstructions are not counted"), "{page}");
}

#[test]
fn policy_that_is_written_fits_and_is_never_replaced() {
    let Some((_turn, folder)) = workspace() else {
        return;
    };
    let path = folder.join("benchmarks.toml");
    let _ = fs::remove_file(&path);
    let run = |arguments: &[&str]| command(PROGRAM, folder, arguments).output().unwrap();
    ended(
        &run(&["init"]),
        0,
        &["benchmarks.toml", "gen-benchmarks gate --base"],
    );
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("# cases = \"sum/**\""), "{text}");
    let output = run(&["policy", "--filter", "sum/fold/10"]);
    ended(&output, 0, &[]);
    let rules = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(rules.contains("5"), "{rules}");

    fs::write(&path, "# mine\n").unwrap();
    ended(&run(&["init"]), 2, &["is there already and stays as it is"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "# mine\n");
    fs::remove_file(&path).unwrap();
}

/// Two commits of a criterion benchmark, of which the second does three times the work.
#[test]
fn gate_judges_criterion_by_whole_processes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let bench = "use std::hint::black_box;\n\
                 use criterion::{Criterion, criterion_group, criterion_main};\n\
                 fn suite(criterion: &mut Criterion) {\n\
                     for (name, rounds) in [(\"changed\", ROUNDS), (\"kept\", 500)] {\n\
                         criterion.bench_function(name, |bencher| bencher.iter(|| (0..black_box(rounds)).map(black_box).sum::<u64>()));\n\
                     }\n\
                 }\n\
                 criterion_group!(benches, suite);\n\
                 criterion_main!(benches);\n";
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    write(
        folder,
        "Cargo.toml",
        &manifest("speed", &format!("[workspace]\n\n{PROFILE}")),
    );
    write(folder, "src/lib.rs", "//! Nothing.\n");
    // As of many libraries, the lock file is in no commit.
    write(folder, ".gitignore", "Cargo.lock\n");
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    git(&["init", "--quiet", "--initial-branch=main"]);
    for rounds in ["500_u64", "1_500_u64"] {
        write(folder, "benches/speed.rs", &bench.replace("ROUNDS", rounds));
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message", rounds]);
    }
    let metadata = cargo(folder, &["metadata", "--format-version", "1"]);
    if !builds(&metadata) {
        return;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("foreign-gate.target");
    let json = folder.with_extension("json");
    let gate = |more: &[&str], code: i32| {
        let mut arguments = vec!["gate", "--base", "HEAD~1", "--json", json.to_str().unwrap()];
        arguments.extend(more);
        let mut gate = command(PROGRAM, folder, &arguments);
        let output = gate.env("CARGO_TARGET_DIR", &target).output().unwrap();
        ended(&output, code, &[]);
        Judgement::from_json(&fs::read_to_string(&json).unwrap()).unwrap()
    };
    let judgement = gate(&[], 1);
    let finding = |case: &str| {
        let mut findings = judgement.findings.iter();
        let found = findings.find(|one| one.case.to_string() == case && one.metric == Metric::Time);
        found.unwrap_or_else(|| panic!("{case} is in {:?}", judgement.findings))
    };
    assert_eq!(finding("changed").verdict, Verdict::Regressed);
    assert!(finding("changed").change.unwrap().point > 1.0);
    assert_ne!(finding("kept").verdict, Verdict::Regressed);
    assert_eq!(finding("kept").launches, 10);
    assert!(
        judgement.decided_on.starts_with("wall time of 2 cases"),
        "{}",
        judgement.decided_on
    );
    // Equal programs are not run.
    let same = gate(&["--head", "HEAD~1"], 0);
    assert!(
        same.findings.iter().all(|one| one.launches == 0),
        "{same:?}"
    );
    fs::remove_file(json).unwrap();
}
