//! What cases spend their time on: samples in, shares and Markdown out.

use std::fmt::Write;

use bench_harness::record::{CaseId, Found, Function, Profiled, Sampled};
use bench_harness::stats;

use crate::compare::table;
use crate::exchange::plain;
use crate::format::Unit;
use crate::markdown::{cell, code, text as escaped};
use crate::outcome::shorten;

/// The heading of the section.
pub(crate) const TITLE: &str = "Profile";

/// Functions that a table names.
const NAMED: usize = 8;

/// Fewer samples make no shares: that of one half would have an interval of over 14 %.
const FEWEST: u64 = 200;

/// Longest name of a function that is shown.
const NAME_WIDTH: usize = 100;

/// Most cases that are named for one reason not to have a profile.
const UNPROFILED: usize = 5;

/// The function that what is timed of a case is inlined into.
const ITERATION: &str = "bench_harness::lab::iteration";

/// A row of a table.
#[derive(Debug, PartialEq)]
struct Row<'p> {
    what: What<'p>,
    samples: u64,
    /// Tenths of a percent; those of all rows add up to 1000.
    share: u64,
}

#[derive(Debug, PartialEq)]
enum What<'p> {
    Function(&'p Function),
    /// The harness itself: its functions, and what they call outside of the times.
    Harness,
    Others,
}

/// The rows of a profile, most samples first and what has no row of its own last.
fn rows(sampled: &Sampled) -> Vec<Row<'_>> {
    let (own, mut functions): (Vec<&Function>, Vec<&Function>) = sampled
        .functions
        .iter()
        .partition(|function| owner(function) == Owner::Harness);
    let own: u64 = own.iter().map(|function| function.samples).sum();
    functions.sort_by_key(|function| std::cmp::Reverse(function.samples));
    let others = functions.split_off(functions.len().min(NAMED));
    let mut parts: Vec<(What<'_>, u64)> = functions
        .into_iter()
        .map(|function| (What::Function(function), function.samples))
        .chain([(What::Harness, own + sampled.set_up)])
        .collect();
    // Stable: the harness comes after functions of as many samples.
    parts.sort_by_key(|(_, samples)| std::cmp::Reverse(*samples));
    let rest = others.iter().map(|function| function.samples).sum::<u64>() + sampled.others;
    if rest > 0 {
        parts.push((What::Others, rest));
    }
    let samples: Vec<u64> = parts.iter().map(|(_, samples)| *samples).collect();
    let shares = shares(&samples);
    parts
        .into_iter()
        .zip(shares)
        .map(|((what, samples), share)| Row {
            what,
            samples,
            share,
        })
        .collect()
}

/// The shares of `parts` in tenths of a percent, rounded so that they add up to 1000: each is rounded
/// down, and what is left goes to those with the largest remainders (Hamilton's method).
///
/// All are 0 where there is nothing to share.
fn shares(parts: &[u64]) -> Vec<u64> {
    const WHOLE: u128 = 1_000;
    let sum: u128 = parts.iter().map(|&part| u128::from(part)).sum();
    if sum == 0 {
        return vec![0; parts.len()];
    }
    let exact = |part: u64| u128::from(part) * WHOLE;
    let mut shares: Vec<u64> = parts
        .iter()
        .map(|&part| (exact(part) / sum) as u64)
        .collect();
    let left = WHOLE as u64 - shares.iter().sum::<u64>();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    // Stable: of equals the one that comes first.
    order.sort_by_key(|&at| std::cmp::Reverse(exact(parts[at]) % sum));
    for &at in order.iter().take(left as usize) {
        shares[at] += 1;
    }
    shares
}

/// Who a function belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    /// The closure of the case, with what was inlined into it.
    Case,
    Harness,
    Allocator,
    StandardLibrary,
    /// A closure that was inlined into what the standard library calls it by.
    Closure,
    /// A crate of this name.
    Crate(String),
    /// A file that is not the bench binary.
    File(String),
    /// What is not written in Rust, or has no name.
    Unknown,
}

