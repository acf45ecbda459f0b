//! Writes a policy that fits a workspace, for its users to go on from.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bench_harness::policy::Policy;

use crate::workspace::{Inputs, Workspace};

pub(crate) const HELP: &str = "\
Builds the bench targets to learn their groups. A file that is there is never replaced.

Example: gen-benchmarks init";

/// Groups that are shown in the file.
const SHOWN: usize = 12;

/// Writes `benchmarks.toml` and says what to do next.
pub(crate) fn execute(workspace: &Workspace) -> Result<ExitCode> {
    let path = workspace.root.join("benchmarks.toml");
    // Before anything is built for minutes; asked again when the file is written.
    let taken = || {
        format!(
            "{} is there already and stays as it is; `gen-benchmarks policy` prints what it says",
            path.display()
        )
    };
    if path.exists() {
        bail!(taken());
    }
    let suite = workspace.build(&Inputs::default())?;
    let foreign = suite.cases.iter().any(|defined| defined.foreign.is_some());
    let globs = suite.groups.iter().filter_map(|group| {
        let mut cases = suite.cases.iter().map(|defined| &defined.info.case);
        let is_case = cases.any(|case| case.to_string() == group.group);
        glob(&group.group, is_case)
    });
    let text = policy(&globs.collect::<Vec<_>>(), foreign);
    Policy::parse("benchmarks.toml", &text).map_err(crate::all)?;
    let mut file = tempfile::NamedTempFile::new_in(&workspace.root)
        .with_context(|| format!("cannot write to {}", workspace.root.display()))?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    crate::publish::share(file.path());
    file.persist_noclobber(&path).with_context(taken)?;
    eprintln!("{}", path.display());
    eprintln!(
        "what it says of each of {} cases: gen-benchmarks policy",
        suite.cases.len()
    );
    eprintln!("to measure and write BENCHMARKS.md: gen-benchmarks");
    eprintln!("to judge what you change from now on: gen-benchmarks gate --base REVISION");
    Ok(ExitCode::SUCCESS)
}

/// The text of the file, with patterns for groups; `foreign` where benchmarks are criterion's own.
fn policy(globs: &[String], foreign: bool) -> String {
    let mut text = "\
# What makes `gen-benchmarks gate` fail; `gen-benchmarks policy` prints what holds for each case.
# A case is `group/series/input`, as `gen-benchmarks list` prints it. Of several limits that match a case,
# each key is taken from the last one that has it.

[levels]
investigate = 10            # percent from which the cause of a change should be found
block = 20                  # and from which it should not go in
memory_review = 5           # of bytes and peak
fail_from = \"regression\"    # or \"memory review\", \"investigate\", \"block\": the gate fails from there
"
    .to_owned();
    text += match foreign {
        true => "
# Benchmarks of criterion are judged by the time of whole processes, which differ by a few percent
# although nothing changed. Without this, it would be 2 %.
[[limit]]
cases = \"**\"
metric = \"time\"
change = 5
",
        false => "
# Without a limit: time and instructions 1 %, allocations and bytes 0, peak 5 %, time on all cores 10 %.
",
    };
    text += "
# What matters most, with a smaller limit, and no pass without a verdict:
";
    for glob in globs.iter().take(SHOWN) {
        let entry = format!(
            "#\n# [[limit]]\n# cases = {glob}\n# metric = \"time\"\n# change = 3\n# must_gate = true\n"
        );
        text += &entry;
    }
    if let Some(more @ 1..) = globs.len().checked_sub(SHOWN) {
        writeln!(text, "#\n# And so on: there are {more} more groups.")
            .expect("a string takes all");
    }
    text += "
# A change that was agreed on is entered like this and leaves the file when the day is over:
#
# [[allow]]
# cases = \"group/series/*\"
# metric = \"time\"
# change = 8                  # up to so many percent
# reason = \"checks its input now\"
# until = 2030-01-31
";
    text
}

/// A pattern for the cases of a group, or for the group that is a case by itself, as a TOML string;
/// `None` where a comment cannot hold it.
fn glob(group: &str, is_case: bool) -> Option<String> {
    if group.chars().any(char::is_control) {
        return None;
    }
    let mut glob = String::new();
    for character in group.chars() {
        match r"?*[]{}\".contains(character) {
            true => glob.extend(['[', character, ']']),
            false => glob.push(character),
        }
    }
    if !is_case {
        glob += "/**";
    }
    serde_json::to_string(&glob).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_harness::gate::Metric;
    use bench_harness::record::CaseId;

    /// The file with every entry of a group in force.
    fn in_force(text: &str) -> String {
        let (entries, _) = text.split_once("# A change that was agreed on").unwrap();
        let (head, entries) = entries.split_once("verdict:\n").unwrap();
        let lines = entries
            .lines()
            .map(|line| line.trim_start_matches(['#', ' ']));
        let lines: Vec<&str> = lines
            .filter(|line| !line.starts_with("And so on"))
            .collect();
        format!("{head}verdict:\n{}\n", lines.join("\n"))
    }

    #[track_caller]
    fn check(name: &str, series: &str) {
        let glob = glob(name, series.is_empty()).unwrap();
        let text = policy(&[glob], true);
        Policy::parse("benchmarks.toml", &text).unwrap();
        let policy = Policy::parse("benchmarks.toml", &in_force(&text)).unwrap();
        let case = |group: &str, series: &str| CaseId {
            group: group.to_owned(),
            series: series.to_owned(),
            input: String::new(),
        };
        let limit = |case: &CaseId| policy.rule(case, Metric::Time).limit;
        assert_eq!(limit(&case(name, series)), 0.03, "{text}");
        assert_eq!(limit(&case("another", series)), 0.05, "{text}");
    }

    #[test]
    fn entries_of_groups_are_about_their_cases_whatever_they_are_called() {
        check("parse", "f/g");
        check("parse", "");
        check("a \"quoted\" {x,y} [z] \\ ?*!", "f");
        check("größe/ü", "");
    }

    #[test]
    fn file_is_a_policy_whatever_groups_are_called_and_however_many_there_are() {
        let globs = (0..30).filter_map(|number| glob(&format!("g{number}"), false));
        let text = policy(&globs.collect::<Vec<_>>(), false);
        Policy::parse("benchmarks.toml", &text).unwrap();
        assert!(text.contains("there are 18 more groups"), "{text}");
        assert_eq!(glob("two\nlines = 1", false), None);
    }
}