fn owner(function: &Function) -> Owner {
    let name = function.name.as_str();
    if is_allocating(name) {
        return Owner::Allocator;
    }
    if let Some(file) = &function.file {
        return Owner::File(file.clone());
    }
    if name == ITERATION {
        return Owner::Case;
    }
    let called_by = [
        "std::sys::backtrace::__rust_begin_short_backtrace",
        "core::ops::function::FnOnce::call_once",
    ];
    if called_by.iter().any(|caller| name.starts_with(caller)) {
        return Owner::Closure;
    }
    match crate_of(name) {
        Some("bench_harness" | "criterion") => Owner::Harness,
        Some("std" | "core" | "alloc") => Owner::StandardLibrary,
        Some(name) => Owner::Crate(name.to_owned()),
        None => Owner::Unknown,
    }
}

/// Whether a function is one that allocates or frees by its name.
fn is_allocating(name: &str) -> bool {
    let c = [
        "malloc",
        "calloc",
        "realloc",
        "free",
        "cfree",
        "posix_memalign",
        "aligned_alloc",
    ];
    name.starts_with("__rustc::__r") || c.contains(&name)
}

/// The crate that a path begins with: of `<engine::Dag as core::fmt::Debug>::fmt` it is `engine`, of
/// `<T as core::fmt::Debug>::fmt` it is `core`.
fn crate_of(name: &str) -> Option<&str> {
    // What drops a value is made for its type.
    let path = name
        .strip_prefix("core::ptr::drop_in_place<")
        .unwrap_or(name);
    let path = path.trim_start_matches(['<', '&', '*', '(', '[']);
    let words = ["mut ", "const ", "dyn ", "impl "];
    let path = words
        .iter()
        .find_map(|word| path.strip_prefix(word))
        .unwrap_or(path);
    let path = path.trim_start_matches(['<', '&', '*', '(', '[']);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let end = path.find(|c| !is_word(c)).unwrap_or(path.len());
    let (first, rest) = path.split_at(end);
    if rest.starts_with("::") && !first.is_empty() {
        return Some(first);
    }
    // A parameter, a primitive or a slice: the trait's crate.
    let (_, of_trait) = rest.split_once(" as ")?;
    let end = of_trait.find(|c| !is_word(c))?;
    of_trait[end..].starts_with("::").then(|| &of_trait[..end])
}

/// Who a function belongs to; `show` shows a name.
fn owned(function: &Function, show: fn(&str) -> String) -> String {
    match owner(function) {
        Owner::Case => "the case".to_owned(),
        Owner::Harness => HARNESS.to_owned(),
        Owner::Allocator => "the allocator".to_owned(),
        Owner::StandardLibrary => "the standard library".to_owned(),
        Owner::Closure => "a closure".to_owned(),
        Owner::Crate(name) | Owner::File(name) => show(&name),
        Owner::Unknown => String::new(),
    }
}

const HARNESS: &str = "the harness";

/// What a function is called; `show` shows a name.
fn called(function: &Function, show: fn(&str) -> String) -> String {
    match (&*function.name, function.file.as_deref()) {
        ("", Some("")) => "code in no file".to_owned(),
        ("", Some(file)) => format!("functions of {} without names", show(file)),
        ("", None) => "functions without names".to_owned(),
        (ITERATION, None) => "the timed closure, with what is inlined into it".to_owned(),
        (name, _) => show(&shorten(name, NAME_WIDTH)),
    }
}

/// The cells of a row: share, interval, function and owner; `show` shows a name.
fn cells(row: &Row<'_>, all: u64, show: fn(&str) -> String) -> [String; 4] {
    let (low, high) = stats::proportion(row.samples, all);
    let (what, owner) = match row.what {
        What::Function(function) => (called(function, show), owned(function, show)),
        What::Harness => (
            "its loop, and set-up that no time includes".to_owned(),
            HARNESS.to_owned(),
        ),
        What::Others => ("everything else".to_owned(), String::new()),
    };
    [
        percent(row.share),
        format!("{:.1}..{:.1}", low * 100.0, high * 100.0),
        what,
        owner,
    ]
}

/// A number of tenths of a percent.
fn percent(tenths: u64) -> String {
    format!("{}.{} %", tenths / 10, tenths % 10)
}

const HEAD: [&str; 4] = ["Share", "Interval", "Function", "Belongs to"];

/// How much was sampled of a case: `512 samples in 1.02 s of processor time`.
fn extent(sampled: &Sampled) -> String {
    let samples = match sampled.samples {
        1 => "1 sample".to_owned(),
        many => format!("{many} samples"),
    };
    let time = Unit::Duration.format(sampled.cpu_ms as f64 * 1e6, 0.0);
    let few = match sampled.samples < FEWEST {
        true => format!(", too few for shares: those need {FEWEST}"),
        false => String::new(),
    };
    format!("{samples} in {time} of processor time{few}")
}

/// The section of the page; nothing without profiles.
pub(crate) fn section(profiles: &[Profiled]) -> String {
    let mut page = String::new();
    if profiles.is_empty() {
        return page;
    }
    write_line(
        &mut page,
        &format!(
            "## {TITLE}

What the cases that `[profile]` of `benchmarks.toml` names were executing: self time by function, without that of what it calls. When all times had been taken, a process of its own ran each case again, and a timer of its processor time interrupted the threads that were computing; threads that wait are not seen. Shares are of the samples, and those of a case add up to 100.0 %: each is rounded down to a tenth, and what is left goes to the largest remainders. The interval covers the true share with a probability of 95 %, as far as samples are independent of each other (Clopper and Pearson).

A function that was inlined counts as the one that holds it, so what was inlined into the closure of a case is the case's. Crates are told by their names, so a suite is not told from a library of the same name. Time in the kernel counts as the function that called it, or that touched memory for the first time. The harness's own share is its loop and what it prepares and clears away between iterations; it is in no time of this report.
"
        ),
    );
    for (case, sampled) in sampled(profiles) {
        let extent = extent(sampled);
        write_line(
            &mut page,
            &format!("{}: {extent}.\n", code(&case.to_string())),
        );
        if sampled.samples < FEWEST {
            continue;
        }
        write_line(
            &mut page,
            &format!("| {} |\n|---:|---:|---|---|", HEAD.join(" | ")),
        );
        for row in rows(sampled) {
            let cells = cells(&row, sampled.samples, cell);
            write_line(&mut page, &format!("| {} |", cells.join(" | ")));
        }
        page.push('\n');
    }
    for (reason, cases) in unprofiled(profiles) {
        let named: Vec<String> = cases
            .iter()
            .take(UNPROFILED)
            .map(|case| code(&case.to_string()))
            .collect();
        let more = match cases.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        write_line(
            &mut page,
            &format!(
                "- No profile of {}{more}: {}.",
                named.join(", "),
                escaped(reason)
            ),
        );
    }
    if page
        .lines()
        .next_back()
        .is_some_and(|line| !line.is_empty())
    {
        page.push('\n');
    }
    page
}

/// The same for a terminal.
pub(crate) fn text(profiles: &[Profiled]) -> String {
    let mut text = String::new();
    for (case, sampled) in sampled(profiles) {
        write_line(&mut text, &format!("{case}: {}", extent(sampled)));
        if sampled.samples >= FEWEST {
            let mut lines = vec![HEAD.map(str::to_lowercase)];
            let rows = rows(sampled);
            lines.extend(rows.iter().map(|row| cells(row, sampled.samples, plain)));
            table(&mut text, &lines, &[0, 1]);
        }
        text.push('\n');
    }
    text
}

/// The cases that have samples.
fn sampled(profiles: &[Profiled]) -> impl Iterator<Item = (&CaseId, &Sampled)> {
    profiles.iter().filter_map(|one| match &one.found {
        Found::Samples(sampled) => Some((&one.case, sampled)),
        Found::Nothing(_) => None,
    })
}

/// The reasons why cases have none, each with those cases, in order.
fn unprofiled(profiles: &[Profiled]) -> Vec<(&str, Vec<&CaseId>)> {
    let mut reasons: Vec<(&str, Vec<&CaseId>)> = Vec::new();
    for profiled in profiles {
        let Found::Nothing(reason) = &profiled.found else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, cases)) => cases.push(&profiled.case),
            None => reasons.push((reason, vec![&profiled.case])),
        }
    }
    reasons
}

fn write_line(page: &mut String, line: &str) {
    writeln!(page, "{line}").expect("writing to a string does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, file: Option<&str>, samples: u64) -> Function {
        Function {
            name: name.to_owned(),
            file: file.map(str::to_owned),
            samples,
        }
    }

    fn profiled(input: &str, set_up: u64, functions: Vec<Function>) -> Profiled {
        let samples = functions.iter().map(|one| one.samples).sum::<u64>() + set_up;
        Profiled {
            case: CaseId {
                group: "g".to_owned(),
                series: "s".to_owned(),
                input: input.to_owned(),
            },
            found: Found::Samples(Sampled {
                samples,
                set_up,
                others: 0,
                cpu_ms: 4 * samples,
                functions,
            }),
        }
    }

    /// The cells of the table of a page, without its head.
    fn table_of(page: &str) -> Vec<Vec<String>> {
        let lines = page.lines().filter(|line| line.starts_with("| "));
        let cells = |line: &str| {
            let line = line.trim_matches('|').replace("\\|", "/");
            line.split(" | ")
                .map(|cell| cell.trim().to_owned())
                .collect()
        };
        lines.skip(1).map(cells).collect()
    }

    #[test]
    fn rounded_shares_add_up_and_the_largest_remainders_are_rounded_up() {
        #[track_caller]
        fn check(parts: &[u64], expected: &[u64]) {
            assert_eq!(shares(parts), expected);
        }
        check(&[1, 1, 1], &[334, 333, 333]);
        check(&[2, 1], &[667, 333]);
        check(&[1], &[1_000]);
        check(&[0, 5], &[0, 1_000]);
        check(&[], &[]);
        check(&[0, 0], &[0, 0]);
        // 0.05 % each would all be rounded up, and 1.0 % too much.
        let mut many = vec![1; 20];
        many.push(1_980);
        let shares = shares(&many);
        assert_eq!(shares.iter().sum::<u64>(), 1_000);
        assert_eq!(shares[20], 990);
        check(&[u64::MAX, u64::MAX], &[500, 500]);
    }

    #[test]
    fn shares_of_any_samples_add_up() {
        let mut random = oorandom::Rand64::new(1);
        for _ in 0..1_000 {
            let count = random.rand_range(1..12);
            let parts: Vec<u64> = (0..count).map(|_| random.rand_range(0..700)).collect();
            let sum = shares(&parts).iter().sum::<u64>();
            assert_eq!(
                sum == 1_000,
                parts.iter().any(|&part| part > 0),
                "{parts:?}"
            );
        }
    }

    #[test]
    fn owner_is_read_from_the_symbol() {
        #[track_caller]
        fn check(name: &str, expected: Owner) {
            assert_eq!(owner(&function(name, None, 1)), expected, "{name}");
        }
        let krate = |name: &str| Owner::Crate(name.to_owned());
        check("bench_harness::lab::iteration", Owner::Case);
        check(
            "<bench_harness::lab::Plain<R,C> as bench_harness::lab::Measure>::repeat",
            Owner::Harness,
        );
        check("criterion::bencher::Bencher<M>::iter", Owner::Harness);
        check("engine::schedule::walk", krate("engine"));
        check("<engine::Dag as core::fmt::Debug>::fmt", krate("engine"));
        check("<&mut arena::Bump as arena::Arena>::reset", krate("arena"));
        check("<dyn intern::Interner>::intern", krate("intern"));
        check(
            "core::ptr::drop_in_place<engine::dag::Dag>",
            krate("engine"),
        );
        check("<F as rayon_core::job::Job>::execute", krate("rayon_core"));
        check(
            "<T as core::convert::Into<U>>::into",
            Owner::StandardLibrary,
        );
        check("<[T] as core::fmt::Debug>::fmt", Owner::StandardLibrary);
        check("alloc::raw_vec::finish_grow", Owner::StandardLibrary);
        check(
            "std::sys::backtrace::__rust_begin_short_backtrace",
            Owner::Closure,
        );
        check(
            "core::ops::function::FnOnce::call_once{{vtable.shim}}",
            Owner::Closure,
        );
        check("__rustc::__rust_alloc", Owner::Allocator);
        check("malloc", Owner::Allocator);
        check("memcpy", Owner::Unknown);
        check("", Owner::Unknown);
        let libc = Owner::File("libc.so.6".to_owned());
        assert_eq!(owner(&function("memcpy", Some("libc.so.6"), 1)), libc);
        let malloc = function("malloc", Some("libc.so.6"), 1);
        assert_eq!(owner(&malloc), Owner::Allocator);
    }

    #[test]
    fn table_names_few_functions_and_always_the_harness_and_its_shares_add_up() {
        let mut functions: Vec<Function> = (0..20)
            .map(|number| function(&format!("engine::f{number:02}"), None, 40 - number))
            .collect();
        functions.push(function("bench_harness::lab::batch", None, 5));
        functions.push(function("bench_harness::lab::iteration", None, 300));
        functions.push(function("", Some("libc.so.6"), 200));
        let page = section(&[profiled("1", 7, functions)]);
        let table = table_of(&page);
        assert_eq!(table.len(), NAMED + 2, "{page}");
        let share = |row: &Vec<String>| {
            let digits = row[0].strip_suffix(" %").unwrap().replace('.', "");
            digits.parse::<u64>().unwrap()
        };
        assert_eq!(table.iter().map(share).sum::<u64>(), 1_000, "{page}");
        assert_eq!(
            table[0][2..],
            [
                "the timed closure, with what is inlined into it",
                "the case"
            ]
        );
        assert_eq!(
            table[1][2..],
            ["functions of `libc.so.6` without names", "`libc.so.6`"]
        );
        assert_eq!(table[2][2..], ["`engine::f00`", "`engine`"]);
        let own = table.iter().filter(|row| row[3] == "the harness");
        // Its function and its set-up are one row.
        assert_eq!(own.map(share).collect::<Vec<_>>(), [11], "{page}");
        assert_eq!(table.last().unwrap()[2..], ["everything else", ""]);
        let page = section(&[profiled("1", 0, vec![function("engine::f", None, 500)])]);
        let table = table_of(&page);
        assert_eq!(table[1][0], "0.0 %", "{page}");
        assert_eq!(table[1][1], "0.0..0.7", "{page}");
        assert_eq!(table.len(), 2, "{page}");
    }

    #[test]
    fn too_few_samples_make_no_shares() {
        let page = section(&[profiled("1", 0, vec![function("engine::f", None, 199)])]);
        assert!(
            page.contains("`g/s/1`: 199 samples in 796 ms of processor time, too few"),
            "{page}"
        );
        assert_eq!(table_of(&page), [[""; 0]; 0]);
        let page = section(&[profiled("1", 0, vec![function("engine::f", None, 200)])]);
        assert_eq!(table_of(&page).len(), 2, "{page}");
    }

    #[test]
    fn case_without_a_profile_says_why_and_no_case_makes_no_section() {
        assert_eq!(section(&[]), "");
        let nothing = |number: usize| {
            let mut profiled = profiled(&number.to_string(), 0, Vec::new());
            profiled.found = Found::Nothing("no timer | <b>".to_owned());
            profiled
        };
        let profiles: Vec<Profiled> = (0..7).map(nothing).collect();
        let page = section(&profiles);
        let said = "- No profile of `g/s/0`, `g/s/1`, `g/s/2`, `g/s/3`, `g/s/4` and 2 more: no timer \\| &lt;b&gt;.\n";
        assert!(page.contains(said), "{page}");
        assert_eq!(text(&profiles), "");
    }

    #[test]
    fn names_stay_data() {
        let name = "a|b`c\n## <script>".repeat(20);
        let functions = vec![function(&name, Some(&name), 300)];
        let page = section(&[profiled(&name, 0, functions)]);
        assert_eq!(page.matches("\n## ").count(), 0, "{page}");
        for line in page.lines().filter(|line| line.starts_with("| ")) {
            assert_eq!(line.replace("\\|", "").matches('|').count(), 5, "{line}");
        }
    }

    #[test]
    fn terminal_shows_the_same_figures() {
        let functions = vec![function("<*const T as a::B>::c", None, 300)];
        let profiles = [profiled("1", 100, functions)];
        let text = text(&profiles);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "g/s/1: 400 samples in 1.6 s of processor time");
        let words = |line: &str| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(lines[2])[..3], ["75.0", "%", "70.5..79.2"]);
        assert!(lines[2].contains("<*const T as a::B>::c"), "{text}");
        assert!(lines[3].contains("25.0 %"), "{text}");
        let page = section(&profiles);
        assert!(
            page.contains("| 75.0 % | 70.5..79.2 | `<*const T as a::B>::c` |"),
            "{page}"
        );
    }
}
